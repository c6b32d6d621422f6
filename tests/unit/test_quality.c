/* test_quality.c - each warning is given for its fault, with its place, and none for a sound recording. */
#include "support/test.h"

#include <math.h>

#include "base/memory.h"
#include "psg/quality_rules.h"

enum { RATE_HZ = 256, WINDOW_S = 30, N_WINDOWS = 24, WINDOW = RATE_HZ * WINDOW_S, N_SAMPLES = WINDOW * N_WINDOWS };

/* A sound recording of 12 minutes, to be spoiled by the cases. */
typedef struct night {
    double *x[SV_N_ROLES]; /* [N_SAMPLES] uV */
    sv_signal signals[SV_N_ROLES];
    sv_segment segments[2];
    sv_recording_info info;
    sv_montage montage;
} night;

static uint32_t seed;

static double noise(void) { /* about normal, sd 1 */
    double sum = 0;
    for (int i = 0; i < 4; i++) {
        seed = seed * 1664525u + 1013904223u;
        sum += seed / 4294967296.0 - 0.5;
    }
    return sum * 1.7320508;
}

/* EEG: noise with the 1/f^2 slope, a common source and a local one; eyes: saccades with opposite signs in every second
 * window; chin: white noise. */
static void simulate(night *n) {
    static const char *const names[] = {"F4-M1", "C4-M1", "O2-M1", "E1-M2", "E2-M2", "Chin1-Chin2"};
    static const double gain[] = {1, 1, 0.8, 0.3, 0.3, 0};
    memset(n, 0, sizeof *n);
    seed = 7;
    double common = 0, local[SV_N_ROLES] = {0}, eye = 0;
    for (int role = 0; role < SV_N_ROLES; role++) {
        n->x[role] = calloc(N_SAMPLES, sizeof(double));
        assert_non_null(n->x[role]);
        n->signals[role] = (sv_signal){.label = (char *)(uintptr_t)names[role],
                                       .unit = "uV",
                                       .uv_per_unit = 1,
                                       .rate_hz = RATE_HZ,
                                       .samples_per_record = RATE_HZ,
                                       .n_samples = N_SAMPLES,
                                       .physical_min = -1000,
                                       .physical_max = 1000,
                                       .digital_min = -32768,
                                       .digital_max = 32767};
        n->montage.roles[role] = (sv_derivation){.present = true, .plus = role, .minus = -1};
        snprintf(n->montage.roles[role].name, sizeof n->montage.roles[role].name, "%s", names[role]);
    }
    n->segments[0] = (sv_segment){.duration_s = N_WINDOWS * WINDOW_S, .n_records = N_WINDOWS * WINDOW_S};
    n->info = (sv_recording_info){.n_signals = SV_N_ROLES,
                                  .signals = n->signals,
                                  .n_segments = 1,
                                  .segments = n->segments,
                                  .record_duration_s = 1,
                                  .n_records = N_WINDOWS * WINDOW_S,
                                  .duration_s = N_WINDOWS * WINDOW_S};
    for (int i = 0; i < N_SAMPLES; i++) {
        common += -0.02 * common + 4 * noise();
        eye *= 1 - 1.0 / (2 * RATE_HZ);
        if (i / WINDOW % 2 && i % 600 == 0) eye = 120 * (noise() > 0 ? 1 : -1);
        for (int role = 0; role < SV_ROLE_CHIN; role++) {
            local[role] += -0.02 * local[role] + 1.5 * noise();
            n->x[role][i] = gain[role] * common + local[role] + 0.5 * noise();
        }
        n->x[SV_ROLE_LOC][i] += eye;
        n->x[SV_ROLE_ROC][i] -= eye;
        n->x[SV_ROLE_CHIN][i] = 8 * noise();
    }
}

static void free_night(night *n) {
    for (int role = 0; role < SV_N_ROLES; role++) free(n->x[role]);
}

