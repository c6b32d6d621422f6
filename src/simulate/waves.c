/* waves.c - the graphic elements of NREM sleep: spindles, K-complexes, slow waves, vertex waves, theta bursts
 * (nano-recipe S3). */
#include <math.h>

#include "base/memory.h"
#include "simulate/studio.h"

static const double pi = 3.14159265358979323846;

enum { MAX_WAVE_S = 4, MAX_RATE_HZ = 512 };
typedef struct wave {
    size_t n;
    float y[MAX_WAVE_S * MAX_RATE_HZ];
} wave;

static void set_length(wave *w, const sv_studio *studio, double duration_s) {
    w->n = SV_MIN((size_t)(duration_s * studio->rate_hz), SV_COUNT(w->y));
}

static double bell(double t, double sigma) { return exp(-0.5 * (t / sigma) * (t / sigma)); }

/* ---- spindles */

/* Half of the peak-to-peak amplitude below which nobody would see a spindle: none is put in. */
static const double least_spindle_uv = 8;

typedef struct spindle {
    double duration_s, hz, chirp_hz_s, phase, power, uv;
} spindle;

static void shape_spindle(const sv_studio *studio, const spindle *s, wave *w) {
    set_length(w, studio, s->duration_s);
    for (size_t i = 0; i < w->n; i++) {
        double t = (double)i / studio->rate_hz, from_middle = t - s->duration_s / 2;
        double envelope = pow(fmax(sin(pi * t / s->duration_s), 0), s->power);
        double angle = 2 * pi * (s->hz * t + 0.5 * s->chirp_hz_s * from_middle * from_middle) + s->phase;
        w->y[i] = (float)(s->uv * envelope * sin(angle));
    }
}

static sv_status put_spindle(sv_studio *studio, sv_draw *d, double at_s, wave *w, sv_error *err) {
    const sv_sim_subject *subject = studio->subject;
    spindle s = {.duration_s = fmin(fmax(sv_draw_log_normal(d, 0.95, 0.35), 0.5), 2.2),
                 .hz = subject->spindle_hz + sv_draw_normal(d, 0, 0.45),
                 .chirp_hz_s = sv_draw_normal(d, -0.7, 0.5),
                 .phase = sv_draw_uniform(d, 0, 2 * pi),
                 .power = sv_draw_uniform(d, 0.8, 1.6),
                 .uv = fmax(least_spindle_uv, subject->spindle_uv * sv_draw_log_normal(d, 1, 0.25))};
    bool slow = s.hz < 12.6; /* slow spindles are frontal, fast ones central */
    double gains[SV_N_ROLES] = {slow ? sv_draw_uniform(d, 0.8, 1.1) : sv_draw_uniform(d, 0.5, 0.8),
                                slow ? sv_draw_uniform(d, 0.6, 0.9) : 1,
                                slow ? sv_draw_uniform(d, 0.15, 0.4) : sv_draw_uniform(d, 0.3, 0.6)};
    gains[SV_ROLE_LOC] = gains[SV_ROLE_ROC] = 0.2 * gains[0];
    shape_spindle(studio, &s, w);
    sv_studio_add(studio, at_s, w->y, w->n, gains);
    return sv_studio_note(studio, SV_EVENT_SPINDLE, at_s, s.duration_s, s.hz, 2 * s.uv, gains, err);
}

/* ---- K-complexes */

/* They stand out from the background by definition (AASM): none is smaller than this, peak to peak. */
static const double least_k_complex_uv = 100;

static sv_status put_k_complex(sv_studio *studio, sv_draw *d, double at_s, wave *w, sv_error *err) {
    double k = sv_draw_uniform(d, 0.85, 1.25);
    double uv = fmax(least_k_complex_uv, studio->subject->k_complex_uv * sv_draw_log_normal(d, 1, 0.2));
    double gains[SV_N_ROLES] = {1, sv_draw_uniform(d, 0.7, 0.95), sv_draw_uniform(d, 0.3, 0.6), 0.55, 0.55};
    double low = 0, high = 0;
    set_length(w, studio, 2.2);
    for (size_t i = 0; i < w->n; i++) {
        double t = (double)i / studio->rate_hz - 0.45 * k;
        double y = -0.58 * bell(t, 0.085 * k) + 0.5 * bell(t - 0.36 * k, 0.15 * k) - 0.08 * bell(t - 0.9 * k, 0.2);
        low = fmin(low, y);
        high = fmax(high, y);
        w->y[i] = (float)(uv * y);
    }
    sv_studio_add(studio, at_s, w->y, w->n, gains);
    /* seen from where the negative wave leaves the line to where the positive one returns to it */
    return sv_studio_note(studio, SV_EVENT_K_COMPLEX, at_s + 0.23 * k, 0.95 * k, 1 / (0.95 * k), uv * (high - low),
                          gains, err);
}

/* ---- when spindles and K-complexes come */

