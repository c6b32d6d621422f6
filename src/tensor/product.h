/*
 * product.h - y += x B for many or few rows: the one matrix product of the network.
 *
 * B [n_in, n_out] is kept in panels of 32 columns: panel p holds B[k][32 p + j] at [k * 32 + j], so that a product
 * reads it front to back; the last panel is padded. A weight matrix W [n_out, n_in] of y = x W^T is packed once into
 * panels of W^T.
 *
 * Every element of y is summed over k in rising order, whatever the number of rows, tiles or threads: a token gives the
 * same bits alone or in a batch. Between instruction sets results differ in rounding (fused multiply-add).
 */
#ifndef SV_TENSOR_PRODUCT_H
#define SV_TENSOR_PRODUCT_H

#include <stddef.h>

#define SV_PANEL ((size_t)32)

/* n rounded up to whole panels. */
static inline size_t sv_panel_round(size_t n) { return (n + SV_PANEL - 1) / SV_PANEL * SV_PANEL; }

/* Writes columns [first, first + n_rows) of B from rows [n_rows, n_in] of its transpose, `stride` apart. panels:
 * [sv_panel_round(n_out) / 32, n_in, 32]. */
void sv_pack_transposed(const float *rows, size_t stride, size_t n_rows, size_t n_in, size_t first, float *panels);

/* Writes rows [first, first + n_rows) of B from rows [n_rows, n_out], `stride` apart. Panels lie panel_stride apart. */
void sv_pack_rows(const float *rows, size_t stride, size_t n_rows, size_t n_out, size_t first, float *panels,
                  size_t panel_stride);

/* y[r] += x[r] B; rows of x and y lie x_stride and y_stride apart and do not overlap. Panels (64-byte aligned) lie
 * panel_stride apart. Runs in the calling thread. */
void sv_product(const float *x, size_t x_stride, size_t n_rows, const float *panels, size_t panel_stride, size_t n_in,
                size_t n_out, float *y, size_t y_stride);

#endif
