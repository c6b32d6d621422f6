/*
 * detect_k_complexes.c - K-complexes: a large sharp negative wave followed at once by a positive one, of half a second or
 * more, that stands out from what is around it (AASM manual), in frontal and central channels alike. Rules on amplitudes
 * and durations of the two half waves as in Bremer, Smith, Karacan (IEEE Trans Biomed Eng 1970).
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "evidence/detectors.h"
#include "evidence/eeg.h"

/* The waves near `i` other than it, by their largest amplitude. */
static double largest_neighbour(const sv_waves *waves, size_t i) {
    const sv_wave *own = &waves->items[i];
    size_t reach = (size_t)(SV_P_k_complex_apart_s * SV_NIGHT_RATE_HZ);
    float largest = 0;
    for (size_t k = i; k-- > 0 && waves->items[k].to + reach > own->from;) {
        largest = SV_MAX(largest, sv_wave_uv(&waves->items[k]));
    }
    for (size_t k = i + 1; k < waves->n && waves->items[k].from < own->to + reach; k++) {
        largest = SV_MAX(largest, sv_wave_uv(&waves->items[k]));
    }
    return (double)largest;
}

/* Samples around the trough that are below half its depth. */
static size_t width_at_half(const float *x, size_t n, size_t trough) {
    size_t from = trough, to = trough;
    while (from > 0 && x[from - 1] < x[trough] / 2) from--;
    while (to + 1 < n && x[to + 1] < x[trough] / 2) to++;
    return to - from + 1;
}

static bool has_shape(const float *x, size_t n, const sv_wave *w) {
    double uv = (double)sv_wave_uv(w), fall_s = (double)(w->crest - w->trough) / SV_NIGHT_RATE_HZ;
    double sharp_s = (double)width_at_half(x, n, w->trough) / SV_NIGHT_RATE_HZ;
    return uv >= SV_P_k_complex_uv && -(double)w->low_uv >= SV_P_k_complex_negative_share * uv &&
           (double)w->high_uv >= SV_P_k_complex_positive_share * uv && w->crest > w->trough &&
           fall_s <= SV_P_k_complex_rise_s && sharp_s <= SV_P_k_complex_sharp_s;
}

typedef struct channel {
    sv_role role;
    float *x;
    unsigned char *bad;
    float *alpha, *total; /* [n_s] */
    sv_waves waves;
} channel;

static sv_status channel_new(const sv_signals *signals, sv_role role, channel *c, sv_error *err) {
    *c = (channel){.role = role};
    c->bad = sv_calloc((size_t)signals->n_s, 1);
    if (!c->bad) return sv_fail_memory(err, "marks of seconds", (size_t)signals->n_s);
    c->x = sv_eeg_band(signals, role, SV_P_k_complex_low_hz, SV_P_k_complex_high_hz, err);
    if (!c->x) return SV_ERR_MEMORY;
    sv_status s = sv_eeg_mark_bad(signals, role, c->bad, err);
    if (!s) s = sv_waves_find(c->x, signals->n, SV_P_k_complex_min_s, SV_P_k_complex_max_s, &c->waves, err);
    return s;
}

static void channel_free(channel *c) {
    free(c->x);
    free(c->bad);
    free(c->waves.items);
}

/* A body or eye movement found before, where a large wave proves nothing. */
static bool is_disturbed(const sv_signals *signals, const sv_events *earlier, double from_s, double to_s) {
    (void)signals;
    return sv_events_cover_s(earlier, SV_EVENT_BODY_MOVEMENT, 0, from_s, to_s) > 0 ||
           sv_events_cover_s(earlier, SV_EVENT_BLINK, 0, from_s, to_s) > 0;
}

/* NREM context: slow power over fast power around it. */
static bool in_sleep(const sv_signals *signals, sv_role role, size_t at) {
    int second = (int)(at / SV_NIGHT_RATE_HZ), reach = (int)(SV_P_spindle_baseline_s / 2);
    double slow = 0, fast = 0;
    for (int s = SV_MAX(0, second - reach); s <= SV_MIN(signals->n_s - 1, second + reach); s++) {
        slow += sv_signals_power(signals, role, s, 0.5, 8);
        fast += sv_signals_power(signals, role, s, 16, 30);
    }
    return slow >= pow(10, SV_P_k_complex_slow_ratio) * fast;
}

/* The other channel must go along: at least a share of the swing from this trough to this crest. */
static bool agrees(const channel *other, const sv_wave *w) {
    if (!other) return true;
    double swing = (double)other->x[w->crest] - (double)other->x[w->trough];
    return swing >= SV_P_k_complex_agreement * (double)sv_wave_uv(w);
}

static sv_status find_in(const sv_signals *signals, const sv_events *earlier, const channel *c, const channel *other,
                         sv_events *found, sv_error *err) {
    sv_status s = SV_OK;
    for (size_t i = 0; !s && i < c->waves.n; i++) {
        const sv_wave *w = &c->waves.items[i];
        double onset_s = (double)w->from / SV_NIGHT_RATE_HZ, end_s = (double)w->to / SV_NIGHT_RATE_HZ;
        if (!has_shape(c->x, signals->n, w) || !agrees(other, w)) continue;
        if (largest_neighbour(&c->waves, i) > SV_P_k_complex_contrast * (double)sv_wave_uv(w)) continue;
        if (c->bad[w->trough / SV_NIGHT_RATE_HZ] || c->bad[w->crest / SV_NIGHT_RATE_HZ]) continue;
        if (!in_sleep(signals, c->role, w->trough) || is_disturbed(signals, earlier, onset_s, end_s)) continue;
        sv_event event = {.kind = SV_EVENT_K_COMPLEX,
                          .roles = sv_role_bit(c->role) | (other ? sv_role_bit(other->role) : 0),
                          .onset_s = onset_s,
                          .duration_s = end_s - onset_s,
                          .frequency_hz = NAN,
                          .amplitude_uv = (double)sv_wave_uv(w)};
        s = sv_events_add(found, &event, err);
    }
    return s;
}

sv_status sv_detect_k_complexes(const sv_signals *signals, const sv_events *earlier, sv_events *found, sv_error *err) {
    static const sv_role roles[] = {SV_ROLE_F4, SV_ROLE_C4, SV_ROLE_O2};
    channel channels[2] = {0};
    int n = 0;
    sv_status s = SV_OK;
    size_t first = found->n;
    for (size_t i = 0; !s && i < SV_COUNT(roles); i++) {
        if (!(signals->roles & sv_role_bit(roles[i])) || n == 2 || (roles[i] == SV_ROLE_O2 && n)) continue;
        s = channel_new(signals, roles[i], &channels[n++], err);
    }
    for (int i = 0; !s && i < n; i++) {
        s = find_in(signals, earlier, &channels[i], n == 2 ? &channels[1 - i] : NULL, found, err);
    }
    if (!s) sv_eeg_merge_channels(found, first);
    for (int i = 0; i < n; i++) channel_free(&channels[i]);
    return s;
}
