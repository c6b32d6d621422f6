/*
 * detect_vertex_waves.c - vertex sharp waves: sharp negative waves shorter than half a second, largest over the centre,
 * that stand out from the background (AASM manual).
 */
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "evidence/detectors.h"
#include "evidence/eeg.h"

typedef struct channel {
    float *centre, *front; /* front: NULL without F4 */
    float *level;          /* rms of the centre over vertex_wave_around_s */
    unsigned char *bad;
} channel;

/* Samples around a trough below half its depth. */
static size_t half_width(const float *x, size_t n, size_t at, size_t *from) {
    size_t a = at, b = at;
    while (a > 0 && x[a - 1] < x[at] / 2) a--;
    while (b + 1 < n && x[b + 1] < x[at] / 2) b++;
    *from = a;
    return b - a + 1;
}

static bool is_trough(const float *x, size_t i) { return x[i] < x[i - 1] && x[i] <= x[i + 1]; }

static bool is_vertex_wave(const channel *c, size_t n, size_t i, size_t *from, size_t *width) {
    double depth = -(double)c->centre[i];
    if (depth < SV_P_vertex_wave_uv || depth < SV_P_vertex_wave_ratio * (double)c->level[i]) return false;
    *width = half_width(c->centre, n, i, from);
    double width_s = (double)*width / SV_NIGHT_RATE_HZ;
    if (width_s < SV_P_vertex_wave_min_s || width_s > SV_P_vertex_wave_max_s) return false;
    if (c->front && -(double)c->front[i] > SV_P_vertex_wave_frontal * depth) return false;
    return !c->bad[i / SV_NIGHT_RATE_HZ];
}

static sv_status search(const channel *c, size_t n, sv_events *found, sv_error *err) {
    sv_status s = SV_OK;
    size_t free_from = 0;
    for (size_t i = 1; i + 1 < n && !s; i++) {
        size_t from, width;
        if (i < free_from || !is_trough(c->centre, i) || !is_vertex_wave(c, n, i, &from, &width)) continue;
        free_from = i + SV_NIGHT_RATE_HZ / 2;
        double width_s = (double)width / SV_NIGHT_RATE_HZ;
        s = sv_events_add(found,
                          &(sv_event){.kind = SV_EVENT_VERTEX_WAVE,
                                      .roles = sv_role_bit(SV_ROLE_C4),
                                      .onset_s = fmax((double)from / SV_NIGHT_RATE_HZ - width_s / 2, 0),
                                      .duration_s = 2.5 * width_s,
                                      .frequency_hz = NAN,
                                      .amplitude_uv = sv_eeg_range(c->centre, i > 15 ? i - 15 : 0, SV_MIN(n, i + 20))},
                          err);
    }
    return s;
}

/* A wave that belongs to a K-complex, or stands among slow waves, is not one. */
static bool among_slow_waves(const sv_events *earlier, const sv_event *e) {
    double middle = e->onset_s + e->duration_s / 2;
    return sv_events_cover_s(earlier, SV_EVENT_SLOW_WAVE, 0, middle - 1.5, middle + 1.5) > 0 ||
           sv_events_cover_s(earlier, SV_EVENT_BODY_MOVEMENT, 0, middle - 2, middle + 2) > 0;
}

sv_status sv_detect_vertex_waves(const sv_signals *signals, const sv_events *earlier, sv_events *found, sv_error *err) {
    channel c = {0};
    size_t first = found->n, kept = first;
    if (!(signals->roles & sv_role_bit(SV_ROLE_C4)) || signals->n < 3) return SV_OK;
    sv_status s = SV_OK;
    c.centre = sv_eeg_band(signals, SV_ROLE_C4, 2, SV_P_vertex_wave_low_hz, SV_P_vertex_wave_high_hz, err);
    if (c.centre && signals->roles & sv_role_bit(SV_ROLE_F4)) {
        c.front = sv_eeg_band(signals, SV_ROLE_F4, 2, SV_P_vertex_wave_low_hz, SV_P_vertex_wave_high_hz, err);
        if (!c.front) s = SV_ERR_MEMORY;
    }
    c.level = sv_calloc(signals->n, sizeof *c.level);
    c.bad = sv_calloc((size_t)signals->n_s, 1);
    if (!c.centre || !c.level || !c.bad) s = sv_fail_memory(err, "vertex waves", signals->n * sizeof *c.level);
    if (!s) s = sv_eeg_mark_bad(signals, SV_ROLE_C4, c.bad, err);
    if (!s) {
        sv_moving_rms(c.centre, signals->n, (size_t)(SV_P_vertex_wave_around_s * SV_NIGHT_RATE_HZ), c.level);
        s = search(&c, signals->n, found, err);
    }
    for (size_t i = first; i < found->n; i++) {
        if (!among_slow_waves(earlier, &found->items[i])) found->items[kept++] = found->items[i];
    }
    found->n = kept;
    free(c.centre);
    free(c.front);
    free(c.level);
    free(c.bad);
    return s;
}
