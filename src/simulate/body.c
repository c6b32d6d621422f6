/* body.c - what the body adds: muscle in EEG and EOG, movements and drift of the electrodes, the chin (nano-recipe S4,
 * S5). */
#include <math.h>

#include "base/memory.h"
#include "simulate/noise.h"

static double muscle_shape(double hz, const void *context) {
    (void)context; /* amplitude falls off below 22 Hz with 24 dB an octave */
    double amplitude = 1 / (1 + pow(22 / fmax(hz, 0.1), 4));
    return amplitude * amplitude;
}
static double movement_shape(double hz, const void *context) {
    (void)context;
    double low = (hz - 0.7) / 0.8, amplitude = exp(-0.5 * low * low) + 0.15 / (1 + hz * hz / 9);
    return amplitude * amplitude;
}
static double drift_shape(double hz, const void *context) {
    (void)context;
    double low = (hz - 0.5) / 0.55, amplitude = exp(-0.5 * low * low) + 0.1 / (1 + hz * hz / 4);
    return amplitude * amplitude;
}
static double chin_shape(double hz, const void *context) {
    (void)context; /* surface EMG: little below 10 Hz, broad up to 100 and more */
    double low = hz / 12;
    return low * low / (1 + low * low) / (1 + pow(hz / 140, 4));
}

/* Adds envelope * uv * gains[c] * noise, of which channels share a part. */
typedef struct layer {
    sv_noise_shape *shape;
    sv_draw_purpose purpose;
    const float *envelope;  /* [n_s] */
    double uv, common, own; /* amplitudes of the shared and the separate part */
    double gains[SV_SIM_HEAD_ROLES];
    bool own_uv_spread; /* each channel's size is drawn anew */
} layer;

static sv_status add_layer(sv_studio *studio, const layer *l, float *common, float *own, sv_error *err) {
    sv_draw d = sv_draw_stream(studio->seed, l->purpose);
    sv_status s = sv_noise_fill(studio, &d, l->shape, NULL, l->envelope, common, err);
    for (int c = 0; c < SV_SIM_HEAD_ROLES && !s; c++) {
        double uv = l->own_uv_spread ? sv_draw_log_normal(&d, l->uv, 0.5) : l->uv;
        float from_common = (float)(uv * l->gains[c] * l->common), from_own = (float)(uv * l->gains[c] * l->own);
        s = sv_noise_fill(studio, &d, l->shape, NULL, l->envelope, own, err);
        for (size_t i = 0; i < studio->n && !s; i++) {
            float e = (float)sv_studio_between(studio, l->envelope, i);
            studio->x[c][i] += e * (from_common * common[i] + from_own * own[i]);
        }
    }
    return s;
}

static sv_status add_layers(sv_studio *studio, const layer *layers, int n, sv_error *err) {
    float *common = sv_calloc(studio->n, sizeof *common), *own = sv_calloc(studio->n, sizeof *own);
    sv_status s = common && own ? SV_OK : sv_fail_memory(err, "noise", studio->n * sizeof *own);
    for (int i = 0; i < n && !s; i++) s = add_layer(studio, &layers[i], common, own, err);
    free(common);
    free(own);
    return s;
}

/* ---- muscle */

/* A level for every state; eyes open and closed apart. */
static double by_state(const sv_sim_course *c, int t, double open, double closed, double n1, double asleep) {
    if (c->state[t] == SV_STAGE_W) return c->eyes_open[t] ? open : closed;
    return c->state[t] == SV_STAGE_N1 ? n1 : asleep;
}

static void tense(sv_studio *studio, sv_draw *d, float *wander, float *burst) {
    const sv_sim_course *c = studio->course;
    double in_burst = sv_draw_uniform(d, 1, 3), in_arousal = sv_draw_uniform(d, 0.2, 0.9);
    double in_movement = sv_draw_uniform(d, 2, 6), chin_burst = sv_draw_uniform(d, 0.5, 3);
    double chin_arousal = sv_draw_uniform(d, 0.8, 3), chin_movement = sv_draw_uniform(d, 2, 8);
    sv_draw_wander(d, 6, 0.6, wander, (size_t)studio->n_s);
    sv_draw_wander(d, 5, 1, burst, (size_t)studio->n_s);
    for (int t = 0; t < studio->n_s; t++) {
        bool bursts = burst[t] > 1.2f && c->state[t] == SV_STAGE_W;
        double eeg = by_state(c, t, 1, 0.35, 0.12, 0.03) * exp((double)wander[t]);
        eeg += bursts * in_burst + c->arousal[t] * in_arousal + c->movement[t] * in_movement;
        studio->muscle[t] = (float)eeg;
        studio->chin_level[t] =
            (float)(1 + bursts * chin_burst + c->arousal[t] * chin_arousal + c->movement[t] * chin_movement);
    }
}

sv_status sv_studio_muscle(sv_studio *studio, sv_error *err) {
    sv_draw d = sv_draw_stream(studio->seed, SV_DRAW_TENSION);
    size_t n_s = (size_t)studio->n_s;
    float *wander = sv_calloc(n_s, sizeof *wander), *burst = sv_calloc(n_s, sizeof *burst);
    sv_status s = wander && burst ? SV_OK : sv_fail_memory(err, "muscle", n_s * sizeof *burst);
    if (!s) {
        tense(studio, &d, wander, burst);
        sv_sim_smooth(studio->muscle, n_s, 3, wander);
        layer l = {muscle_shape,
                   SV_DRAW_MUSCLE,
                   wander,
                   0.8 * studio->subject->muscle_uv,
                   0.5,
                   0.85,
                   {1.1, 0.8, 0.9, 1.3, 1.3},
                   false};
        s = add_layers(studio, &l, 1, err);
    }
    free(wander);
    free(burst);
    return s;
}

