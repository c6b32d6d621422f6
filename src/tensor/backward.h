/*
 * backward.h - gradients of what happens between matrix products. dy is the gradient of the loss by the output, dx by
 * the input. All results are the same for any number of threads; `pool` may be NULL.
 */
#ifndef SV_TENSOR_BACKWARD_H
#define SV_TENSOR_BACKWARD_H

#include "base/threads.h"

/* Of RMSNorm (pointwise.h) y = x s w with s = 1 / sqrt(mean(x^2) + eps): dx [n_rows, n] += s (w dy) - x s^3 mean(w dy
 * x); dweight [n] += sum over rows of dy x s, unless NULL. */
void sv_rms_norm_backward(const float *x, const float *weight, float eps, const float *dy, size_t n_rows, size_t n,
                          float *dx, float *dweight, sv_pool *pool);

/* rows [n_rows, 2 n] = [gate, up] before SwiGLU: out [n_rows, n] = silu(gate) up. The arithmetic of sv_swiglu. */
void sv_swiglu_forward(const float *rows, size_t n_rows, size_t n, float *out, sv_pool *pool);

/* Of SwiGLU: dy [n_rows, n] and [gate, up] give [dgate, dup] in drows [n_rows, 2 n]. */
void sv_swiglu_backward(const float *rows, const float *dy, size_t n_rows, size_t n, float *drows, sv_pool *pool);

/* Of GELU with the error function: dx = dy gelu'(x), x before it; dx may be dy. [n_rows, n] */
void sv_gelu_backward(const float *x, const float *dy, size_t n_rows, size_t n, float *dx, sv_pool *pool);

/* sums [n] += column sums of rows [n_rows, n], `stride` apart. */
void sv_add_columns(const float *rows, size_t stride, size_t n_rows, size_t n, float *sums, sv_pool *pool);

/* Of the rotation of one head (sv_rope_rotate): turns dx [2 half] back, in place. */
void sv_rope_unrotate(float *dx, size_t half, const float *cosines, const float *sines);

#endif
