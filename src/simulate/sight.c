/* sight.c - see sight.h. */
#include "simulate/sight.h"

#include <math.h>

#include "base/memory.h"
#include "psg/night.h"

/* An arousal belongs to a K-complex when it begins no more than this after its end (AASM). */
static const double linked_s = 1;

static bool arousal_linked(const sv_sim_facts *facts, const sv_event *e) {
    const sv_events *all = &facts->events;
    double end_s = e->onset_s + e->duration_s;
    for (size_t i = sv_events_first_from(all, e->onset_s - 15); i < all->n && all->items[i].onset_s <= end_s + linked_s;
         i++) {
        const sv_event *a = &all->items[i];
        if (a->kind == SV_EVENT_AROUSAL && a->onset_s + a->duration_s > e->onset_s) return true;
    }
    return false;
}

static void keep_first(double *at_s, double value) {
    if (isnan(*at_s)) *at_s = value;
}

static void take(const sv_sim_facts *facts, const sv_event *e, double from_s, sv_sim_sight *s) {
    double onset = e->onset_s - from_s, middle = onset + e->duration_s / 2;
    bool trigger = e->kind == SV_EVENT_SPINDLE || (e->kind == SV_EVENT_K_COMPLEX && !arousal_linked(facts, e));
    if (e->kind == SV_EVENT_AROUSAL && onset >= 0 && onset < SV_EPOCH_S) {
        s->arousals++;
        keep_first(&s->arousal_at_s, onset);
    }
    if (middle < 0 || middle >= SV_EPOCH_S) return;
    if (trigger) s->last_trigger_s[middle >= SV_EPOCH_S / 2.0] = onset;
    switch (e->kind) {
        case SV_EVENT_SPINDLE:
            s->spindle_hz = (s->spindles ? s->spindle_hz * s->spindles : 0) + e->frequency_hz;
            s->spindle_hz /= ++s->spindles;
            keep_first(&s->spindle_at_s, middle);
            break;
        case SV_EVENT_K_COMPLEX:
            s->k_complexes++;
            keep_first(&s->k_at_s, middle);
            break;
        case SV_EVENT_SLOW_WAVE:
            s->slow_waves++;
            s->slow_wave_uv = fmax(s->slow_wave_uv, e->amplitude_uv);
            break;
        case SV_EVENT_VERTEX_WAVE: s->vertex_waves++; break;
        case SV_EVENT_BLINK: s->blinks++; break;
        case SV_EVENT_REM: s->rems++; break;
        case SV_EVENT_SEM: s->sems++; break;
        case SV_EVENT_PHASIC_EMG: s->twitches++; break;
        default: break;
    }
}

void sv_sim_look(const sv_sim_facts *facts, int epoch, sv_sim_sight *out) {
    const sv_events *all = &facts->events;
    double from_s = (double)epoch * SV_EPOCH_S, to_s = from_s + SV_EPOCH_S;
    double wake = facts->chin_wake_uv, r = facts->chin_r_uv;
    *out = (sv_sim_sight){.spindle_hz = NAN,
                          .spindle_at_s = NAN,
                          .k_at_s = NAN,
                          .arousal_at_s = NAN,
                          .slow_wave_uv = NAN,
                          .last_trigger_s = {NAN, NAN},
                          .slow_wave_s = (double)facts->slow_wave_s[epoch],
                          .chin_level = ((double)facts->chin_uv[epoch] - r) / fmax(wake - r, 1e-6)};
    for (int t = epoch * SV_EPOCH_S; t < (epoch + 1) * SV_EPOCH_S; t++) {
        out->state_s[facts->state[t]]++;
        out->movement_s += (double)facts->movement[t];
    }
    out->alpha_s = sv_events_cover_s(all, SV_EVENT_ALPHA, 0, from_s, to_s);
    out->sem_s = sv_events_cover_s(all, SV_EVENT_SEM, 0, from_s, to_s);
    out->sawtooth_s = sv_events_cover_s(all, SV_EVENT_SAWTOOTH, 0, from_s, to_s);
    out->artefact_s = sv_events_cover_s(all, SV_EVENT_ARTEFACT, 0, from_s, to_s);
    /* those that last long are not counted one by one: what begins a minute earlier has its middle outside */
    for (size_t i = sv_events_first_from(all, from_s - 2 * SV_EPOCH_S); i < all->n && all->items[i].onset_s < to_s;
         i++) {
        take(facts, &all->items[i], from_s, out);
    }
}
