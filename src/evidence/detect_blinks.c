/*
 * detect_blinks.c - blinks: short pulses of the eye channels that reach the forehead and not the back of the head.
 *
 * A blink turns the cornea up under the lid: what lies above the eye becomes positive for 0.2-0.5 s, also F4 (Bell's
 * phenomenon; AASM manual: W.2). With both eye electrodes on one height (Kong and Wilson 1998) LOC and ROC show it in
 * phase; in the manual's first montage LOC lies below the eye and ROC above, and they show it out of phase, as they do
 * a horizontal movement. So it is F4 that tells them apart: it sees much of a blink and next to nothing of a horizontal
 * movement; C4 sees less of both. Without them no blink is called: what the eyes alone show may be a glance.
 */
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "evidence/detectors.h"
#include "evidence/eeg.h"

enum { REACH = 28 }; /* samples from the top to the feet of a pulse */

typedef struct search {
    size_t n;
    float *eyes[2], *front, *centre, *back; /* [n] band-passed; NULL: absent */
    unsigned char *sleep;                   /* [n_s]; NULL without EEG */
    unsigned roles;                         /* of the eyes */
} search;

static void search_free(search *b) {
    free(b->eyes[0]);
    free(b->eyes[1]);
    free(b->front);
    free(b->centre);
    free(b->back);
    free(b->sleep);
}

static sv_status band(const sv_signals *signals, sv_role role, float **out, sv_error *err) {
    if (!(signals->roles & sv_role_bit(role))) return SV_OK;
    *out = sv_eeg_band(signals, role, 2, SV_P_blink_low_hz, SV_P_blink_high_hz, err);
    return *out ? SV_OK : SV_ERR_MEMORY;
}

static sv_status mark_sleep(const sv_signals *signals, search *b, sv_error *err) {
    static const sv_role roles[] = {SV_ROLE_O2, SV_ROLE_C4, SV_ROLE_F4};
    sv_role role = sv_signals_first(signals, roles, 3);
    if (role == SV_N_ROLES) return SV_OK;
    b->sleep = sv_calloc((size_t)signals->n_s, 1);
    if (!b->sleep) return sv_fail_memory(err, "blinks", (size_t)signals->n_s);
    return sv_eeg_mark_sleep(signals, role, SV_P_blink_context_s, SV_P_blink_slow_ratio, b->sleep, err);
}

static sv_status search_new(const sv_signals *signals, search *b, sv_error *err) {
    *b = (search){.n = signals->n, .roles = signals->roles & (sv_role_bit(SV_ROLE_LOC) | sv_role_bit(SV_ROLE_ROC))};
    sv_status s = band(signals, SV_ROLE_LOC, &b->eyes[0], err);
    if (!s) s = band(signals, SV_ROLE_ROC, &b->eyes[1], err);
    if (!s) s = band(signals, SV_ROLE_F4, &b->front, err);
    if (!s) s = band(signals, SV_ROLE_C4, b->front ? &b->centre : &b->front, err);
    if (!s) s = band(signals, SV_ROLE_O2, &b->back, err);
    if (!s) s = mark_sleep(signals, b, err);
    return s;
}

/* Of the top at i over the mean of the feet. */
static double height(const float *x, size_t i) {
    return (double)x[i] - ((double)x[i - REACH] + (double)x[i + REACH]) / 2;
}

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

/* Stretch around i in which the pulse is above half its height. */
static void half(const float *x, size_t i, size_t *from, size_t *to) {
    double limit = (double)x[i] - height(x, i) / 2;
    *from = *to = i;
    while (*from > i - REACH && (double)x[*from] > limit) (*from)--;
    while (*to < i + REACH && (double)x[*to] > limit) (*to)++;
}

static bool is_pulse(const float *x, size_t i, double least_uv) {
    double h = height(x, i), left = (double)x[i] - (double)x[i - REACH], right = (double)x[i] - (double)x[i + REACH];
    size_t from, to;
    if (h < least_uv || fmin(left, right) < SV_P_blink_symmetry * fmax(left, right)) return false;
    half(x, i, &from, &to);
    double width_s = (double)(to - from) / SV_NIGHT_RATE_HZ;
    return width_s >= SV_P_blink_min_s && width_s <= SV_P_blink_max_s;
}

static bool in_front(const search *b, size_t i) {
    double front = height(b->front, i), eye = 0, r = 0;
    if (!is_pulse(b->front, i, b->centre ? SV_P_blink_uv : SV_P_blink_uv * SV_P_blink_central_weight)) return false;
    for (int e = 0; e < 2; e++) {
        if (!b->eyes[e]) continue;
        eye = fmax(eye, fabs(height(b->eyes[e], i)));
        r = fmax(r, fabs(correlation(b->front, b->eyes[e], i - REACH, i + REACH)));
    }
    if (eye < SV_P_blink_eye_share * front || r < SV_P_blink_r) return false;
    if (b->centre && height(b->centre, i) > SV_P_blink_central_share * front) return false;
    return !b->back || height(b->back, i) <= SV_P_blink_occipital_share * front;
}

static sv_event event_of(const search *b, const float *x, size_t i) {
    size_t from, to;
    double uv = 0;
    half(x, i, &from, &to);
    for (int e = 0; e < 2; e++) uv = b->eyes[e] ? fmax(uv, fabs(height(b->eyes[e], i))) : uv;
    double width_s = (double)(to - from) / SV_NIGHT_RATE_HZ; /* of a bell: it is seen over twice that */
    double middle_s = (double)(from + to) / 2 / SV_NIGHT_RATE_HZ;
    return (sv_event){.kind = SV_EVENT_BLINK,
                      .roles = b->roles,
                      .onset_s = middle_s - width_s,
                      .duration_s = 2 * width_s,
                      .frequency_hz = NAN,
                      .amplitude_uv = uv};
}

sv_status sv_detect_blinks(const sv_signals *signals, const sv_events *earlier, sv_events *found, sv_error *err) {
    search b;
    (void)earlier;
    if (!(signals->roles & (sv_role_bit(SV_ROLE_LOC) | sv_role_bit(SV_ROLE_ROC)))) return SV_OK;
    if (!(signals->roles & (sv_role_bit(SV_ROLE_F4) | sv_role_bit(SV_ROLE_C4)))) return SV_OK;
    sv_status s = search_new(signals, &b, err);
    size_t free_from = REACH;
    for (size_t i = REACH; !s && i + REACH < b.n; i++) {
        if (i < free_from || b.front[i] <= b.front[i - 1] || b.front[i] < b.front[i + 1]) continue;
        if (b.sleep && b.sleep[i / SV_NIGHT_RATE_HZ]) continue;
        if (!in_front(&b, i)) continue;
        free_from = i + REACH;
        sv_event event = event_of(&b, b.front, i);
        s = sv_events_add(found, &event, err);
    }
    search_free(&b);
    return s;
}
