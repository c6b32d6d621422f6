/* course.c - semi-Markov in seconds: bouts are no multiples of 30 s, so that mixed epochs come by themselves
 * (nano-recipe S1). */
#include "simulate/course.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "simulate/draw.h"
#include "sleep/stages.h"

static const double pi = 3.14159265358979323846;

/* ---- bouts */

typedef struct bout {
    sv_stage state;
    double duration_s;
} bout;

typedef struct itinerary {
    const sv_sim_subject *subject;
    sv_draw d;
    bout *bouts;
    size_t n, capacity;
    double at_s, end_s; /* of the night */
    bool failed;
} itinerary;

static double dwell(itinerary *t, double median_epochs, double sigma) {
    return fmax(0.6, sv_draw_log_normal(&t->d, median_epochs, sigma));
}

static void stay(itinerary *t, sv_stage state, double epochs) {
    double duration_s = fmax(12, 30 * epochs + sv_draw_uniform(&t->d, -15, 15));
    if (!sv_grow(&t->bouts, t->n, &t->capacity, sizeof *t->bouts)) {
        t->failed = true;
        t->at_s = t->end_s;
        return;
    }
    t->bouts[t->n++] = (bout){state, duration_s};
    t->at_s += duration_s;
}

static void stay_awake(itinerary *t) {
    double u = sv_draw_unit(&t->d);
    stay(t, SV_STAGE_W, u < 0.62 ? dwell(t, 1.3, 0.4) : u < 0.9 ? dwell(t, 4, 0.5) : dwell(t, 16, 0.6));
}

static sv_stage after_light(itinerary *t, double to_deep, double to_n1, double to_wake) {
    double u = sv_draw_unit(&t->d);
    if (u < to_deep) return SV_STAGE_N3;
    if (u < to_deep + to_n1) return SV_STAGE_N1;
    return u < to_deep + to_n1 + to_wake ? SV_STAGE_W : SV_STAGE_N2;
}

static void nrem_period(itinerary *t, int cycle) {
    /* how likely a bout of N2 leads to N3, by cycle */
    static const double to_deep[] = {0.62, 0.45, 0.28, 0.12, 0.05, 0.03};
    double f = t->subject->fragmentation, deep = t->subject->n3_propensity;
    double end_s = t->at_s + 30 * fmax(60, sv_draw_normal(&t->d, cycle == 1 ? 165 : 150, 32));
    double p_deep = to_deep[SV_MIN(cycle, (int)SV_COUNT(to_deep)) - 1] * deep;
    sv_stage state = SV_STAGE_N1;
    while (t->at_s < fmin(t->end_s, end_s)) {
        switch (state) {
            case SV_STAGE_N1:
                stay(t, SV_STAGE_N1, dwell(t, cycle == 1 ? 2.8 : 1.9, 0.6));
                state = sv_draw_chance(&t->d, 0.78 - 0.12 * (f - 1)) ? SV_STAGE_N2 : SV_STAGE_W;
                break;
            case SV_STAGE_W:
                stay_awake(t);
                state = sv_draw_chance(&t->d, 0.92) ? SV_STAGE_N1 : SV_STAGE_N2;
                break;
            case SV_STAGE_N2:
                stay(t, SV_STAGE_N2, dwell(t, 7.5 / sqrt(f), 0.85));
                state = after_light(t, p_deep, 0.22 * f, 0.11 * f);
                break;
            default:
                stay(t, SV_STAGE_N3, dwell(t, (cycle == 1 ? 13 : 10) * sqrt(deep), 0.8));
                state =
                    sv_draw_chance(&t->d, 0.93) ? SV_STAGE_N2 : (sv_draw_chance(&t->d, 0.5) ? SV_STAGE_W : SV_STAGE_N1);
        }
    }
}

