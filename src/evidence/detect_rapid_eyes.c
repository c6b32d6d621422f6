/*
 * detect_rapid_eyes.c - rapid eye movements: both eyes jump at once and against each other in LOC and ROC, in less than
 * half a second (AASM manual: conjugate, irregular, sharply peaked). Every jump of the gaze is a movement, also the one
 * back; there and back within rem_return_s draws one peak, and is one. Steps of the two channels, opposite in sign and
 * alike in size (Agarwal et al. 2005), are judged by the logistic sum of size, size over what is usual around, likeness
 * of the eyes, steepness, and rest beside the step, which waves do not have (a classifier on such features: Yetton et
 * al. 2016).
 */
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "evidence/detectors.h"
#include "evidence/eeg.h"

/* Mean over the width samples after each less that over those before: how far the channel jumps there. */
static sv_status steps(const float *x, size_t n, size_t width, float *out, sv_error *err) {
    double *sums = sv_calloc(n + 1, sizeof *sums);
    if (!sums) return sv_fail_memory(err, "eye movements", n * sizeof *sums);
    for (size_t i = 0; i < n; i++) sums[i + 1] = sums[i] + (double)x[i];
    for (size_t i = width; i + width <= n; i++) {
        out[i] = (float)((sums[i + width] - 2 * sums[i] + sums[i - width]) / (double)width);
    }
    free(sums);
    return SV_OK;
}

typedef struct gaze {
    size_t n;
    float *apart;     /* [n] LOC less ROC, low-passed */
    float *loc, *roc; /* [n] their steps */
    float *limits;    /* [n_s] how large a jump stands out there */
} gaze;

static void gaze_free(gaze *g) {
    free(g->apart);
    free(g->loc);
    free(g->roc);
    free(g->limits);
}

/* How far the eyes jump apart at i: 0 unless both go, against each other. */
static double jump(const gaze *g, size_t i) {
    double l = (double)g->loc[i], r = -(double)g->roc[i];
    if (l * r <= 0 || fmin(fabs(l), fabs(r)) < SV_P_rem_alike * fmax(fabs(l), fabs(r))) return 0;
    return l + r;
}

static bool is_peak(const gaze *g, size_t i, double uv) {
    return fabs(uv) >= fabs(jump(g, i - 1)) && fabs(uv) > fabs(jump(g, i + 1));
}

static bool disturbed(const sv_events *earlier, double from_s, double to_s) {
    return sv_events_cover_s(earlier, SV_EVENT_BODY_MOVEMENT, 0, from_s, to_s) > 0 ||
           sv_events_cover_s(earlier, SV_EVENT_BLINK, 0, from_s, to_s) > 0.1;
}

enum { THIN = SV_NIGHT_RATE_HZ / 5, LIMITS_S = 5 };

/* How large a jump must be in each second: rem_uv, and rem_ratio times the median of what is usual around. limits:
 * [n_s]
 */
static sv_status set_limits(gaze *g, int n_seconds, sv_error *err) {
    size_t n_thin = g->n / THIN, n_s = (size_t)n_seconds, per_s = SV_NIGHT_RATE_HZ / THIN,
           reach = (size_t)(SV_P_rem_around_s / 2) * per_s;
    float *thin = sv_calloc(n_thin, sizeof *thin);
    g->limits = sv_calloc(n_s, sizeof *g->limits);
    if (!thin || !g->limits) {
        free(thin);
        return sv_fail_memory(err, "eye movements", n_thin * sizeof *thin);
    }
    for (size_t i = 0; i < n_thin; i++) thin[i] = fabsf(g->loc[i * THIN] - g->roc[i * THIN]);
    for (size_t t = 0; t < n_s; t++) {
        if (t % LIMITS_S) { /* the median changes slowly */
            g->limits[t] = g->limits[t - 1];
            continue;
        }
        size_t from = t * per_s > reach ? t * per_s - reach : 0, to = SV_MIN(n_thin, t * per_s + reach);
        g->limits[t] = (float)fmax(SV_P_rem_uv, SV_P_rem_ratio * sv_quantile(thin + from, to - from, 0.5));
    }
    free(thin);
    return SV_OK;
}

static sv_status gaze_new(const sv_signals *signals, gaze *g, sv_error *err) {
    size_t n = signals->n, width = (size_t)(SV_P_rem_step_s * SV_NIGHT_RATE_HZ);
    float *roc = sv_eeg_band(signals, SV_ROLE_ROC, 2, 0, SV_P_rem_high_hz, err);
    *g = (gaze){.n = n, .apart = roc ? sv_eeg_band(signals, SV_ROLE_LOC, 2, 0, SV_P_rem_high_hz, err) : NULL};
    sv_status s = g->apart ? SV_OK : SV_ERR_MEMORY;
    if (!s && (!(g->loc = sv_calloc(n, sizeof(float))) || !(g->roc = sv_calloc(n, sizeof(float)))))
        s = sv_fail_memory(err, "eye movements", 2 * n * sizeof(float));
    if (!s) s = steps(g->apart, n, width, g->loc, err);
    if (!s) s = steps(roc, n, width, g->roc, err);
    for (size_t i = 0; i < n && !s; i++) g->apart[i] -= roc[i];
    if (!s) s = set_limits(g, signals->n_s, err);
    free(roc);
    return s;
}

