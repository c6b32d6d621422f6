/*
 * calibration.h - whether stated probabilities are honest.
 */
#ifndef SV_SLEEP_CALIBRATION_H
#define SV_SLEEP_CALIBRATION_H

#include "base/json.h"

#define SV_CALIBRATION_BINS 15

/* Of the n epochs that have both a truth and probabilities; NaN when there are none. */
typedef struct sv_calibration {
    int64_t n;
    double ece; /* expected calibration error of the most probable stage, 15 bins of equal width (Guo et al. 2017) */
    double log_loss; /* mean -ln p(truth); p is raised to 1e-15 */
    double brier;    /* mean over epochs of the sum over stages of (p - truth)^2: 0 best, 2 worst (Brier 1950) */
    struct {
        int64_t n, n_right;
        double confidence; /* sum over the bin; divided by n in JSON */
    } bins[SV_CALIBRATION_BINS];
} sv_calibration;

/* truth: [n] sv_stage; epochs whose truth is SV_STAGE_NONE or whose first probability is NaN are left out.
 * probabilities: [n][5]. The most probable stage is the first of equals. */
void sv_calibration_compute(const signed char *truth, const double (*probabilities)[SV_N_STAGES], size_t n,
                            sv_calibration *out);

json_t *sv_calibration_to_json(const sv_calibration *calibration);

#endif
