/* unpack_avx512.c - 16 rows at a time, transposed in registers. Two 16-bit numbers travel as one 32-bit word. */
#include "tensor/unpack_blocks.h"

#ifdef __x86_64__
#include <immintrin.h>

#include "tensor/product.h"

#define AVX512 __attribute__((target("avx512f,avx512vl,avx512bw,avx512dq,avx2,fma,f16c")))
#define AHEAD 512 /* bytes that rows are fetched ahead: sixteen streams are too many for the hardware to follow */

/* r[i] holds row i of a 16 x 16 block; afterwards column i. */
AVX512 static inline void transpose(__m512i r[16]) {
    __m512i u[16];
    for (int g = 0; g < 16; g += 4) {
        __m512i low01 = _mm512_unpacklo_epi32(r[g], r[g + 1]), high01 = _mm512_unpackhi_epi32(r[g], r[g + 1]);
        __m512i low23 = _mm512_unpacklo_epi32(r[g + 2], r[g + 3]), high23 = _mm512_unpackhi_epi32(r[g + 2], r[g + 3]);
        u[g] = _mm512_unpacklo_epi64(low01, low23);
        u[g + 1] = _mm512_unpackhi_epi64(low01, low23);
        u[g + 2] = _mm512_unpacklo_epi64(high01, high23);
        u[g + 3] = _mm512_unpackhi_epi64(high01, high23);
    }
    for (int j = 0; j < 4; j++) {
        __m512i even01 = _mm512_shuffle_i32x4(u[j], u[4 + j], 0x88), odd01 = _mm512_shuffle_i32x4(u[j], u[4 + j], 0xdd);
        __m512i even23 = _mm512_shuffle_i32x4(u[8 + j], u[12 + j], 0x88);
        __m512i odd23 = _mm512_shuffle_i32x4(u[8 + j], u[12 + j], 0xdd);
        r[j] = _mm512_shuffle_i32x4(even01, even23, 0x88);
        r[4 + j] = _mm512_shuffle_i32x4(odd01, odd23, 0x88);
        r[8 + j] = _mm512_shuffle_i32x4(even01, even23, 0xdd);
        r[12 + j] = _mm512_shuffle_i32x4(odd01, odd23, 0xdd);
    }
}

AVX512 static inline void load_columns(const unsigned char *rows, size_t row_bytes, __m512i r[16]) {
    for (size_t i = 0; i < 16; i++) {
        r[i] = _mm512_loadu_si512(rows + i * row_bytes);
        _mm_prefetch((const char *)rows + i * row_bytes + AHEAD, _MM_HINT_T0);
    }
    transpose(r);
}

AVX512 static void unpack_f32(const unsigned char *rows, size_t row_bytes, float *panel) {
    __m512i r[16];
    load_columns(rows, row_bytes, r);
    for (size_t k = 0; k < 16; k++) _mm512_store_si512(panel + k * SV_PANEL, r[k]);
}

AVX512 static void unpack_bf16(const unsigned char *rows, size_t row_bytes, float *panel) {
    __m512i r[16], high = _mm512_set1_epi32((int)0xffff0000);
    load_columns(rows, row_bytes, r);
    for (size_t k = 0; k < 16; k++) {
        _mm512_store_si512(panel + 2 * k * SV_PANEL, _mm512_slli_epi32(r[k], 16));
        _mm512_store_si512(panel + (2 * k + 1) * SV_PANEL, _mm512_and_si512(r[k], high));
    }
}

AVX512 static void unpack_f16(const unsigned char *rows, size_t row_bytes, float *panel) {
    __m512i r[16];
    load_columns(rows, row_bytes, r);
    for (size_t k = 0; k < 16; k++) {
        __m256i even = _mm512_cvtepi32_epi16(r[k]), odd = _mm512_cvtepi32_epi16(_mm512_srli_epi32(r[k], 16));
        _mm512_store_ps(panel + 2 * k * SV_PANEL, _mm512_cvtph_ps(even));
        _mm512_store_ps(panel + (2 * k + 1) * SV_PANEL, _mm512_cvtph_ps(odd));
    }
}

static const sv_block f32 = {16, 16, unpack_f32}, bf16 = {16, 32, unpack_bf16}, f16 = {16, 32, unpack_f16};

const sv_block *sv_block_avx512(sv_dtype dtype) {
    return dtype == SV_F32 ? &f32 : dtype == SV_BF16 ? &bf16 : dtype == SV_F16 ? &f16 : NULL;
}
#else
const sv_block *sv_block_avx512(sv_dtype dtype) {
    (void)dtype;
    return NULL;
}
#endif