/* ---- what is a movement */

/* The next peak within rem_return_s of the one at i: eyes that are back at once. i when there is none. */
static size_t back_at_once(const gaze *g, size_t i, double uv, double least) {
    size_t end = SV_MIN(g->n - 1, i + (size_t)(SV_P_rem_return_s * SV_NIGHT_RATE_HZ) + 1);
    for (size_t j = i + 1; j < end; j++) {
        double back = jump(g, j);
        if (fabs(back) >= least && is_peak(g, j, back) && back * uv < 0) return j;
    }
    return i;
}

/* Standard deviation of apart over the samples [from, to). */
static double unrest(const gaze *g, size_t from, size_t to) {
    double sum = 0, squares = 0, n = (double)(to - from);
    for (size_t i = from; i < to; i++) {
        sum += (double)g->apart[i];
        squares += (double)g->apart[i] * (double)g->apart[i];
    }
    return sqrt(fmax(squares / n - sum * sum / (n * n), 0));
}

/* Largest change over 40 ms around i. */
static double steepest(const gaze *g, size_t i) {
    double largest = 0;
    for (size_t j = i - 4; j <= i + 4; j++)
        largest = fmax(largest, fabs((double)g->apart[j + 2] - (double)g->apart[j - 2]));
    return largest;
}

enum { REST_FROM = 4, REST_TO = 20 }; /* samples beside a jump, in which the gaze rests */

/* Logit of the jump from i to last (where the eyes are back) being a movement; at least REST_TO from both ends. */
static double score_of(const gaze *g, size_t i, size_t last) {
    double l = fabs((double)g->loc[i]), r = fabs((double)g->roc[i]), uv = l + r, alike = fmin(l, r) / fmax(l, r);
    double rest = fmin(unrest(g, i - REST_TO, i - REST_FROM), unrest(g, last + REST_FROM, last + REST_TO));
    return SV_P_rem_weight_0 + SV_P_rem_weight_size * log(uv) +
           SV_P_rem_weight_ratio * log(uv / (double)g->limits[i / SV_NIGHT_RATE_HZ]) +
           SV_P_rem_weight_unrest * log(rest / uv + 0.02) + SV_P_rem_weight_steep * log(steepest(g, i) / uv + 0.001) +
           SV_P_rem_weight_unlike * fmax(SV_P_rem_usual_likeness - alike, 0);
}

static sv_status search(const gaze *g, unsigned roles, const sv_events *earlier, sv_events *found, sv_error *err) {
    sv_status s = SV_OK;
    for (size_t i = REST_TO; i + REST_TO < g->n && !s; i++) {
        double uv = jump(g, i), least = SV_P_rem_candidate * (double)g->limits[i / SV_NIGHT_RATE_HZ];
        if (fabs(uv) < least || !is_peak(g, i, uv)) continue;
        size_t last = back_at_once(g, i, uv, least);
        double onset_s = (double)i / SV_NIGHT_RATE_HZ - 0.05;
        double duration_s = fmax((double)(last - i) / SV_NIGHT_RATE_HZ + 0.1, SV_P_rem_s);
        if (last + REST_TO < g->n && score_of(g, i, last) >= 0 && !disturbed(earlier, onset_s, onset_s + duration_s)) {
            s = sv_events_add(found,
                              &(sv_event){.kind = SV_EVENT_REM,
                                          .roles = roles,
                                          .onset_s = fmax(onset_s, 0),
                                          .duration_s = duration_s,
                                          .frequency_hz = NAN,
                                          .amplitude_uv = fabs(uv) / 2},
                              err);
        }
        i = last;
    }
    return s;
}

sv_status sv_detect_rapid_eye_movements(const sv_signals *signals, const sv_events *earlier, sv_events *found,
                                        sv_error *err) {
    const unsigned eyes = sv_role_bit(SV_ROLE_LOC) | sv_role_bit(SV_ROLE_ROC);
    gaze g;
    if ((signals->roles & eyes) != eyes || signals->n_s < 1) return SV_OK;
    sv_status s = gaze_new(signals, &g, err);
    if (!s) s = search(&g, eyes, earlier, found, err);
    gaze_free(&g);
    return s;
}
