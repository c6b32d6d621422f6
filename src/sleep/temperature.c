/* temperature.c - see temperature.h. */
#include "sleep/temperature.h"

#include <math.h>
#include <stdio.h>

sv_status sv_temperature_load(const char *path, sv_temperature *out, sv_error *err) {
    json_t *file;
    *out = (sv_temperature){0};
    sv_status s = sv_json_load(path, &file, err);
    if (s) return s;
    out->value = sv_json_real(file, "temperature", NAN);
    snprintf(out->probability_source, sizeof out->probability_source, "%s",
             sv_json_text(file, "probability_source", ""));
    snprintf(out->model_sha256, sizeof out->model_sha256, "%s", sv_json_text(file, "model_sha256", ""));
    snprintf(out->prompt_sha256, sizeof out->prompt_sha256, "%s", sv_json_text(file, "prompt_sha256", ""));
    json_decref(file);
    if (out->value >= SV_TEMPERATURE_LEAST && out->value <= SV_TEMPERATURE_MOST) return SV_OK;
    return sv_fail(err, SV_ERR_INPUT, "%s: expected \"temperature\" from %g to %g", path, SV_TEMPERATURE_LEAST,
                   SV_TEMPERATURE_MOST);
}

void sv_temperature_apply(double temperature, double p[SV_N_STAGES]) {
    if (temperature == 1) return;
    double best = 0, total = 0;
    for (int i = 0; i < SV_N_STAGES; i++) best = fmax(best, p[i]);
    for (int i = 0; i < SV_N_STAGES; i++) total += p[i] = p[i] > 0 ? exp(log(p[i] / best) / temperature) : 0;
    for (int i = 0; i < SV_N_STAGES; i++) p[i] /= total;
}

sv_status sv_temperature_save(const char *path, const sv_temperature *t, const json_t *figures, sv_error *err) {
    json_t *file = json_pack("{s:f,s:s,s:s,s:s}", "temperature", t->value, "probability_source", t->probability_source,
                             "model_sha256", t->model_sha256, "prompt_sha256", t->prompt_sha256);
    sv_status s = SV_OK;
    if (!file || json_object_update(file, (json_t *)(uintptr_t)figures) != 0) s = sv_fail_memory(err, path, 0);
    if (!s) s = sv_json_save(path, file, err);
    json_decref(file);
    return s;
}

/* Sum of -ln p(truth) at 1/T = beta. */
static double loss(const signed char *truth, const double (*probabilities)[SV_N_STAGES], size_t n, double beta,
                   size_t *n_used) {
    double sum = 0;
    *n_used = 0;
    for (size_t k = 0; k < n; k++) {
        double logs[SV_N_STAGES], best = -INFINITY, total = 0;
        if (truth[k] < 0 || truth[k] >= SV_N_STAGES || isnan(probabilities[k][0])) continue;
        for (int i = 0; i < SV_N_STAGES; i++) {
            logs[i] = beta * log(fmax(probabilities[k][i], 1e-15));
            best = fmax(best, logs[i]);
        }
        for (int i = 0; i < SV_N_STAGES; i++) total += exp(logs[i] - best);
        sum += best + log(total) - logs[truth[k]];
        ++*n_used;
    }
    return sum;
}

double sv_temperature_fit(const signed char *truth, const double (*probabilities)[SV_N_STAGES], size_t n) {
    static const double golden = 0.61803398874989485;
    double low = log(SV_TEMPERATURE_LEAST), high = log(SV_TEMPERATURE_MOST); /* of T: one minimum there too */
    double a = high - golden * (high - low), b = low + golden * (high - low);
    size_t n_used;
    double at_a = loss(truth, probabilities, n, exp(-a), &n_used),
           at_b = loss(truth, probabilities, n, exp(-b), &n_used);
    if (n_used == 0) return NAN;
    while (high - low > 1e-7) {
        if (at_a <= at_b) {
            high = b;
            b = a;
            at_b = at_a;
            a = high - golden * (high - low);
            at_a = loss(truth, probabilities, n, exp(-a), &n_used);
        } else {
            low = a;
            a = b;
            at_a = at_b;
            b = low + golden * (high - low);
            at_b = loss(truth, probabilities, n, exp(-b), &n_used);
        }
    }
    return fmin(fmax(exp((low + high) / 2), SV_TEMPERATURE_LEAST), SV_TEMPERATURE_MOST);
}