/* ---- movements, drift */

sv_status sv_studio_movement(sv_studio *studio, sv_error *err) {
    const sv_sim_course *c = studio->course;
    size_t n_s = (size_t)studio->n_s;
    sv_draw d = sv_draw_stream(studio->seed, SV_DRAW_SWAY);
    float *moving = sv_calloc(n_s, sizeof *moving), *moves = sv_calloc(n_s, sizeof *moves);
    float *drifting = sv_calloc(n_s, sizeof *drifting), *drifts = sv_calloc(n_s, sizeof *drifts);
    sv_status s = SV_OK;
    if (!moving || !moves || !drifting || !drifts) {
        s = sv_fail_memory(err, "movements", n_s * sizeof *drifts);
    } else {
        sv_draw_wander(&d, 8, 0.8, drifting, n_s);
        for (int t = 0; t < studio->n_s; t++) {
            moving[t] = c->movement[t];
            drifting[t] = (float)(by_state(c, t, 1, 0.35, 0.03, 0.03) * exp((double)drifting[t]));
        }
        sv_sim_smooth(moving, n_s, 3, moves);
        sv_sim_smooth(drifting, n_s, 5, drifts);
        const layer layers[] = {{movement_shape, SV_DRAW_MOVEMENT, moves, 75, 0.6, 0.8, {1, 1, 1, 1, 1}, true},
                                {drift_shape,
                                 SV_DRAW_DRIFT,
                                 drifts,
                                 studio->subject->drift_uv,
                                 0.6,
                                 0.8,
                                 {1.2, 0.8, 0.8, 1.2, 1.2},
                                 false}};
        s = add_layers(studio, layers, 2, err);
    }
    free(moving);
    free(moves);
    free(drifting);
    free(drifts);
    return s;
}

/* ---- chin */

static void set_tone(const sv_studio *studio, sv_draw *d, float *slow, float *fast, float *tone) {
    const sv_sim_course *c = studio->course;
    sv_draw_wander(d, 40, 0.18, slow, (size_t)studio->n_s);
    sv_draw_wander(d, 2, 0.12, fast, (size_t)studio->n_s);
    for (int t = 0; t < studio->n_s; t++) {
        double level = 0;
        for (int k = 0; k < SV_N_TEXTURES; k++) level += (double)c->texture[k][t] * studio->subject->chin_levels[k];
        tone[t] = (float)(fmax(level, 1e-3) * exp((double)slow[t] + (double)fast[t]) * (double)studio->chin_level[t]);
    }
}

/* Twitches of R: 80 to 500 ms, 2 to 9 times the tone; on the sample grid. */
static sv_status twitch(sv_studio *studio, sv_draw *d, float *factor, sv_error *err) {
    static const double chin[SV_N_ROLES] = {[SV_ROLE_CHIN] = 1};
    double at_s;
    sv_status s = SV_OK;
    for (size_t i = 0; i < studio->n; i++) factor[i] = 1;
    for (int t = 0; t < studio->n_s && !s; t++) {
        double rate = studio->course->state[t] == SV_STAGE_R ? 0.02 : 0;
        if (!sv_studio_happens(d, rate, t, &at_s)) continue;
        double duration_s = sv_draw_uniform(d, 0.1, 0.5), times = sv_draw_uniform(d, 3, 9);
        size_t from = (size_t)(at_s * studio->rate_hz), to = from + (size_t)(duration_s * studio->rate_hz);
        for (size_t i = from; i < SV_MIN(to, studio->n); i++) factor[i] *= (float)times;
        double uv = 4 * times * studio->subject->chin_uv * studio->subject->chin_levels[SV_TEXTURE_R];
        s = sv_studio_note(studio, SV_EVENT_PHASIC_EMG, at_s, duration_s, NAN, uv, chin, err);
    }
    return s;
}

sv_status sv_studio_chin(sv_studio *studio, sv_error *err) {
    sv_draw d = sv_draw_stream(studio->seed, SV_DRAW_CHIN);
    size_t n_s = (size_t)studio->n_s;
    float *slow = sv_calloc(n_s, sizeof *slow), *fast = sv_calloc(n_s, sizeof *fast),
          *tone = sv_calloc(n_s, sizeof *tone), *noise = sv_calloc(studio->n, sizeof *noise),
          *factor = sv_calloc(studio->n, sizeof *factor);
    sv_status s = SV_OK;
    if (!slow || !fast || !tone || !noise || !factor) {
        s = sv_fail_memory(err, "chin", studio->n * sizeof *noise);
    } else {
        set_tone(studio, &d, slow, fast, tone);
        sv_sim_smooth(tone, n_s, 3, slow);
        s = twitch(studio, &d, factor, err);
    }
    if (!s) s = sv_noise_fill(studio, &d, chin_shape, NULL, NULL, noise, err);
    /* the spectrum is broad: a recorder of a higher rate sees more of it */
    double uv = studio->subject->chin_uv * 1.1, band = sqrt(fmin(studio->rate_hz, 280) / 100.0);
    for (size_t i = 0; i < studio->n && !s; i++) {
        double level = sv_studio_between(studio, slow, i) * (double)factor[i];
        double floor_uv = sv_draw_normal(&d, 0, studio->subject->chin_floor_uv);
        studio->x[SV_ROLE_CHIN][i] += (float)(band * uv * level * (double)noise[i] + floor_uv);
    }
    free(slow);
    free(fast);
    free(tone);
    free(noise);
    free(factor);
    return s;
}