static void judge_night(const night *n, sv_quality *q) {
    sv_quality_table t = {.n_windows = N_WINDOWS};
    double onset[N_WINDOWS], duration[N_WINDOWS];
    for (int i = 0; i < N_WINDOWS; i++) {
        onset[i] = i * WINDOW_S;
        duration[i] = WINDOW_S;
    }
    t.onset_s = onset;
    t.duration_s = duration;
    for (int role = 0; role < SV_N_ROLES; role++) {
        if (!n->montage.roles[role].present) continue;
        t.windows[role] = calloc(N_WINDOWS, sizeof(sv_window));
        t.clipped_share[role] = calloc(N_WINDOWS, sizeof(double));
        const sv_signal *s = &n->signals[n->montage.roles[role].plus];
        for (int i = 0; i < N_WINDOWS; i++) {
            const double *x = n->x[role] + i * WINDOW;
            assert_true(sv_window_measure(x, WINDOW, RATE_HZ, &t.windows[role][i]));
            t.clipped_share[role][i] = sv_window_clipped_share(x, WINDOW, fmin(s->physical_min, s->physical_max),
                                                               fmax(s->physical_min, s->physical_max), 2000 / 65535.0);
        }
    }
    sv_error err = {0};
    ASSERT_OK(sv_quality_judge(&n->info, &n->montage, &t, q, &err), err);
    for (int role = 0; role < SV_N_ROLES; role++) {
        free(t.windows[role]);
        free(t.clipped_share[role]);
    }
}

static void add_sine(double *x, int first, int n, double hz, double rms) {
    for (int i = first; i < first + n; i++) x[i] += rms * sqrt(2) * sin(6.283185307179586 * hz * i / RATE_HZ);
}

static void scale(double *x, double factor) {
    for (int i = 0; i < N_SAMPLES; i++) x[i] *= factor;
}

static void clamp(double *x, double limit) {
    for (int i = 0; i < N_SAMPLES; i++) x[i] = fmax(-limit, fmin(limit, x[i]));
}

static void swap(night *n, int a, int b) {
    double *x = n->x[a];
    n->x[a] = n->x[b];
    n->x[b] = x;
}

static void nothing(night *n) { (void)n; }
static void millivolts(night *n) { scale(n->x[SV_ROLE_F4], 1e-3); }
static void volts(night *n) { scale(n->x[SV_ROLE_LOC], 1e-6); }
static void too_large(night *n) {
    scale(n->x[SV_ROLE_C4], 1e3);
    n->signals[SV_ROLE_C4].physical_min = -1e6;
    n->signals[SV_ROLE_C4].physical_max = 1e6;
}
static void wholly_flat(night *n) { scale(n->x[SV_ROLE_O2], 0); }
static void flat_from_the_middle(night *n) {
    memset(n->x[SV_ROLE_C4] + N_SAMPLES / 2, 0, sizeof(double) * N_SAMPLES / 2);
}
static void at_the_limits(night *n) {
    n->signals[SV_ROLE_F4].physical_min = -40;
    n->signals[SV_ROLE_F4].physical_max = 40;
    clamp(n->x[SV_ROLE_F4], 40);
}
static void amplifier_saturates(night *n) { clamp(n->x[SV_ROLE_C4], 30); }
static void mains_50(night *n) { add_sine(n->x[SV_ROLE_F4], 0, N_SAMPLES, 50, 20); }
static void mains_60(night *n) { add_sine(n->x[SV_ROLE_CHIN], 0, N_SAMPLES, 60, 20); }
static void lead_falls_off(night *n) { add_sine(n->x[SV_ROLE_O2], N_SAMPLES / 2, N_SAMPLES / 2, 50, 300); }
static void lead_drifts_wildly(night *n) {
    n->signals[SV_ROLE_F4].physical_min = -5000;
    n->signals[SV_ROLE_F4].physical_max = 5000;
    for (int i = 0; i < 6 * WINDOW; i++) n->x[SV_ROLE_F4][i] += 900 * noise();
}
static void slow_rate(night *n) { n->signals[SV_ROLE_CHIN].rate_hz = 100; }
static void slow_eeg(night *n) { n->signals[SV_ROLE_C4].rate_hz = 64; }
static void upside_down_header(night *n) {
    n->signals[SV_ROLE_C4].physical_min = 1000;
    n->signals[SV_ROLE_C4].physical_max = -1000;
}
static void inverted(night *n) { scale(n->x[SV_ROLE_O2], -1); }
static void inverted_pair(night *n) {
    scale(n->x[SV_ROLE_F4], -1);
    n->montage.roles[SV_ROLE_O2].present = false;
}
static void eyes_and_eeg_swapped(night *n) {
    swap(n, SV_ROLE_F4, SV_ROLE_LOC);
    swap(n, SV_ROLE_C4, SV_ROLE_ROC);
}
static void chin_and_eeg_swapped(night *n) { swap(n, SV_ROLE_O2, SV_ROLE_CHIN); }
static void electrode_in_the_air(night *n) {
    for (int i = 0; i < N_SAMPLES; i++) n->x[SV_ROLE_F4][i] = 20 * noise();
}
static void envelope(night *n) {
    for (int i = 0; i < N_SAMPLES; i++) n->x[SV_ROLE_CHIN][i] = fabs(n->x[SV_ROLE_CHIN][i]);
}
static void same_signal(night *n) { memcpy(n->x[SV_ROLE_C4], n->x[SV_ROLE_F4], sizeof(double) * N_SAMPLES); }
static void gap(night *n) {
    n->segments[0].duration_s = 300;
    n->segments[1] = (sv_segment){.start_s = 345, .duration_s = 420};
    n->info.n_segments = 2;
}

