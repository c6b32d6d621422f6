/* linear_gradient.c - dx = W^T dy, dW = dy x^T; of y = W x + s B A d(x) with h = s A d(x): dB = dy h^T, dh = s B^T dy,
 * dA = dh d(x)^T, dx += d'(A^T dh). */
#include "train/linear_gradient.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/clones.h"
#include "base/memory.h"
#include "base/random.h"
#include "tensor/backward.h"
#include "tensor/gemm.h"

/* ---- dropout */

#define DROP_COUNTERS ((size_t)64) /* whose numbers are drawn at a time, four each */
#define DROP_BLOCK (4 * DROP_COUNTERS)

typedef struct drop_job {
    const sv_dropout *dropout;
    const float *x;
    size_t x_stride, n_in;
    float *out; /* [n_rows, n_in] */
    size_t out_stride;
    bool add; /* to out, instead of setting it */
} drop_job;

void sv_drop_clones(const uint32_t *words, uint32_t limit, float scale, size_t n, const float *x, float *restrict out);
void sv_drop_add_clones(const uint32_t *words, uint32_t limit, float scale, size_t n, const float *x,
                        float *restrict out);

SV_CLONES void sv_drop_clones(const uint32_t *words, uint32_t limit, float scale, size_t n, const float *x,
                              float *restrict out) {
    for (size_t k = 0; k < n; k++) out[k] = x[k] * (words[k] < limit ? 0 : scale);
}

SV_CLONES void sv_drop_add_clones(const uint32_t *words, uint32_t limit, float scale, size_t n, const float *x,
                                  float *restrict out) {
    for (size_t k = 0; k < n; k++) out[k] += x[k] * (words[k] < limit ? 0 : scale);
}

static void drop_row(void *context, int64_t row, int thread) {
    (void)thread;
    const drop_job *j = context;
    const uint32_t key[2] = {(uint32_t)j->dropout->key, (uint32_t)(j->dropout->key >> 32)};
    const uint32_t limit = (uint32_t)fmin(ceil(j->dropout->probability * 0x1p32), UINT32_MAX);
    const float scale = (float)(1 / (1 - j->dropout->probability));
    const float *x = j->x + (size_t)row * j->x_stride;
    float *out = j->out + (size_t)row * j->out_stride;
    uint32_t words[DROP_BLOCK];
    for (size_t i = 0; i < j->n_in; i += DROP_BLOCK) {
        const uint32_t counter[4] = {(uint32_t)(i / 4), (uint32_t)row, (uint32_t)((uint64_t)row >> 32), 0x64726F70};
        sv_philox_n(counter, key, DROP_COUNTERS, words);
        (j->add ? sv_drop_add_clones : sv_drop_clones)(words, limit, scale, SV_MIN(DROP_BLOCK, j->n_in - i), x + i,
                                                       out + i);
    }
}

static void drop(const sv_dropout *dropout, const float *x, size_t x_stride, size_t n_rows, size_t n_in, float *out,
                 size_t out_stride, bool add, sv_pool *pool) {
    drop_job j = {dropout, x, x_stride, n_in, out, out_stride, add};
    sv_pool_run(pool, (int64_t)n_rows, drop_row, &j);
}

/* ---- products */

/* C += op(A) op(B) in the precision of the run. */
static void multiply(const sv_linear_space *space, size_t m, size_t n, size_t k, sv_operand a, sv_operand b, float *c,
                     size_t c_stride) {
    sv_gemm_in(space->precision, m, n, k, a, b, c, c_stride, space->pool);
}

typedef struct read_job {
    const sv_matrix *matrix;
    size_t first;
    float *out;
} read_job;

static void read_row(void *context, int64_t row, int thread) {
    (void)thread;
    const read_job *j = context;
    sv_matrix_read_row(j->matrix, j->first + (size_t)row, j->out + (size_t)row * j->matrix->n_in);
}

