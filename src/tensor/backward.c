/* backward.c - see backward.h. Rows are shared out in blocks; sums over rows go column by column, so that one thread
 * adds each of them in one order. */
#include "tensor/backward.h"

#include <math.h>
#include <string.h>

#include "base/clones.h"
#include "base/memory.h"
#include "tensor/pointwise.h"

#define ROWS_PER_ITEM ((size_t)16)
#define COLUMNS_PER_ITEM ((size_t)64)
#define SHARED_WORK ((size_t)1 << 15) /* elements from which waking other threads pays */
#define EXP_BLOCK ((size_t)256)

typedef struct job {
    const float *x, *weight, *dy;
    float *dx, *sums;
    float *scales; /* [n_rows] */
    float eps;
    size_t n_rows, n, stride;
} job;

static void share(job *j, sv_pool_work *work, size_t n_all, size_t per_item, sv_pool *pool) {
    if (j->n_rows * j->n < SHARED_WORK) pool = NULL;
    sv_pool_run(pool, (int64_t)((n_all + per_item - 1) / per_item), work, j);
}

/* ---- RMSNorm */

float sv_norm_row_backward_clones(const float *restrict x, const float *restrict w, const float *restrict dy, float eps,
                                  size_t n, float *restrict dx);

SV_CLONES float sv_norm_row_backward_clones(const float *restrict x, const float *restrict w, const float *restrict dy,
                                            float eps, size_t n, float *restrict dx) {
    double squares = 0, product = 0;
    for (size_t i = 0; i < n; i++) {
        squares += (double)x[i] * (double)x[i];
        product += (double)w[i] * (double)dy[i] * (double)x[i];
    }
    float scale = 1 / sqrtf((float)(squares / (double)n) + eps);
    float back = (float)(product / (double)n) * scale * scale * scale;
    for (size_t i = 0; i < n; i++) dx[i] += scale * w[i] * dy[i] - x[i] * back;
    return scale;
}

static void norm_rows(void *context, int64_t item, int thread) {
    (void)thread;
    const job *j = context;
    size_t first = (size_t)item * ROWS_PER_ITEM, end = SV_MIN(first + ROWS_PER_ITEM, j->n_rows);
    for (size_t r = first; r < end; r++) {
        float scale =
            sv_norm_row_backward_clones(j->x + r * j->n, j->weight, j->dy + r * j->n, j->eps, j->n, j->dx + r * j->n);
        if (j->scales) j->scales[r] = scale;
    }
}

static void norm_columns(void *context, int64_t item, int thread) {
    (void)thread;
    const job *j = context;
    size_t first = (size_t)item * COLUMNS_PER_ITEM, end = SV_MIN(first + COLUMNS_PER_ITEM, j->n);
    for (size_t r = 0; r < j->n_rows; r++) {
        for (size_t i = first; i < end; i++) j->sums[i] += j->dy[r * j->n + i] * j->x[r * j->n + i] * j->scales[r];
    }
}

void sv_rms_norm_backward(const float *x, const float *weight, float eps, const float *dy, size_t n_rows, size_t n,
                          float *dx, float *dweight, sv_pool *pool) {
    /* a block of rows at a time keeps their scales in a small array */
    enum { BLOCK = 1024 };
    float scales[BLOCK];
    for (size_t first = 0; first < n_rows; first += BLOCK) {
        job j = {.x = x + first * n,
                 .weight = weight,
                 .dy = dy + first * n,
                 .dx = dx + first * n,
                 .sums = dweight,
                 .scales = dweight ? scales : NULL,
                 .eps = eps,
                 .n_rows = SV_MIN((size_t)BLOCK, n_rows - first),
                 .n = n};
        share(&j, norm_rows, j.n_rows, ROWS_PER_ITEM, pool);
        if (dweight) share(&j, norm_columns, n, COLUMNS_PER_ITEM, pool);
    }
}

/* ---- SwiGLU */

void sv_swiglu_row_backward_clones(const float *restrict gate, const float *restrict up, const float *restrict dy,
                                   size_t n, float *restrict decay, float *restrict dgate, float *restrict dup);

SV_CLONES void sv_swiglu_row_backward_clones(const float *restrict gate, const float *restrict up,
                                             const float *restrict dy, size_t n, float *restrict decay,
                                             float *restrict dgate, float *restrict dup) {
    for (size_t i = 0; i < n; i++) { /* decay: e^-gate */
        float sigmoid = 1 / (1 + decay[i]), silu = gate[i] * sigmoid;
        dup[i] = dy[i] * silu;
        dgate[i] = dy[i] * up[i] * (sigmoid + silu * (1 - sigmoid));
    }
}