static void assert_near(double found, double expected, double tolerance) {
    if (!(fabs(found - expected) <= tolerance)) fail_msg("found %.9g, expected %.9g +- %g", found, expected, tolerance);
}

typedef struct fault {
    const char *name;
    void (*spoil)(night *);
    int role;
    sv_quality_kind kind;
    double onset_s, duration_s;
    const char *part; /* of the warning's text; NULL: no warning at all */
    double mains_hz;
} fault;

static const fault faults[] = {
    {"sound", nothing, 0, 0, 0, 0, NULL, 0},
    {"mV labelled uV", millivolts, SV_ROLE_F4, SV_QUALITY_GAIN, 0, 0, "1000 times as large", 0},
    {"V labelled uV", volts, SV_ROLE_LOC, SV_QUALITY_GAIN, 0, 0, "1e+06 times as large", 0},
    {"uV labelled mV", too_large, SV_ROLE_C4, SV_QUALITY_GAIN, 0, 0, "0.001 times as large", 0},
    {"wholly flat", wholly_flat, SV_ROLE_O2, SV_QUALITY_FLAT, 0, 0, "100 %", 0},
    {"flat from the middle", flat_from_the_middle, SV_ROLE_C4, SV_QUALITY_FLAT, 360, 360, "50 %", 0},
    {"at the limits", at_the_limits, SV_ROLE_F4, SV_QUALITY_CLIPPED, 0, 0, "of 24 windows", 0},
    {"plateaus inside the limits", amplifier_saturates, SV_ROLE_C4, SV_QUALITY_CLIPPED, 0, 0, "clipped", 0},
    {"mains 50", mains_50, SV_ROLE_F4, SV_QUALITY_MAINS, 0, 0, "20 uV (rms) of 50 Hz", 50},
    {"mains 60", mains_60, SV_ROLE_CHIN, SV_QUALITY_MAINS, 0, 0, "20 uV (rms) of 60 Hz", 60},
    {"lead off by mains", lead_falls_off, SV_ROLE_O2, SV_QUALITY_LEAD_OFF, 360, 360, "12 of 24 windows", 50},
    {"lead off by amplitude", lead_drifts_wildly, SV_ROLE_F4, SV_QUALITY_LEAD_OFF, 0, 180, "6 of 24 windows", 0},
    {"EMG at 100 Hz", slow_rate, SV_ROLE_CHIN, SV_QUALITY_RATE_LOW, 0, 0, "nothing above 50 Hz", 0},
    {"EEG at 64 Hz", slow_eeg, SV_ROLE_C4, SV_QUALITY_RATE_LOW, 0, 0, "nothing above 32 Hz", 0},
    {"header upside down", upside_down_header, SV_ROLE_C4, SV_QUALITY_POLARITY, 0, 0, "upside down", 0},
    {"O2 inverted", inverted, SV_ROLE_O2, SV_QUALITY_POLARITY, 0, 0, "seems inverted", 0},
    {"F4 or C4 inverted", inverted_pair, SV_ROLE_F4, SV_QUALITY_POLARITY, 0, 0, "F4 and C4 run against", 0},
    {"eyes swapped with EEG", eyes_and_eeg_swapped, SV_ROLE_F4, SV_QUALITY_SWAPPED, 0, 0, "F4 and C4 move in opp", 0},
    {"chin swapped with EEG", chin_and_eeg_swapped, SV_ROLE_O2, SV_QUALITY_SWAPPED, 0, 0, "spectrum of a muscle", 0},
    {"noise", electrode_in_the_air, SV_ROLE_F4, SV_QUALITY_LEAD_OFF, 0, 0, "spectrum of noise", 0},
    {"envelope", envelope, SV_ROLE_CHIN, SV_QUALITY_OTHER, 0, 0, "envelope", 0},
    {"one signal twice", same_signal, SV_ROLE_C4, SV_QUALITY_OTHER, 0, 0, "same signal", 0},
    {"gap", gap, -1, SV_QUALITY_GAP, 300, 45, "1 gap, 45 s", 0},
};

