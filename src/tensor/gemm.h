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

typedef enum sv_precision {
    SV_PRECISION_F32,
    SV_PRECISION_BF16 /* what is multiplied is rounded to bfloat16 (to nearest, ties to even); sums stay f32 */
} sv_precision;

/* C [m, n] += op(A) [m, k] op(B) [k, n]; rows of C lie c_stride apart and overlap neither A nor B. Every element is
 * summed over k in rising order, whatever the number of threads. `pool` may be NULL. */
void sv_gemm(size_t m, size_t n, size_t k, sv_operand a, sv_operand b, float *c, size_t c_stride, sv_pool *pool);

/* The same in a chosen precision. BF16 by bf16_dot.h where there is such an instruction, else rounded and multiplied as
 * f32; the two differ where sums are rounded. */
void sv_gemm_in(sv_precision precision, size_t m, size_t n, size_t k, sv_operand a, sv_operand b, float *c,
                size_t c_stride, sv_pool *pool);

#endif
