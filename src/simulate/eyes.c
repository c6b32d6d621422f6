/* eyes.c - blinks, saccades and rapid eye movements with their sawtooth waves, slow eye movements (nano-recipe S3). */
#include <math.h>

#include "base/memory.h"
#include "psg/biquad.h"
#include "simulate/studio.h"

static const double pi = 3.14159265358979323846;

/* How the rotation of the eyes is seen: LOC and ROC against each other, a little at the front. */
static const double seen[SV_N_ROLES] = {0, 0, 0, 1, 1};

/* ---- blinks */

enum { MAX_RATE_HZ = 512 };

static sv_status put_blink(sv_studio *studio, sv_draw *d, double at_s, sv_error *err) {
    const sv_sim_subject *s = studio->subject;
    float y[MAX_RATE_HZ];
    size_t n = (size_t)(0.9 * studio->rate_hz);
    double width = sv_draw_uniform(d, 0.055, 0.11), uv = s->blink_uv * sv_draw_log_normal(d, 1, 0.2);
    double central = s->blink_frontal * sv_draw_uniform(d, 0.2, 0.5);
    double gains[SV_N_ROLES] = {s->blink_frontal, central, 0.04, s->blink_eog[0] * s->eye_gain,
                                s->blink_eog[1] * s->eye_gain};
    for (size_t i = 0; i < n; i++) {
        double t = (double)i / studio->rate_hz - 0.3, rise = t / width, after = (t - 0.25) / 0.1;
        y[i] = (float)(uv * (exp(-0.5 * rise * rise) - 0.12 * exp(-0.5 * after * after)));
    }
    sv_studio_add(studio, at_s - 0.3, y, n, gains);
    return sv_studio_note(studio, SV_EVENT_BLINK, at_s - 2.2 * width, 4.4 * width, NAN, uv, gains, err);
}

static sv_status blinks(sv_studio *studio, sv_error *err) {
    sv_draw d = sv_draw_stream(studio->seed, SV_DRAW_BLINKS);
    double per_min = sv_draw_uniform(&d, 10, 26), at_s, last_s = -9;
    sv_status s = SV_OK;
    for (int t = 0; t < studio->n_s && !s; t++) {
        bool wake = studio->course->state[t] == SV_STAGE_W;
        double rate = studio->course->eyes_open[t] ? per_min / 60 : wake ? 1.2 / 60 : 0;
        if (!sv_studio_happens(&d, rate, t, &at_s) || at_s - last_s < 0.7) continue;
        last_s = at_s;
        s = put_blink(studio, &d, at_s, err);
    }
    return s;
}

/* ---- rotations */

/* Eyes that are back sooner than this draw one peak; else the way there and the way back are two movements. */
static const double one_peak_s = 0.25, movement_s = 0.3;

static sv_status note_jump(sv_studio *studio, double at_s, double uv, double rise_s, double hold_s, double length_s,
                           sv_error *err) {
    if (hold_s < one_peak_s) {
        return sv_studio_note(studio, SV_EVENT_REM, at_s, fmax(length_s, movement_s), NAN, uv, seen, err);
    }
    sv_status s = sv_studio_note(studio, SV_EVENT_REM, at_s, movement_s, NAN, uv, seen, err);
    return s ? s : sv_studio_note(studio, SV_EVENT_REM, at_s + rise_s + hold_s, movement_s, NAN, uv, seen, err);
}

/* The eyes jump, stay and return; into studio->eyes. */
static sv_status jump(sv_studio *studio, sv_draw *d, double at_s, double uv, double hold_s, sv_error *err) {
    double rate = studio->rate_hz, rise_s = sv_draw_uniform(d, 0.03, 0.09), fall_s = sv_draw_uniform(d, 0.04, 0.14);
    double length_s = rise_s + hold_s + fall_s;
    for (int64_t i = (int64_t)(at_s * rate); i < (int64_t)SV_MIN((double)studio->n, (at_s + length_s) * rate); i++) {
        double t = (double)i / rate - at_s;
        double part = t < rise_s ? t / rise_s : t < rise_s + hold_s ? 1 : (length_s - t) / fall_s;
        studio->eyes[i] += (float)(uv * fmin(fmax(part, 0), 1));
    }
    return note_jump(studio, at_s, fabs(uv), rise_s, hold_s, length_s, err);
}

/* Is there a blink within half a second, among the first n events? *next: the first one not yet passed; blinks are in
 * order of time. */
static bool blinks_at(const sv_events *events, size_t n, double at_s, size_t *next) {
    while (*next < n && (events->items[*next].kind != SV_EVENT_BLINK ||
                         events->items[*next].onset_s + events->items[*next].duration_s < at_s - 0.5)) {
        (*next)++;
    }
    return *next < n && events->items[*next].onset_s < at_s + 0.5;
}