static void rem_period(itinerary *t, int cycle) {
    double f = t->subject->fragmentation;
    double end_s = t->at_s + 30 * fmax(5, sv_draw_normal(&t->d, 9 + 12 * SV_MIN(cycle, 4), 9));
    sv_stage state = SV_STAGE_R;
    while (t->at_s < fmin(t->end_s, end_s)) {
        switch (state) {
            case SV_STAGE_R: {
                stay(t, SV_STAGE_R, dwell(t, 11 / pow(f, 0.6), 0.8));
                double u = sv_draw_unit(&t->d);
                state = u < 0.5 ? SV_STAGE_N1 : u < 0.78 ? SV_STAGE_W : SV_STAGE_N2;
                break;
            }
            case SV_STAGE_N1:
                stay(t, SV_STAGE_N1, dwell(t, 1.8, 0.5));
                state = sv_draw_chance(&t->d, 0.72) ? SV_STAGE_R : SV_STAGE_N2;
                break;
            case SV_STAGE_W:
                stay_awake(t);
                state = sv_draw_chance(&t->d, 0.8) ? SV_STAGE_N1 : SV_STAGE_R;
                break;
            default: stay(t, SV_STAGE_N2, dwell(t, 2.5, 0.6)); state = SV_STAGE_R;
        }
    }
}

static void travel(itinerary *t) {
    stay(t, SV_STAGE_W, sv_draw_uniform(&t->d, 6, fmin(45, 6 + t->end_s / 30 * 0.05)));
    for (int cycle = 1; t->at_s < t->end_s; cycle++) {
        nrem_period(t, cycle);
        if (t->at_s < t->end_s) rem_period(t, cycle);
    }
}

/* ---- depth */

/* Depth of one bout over m seconds; wander is a unit Ornstein-Uhlenbeck process. */
static void bout_depth(sv_draw *d, const sv_sim_subject *subject, const bout *b, const bout *before, const bout *after,
                       int m, const float *wander, float *out) {
    const double border = 0.36; /* of N2 where it meets N3 */
    if (b->state == SV_STAGE_N2) {
        double base = sv_draw_uniform(d, 0.05, 0.3), fall = sv_draw_uniform(d, 30, 120),
               rise = sv_draw_uniform(d, 60, 240);
        for (int i = 0; i < m; i++) {
            double depth = base + 0.06 * (double)wander[i];
            if (before && before->state == SV_STAGE_N3) depth += (border - base) * exp(-i / fall);
            if (after && after->state == SV_STAGE_N3) depth += (border - base) * exp(-(m - i) / rise);
            out[i] = (float)fmin(fmax(depth, 0), 0.46);
        }
    }
    if (b->state == SV_STAGE_N3) {
        double top = sv_draw_uniform(d, 0.68, 1.02) * fmin(fmax(0.75 + 0.3 * subject->n3_propensity, 0.7), 1.1);
        double tau = sv_draw_uniform(d, 40, 150);
        top = fmin(fmax(top, 0.65), 1.05);
        for (int i = 0; i < m; i++) {
            double depth = 0.6 + (top - 0.6) * (1 - exp(-(i + 10) / tau)) + 0.05 * (double)wander[i];
            out[i] = (float)fmin(fmax(depth, 0.5), 1.05);
        }
    }
}

static void lay_out(const itinerary *t, uint64_t seed, float *wander, sv_sim_course *c) {
    sv_draw d = sv_draw_stream(seed, SV_DRAW_DEPTH);
    sv_draw_wander(&d, 60, 1, wander, (size_t)c->n_s);
    int at = 0;
    for (size_t k = 0; k < t->n && at < c->n_s; k++) {
        const bout *b = &t->bouts[k];
        int m = SV_MIN((int)lround(b->duration_s), c->n_s - at);
        memset(c->state + at, b->state, (size_t)m);
        bout_depth(&d, t->subject, b, k ? b - 1 : NULL, k + 1 < t->n ? b + 1 : NULL, m, wander + at, c->depth + at);
        at += m;
    }
}

/* ---- eyes, arousals, movements */

