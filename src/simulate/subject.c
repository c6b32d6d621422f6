/* subject.c - see subject.h. Medians and spreads are those of nano-recipe.md, tables S1 to S5, but for slow-wave sleep,
 * whose share and bouts were set anew by the hypnograms in ../shared/data (docs/simulator.md). */
#include "simulate/subject.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "base/memory.h"
#include "simulate/draw.h"

typedef struct field {
    const char *name;
    size_t offset;
    double min, max;
} field;

static const field fields[] = {
#define SV_SUBJECT(name, min, max, meaning) {#name, offsetof(sv_sim_subject, name), min, max},
#include "simulate/subject.def"
#undef SV_SUBJECT
};

static double *value_of(sv_sim_subject *s, const field *f) { return (double *)(void *)((char *)s + f->offset); }

static const field *find(const char *name) {
    for (size_t i = 0; i < SV_COUNT(fields); i++) {
        if (strcmp(fields[i].name, name) == 0) return &fields[i];
    }
    return NULL;
}

/* ---- profiles */

static bool in_limits(const field *f, const json_t *v) {
    return json_is_number(v) && json_number_value(v) >= f->min && json_number_value(v) <= f->max;
}

static bool well_formed(const field *f, const json_t *wish) {
    const json_t *low = json_array_get(wish, 0), *high = json_array_get(wish, 1),
                 *times = json_object_get(wish, "times");
    if (json_is_array(wish)) {
        return json_array_size(wish) == 2 && in_limits(f, low) && in_limits(f, high) &&
               json_number_value(low) <= json_number_value(high);
    }
    if (json_is_object(wish))
        return json_object_size(wish) == 1 && json_is_number(times) && json_number_value(times) >= 0;
    return in_limits(f, wish);
}

sv_status sv_sim_profile_load(const char *path, sv_sim_profile *out, sv_error *err) {
    const char *name;
    json_t *wish;
    *out = (sv_sim_profile){0};
    sv_status s = sv_json_load(path, &out->wishes, err);
    if (s) return s;
    if (!json_is_object(out->wishes)) {
        s = sv_fail(err, SV_ERR_INPUT, "%s: expected a JSON object of fields of the subject", path);
    }
    json_object_foreach(out->wishes, name, wish) {
        const field *f = find(name);
        if (s) break;
        if (!f) {
            s = sv_fail(err, SV_ERR_INPUT, "%s: no field '%.60s'; `sleepvlm simulate --help` lists them", path, name);
        } else if (!well_formed(f, wish)) {
            s = sv_fail(err, SV_ERR_INPUT,
                        "%s: %s: expected a number from %g to %g, [low, high] within it, or {\"times\": x}", path, name,
                        f->min, f->max);
        }
    }
    if (s) sv_sim_profile_free(out);
    return s;
}

void sv_sim_profile_free(sv_sim_profile *profile) {
    json_decref(profile->wishes);
    *profile = (sv_sim_profile){0};
}

/* The number drawn is used up whatever the wish, so that a wish for one field leaves the others alone. */
static void grant(sv_sim_subject *s, const field *f, const sv_sim_profile *profile, sv_draw *d) {
    const json_t *wish = profile ? json_object_get(profile->wishes, f->name) : NULL;
    double *value = value_of(s, f), unit = sv_draw_unit(d);
    if (json_is_number(wish)) *value = json_number_value(wish);
    if (json_is_object(wish)) *value *= json_number_value(json_object_get(wish, "times"));
    if (json_is_array(wish)) {
        double low = json_number_value(json_array_get(wish, 0)), high = json_number_value(json_array_get(wish, 1));
        *value = low + (high - low) * unit;
    }
    *value = fmin(fmax(*value, f->min), f->max);
}

/* ---- the sleeper */

static double limited(double x, double low, double high) { return fmin(fmax(x, low), high); }

