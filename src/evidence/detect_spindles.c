/*
 * detect_spindles.c - sleep spindles by four features of short windows (A7; Lacourse, Delfrate, Beaudry, Peppard, Warby:
 * "A sleep spindle detection algorithm that emulates human expert spindle scoring", J Neurosci Methods 2018): absolute
 * and relative sigma power, and covariance and correlation of sigma with the broad band. All four must exceed their
 * limits at once, and the surroundings must look like NREM sleep.
 */
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "evidence/detectors.h"
#include "evidence/eeg.h"

/* Features of one channel every spindle_step_s. */
typedef struct features {
    size_t n, step, window; /* samples a step and a window */
    float *absolute;        /* log10 uV^2 of sigma */
    float *relative;        /* log10 share of sigma; then as a deviation from the surroundings */
    float *covariance;      /* log10 uV^2; then likewise */
    float *correlation;
} features;

/* Replaces x [n] by its distance from the mean of the surroundings, in their standard deviations. */
static void standardise(float *x, size_t n, size_t reach, double *sums) {
    double *squares = sums + n + 1;
    sums[0] = squares[0] = 0;
    for (size_t i = 0; i < n; i++) {
        sums[i + 1] = sums[i] + (double)x[i];
        squares[i + 1] = squares[i] + (double)x[i] * (double)x[i];
    }
    for (size_t i = 0; i < n; i++) {
        size_t from = i > reach ? i - reach : 0, to = SV_MIN(n, i + reach + 1);
        double count = (double)(to - from), mean = (sums[to] - sums[from]) / count;
        double variance = (squares[to] - squares[from]) / count - mean * mean;
        x[i] = variance > 1e-9 ? (float)(((double)x[i] - mean) / sqrt(variance)) : 0;
    }
}

static void features_of_window(const double *x, const float *sigma, const float *broad, size_t n, features *f,
                               size_t at) {
    double mean = 0, sigma_mean = 0, xx = 0, ss = 0, xs = 0, broad_power = 0;
    for (size_t i = 0; i < n; i++) {
        mean += x[i];
        sigma_mean += (double)sigma[i];
    }
    mean /= (double)n;
    sigma_mean /= (double)n;
    for (size_t i = 0; i < n; i++) {
        double a = x[i] - mean, b = (double)sigma[i] - sigma_mean;
        xx += a * a;
        ss += b * b;
        xs += a * b;
        broad_power += (double)broad[i] * (double)broad[i];
    }
    double least = 1e-4; /* uV^2, below any noise: keeps the logarithms finite in a flat signal */
    double sigma_power = ss / (double)n + least, covariance = fmax(xs / (double)n, 0) + least;
    f->absolute[at] = (float)log10(sigma_power);
    f->relative[at] = (float)log10(sigma_power / (broad_power / (double)n + least));
    f->covariance[at] = (float)log10(covariance);
    f->correlation[at] = xx > least && ss > least ? (float)(xs / sqrt(xx * ss)) : 0;
}

static void features_free(features *f) {
    free(f->absolute);
    free(f->relative);
    free(f->covariance);
    free(f->correlation);
}

static sv_status features_new(const sv_signals *signals, sv_role role, const float *sigma, const float *broad,
                              features *f, sv_error *err) {
    *f = (features){.step = (size_t)(SV_P_spindle_step_s * SV_NIGHT_RATE_HZ),
                    .window = (size_t)(SV_P_spindle_window_s * SV_NIGHT_RATE_HZ)};
    f->n = signals->n / f->step;
    f->absolute = sv_calloc(f->n, sizeof(float));
    f->relative = sv_calloc(f->n, sizeof(float));
    f->covariance = sv_calloc(f->n, sizeof(float));
    f->correlation = sv_calloc(f->n, sizeof(float));
    double *sums = sv_calloc(2 * (f->n + 1), sizeof *sums);
    if (!f->absolute || !f->relative || !f->covariance || !f->correlation || !sums) {
        free(sums);
        return sv_fail_memory(err, "spindle features", f->n * 4 * sizeof(float));
    }
    const double *x = signals->night->samples[role];
    for (size_t k = 0; k < f->n; k++) { /* the window around the middle of the step */
        size_t middle = k * f->step + f->step / 2, from = middle > f->window / 2 ? middle - f->window / 2 : 0;
        from = SV_MIN(from, signals->n - f->window);
        features_of_window(x + from, sigma + from, broad + from, f->window, f, k);
    }
    size_t reach = (size_t)(SV_P_spindle_baseline_s / SV_P_spindle_step_s / 2);
    standardise(f->relative, f->n, reach, sums);
    standardise(f->covariance, f->n, reach, sums);
    free(sums);
    return SV_OK;
}

static bool is_core(const features *f, size_t k) {
    return (double)f->absolute[k] > SV_P_spindle_absolute && (double)f->relative[k] > SV_P_spindle_relative &&
           (double)f->covariance[k] > SV_P_spindle_covariance && (double)f->correlation[k] > SV_P_spindle_correlation;
}

/* A core grows to where the sigma amplitude has fallen to a share of its peak. */
static void grow(const float *envelope, size_t n, size_t *from, size_t *to) {
    float peak = 0;
    for (size_t i = *from; i < *to; i++) peak = SV_MAX(peak, envelope[i]);
    float limit = peak * (float)SV_P_spindle_edge;
    while (*from > 0 && envelope[*from - 1] > limit) (*from)--;
    while (*to < n && envelope[*to] > limit) (*to)++;
    while (*from < *to && envelope[*from] < limit) (*from)++;
    while (*to > *from && envelope[*to - 1] < limit) (*to)--;
}

