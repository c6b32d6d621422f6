/*
 * gemm.h - products of matrices as they lie in memory, for training: C += op(A) op(B).
 */
#ifndef SV_TENSOR_GEMM_H
#define SV_TENSOR_GEMM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/threads.h"

/* A matrix whose rows lie `stride` apart. `transposed`: what is meant is its transpose. */
typedef struct sv_operand {
    const float *data;
    size_t stride;
    bool transposed;
} sv_operand;

/* C [m, n] += op(A) [m, k] op(B) [k, n]; rows of C lie c_stride apart and overlap neither A nor B. Every element is
 * summed over k in rising order, whatever the number of threads. `pool` may be NULL. */
void sv_gemm(size_t m, size_t n, size_t k, sv_operand a, sv_operand b, float *c, size_t c_stride, sv_pool *pool);

#endif