static void draw_sleep(sv_sim_subject *s, sv_draw *d) {
    double a = s->age;
    s->fragmentation = sv_draw_log_normal(d, 0.7 + 0.7 * a, 0.35);
    s->slow_wave_gain = sv_draw_log_normal(d, 1.12 - 0.25 * a, 0.13);
    s->n3_propensity = limited(1.25 - 1.0 * a + sv_draw_normal(d, 0, 0.2), 0.05, 1.6);
    s->spindles_per_min = sv_draw_log_normal(d, 4.2 * (1.15 - 0.45 * a), 0.45);
    s->spindle_uv = sv_draw_log_normal(d, 15 * (1.15 - 0.4 * a), 0.35);
    s->spindle_hz = sv_draw_uniform(d, 11.8, 14.3);
    s->k_complexes_per_min = sv_draw_log_normal(d, 2.4, 0.4);
    s->k_complex_uv = sv_draw_log_normal(d, 150 * (1.15 - 0.4 * a), 0.2);
    s->slow_wave_min_uv = sv_draw_uniform(d, 45, 70);
    s->slow_wave_period_s = sv_draw_uniform(d, 0.78, 1.1);
    s->slow_wave_central = sv_draw_uniform(d, 0.72, 1);
    s->slow_wave_occipital = sv_draw_uniform(d, 0.3, 0.65);
    s->n3_from_s = limited(sv_draw_normal(d, 6, 0.8), 4.5, 7.5);
    s->vertex_waves_per_min = sv_draw_log_normal(d, 1.6, 0.5);
    s->cap_db = sv_draw_uniform(d, 0.8, 2.6);
    s->arousals_per_hour = sv_draw_log_normal(d, 9, 0.45) * s->fragmentation;
    s->movements_per_hour = sv_draw_log_normal(d, 2.2, 0.5);
    s->eyes_open_share = sv_draw_uniform(d, 0.15, 0.75);
}

static void draw_alpha(sv_sim_subject *s, sv_draw *d) {
    double kind = sv_draw_unit(d);
    s->alpha_hz = limited(sv_draw_normal(d, 10.1 - 0.7 * s->age, 0.9), 7.8, 12);
    s->alpha_uv = sv_draw_log_normal(d, 21, 0.45);
    s->alpha_generator = kind >= 0.1;
    if (kind < 0.1)
        s->alpha_uv = sv_draw_uniform(d, 0, 4);
    else if (kind < 0.2)
        s->alpha_uv *= 0.45;
    static const double low[SV_SIM_HEAD_ROLES] = {0.2, 0.35, 1, 0.1, 0.1}, high[] = {0.5, 0.7, 1, 0.4, 0.4};
    for (int c = 0; c < SV_SIM_HEAD_ROLES; c++) s->alpha_spread[c] = sv_draw_uniform(d, low[c], high[c]);
}

static void draw_spectrum(sv_sim_subject *s, sv_draw *d) {
    s->tilt_db = sv_draw_normal(d, 0, 0.4);
    for (int b = 0; b < SV_SIM_BANDS; b++) s->band_db[b] = sv_draw_normal(d, 0, b < 2 ? 0.8 : 1.2);
    for (int t = 0; t < SV_N_TEXTURES; t++) {
        for (int b = 0; b < SV_SIM_BANDS; b++) s->texture_band_db[t][b] = sv_draw_normal(d, 0, b < 2 ? 0.5 : 0.7);
    }
    for (int c = 0; c < SV_SIM_HEAD_ROLES; c++) {
        for (int b = 0; b < SV_SIM_BANDS; b++) s->channel_band_db[c][b] = sv_draw_normal(d, 0, b < 2 ? 0.5 : 0.8);
        s->channel_gain[c] = sv_draw_log_normal(d, 1, 0.08);
    }
    s->coherence = sv_draw_uniform(d, -0.1, 0.1);
    s->gain = sv_draw_log_normal(d, 1, 0.11);
}

static void draw_eyes(sv_sim_subject *s, sv_draw *d) {
    s->eye_gain = sv_draw_log_normal(d, 1, 0.3);
    for (int i = 0; i < 2; i++) s->eog_share[i] = sv_draw_uniform(d, 0.45, 0.95);
    s->blink_uv = sv_draw_log_normal(d, 90, 0.35);
    s->blink_frontal = sv_draw_uniform(d, 0.3, 0.9);
    s->blink_eog[0] = sv_draw_chance(d, 0.7) ? -sv_draw_uniform(d, 0.3, 1) : sv_draw_uniform(d, 0.2, 0.8);
    s->blink_eog[1] = sv_draw_uniform(d, 0.5, 1);
    s->rem_density = sv_draw_log_normal(d, 1, 0.4);
    s->sawtooth_share = sv_draw_uniform(d, 0, 0.5);
    s->slow_eye_uv = sv_draw_log_normal(d, 70, 0.35);
}