static void swiglu_rows(void *context, int64_t item, int thread) {
    (void)thread;
    const job *j = context;
    size_t first = (size_t)item * ROWS_PER_ITEM, end = SV_MIN(first + ROWS_PER_ITEM, j->n_rows);
    for (size_t r = first; r < end; r++) {
        const float *gate = j->x + r * 2 * j->n, *up = gate + j->n, *dy = j->dy + r * j->n;
        float *dgate = j->dx + r * 2 * j->n, *dup = dgate + j->n, decay[EXP_BLOCK];
        for (size_t i = 0; i < j->n; i += EXP_BLOCK) {
            size_t n = SV_MIN(EXP_BLOCK, j->n - i);
            for (size_t k = 0; k < n; k++) decay[k] = -gate[i + k];
            sv_exp_n(decay, n, decay);
            sv_swiglu_row_backward_clones(gate + i, up + i, dy + i, n, decay, dgate + i, dup + i);
        }
    }
}

void sv_swiglu_backward(const float *rows, const float *dy, size_t n_rows, size_t n, float *drows, sv_pool *pool) {
    job j = {.x = rows, .dy = dy, .dx = drows, .n_rows = n_rows, .n = n};
    share(&j, swiglu_rows, n_rows, ROWS_PER_ITEM, pool);
}

static void swiglu_forward_rows(void *context, int64_t item, int thread) {
    (void)thread;
    const job *j = context;
    size_t first = (size_t)item * ROWS_PER_ITEM, end = SV_MIN(first + ROWS_PER_ITEM, j->n_rows);
    for (size_t r = first; r < end; r++) {
        float pair[2 * EXP_BLOCK];
        for (size_t i = 0; i < j->n; i += EXP_BLOCK) {
            size_t n = SV_MIN(EXP_BLOCK, j->n - i);
            memcpy(pair, j->x + r * 2 * j->n + i, n * sizeof *pair);
            memcpy(pair + n, j->x + r * 2 * j->n + j->n + i, n * sizeof *pair);
            sv_swiglu(pair, 1, n, NULL);
            memcpy(j->dx + r * j->n + i, pair, n * sizeof *pair);
        }
    }
}

void sv_swiglu_forward(const float *rows, size_t n_rows, size_t n, float *out, sv_pool *pool) {
    job j = {.x = rows, .dx = out, .n_rows = n_rows, .n = n};
    share(&j, swiglu_forward_rows, n_rows, ROWS_PER_ITEM, pool);
}

/* ---- the rest */

static void gelu_rows(void *context, int64_t item, int thread) {
    (void)thread;
    const job *j = context;
    size_t first = (size_t)item * ROWS_PER_ITEM, end = SV_MIN(first + ROWS_PER_ITEM, j->n_rows);
    for (size_t i = first * j->n; i < end * j->n; i++) {
        float x = j->x[i], below = 0.5F * (1 + erff(x * 0.70710678F)), density = 0.39894228F * expf(-0.5F * x * x);
        j->dx[i] = j->dy[i] * (below + x * density);
    }
}

void sv_gelu_backward(const float *x, const float *dy, size_t n_rows, size_t n, float *dx, sv_pool *pool) {
    job j = {.x = x, .dy = dy, .dx = dx, .n_rows = n_rows, .n = n};
    share(&j, gelu_rows, n_rows, ROWS_PER_ITEM, pool);
}

static void add_columns(void *context, int64_t item, int thread) {
    (void)thread;
    const job *j = context;
    size_t first = (size_t)item * COLUMNS_PER_ITEM, end = SV_MIN(first + COLUMNS_PER_ITEM, j->n);
    for (size_t r = 0; r < j->n_rows; r++) {
        for (size_t i = first; i < end; i++) j->sums[i] += j->x[r * j->stride + i];
    }
}

void sv_add_columns(const float *rows, size_t stride, size_t n_rows, size_t n, float *sums, sv_pool *pool) {
    job j = {.x = rows, .sums = sums, .n_rows = n_rows, .n = n, .stride = stride};
    share(&j, add_columns, n, COLUMNS_PER_ITEM, pool);
}

void sv_rope_unrotate(float *dx, size_t half, const float *cosines, const float *sines) {
    float *restrict low = dx, *restrict high = dx + half;
    for (size_t i = 0; i < half; i++) {
        float a = low[i], b = high[i];
        low[i] = a * cosines[i] + b * sines[i];
        high[i] = b * cosines[i] - a * sines[i];
    }
}
