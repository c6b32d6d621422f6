/*
 * detect_blinks.c - blinks: short pulses of the eye channels that reach the forehead and not the back of the head.
 *
 * A blink turns the cornea up under the lid: what lies above the eye becomes positive for 0.2-0.5 s, also F4 (Bell's
 * phenomenon; AASM manual: W.2). With both eye electrodes on one height (Kong and Wilson 1998) LOC and ROC show it in
 * phase; in the manual's first montage LOC lies below the eye and ROC above, and they show it out of phase, as they do
 * a horizontal movement. So it is F4 that tells them apart: it sees much of a blink and next to nothing of a horizontal
 * movement; C4 sees less of both. Without them no blink is called: what the eyes alone show may be a glance.
 *
 * Two passes. Strict rules find the clear ones; how these spread over the channels of this night, and what the channels
 * hold besides, gives the weighted sum in which blinks stand out most (blink_pattern.h), and there all are looked for.
 * Too few clear ones: they are what is found.
 */
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "evidence/blink_pattern.h"
#include "evidence/detectors.h"
#include "evidence/eeg.h"
#include "evidence/seconds.h"

enum { REACH = SV_BLINK_REACH };

typedef struct search {
    size_t n;
    float *eyes[2], *front, *centre, *back; /* [n] band-passed; NULL: absent */
    unsigned char *sleep;                   /* [n_s] */
    unsigned roles;                         /* of the eyes */
    double scale;                           /* of limits for F4, where C4 stands for it */
    const sv_events *earlier;
    size_t *seeds, n_seeds, capacity; /* tops of what the strict rules find */
} search;

static void search_free(search *b) {
    free(b->eyes[0]);
    free(b->eyes[1]);
    free(b->front);
    free(b->centre);
    free(b->back);
    free(b->sleep);
    free(b->seeds);
}

static sv_status band(const sv_signals *signals, sv_role role, float **out, sv_error *err) {
    if (!(signals->roles & sv_role_bit(role))) return SV_OK;
    *out = sv_eeg_band(signals, role, 2, SV_P_blink_low_hz, SV_P_blink_high_hz, err);
    return *out ? SV_OK : SV_ERR_MEMORY;
}

/* As sv_eeg_mark_sleep, but by medians: a few blinks around, large and slow, do not look like sleep. */
static sv_status mark_sleep(const sv_signals *signals, search *b, sv_error *err) {
    static const sv_role roles[] = {SV_ROLE_O2, SV_ROLE_C4, SV_ROLE_F4};
    sv_role role = sv_signals_first(signals, roles, 3);
    size_t n_s = (size_t)signals->n_s;
    double factor = pow(10, SV_P_blink_slow_ratio);
    float *power = sv_calloc(n_s, sizeof *power), *slow = sv_calloc(n_s, sizeof *slow),
          *fast = sv_calloc(n_s, sizeof *fast);
    b->sleep = sv_calloc(n_s, 1);
    sv_status s = power && slow && fast && b->sleep ? SV_OK : sv_fail_memory(err, "blinks", n_s * sizeof *slow);
    if (!s) {
        int reach = (int)SV_P_blink_context_s / 2;
        for (size_t t = 0; t < n_s; t++) power[t] = (float)sv_signals_power(signals, role, (int)t, 0.5, 8);
        sv_seconds_level(power, signals->n_s, reach, slow);
        for (size_t t = 0; t < n_s; t++) power[t] = (float)sv_signals_power(signals, role, (int)t, 16, 30);
        sv_seconds_level(power, signals->n_s, reach, fast);
        for (size_t t = 0; t < n_s; t++) b->sleep[t] = (double)slow[t] >= factor * (double)fast[t];
    }
    free(power);
    free(slow);
    free(fast);
    return s;
}

