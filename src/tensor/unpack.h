/*
 * unpack.h - a block of a weight matrix, in the precision of its file, as a panel of f32 for products (product.h).
 */
#ifndef SV_TENSOR_UNPACK_H
#define SV_TENSOR_UNPACK_H

#include "tensor/isa.h"
#include "tensor/matrix.h"

/* The depth at which a block may begin: a multiple of this. */
#define SV_UNPACK_STEP ((size_t)32)

/* panel[k * 32 + c] = W[first_row + c][first_k + k], k < n_k, c < n_rows <= 32; the rest of a row of the panel is 0.
 * panel is 64-byte aligned. Exact: the same numbers on every instruction set. */
void sv_unpack(const sv_matrix *matrix, size_t first_row, size_t n_rows, size_t first_k, size_t n_k, float *panel);

#endif
