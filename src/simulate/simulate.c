/* simulate.c - see simulate.h. */
#include "simulate/simulate.h"

#include <math.h>

#include "base/memory.h"
#include "psg/night.h"
#include "simulate/facts.h"

static sv_status check(const sv_sim_options *o, sv_error *err) {
    if (o->rate_hz < SV_SIM_MIN_RATE_HZ || o->rate_hz > SV_SIM_MAX_RATE_HZ) {
        return sv_fail(err, SV_ERR_USAGE, "sampling rate: expected %d to %d Hz, found %d", SV_SIM_MIN_RATE_HZ,
                       SV_SIM_MAX_RATE_HZ, o->rate_hz);
    }
    if (!(o->hours > 0 && o->hours <= SV_SIM_MAX_HOURS)) {
        return sv_fail(err, SV_ERR_USAGE, "hours: expected more than 0 and at most %d, found %g", SV_SIM_MAX_HOURS,
                       o->hours);
    }
    if (o->seed > SV_SIM_MAX_SEED) return sv_fail(err, SV_ERR_USAGE, "seed: expected less than 2^58");
    return SV_OK;
}

/* Everything that the eyes and the body do not yet disturb, then the rest. */
static sv_studio_part *const brain[] = {sv_studio_background, sv_studio_alpha, sv_studio_spindles_and_k_complexes,
                                        sv_studio_slow_waves, sv_studio_n1_waves};
static sv_studio_part *const rest[] = {sv_studio_eyes, sv_studio_muscle,       sv_studio_movement,
                                       sv_studio_chin, sv_studio_disturbances, sv_studio_recorder};

typedef struct listener {
    sv_sim_progress *progress;
    void *context;
    size_t n_done;
} listener;

static sv_status run_parts(sv_studio *studio, sv_studio_part *const *parts, size_t n, listener *l, sv_error *err) {
    sv_status s = SV_OK;
    for (size_t i = 0; i < n && !s; i++) {
        double share = (double)l->n_done++ / (double)(SV_COUNT(brain) + SV_COUNT(rest));
        if (l->progress && !l->progress(l->context, share)) return sv_fail(err, SV_ERR_CANCELLED, "cancelled");
        s = parts[i](studio, err);
    }
    return s;
}

static sv_status open_studio(const sv_sim_options *o, sv_sim_night *night, const sv_sim_course *course,
                             sv_events *events, sv_studio *out, sv_error *err) {
    *out = (sv_studio){.seed = o->seed,
                       .subject = &night->subject,
                       .course = course,
                       .rate_hz = o->rate_hz,
                       .n_s = course->n_s,
                       .n = night->n,
                       .events = events,
                       .eyes = sv_calloc(night->n, sizeof(float)),
                       .chin_level = sv_calloc((size_t)course->n_s, sizeof(float)),
                       .muscle = sv_calloc((size_t)course->n_s, sizeof(float))};
    bool ok = out->eyes && out->chin_level && out->muscle;
    for (int c = 0; c < SV_N_ROLES; c++) {
        bool head = c < SV_SIM_HEAD_ROLES;
        out->event_gain[c] = head ? night->subject.gain * night->subject.channel_gain[c] : 1;
        out->x[c] = night->samples[c] = sv_calloc(night->n, sizeof(float));
        ok = ok && out->x[c];
    }
    return ok ? SV_OK : sv_fail_memory(err, "signals of the night", night->n * SV_N_ROLES * sizeof(float));
}

static void close_studio(sv_studio *studio) {
    free(studio->eyes);
    free(studio->chin_level);
    free(studio->muscle);
}

static sv_status make_signals(const sv_sim_options *o, const sv_sim_course *course, sv_events *events, listener *l,
                              sv_sim_night *night, sv_error *err) {
    sv_studio studio;
    float *slow_wave_s = sv_calloc((size_t)night->n_epochs + 1, sizeof *slow_wave_s);
    sv_status s = open_studio(o, night, course, events, &studio, err);
    if (!s && !slow_wave_s) s = sv_fail_memory(err, "slow waves", (size_t)night->n_epochs * sizeof *slow_wave_s);
    if (!s) s = run_parts(&studio, brain, SV_COUNT(brain), l, err);
    if (!s) s = sv_facts_slow_waves(&studio, slow_wave_s, err);
    if (!s) s = run_parts(&studio, rest, SV_COUNT(rest), l, err);
    if (!s) s = sv_facts_collect(&studio, slow_wave_s, events, &night->facts, err);
    if (s) free(slow_wave_s);
    close_studio(&studio);
    return s;
}

int sv_sim_n_epochs(double hours) { return SV_MAX(1, (int)lround(hours * 3600 / SV_EPOCH_S)); }

sv_status sv_simulate_night(const sv_sim_options *options, sv_sim_progress *progress, void *context, sv_sim_night *out,
                            sv_error *err) {
    sv_sim_course course = {0};
    sv_events events = {0};
    listener l = {progress, context, 0};
    *out = (sv_sim_night){0};
    sv_status s = check(options, err);
    if (s) return s;
    out->rate_hz = options->rate_hz;
    out->n_epochs = sv_sim_n_epochs(options->hours);
    out->n = (size_t)out->n_epochs * SV_EPOCH_S * (size_t)options->rate_hz;
    sv_sim_subject_draw(options->seed, options->profile, &out->subject);
    s = sv_sim_course_make(options->seed, &out->subject, out->n_epochs, &course, &events, err);
    if (!s) s = make_signals(options, &course, &events, &l, out, err);
    if (!s) s = sv_truth_score(&out->facts, &out->truth, err);
    sv_sim_course_free(&course);
    sv_events_free(&events);
    if (s) sv_sim_night_free(out);
    return s;
}

void sv_sim_night_free(sv_sim_night *night) {
    for (int c = 0; c < SV_N_ROLES; c++) free(night->samples[c]);
    sv_sim_facts_free(&night->facts);
    sv_truth_free(&night->truth);
    *night = (sv_sim_night){0};
}