static double spindle_rate(const sv_studio *studio, int t) {
    double depth = (double)studio->course->depth[t], per_s = studio->subject->spindles_per_min / 60;
    if (studio->course->arousal[t]) return 0;
    if (studio->course->state[t] == SV_STAGE_N2) return per_s * (1 - 0.5 * fmin(fmax((depth - 0.2) / 0.3, 0), 1));
    return studio->course->state[t] == SV_STAGE_N3 ? per_s * 0.35 * (1.1 - depth) : 0;
}

static double k_complex_rate(const sv_studio *studio, int t) {
    double depth = (double)studio->course->depth[t];
    if (studio->course->state[t] != SV_STAGE_N2 || studio->course->arousal[t]) return 0;
    return studio->subject->k_complexes_per_min / 60 * (1 - 0.8 * fmin(fmax((depth - 0.15) / 0.2, 0), 1));
}

/* N2 that does not follow N3 begins with one of the two within ten seconds, for that is how it is recognised; and sleep
 * that an arousal has not ended for good often shows itself in the same way. */
static double onset_chance(const sv_sim_course *c, int t) {
    if (t == 0 || c->state[t] != SV_STAGE_N2) return 0;
    if (c->state[t - 1] != SV_STAGE_N2 && c->state[t - 1] != SV_STAGE_N3) return 1;
    return c->arousal[t - 1] && !c->arousal[t] ? 0.9 : 0;
}

typedef struct agenda {
    double spindle_s, k_complex_s; /* due once, after an onset; INFINITY: none */
    double last_spindle_s, last_k_complex_s;
} agenda;

static sv_status spindles_of(sv_studio *studio, sv_draw *d, agenda *a, int t, wave *w, sv_error *err) {
    double at_s;
    bool due = floor(a->spindle_s) <= t, by_chance = sv_studio_happens(d, spindle_rate(studio, t), t, &at_s);
    if (due) {
        at_s = a->spindle_s;
        a->spindle_s = INFINITY;
    }
    if ((!due && !by_chance) || at_s - a->last_spindle_s < 2.2) return SV_OK;
    a->last_spindle_s = at_s;
    return put_spindle(studio, d, at_s, w, err);
}

static sv_status k_complexes_of(sv_studio *studio, sv_draw *d, agenda *a, int t, wave *w, sv_error *err) {
    double at_s;
    bool due = floor(a->k_complex_s) <= t, by_chance = sv_studio_happens(d, k_complex_rate(studio, t), t, &at_s);
    bool with_spindle = sv_draw_chance(d, 0.35);
    if (due) {
        at_s = a->k_complex_s;
        a->k_complex_s = INFINITY;
    }
    if ((!due && !by_chance) || at_s - a->last_k_complex_s < 2) return SV_OK;
    a->last_k_complex_s = at_s;
    if (with_spindle) a->spindle_s = at_s + 0.9;
    return put_k_complex(studio, d, at_s, w, err);
}

sv_status sv_studio_spindles_and_k_complexes(sv_studio *studio, sv_error *err) {
    sv_draw spindles = sv_draw_stream(studio->seed, SV_DRAW_SPINDLES);
    sv_draw k_complexes = sv_draw_stream(studio->seed, SV_DRAW_K_COMPLEXES);
    agenda a = {INFINITY, INFINITY, -9, -9};
    wave w;
    sv_status s = SV_OK;
    for (int t = 0; t < studio->n_s && !s; t++) {
        if (sv_draw_chance(&k_complexes, onset_chance(studio->course, t))) {
            double due_s = t + sv_draw_uniform(&k_complexes, 0.5, 9);
            if (sv_draw_chance(&k_complexes, 0.55))
                a.k_complex_s = due_s;
            else
                a.spindle_s = due_s;
        }
        s = k_complexes_of(studio, &k_complexes, &a, t, &w, err);
        if (!s) s = spindles_of(studio, &spindles, &a, t, &w, err);
    }
    return s;
}

/* ---- slow waves */

/* Share of the time that they fill. */
static double slow_wave_share(const sv_sim_course *c, int t) {
    double depth = (double)c->depth[t], share = 0;
    if (c->state[t] == SV_STAGE_N3) share = 0.34 + 0.38 * fmin(fmax((depth - 0.5) / 0.5, 0), 1.1);
    if (c->state[t] == SV_STAGE_N2) share = 0.8 * pow(fmax(depth - 0.1, 0), 1.1);
    return c->arousal[t] ? 0.2 * share : share;
}

