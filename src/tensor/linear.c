/* linear.c - work items of rows and columns; each unpacks what it needs of W, block by block. */
#include "tensor/linear.h"

#include <string.h>

#include "base/memory.h"
#include "tensor/product.h"
#include "tensor/unpack.h"

#define BLOCK_FLOATS ((size_t)8192)   /* of unpacked weights: 32 KiB, stay in the first cache */
#define ONE_ROW_PANELS ((size_t)4)    /* a single row has too few sums in one panel to keep the machine busy */
#define ITEM_ROWS ((size_t)128)       /* a work item: at most this many rows ... */
#define ITEM_COLUMNS (4 * SV_PANEL)   /* ... and columns */
#define SHARED_WORK ((size_t)1 << 20) /* multiply-adds from which waking other threads pays */

size_t sv_linear_rank(const sv_linear *l) {
    size_t rank = 0;
    for (size_t i = 0; i < l->n_parts; i++) rank += l->parts[i].a.n_out;
    return rank;
}

/* y[r][0 .. n_columns) += x[r] of the rows [first, first + n_columns) of W. */
static void multiply(const sv_matrix *w, size_t first, size_t n_columns, const float *x, size_t x_stride, size_t n_rows,
                     float *y, size_t y_stride) {
    _Alignas(64) float block[BLOCK_FLOATS];
    bool wide = n_rows == 1 && w->dtype == SV_I32; /* other types are read by rows: the longer the better */
    size_t width = wide ? ONE_ROW_PANELS * SV_PANEL : SV_PANEL, depth_step = BLOCK_FLOATS / width;
    for (size_t column = 0; column < n_columns; column += width) {
        size_t end = SV_MIN(column + width, n_columns);
        for (size_t depth = 0; depth < w->n_in; depth += depth_step) {
            size_t n = SV_MIN(depth_step, w->n_in - depth);
            for (size_t c = column; c < end; c += SV_PANEL) {
                sv_unpack(w, first + c, SV_MIN(SV_PANEL, end - c), depth, n, block + (c - column) * depth_step);
            }
            sv_product(x + depth, x_stride, n_rows, block, SV_PANEL * depth_step, n, end - column, y + column,
                       y_stride);
        }
    }
}

typedef struct job {
    const sv_linear *linear;
    const float *x;
    size_t x_stride, n_rows, n_column_items;
    float *y;
    bool accumulate;
    float *low_rank; /* [n_rows, rank]: scale A x of each part */
    size_t rank;
} job;

static size_t column_items(const sv_matrix *w) { return (w->n_out + ITEM_COLUMNS - 1) / ITEM_COLUMNS; }

static void start_rows(const job *j, size_t row, size_t n_rows, size_t column, size_t n) {
    const float *bias = j->linear->bias ? j->linear->bias + column : NULL;
    for (size_t r = row; r < row + n_rows; r++) {
        float *out = j->y + r * j->linear->n_out + column;
        if (!j->accumulate && bias) {
            memcpy(out, bias, n * sizeof *out);
        } else if (!j->accumulate) {
            memset(out, 0, n * sizeof *out);
        } else if (bias) {
            for (size_t i = 0; i < n; i++) out[i] += bias[i];
        }
    }
}

static void run_item(void *context, int64_t item, int thread) {
    (void)thread;
    const job *j = context;
    const sv_linear *l = j->linear;
    size_t row = (size_t)item / j->n_column_items * ITEM_ROWS, n_rows = SV_MIN(ITEM_ROWS, j->n_rows - row);
    size_t block = (size_t)item % j->n_column_items, part = 0, before = 0, rank_before = 0;
    while (block >= column_items(&l->parts[part].weight)) {
        block -= column_items(&l->parts[part].weight);
        before += l->parts[part].weight.n_out;
        rank_before += l->parts[part++].a.n_out;
    }
    const sv_linear_part *p = &l->parts[part];
    size_t column = block * ITEM_COLUMNS, n = SV_MIN(ITEM_COLUMNS, p->weight.n_out - column);
    float *y = j->y + row * l->n_out + before + column;
    start_rows(j, row, n_rows, before + column, n);
    multiply(&p->weight, column, n, j->x + row * j->x_stride, j->x_stride, n_rows, y, l->n_out);
    if (p->a.n_out) {
        multiply(&p->b, column, n, j->low_rank + row * j->rank + rank_before, j->rank, n_rows, y, l->n_out);
    }
}

/* scale A x of every part, for a block of rows. */
static void run_low_rank_item(void *context, int64_t item, int thread) {
    (void)thread;
    const job *j = context;
    size_t row = (size_t)item * ITEM_ROWS, n_rows = SV_MIN(ITEM_ROWS, j->n_rows - row), at = 0;
    float *out = j->low_rank + row * j->rank;
    memset(out, 0, n_rows * j->rank * sizeof *out);
    for (size_t i = 0; i < j->linear->n_parts; i++) {
        const sv_linear_part *p = &j->linear->parts[i];
        if (!p->a.n_out) continue;
        multiply(&p->a, 0, p->a.n_out, j->x + row * j->x_stride, j->x_stride, n_rows, out + at, j->rank);
        for (size_t r = 0; r < n_rows; r++) {
            for (size_t k = 0; k < p->a.n_out; k++) out[r * j->rank + at + k] *= p->scale;
        }
        at += p->a.n_out;
    }
}

void sv_linear_apply(const sv_linear *l, const float *x, size_t x_stride, size_t n_rows, float *y, bool accumulate,
                     float *low_rank, sv_pool *pool) {
    job j = {l, x, x_stride, n_rows, 0, y, accumulate, low_rank, sv_linear_rank(l)};
    for (size_t i = 0; i < l->n_parts; i++) j.n_column_items += column_items(&l->parts[i].weight);
    size_t n_row_items = (n_rows + ITEM_ROWS - 1) / ITEM_ROWS;
    if (n_rows * l->n_in * l->n_out < SHARED_WORK) pool = NULL;
    if (j.rank) sv_pool_run(pool, (int64_t)n_row_items, run_low_rank_item, &j);
    sv_pool_run(pool, (int64_t)(n_row_items * j.n_column_items), run_item, &j);
}
