/* eyes.c - see eyes.h. */
#include "evidence/eyes.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "evidence/detectors.h"

static sv_status low_pass(const sv_signals *signals, sv_role role, float **out, sv_error *err) {
    *out = sv_alloc_aligned(signals->n, sizeof **out);
    if (!*out) return sv_fail_memory(err, "eye channel", signals->n * sizeof **out);
    return sv_band_pass(signals->night->samples[role], signals->n, 2, 0, SV_P_eye_high_hz, *out, err);
}

/* Correlation of two channels in the band where eye movements are weak and the leaking EEG prevails: the median over
 * the epochs, so that epochs full of eye movements do not decide. NaN without memory or without signal. */
static double leak_correlation(const sv_signals *signals, sv_role a, sv_role b) {
    size_t n_epochs = (size_t)signals->night->n_epochs;
    float *x = malloc(signals->n * sizeof *x), *y = malloc(signals->n * sizeof *y);
    float *r = malloc((n_epochs + 1) * sizeof *r);
    double median = NAN;
    if (x && y && r &&
        sv_band_pass(signals->night->samples[a], signals->n, 2, SV_P_leak_low_hz, SV_P_leak_high_hz, x, NULL) ==
            SV_OK &&
        sv_band_pass(signals->night->samples[b], signals->n, 2, SV_P_leak_low_hz, SV_P_leak_high_hz, y, NULL) ==
            SV_OK) {
        for (size_t e = 0; e < n_epochs; e++) {
            double xx = 0, yy = 0, xy = 0;
            for (size_t i = e * SV_EPOCH_SAMPLES; i < (e + 1) * SV_EPOCH_SAMPLES; i++) {
                xx += (double)x[i] * (double)x[i];
                yy += (double)y[i] * (double)y[i];
                xy += (double)x[i] * (double)y[i];
            }
            r[e] = xx > 0 && yy > 0 ? (float)(xy / sqrt(xx * yy)) : NAN;
        }
        median = sv_quantile(r, n_epochs, 0.5);
    }
    free(x);
    free(y);
    free(r);
    return median;
}

sv_status sv_eyes_new(const sv_signals *signals, sv_eyes *out, sv_error *err) {
    static const sv_role pair[2] = {SV_ROLE_LOC, SV_ROLE_ROC}, fronts[2] = {SV_ROLE_F4, SV_ROLE_C4};
    *out = (sv_eyes){.n = signals->n};
    sv_status s = SV_OK;
    for (int i = 0; !s && i < 2; i++) {
        if (!signals->night->samples[pair[i]]) continue;
        out->roles[out->n_eyes] = pair[i];
        s = low_pass(signals, pair[i], &out->eyes[out->n_eyes++], err);
    }
    sv_role front = sv_signals_first(signals, fronts, 2);
    if (!s && out->n_eyes && front != SV_N_ROLES) {
        out->front_weight = front == SV_ROLE_F4 ? 1 : SV_P_blink_central_weight;
        s = low_pass(signals, front, &out->front, err);
    }
    if (!s && out->n_eyes == 2 && leak_correlation(signals, pair[0], pair[1]) < SV_P_leak_inverted_r) {
        for (size_t i = 0; i < out->n; i++) out->eyes[0][i] = -out->eyes[0][i];
    }
    if (s) sv_eyes_free(out);
    return s;
}

void sv_eyes_free(sv_eyes *eyes) {
    free(eyes->eyes[0]);
    free(eyes->eyes[1]);
    free(eyes->front);
    *eyes = (sv_eyes){0};
}

sv_status sv_eye_steps(const float *x, size_t n, size_t width, float *out, sv_error *err) {
    double *sums = sv_calloc(n + 1, sizeof *sums);
    if (!sums) return sv_fail_memory(err, "eye steps", n * sizeof *sums);
    for (size_t i = 0; i < n; i++) sums[i + 1] = sums[i] + (double)x[i];
    for (size_t i = 0; i < n; i++) {
        size_t from = i > width ? i - width : 0, to = SV_MIN(n, i + width);
        double before = i > from ? (sums[i] - sums[from]) / (double)(i - from) : (double)x[0];
        out[i] = (float)((sums[to] - sums[i]) / (double)(to - i) - before);
    }
    free(sums);
    return SV_OK;
}
