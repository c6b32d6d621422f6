/*
 * pointwise.h - what happens to rows between matrix products: RMS norm, gates, softmax. The many-row functions share
 * out blocks of rows over `pool` (may be NULL); results do not depend on the number of threads.
 */
#ifndef SV_TENSOR_POINTWISE_H
#define SV_TENSOR_POINTWISE_H

#include "base/threads.h"

/* e^x to about 2 units in the last place for |x| <= 87; beyond, the value at the bound. Same result in vector and
 * scalar code. */
void sv_exp_n(const float *x, size_t n, float *out);

/* RMSNorm (Zhang and Sennrich 2019): out[r] = x[r] / sqrt(mean(x[r]^2) + eps) * weight; x and out are [n_rows, n]. */
void sv_rms_norm(const float *x, const float *weight, float eps, size_t n_rows, size_t n, float *out, sv_pool *pool);

/* SwiGLU (Shazeer 2020): rows[r] = [gate (n), up (n)]; gate becomes silu(gate) * up, in place. */
void sv_swiglu(float *rows, size_t n_rows, size_t n, sv_pool *pool);

/* GELU with the exact error function, in place on [n_rows, n]. */
void sv_gelu(float *rows, size_t n_rows, size_t n, sv_pool *pool);

/* Softmax of scale times the n values of one row, in place; n >= 1. */
void sv_softmax(float *row, size_t n, float scale);

/* log(sum(exp(row))) in double, of n >= 1 values. */
double sv_log_sum_exp(const float *row, size_t n);

#endif
