/* alpha.c - alpha rhythm: an on-off chain in steps of a second, filled with narrow-band noise (nano-recipe S3). */
#include <math.h>

#include "base/memory.h"
#include "simulate/noise.h"

typedef struct rhythm {
    double hz, width_hz;
} rhythm;

static double rhythm_shape(double hz, const void *context) {
    const rhythm *r = context;
    double base = (hz - r->hz) / r->width_hz, harmonic = (hz - 2 * r->hz) / r->width_hz / 1.5;
    double amplitude = exp(-0.5 * base * base) + 0.12 * exp(-0.5 * harmonic * harmonic);
    return amplitude * amplitude;
}

/* Share of the time with alpha, of the state at second t. */
typedef struct shares {
    double open, closed, n1, r;
} shares;
static double share_at(const sv_sim_course *c, int t, const shares *s) {
    switch (c->state[t]) {
        case SV_STAGE_W: return c->eyes_open[t] ? s->open : s->closed;
        case SV_STAGE_N1: return s->n1;
        case SV_STAGE_R: return s->r;
        default: return 0.01;
    }
}

static double size_at(const sv_sim_course *c, int t) {
    static const double size[] = {1, 0.7, 0.5, 0.5, 0.6};
    return size[c->state[t]];
}

/* on [n_s]: 1 where there is alpha. */
static void switch_on_and_off(const sv_studio *studio, sv_draw *d, const float *wander, float *on) {
    const double switching = 0.35;
    const shares s = {.closed = sv_draw_uniform(d, 0.7, 0.95),
                      .open = sv_draw_uniform(d, 0, 0.12),
                      .n1 = sv_draw_uniform(d, 0.02, 0.3),
                      .r = sv_draw_uniform(d, 0, 0.2)};
    bool is_on = false;
    for (int t = 0; t < studio->n_s; t++) {
        double share = share_at(studio->course, t, &s), u = sv_draw_unit(d), v = sv_draw_unit(d);
        if (share > 0.05) share = fmin(fmax(share + 0.07 * (double)wander[t], 0), 1);
        is_on = u < (is_on ? 1 - (1 - share) * switching : share * switching);
        on[t] = is_on || (studio->course->arousal[t] && v < 0.75);
    }
}

static sv_status note_runs(sv_studio *studio, const float *on, sv_error *err) {
    const sv_sim_subject *s = studio->subject;
    const double *spread = s->alpha_spread, gains[SV_N_ROLES] = {spread[0], spread[1], spread[2], spread[3], spread[4]};
    sv_status status = SV_OK;
    for (int t = 0; t < studio->n_s && !status; t++) {
        int from = t;
        double size = 0;
        for (; t < studio->n_s && on[t] > 0; t++) size = fmax(size, size_at(studio->course, t));
        double uv = 2 * sqrt(2) * 0.75 * s->alpha_uv * size;
        if (t > from) status = sv_studio_note(studio, SV_EVENT_ALPHA, from, t - from, s->alpha_hz, uv, gains, err);
    }
    return status;
}

static sv_status fill(sv_studio *studio, sv_draw *d, const float *envelope, float *front, float *back, sv_error *err) {
    const sv_sim_subject *s = studio->subject;
    const rhythm occipital = {s->alpha_hz, sv_draw_uniform(d, 0.4, 0.8)}, frontal = {s->alpha_hz - 0.3, 0.6};
    sv_status status = sv_noise_fill(studio, d, rhythm_shape, &occipital, envelope, back, err);
    if (!status) status = sv_noise_fill(studio, d, rhythm_shape, &frontal, envelope, front, err);
    for (int c = 0; c < SV_SIM_HEAD_ROLES && !status; c++) {
        float gain = (float)(0.75 * s->alpha_uv * s->alpha_spread[c]);
        float of_back = c >= SV_ROLE_O2 ? gain : 0.75f * gain, of_front = c >= SV_ROLE_O2 ? 0 : 0.66f * gain;
        for (size_t i = 0; i < studio->n; i++) {
            float e = (float)sv_studio_between(studio, envelope, i);
            studio->x[c][i] += e * (of_back * back[i] + of_front * front[i]);
        }
    }
    return status;
}

sv_status sv_studio_alpha(sv_studio *studio, sv_error *err) {
    size_t n_s = (size_t)studio->n_s;
    sv_draw d = sv_draw_stream(studio->seed, SV_DRAW_ALPHA);
    float *wander = sv_calloc(n_s, sizeof *wander), *on = sv_calloc(n_s, sizeof *on),
          *envelope = sv_calloc(n_s, sizeof *envelope);
    float *front = sv_calloc(studio->n, sizeof *front), *back = sv_calloc(studio->n, sizeof *back);
    sv_status s = SV_OK;
    if (!wander || !on || !envelope || !front || !back) {
        s = sv_fail_memory(err, "alpha rhythm", studio->n * sizeof *front);
    } else {
        sv_draw_wander(&d, 25, 1, wander, n_s);
        switch_on_and_off(studio, &d, wander, on);
        sv_sim_smooth(on, n_s, 3, envelope);
        sv_draw_wander(&d, 3, 0.25, wander, n_s);
        for (size_t t = 0; t < n_s; t++) {
            envelope[t] *= (float)(exp((double)wander[t]) * size_at(studio->course, (int)t));
        }
        if (studio->subject->alpha_generator >= 0.5) s = note_runs(studio, on, err);
        if (!s) s = fill(studio, &d, envelope, front, back, err);
    }
    free(wander);
    free(on);
    free(envelope);
    free(front);
    free(back);
    return s;
}
