/*
 * detect_rapid_eyes.c - rapid eye movements: both eyes jump at once and against each other in LOC and ROC, in less than
 * half a second (AASM manual: conjugate, irregular, sharply peaked). A jump and the return that follows it are one
 * movement. Steps of the two channels, opposite in sign and alike in size: after Agarwal et al. 2005 and Yetton et al.
 * 2016.
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

/* The return of the jump at i: the next one of about its size that goes back. i when there is none. */
static size_t way_back(const float *loc, const float *roc, size_t n, size_t i, double uv) {
    size_t end = SV_MIN(n - 1, i + (size_t)(SV_P_rem_return_s * SV_NIGHT_RATE_HZ));
    for (size_t j = i + 5; j < end; j++) {
        double back = jump(loc, roc, j);
        if (back * uv < 0 && fabs(back) >= 0.4 * fabs(uv) && is_peak(loc, roc, j, back)) return j;
    }
    return i;
}

static bool disturbed(const sv_events *earlier, double from_s, double to_s) {
    return sv_events_cover_s(earlier, SV_EVENT_BODY_MOVEMENT, 0, from_s, to_s) > 0 ||
           sv_events_cover_s(earlier, SV_EVENT_BLINK, 0, from_s, to_s) > 0.1;
}

static sv_status search(const float *loc, const float *roc, size_t n, unsigned roles, const sv_events *earlier,
                        sv_events *found, sv_error *err) {
    sv_status s = SV_OK;
    for (size_t i = 1; i + 1 < n && !s; i++) {
        double uv = jump(loc, roc, i);
        if (fabs(uv) < SV_P_rem_uv || !is_peak(loc, roc, i, uv)) continue;
        size_t back = way_back(loc, roc, n, i, uv);
        double onset_s = (double)i / SV_NIGHT_RATE_HZ - 0.05, whole_s = (double)(back - i) / SV_NIGHT_RATE_HZ + 0.1;
        double duration_s = fmin(fmax(whole_s, 0.3), 1);
        size_t passed = SV_MAX(back, i + 10);
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
        i = passed;
    }
    return s;
}

sv_status sv_detect_rapid_eye_movements(const sv_signals *signals, const sv_events *earlier, sv_events *found,
                                        sv_error *err) {
    const unsigned eyes = sv_role_bit(SV_ROLE_LOC) | sv_role_bit(SV_ROLE_ROC);
    float *loc = NULL, *roc = NULL;
    if ((signals->roles & eyes) != eyes || signals->n < 3) return SV_OK;
    sv_status s = steps_of(signals, SV_ROLE_LOC, &loc, err);
    if (!s) s = steps_of(signals, SV_ROLE_ROC, &roc, err);
    if (!s) s = search(loc, roc, signals->n, eyes, earlier, found, err);
    free(loc);
    free(roc);
    return s;
}
