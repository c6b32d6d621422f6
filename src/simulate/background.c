/* background.c - the EEG and EOG without discrete events: templates of the spectrum by state and depth, mixed in
 * decibels, drifting band by band (nano-recipe S2). */
#include <math.h>

#include "base/memory.h"
#include "simulate/noise.h"

enum { KNOTS = 28 };
static const double knot_hz[KNOTS] = {0,  .3, .5, 1,  1.5, 2,  3,  4,  5,  6,  7,  8,  9,  10,
                                      11, 12, 13, 14, 15,  16, 18, 20, 25, 30, 35, 40, 45, 50};

/* Power density at C4, dB re 1 uV^2/Hz. */
static const double knot_db[SV_N_TEXTURES][KNOTS] = {
    [SV_TEXTURE_W_OPEN] = {8,   17,  16.5, 13, 10, 8,   6.5, 5.5,  4.8,  4.2,  3.6,  3.2,  3,  2.6,
                           2.2, 1.6, 1,    .6, .2, -.2, -.9, -1.4, -2.6, -3.6, -4.5, -5.3, -6, -7},
    [SV_TEXTURE_W_CLOSED] = {8,   15,  14.5, 12, 9.2, 7.5, 6.2,  5.3,  4.8,  4.4, 4,    3.8,  3.6,  3.2,
                             2.6, 1.8, 1,    .5, 0,   -.5, -1.4, -2.2, -4.2, -6,  -7.5, -8.5, -9.5, -10},
    [SV_TEXTURE_N1] = {8, 17.5, 18.3, 16.8, 13.5, 11.8, 10.3, 8.7,  7.3,  6.3,  5.2, 4.8,   4.6,   4.2,
                       3, 1.6,  .8,   -.2,  -.8,  -1.4, -2.6, -3.6, -6.2, -8.2, -10, -11.2, -12.2, -13},
    [SV_TEXTURE_LIGHT] = {8,   17.5, 18.7, 18.6, 16.6, 15.3, 13.6, 11.7, 10,   8.6, 7.4,   6.2,   5.2,   4.2,
                          3.2, 2.4,  1.9,  1.2,  -.4,  -2,   -4.6, -6.2, -9.6, -12, -13.6, -14.6, -15.4, -16},
    [SV_TEXTURE_DEEP] = {10,  18.5, 21.5, 22.5, 20.6, 19,   16.3, 13.4, 11.2,  9.6,   8.6,   7.6,   6.9,   6.2,
                         5.3, 4.2,  3.4,  2.4,  0,    -2.6, -5.6, -7.6, -10.6, -13.2, -14.6, -15.6, -16.4, -17},
    [SV_TEXTURE_R] = {8,   14, 13.8, 12,   10.2, 9.4,  8.9, 8,    7.2, 6.2,  4.8, 4.3,   4.3,   4,
                      2.4, .6, -.8,  -1.4, -1.6, -2.2, -3,  -3.6, -6,  -8.4, -10, -11.2, -12.2, -13}};

static const double band_hz[SV_SIM_BANDS] = {1, 3, 6, 10, 13.5, 20, 32};
static const double channel_db[SV_SIM_HEAD_ROLES][SV_SIM_BANDS] = {{1.2, .6, .2, 0, -.4, .2, .4},
                                                                   {0, 0, 0, 0, 0, 0, 0},
                                                                   {-3.2, -2.6, -1.4, .2, -2, -.6, -.3},
                                                                   {.6, -.4, -1, -1.5, -2.5, 0, 1.5},
                                                                   {.6, -.4, -1, -1.5, -2.5, 0, 1.5}};
/* Share of the amplitude that channels have in common, up to 4 Hz and from 30 Hz on. */
static const double common_low[SV_SIM_HEAD_ROLES] = {.86, .9, .7, .78, .78},
                    common_high[SV_SIM_HEAD_ROLES] = {.6, .7, .5, .35, .35};

static double interpolate(double at, const double *x, const double *y, int n) {
    if (at <= x[0]) return y[0];
    for (int i = 1; i < n; i++) {
        if (at < x[i]) return y[i - 1] + (y[i] - y[i - 1]) * (at - x[i - 1]) / (x[i] - x[i - 1]);
    }
    return y[n - 1];
}

