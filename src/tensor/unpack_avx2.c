/* unpack_avx2.c - 8 rows at a time, transposed in registers. Two 16-bit numbers travel as one 32-bit word. */
#include "tensor/unpack_blocks.h"

#ifdef __x86_64__
#include <immintrin.h>

#include "tensor/product.h"

#define AVX2 __attribute__((target("avx2,fma,f16c")))
#define AHEAD 512 /* bytes that rows are fetched ahead */

/* r[i] holds row i of an 8 x 8 block; afterwards column i. */
AVX2 static inline void transpose(__m256i r[8]) {
    __m256i u[8];
    for (int g = 0; g < 8; g += 4) {
        __m256i low01 = _mm256_unpacklo_epi32(r[g], r[g + 1]), high01 = _mm256_unpackhi_epi32(r[g], r[g + 1]);
        __m256i low23 = _mm256_unpacklo_epi32(r[g + 2], r[g + 3]), high23 = _mm256_unpackhi_epi32(r[g + 2], r[g + 3]);
        u[g] = _mm256_unpacklo_epi64(low01, low23);
        u[g + 1] = _mm256_unpackhi_epi64(low01, low23);
        u[g + 2] = _mm256_unpacklo_epi64(high01, high23);
        u[g + 3] = _mm256_unpackhi_epi64(high01, high23);
    }
    for (int j = 0; j < 4; j++) {
        r[j] = _mm256_permute2x128_si256(u[j], u[4 + j], 0x20);
        r[4 + j] = _mm256_permute2x128_si256(u[j], u[4 + j], 0x31);
    }
}

AVX2 static inline void load_columns(const unsigned char *rows, size_t row_bytes, __m256i r[8]) {
    for (size_t i = 0; i < 8; i++) {
        r[i] = _mm256_loadu_si256((const __m256i *)(const void *)(rows + i * row_bytes));
        _mm_prefetch((const char *)rows + i * row_bytes + AHEAD, _MM_HINT_T0);
    }
    transpose(r);
}

AVX2 static void unpack_f32(const unsigned char *rows, size_t row_bytes, float *panel) {
    __m256i r[8];
    load_columns(rows, row_bytes, r);
    for (size_t k = 0; k < 8; k++) _mm256_store_ps(panel + k * SV_PANEL, _mm256_castsi256_ps(r[k]));
}

AVX2 static void unpack_bf16(const unsigned char *rows, size_t row_bytes, float *panel) {
    __m256i r[8], high = _mm256_set1_epi32((int)0xffff0000);
    load_columns(rows, row_bytes, r);
    for (size_t k = 0; k < 8; k++) {
        _mm256_store_ps(panel + 2 * k * SV_PANEL, _mm256_castsi256_ps(_mm256_slli_epi32(r[k], 16)));
        _mm256_store_ps(panel + (2 * k + 1) * SV_PANEL, _mm256_castsi256_ps(_mm256_and_si256(r[k], high)));
    }
}

/* The low 16 bits of eight words as f32. */
AVX2 static inline __m256 low_halves(__m256i words) {
    __m256i packed = _mm256_packus_epi32(_mm256_and_si256(words, _mm256_set1_epi32(0xffff)), _mm256_setzero_si256());
    return _mm256_cvtph_ps(_mm256_castsi256_si128(_mm256_permute4x64_epi64(packed, 0x08)));
}

AVX2 static void unpack_f16(const unsigned char *rows, size_t row_bytes, float *panel) {
    __m256i r[8];
    load_columns(rows, row_bytes, r);
    for (size_t k = 0; k < 8; k++) {
        _mm256_store_ps(panel + 2 * k * SV_PANEL, low_halves(r[k]));
        _mm256_store_ps(panel + (2 * k + 1) * SV_PANEL, low_halves(_mm256_srli_epi32(r[k], 16)));
    }
}

static const sv_block f32 = {8, 8, unpack_f32}, bf16 = {8, 16, unpack_bf16}, f16 = {8, 16, unpack_f16};

const sv_block *sv_block_avx2(sv_dtype dtype) {
    return dtype == SV_F32 ? &f32 : dtype == SV_BF16 ? &bf16 : dtype == SV_F16 ? &f16 : NULL;
}
#else
const sv_block *sv_block_avx2(sv_dtype dtype) {
    (void)dtype;
    return NULL;
}
#endif
