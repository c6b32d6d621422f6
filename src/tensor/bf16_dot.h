/*
 * bf16_dot.h - products of numbers rounded to bfloat16, summed in f32, by the instruction that does two at once.
 *
 * Two neighbours of the depth are a pair, a word: the first in its low half. The instruction adds the products of a
 * pair to the sum one after the other and takes numbers below 2^-126 as zero.
 */
#ifndef SV_TENSOR_BF16_DOT_H
#define SV_TENSOR_BF16_DOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The machine has it, and the instruction set in use (isa.h) is the one that it belongs to. */
bool sv_bf16_dot_available(void);

/* out [ceil(n / 2)] = numbers [n] as pairs; of an odd number the last pair's second half is zero. Rounds to nearest,
 * ties to even; NaN stays NaN. */
void sv_bf16_pairs(const float *numbers, size_t n, uint32_t *out);

/* out [ceil(depth / 2), 32] = a panel [depth, 32] (product.h) as pairs of its rows. */
void sv_bf16_panel(const float *panel, size_t depth, uint32_t *out);

/* y[r][c] += sum of a[r] times column c. a: [n_rows, n_pairs], rows a_stride apart; panels [n_pairs, 32] (64-byte
 * aligned) lie panel_stride apart. Only where it is available. */
void sv_bf16_dot(const uint32_t *a, size_t a_stride, size_t n_rows, const uint32_t *panels, size_t panel_stride,
                 size_t n_pairs, size_t n_columns, float *y, size_t y_stride);

#endif
