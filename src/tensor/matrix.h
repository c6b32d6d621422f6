/*
 * matrix.h - a weight matrix W [n_out, n_in] of y = W x as it lies in a model file, in the precision of the file.
 *
 * F32, F16, BF16: rows of n_in numbers. W4A16 (GPTQ layout, qwen25vl.md section 8), dtype SV_I32: eight inputs to a
 * word, words of one row beside each other by output; W[o][i] = (q - zero) * scale[i / group][o], zeros packed by
 * output likewise, in f32. Nothing is owned, no alignment is asked.
 */
#ifndef SV_TENSOR_MATRIX_H
#define SV_TENSOR_MATRIX_H

#include "tensor/dtype.h"

typedef struct sv_matrix {
    sv_dtype dtype; /* F32, F16, BF16, or I32 = four-bit */
    size_t n_out, n_in;
    const void *data; /* [n_out, n_in], or words [n_in / 8, n_out] */
    /* four-bit only */
    const void *scales; /* [ceil(n_in / group), n_out] */
    sv_dtype scale_dtype;
    const void *zeros; /* words [ceil(n_in / group), n_out / 8] */
    int zero_offset;   /* added to a stored zero: 1 in GPTQ's first format, 0 in its second */
    size_t group;      /* inputs that share a scale */
} sv_matrix;

/* out [n_in] = row `row` of W as f32. Four-bit rows cost as much memory traffic as eight. */
void sv_matrix_read_row(const sv_matrix *matrix, size_t row, float *out);

/* Bytes of the file that the matrix stands on. */
size_t sv_matrix_bytes(const sv_matrix *matrix);

#endif
