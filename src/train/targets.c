/* targets.c - see targets.h. */
#include "train/targets.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"

const sv_target_info sv_target_infos[SV_N_TARGETS] = {
#define SV_TARGET(name, text, loss, n, meaning) {text, SV_LOSS_##loss, n, meaning},
#include "train/heads.def"
#undef SV_TARGET
};

#define SV_TARGET(name, text, loss, n, meaning) _Static_assert((size_t)(n) <= SV_TARGET_MAX, text);
#include "train/heads.def"
#undef SV_TARGET

/* ---- what is true */

enum { N_BANDS = 4 };
/* Of simulated nights: means of all channels, and the spread within a band, rounded. */
static const double band_centre_db[N_BANDS] = {15, 10, 8, 6}, mav_centre_db = 18, spread_db = 5;
static const double least_mav_uv = 0.1, least_db = -40; /* a flat channel */

static double band_of(const sv_second_features *f, int band) {
    const double db[N_BANDS] = {f->delta_db, f->theta_db, f->alpha_db, f->beta_db};
    return (fmax(db[band], least_db) - band_centre_db[band]) / spread_db;
}

static double mav_of(const sv_second_features *f, int band) {
    (void)band;
    return (20 * log10(fmax(f->mav_uv, least_mav_uv)) - mav_centre_db) / spread_db;
}

static float mean_of(const sv_second_features *seconds, double (*of)(const sv_second_features *, int), int band,
                     double from_s, double to_s) {
    double sum = 0, weight = 0;
    for (int t = (int)from_s; t < SV_EPOCH_S && t < to_s; t++) {
        double share = fmin(to_s, t + 1) - fmax(from_s, t);
        sum += share * of(&seconds[t], band);
        weight += share;
    }
    return (float)(sum / weight);
}

static void fill_seconds(sv_target target, const sv_epoch_facts *facts, double from_s, double to_s, float *values) {
    bool bands = target == SV_TARGET_BANDS;
    int n = bands ? N_BANDS : 1;
    if (!facts->has_seconds) return;
    for (int r = 0; r < SV_N_ROLES; r++) {
        if (!(facts->roles & sv_role_bit((sv_role)r)) || (bands && r == SV_ROLE_CHIN)) continue;
        for (int b = 0; b < n; b++)
            values[r * n + b] = mean_of(facts->seconds[r], bands ? band_of : mav_of, b, from_s, to_s);
    }
}

static void fill_events(const sv_epoch_facts *facts, double from_s, double to_s, float *values) {
    for (int k = 0; k < SV_N_EVENT_KINDS && facts->has_events; k++) {
        double covered_s = sv_events_cover_s(&facts->events, (sv_event_kind)k, 0, from_s, to_s);
        values[k] = (float)fmin(covered_s / (to_s - from_s), 1);
    }
}

size_t sv_target_values(sv_target target, const sv_epoch_facts *facts, double from_s, double to_s, float *values) {
    size_t n = sv_target_infos[target].n, n_known = 0;
    for (size_t i = 0; i < n; i++) values[i] = NAN;
    if (target == SV_TARGET_STAGE && facts->stage != SV_STAGE_NONE) values[0] = (float)facts->stage;
    for (size_t i = 0; i < n && target == SV_TARGET_RULES && facts->rules; i++)
        values[i] = (float)(facts->rules >> i & 1);
    if (target == SV_TARGET_EVENTS) fill_events(facts, from_s, to_s, values);
    if (target == SV_TARGET_BANDS || target == SV_TARGET_MAV) fill_seconds(target, facts, from_s, to_s, values);
    for (size_t i = 0; i < n; i++) n_known += isnan(values[i]) ? 0 : 1;
    return n_known;
}

/* ---- how far from it */

static double lose_choice(const float *outputs, const float *values, size_t n, float *gradient, size_t *n_right) {
    size_t right = (size_t)values[0], most = 0;
    double sum = 0;
    for (size_t i = 1; i < n; i++) {
        if (outputs[i] > outputs[most]) most = i;
    }
    for (size_t i = 0; i < n; i++) sum += exp((double)outputs[i] - (double)outputs[most]);
    for (size_t i = 0; i < n; i++)
        gradient[i] = (float)(exp((double)outputs[i] - (double)outputs[most]) / sum) - (i == right);
    *n_right += most == right;
    return log(sum) + (double)outputs[most] - (double)outputs[right];
}

/* log(1 + exp(x)) - t x, without overflow. */
static double lose_share(double x, double t, float *gradient) {
    *gradient = (float)(1 / (1 + exp(-x)) - t);
    return fmax(x, 0) + log1p(exp(-fabs(x))) - t * x;
}

static double lose_value(double x, double t, float *gradient) {
    double d = x - t;
    *gradient = (float)fmin(fmax(d, -1), 1);
    return fabs(d) <= 1 ? d * d / 2 : fabs(d) - 0.5;
}

double sv_target_lose(sv_target target, const float *outputs, const float *values, float *gradient, size_t *n_right) {
    const sv_target_info *info = &sv_target_infos[target];
    double sum = 0;
    memset(gradient, 0, info->n * sizeof *gradient);
    if (info->loss == SV_LOSS_CHOICE)
        return isnan(values[0]) ? 0 : lose_choice(outputs, values, info->n, gradient, n_right);
    for (size_t i = 0; i < info->n; i++) {
        if (isnan(values[i])) continue;
        sum += (info->loss == SV_LOSS_SHARE ? lose_share : lose_value)((double)outputs[i], (double)values[i],
                                                                       &gradient[i]);
    }
    return sum;
}
