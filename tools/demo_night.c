/*
 * demo_night.c - writes a plausible night of polysomnography as EDF+: six signals and the true stage of each epoch.
 *
 * Each epoch mixes a 1/f background with the graphic elements that the AASM manual scores by: alpha and blinks (W),
 * slow rolling eyes and vertex waves (N1), spindles and K complexes (N2), slow waves (N3), rapid eye movements,
 * sawtooth waves and a silent chin (R). Same hours and seed, same bytes. It is data to try the program on, not a model
 * of sleep.
 */
#include <edflib.h>
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { F4, C4, O2, LOC, ROC, CHIN, N_SIGNALS };
enum { W, N1, N2, N3, R, N_STAGES };
enum { RATE = 256, EPOCH_S = 30, EPOCH = RATE * EPOCH_S, MAX_HOURS = 24 };
static const double pi = 3.14159265358979323846;

static const char *const labels[N_SIGNALS] = {"EEG F4-M1", "EEG C4-M1", "EEG O2-M1", "EOG LOC", "EOG ROC", "EMG Chin"};
static const char *const stage_texts[N_STAGES] = {"Sleep stage W", "Sleep stage N1", "Sleep stage N2", "Sleep stage N3",
                                                  "Sleep stage R"};

/* What an epoch of a stage holds. Amplitudes in microvolts, peak; rates per epoch. */
typedef struct stage_sound {
    double background, alpha, theta, slow_wave, chin;
    double blinks, slow_eyes, spindles, k_complexes, rapid_eyes, sawtooth, vertex;
} stage_sound;
static const stage_sound sounds[N_STAGES] = {
    [W] = {.background = 5, .alpha = 38, .theta = 2, .chin = 22, .blinks = 7},
    [N1] = {.background = 5, .alpha = 3, .theta = 14, .chin = 11, .slow_eyes = 1, .vertex = 1.5},
    [N2] = {.background = 5.5, .theta = 10, .slow_wave = 6, .chin = 7, .spindles = 4, .k_complexes = 1.6},
    [N3] = {.background = 6, .theta = 5, .slow_wave = 85, .chin = 5, .spindles = 1},
    [R] = {.background = 5, .alpha = 3, .theta = 11, .chin = 1.5, .rapid_eyes = 8, .sawtooth = 2}};

typedef struct generator {
    uint64_t state;
    double pink[N_SIGNALS][4]; /* one-pole low-passes, an octave and a half apart: about 1/f together */
    double last_white[N_SIGNALS];
} generator;

