/* matrix.c - single rows; products unpack in blocks (unpack.c). */
#include "tensor/matrix.h"

#include <string.h>

static uint32_t word_at(const void *words, size_t i) {
    uint32_t word;
    memcpy(&word, (const unsigned char *)words + 4 * i, sizeof word);
    return word;
}

static void read_packed_row(const sv_matrix *m, size_t row, float *out) {
    for (size_t i = 0; i < m->n_in; i++) {
        size_t g = i / m->group;
        uint32_t q = word_at(m->data, i / 8 * m->n_out + row) >> 4 * (i % 8) & 15;
        uint32_t zero = word_at(m->zeros, g * (m->n_out / 8) + row / 8) >> 4 * (row % 8) & 15;
        float scale;
        sv_dtype_read_f32(m->scale_dtype, m->scales, g * m->n_out + row, 1, &scale);
        out[i] = (float)((int)q - (int)zero - m->zero_offset) * scale;
    }
}

void sv_matrix_read_row(const sv_matrix *m, size_t row, float *out) {
    if (m->dtype == SV_I32) {
        read_packed_row(m, row, out);
    } else {
        sv_dtype_read_f32(m->dtype, m->data, row * m->n_in, m->n_in, out);
    }
}

size_t sv_matrix_bytes(const sv_matrix *m) {
    if (m->dtype != SV_I32) return m->n_out * m->n_in * sv_dtype_size(m->dtype);
    size_t n_groups = (m->n_in + m->group - 1) / m->group;
    return m->n_out * m->n_in / 2 + n_groups * m->n_out * sv_dtype_size(m->scale_dtype) + n_groups * m->n_out / 2;
}