static void draw_chin(sv_sim_subject *s, sv_draw *d) {
    static const double level[SV_N_TEXTURES] = {1, 0.72, 0.55, 0.42, 0.36, 0.17};
    s->chin_uv = sv_draw_log_normal(d, 11, 0.55);
    for (int t = 0; t < SV_N_TEXTURES; t++) s->chin_levels[t] = sv_draw_log_normal(d, level[t], 0.18);
    s->chin_floor_uv = sv_draw_uniform(d, 0.3, 1.1);
    s->chin_atonia = !sv_draw_chance(d, 0.08);
}

static void draw_recorder(sv_sim_subject *s, sv_draw *d) {
    bool ecg = sv_draw_chance(d, 0.35), sweats = sv_draw_chance(d, 0.18), low_pass = sv_draw_chance(d, 0.55);
    s->muscle_uv = sv_draw_log_normal(d, 2.3, 0.55);
    s->drift_uv = sv_draw_log_normal(d, 7, 0.5);
    s->floor_uv = sv_draw_log_normal(d, 0.6, 0.5);
    s->mains_hz = sv_draw_chance(d, 0.5) ? 50 : 60;
    s->mains_eeg_uv = sv_draw_log_normal(d, 0.5, 1);
    s->mains_chin_uv = sv_draw_log_normal(d, 0.8, 1);
    s->ecg_uv = ecg ? sv_draw_uniform(d, 3, 14) : sv_draw_uniform(d, 0, 2);
    s->ecg_chin_uv = sv_draw_chance(d, 0.5) ? sv_draw_uniform(d, 2, 18) : 0;
    s->heart_per_min = sv_draw_uniform(d, 50, 76);
    s->sweat_uv = sweats ? sv_draw_uniform(d, 10, 45) : 0;
    s->pops_per_hour = -1.2 * log(1 - sv_draw_unit(d));
    s->high_pass_hz = exp(sv_draw_uniform(d, log(0.04), log(0.75)));
    s->high_pass_order = sv_draw_chance(d, 0.5) ? 1 : 2;
    s->low_pass_hz = low_pass ? sv_draw_uniform(d, 18, 45) : 0;
    s->low_pass_order = 2 + floor(sv_draw_uniform(d, 0, 4));
    s->noise = 1;
}

static void apply_noise(sv_sim_subject *s) {
    double *const scaled[] = {&s->muscle_uv, &s->drift_uv,    &s->floor_uv, &s->mains_eeg_uv, &s->mains_chin_uv,
                              &s->ecg_uv,    &s->ecg_chin_uv, &s->sweat_uv, &s->pops_per_hour};
    for (size_t i = 0; i < SV_COUNT(scaled); i++) *scaled[i] *= s->noise;
}

void sv_sim_subject_draw(uint64_t seed, const sv_sim_profile *profile, sv_sim_subject *out) {
    sv_draw d = sv_draw_stream(seed, SV_DRAW_SUBJECT);
    const field *age = find("age");
    *out = (sv_sim_subject){.age = sv_draw_unit(&d)};
    grant(out, age, profile, &d); /* first, for the rest depends on it */
    draw_sleep(out, &d);
    draw_alpha(out, &d);
    draw_spectrum(out, &d);
    draw_eyes(out, &d);
    draw_chin(out, &d);
    draw_recorder(out, &d);
    for (size_t i = 0; i < SV_COUNT(fields); i++) {
        if (&fields[i] != age) grant(out, &fields[i], profile, &d);
    }
    if (out->chin_atonia < 0.5) out->chin_levels[SV_TEXTURE_R] = out->chin_levels[SV_TEXTURE_LIGHT] * 0.8;
    apply_noise(out);
}

json_t *sv_sim_subject_to_json(const sv_sim_subject *subject) {
    json_t *o = json_object();
    for (size_t i = 0; i < SV_COUNT(fields); i++) {
        double v = *(const double *)(const void *)((const char *)subject + fields[i].offset);
        json_object_set_new(o, fields[i].name, json_real(round(v * 1000) / 1000));
    }
    return o;
}
