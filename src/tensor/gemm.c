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
#define SQUARE ((size_t)4)            /* side of what is transposed in registers */

typedef struct job {
    size_t m, n, k, rows, columns, n_column_items;
    sv_operand a, b;
    float *c;
    size_t c_stride;
} job;

/* four floats; memory may be aligned as a float */
typedef float quad __attribute__((vector_size(4 * sizeof(float)), aligned(4), may_alias));

static inline void transpose_square(const float *in, size_t in_stride, float *out, size_t out_stride) {
    quad a = *(const quad *)in, b = *(const quad *)(in + in_stride);
    quad c = *(const quad *)(in + 2 * in_stride), d = *(const quad *)(in + 3 * in_stride);
    quad ab_low = __builtin_shufflevector(a, b, 0, 4, 1, 5), ab_high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
    quad cd_low = __builtin_shufflevector(c, d, 0, 4, 1, 5), cd_high = __builtin_shufflevector(c, d, 2, 6, 3, 7);
    *(quad *)out = __builtin_shufflevector(ab_low, cd_low, 0, 1, 4, 5);
    *(quad *)(out + out_stride) = __builtin_shufflevector(ab_low, cd_low, 2, 3, 6, 7);
    *(quad *)(out + 2 * out_stride) = __builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5);
    *(quad *)(out + 3 * out_stride) = __builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7);
}

/* out [n_rows, n_columns] = transpose of in [n_columns, n_rows]; whole squares in registers, then what is left. */
static void transpose(const float *in, size_t in_stride, size_t n_rows, size_t n_columns, float *out,
                      size_t out_stride) {
    size_t whole_rows = n_rows / SQUARE * SQUARE, whole_columns = n_columns / SQUARE * SQUARE;
    for (size_t r = 0; r < whole_rows; r += SQUARE) {
        for (size_t c = 0; c < whole_columns; c += SQUARE)
            transpose_square(in + c * in_stride + r, in_stride, out + r * out_stride + c, out_stride);
    }
    for (size_t r = 0; r < n_rows; r++) {
        for (size_t c = r < whole_rows ? whole_columns : 0; c < n_columns; c++)
            out[r * out_stride + c] = in[c * in_stride + r];
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