static void each_fault_is_named_alone(void **state) {
    (void)state;
    for (size_t i = 0; i < SV_COUNT(faults); i++) {
        const fault *f = &faults[i];
        night n;
        sv_quality q;
        simulate(&n);
        f->spoil(&n);
        judge_night(&n, &q);
        int n_expected = f->part ? 1 : 0;
        if (q.n_warnings != n_expected) {
            for (int k = 0; k < q.n_warnings; k++) print_message("  %s\n", q.warnings[k].text);
            fail_msg("%s: %d warnings, expected %d", f->name, q.n_warnings, n_expected);
        }
        if (q.mains_hz != f->mains_hz) fail_msg("%s: mains at %g Hz", f->name, q.mains_hz);
        if (f->part) {
            const sv_quality_warning *w = &q.warnings[0];
            if (w->kind != f->kind || w->role != f->role || !strstr(w->text, f->part) || w->onset_s != f->onset_s ||
                w->duration_s != f->duration_s || w->text[strlen(w->text) - 1] != '.') {
                fail_msg("%s: kind %d, role %d, at %g for %g: %s", f->name, (int)w->kind, w->role, w->onset_s,
                         w->duration_s, w->text);
            }
        }
        sv_quality_free(&q);
        free_night(&n);
    }
}

static void measures_of_a_sine_are_exact(void **state) {
    (void)state;
    static const double rates[] = {128, 200, 256, 500, 1000, 2000};
    for (size_t k = 0; k < SV_COUNT(rates); k++) {
        size_t n = (size_t)(rates[k] * 30);
        double *x = calloc(n, sizeof *x);
        assert_non_null(x);
        for (size_t i = 0; i < n; i++) {
            double t = (double)i / rates[k];
            x[i] = 10 + 30 * sqrt(2) * sin(6.283185307179586 * 50 * t) + 40 * sin(6.283185307179586 * t);
        }
        sv_window w;
        assert_true(sv_window_measure(x, n, rates[k], &w));
        assert_near(w.mean_uv, 10, 1e-6);
        assert_near(w.rms_uv, sqrt(900 + 800), 1e-6);
        assert_near(w.amplitude_uv, sqrt(900 + 800), 1e-6);
        assert_near(w.line_uv[0], 30, 30 * 0.09); /* averaging down to 250 Hz takes 6.5 % off at 50 Hz */
        assert_true(w.line_ratio[0] > 1000);
        assert_int_equal(w.n_seconds, 30);
        assert_int_equal(w.n_flat_seconds, 0);
        assert_int_equal(w.n_slow, 300);
        assert_near(w.slow_rms_uv, 40 / sqrt(2), 3);
        free(x);
    }
}

