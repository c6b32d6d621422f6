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
    if (out->value >= 0.01 && out->value <= 100) return SV_OK;
    return sv_fail(err, SV_ERR_INPUT, "%s: expected \"temperature\" from 0.01 to 100", path);
}

void sv_temperature_apply(double temperature, double p[SV_N_STAGES]) {
    if (temperature == 1) return;
    double best = 0, total = 0;
    for (int i = 0; i < SV_N_STAGES; i++) best = fmax(best, p[i]);
    for (int i = 0; i < SV_N_STAGES; i++) total += p[i] = p[i] > 0 ? exp(log(p[i] / best) / temperature) : 0;
    for (int i = 0; i < SV_N_STAGES; i++) p[i] /= total;
}
