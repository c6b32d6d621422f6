/*
 * temperature.h - probabilities made honest by one number: log-probabilities divided by a temperature (Guo et al. 2017,
 * arXiv 1706.04599).
 */
#ifndef SV_SLEEP_TEMPERATURE_H
#define SV_SLEEP_TEMPERATURE_H

#include "base/json.h"

typedef struct sv_temperature {
    double value;
    char probability_source[16];              /* "forced", ...; "" = not known */
    char model_sha256[65], prompt_sha256[65]; /* "" = not known */
} sv_temperature;

/* Reads {"temperature": T, "probability_source", "model_sha256", "prompt_sha256"}. SV_ERR_INPUT unless T is 0.01 to
 * 100.
 */
sv_status sv_temperature_load(const char *path, sv_temperature *out, sv_error *err);

/* p[i]^(1/T), sum 1. T = 1 leaves the numbers as they are; 0 stays 0. */
void sv_temperature_apply(double temperature, double probabilities[SV_N_STAGES]);

#endif