static sv_status search_new(const sv_signals *signals, search *b, sv_error *err) {
    *b = (search){.n = signals->n, .roles = signals->roles & (sv_role_bit(SV_ROLE_LOC) | sv_role_bit(SV_ROLE_ROC))};
    b->scale = signals->roles & sv_role_bit(SV_ROLE_F4) ? 1 : SV_P_blink_central_weight;
    sv_status s = band(signals, SV_ROLE_LOC, &b->eyes[0], err);
    if (!s) s = band(signals, SV_ROLE_ROC, &b->eyes[1], err);
    if (!s) s = band(signals, SV_ROLE_F4, &b->front, err);
    if (!s) s = band(signals, SV_ROLE_C4, b->front ? &b->centre : &b->front, err);
    if (!s) s = band(signals, SV_ROLE_O2, &b->back, err);
    if (!s) s = mark_sleep(signals, b, err);
    return s;
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
    double limit = (double)x[i] - sv_blink_height(x, i) / 2;
    *from = *to = i;
    while (*from > i - REACH && (double)x[*from] > limit) (*from)--;
    while (*to < i + REACH && (double)x[*to] > limit) (*to)++;
}

static bool is_pulse(const float *x, size_t i, double least_uv) {
    double h = sv_blink_height(x, i), left = (double)x[i] - (double)x[i - REACH],
           right = (double)x[i] - (double)x[i + REACH];
    size_t from, to;
    if (h < least_uv || fmin(left, right) < SV_P_blink_symmetry * fmax(left, right)) return false;
    half(x, i, &from, &to);
    double width_s = (double)(to - from) / SV_NIGHT_RATE_HZ;
    return width_s >= SV_P_blink_min_s && width_s <= SV_P_blink_max_s;
}

static bool in_front(const search *b, size_t i) {
    double front = sv_blink_height(b->front, i), eye = 0, r = 0;
    if (!is_pulse(b->front, i, b->scale * SV_P_blink_uv)) return false;
    for (int e = 0; e < 2; e++) {
        if (!b->eyes[e]) continue;
        eye = fmax(eye, fabs(sv_blink_height(b->eyes[e], i)));
        r = fmax(r, fabs(correlation(b->front, b->eyes[e], i - REACH, i + REACH)));
    }
    if (eye < SV_P_blink_eye_share * front || r < SV_P_blink_r) return false;
    if (b->centre && sv_blink_height(b->centre, i) > SV_P_blink_central_share * front) return false;
    return !b->back || sv_blink_height(b->back, i) <= SV_P_blink_occipital_share * front;
}

static sv_event event_of(const search *b, const float *x, size_t i) {
    size_t from, to;
    double uv = 0;
    half(x, i, &from, &to);
    for (int e = 0; e < 2; e++) uv = b->eyes[e] ? fmax(uv, fabs(sv_blink_height(b->eyes[e], i))) : uv;
    double width_s = (double)(to - from) / SV_NIGHT_RATE_HZ; /* of a bell: it is seen over twice that */
    double middle_s = (double)(from + to) / 2 / SV_NIGHT_RATE_HZ;
    return (sv_event){.kind = SV_EVENT_BLINK,
                      .roles = b->roles,
                      .onset_s = middle_s - width_s,
                      .duration_s = 2 * width_s,
                      .frequency_hz = NAN,
                      .amplitude_uv = uv};
}

/* The next top of x from i on at which a waking eye may blink; n - REACH when there is none. */
static size_t next_top(const search *b, const float *x, size_t i) {
    for (; i + REACH < b->n; i++) {
        if (x[i] <= x[i - 1] || x[i] < x[i + 1] || x[i] <= 0) continue;
        if (!b->sleep[i / SV_NIGHT_RATE_HZ]) return i;
    }
    return b->n - REACH;
}

static bool hidden(const search *b, size_t i) {
    double at_s = (double)i / SV_NIGHT_RATE_HZ;
    return sv_events_cover_s(b->earlier, SV_EVENT_BODY_MOVEMENT, 0, at_s, at_s + 0.01) > 0;
}

static sv_status keep(size_t **tops, size_t *n, size_t *capacity, size_t i, sv_error *err) {
    if (!sv_grow(tops, *n, capacity, sizeof **tops)) return sv_fail_memory(err, "blinks", *n * sizeof **tops);
    (*tops)[(*n)++] = i;
    return SV_OK;
}

static sv_status find_seeds(search *b, sv_error *err) {
    sv_status s = SV_OK;
    for (size_t i = next_top(b, b->front, REACH); i + REACH < b->n && !s; i = next_top(b, b->front, i + 1)) {
        if (!in_front(b, i) || hidden(b, i)) continue;
        s = keep(&b->seeds, &b->n_seeds, &b->capacity, i, err);
        i += REACH;
    }
    return s;
}

