/*
 * linear.h - a layer y = W x + b with W in the precision of its file, made of up to three matrices whose outputs lie
 * beside each other, each with or without a low-rank correction (LoRA, arXiv 2106.09685).
 */
#ifndef SV_TENSOR_LINEAR_H
#define SV_TENSOR_LINEAR_H

#include "base/threads.h"
#include "tensor/matrix.h"

#define SV_LINEAR_PARTS 3

typedef struct sv_linear_part {
    sv_matrix weight;
    sv_matrix a, b; /* W + scale B A: A [rank, n_in], B [n_out, rank]; rank 0 = no correction */
    float scale;
} sv_linear_part;

typedef struct sv_linear {
    size_t n_in, n_out, n_parts; /* n_out of all parts together */
    sv_linear_part parts[SV_LINEAR_PARTS];
    const float *bias; /* [n_out] or NULL */
} sv_linear;

/* The ranks of all parts together. */
size_t sv_linear_rank(const sv_linear *linear);

/* y[r] = W x[r] + b, or y[r] += W x[r] + b when `accumulate`; y is [n_rows, n_out]. low_rank: work space of [n_rows,
 * sv_linear_rank], may be NULL when that is 0. `pool` may be NULL.
 *
 * A block of W is unpacked to f32 and serves all rows. Every element of y is summed in f32 over the inputs in rising
 * order, so that a row gives the same bits alone, in a batch, and with any number of threads. */
void sv_linear_apply(const sv_linear *linear, const float *x, size_t x_stride, size_t n_rows, float *y, bool accumulate,
                     float *low_rank, sv_pool *pool);

#endif