/* Linear bump of a band: 1 at its centre, 0 at the neighbours' centres, level beyond the first and the last. */
static double bump(double hz, int band) {
    double unit[SV_SIM_BANDS] = {0};
    unit[band] = 1;
    return interpolate(hz, band_hz, unit, SV_SIM_BANDS);
}

static double dot(const double *a, const double *b) {
    double sum = 0;
    for (int i = 0; i < SV_SIM_BANDS; i++) sum += a[i] * b[i];
    return sum;
}

/* What does not change during the night, line by line. */
typedef struct line {
    double bumps[SV_SIM_BANDS];
    double texture_db[SV_N_TEXTURES];
    double channel_sd[SV_SIM_HEAD_ROLES]; /* of a part of a line at 0 dB */
    double common[SV_SIM_HEAD_ROLES];
} line;

static double slow_wave_db(const sv_sim_subject *s, int texture, double hz) {
    double slow = fmin(fmax((8 - hz) / 4, 0), 1), db = 20 * log10(s->slow_wave_gain) * slow;
    return texture == SV_TEXTURE_DEEP ? db : texture == SV_TEXTURE_LIGHT ? 0.3 * db : 0;
}

static void fill_line(const sv_studio *studio, int index, line *out) {
    const sv_sim_subject *s = studio->subject;
    double hz = index * SV_LINE_HZ;
    for (int b = 0; b < SV_SIM_BANDS; b++) out->bumps[b] = bump(hz, b);
    for (int t = 0; t < SV_N_TEXTURES; t++) {
        out->texture_db[t] = interpolate(hz, knot_hz, knot_db[t], KNOTS) + s->tilt_db * (log2(hz + 0.5) - 3) +
                             dot(s->band_db, out->bumps) + dot(s->texture_band_db[t], out->bumps) +
                             slow_wave_db(s, t, hz);
    }
    for (int c = 0; c < SV_SIM_HEAD_ROLES; c++) {
        double db = dot(channel_db[c], out->bumps) + dot(s->channel_band_db[c], out->bumps);
        double gain = c >= SV_ROLE_LOC ? s->eog_share[c - SV_ROLE_LOC] : 1;
        double slope = fmin(fmax((hz - 4) / 26, 0), 1);
        double common = common_low[c] + slope * (common_high[c] - common_low[c]) + s->coherence;
        out->channel_sd[c] = gain * pow(10, db / 20) * sv_noise_line_sd(1, studio->rate_hz);
        out->common[c] = fmin(fmax(common, 0), 0.97);
    }
}

/* Drift of each band in dB, frame by frame: Ornstein-Uhlenbeck, and the waxing and waning of NREM sleep. */
static sv_status make_drift(const sv_studio *studio, sv_draw *d, int n_frames, float *drift[SV_SIM_BANDS],
                            sv_error *err) {
    static const double sd[SV_SIM_BANDS] = {1.6, 1.4, 1.5, 1.8, 1.8, 1.2, 1.2};
    static const double share[SV_SIM_BANDS] = {.7, .6, .3};
    float *cap = sv_calloc((size_t)n_frames, sizeof *cap);
    if (!cap) return sv_fail_memory(err, "drift of the spectrum", (size_t)n_frames * sizeof *cap);
    sv_draw_wander(d, 4, studio->subject->cap_db, cap, (size_t)n_frames);
    for (int b = 0; b < SV_SIM_BANDS; b++) {
        sv_draw_wander(d, b == 0 ? 5 : 4, sd[b], drift[b], (size_t)n_frames);
        for (int k = 0; k < n_frames; k++) {
            signed char state = studio->course->state[SV_MIN(k * SV_HOP_S, studio->n_s - 1)];
            if (state >= 1 && state <= 3) drift[b][k] += (float)share[b] * cap[k];
        }
    }
    free(cap);
    return SV_OK;
}

