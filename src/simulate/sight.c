/* sight.c - see sight.h. */
#include "simulate/sight.h"

#include <math.h>

#include "base/memory.h"
#include "psg/night.h"

/* An arousal belongs to a K-complex when it begins no more than this after its end (AASM). */
static const double linked_s = 1;
/* Longer than any event whose middle is looked for (alpha, sweat and the like are added up, not counted). */
static const double longest_s = 2 * SV_EPOCH_S;

static double middle_s(const sv_event *e) { return e->onset_s + e->duration_s / 2; }
static bool seen_in(const sv_event *e, unsigned roles) { return roles == 0 || (e->roles & roles) != 0; }

static bool arousal_linked(const sv_sim_facts *facts, const sv_event *e) {
    const sv_events *all = &facts->events;
    double end_s = e->onset_s + e->duration_s;
    for (size_t i = sv_events_first_from(all, e->onset_s - longest_s);
         i < all->n && all->items[i].onset_s <= end_s + linked_s; i++) {
        const sv_event *a = &all->items[i];
        if (a->kind == SV_EVENT_AROUSAL && a->onset_s + a->duration_s > e->onset_s) return true;
    }
    return false;
}

const sv_event *sv_sim_last_trigger(const sv_sim_facts *facts, unsigned roles, double from_s, double to_s) {
    const sv_events *all = &facts->events;
    const sv_event *last = NULL;
    for (size_t i = sv_events_first_from(all, from_s - longest_s); i < all->n && all->items[i].onset_s < to_s; i++) {
        const sv_event *e = &all->items[i];
        if (e->kind != SV_EVENT_SPINDLE && e->kind != SV_EVENT_K_COMPLEX) continue;
        if (middle_s(e) < from_s || middle_s(e) >= to_s || !seen_in(e, roles)) continue;
        if (e->kind == SV_EVENT_SPINDLE || !arousal_linked(facts, e)) last = e;
    }
    return last;
}

const sv_event *sv_sim_last_arousal(const sv_sim_facts *facts, double from_s, double to_s) {
    const sv_events *all = &facts->events;
    const sv_event *last = NULL;
    for (size_t i = sv_events_first_from(all, from_s); i < all->n && all->items[i].onset_s < to_s; i++) {
        if (all->items[i].kind == SV_EVENT_AROUSAL) last = &all->items[i];
    }
    return last;
}

/* Runs of alpha may be longer than the epoch: their mean frequency is weighted with what lies inside. */
static double alpha_hz(const sv_events *all, unsigned roles, double from_s, double to_s) {
    double sum = 0, total_s = 0;
    for (size_t i = sv_events_first_from(all, from_s - SV_EVENT_MAX_S); i < all->n && all->items[i].onset_s < to_s;
         i++) {
        const sv_event *e = &all->items[i];
        if (e->kind != SV_EVENT_ALPHA || !seen_in(e, roles)) continue;
        double inside_s = sv_event_overlap_s(e, from_s, to_s);
        sum += inside_s * e->frequency_hz;
        total_s += inside_s;
    }
    return total_s > 0 ? sum / total_s : NAN;
}

static void keep_first(double *at_s, double value) {
    if (isnan(*at_s)) *at_s = value;
}

static void take_in(double *mean, int n_before, double value) {
    *mean = ((n_before ? *mean * n_before : 0) + value) / (n_before + 1);
}

static void take(const sv_sim_facts *facts, const sv_event *e, double from_s, sv_sim_sight *s) {
    double onset = e->onset_s - from_s, middle = middle_s(e) - from_s;
    double place = e->kind == SV_EVENT_AROUSAL ? onset : middle;
    if (onset + e->duration_s > 0) s->in_all[e->kind] &= e->roles;
    if (place < 0 || place >= SV_EPOCH_S) return;
    int before = s->n[e->kind]++;
    switch (e->kind) {
        case SV_EVENT_AROUSAL: keep_first(&s->arousal_at_s, onset); break;
        case SV_EVENT_SPINDLE:
            take_in(&s->spindle_hz, before, e->frequency_hz);
            keep_first(&s->spindle_at_s, middle);
            break;
        case SV_EVENT_K_COMPLEX:
            s->k_linked += arousal_linked(facts, e);
            s->k_uv = fmax(s->k_uv, e->amplitude_uv);
            keep_first(&s->k_at_s, middle);
            break;
        case SV_EVENT_SLOW_WAVE: s->slow_wave_uv = fmax(s->slow_wave_uv, e->amplitude_uv); break;
        default: break;
    }
}

void sv_sim_look(const sv_sim_facts *facts, int epoch, unsigned roles, sv_sim_sight *out) {
    const sv_events *all = &facts->events;
    double from_s = (double)epoch * SV_EPOCH_S, to_s = from_s + SV_EPOCH_S;
    double wake = facts->chin_wake_uv, r = facts->chin_r_uv;
    *out = (sv_sim_sight){.alpha_hz = alpha_hz(all, roles, from_s, to_s),
                          .spindle_hz = NAN,
                          .spindle_at_s = NAN,
                          .k_at_s = NAN,
                          .arousal_at_s = NAN,
                          .slow_wave_uv = NAN,
                          .k_uv = NAN,
                          .slow_wave_s = (double)facts->slow_wave_s[epoch],
                          .chin_level = ((double)facts->chin_uv[epoch] - r) / fmax(wake - r, 1e-6)};
    for (int i = 0; i < SV_N_EVENT_KINDS; i++) out->in_all[i] = (1u << SV_N_ROLES) - 1;
    for (int t = epoch * SV_EPOCH_S; t < (epoch + 1) * SV_EPOCH_S; t++) {
        out->state_s[facts->state[t]]++;
        out->movement_s += (double)facts->movement[t];
    }
    out->alpha_s = sv_events_cover_s(all, SV_EVENT_ALPHA, roles, from_s, to_s);
    out->theta_s = sv_events_cover_s(all, SV_EVENT_THETA, roles, from_s, to_s);
    out->sem_s = sv_events_cover_s(all, SV_EVENT_SEM, roles, from_s, to_s);
    out->sawtooth_s = sv_events_cover_s(all, SV_EVENT_SAWTOOTH, roles, from_s, to_s);
    out->artefact_s = sv_events_cover_s(all, SV_EVENT_ARTEFACT, roles, from_s, to_s);
    /* alpha and artefacts may have begun long before */
    for (size_t i = sv_events_first_from(all, from_s - SV_EVENT_MAX_S); i < all->n && all->items[i].onset_s < to_s;
         i++) {
        if (seen_in(&all->items[i], roles)) take(facts, &all->items[i], from_s, out);
    }
}