typedef struct channel {
    sv_role role;
    float *sigma, *broad, *envelope;
    float *slow, *fast, *alpha, *spindle; /* [n_s] powers for the context */
    unsigned char *bad;
} channel;

/* NREM context by the ratio of slow to fast power, and not a burst of alpha, whose flank reaches into sigma. */
static bool context_allows(const channel *c, size_t from, size_t to, int n_s) {
    int second = SV_MIN((int)((from + to) / 2 / SV_NIGHT_RATE_HZ), n_s - 1);
    if (c->bad[second]) return false;
    if ((double)c->slow[second] < pow(10, SV_P_spindle_slow_ratio) * (double)c->fast[second]) return false;
    return (double)c->alpha[second] < SV_P_spindle_alpha_ratio * (double)c->spindle[second];
}

static sv_status find_in_channel(const sv_signals *signals, const channel *c, const features *f, sv_events *found,
                                 sv_error *err) {
    size_t gap = (size_t)(SV_P_spindle_gap_s / SV_P_spindle_step_s + 0.5), done = 0;
    for (size_t k = 0; k < f->n; k++) {
        if (!is_core(f, k)) continue;
        size_t last = k;
        for (size_t j = k + 1; j < f->n && j <= last + gap; j++) {
            if (is_core(f, j)) last = j;
        }
        size_t from = SV_MAX(k * f->step, done), to = SV_MIN((last + 1) * f->step, signals->n);
        k = last;
        if (to <= from) continue;
        grow(c->envelope, signals->n, &from, &to);
        from = SV_MAX(from, done);
        double duration_s = to > from ? (double)(to - from) / SV_NIGHT_RATE_HZ : 0;
        if (duration_s < SV_P_spindle_min_s || duration_s > SV_P_spindle_max_s) continue;
        double hz = sv_eeg_frequency(c->sigma, from, to);
        if (!(hz >= SV_P_spindle_low_hz && hz <= SV_P_spindle_high_hz)) continue;
        if (!context_allows(c, from, to, signals->n_s)) continue;
        done = to;
        sv_event event = {.kind = SV_EVENT_SPINDLE,
                          .roles = sv_role_bit(c->role),
                          .onset_s = (double)from / SV_NIGHT_RATE_HZ,
                          .duration_s = duration_s,
                          .frequency_hz = hz,
                          .amplitude_uv = sv_eeg_range(c->sigma, from, to)};
        sv_status s = sv_events_add(found, &event, err);
        if (s) return s;
    }
    return SV_OK;
}

static void channel_free(channel *c) {
    free(c->sigma);
    free(c->broad);
    free(c->envelope);
    free(c->slow);
    free(c->bad);
}

static sv_status channel_new(const sv_signals *signals, sv_role role, channel *c, sv_error *err) {
    size_t n_s = (size_t)signals->n_s;
    *c = (channel){.role = role};
    c->sigma = sv_eeg_band(signals, role, SV_P_spindle_low_hz, SV_P_spindle_high_hz, err);
    c->broad = c->sigma ? sv_eeg_band(signals, role, 4.5, 30, err) : NULL;
    if (!c->broad) return SV_ERR_MEMORY;
    c->envelope = sv_calloc(signals->n, sizeof(float));
    c->slow = sv_calloc(4 * n_s, sizeof(float));
    c->bad = sv_calloc(n_s, 1);
    if (!c->envelope || !c->slow || !c->bad) return sv_fail_memory(err, "spindle context", signals->n);
    c->fast = c->slow + n_s;
    c->alpha = c->fast + n_s;
    c->spindle = c->alpha + n_s;
    sv_moving_rms(c->sigma, signals->n, (size_t)(SV_P_spindle_window_s * SV_NIGHT_RATE_HZ), c->envelope);
    int reach = (int)(SV_P_spindle_baseline_s / 2);
    sv_eeg_power_around(signals, role, 0.5, 8, reach, c->slow);
    sv_eeg_power_around(signals, role, 16, 30, reach, c->fast);
    sv_eeg_power_around(signals, role, 8, 11, 0, c->alpha);
    sv_eeg_power_around(signals, role, 11, 16, 0, c->spindle);
    return sv_eeg_mark_bad(signals, role, c->bad, err);
}

static sv_status detect_in(const sv_signals *signals, sv_role role, sv_events *found, sv_error *err) {
    channel c;
    features f = {0};
    sv_status s = channel_new(signals, role, &c, err);
    if (!s) s = features_new(signals, role, c.sigma, c.broad, &f, err);
    if (!s) s = find_in_channel(signals, &c, &f, found, err);
    features_free(&f);
    channel_free(&c);
    return s;
}

sv_status sv_detect_spindles(const sv_signals *signals, const sv_events *earlier, sv_events *found, sv_error *err) {
    static const sv_role roles[] = {SV_ROLE_F4, SV_ROLE_C4, SV_ROLE_O2};
    (void)earlier;
    sv_status s = SV_OK;
    size_t first = found->n;
    if (signals->n == 0) return SV_OK;
    for (size_t i = 0; !s && i < SV_COUNT(roles); i++) {
        /* spindles are central and frontal: the occipital channel is read when there is no other */
        if (roles[i] == SV_ROLE_O2 && found->n + (signals->roles & 3) > 0 &&
            (signals->roles & (sv_role_bit(SV_ROLE_F4) | sv_role_bit(SV_ROLE_C4)))) {
            continue;
        }
        if (signals->roles & sv_role_bit(roles[i])) s = detect_in(signals, roles[i], found, err);
    }
    if (!s) sv_eeg_merge_channels(found, first);
    return s;
}
