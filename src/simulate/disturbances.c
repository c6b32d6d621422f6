/* disturbances.c - what is neither brain, eye nor muscle: heart beats, sweat, electrode pops, amplifier noise, mains
 * (nano-recipe S5). */
#include <math.h>

#include "base/memory.h"
#include "simulate/noise.h"

static const double pi = 3.14159265358979323846;

static double bell(double t, double sigma) { return exp(-0.5 * (t / sigma) * (t / sigma)); }

/* ---- heart */

enum { BEAT_SAMPLES = 512 };

static sv_status heart(sv_studio *studio) {
    const sv_sim_subject *subject = studio->subject;
    sv_draw d = sv_draw_stream(studio->seed, SV_DRAW_ECG);
    double sign = sv_draw_sign(&d), gains[SV_N_ROLES];
    for (int c = 0; c < SV_SIM_HEAD_ROLES; c++) gains[c] = sign * subject->ecg_uv * sv_draw_uniform(&d, 0.6, 1.2);
    gains[SV_ROLE_CHIN] = subject->ecg_chin_uv;
    if (subject->ecg_uv < 0.5 && subject->ecg_chin_uv <= 0) return SV_OK;
    float beat[BEAT_SAMPLES];
    size_t n = SV_MIN((size_t)(0.7 * studio->rate_hz), SV_COUNT(beat));
    for (size_t i = 0; i < n; i++) {
        double t = (double)i / studio->rate_hz - 0.3;
        beat[i] = (float)(bell(t, 0.012) - 0.25 * bell(t - 0.03, 0.012) + 0.18 * bell(t - 0.25, 0.05));
    }
    for (double at_s = 0.3; at_s < studio->n_s - 1;) {
        signed char state = studio->course->state[(int)at_s];
        double per_min = subject->heart_per_min * (state == SV_STAGE_W ? 1.12 : state >= 1 && state <= 3 ? 0.96 : 1);
        sv_studio_add(studio, at_s - 0.3, beat, n, gains);
        at_s += 60 / per_min * fmax(1 + sv_draw_normal(&d, 0, 0.03), 0.5);
    }
    return SV_OK;
}

/* ---- sweat */

static double sweat_shape(double hz, const void *context) {
    (void)context;
    return bell(hz - 0.3, 0.15) * bell(hz - 0.3, 0.15);
}

static sv_status note_sweat(sv_studio *studio, const float *envelope, sv_error *err) {
    static const double head[SV_N_ROLES] = {1, 1, 1, 1, 1};
    sv_status s = SV_OK;
    for (int t = 0; t < studio->n_s && !s; t++) {
        int from = t;
        while (t < studio->n_s && envelope[t] > 0.3f) t++;
        double uv = 2.8 * studio->subject->sweat_uv;
        if (t > from) s = sv_studio_note(studio, SV_EVENT_ARTEFACT, from, t - from, 0.3, uv, head, err);
    }
    return s;
}

static sv_status sweat(sv_studio *studio, float *wet, float *envelope, float *noise, sv_error *err) {
    sv_draw d = sv_draw_stream(studio->seed, SV_DRAW_SWEAT);
    if (studio->subject->sweat_uv <= 0) return SV_OK;
    sv_draw_wander(&d, 200, 1, wet, (size_t)studio->n_s);
    for (int t = 0; t < studio->n_s; t++) wet[t] = wet[t] > 0.9f;
    sv_sim_smooth(wet, (size_t)studio->n_s, 21, envelope);
    sv_status s = note_sweat(studio, envelope, err);
    for (int c = 0; c < SV_SIM_HEAD_ROLES && !s; c++) {
        double uv = studio->subject->sweat_uv * sv_draw_uniform(&d, 0.5, 1.2);
        s = sv_noise_fill(studio, &d, sweat_shape, NULL, envelope, noise, err);
        for (size_t i = 0; i < studio->n && !s; i++) {
            studio->x[c][i] += (float)(uv * sv_studio_between(studio, envelope, i) * (double)noise[i]);
        }
    }
    return s;
}

/* ---- electrodes and amplifier */

static sv_status pops(sv_studio *studio, sv_error *err) {
    sv_draw d = sv_draw_stream(studio->seed, SV_DRAW_POPS);
    sv_status s = SV_OK;
    double at_s;
    for (int t = 0; t < studio->n_s && !s; t++) {
        if (!sv_studio_happens(&d, studio->subject->pops_per_hour / 3600, t, &at_s)) continue;
        int c = (int)sv_draw_uniform(&d, 0, SV_N_ROLES);
        double uv = sv_draw_sign(&d) * sv_draw_uniform(&d, 60, 300), tau_s = sv_draw_uniform(&d, 0.1, 0.5);
        double gains[SV_N_ROLES] = {0};
        gains[c] = 1;
        size_t from = (size_t)(at_s * studio->rate_hz), to = SV_MIN(studio->n, from + (size_t)(2 * studio->rate_hz));
        for (size_t i = from; i < to; i++) {
            studio->x[c][i] += (float)(uv * exp(-(double)(i - from) / studio->rate_hz / tau_s));
        }
        s = sv_studio_note(studio, SV_EVENT_ARTEFACT, at_s, 3 * tau_s, NAN, fabs(uv), gains, err);
    }
    return s;
}

static void hum_and_hiss(sv_studio *studio) {
    const sv_sim_subject *subject = studio->subject;
    sv_draw d = sv_draw_stream(studio->seed, SV_DRAW_FLOOR);
    for (int c = 0; c < SV_N_ROLES; c++) {
        bool head = c < SV_SIM_HEAD_ROLES;
        double mains = head ? subject->mains_eeg_uv * sv_draw_uniform(&d, 0.4, 1.2) : subject->mains_chin_uv;
        double floor_uv = head ? subject->floor_uv : 0; /* the chin has its own */
        for (size_t i = 0; i < studio->n; i++) {
            double angle = 2 * pi * subject->mains_hz * (double)(i % (size_t)studio->rate_hz) / studio->rate_hz + 1;
            double hiss = floor_uv > 0 ? sv_draw_normal(&d, 0, floor_uv) : 0;
            studio->x[c][i] += (float)(mains * sin(angle) + hiss);
        }
    }
}

sv_status sv_studio_disturbances(sv_studio *studio, sv_error *err) {
    size_t n_s = (size_t)studio->n_s;
    float *wet = sv_calloc(n_s, sizeof *wet), *envelope = sv_calloc(n_s, sizeof *envelope),
          *noise = sv_calloc(studio->n, sizeof *noise);
    sv_status s = wet && envelope && noise ? SV_OK : sv_fail_memory(err, "noise", studio->n * sizeof *noise);
    if (!s) s = heart(studio);
    if (!s) s = sweat(studio, wet, envelope, noise, err);
    if (!s) s = pops(studio, err);
    if (!s) hum_and_hiss(studio);
    free(wet);
    free(envelope);
    free(noise);
    return s;
}
