/* gemm.c - blocks of C as work items; each packs what it needs of A and B and calls the tile kernels of product.c. */
#include "tensor/gemm.h"

#include <string.h>

#include "base/memory.h"
#include "tensor/product.h"

/* An item's block of C at most, and the depth that is packed at a time: B's block (256 KiB) stays in the second cache
 * and serves all rows. */
#define BLOCK_ROWS ((size_t)256)
#define BLOCK_COLUMNS ((size_t)256)
#define BLOCK_DEPTH ((size_t)256)
#define LEAST_ROWS ((size_t)32)
#define LEAST_COLUMNS ((size_t)64)
#define SHARED_WORK ((size_t)1 << 18) /* multiply-adds from which waking other threads pays */
#define SQUARE ((size_t)8)            /* of a transposition in registers */

typedef struct job {
    size_t m, n, k, rows, columns, n_column_items;
    sv_operand a, b;
    float *c;
    size_t c_stride;
} job;

/* out [n_rows, n_columns] = transpose of in [n_columns, n_rows]; square by square, for the caches' sake. */
static void transpose(const float *in, size_t in_stride, size_t n_rows, size_t n_columns, float *out,
                      size_t out_stride) {
    for (size_t r = 0; r < n_rows; r += SQUARE) {
        size_t end_r = SV_MIN(r + SQUARE, n_rows);
        for (size_t c = 0; c < n_columns; c += SQUARE) {
            size_t end_c = SV_MIN(c + SQUARE, n_columns);
            for (size_t i = r; i < end_r; i++) {
                for (size_t j = c; j < end_c; j++) out[i * out_stride + j] = in[j * in_stride + i];
            }
        }
    }
}

/* Columns [first, first + n) of op(B) at depth [from, from + depth) as panels of 32 columns. */
static void pack(const job *j, size_t first, size_t n, size_t from, size_t depth, float *panels) {
    const sv_operand *b = &j->b;
    for (size_t column = 0; column < n; column += SV_PANEL) {
        size_t width = SV_MIN(SV_PANEL, n - column);
        float *panel = panels + column * depth;
        if (width < SV_PANEL) memset(panel, 0, depth * SV_PANEL * sizeof *panel);
        if (b->transposed) {
            transpose(b->data + (first + column) * b->stride + from, b->stride, depth, width, panel, SV_PANEL);
            continue;
        }
        const float *rows = b->data + from * b->stride + first + column;
        for (size_t i = 0; i < depth; i++) memcpy(panel + i * SV_PANEL, rows + i * b->stride, width * sizeof *panel);
    }
}

static void run_block(void *context, int64_t item, int thread) {
    (void)thread;
    const job *j = context;
    _Alignas(64) float panels[BLOCK_COLUMNS * BLOCK_DEPTH];
    _Alignas(64) float turned[BLOCK_ROWS * BLOCK_DEPTH];
    size_t row = (size_t)item / j->n_column_items * j->rows, n_rows = SV_MIN(j->rows, j->m - row);
    size_t column = (size_t)item % j->n_column_items * j->columns, n_columns = SV_MIN(j->columns, j->n - column);
    for (size_t from = 0; from < j->k; from += BLOCK_DEPTH) {
        size_t depth = SV_MIN(BLOCK_DEPTH, j->k - from), stride = j->a.stride;
        const float *a = j->a.data + row * stride + from;
        if (j->a.transposed) {
            transpose(j->a.data + from * stride + row, stride, n_rows, depth, turned, depth);
            a = turned;
            stride = depth;
        }
        pack(j, column, n_columns, from, depth, panels);
        sv_product(a, stride, n_rows, panels, SV_PANEL * depth, depth, n_columns, j->c + row * j->c_stride + column,
                   j->c_stride);
    }
}

void sv_gemm(size_t m, size_t n, size_t k, sv_operand a, sv_operand b, float *c, size_t c_stride, sv_pool *pool) {
    job j = {m, n, k, BLOCK_ROWS, BLOCK_COLUMNS, 0, a, b, c, c_stride};
    if (m == 0 || n == 0) return;
    if (m * n * k < SHARED_WORK) pool = NULL;
    size_t wanted = pool ? 2 * (size_t)sv_pool_n_threads(pool) : 1;
    for (;;) { /* smaller blocks until everybody has work */
        j.n_column_items = (n + j.columns - 1) / j.columns;
        bool more_rows = j.rows > LEAST_ROWS, more_columns = j.columns > LEAST_COLUMNS;
        if ((m + j.rows - 1) / j.rows * j.n_column_items >= wanted || (!more_rows && !more_columns)) break;
        if (more_rows && (j.rows >= j.columns || !more_columns))
            j.rows /= 2;
        else
            j.columns /= 2;
    }
    sv_pool_run(pool, (int64_t)((m + j.rows - 1) / j.rows * j.n_column_items), run_block, &j);
}
