/* event_match.c - see event_match.h. */
#include "sleep/event_match.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"

typedef struct pair {
    double iou;
    size_t truth, found;
} pair;

typedef struct pairs {
    pair *items;
    size_t n, capacity;
} pairs;

static double iou_of(const sv_event *a, const sv_event *b) {
    double both = sv_event_overlap_s(a, b->onset_s, b->onset_s + b->duration_s);
    double either = a->duration_s + b->duration_s - both;
    return either > 0 ? both / either : 0;
}

static int best_first(const void *left, const void *right) {
    const pair *a = left, *b = right;
    if (a->iou != b->iou) return a->iou > b->iou ? -1 : 1;
    if (a->truth != b->truth) return a->truth < b->truth ? -1 : 1;
    return (a->found > b->found) - (a->found < b->found);
}

static double longest_s(const sv_events *events, sv_event_kind kind) {
    double longest = 0;
    for (size_t i = 0; i < events->n; i++) {
        if (events->items[i].kind == kind) longest = fmax(longest, events->items[i].duration_s);
    }
    return longest;
}

static sv_status find_pairs(const sv_events *truth, const sv_events *found, sv_event_kind kind, double min_iou,
                            pairs *out, sv_error *err) {
    double reach_s = longest_s(truth, kind);
    for (size_t f = 0; f < found->n; f++) {
        const sv_event *event = &found->items[f];
        if (event->kind != kind) continue;
        double end_s = event->onset_s + event->duration_s;
        for (size_t t = sv_events_first_from(truth, event->onset_s - reach_s);
             t < truth->n && truth->items[t].onset_s < end_s; t++) {
            if (truth->items[t].kind != kind) continue;
            double iou = iou_of(&truth->items[t], event);
            if (iou < min_iou || iou <= 0) continue;
            if (!sv_grow(&out->items, out->n, &out->capacity, sizeof *out->items)) {
                return sv_fail_memory(err, "pairs of events", out->n);
            }
            out->items[out->n++] = (pair){iou, t, f};
        }
    }
    if (out->n > 1) qsort(out->items, out->n, sizeof *out->items, best_first);
    return SV_OK;
}

static void compute_shares(sv_event_score *s) {
    s->precision = s->n_found ? (double)s->n_matched / s->n_found : NAN;
    s->recall = s->n_truth ? (double)s->n_matched / s->n_truth : NAN;
    s->f1 = s->n_found + s->n_truth ? 2.0 * s->n_matched / (s->n_found + s->n_truth) : NAN;
}

static int count_kind(const sv_events *events, sv_event_kind kind) {
    int n = 0;
    for (size_t i = 0; i < events->n; i++) n += events->items[i].kind == kind;
    return n;
}

sv_status sv_events_match(const sv_events *truth, const sv_events *found, sv_event_kind kind, double min_iou,
                          int64_t *truth_of_found, sv_event_score *out, sv_error *err) {
    pairs candidates = {0};
    bool *taken_truth = sv_calloc(truth->n, 1), *taken_found = sv_calloc(found->n, 1);
    *out = (sv_event_score){.n_truth = count_kind(truth, kind), .n_found = count_kind(found, kind)};
    sv_status s = taken_truth && taken_found ? SV_OK : sv_fail_memory(err, "events", truth->n + found->n);
    for (size_t f = 0; truth_of_found && f < found->n; f++) truth_of_found[f] = -1;
    if (!s) s = find_pairs(truth, found, kind, min_iou, &candidates, err);
    for (size_t i = 0; !s && i < candidates.n; i++) {
        pair p = candidates.items[i];
        if (taken_truth[p.truth] || taken_found[p.found]) continue;
        taken_truth[p.truth] = taken_found[p.found] = true;
        if (truth_of_found) truth_of_found[p.found] = (int64_t)p.truth;
        out->n_matched++;
    }
    compute_shares(out);
    free(candidates.items);
    free(taken_truth);
    free(taken_found);
    return s;
}

void sv_event_score_add(sv_event_score *score, const sv_event_score *more) {
    score->n_truth += more->n_truth;
    score->n_found += more->n_found;
    score->n_matched += more->n_matched;
    compute_shares(score);
}
