/* temperature.c - see temperature.h. */
#include "sleep/temperature.h"

#include <math.h>
#include <string.h>

#include "base/hash.h"

/* Absent and null mean not known; anything else must be understood, or the file would serve what it was not made for.
 */
static sv_status read_text(const json_t *file, const char *key, char *out, size_t size, sv_error *err) {
    const json_t *value = json_object_get(file, key);
    if (!value || json_is_null(value)) return SV_OK;
    if (!json_is_string(value) || json_string_length(value) >= size ||
        strlen(json_string_value(value)) != json_string_length(value)) {
        return sv_fail(err, SV_ERR_INPUT, "expected \"%s\" to be a text of at most %zu bytes or null", key, size - 1);
    }
    memcpy(out, json_string_value(value), json_string_length(value) + 1);
    return SV_OK;
}

static sv_status check_hash(const char *key, const char *hash, sv_error *err) {
    const size_t n = strspn(hash, "0123456789abcdef");
    if (!hash[n] && (n == 0 || n == SV_SHA256_HEX_SIZE - 1)) return SV_OK;
    return sv_fail(err, SV_ERR_INPUT, "expected \"%s\" to be 64 hexadecimal digits or empty, found '%.64s'", key, hash);
}

static sv_status check(const sv_temperature *t, sv_error *err) {
    if (!(t->value >= SV_TEMPERATURE_LEAST && t->value <= SV_TEMPERATURE_MOST)) {
        return sv_fail(err, SV_ERR_INPUT, "expected \"temperature\" to be a number from %g to %g", SV_TEMPERATURE_LEAST,
                       SV_TEMPERATURE_MOST);
    }
    sv_status s = check_hash("model_sha256", t->model_sha256, err);
    return s ? s : check_hash("prompt_sha256", t->prompt_sha256, err);
}

sv_status sv_temperature_load(const char *path, sv_temperature *out, sv_error *err) {
    json_t *file;
    *out = (sv_temperature){0};
    sv_status s = sv_json_load(path, &file, err);
    if (s) return s;
    out->value = sv_json_real(file, "temperature", NAN);
    s = read_text(file, "probability_source", out->probability_source, sizeof out->probability_source, err);
    if (!s) s = read_text(file, "model_sha256", out->model_sha256, sizeof out->model_sha256, err);
    if (!s) s = read_text(file, "prompt_sha256", out->prompt_sha256, sizeof out->prompt_sha256, err);
    if (!s) s = check(out, err);
    json_decref(file);
    return s ? sv_error_prefix(err, "%s", path) : SV_OK;
}

void sv_temperature_apply(double temperature, double p[SV_N_STAGES]) {
    double best = 0, total = 0;
    for (int i = 0; i < SV_N_STAGES; i++) best = fmax(best, p[i]);
    if (temperature == 1 || !(best > 0)) return;
    for (int i = 0; i < SV_N_STAGES; i++) total += p[i] = p[i] > 0 ? exp(log(p[i] / best) / temperature) : 0;
    for (int i = 0; i < SV_N_STAGES; i++) p[i] /= total;
}

sv_status sv_temperature_save(const char *path, const sv_temperature *t, const json_t *figures, sv_error *err) {
    sv_status s = check(t, err);
    if (s) return sv_error_prefix(err, "%s", path);
    json_t *file = json_pack("{s:f,s:s,s:s,s:s}", "temperature", t->value, "probability_source", t->probability_source,
                             "model_sha256", t->model_sha256, "prompt_sha256", t->prompt_sha256);
    if (!file || json_object_update(file, (json_t *)(uintptr_t)figures) != 0) s = sv_fail_memory(err, path, 0);
    if (!s) s = sv_json_save(path, file, err);
    json_decref(file);
    return s;
}

/* First and second derivative by beta = 1/T of the sum of -ln p(truth); false when no epoch counts. With d the logs of
 * the positive probabilities less that of the truth, an epoch gives ln sum exp(beta d): mean and variance of d. */
static bool slopes(const signed char *truth, const double (*probabilities)[SV_N_STAGES], size_t n, double beta,
                   double *first, double *second) {
    bool any = false;
    *first = *second = 0;
    for (size_t k = 0; k < n; k++) {
        const double *p = probabilities[k];
        if (truth[k] < 0 || truth[k] >= SV_N_STAGES || isnan(p[0]) || !(p[truth[k]] > 0)) continue;
        double d[SV_N_STAGES], most = 0, total = 0, mean = 0, square = 0;
        for (int i = 0; i < SV_N_STAGES; i++) {
            d[i] = p[i] > 0 ? log(p[i]) - log(p[truth[k]]) : -INFINITY;
            most = fmax(most, d[i]);
        }
        for (int i = 0; i < SV_N_STAGES; i++) {
            if (!(p[i] > 0)) continue;
            const double weight = exp(beta * (d[i] - most));
            total += weight;
            mean += weight * d[i];
            square += weight * d[i] * d[i];
        }
        mean /= total;
        *first += mean;
        *second += square / total - mean * mean;
        any = true;
    }
    return any;
}

double sv_temperature_fit(const signed char *truth, const double (*probabilities)[SV_N_STAGES], size_t n) {
    enum { MAX_STEPS = 100 };
    double low = 1 / SV_TEMPERATURE_MOST, high = 1 / SV_TEMPERATURE_LEAST, first, second, at_high, beta = 1;
    if (!slopes(truth, probabilities, n, high, &at_high, &second)) return NAN;
    slopes(truth, probabilities, n, low, &first, &second);
    if (first == 0 && at_high == 0) return NAN;
    if (at_high <= 0) return SV_TEMPERATURE_LEAST;
    if (first >= 0) return SV_TEMPERATURE_MOST;
    for (int i = 0; i < MAX_STEPS && high - low > 1e-12 * beta; i++) {
        slopes(truth, probabilities, n, beta, &first, &second);
        if (first == 0) break;
        *(first > 0 ? &high : &low) = beta;
        /* the slope rises from low to high: Newton's step, or the middle when it leads out */
        const double next = beta - first / second;
        const bool inside = next > low && next < high;
        if (inside && fabs(next - beta) <= 1e-12 * beta) break;
        beta = inside ? next : (low + high) / 2;
    }
    return 1 / beta;
}