static double put_slow_wave(sv_studio *studio, sv_draw *d, double at_s, bool there, wave *w) {
    const sv_sim_subject *s = studio->subject;
    double period_s = fmin(fmax(sv_draw_log_normal(d, s->slow_wave_period_s, 0.22), 0.55), 1.9);
    double depth = fmin(fmax((double)studio->course->depth[(int)at_s], 0), 1);
    double trough = sv_draw_uniform(d, 0.38, 0.52), down = sv_draw_uniform(d, 0.85, 1.2),
           up = sv_draw_uniform(d, 0.7, 1);
    double uv = fmax(s->slow_wave_min_uv, sv_draw_log_normal(d, 84 * s->slow_wave_gain, 0.28) * (0.85 + 0.3 * depth));
    /* a large wave by itself in light sleep would be a K-complex */
    double light = fmin(fmax((0.42 - depth) / 0.14, 0), 1);
    uv = fmin(uv, 300 - light * 235);
    double ripple = sv_draw_chance(d, 0.3) ? sv_draw_normal(d, 0, 0.25) : 0, phase = sv_draw_uniform(d, 0, 6);
    double gains[SV_N_ROLES] = {1, s->slow_wave_central * sv_draw_uniform(d, 0.85, 1.12),
                                s->slow_wave_occipital * sv_draw_uniform(d, 0.8, 1.2), 0.6 * s->eog_share[0],
                                0.6 * s->eog_share[1]};
    if (!there) return period_s;
    set_length(w, studio, period_s);
    for (size_t i = 0; i < w->n; i++) {
        double x = (double)i / (double)w->n;
        double y = x < trough ? -sin(pi * x / trough) * down : sin(pi * (x - trough) / (1 - trough)) * up;
        w->y[i] = (float)(uv / 2 * (y + ripple * sin(4 * pi * x + phase)));
    }
    sv_studio_add(studio, at_s, w->y, w->n, gains);
    return period_s;
}

/* A renewal process: a wave, or a pause as long as one. What becomes visible is measured later, not noted here. */
sv_status sv_studio_slow_waves(sv_studio *studio, sv_error *err) {
    sv_draw d = sv_draw_stream(studio->seed, SV_DRAW_SLOW_WAVES);
    wave w;
    (void)err;
    for (double at_s = 0; at_s < studio->n_s - 2;) {
        double share = slow_wave_share(studio->course, (int)at_s);
        if (share < 0.004)
            at_s = floor(at_s) + 1;
        else
            at_s += put_slow_wave(studio, &d, at_s, sv_draw_chance(&d, share), &w);
    }
    return SV_OK;
}

/* ---- vertex waves and theta bursts */

static sv_status put_vertex_wave(sv_studio *studio, sv_draw *d, double at_s, wave *w, sv_error *err) {
    double uv = sv_draw_log_normal(d, 60, 0.35),
           gains[SV_N_ROLES] = {0.65, sv_draw_uniform(d, 0.8, 1), 0.25, 0.25, 0.25};
    set_length(w, studio, 0.5);
    for (size_t i = 0; i < w->n; i++) {
        double t = (double)i / studio->rate_hz - 0.18;
        w->y[i] = (float)(uv * (0.25 * bell(t + 0.09, 0.035) - bell(t, 0.042) + 0.35 * bell(t - 0.13, 0.06)));
    }
    sv_studio_add(studio, at_s, w->y, w->n, gains);
    return sv_studio_note(studio, SV_EVENT_VERTEX_WAVE, at_s + 0.06, 0.3, NAN, 1.35 * uv, gains, err);
}

static sv_status put_theta(sv_studio *studio, sv_draw *d, double at_s, wave *w, sv_error *err) {
    static const double gains[SV_N_ROLES] = {0.8, 1, 0.6, 0.3, 0.3};
    double duration_s = sv_draw_uniform(d, 0.5, 2.2), hz = sv_draw_uniform(d, 4, 7.2);
    double uv = sv_draw_log_normal(d, 13, 0.35);
    set_length(w, studio, duration_s);
    for (size_t i = 0; i < w->n; i++) {
        double t = (double)i / studio->rate_hz;
        w->y[i] = (float)(uv * sin(pi * t / duration_s) * sin(2 * pi * hz * t));
    }
    sv_studio_add(studio, at_s, w->y, w->n, gains);
    return sv_studio_note(studio, SV_EVENT_THETA, at_s, duration_s, hz, 2 * uv, gains, err);
}

sv_status sv_studio_n1_waves(sv_studio *studio, sv_error *err) {
    static const double theta_per_min[] = {0, 5, 2.5, 0, 3}; /* by state */
    sv_draw d = sv_draw_stream(studio->seed, SV_DRAW_N1_WAVES);
    const sv_sim_course *c = studio->course;
    wave w;
    double at_s;
    sv_status s = SV_OK;
    for (int t = 0; t < studio->n_s && !s; t++) {
        bool drowsy = c->state[t] == SV_STAGE_N1, light = c->state[t] == SV_STAGE_N2 && c->depth[t] < 0.2f;
        double vertex = studio->subject->vertex_waves_per_min / 60 * (drowsy ? 1 : light ? 0.25 : 0);
        if (sv_studio_happens(&d, vertex, t, &at_s)) s = put_vertex_wave(studio, &d, at_s, &w, err);
        if (!s && sv_studio_happens(&d, theta_per_min[c->state[t]] / 60, t, &at_s)) {
            s = put_theta(studio, &d, at_s, &w, err);
        }
    }
    return s;
}
