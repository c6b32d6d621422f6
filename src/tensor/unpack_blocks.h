/*
 * unpack_blocks.h - inside unpacking: square blocks of rows turned into columns by one instruction set.
 */
#ifndef SV_TENSOR_UNPACK_BLOCKS_H
#define SV_TENSOR_UNPACK_BLOCKS_H

#include "tensor/matrix.h"

/* Reads n_rows rows of n_k numbers, row_bytes apart, and writes them as columns of a panel. */
typedef struct sv_block {
    size_t n_rows, n_k;
    void (*unpack)(const unsigned char *rows, size_t row_bytes, float *panel);
} sv_block;

/* NULL when this instruction set was not built, or has no block for the type. */
const sv_block *sv_block_avx2(sv_dtype dtype);
const sv_block *sv_block_avx512(sv_dtype dtype);

#endif