static void lines_above_the_band_are_unknown(void **state) {
    (void)state;
    double x[3000];
    seed = 3;
    for (size_t i = 0; i < SV_COUNT(x); i++) x[i] = noise();
    sv_window w;
    assert_true(sv_window_measure(x, SV_COUNT(x), 100, &w));
    assert_true(isnan(w.line_uv[0]) && isnan(w.line_ratio[1]) && !isnan(w.fast_ratio));
    assert_true(sv_window_measure(x, 30, 1, &w)); /* one sample a second: nothing but the rms is known */
    assert_int_equal(w.n_seconds, 0);
    assert_true(isnan(w.fast_ratio));
    assert_true(sv_window_measure(x, 2, 2000, &w));
    assert_int_equal(w.n_slow, 0);
}

static void white_noise_has_no_line(void **state) {
    (void)state;
    enum { N = 7680 };
    static double x[N];
    double worst = 0;
    seed = 11;
    for (int k = 0; k < 50; k++) {
        for (int i = 0; i < N; i++) x[i] = 10 * noise();
        sv_window w;
        assert_true(sv_window_measure(x, N, 256, &w));
        worst = fmax(worst, fmax(w.line_ratio[0], w.line_ratio[1]));
    }
    assert_in_range((int)(100 * worst), 100, 400); /* half of the limit of 8 even in the worst window */
}

static void clipping_needs_plateaus(void **state) {
    (void)state;
    enum { N = 1000 };
    double x[N];
    for (int i = 0; i < N; i++) x[i] = 100 * sin(i * 0.05);
    assert_true(sv_window_clipped_share(x, N, -1000, 1000, 0.03) == 0);
    for (int i = 0; i < N; i++) x[i] = fmin(x[i], 80);
    double share = sv_window_clipped_share(x, N, -1000, 1000, 0.03);
    assert_near(share, 0.205, 0.02); /* acos(0.8) / pi */
    assert_near(sv_window_clipped_share(x, N, -1000, 80, 0.03), share, 1e-9);
    for (int i = 0; i < N; i++) x[i] = floor(3 * sin(i * 0.05)); /* coarse, not clipped */
    assert_true(sv_window_clipped_share(x, N, -1000, 1000, 1) == 0);
    for (int i = 0; i < N; i++) x[i] = 5;
    assert_true(sv_window_clipped_share(x, N, -5, 5, 0.1) == 0);
}

static void correlation_has_a_sign(void **state) {
    (void)state;
    double x[3000], y[3000];
    seed = 5;
    double level = 0;
    for (int i = 0; i < 3000; i++) {
        level += -0.05 * level + noise();
        x[i] = level;
        y[i] = -2 * level;
    }
    sv_window a, b;
    assert_true(sv_window_measure(x, 3000, 100, &a) && sv_window_measure(y, 3000, 100, &b));
    assert_near(sv_window_correlation(&a, &a), 1, 1e-6);
    assert_near(sv_window_correlation(&a, &b), -1, 1e-6);
    memset(x, 0, sizeof x);
    assert_true(sv_window_measure(x, 3000, 100, &b));
    assert_true(isnan(sv_window_correlation(&a, &b)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_fault_is_named_alone),        cmocka_unit_test(measures_of_a_sine_are_exact),
        cmocka_unit_test(lines_above_the_band_are_unknown), cmocka_unit_test(white_noise_has_no_line),
        cmocka_unit_test(clipping_needs_plateaus),          cmocka_unit_test(correlation_has_a_sign)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
