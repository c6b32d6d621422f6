/*
 * blinks.c - blinks: short pulses, in both eyes at once, that reach the forehead.
 *
 * A blink turns the cornea up under the lid: what lies above the eye becomes positive for 0.1-0.4 s, also F4 (Bell's
 * phenomenon; AASM manual: W.2). With both eye electrodes on one height (Kong and Wilson 1998) LOC and ROC show it in
 * phase; in the manual's first montage LOC lies below the eye and ROC above, and they show it out of phase, as they do a
 * horizontal movement. So it is F4 that tells them apart: it sees much of a blink and next to nothing of a horizontal
 * movement. Without F4 and C4 only pulses in phase can be called blinks.
 */
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "evidence/detectors.h"
#include "evidence/eyes.h"

enum { TOP = 7, FOOT = 11, REACH = 27 }; /* samples: of the means at the top and at the feet, and between them */

typedef struct pulse {
    double left_uv, right_uv; /* height of the top above the foot before and after */
    double height_uv;         /* above the mean of the two */
} pulse;

/* means: [0] over TOP, [1] over FOOT samples around each */
static pulse pulse_at(float *const means[2], size_t i) {
    double top = (double)means[0][i], before = (double)means[1][i - REACH], after = (double)means[1][i + REACH];
    return (pulse){.left_uv = top - before, .right_uv = top - after, .height_uv = top - (before + after) / 2};
}

typedef struct blink_search {
    sv_eyes eyes;
    float *means[3][2]; /* of the eyes, then of the front */
} blink_search;

static void end_search(blink_search *search) {
    for (int c = 0; c < 3; c++) {
        free(search->means[c][0]);
        free(search->means[c][1]);
    }
    sv_eyes_free(&search->eyes);
}

static sv_status begin_search(const sv_signals *signals, blink_search *search, sv_error *err) {
    *search = (blink_search){0};
    sv_status s = sv_eyes_new(signals, &search->eyes, err);
    if (s) return s;
    const sv_eyes *eyes = &search->eyes;
    const float *channels[3] = {eyes->eyes[0], eyes->eyes[1], eyes->front};
    for (int c = 0; c < 3 && eyes->n_eyes; c++) {
        if (!channels[c]) continue;
        for (int m = 0; m < 2; m++) {
            float *mean = search->means[c][m] = sv_alloc_aligned(eyes->n, sizeof *mean);
            if (!mean) {
                end_search(search);
                return sv_fail_memory(err, "blinks", eyes->n * sizeof *mean);
            }
            sv_moving_mean(channels[c], eyes->n, m ? FOOT : TOP, mean);
        }
    }
    return SV_OK;
}

/* Correlation of two channels around a sample. */
static double correlation(const float *x, const float *y, size_t from, size_t to) {
    double sx = 0, sy = 0, sxx = 0, syy = 0, sxy = 0, n = (double)(to - from);
    for (size_t i = from; i < to; i++) {
        double a = (double)x[i], b = (double)y[i];
        sx += a;
        sy += b;
        sxx += a * a;
        syy += b * b;
        sxy += a * b;
    }
    double xx = sxx - sx * sx / n, yy = syy - sy * sy / n;
    return xx > 0 && yy > 0 ? (sxy - sx * sy / n) / sqrt(xx * yy) : 0;
}

static bool is_symmetric(pulse p) {
    return p.left_uv * p.right_uv > 0 &&
           fmin(fabs(p.left_uv), fabs(p.right_uv)) >= SV_P_blink_symmetry * fmax(fabs(p.left_uv), fabs(p.right_uv));
}

/* EEG reaches back over the head, a blink does not. */
static bool is_frontal(const blink_search *search, double front_uv, size_t i) {
    for (int k = 0; k < 2; k++) {
        if (!search->behind[k][0]) continue;
        if (pulse_at(search->behind[k], i).height_uv > *behind_limit[k] * front_uv) return false;
    }
    return true;
}