/* Rows of W from `first` on as f32, as many as are had at a time: where they lie, or in space->dense. */
static const float *rows_of(const sv_matrix *w, size_t first, size_t *n, sv_linear_space *space) {
    if (w->dtype == SV_F32 && (uintptr_t)w->data % sizeof(float) == 0) {
        *n = w->n_out;
        return w->data;
    }
    *n = SV_MIN(SV_DENSE_ROWS, w->n_out - first);
    read_job j = {w, first, space->dense};
    sv_pool_run(space->pool, (int64_t)*n, read_row, &j);
    return space->dense;
}

/* y += W x */
static void output(const sv_matrix *w, const float *x, size_t x_stride, size_t n_rows, float *y, size_t y_stride,
                   sv_linear_space *space) {
    for (size_t first = 0, n; first < w->n_out; first += n) {
        const float *rows = rows_of(w, first, &n, space);
        multiply(space, n_rows, n, w->n_in, (sv_operand){x, x_stride, false}, (sv_operand){rows, w->n_in, true},
                 y + first, y_stride);
    }
}

/* dx += dy W */
static void input_gradient(const sv_matrix *w, const float *dy, size_t dy_stride, size_t n_rows, float *dx,
                           size_t dx_stride, sv_linear_space *space) {
    for (size_t first = 0, n; first < w->n_out; first += n) {
        const float *rows = rows_of(w, first, &n, space);
        multiply(space, n_rows, w->n_in, n, (sv_operand){dy + first, dy_stride, false},
                 (sv_operand){rows, w->n_in, false}, dx, dx_stride);
    }
}

/* ---- low rank */

/* An adapter that is trained is f32 in memory of ours. */
static const float *numbers(const sv_matrix *matrix) { return matrix->data; }

/* h [n_rows, rank] = scale A x */
static void low_rank(const sv_linear_part *p, const float *x, size_t x_stride, size_t n_rows, float *h,
                     const sv_linear_space *space) {
    size_t rank = p->a.n_out;
    memset(h, 0, n_rows * rank * sizeof *h);
    multiply(space, n_rows, rank, p->a.n_in, (sv_operand){x, x_stride, false},
             (sv_operand){numbers(&p->a), p->a.n_in, true}, h, rank);
    for (size_t i = 0; i < n_rows * rank; i++) h[i] *= p->scale;
}

/* ---- forwards */

static void begin_rows(const sv_linear *l, size_t n_rows, float *y, bool accumulate) {
    for (size_t r = 0; r < n_rows; r++) {
        float *row = y + r * l->n_out;
        if (!accumulate) memset(row, 0, l->n_out * sizeof *row);
        for (size_t i = 0; l->bias && i < l->n_out; i++) row[i] += l->bias[i];
    }
}

/* The frozen or trained weights alone: in f32 by the engine's own kernel. */
static void base_forward(const sv_linear *l, const float *x, size_t x_stride, size_t n_rows, float *y, bool accumulate,
                         sv_linear_space *space) {
    if (space->precision == SV_PRECISION_F32) {
        sv_linear base = *l;
        for (size_t i = 0; i < l->n_parts; i++) base.parts[i].a.n_out = 0;
        sv_linear_apply(&base, x, x_stride, n_rows, y, accumulate, NULL, space->pool);
        return;
    }
    begin_rows(l, n_rows, y, accumulate);
    for (size_t i = 0, first = 0; i < l->n_parts; first += l->parts[i++].weight.n_out)
        output(&l->parts[i].weight, x, x_stride, n_rows, y + first, l->n_out, space);
}

