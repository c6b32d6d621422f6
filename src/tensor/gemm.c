/* gemm.c - blocks of C as work items; each packs what it needs of A and B and calls the tile kernels of product.c. */
#include "tensor/gemm.h"

#include <string.h>

#include "base/memory.h"
#include "tensor/bf16_dot.h"
#include "tensor/dtype.h"
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

struct piece;

typedef struct job {
    size_t m, n, k, rows, columns, n_column_items;
    sv_operand a, b;
    float *c;
    size_t c_stride;
    void (*multiply)(const struct job *job, const struct piece *piece);
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

/* A piece of an item: what of C it makes, and how deep. */
typedef struct piece {
    size_t row, n_rows, column, n_columns, from, depth;
    float *c;
} piece;

/* Rows [n_rows, depth] of op(A): where they lie, or turned into `turned`. */
static const float *rows_of(const job *j, const piece *p, float *turned, size_t *stride) {
    *stride = j->a.stride;
    if (!j->a.transposed) return j->a.data + p->row * *stride + p->from;
    transpose(j->a.data + p->from * *stride + p->row, *stride, p->n_rows, p->depth, turned, p->depth);
    *stride = p->depth;
    return turned;
}

static void multiply(const job *j, const piece *p) {
    _Alignas(64) float panels[BLOCK_COLUMNS * BLOCK_DEPTH];
    _Alignas(64) float turned[BLOCK_ROWS * BLOCK_DEPTH];
    size_t stride;
    const float *a = rows_of(j, p, turned, &stride);
    pack(j, p->column, p->n_columns, p->from, p->depth, panels);
    sv_product(a, stride, p->n_rows, panels, SV_PANEL * p->depth, p->depth, p->n_columns, p->c, j->c_stride);
}

static void multiply_pairs(const job *j, const piece *p) {
    _Alignas(64) float scratch[BLOCK_COLUMNS * BLOCK_DEPTH]; /* BLOCK_ROWS are no more */
    _Alignas(64) uint32_t panels[BLOCK_COLUMNS * BLOCK_DEPTH / 2], pairs[BLOCK_ROWS * BLOCK_DEPTH / 2];
    size_t stride, n_pairs = (p->depth + 1) / 2;
    const float *a = rows_of(j, p, scratch, &stride);
    for (size_t r = 0; r < p->n_rows; r++) sv_bf16_pairs(a + r * stride, p->depth, pairs + r * n_pairs);
    pack(j, p->column, p->n_columns, p->from, p->depth, scratch);
    for (size_t c = 0; c < p->n_columns; c += SV_PANEL)
        sv_bf16_panel(scratch + c * p->depth, p->depth, panels + c * n_pairs);
    sv_bf16_dot(pairs, n_pairs, p->n_rows, panels, SV_PANEL * n_pairs, n_pairs, p->n_columns, p->c, j->c_stride);
}

/* The plain way: numbers that bfloat16 has, multiplied as f32. */
static void multiply_rounded(const job *j, const piece *p) {
    _Alignas(64) float panels[BLOCK_COLUMNS * BLOCK_DEPTH];
    _Alignas(64) float turned[BLOCK_ROWS * BLOCK_DEPTH];
    size_t stride, whole = (p->n_columns + SV_PANEL - 1) / SV_PANEL * SV_PANEL;
    const float *a = rows_of(j, p, turned, &stride);
    for (size_t r = 0; r < p->n_rows; r++) {
        for (size_t k = 0; k < p->depth; k++)
            turned[r * p->depth + k] = sv_bf16_to_f32(sv_bf16_from_f32(a[r * stride + k]));
    }
    pack(j, p->column, p->n_columns, p->from, p->depth, panels);
    for (size_t i = 0; i < whole * p->depth; i++) panels[i] = sv_bf16_to_f32(sv_bf16_from_f32(panels[i]));
    sv_product(turned, p->depth, p->n_rows, panels, SV_PANEL * p->depth, p->depth, p->n_columns, p->c, j->c_stride);
}

static void run_block(void *context, int64_t item, int thread) {
    (void)thread;
    const job *j = context;
    size_t row = (size_t)item / j->n_column_items * j->rows, column = (size_t)item % j->n_column_items * j->columns;
    for (size_t from = 0; from < j->k; from += BLOCK_DEPTH) {
        const piece p = {row,
                         SV_MIN(j->rows, j->m - row),
                         column,
                         SV_MIN(j->columns, j->n - column),
                         from,
                         SV_MIN(BLOCK_DEPTH, j->k - from),
                         j->c + row * j->c_stride + column};
        j->multiply(j, &p);
    }
}

void sv_gemm_in(sv_precision precision, size_t m, size_t n, size_t k, sv_operand a, sv_operand b, float *c,
                size_t c_stride, sv_pool *pool) {
    job j = {m, n, k, BLOCK_ROWS, BLOCK_COLUMNS, 0, a, b, c, c_stride, multiply};
    if (precision == SV_PRECISION_BF16) j.multiply = sv_bf16_dot_available() ? multiply_pairs : multiply_rounded;
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

void sv_gemm(size_t m, size_t n, size_t k, sv_operand a, sv_operand b, float *c, size_t c_stride, sv_pool *pool) {
    sv_gemm_in(SV_PRECISION_F32, m, n, k, a, b, c, c_stride, pool);
}