/* How many other tops lie within blink_company_s of the k-th. */
static int company(const size_t *tops, size_t n, size_t k) {
    size_t reach = (size_t)(SV_P_blink_company_s * SV_NIGHT_RATE_HZ), from = k, to = k;
    while (from > 0 && tops[k] - tops[from - 1] <= reach) from--;
    while (to + 1 < n && tops[to + 1] - tops[k] <= reach) to++;
    return (int)(to - from);
}

/* Events of those tops in x that the eyes show and that have company or are large. */
static sv_status add_events(const search *b, const float *x, const size_t *tops, size_t n, sv_events *found,
                            sv_error *err) {
    sv_status s = SV_OK;
    for (size_t k = 0; k < n && !s; k++) {
        bool large = sv_blink_height(x, tops[k]) >= b->scale * SV_P_blink_alone_uv;
        if (!large && company(tops, n, k) < SV_P_blink_company) continue;
        sv_event event = event_of(b, x, tops[k]);
        if (event.amplitude_uv >= SV_P_blink_eye_uv) s = sv_events_add(found, &event, err);
    }
    return s;
}

static sv_status learn(const search *b, sv_blink_pattern *pattern, sv_error *err) {
    const float *all[SV_BLINK_CHANNELS] = {b->front, b->centre, b->back, b->eyes[0], b->eyes[1]};
    size_t n_good = 0, *good = sv_calloc(b->n_seeds + 1, sizeof *good);
    if (!good) return sv_fail_memory(err, "blinks", b->n_seeds * sizeof *good);
    for (size_t k = 0; k < b->n_seeds; k++) {
        if (company(b->seeds, b->n_seeds, k) >= SV_P_blink_seed_company) good[n_good++] = b->seeds[k];
    }
    sv_status s = sv_blink_pattern_learn(all, b->n, good, n_good, b->sleep, pattern, err);
    free(good);
    return s;
}

static sv_status find_by_pattern(const search *b, const sv_blink_pattern *pattern, sv_events *found, sv_error *err) {
    float *x = sv_calloc(b->n, sizeof *x);
    size_t *tops = NULL, n = 0, capacity = 0;
    sv_status s = x ? SV_OK : sv_fail_memory(err, "blinks", b->n * sizeof *x);
    if (!s) sv_blink_pattern_sum(pattern, b->n, x);
    double least = fmax(fmax(SV_P_blink_noise_ratio * pattern->noise_uv, b->scale * SV_P_blink_pattern_uv),
                        SV_P_blink_usual_share * pattern->usual_uv);
    for (size_t i = s ? b->n : next_top(b, x, REACH); i + REACH < b->n && !s; i = next_top(b, x, i + 1)) {
        if (!is_pulse(x, i, least) || sv_blink_pattern_likeness(pattern, i) < SV_P_blink_likeness) continue;
        if (hidden(b, i)) continue;
        s = keep(&tops, &n, &capacity, i, err);
        i += REACH;
    }
    if (!s) s = add_events(b, x, tops, n, found, err);
    free(tops);
    free(x);
    return s;
}

sv_status sv_detect_blinks(const sv_signals *signals, const sv_events *earlier, sv_events *found, sv_error *err) {
    search b;
    sv_blink_pattern pattern = {0};
    if (!(signals->roles & (sv_role_bit(SV_ROLE_LOC) | sv_role_bit(SV_ROLE_ROC)))) return SV_OK;
    if (!(signals->roles & (sv_role_bit(SV_ROLE_F4) | sv_role_bit(SV_ROLE_C4))) || signals->n == 0) return SV_OK;
    sv_status s = search_new(signals, &b, err);
    b.earlier = earlier;
    if (!s) s = find_seeds(&b, err);
    if (!s) s = learn(&b, &pattern, err);
    if (!s && pattern.n_channels) {
        s = find_by_pattern(&b, &pattern, found, err);
    } else if (!s) {
        s = add_events(&b, b.front, b.seeds, b.n_seeds, found, err);
    }
    search_free(&b);
    return s;
}