void sv_linear_forward(const sv_linear *l, const sv_dropout *dropout, const float *x, size_t x_stride, size_t n_rows,
                       float *y, bool accumulate, sv_linear_space *space) {
    bool drops = dropout && dropout->probability > 0 && sv_linear_rank(l) > 0;
    if (!drops && space->precision == SV_PRECISION_F32) {
        sv_linear_apply(l, x, x_stride, n_rows, y, accumulate, space->low_rank, space->pool);
        return;
    }
    base_forward(l, x, x_stride, n_rows, y, accumulate, space);
    if (drops) {
        drop(dropout, x, x_stride, n_rows, l->n_in, space->dropped, l->n_in, false, space->pool);
        x = space->dropped;
        x_stride = l->n_in;
    }
    for (size_t i = 0, first = 0; i < l->n_parts; first += l->parts[i++].weight.n_out) {
        const sv_linear_part *p = &l->parts[i];
        size_t rank = p->a.n_out;
        if (!rank) continue;
        low_rank(p, x, x_stride, n_rows, space->low_rank, space);
        multiply(space, n_rows, p->weight.n_out, rank, (sv_operand){space->low_rank, rank, false},
                 (sv_operand){numbers(&p->b), rank, true}, y + first, l->n_out);
    }
}

/* ---- backwards */

/* x: what the correction read; dx: its gradient. */
static void low_rank_backward(const sv_linear *l, size_t part, size_t first, const sv_linear_gradient *g,
                              const float *x, size_t x_stride, size_t n_rows, const float *dy, float *dx,
                              size_t dx_stride, sv_linear_space *space) {
    const sv_linear_part *p = &l->parts[part];
    size_t rank = p->a.n_out;
    float *h = space->low_rank, *dh = space->dlow_rank;
    const sv_operand out = {dy + first, l->n_out, false}, out_t = {dy + first, l->n_out, true};
    low_rank(p, x, x_stride, n_rows, h, space);
    multiply(space, p->weight.n_out, rank, n_rows, out_t, (sv_operand){h, rank, false}, g->b[part], rank);
    memset(dh, 0, n_rows * rank * sizeof *dh);
    multiply(space, n_rows, rank, p->weight.n_out, out, (sv_operand){numbers(&p->b), rank, false}, dh, rank);
    for (size_t i = 0; i < n_rows * rank; i++) dh[i] *= p->scale;
    multiply(space, rank, l->n_in, n_rows, (sv_operand){dh, rank, true}, (sv_operand){x, x_stride, false}, g->a[part],
             l->n_in);
    if (!dx) return;
    const sv_operand a = {numbers(&p->a), l->n_in, false};
    multiply(space, n_rows, l->n_in, rank, (sv_operand){dh, rank, false}, a, dx, dx_stride);
}

void sv_linear_backward(const sv_linear *l, const sv_linear_gradient *g, const sv_dropout *dropout, const float *x,
                        size_t x_stride, size_t n_rows, const float *dy, float *dx, size_t dx_stride,
                        sv_linear_space *space) {
    bool drops = dropout && dropout->probability > 0;
    const float *adapted = x;
    float *dadapted = dx; /* what is dropped is dropped once, for the sum over all parts */
    size_t adapted_stride = x_stride, dadapted_stride = dx_stride;
    if (g->bias) sv_add_columns(dy, l->n_out, n_rows, l->n_out, g->bias, space->pool);
    if (drops && sv_linear_rank(l)) {
        drop(dropout, x, x_stride, n_rows, l->n_in, space->dropped, l->n_in, false, space->pool);
        adapted = space->dropped;
        adapted_stride = l->n_in;
        if (dx) {
            dadapted = space->ddropped;
            dadapted_stride = l->n_in;
            memset(dadapted, 0, n_rows * l->n_in * sizeof *dadapted);
        }
    }
    for (size_t i = 0, first = 0; i < l->n_parts; first += l->parts[i++].weight.n_out) {
        const sv_linear_part *p = &l->parts[i];
        if (g->weight[i]) {
            multiply(space, p->weight.n_out, l->n_in, n_rows, (sv_operand){dy + first, l->n_out, true},
                     (sv_operand){x, x_stride, false}, g->weight[i], l->n_in);
        }
        if (dx) input_gradient(&p->weight, dy + first, l->n_out, n_rows, dx, dx_stride, space);
        if (g->a[i]) {
            low_rank_backward(l, i, first, g, adapted, adapted_stride, n_rows, dy, dadapted, dadapted_stride, space);
        }
    }
    if (dadapted != dx) drop(dropout, dadapted, l->n_in, n_rows, l->n_in, dx, dx_stride, true, space->pool);
}