/* The amplitude of every line at this frame, as a factor. */
static void frame_amplitudes(const sv_studio *studio, const line *lines, int n_lines, int k,
                             float *const drift[SV_SIM_BANDS], double *out) {
    int t = SV_MIN(k * SV_HOP_S, studio->n_s - 1);
    double weight[SV_N_TEXTURES], shift[SV_SIM_BANDS];
    for (int i = 0; i < SV_N_TEXTURES; i++) weight[i] = (double)studio->course->texture[i][t];
    for (int b = 0; b < SV_SIM_BANDS; b++) shift[b] = (double)drift[b][k];
    for (int i = 0; i < n_lines; i++) {
        double db = dot(shift, lines[i].bumps);
        for (int w = 0; w < SV_N_TEXTURES; w++) db += weight[w] * lines[i].texture_db[w];
        out[i] = exp(db * 0.11512925464970229); /* 10^(db/20) */
    }
}

static void draw_lines(sv_draw *d, double *out, int n_lines) {
    for (int i = 0; i < 2 * n_lines; i++) out[i] = sv_draw_normal(d, 0, 1);
}

typedef struct work {
    int n_lines, n_frames;
    line *lines;
    double *amplitude, *brain, *eyes, *own; /* eyes: common to both EOG channels */
    float *drift[SV_SIM_BANDS];
    sv_noise noise;
} work;

static void close_work(work *w) {
    free(w->lines);
    free(w->amplitude);
    free(w->brain);
    free(w->eyes);
    free(w->own);
    for (int b = 0; b < SV_SIM_BANDS; b++) free(w->drift[b]);
    sv_noise_close(&w->noise);
}

static sv_status open_work(const sv_studio *studio, work *w, sv_error *err) {
    *w = (work){.n_lines = sv_noise_n_lines(studio->rate_hz), .n_frames = sv_noise_n_frames(studio->n_s)};
    size_t n = (size_t)w->n_lines;
    sv_status s = sv_noise_open(studio->rate_hz, &w->noise, err);
    if (s) return s;
    w->lines = sv_calloc(n, sizeof *w->lines);
    w->amplitude = sv_calloc(n, sizeof(double));
    w->brain = sv_calloc(n, 2 * sizeof(double));
    w->eyes = sv_calloc(n, 2 * sizeof(double));
    w->own = sv_calloc(n, 2 * sizeof(double));
    bool ok = w->lines && w->amplitude && w->brain && w->eyes && w->own;
    for (int b = 0; b < SV_SIM_BANDS && ok; b++) {
        ok = (w->drift[b] = sv_calloc((size_t)w->n_frames, sizeof(float))) != NULL;
    }
    if (!ok) return sv_fail_memory(err, "background", n * sizeof *w->lines);
    for (int i = 0; i < w->n_lines; i++) fill_line(studio, i, &w->lines[i]);
    return SV_OK;
}

static sv_status make_frame(sv_studio *studio, work *w, sv_draw *d, int k, sv_error *err) {
    const double from_brain = sqrt(0.75), from_eyes = sqrt(0.25);
    sv_status s = SV_OK;
    frame_amplitudes(studio, w->lines, w->n_lines, k, w->drift, w->amplitude);
    draw_lines(d, w->brain, w->n_lines);
    draw_lines(d, w->eyes, w->n_lines);
    for (int c = 0; c < SV_SIM_HEAD_ROLES && !s; c++) {
        bool eog = c >= SV_ROLE_LOC;
        draw_lines(d, w->own, w->n_lines);
        for (int i = 0; i < 2 * w->n_lines; i++) {
            const line *l = &w->lines[i / 2];
            double shared = eog ? from_brain * w->brain[i] + from_eyes * w->eyes[i] : w->brain[i];
            double mixed = l->common[c] * shared + sqrt(1 - l->common[c] * l->common[c]) * w->own[i];
            w->noise.lines[i] = l->channel_sd[c] * w->amplitude[i / 2] * mixed;
        }
        s = sv_noise_frame(&w->noise, k, studio->x[c], studio->n, err);
    }
    return s;
}

sv_status sv_studio_background(sv_studio *studio, sv_error *err) {
    work w;
    sv_draw d = sv_draw_stream(studio->seed, SV_DRAW_BACKGROUND);
    sv_status s = open_work(studio, &w, err);
    if (!s) s = make_drift(studio, &d, w.n_frames, w.drift, err);
    for (int k = 0; k < w.n_frames && !s; k++) s = make_frame(studio, &w, &d, k, err);
    close_work(&w);
    return s;
}
