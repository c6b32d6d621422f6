/* calibration.c - expected calibration error, log loss, Brier score. */
#include "sleep/calibration.h"

#include <math.h>

#include "base/memory.h"

void sv_calibration_compute(const signed char *truth, const double (*probabilities)[SV_N_STAGES], size_t n,
                            sv_calibration *out) {
    *out = (sv_calibration){0};
    double log_loss = 0, brier = 0, gap = 0;
    for (size_t i = 0; i < n; i++) {
        const double *p = probabilities[i];
        if (truth[i] < 0 || truth[i] >= SV_N_STAGES || isnan(p[0])) continue;
        int best = 0;
        for (int s = 0; s < SV_N_STAGES; s++) {
            const double d = p[s] - (s == truth[i]);
            brier += d * d;
            if (p[s] > p[best]) best = s;
        }
        log_loss -= log(fmax(p[truth[i]], 1e-15));
        const int bin = SV_MAX(0, SV_MIN((int)(p[best] * SV_CALIBRATION_BINS), SV_CALIBRATION_BINS - 1));
        out->bins[bin].n++;
        out->bins[bin].n_right += best == truth[i];
        out->bins[bin].confidence += p[best];
        out->n++;
    }
    for (int b = 0; b < SV_CALIBRATION_BINS; b++) {
        gap += fabs((double)out->bins[b].n_right - out->bins[b].confidence);
    }
    out->ece = out->n ? gap / (double)out->n : NAN;
    out->log_loss = out->n ? log_loss / (double)out->n : NAN;
    out->brier = out->n ? brier / (double)out->n : NAN;
}

json_t *sv_calibration_to_json(const sv_calibration *c) {
    json_t *bins = json_array();
    for (int b = 0; b < SV_CALIBRATION_BINS; b++) {
        if (!c->bins[b].n) continue;
        const double n = (double)c->bins[b].n;
        json_array_append_new(
            bins, json_pack("{sf sf sI sf sf}", "from", (double)b / SV_CALIBRATION_BINS, "to",
                            (b + 1.0) / SV_CALIBRATION_BINS, "n", (json_int_t)c->bins[b].n, "mean_probability",
                            c->bins[b].confidence / n, "accuracy", (double)c->bins[b].n_right / n));
    }
    return json_pack("{sI so so so so}", "n", (json_int_t)c->n, "ece", c->n ? json_real(c->ece) : json_null(),
                     "log_loss", c->n ? json_real(c->log_loss) : json_null(), "brier",
                     c->n ? json_real(c->brier) : json_null(), "bins", bins);
}