static void open_eyes(uint64_t seed, const sv_sim_subject *subject, sv_sim_course *c) {
    sv_draw d = sv_draw_stream(seed, SV_DRAW_EYELIDS);
    for (int at = 0; at < c->n_s;) {
        bool open = sv_draw_chance(&d, subject->eyes_open_share);
        int n = 5 + (int)fmax(0.6, sv_draw_log_normal(&d, 45, 0.8));
        for (int i = at; i < SV_MIN(at + n, c->n_s); i++) c->eyes_open[i] = open && c->state[i] == SV_STAGE_W;
        at += n;
    }
}

static sv_status mark(bool *flags, int n_s, int from, int n, sv_event_kind kind, unsigned roles, double onset_s,
                      sv_events *events, sv_error *err) {
    n = SV_MIN(n, n_s - from);
    for (int i = from; i < from + n; i++) flags[i] = true;
    return sv_events_add(events,
                         &(sv_event){.kind = kind,
                                     .roles = roles,
                                     .onset_s = onset_s,
                                     .duration_s = fmin(n, n_s - onset_s),
                                     .frequency_hz = NAN,
                                     .amplitude_uv = NAN},
                         err);
}

static bool any(const bool *flags, int n_s, int from, int to) {
    for (int i = SV_MAX(from, 0); i < SV_MIN(to, n_s); i++) {
        if (flags[i]) return true;
    }
    return false;
}

/* Seconds of sleep that lie before `at` without a break: an arousal needs ten (AASM). */
static bool asleep_for(const sv_sim_course *c, int at, int seconds) {
    for (int i = at - seconds; i <= at; i++) {
        if (i < 0 || c->state[i] == SV_STAGE_W) return false;
    }
    return true;
}

static sv_status rouse(uint64_t seed, const sv_sim_subject *subject, sv_sim_course *c, sv_events *events,
                       sv_error *err) {
    static const double arousal[] = {0, 1.6, 1, 0.25, 0.9}, movement[] = {12, 3, 1, 0.4, 1}; /* by state */
    const unsigned all = (1u << SV_N_ROLES) - 1;
    sv_draw d = sv_draw_stream(seed, SV_DRAW_AROUSALS);
    sv_status s = SV_OK;
    for (int t = 0; t < c->n_s && !s; t++) {
        double hour = subject->arousals_per_hour / 3600 * arousal[c->state[t]], u = sv_draw_unit(&d);
        if (u >= hour || !asleep_for(c, t, 10)) continue;
        int n = (int)sv_draw_uniform(&d, 3, 13);
        if (any(c->arousal, c->n_s, t - 10, t + n + 5)) continue;
        s = mark(c->arousal, c->n_s, t, n, SV_EVENT_AROUSAL, all, t, events, err);
        if (!s && sv_draw_chance(&d, 0.18)) {
            int moving = (int)sv_draw_uniform(&d, 2, n + 6);
            s = mark(c->movement, c->n_s, t, moving, SV_EVENT_BODY_MOVEMENT, all, t, events, err);
        }
    }
    for (int t = 0; t < c->n_s && !s; t++) {
        bool wake = c->state[t] == SV_STAGE_W;
        double rate = (c->eyes_open[t] ? 30 : movement[c->state[t]]) * subject->movements_per_hour / 2.2 / 3600;
        if (sv_draw_unit(&d) >= rate || any(c->movement, c->n_s, t - 3, t + 2)) continue;
        int n = (int)sv_draw_uniform(&d, 2, wake ? 22 : 16);
        for (int i = 0; i < n; i++) n = any(c->movement, c->n_s, t + i, t + i + 3) ? i : n;
        if (n >= 2) s = mark(c->movement, c->n_s, t, n, SV_EVENT_BODY_MOVEMENT, all, t, events, err);
    }
    return s;
}

/* ---- weights of the spectral templates */

