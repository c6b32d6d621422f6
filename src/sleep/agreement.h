/*
 * agreement.h - how well two scorings agree: accuracy, F1, Cohen's kappa, confusion, rule overlap.
 */
#ifndef SV_SLEEP_AGREEMENT_H
#define SV_SLEEP_AGREEMENT_H

#include "base/json.h"

typedef struct sv_agreement {
    int64_t n;                        /* epochs counted */
    int64_t n_left_out;               /* unscored by the truth, or unparsed and left out */
    int64_t n_unparsed;               /* predictions that are SV_STAGE_NONE where the truth is scored */
    double accuracy, macro_f1, kappa; /* NaN when undefined; kappa also when expected agreement is 1 */
    double f1[5];
    int64_t confusion[5][6]; /* [truth][prediction], column 5 = unparsed counted as error */
} sv_agreement;

typedef enum sv_unparsed {
    SV_UNPARSED_LEFT_OUT /* the original's convention */,
    SV_UNPARSED_IS_ERROR /* ours */
} sv_unparsed;

/* truth, prediction: [n] sv_stage. */
void sv_agreement_compute(const signed char *truth, const signed char *prediction, size_t n, sv_unparsed unparsed,
                          sv_agreement *out);

/* Adds another night's counts, and scores them all as if they were of one night. */
void sv_agreement_pool(sv_agreement *sum, const sv_agreement *night);

json_t *sv_agreement_to_json(const sv_agreement *agreement);

/* What to_json wrote, its scores computed anew. False when the counts are none, or the value is no such object. */
bool sv_agreement_from_json(const json_t *value, sv_agreement *out);

/* Intersection over union of two rule lists as they stand in a result row (a list, a comma separated string, null); 1
 * when both are empty. */
double sv_rules_iou(const json_t *predicted, const json_t *truth);

#endif
