/*
 * detect_blinks.c - blinks: short pulses, in both eyes at once, that reach the forehead.
 *
 * A blink turns the cornea up under the lid: what lies above the eye becomes positive for 0.1-0.4 s, also F4 (Bell's
 * phenomenon; AASM manual: W.2). With both eye electrodes on one height (Kong and Wilson 1998) LOC and ROC show it in
 * phase; in the manual's first montage LOC lies below the eye and ROC above, and they show it out of phase, as they do
 * a horizontal movement. So it is F4 that tells them apart: it sees much of a blink and next to nothing of a horizontal
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

enum { FRONT = 2, CENTRE, BACK, N_MEANS }; /* after the two eyes */

typedef struct blink_search {
    sv_eyes eyes;
    float *means[N_MEANS][2];
} blink_search;

static void end_search(blink_search *search) {
    for (int c = 0; c < N_MEANS; c++) {
        free(search->means[c][0]);
        free(search->means[c][1]);
    }
    sv_eyes_free(&search->eyes);
}

static sv_status make_means(blink_search *search, int c, const float *x, size_t n, sv_error *err) {
    for (int m = 0; m < 2; m++) {
        float *mean = search->means[c][m] = sv_alloc_aligned(n, sizeof *mean);
        if (!mean) return sv_fail_memory(err, "blinks", n * sizeof *mean);
        sv_moving_mean(x, n, m ? FOOT : TOP, mean);
    }
    return SV_OK;
}

/* Of a channel behind the front one, to tell blinks from EEG. */
static sv_status make_means_behind(blink_search *search, int c, const sv_signals *signals, sv_role role,
                                   sv_error *err) {
    const double *x = signals->night->samples[role];
    if (!x) return SV_OK;
    float *low = sv_alloc_aligned(signals->n, sizeof *low);
    sv_status s = low ? sv_band_pass(x, signals->n, 2, 0, SV_P_eye_high_hz, low, err)
                      : sv_fail_memory(err, "blinks", signals->n * sizeof *low);
    if (!s) s = make_means(search, c, low, signals->n, err);
    free(low);
    return s;
}

static sv_status begin_search(const sv_signals *signals, blink_search *search, sv_error *err) {
    *search = (blink_search){0};
    sv_status s = sv_eyes_new(signals, &search->eyes, err);
    if (s || search->eyes.n_eyes == 0) return s;
    const sv_eyes *eyes = &search->eyes;
    for (int e = 0; !s && e < eyes->n_eyes; e++) s = make_means(search, e, eyes->eyes[e], eyes->n, err);
    if (!s && eyes->front) s = make_means(search, FRONT, eyes->front, eyes->n, err);
    /* C4 is behind F4 only, not behind itself */
    if (!s && signals->night->samples[SV_ROLE_F4]) s = make_means_behind(search, CENTRE, signals, SV_ROLE_C4, err);
    if (!s) s = make_means_behind(search, BACK, signals, SV_ROLE_O2, err);
    if (s) end_search(search);
    return s;
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
    static const struct {
        int channel;
        double share;
    } limits[] = {{CENTRE, SV_P_blink_central_share}, {BACK, SV_P_blink_occipital_share}};
    for (size_t k = 0; k < SV_COUNT(limits); k++) {
        float *const *means = search->means[limits[k].channel];
        if (means[0] && pulse_at(means, i).height_uv > limits[k].share * front_uv) return false;
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
        pulse front = pulse_at(search->means[FRONT], i);
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
