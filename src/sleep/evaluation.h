/*
 * evaluation.h - result rows against the truth: the published system's numbers, and the same with unparsed rows as
 * errors.
 */
#ifndef SV_SLEEP_EVALUATION_H
#define SV_SLEEP_EVALUATION_H

#include "sleep/agreement.h"
#include "sleep/calibration.h"
#include "sleep/result_rows.h"

#define SV_N_CONVENTIONS 2

/* Indexed by sv_unparsed: [SV_UNPARSED_LEFT_OUT] the published convention, [SV_UNPARSED_IS_ERROR] ours. */
typedef struct sv_evaluation {
    int64_t n_rows, n_without_truth, n_unparsed; /* unparsed: of the rows that have a truth */
    sv_agreement agreement[SV_N_CONVENTIONS];
    int64_t n_rules[SV_N_CONVENTIONS]; /* rows with true rules */
    double
        rules_iou[SV_N_CONVENTIONS]; /* their mean overlap; an unparsed row counts 0 or is left out. NaN without rows */
    sv_calibration calibration;      /* n = 0 when no row has probabilities */
} sv_evaluation;

/* Of the rows of one group, or of all rows with group = -1. */
sv_status sv_evaluation_compute(const sv_result_rows *rows, int group, sv_evaluation *out, sv_error *err);

/* NULL when there is no memory. */
json_t *sv_evaluation_to_json(const sv_evaluation *evaluation);

#endif
