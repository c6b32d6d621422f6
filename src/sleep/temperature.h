/*
 * temperature.h - probabilities made honest by one number: log-probabilities divided by a temperature (Guo et al. 2017,
 * arXiv 1706.04599).
 */
#ifndef SV_SLEEP_TEMPERATURE_H
#define SV_SLEEP_TEMPERATURE_H

#include "base/json.h"

#define SV_TEMPERATURE_LEAST 0.01
#define SV_TEMPERATURE_MOST 100.0

typedef struct sv_temperature {
    double value;
    char probability_source[16];              /* "forced", ...; "" = not known */
    char model_sha256[65], prompt_sha256[65]; /* "" = not known */
} sv_temperature;

/* Reads {"temperature": T, "probability_source", "model_sha256", "prompt_sha256"}; the texts may be absent, null or "".
 * SV_ERR_INPUT unless T is 0.01 to 100, the source has at most 15 bytes and the hashes are 64 hexadecimal digits: what
 * cannot be understood must not pass for "not known", which serves any model. */
sv_status sv_temperature_load(const char *path, sv_temperature *out, sv_error *err);

/* p[i]^(1/T), sum 1. T = 1 leaves the numbers as they are; 0 stays 0; five zeros stay. 1/T undoes T, but for
 * what became 0 below 1e-308. */
void sv_temperature_apply(double temperature, double probabilities[SV_N_STAGES]);

/* Writes what sv_temperature_load reads (and checks as it does), with `figures` (an object, borrowed) beside it;
 * atomically. */
sv_status sv_temperature_save(const char *path, const sv_temperature *temperature, const json_t *figures,
                              sv_error *err);

/* The temperature within [SV_TEMPERATURE_LEAST, SV_TEMPERATURE_MOST] at which the mean of -ln p(truth) is least; it is
 * convex in 1/T, and its slope there is brought to zero by Newton's steps within a bracket. At a bound when there is no
 * minimum within: all most probable stages right, or probabilities without any worth. truth: [n] sv_stage; epochs whose
 * truth is SV_STAGE_NONE or whose first probability is NaN are left out, and so are those whose true stage has
 * probability 0, which no temperature changes. NaN when none is left or no temperature changes anything (only equal
 * probabilities and zeros). */
double sv_temperature_fit(const signed char *truth, const double (*probabilities)[SV_N_STAGES], size_t n);

#endif
