/* adamw.c - see adamw.h. Pieces of parameters are work items; sums of squares are added in one order. */
#include "train/adamw.h"

#include <math.h>

#include "base/clones.h"
#include "base/memory.h"

#define PIECE ((size_t)16384)
#define NORM_PIECES ((size_t)64) /* whose sums are held at a time */

sv_status sv_adamw_new(const sv_trainee *t, const sv_adamw_options *options, sv_adamw *out, sv_error *err) {
    *out = (sv_adamw){.options = *options, .n_values = t->n_values};
    out->m = sv_calloc(t->n_values, sizeof *out->m);
    out->v = sv_calloc(t->n_values, sizeof *out->v);
    if (out->m && out->v) return SV_OK;
    sv_adamw_free(out);
    return sv_fail_memory(err, "state of the optimizer", 2 * t->n_values * sizeof(float));
}

void sv_adamw_free(sv_adamw *o) {
    free(o->m);
    free(o->v);
    *o = (sv_adamw){0};
}

typedef struct norm_job {
    const float *gradient;
    size_t n;
    double sums[NORM_PIECES];
} norm_job;

static void square_piece(void *context, int64_t item, int thread) {
    (void)thread;
    norm_job *j = context;
    size_t first = (size_t)item * PIECE, end = SV_MIN(first + PIECE, j->n);
    double lanes[8] = {0}; /* as many sums as a vector has places */
    for (size_t k = first; k < end; k++)
        lanes[(k - first) % SV_COUNT(lanes)] += (double)j->gradient[k] * (double)j->gradient[k];
    j->sums[item] = 0;
    for (size_t i = 0; i < SV_COUNT(lanes); i++) j->sums[item] += lanes[i];
}

double sv_gradient_norm(const sv_trainee *t, sv_pool *pool) {
    double sum = 0;
    for (size_t i = 0; i < t->n_parameters; i++) {
        const sv_parameter *p = &t->parameters[i];
        for (size_t first = 0; first < p->n; first += NORM_PIECES * PIECE) {
            norm_job j = {.gradient = p->gradient + first, .n = SV_MIN(NORM_PIECES * PIECE, p->n - first)};
            size_t n_items = (j.n + PIECE - 1) / PIECE;
            sv_pool_run(pool, (int64_t)n_items, square_piece, &j);
            for (size_t k = 0; k < n_items; k++) sum += j.sums[k];
        }
    }
    return sqrt(sum);
}

void sv_gradient_clip(sv_trainee *t, double norm, double max_norm) {
    double factor = max_norm / (norm + 1e-6);
    if (max_norm <= 0 || !(factor < 1)) return;
    for (size_t i = 0; i < t->n_parameters; i++) {
        sv_parameter *p = &t->parameters[i];
        for (size_t k = 0; k < p->n; k++) p->gradient[k] *= (float)factor;
    }
}

typedef struct update_job {
    float *value, *m, *v;
    const float *gradient;
    size_t n;
    float keep, beta1, beta2, root_correction, step, eps;
} update_job;

void sv_adamw_piece_clones(const update_job *j, size_t first, size_t end);

SV_CLONES void sv_adamw_piece_clones(const update_job *j, size_t first, size_t end) {
    float *restrict value = j->value, *restrict m = j->m, *restrict v = j->v;
    const float *restrict gradient = j->gradient;
    for (size_t i = first; i < end; i++) {
        float g = gradient[i];
        m[i] += (1 - j->beta1) * (g - m[i]);
        v[i] = j->beta2 * v[i] + (1 - j->beta2) * g * g;
        value[i] = value[i] * j->keep - j->step * (m[i] / (sqrtf(v[i]) / j->root_correction + j->eps));
    }
}

static void update_piece(void *context, int64_t item, int thread) {
    (void)thread;
    const update_job *j = context;
    size_t first = (size_t)item * PIECE;
    sv_adamw_piece_clones(j, first, SV_MIN(first + PIECE, j->n));
}

void sv_adamw_update(sv_adamw *o, sv_trainee *t, double learning_rate, sv_pool *pool) {
    const sv_adamw_options *c = &o->options;
    double n = (double)++o->n_updates;
    size_t at = 0;
    for (size_t i = 0; i < t->n_parameters; at += t->parameters[i++].n) {
        sv_parameter *p = &t->parameters[i];
        double rate = learning_rate * p->rate;
        if (p->rate == 0) continue;
        update_job j = {.value = p->value,
                        .m = o->m + at,
                        .v = o->v + at,
                        .gradient = p->gradient,
                        .n = p->n,
                        .keep = p->decays ? (float)(1 - rate * c->weight_decay) : 1,
                        .beta1 = (float)c->beta1,
                        .beta2 = (float)c->beta2,
                        .root_correction = (float)sqrt(1 - pow(c->beta2, n)),
                        .step = (float)(rate / (1 - pow(c->beta1, n))),
                        .eps = (float)c->eps};
        sv_pool_run(pool, (int64_t)((p->n + PIECE - 1) / PIECE), update_piece, &j);
    }
    sv_trainee_values_changed(t);
}
