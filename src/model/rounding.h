/*
 * rounding.h - the points where the reference implementation rounds when it computes in 16 bits (docs/modules/net.md
 * lists them). Without it all arithmetic is f32.
 */
#ifndef SV_MODEL_ROUNDING_H
#define SV_MODEL_ROUNDING_H

#include "base/threads.h"
#include "sleepvlm.h"
#include "tensor/linear.h"

/* Rounds n values to the nearest number of the type, ties to even; SV_ROUNDING_NONE leaves them. */
void sv_round_values(sv_rounding rounding, float *values, size_t n);

/* sv_rms_norm with the normalised value rounded before it is multiplied by the weight, and after. */
void sv_rounded_norm(sv_rounding rounding, const float *x, const float *weight, float eps, size_t n_rows, size_t n,
                     float *out, sv_pool *pool);

/* sv_linear_apply into y [n_rows, n_out], rounded. */
void sv_rounded_linear(sv_rounding rounding, const sv_linear *linear, const float *x, size_t x_stride, size_t n_rows,
                       float *y, float *low_rank, sv_pool *pool);

/* residual [n_rows, n_out] += linear(x): the layer's output is rounded, then the sum. scratch: [n_rows, n_out], used
 * only when rounding. */
void sv_rounded_residual(sv_rounding rounding, const sv_linear *linear, const float *x, size_t x_stride, size_t n_rows,
                         float *residual, float *scratch, float *low_rank, sv_pool *pool);

/* SwiGLU: silu(gate) rounded, then its product with up; in place as sv_swiglu. */
void sv_rounded_swiglu(sv_rounding rounding, float *rows, size_t n_rows, size_t n, sv_pool *pool);

/* sv_rope_rotate with both products and their sum rounded; the angles are rounded already. */
void sv_rounded_rotate(sv_rounding rounding, float *x, size_t half, const float *cosines, const float *sines);

#endif
