/* evaluation.c - gathers rows and measures them under both conventions. */
#include "sleep/evaluation.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"

/* The columns of the rows of one group. */
typedef struct columns {
    signed char *truth, *prediction;
    double (*probabilities)[SV_N_STAGES];
    size_t n;
} columns;

static void gather(const sv_result_rows *rows, int group, columns *c, sv_evaluation *out) {
    for (size_t i = 0; i < rows->n; i++) {
        const sv_result_row *row = &rows->rows[i];
        if (group >= 0 && row->group != group) continue;
        const bool scored = row->truth != SV_STAGE_NONE, parsed = row->prediction != SV_STAGE_NONE;
        c->truth[c->n] = row->truth;
        c->prediction[c->n] = row->prediction;
        memcpy(c->probabilities[c->n], row->probabilities, sizeof row->probabilities);
        c->n++;
        out->n_without_truth += !scored;
        out->n_unparsed += scored && !parsed;
        for (int k = 0; k < SV_N_CONVENTIONS; k++) {
            if (isnan(row->rules_iou) || (k == SV_UNPARSED_LEFT_OUT && !parsed)) continue;
            out->n_rules[k]++;
            out->rules_iou[k] += row->rules_iou;
        }
    }
    out->n_rows = (int64_t)c->n;
}

sv_status sv_evaluation_compute(const sv_result_rows *rows, int group, sv_evaluation *out, sv_error *err) {
    *out = (sv_evaluation){0};
    columns c = {sv_calloc(rows->n, 1), sv_calloc(rows->n, 1), sv_calloc(rows->n, sizeof *c.probabilities), 0};
    sv_status s = SV_OK;
    if (!c.truth || !c.prediction || !c.probabilities) {
        s = sv_fail_memory(err, "result rows", rows->n * sizeof *c.probabilities);
    } else {
        gather(rows, group, &c, out);
        for (int k = 0; k < SV_N_CONVENTIONS; k++) {
            sv_agreement_compute(c.truth, c.prediction, c.n, (sv_unparsed)k, &out->agreement[k]);
            out->rules_iou[k] = out->n_rules[k] ? out->rules_iou[k] / (double)out->n_rules[k] : NAN;
        }
        sv_calibration_compute(c.truth, (const double(*)[SV_N_STAGES])c.probabilities, c.n, &out->calibration);
    }
    free(c.truth);
    free(c.prediction);
    free(c.probabilities);
    return s;
}

static json_t *convention_to_json(const sv_evaluation *e, sv_unparsed convention) {
    json_t *o = sv_agreement_to_json(&e->agreement[convention]);
    const double iou = e->rules_iou[convention];
    json_object_set_new(o, "n_rules", json_integer(e->n_rules[convention]));
    json_object_set_new(o, "mean_rules_iou", isnan(iou) ? json_null() : json_real(iou));
    return o;
}

json_t *sv_evaluation_to_json(const sv_evaluation *e) {
    return json_pack("{sI sI sI sI so so so}", "n_rows", (json_int_t)e->n_rows, "n_without_truth",
                     (json_int_t)e->n_without_truth, "n_unparsed", (json_int_t)e->n_unparsed, "n_without_probabilities",
                     (json_int_t)(e->agreement[SV_UNPARSED_IS_ERROR].n - e->calibration.n), "unparsed_is_error",
                     convention_to_json(e, SV_UNPARSED_IS_ERROR), "unparsed_left_out",
                     convention_to_json(e, SV_UNPARSED_LEFT_OUT), "calibration",
                     e->calibration.n ? sv_calibration_to_json(&e->calibration) : json_null());
}
