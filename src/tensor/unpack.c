/* unpack.c - plain loops for every type, whole blocks by the instruction set in use. */
#include "tensor/unpack.h"

#include <string.h>

#include "base/clones.h"
#include "base/memory.h"
#include "tensor/product.h"
#include "tensor/unpack_blocks.h"

static void unpack_plain(const sv_matrix *m, size_t first_row, size_t n_rows, size_t first_k, size_t n_k,
                         float *panel) {
    float values[SV_UNPACK_STEP];
    if (n_rows < SV_PANEL) memset(panel, 0, n_k * SV_PANEL * sizeof *panel);
    for (size_t c = 0; c < n_rows; c++) {
        for (size_t k = 0; k < n_k; k += SV_UNPACK_STEP) {
            size_t n = SV_MIN(SV_UNPACK_STEP, n_k - k);
            sv_dtype_read_f32(m->dtype, m->data, (first_row + c) * m->n_in + first_k + k, n, values);
            for (size_t i = 0; i < n; i++) panel[(k + i) * SV_PANEL + c] = values[i];
        }
    }
}

static void unpack_blocks(const sv_matrix *m, const sv_block *block, size_t first_row, size_t first_k, size_t n_k,
                          float *panel) {
    size_t size = sv_dtype_size(m->dtype), row_bytes = m->n_in * size, done = 0;
    for (; done + block->n_k <= n_k; done += block->n_k) {
        for (size_t c = 0; c < SV_PANEL; c += block->n_rows) {
            const unsigned char *rows =
                (const unsigned char *)m->data + (first_row + c) * row_bytes + (first_k + done) * size;
            block->unpack(rows, row_bytes, panel + done * SV_PANEL + c);
        }
    }
    if (done < n_k) unpack_plain(m, first_row, SV_PANEL, first_k + done, n_k - done, panel + done * SV_PANEL);
}

typedef struct quads { /* of one word row: scale and zero of each column */
    float scales[32];
    int32_t zeros[32];
} quads;

static void read_group(const sv_matrix *m, size_t group, size_t first_row, size_t n_rows, quads *out) {
    sv_dtype_read_f32(m->scale_dtype, m->scales, group * m->n_out + first_row, n_rows, out->scales);
    for (size_t c = 0; c < n_rows; c++) {
        uint32_t word;
        size_t at = group * (m->n_out / 8) + (first_row + c) / 8;
        memcpy(&word, (const unsigned char *)m->zeros + 4 * at, sizeof word);
        out->zeros[c] = (int32_t)(word >> 4 * ((first_row + c) % 8) & 15) + m->zero_offset;
    }
}

void sv_unpack_words_clones(const uint32_t *words, const quads *q, float *panel);

/* Eight inputs of 32 columns. Vectors of the widest machine; a narrower one works on them in pieces. */
SV_CLONES void sv_unpack_words_clones(const uint32_t *words, const quads *q, float *panel) {
    typedef uint32_t word_vector __attribute__((vector_size(64), aligned(4), may_alias));
    typedef int32_t int_vector __attribute__((vector_size(64), aligned(4), may_alias));
    typedef float vector __attribute__((vector_size(64), aligned(4), may_alias));
    for (size_t c = 0; c < SV_PANEL; c += 16) {
        word_vector w = *(const word_vector *)(words + c);
        int_vector zeros = *(const int_vector *)(q->zeros + c);
        vector scales = *(const vector *)(q->scales + c);
        for (unsigned j = 0; j < 8; j++) {
            int_vector values = (int_vector)(w >> 4 * j & 15) - zeros;
            *(vector *)(panel + j * SV_PANEL + c) = __builtin_convertvector(values, vector) * scales;
        }
    }
}

static void unpack_four_bit(const sv_matrix *m, size_t first_row, size_t n_rows, size_t first_k, size_t n_k,
                            float *panel) {
    quads q = {0};
    uint32_t words[32] = {0};
    for (size_t k = 0; k < n_k; k += 8) {
        if (k == 0 || (first_k + k) % m->group == 0) read_group(m, (first_k + k) / m->group, first_row, n_rows, &q);
        size_t at = (first_k + k) / 8 * m->n_out + first_row;
        memcpy(words, (const unsigned char *)m->data + 4 * at, n_rows * sizeof *words);
        sv_unpack_words_clones(words, &q, panel + k * SV_PANEL);
    }
}

void sv_unpack(const sv_matrix *m, size_t first_row, size_t n_rows, size_t first_k, size_t n_k, float *panel) {
    if (m->dtype == SV_I32) {
        unpack_four_bit(m, first_row, n_rows, first_k, n_k, panel);
        return;
    }
    sv_isa isa = sv_isa_current();
    const sv_block *block = isa == SV_ISA_AVX512 ? sv_block_avx512(m->dtype)
                            : isa == SV_ISA_AVX2 ? sv_block_avx2(m->dtype)
                                                 : NULL;
    if (block && n_rows == SV_PANEL) {
        unpack_blocks(m, block, first_row, first_k, n_k, panel);
    } else {
        unpack_plain(m, first_row, n_rows, first_k, n_k, panel);
    }
}
