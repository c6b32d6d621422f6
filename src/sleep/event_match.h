/*
 * event_match.h - how well found events agree with true ones, event by event.
 */
#ifndef SV_SLEEP_EVENT_MATCH_H
#define SV_SLEEP_EVENT_MATCH_H

#include "sleep/events.h"

/* What experts' agreement on events is measured with (Warby et al. 2014; peers.md 4.3). */
#define SV_EVENT_MIN_IOU 0.2

typedef struct sv_event_score {
    int n_truth, n_found, n_matched;
    double precision, recall, f1; /* NaN when undefined: nothing found, nothing true, neither */
} sv_event_score;

/* Pairs events of one kind whose intersection over union in time is at least min_iou, best first, each event once.
 * Channels are not compared. Both lists sorted. truth_of_found: [found->n] index of the true event, -1 for none and for
 * other kinds; may be NULL. SV_ERR_MEMORY. */
sv_status sv_events_match(const sv_events *truth, const sv_events *found, sv_event_kind kind, double min_iou,
                          int64_t *truth_of_found, sv_event_score *out, sv_error *err);

/* Adds the counts of `more` and computes the shares anew: the score of several nights together. */
void sv_event_score_add(sv_event_score *score, const sv_event_score *more);

#endif