/* Saccades of the waking eye; one that a blink hides is not made. */
static sv_status saccades(sv_studio *studio, sv_error *err) {
    sv_draw d = sv_draw_stream(studio->seed, SV_DRAW_SACCADES);
    double per_min = sv_draw_uniform(&d, 12, 40), at_s, free_s = -9;
    size_t next = 0, n_before = studio->events->n;
    sv_status s = SV_OK;
    for (int t = 0; t < studio->n_s && !s; t++) {
        bool wake = studio->course->state[t] == SV_STAGE_W;
        double rate = studio->course->eyes_open[t] ? per_min / 60 : wake ? 1.5 / 60 : 0;
        if (!sv_studio_happens(&d, rate, t, &at_s) || at_s < free_s) continue;
        if (blinks_at(studio->events, n_before, at_s, &next)) continue;
        double uv = sv_draw_sign(&d) * sv_draw_log_normal(&d, 70, 0.5) * studio->subject->eye_gain;
        double hold_s = sv_draw_uniform(&d, 0.15, 1.6);
        free_s = at_s + hold_s + 0.35; /* an eye looks at one thing at a time */
        s = jump(studio, &d, at_s, uv, hold_s, err);
    }
    return s;
}

static sv_status put_sawtooth(sv_studio *studio, sv_draw *d, double before_s, sv_error *err) {
    static const double gains[SV_N_ROLES] = {0.8, 1, 0.4, 0.2, 0.2};
    float y[4 * MAX_RATE_HZ];
    double duration_s = sv_draw_uniform(d, 1.5, 4), hz = sv_draw_uniform(d, 2, 4.5), uv = sv_draw_uniform(d, 18, 38);
    size_t n = SV_MIN((size_t)(duration_s * studio->rate_hz), SV_COUNT(y));
    for (size_t i = 0; i < n; i++) {
        double t = (double)i / studio->rate_hz, phase = t * hz - floor(t * hz);
        double tooth = phase < 0.7 ? phase / 0.7 : 1 - (phase - 0.7) / 0.3;
        y[i] = (float)(uv * (tooth - 0.5) * sqrt(fmax(sin(pi * t / duration_s), 0)));
    }
    sv_studio_add(studio, before_s - duration_s, y, n, gains);
    return sv_studio_note(studio, SV_EVENT_SAWTOOTH, before_s - duration_s, duration_s, hz, uv, gains, err);
}

static sv_status burst(sv_studio *studio, sv_draw *d, double at_s, double *free_s, sv_error *err) {
    const sv_sim_subject *subject = studio->subject;
    int n = 1 + (int)sv_draw_uniform(d, 0, 4);
    double next_s = at_s;
    sv_status s = SV_OK;
    for (int i = 0; i < n && !s; i++) {
        double uv = sv_draw_sign(d) * sv_draw_log_normal(d, 75, 0.5) * subject->eye_gain;
        double hold_s = sv_draw_uniform(d, 0.06, 0.7);
        bool asleep = next_s < studio->n_s - 2 && studio->course->state[(int)next_s] == SV_STAGE_R;
        if (asleep && next_s >= *free_s) {
            s = jump(studio, d, next_s, uv, hold_s, err);
            *free_s = next_s + hold_s + 0.25;
        }
        next_s += fmax(sv_draw_uniform(d, 0.25, 0.9), hold_s + 0.3);
    }
    if (!s && sv_draw_chance(d, subject->sawtooth_share) && at_s > 5) s = put_sawtooth(studio, d, at_s, err);
    return s;
}

/* Bursts while a slow process is up: phasic R. */
static sv_status rapid_eye_movements(sv_studio *studio, float *phasic, float *gate, sv_error *err) {
    sv_draw d = sv_draw_stream(studio->seed, SV_DRAW_REMS);
    double density = studio->subject->rem_density, at_s, free_s = -9;
    sv_status s = SV_OK;
    sv_draw_wander(&d, 18, 1, phasic, (size_t)studio->n_s);
    for (int t = 0; t < studio->n_s; t++) phasic[t] = (double)phasic[t] > 0.1 - 0.35 * log(fmax(density, 0.01));
    sv_sim_smooth(phasic, (size_t)studio->n_s, 3, gate);
    for (int t = 0; t < studio->n_s && !s; t++) {
        double rate = studio->course->state[t] == SV_STAGE_R ? (double)gate[t] * 0.21 * density : 0;
        if (sv_studio_happens(&d, rate, t, &at_s) && at_s >= free_s) s = burst(studio, &d, at_s, &free_s, err);
    }
    return s;
}

