/* epoch_facts.c - see epoch_facts.h. */
#include "audit/epoch_facts.h"

#include <math.h>

#include "audit/rule_limits.h"

static bool arousal_linked(const sv_events *events, const sv_event *k) {
    double end_s = k->onset_s + k->duration_s + SV_L_arousal_linked_s;
    for (size_t i = sv_events_first_from(events, k->onset_s - 15); i < events->n && events->items[i].onset_s <= end_s;
         i++) {
        const sv_event *e = &events->items[i];
        if (e->kind == SV_EVENT_AROUSAL && e->onset_s + e->duration_s > k->onset_s) return true;
    }
    return false;
}

double sv_last_trigger_s(const sv_evidence *evidence, int epoch) {
    const sv_events *events = &evidence->events;
    double start_s = (double)epoch * SV_EPOCH_S, from_s = start_s - SV_EPOCH_S / 2.0, to_s = start_s + SV_EPOCH_S / 2.0;
    double last_s = NAN;
    for (size_t i = sv_events_first_from(events, from_s - 4); i < events->n && events->items[i].onset_s < to_s; i++) {
        const sv_event *e = &events->items[i];
        double middle_s = e->onset_s + e->duration_s / 2;
        if (middle_s < from_s || middle_s >= to_s) continue;
        if (e->kind == SV_EVENT_SPINDLE || (e->kind == SV_EVENT_K_COMPLEX && !arousal_linked(events, e)))
            last_s = e->onset_s;
    }
    return last_s;
}

double sv_last_arousal_s(const sv_evidence *evidence, int epoch) {
    const sv_events *events = &evidence->events;
    double start_s = (double)epoch * SV_EPOCH_S, last_s = NAN;
    for (size_t i = sv_events_first_from(events, start_s - SV_EPOCH_S / 2.0);
         i < events->n && events->items[i].onset_s < start_s + SV_EPOCH_S / 2.0; i++) {
        if (events->items[i].kind == SV_EVENT_AROUSAL) last_s = events->items[i].onset_s;
    }
    return last_s;
}

bool sv_n2_is_ended(const sv_evidence *evidence, int epoch) {
    double trigger_s = sv_last_trigger_s(evidence, epoch), arousal_s = sv_last_arousal_s(evidence, epoch);
    double moved_s = sv_evidence_value(evidence, epoch, SV_M_movement_s);
    double moved_before_s = sv_evidence_value(evidence, epoch - 1, SV_M_movement_s);
    bool rolls = sv_evidence_value(evidence, epoch, SV_M_sem_count) >= 1;
    bool aroused = !isnan(arousal_s) && (isnan(trigger_s) || trigger_s < arousal_s);
    return aroused || ((moved_s > 0 || moved_before_s > 0) && rolls);
}
