/*
 * detect_rapid_eyes.c - rapid eye movements: both eyes jump at once and against each other in LOC and ROC, in less than
 * half a second (AASM manual: conjugate, irregular, sharply peaked). Every jump of the gaze is a movement, also the one
 * back; there and back within rem_return_s draws one peak, and is one. Steps of the two channels, opposite in sign and
 * alike in size: after Agarwal et al. 2005 and Yetton et al. 2016.
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

static sv_status steps_of(const sv_signals *signals, sv_role role, float **out, sv_error *err) {
    float *x = sv_eeg_band(signals, role, 2, 0, SV_P_rem_high_hz, err);
    *out = x ? sv_calloc(signals->n, sizeof **out) : NULL;
    sv_status s = SV_ERR_MEMORY;
    if (*out)
        s = steps(x, signals->n, (size_t)(SV_P_rem_step_s * SV_NIGHT_RATE_HZ), *out, err);
    else if (x)
        s = sv_fail_memory(err, "eye movements", signals->n * sizeof **out);
    free(x);
    return s;
}

/* How far the eyes jump apart at i: 0 unless both go, against each other. */
static double jump(const float *loc, const float *roc, size_t i) {
    double l = (double)loc[i], r = -(double)roc[i];
    if (l * r <= 0 || fmin(fabs(l), fabs(r)) < SV_P_rem_alike * fmax(fabs(l), fabs(r))) return 0;
    return l + r;
}

static bool is_peak(const float *loc, const float *roc, size_t i, double uv) {
    return fabs(uv) >= fabs(jump(loc, roc, i - 1)) && fabs(uv) > fabs(jump(loc, roc, i + 1));
}

static bool disturbed(const sv_events *earlier, double from_s, double to_s) {
    return sv_events_cover_s(earlier, SV_EVENT_BODY_MOVEMENT, 0, from_s, to_s) > 0 ||
           sv_events_cover_s(earlier, SV_EVENT_BLINK, 0, from_s, to_s) > 0.1;
}

enum { THIN = SV_NIGHT_RATE_HZ / 5 };

/* How large a jump must be in each second: rem_uv, and rem_ratio times the median of what is usual around. limits:
 * [n_s]
 */
static sv_status set_limits(const float *loc, const float *roc, size_t n, float *limits, sv_error *err) {
    size_t n_thin = n / THIN, n_s = n / SV_NIGHT_RATE_HZ, per_s = SV_NIGHT_RATE_HZ / THIN,
           reach = (size_t)(SV_P_rem_around_s / 2) * per_s;
    float *thin = sv_calloc(n_thin, sizeof *thin);
    if (!thin) return sv_fail_memory(err, "eye movements", n_thin * sizeof *thin);
    for (size_t i = 0; i < n_thin; i++) thin[i] = fabsf(loc[i * THIN] - roc[i * THIN]);
    for (size_t t = 0; t < n_s; t++) {
        size_t from = t * per_s > reach ? t * per_s - reach : 0, to = SV_MIN(n_thin, t * per_s + reach);
        limits[t] = (float)fmax(SV_P_rem_uv, SV_P_rem_ratio * sv_quantile(thin + from, to - from, 0.5));
    }
    free(thin);
    return SV_OK;
}

/* The next peak within rem_return_s of the one at i: eyes that are back at once. i when there is none. */
static size_t back_at_once(const float *loc, const float *roc, size_t n, size_t i, double uv, double limit) {
    size_t end = SV_MIN(n - 1, i + (size_t)(SV_P_rem_return_s * SV_NIGHT_RATE_HZ) + 1);
    for (size_t j = i + 1; j < end; j++) {
        double back = jump(loc, roc, j);
        if (fabs(back) >= limit && is_peak(loc, roc, j, back) && back * uv < 0) return j;
    }
    return i;
}

static sv_status search(const float *loc, const float *roc, const float *limits, size_t n, unsigned roles,
                        const sv_events *earlier, sv_events *found, sv_error *err) {
    sv_status s = SV_OK;
    for (size_t i = 1; i + 1 < n && !s; i++) {
        double uv = jump(loc, roc, i), limit = (double)limits[i / SV_NIGHT_RATE_HZ];
        if (fabs(uv) < limit || !is_peak(loc, roc, i, uv)) continue;
        size_t last = back_at_once(loc, roc, n, i, uv, limit);
        double onset_s = (double)i / SV_NIGHT_RATE_HZ - 0.05;
        double duration_s = fmax((double)(last - i) / SV_NIGHT_RATE_HZ + 0.1, SV_P_rem_s);
        if (!disturbed(earlier, onset_s, onset_s + duration_s)) {
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
    float *loc = NULL, *roc = NULL, *limits = NULL;
    if ((signals->roles & eyes) != eyes || signals->n < 3) return SV_OK;
    sv_status s = steps_of(signals, SV_ROLE_LOC, &loc, err);
    if (!s) s = steps_of(signals, SV_ROLE_ROC, &roc, err);
    if (!s && !(limits = sv_calloc((size_t)signals->n_s, sizeof *limits))) {
        s = sv_fail_memory(err, "eye movements", (size_t)signals->n_s * sizeof *limits);
    }
    if (!s) s = set_limits(loc, roc, signals->n, limits, err);
    if (!s) s = search(loc, roc, limits, signals->n, eyes, earlier, found, err);
    free(loc);
    free(roc);
    free(limits);
    return s;
}