static void raw_weights(const sv_sim_course *c, int t, double w[SV_N_TEXTURES]) {
    double depth = (double)c->depth[t];
    for (int k = 0; k < SV_N_TEXTURES; k++) w[k] = 0;
    switch (c->state[t]) {
        case SV_STAGE_W: w[c->eyes_open[t] ? SV_TEXTURE_W_OPEN : SV_TEXTURE_W_CLOSED] = 1; break;
        case SV_STAGE_N1: w[SV_TEXTURE_N1] = 1; break;
        case SV_STAGE_R: w[SV_TEXTURE_R] = 1; break;
        default: w[SV_TEXTURE_LIGHT] = 1 - depth; w[SV_TEXTURE_DEEP] = depth;
    }
    if (!c->arousal[t]) return;
    for (int k = 0; k < SV_N_TEXTURES; k++) w[k] *= 0.45;
    w[SV_TEXTURE_W_CLOSED] += 0.55;
}

void sv_sim_smooth(const float *x, size_t n, int width, float *out) {
    double window[64], sum = 0;
    int half = width / 2;
    for (int i = 0; i < width; i++) {
        window[i] = 0.5 - 0.5 * cos(2 * pi * (i + 1) / (width + 1));
        sum += window[i];
    }
    for (size_t t = 0; t < n; t++) {
        double y = 0;
        for (int i = 0; i < width; i++) {
            int64_t at = (int64_t)t + i - half;
            at = SV_MAX(0, SV_MIN(at, (int64_t)n - 1));
            y += window[i] * (double)x[at];
        }
        out[t] = (float)(y / sum);
    }
}

static void weigh(uint64_t seed, sv_sim_course *c, float *scratch) {
    sv_draw d = sv_draw_stream(seed, SV_DRAW_TEXTURES);
    for (int k = 0; k < SV_N_TEXTURES; k++) {
        int width = 5 + 2 * (int)sv_draw_uniform(&d, 0, 3);
        for (int t = 0; t < c->n_s; t++) {
            double w[SV_N_TEXTURES];
            raw_weights(c, t, w);
            scratch[t] = (float)w[k];
        }
        sv_sim_smooth(scratch, (size_t)c->n_s, width, c->texture[k]);
    }
    for (int t = 0; t < c->n_s; t++) {
        float sum = 0;
        for (int k = 0; k < SV_N_TEXTURES; k++) sum += c->texture[k][t];
        for (int k = 0; k < SV_N_TEXTURES; k++) c->texture[k][t] /= sum;
    }
}

/* ---- all of it */

static bool allocate(sv_sim_course *c) {
    size_t n = (size_t)c->n_s;
    bool ok = (c->state = sv_calloc(n, 1)) && (c->depth = sv_calloc(n, sizeof *c->depth)) &&
              (c->eyes_open = sv_calloc(n, 1)) && (c->arousal = sv_calloc(n, 1)) && (c->movement = sv_calloc(n, 1));
    for (int k = 0; k < SV_N_TEXTURES && ok; k++) ok = (c->texture[k] = sv_calloc(n, sizeof(float))) != NULL;
    return ok;
}

void sv_sim_course_free(sv_sim_course *c) {
    free(c->state);
    free(c->depth);
    free(c->eyes_open);
    free(c->arousal);
    free(c->movement);
    for (int k = 0; k < SV_N_TEXTURES; k++) free(c->texture[k]);
    *c = (sv_sim_course){0};
}

sv_status sv_sim_course_make(uint64_t seed, const sv_sim_subject *subject, int n_epochs, sv_sim_course *out,
                             sv_events *events, sv_error *err) {
    itinerary t = {.subject = subject, .d = sv_draw_stream(seed, SV_DRAW_COURSE), .end_s = 30.0 * n_epochs};
    *out = (sv_sim_course){.n_s = 30 * n_epochs};
    travel(&t);
    float *scratch = sv_calloc((size_t)out->n_s, sizeof *scratch);
    sv_status s = SV_OK;
    if (t.failed || !scratch || !allocate(out)) {
        s = sv_fail_memory(err, "course of the night", (size_t)out->n_s);
    } else {
        lay_out(&t, seed, scratch, out);
        open_eyes(seed, subject, out);
        s = rouse(seed, subject, out, events, err);
    }
    if (!s) weigh(seed, out, scratch);
    free(scratch);
    free(t.bouts);
    if (s) sv_sim_course_free(out);
    return s;
}
