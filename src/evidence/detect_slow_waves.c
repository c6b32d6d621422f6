/*
 * detect_slow_waves.c - slow waves: single waves between down-going zero crossings (Massimini et al. 2004, Carrier et
 * al. 2011) that last as long as 0.5-2 Hz waves do and reach the 75 uV peak to peak of the AASM manual.
 */
#include <stdlib.h>

#include "base/memory.h"
#include "evidence/detectors.h"
#include "evidence/eeg.h"

static bool any_bad(const unsigned char *bad, const sv_wave *w) {
    for (size_t s = w->from / SV_NIGHT_RATE_HZ; s <= (w->to - 1) / SV_NIGHT_RATE_HZ; s++) {
        if (bad[s]) return true;
    }
    return false;
}

sv_status sv_slow_waves_find(const sv_signals *signals, sv_role role, double min_uv, sv_waves *out, sv_error *err) {
    size_t kept = 0;
    unsigned char *bad = sv_calloc((size_t)signals->n_s, 1), *sleep = sv_calloc((size_t)signals->n_s, 1);
    if (!bad || !sleep) {
        free(bad);
        free(sleep);
        return sv_fail_memory(err, "marks of seconds", (size_t)signals->n_s);
    }
    float *slow = sv_eeg_band(signals, role, 2, SV_P_slow_wave_pass_low_hz, SV_P_slow_wave_pass_high_hz, err);
    sv_status s = slow ? sv_eeg_mark_bad(signals, role, bad, err) : SV_ERR_MEMORY;
    if (!s) {
        s = sv_eeg_mark_sleep(signals, role, SV_P_slow_wave_context_s, SV_P_slow_wave_slow_ratio, sleep, err);
    }
    if (!s) {
        s = sv_waves_find(slow, signals->n, 1 / SV_P_slow_wave_high_hz - SV_P_slow_wave_tolerance_s,
                          1 / SV_P_slow_wave_low_hz + SV_P_slow_wave_tolerance_s, out, err);
    }
    for (size_t i = 0; !s && i < out->n; i++) {
        const sv_wave *w = &out->items[i];
        if ((double)sv_wave_uv(w) < min_uv || any_bad(bad, w) || !sleep[w->from / SV_NIGHT_RATE_HZ]) continue;
        out->items[kept++] = *w;
    }
    out->n = kept;
    free(slow);
    free(bad);
    free(sleep);
    return s;
}

static sv_status add_waves(const sv_waves *waves, sv_role role, sv_events *found, sv_error *err) {
    sv_status s = SV_OK;
    for (size_t i = 0; !s && i < waves->n; i++) {
        const sv_wave *w = &waves->items[i];
        double duration_s = (double)(w->to - w->from) / SV_NIGHT_RATE_HZ;
        sv_event event = {.kind = SV_EVENT_SLOW_WAVE,
                          .roles = sv_role_bit(role),
                          .onset_s = (double)w->from / SV_NIGHT_RATE_HZ,
                          .duration_s = duration_s,
                          .frequency_hz = 1 / duration_s,
                          .amplitude_uv = (double)sv_wave_uv(w)};
        s = sv_events_add(found, &event, err);
    }
    return s;
}

/* Waves of two channels are the same when more than half of the shorter is common. AASM counts frontal waves: what only
 * the second channel shows is left out. */
static void join_waves(const sv_events *more, sv_events *found, size_t first) {
    size_t n = found->n, at = first;
    for (size_t i = 0; i < more->n; i++) {
        const sv_event *b = &more->items[i];
        while (at < n && found->items[at].onset_s + found->items[at].duration_s <= b->onset_s) at++;
        for (size_t k = at; k < n && found->items[k].onset_s < b->onset_s + b->duration_s; k++) {
            sv_event *a = &found->items[k];
            double shorter = SV_MIN(a->duration_s, b->duration_s);
            if (2 * sv_event_overlap_s(a, b->onset_s, b->onset_s + b->duration_s) <= shorter) continue;
            a->roles |= b->roles;
            a->amplitude_uv = SV_MAX(a->amplitude_uv, b->amplitude_uv);
            break;
        }
    }
}

/* Frontal waves, with the central channel's role where it shows them too; without F4 central, without both occipital.
 */
sv_status sv_detect_slow_waves(const sv_signals *signals, const sv_events *earlier, sv_events *found, sv_error *err) {
    static const sv_role roles[] = {SV_ROLE_F4, SV_ROLE_C4, SV_ROLE_O2};
    (void)earlier;
    sv_status s = SV_OK;
    size_t first = found->n;
    unsigned seen = 0;
    for (size_t i = 0; !s && i < SV_COUNT(roles); i++) {
        if (!(signals->roles & sv_role_bit(roles[i])) || (roles[i] == SV_ROLE_O2 && seen)) continue;
        sv_waves waves = {0};
        sv_events more = {0};
        s = sv_slow_waves_find(signals, roles[i], SV_P_slow_wave_uv, &waves, err);
        if (!s) s = add_waves(&waves, roles[i], seen ? &more : found, err);
        if (!s && seen) join_waves(&more, found, first);
        seen |= sv_role_bit(roles[i]);
        free(waves.items);
        sv_events_free(&more);
    }
    return s;
}