/* splitmix64 (Steele, Lea and Flood 2014) */
static uint64_t next_bits(generator *g) {
    uint64_t z = g->state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

static double uniform(generator *g, double low, double high) {
    return low + (high - low) * (double)(next_bits(g) >> 11) * 0x1p-53;
}

/* The sum of four uniform numbers, variance 1: near enough to normal, and the same on every libm. */
static double noise(generator *g) {
    double sum = 0;
    for (int i = 0; i < 4; i++) sum += uniform(g, -1, 1);
    return sum * 0.8660254037844386;
}

static double pink_noise(generator *g, int signal) {
    static const double pole[4] = {0.995, 0.97, 0.85, 0.4}, gain[4] = {0.14, 0.20, 0.28, 0.30};
    double white = noise(g), sum = 0;
    for (int i = 0; i < 4; i++) {
        double *p = &g->pink[signal][i];
        *p = pole[i] * *p + white * gain[i];
        sum += *p;
    }
    return sum;
}

typedef double epoch_buffer[N_SIGNALS][EPOCH];

/* Adds peak * shape over [start, start + duration) to the signals, weighted. shape gets 0..1 and the time in s. */
typedef double shape_function(double phase, double time_s, double hz);
static void add_event(epoch_buffer x, const double weights[N_SIGNALS], double start_s, double duration_s, double peak,
                      shape_function *shape, double hz) {
    int first = (int)(start_s * RATE), n = (int)(duration_s * RATE);
    for (int i = 0; i < n && first + i < EPOCH; i++) {
        double value = peak * shape((double)i / n, (double)i / RATE, hz);
        for (int s = 0; s < N_SIGNALS; s++) x[s][first + i] += weights[s] * value;
    }
}

static double wave_packet(double phase, double time_s, double hz) {
    double envelope = sin(pi * phase);
    return envelope * envelope * sin(2 * pi * hz * time_s);
}
static double hump(double phase, double time_s, double hz) {
    (void)time_s, (void)hz;
    return sin(pi * phase) * sin(pi * phase);
}
static double eye_jump(double phase, double time_s, double hz) {
    (void)time_s, (void)hz;
    return phase < 0.12 ? phase / 0.12 : exp(-3.5 * (phase - 0.12)) * (1 - phase); /* fast there, slow back */
}
static double k_complex(double phase, double time_s, double hz) {
    (void)time_s, (void)hz;
    return phase < 0.35 ? -sin(pi * phase / 0.35) : 0.65 * sin(pi * (phase - 0.35) / 0.65);
}
static double sawtooth(double phase, double time_s, double hz) {
    double cycle = time_s * hz - floor(time_s * hz);
    return sin(pi * phase) * (1 - 2 * cycle);
}

/* EEG sites see events by where they arise; the eyes move against each other, and see frontal waves in phase. */
static const double frontal[N_SIGNALS] = {1, 0.75, 0.4, 0.35, 0.35, 0},
                    central[N_SIGNALS] = {0.7, 1, 0.35, 0.1, 0.1, 0},
                    occipital[N_SIGNALS] = {0.25, 0.45, 1, 0.1, 0.1, 0}, eyes[N_SIGNALS] = {0.08, 0.03, 0, 1, -1, 0},
                    diffuse[N_SIGNALS] = {0.8, 1, 0.8, 0.3, 0.3, 0};

/* `rate` events per epoch on average, at random times. */
static void scatter(generator *g, epoch_buffer x, double rate, const double weights[N_SIGNALS], double min_s,
                    double max_s, double min_uv, double max_uv, shape_function *shape, double min_hz, double max_hz,
                    bool any_sign) {
    int n = (int)(rate + uniform(g, 0, 1));
    for (int i = 0; i < n; i++) {
        double duration = uniform(g, min_s, max_s), start = uniform(g, 0, EPOCH_S - duration);
        double peak = uniform(g, min_uv, max_uv), hz = uniform(g, min_hz, max_hz);
        if (uniform(g, 0, 1) < 0.5 && any_sign) peak = -peak;
        add_event(x, weights, start, duration, peak, shape, hz);
    }
}

static void make_epoch(generator *g, int stage, epoch_buffer x) {
    const stage_sound *s = &sounds[stage];
    for (int c = 0; c < N_SIGNALS; c++) {
        for (int i = 0; i < EPOCH; i++) {
            double white = noise(g); /* muscle: noise without its low frequencies */
            x[c][i] = c == CHIN ? s->chin * 0.7 * (white - g->last_white[c]) : s->background * pink_noise(g, c);
            g->last_white[c] = white;
        }
    }
    scatter(g, x, s->alpha > 0 ? 26 : 0, occipital, 1, 3.5, 0.5 * s->alpha, s->alpha, wave_packet, 9, 11, true);
    scatter(g, x, s->theta > 0 ? 24 : 0, diffuse, 0.8, 2.5, 0.5 * s->theta, s->theta, wave_packet, 4.2, 7, true);
    scatter(g, x, s->slow_wave > 0 ? 22 : 0, frontal, 1.5, 4, 0.5 * s->slow_wave, s->slow_wave, wave_packet, 0.7, 1.6,
            true);
    scatter(g, x, s->blinks, (const double[N_SIGNALS]){0.4, 0.1, 0, 1, 0.9, 0}, 0.25, 0.45, 90, 160, hump, 0, 0, false);
    scatter(g, x, s->slow_eyes * 5, eyes, 2, 4, 40, 80, hump, 0, 0, true);
    scatter(g, x, s->spindles, central, 0.6, 1.6, 22, 38, wave_packet, 11.8, 14.2, true);
    scatter(g, x, s->k_complexes, frontal, 0.7, 1.2, 90, 150, k_complex, 0, 0, false);
    scatter(g, x, s->rapid_eyes, eyes, 0.5, 1.1, 70, 150, eye_jump, 0, 0, true);
    scatter(g, x, s->sawtooth, central, 1.5, 3, 20, 32, sawtooth, 2.2, 4, false);
    scatter(g, x, s->vertex, central, 0.2, 0.4, 45, 80, hump, 0, 0, true);
}

/* Stage of an epoch: wake before sleep, then cycles of N1 N2 N3 N2 R with more R and less N3 as the night goes on. */
static int stage_at(int epoch, int n_epochs) {
    int onset = n_epochs < 60 ? n_epochs / 10 : 10, cycle_epochs = n_epochs - onset < 180 ? n_epochs - onset : 180;
    if (epoch < onset || epoch >= n_epochs - onset / 2) return W;
    int cycle = (epoch - onset) / cycle_epochs, at = (epoch - onset) % cycle_epochs;
    double phase = (double)at / cycle_epochs;
    double n3_end = cycle < 2 ? 0.62 - 0.12 * cycle : 0.3, r_begin = 0.86 - 0.06 * (cycle < 3 ? cycle : 3);
    if (cycle > 0 && at < 2) return W; /* a short awakening between cycles */
    if (phase < 0.08) return N1;
    if (phase < 0.3) return N2;
    if (phase < n3_end) return N3;
    return phase < r_begin ? N2 : R;
}

static int open_output(const char *path) {
    int handle = edfopen_file_writeonly_with_params(path, EDFLIB_FILETYPE_EDFPLUS, N_SIGNALS, RATE, 500, "uV");
    if (handle < 0) return handle;
    for (int i = 0; i < N_SIGNALS; i++) {
        edf_set_label(handle, i, labels[i]);
        edf_set_prefilter(handle, i, "none");
        edf_set_transducer(handle, i, "simulated");
    }
    edf_set_startdatetime(handle, 2024, 1, 1, 22, 0, 0);
    edf_set_equipment(handle, "sleepvlm demo-night");
    edf_set_recording_additional(handle, "simulated, not a person");
    return handle;
}

static bool write_epoch(int handle, epoch_buffer x) {
    for (int second = 0; second < EPOCH_S; second++) {
        for (int c = 0; c < N_SIGNALS; c++) {
            double *part = &x[c][second * RATE];
            for (int i = 0; i < RATE; i++) part[i] = fmax(-500, fmin(500, part[i]));
            if (edfwrite_physical_samples(handle, part) != 0) return false;
        }
    }
    return true;
}

static bool write_night(const char *path, double hours, uint64_t seed) {
    static epoch_buffer x;
    generator g = {.state = seed};
    int n_epochs = (int)lround(hours * 3600 / EPOCH_S), handle = open_output(path);
    if (handle < 0) return false;
    bool ok = true;
    for (int e = 0; e < n_epochs && ok; e++) {
        int stage = stage_at(e, n_epochs);
        make_epoch(&g, stage, x);
        /* EDFlib counts annotation times in units of 100 microseconds */
        ok = write_epoch(handle, x) &&
             edfwrite_annotation_utf8(handle, (long long)e * EPOCH_S * 10000, EPOCH_S * 10000, stage_texts[stage]) == 0;
    }
    return edfclose_file(handle) == 0 && ok;
}

static int usage(FILE *stream, int code) {
    fprintf(
        stream,
        "Usage: demo-night [--hours H] [--seed S] [FILE]\n"
        "Writes a simulated night as EDF+ with the stage of each epoch. Defaults: 1 hour, seed 1, demo-night.edf\n");
    return code;
}

int main(int argc, char **argv) {
    static const struct option options[] = {{"hours", required_argument, NULL, 'H'},
                                            {"seed", required_argument, NULL, 's'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    double hours = 1;
    uint64_t seed = 1;
    for (int c; (c = getopt_long(argc, argv, "H:s:h", options, NULL)) != -1;) {
        char *end = "";
        if (c == 'h') return usage(stdout, 0);
        if (c == 'H') hours = strtod(optarg, &end);
        if (c == 's') seed = strtoull(optarg, &end, 10);
        if (c == '?' || *end || end == optarg) return usage(stderr, 2);
    }
    if (argc - optind > 1 || !(hours >= 0.1 && hours <= MAX_HOURS)) return usage(stderr, 2);
    const char *path = optind < argc ? argv[optind] : "demo-night.edf";
    if (!write_night(path, hours, seed)) {
        fprintf(stderr, "demo-night: %s cannot be written: %s\n", path, strerror(errno));
        return 3;
    }
    printf("%s\n", path);
    return 0;
}