/* Does the front see the pulse of eye `e` as it sees a blink? */
static bool front_agrees(const blink_search *search, int e, pulse eye, pulse front, size_t i) {
    const sv_eyes *eyes = &search->eyes;
    double share = front.height_uv / fabs(eye.height_uv) / eyes->front_weight;
    if (share < SV_P_blink_front_share || share > SV_P_blink_front_limit) return false;
    double r = correlation(eyes->eyes[e], eyes->front, i - REACH, i + REACH);
    return (eye.height_uv > 0 ? r : -r) >= SV_P_blink_front_r && is_frontal(search, front.height_uv, i);
}

static bool is_blink(const blink_search *search, int e, size_t i) {
    pulse eye = pulse_at(search->means[e], i);
    if (fabs(eye.height_uv) < SV_P_blink_uv) return false;
    if (search->eyes.front) {
        pulse front = pulse_at(search->means[2], i);
        return (is_symmetric(eye) || is_symmetric(front)) && front_agrees(search, e, eye, front, i);
    }
    if (!is_symmetric(eye) || search->eyes.n_eyes < 2 || eye.height_uv < 0) return false;
    return pulse_at(search->means[1 - e], i).height_uv >= SV_P_blink_eyes_share * eye.height_uv;
}

/* The stretch around the top in which the eye stands above a tenth of the pulse. */
static sv_event blink_event(const blink_search *search, int e, size_t i) {
    const sv_eyes *eyes = &search->eyes;
    pulse p = pulse_at(search->means[e], i);
    double sign = p.height_uv > 0 ? 1 : -1, top = (double)search->means[e][0][i];
    size_t from = i, to = i;
    while (from > i - REACH && sign * (top - (double)eyes->eyes[e][from]) < 0.9 * sign * p.left_uv) from--;
    while (to < i + REACH && sign * (top - (double)eyes->eyes[e][to]) < 0.9 * sign * p.right_uv) to++;
    unsigned roles = 0;
    for (int k = 0; k < eyes->n_eyes; k++) roles |= sv_role_bit(eyes->roles[k]);
    return (sv_event){.kind = SV_EVENT_BLINK,
                      .roles = roles,
                      .onset_s = (double)from / SV_NIGHT_RATE_HZ,
                      .duration_s = (double)(to - from) / SV_NIGHT_RATE_HZ,
                      .frequency_hz = NAN,
                      .amplitude_uv = fabs(p.height_uv)};
}

/* The eye with the larger pulse, and its height. */
static int larger_eye(const blink_search *search, size_t i, double *height_uv) {
    int best = 0;
    *height_uv = -1;
    for (int e = 0; e < search->eyes.n_eyes; e++) {
        double height = fabs(pulse_at(search->means[e], i).height_uv);
        if (height > *height_uv) {
            *height_uv = height;
            best = e;
        }
    }
    return best;
}

sv_status sv_detect_blinks(const sv_signals *signals, const sv_events *earlier, sv_events *found, sv_error *err) {
    (void)earlier;
    blink_search search;
    sv_status s = begin_search(signals, &search, err);
    if (s) return s;
    size_t n = search.eyes.n_eyes ? search.eyes.n : 0, top = 0;
    double highest = 0; /* of the run of samples above the limit */
    for (size_t i = REACH; !s && i + REACH < n; i++) {
        double height;
        larger_eye(&search, i, &height);
        if (height >= SV_P_blink_uv && height > highest) {
            highest = height;
            top = i;
        }
        if (highest > 0 && i - top >= REACH / 2) { /* nothing higher came */
            int e = larger_eye(&search, top, &height);
            if (is_blink(&search, e, top)) {
                sv_event event = blink_event(&search, e, top);
                s = sv_events_add(found, &event, err);
            }
            highest = 0;
        }
    }
    end_search(&search);
    return s;
}
