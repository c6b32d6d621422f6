/* evidence_summary.c - see evidence_summary.h. */
#include "cli/evidence_summary.h"

#include <math.h>

#include "base/memory.h"
#include "sleep/stages.h"

typedef struct counts {
    int n[SV_N_EVENT_KINDS][SV_N_STAGES + 1]; /* last column: epochs without a stage */
    int epochs[SV_N_STAGES + 1];
} counts;

static int column_of(const signed char *stages, int epoch) {
    return stages && stages[epoch] >= 0 && stages[epoch] < SV_N_STAGES ? stages[epoch] : SV_N_STAGES;
}

/* An event counts in the epoch of its middle. */
static void count(const sv_evidence *evidence, const signed char *stages, counts *c) {
    *c = (counts){0};
    for (int e = 0; e < evidence->n_epochs; e++) c->epochs[column_of(stages, e)]++;
    for (size_t i = 0; i < evidence->events.n; i++) {
        const sv_event *event = &evidence->events.items[i];
        int epoch = (int)((event->onset_s + event->duration_s / 2) / SV_EPOCH_S);
        if (epoch >= evidence->n_epochs) epoch = evidence->n_epochs - 1;
        c->n[event->kind][column_of(stages, epoch)]++;
    }
}

static void print_counts(FILE *out, const counts *c, bool with_stages) {
    fprintf(out, "  %-14s %7s", "events", "number");
    for (int s = 0; with_stages && s < SV_N_STAGES; s++) fprintf(out, "%8s", sv_stage_name((sv_stage)s));
    fprintf(out, "%9s   a minute\n", with_stages ? "no stage" : "all");
    for (int kind = 0; kind < SV_N_EVENT_KINDS; kind++) {
        int total = 0;
        for (int s = 0; s <= SV_N_STAGES; s++) total += c->n[kind][s];
        fprintf(out, "  %-14s %7d", sv_event_kind_name((sv_event_kind)kind), total);
        for (int s = with_stages ? 0 : SV_N_STAGES; s <= SV_N_STAGES; s++) {
            if (c->epochs[s])
                fprintf(out, "%*.2f", s < SV_N_STAGES ? 8 : 9, c->n[kind][s] / (0.5 * c->epochs[s]));
            else
                fprintf(out, "%*s", s < SV_N_STAGES ? 8 : 9, "-");
        }
        fprintf(out, "\n");
    }
}

static void print_level(FILE *out, const char *name, double value, const char *unit) {
    if (isfinite(value)) fprintf(out, "  %-24s %6.1f %s\n", name, value, unit);
}

static void print_lacking(FILE *out, const sv_evidence *evidence) {
    for (int m = 0; m < SV_N_MEASUREMENTS; m++) {
        const char *why = sv_evidence_lacking(evidence, (sv_measurement)m);
        bool same_again = m > 0 && why == sv_evidence_lacking(evidence, (sv_measurement)(m - 1));
        if (why[0] == 0) continue;
        fprintf(out, same_again ? ", %s" : "  not measured (%s): %s", same_again ? sv_measurement_infos[m].name : why,
                sv_measurement_infos[m].name);
        if (m + 1 == SV_N_MEASUREMENTS || why != sv_evidence_lacking(evidence, (sv_measurement)(m + 1)))
            fputc('\n', out);
    }
}

void sv_evidence_print(FILE *out, const sv_evidence *evidence, const signed char *stages) {
    counts c;
    count(evidence, stages, &c);
    print_counts(out, &c, stages != NULL);
    const sv_night_levels *l = &evidence->levels;
    print_level(out, "alpha of the sleeper", l->alpha_hz, "Hz");
    print_level(out, "background when awake", l->background_wake_hz, "Hz");
    print_level(out, "chin, lowest level", l->chin_low_uv, "uV");
    print_level(out, "chin, level when awake", l->chin_wake_uv, "uV");
    print_lacking(out, evidence);
}

static json_t *number_or_null(double value) {
    return isfinite(value) ? json_real(round(value * 1e4) / 1e4) : json_null();
}

sv_status sv_evidence_score(const sv_evidence *evidence, const sv_events *truth, json_t **out, sv_error *err) {
    *out = json_object();
    for (int kind = 0; kind < SV_N_EVENT_KINDS; kind++) {
        sv_event_score s;
        sv_status status =
            sv_events_match(truth, &evidence->events, (sv_event_kind)kind, SV_EVENT_MIN_IOU, NULL, &s, err);
        if (status) {
            json_decref(*out);
            *out = NULL;
            return status;
        }
        json_object_set_new(*out, sv_event_kind_name((sv_event_kind)kind),
                            json_pack("{s:i,s:i,s:i,s:o,s:o,s:o}", "truth", s.n_truth, "found", s.n_found, "matched",
                                      s.n_matched, "precision", number_or_null(s.precision), "recall",
                                      number_or_null(s.recall), "f1", number_or_null(s.f1)));
    }
    return SV_OK;
}

void sv_evidence_print_score(FILE *out, const json_t *score) {
    const char *kind;
    json_t *s;
    fprintf(out, "  %-14s %7s %7s %7s %9s %7s %7s   at an overlap of %.1f\n", "against truth", "true", "found", "both",
            "precision", "recall", "F1", SV_EVENT_MIN_IOU);
    json_object_foreach((json_t *)score, kind, s) {
        static const char *const shares[] = {"precision", "recall", "f1"};
        fprintf(out, "  %-14s %7d %7d %7d", kind, (int)sv_json_int(s, "truth", 0), (int)sv_json_int(s, "found", 0),
                (int)sv_json_int(s, "matched", 0));
        for (size_t i = 0; i < SV_COUNT(shares); i++) {
            const json_t *value = json_object_get(s, shares[i]);
            int width = i ? 7 : 9;
            if (json_is_number(value))
                fprintf(out, " %*.3f", width, json_number_value(value));
            else
                fprintf(out, " %*s", width, "-");
        }
        fprintf(out, "\n");
    }
}