static sv_status put_slow_movement(sv_studio *studio, sv_draw *d, double at_s, double duration_s, sv_error *err) {
    double rate = studio->rate_hz, hz = sv_draw_uniform(d, 0.17, 0.5), phase = sv_draw_normal(d, 0, 0.3);
    double uv = studio->subject->slow_eye_uv * studio->subject->eye_gain * sv_draw_log_normal(d, 1, 0.3);
    double sign = sv_draw_sign(d);
    for (int64_t i = (int64_t)(at_s * rate); i < (int64_t)SV_MIN((double)studio->n, (at_s + duration_s) * rate); i++) {
        double t = fmax((double)i / rate - at_s, 0);
        double envelope = pow(fmax(sin(pi * t / duration_s), 0), 0.6);
        studio->eyes[i] += (float)(sign * uv * envelope * sin(2 * pi * hz * t + phase));
    }
    return sv_studio_note(studio, SV_EVENT_SEM, at_s, duration_s, hz, 2 * uv, seen, err);
}

static sv_status slow_eye_movements(sv_studio *studio, sv_error *err) {
    sv_draw d = sv_draw_stream(studio->seed, SV_DRAW_SLOW_EYES);
    const sv_sim_course *c = studio->course;
    double awake = 0.9 / 60 * sv_draw_uniform(&d, 0.2, 1.8), drowsy = 3.2 / 60 * sv_draw_uniform(&d, 0.4, 1.5);
    double at_s, free_s = -9;
    sv_status s = SV_OK;
    for (int t = 0; t < studio->n_s && !s; t++) {
        bool light = c->state[t] == SV_STAGE_N2 && c->depth[t] < 0.12f;
        bool closed = c->state[t] == SV_STAGE_W && !c->eyes_open[t];
        double rate = closed ? awake : c->state[t] == SV_STAGE_N1 ? drowsy : light ? 0.25 / 60 : 0;
        if (!sv_studio_happens(&d, rate, t, &at_s) || at_s < free_s) continue;
        double duration_s = sv_draw_uniform(&d, 3, 12);
        free_s = at_s + duration_s;
        s = put_slow_movement(studio, &d, at_s, duration_s, err);
    }
    return s;
}

/* ---- from the eyes to the electrodes */

/* Electrodes of the EOG let no steady position through, and muscles take time to turn an eye: a high-pass at 0.25 Hz,
 * and a Hann window of 70 ms. */
static sv_status record_rotation(sv_studio *studio, sv_error *err) {
    sv_draw d = sv_draw_stream(studio->seed, SV_DRAW_EYE_GAINS);
    const double gains[SV_N_ROLES] = {-sv_draw_uniform(&d, 0.03, 0.15), -0.04, 0, sv_draw_uniform(&d, 0.8, 1.1),
                                      -sv_draw_uniform(&d, 0.8, 1.1)};
    sv_biquad high_pass[SV_MAX_SECTIONS];
    double *y = sv_calloc(studio->n, sizeof *y);
    float *smooth = sv_calloc(studio->n, sizeof *smooth);
    sv_status s = SV_OK;
    if (!y || !smooth) {
        s = sv_fail_memory(err, "rotation of the eyes", studio->n * sizeof *y);
    } else {
        for (size_t i = 0; i < studio->n; i++) y[i] = (double)studio->eyes[i];
        sv_biquad_butterworth(1, 0.25, studio->rate_hz, true, high_pass);
        sv_biquad_run(&high_pass[0], y, studio->n, false);
        for (size_t i = 0; i < studio->n; i++) studio->eyes[i] = (float)y[i];
        int width = (int)lround(0.07 * studio->rate_hz);
        sv_sim_smooth(studio->eyes, studio->n, width % 2 ? width : width + 1, smooth);
        sv_studio_add(studio, 0, smooth, studio->n, gains);
    }
    free(y);
    free(smooth);
    return s;
}

sv_status sv_studio_eyes(sv_studio *studio, sv_error *err) {
    float *phasic = sv_calloc((size_t)studio->n_s, sizeof *phasic),
          *gate = sv_calloc((size_t)studio->n_s, sizeof *gate);
    sv_status s = phasic && gate ? SV_OK : sv_fail_memory(err, "eye movements", (size_t)studio->n_s * sizeof *gate);
    if (!s) s = blinks(studio, err);
    if (!s) s = saccades(studio, err);
    if (!s) s = rapid_eye_movements(studio, phasic, gate, err);
    if (!s) s = slow_eye_movements(studio, err);
    if (!s) s = record_rotation(studio, err);
    free(phasic);
    free(gate);
    return s;
}
