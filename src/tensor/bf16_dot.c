/* bf16_dot.c - see bf16_dot.h. */
#include "tensor/bf16_dot.h"

#include <string.h>

#include "base/clones.h"
#include "base/memory.h"
#include "tensor/isa.h"
#include "tensor/product.h"

/* ---- rounding */

static inline uint32_t bits_of(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* The bits of sv_bf16_from_f32, without a branch. */
static inline uint32_t rounded(float x) {
    uint32_t bits = bits_of(x), up = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16, quiet = bits >> 16 | 0x40;
    return (bits & 0x7FFFFFFF) > 0x7F800000 ? quiet : up;
}

void sv_bf16_pairs_clones(const float *numbers, size_t n_pairs, uint32_t *out);
SV_CLONES void sv_bf16_pairs_clones(const float *numbers, size_t n_pairs, uint32_t *out) {
    for (size_t i = 0; i < n_pairs; i++) out[i] = rounded(numbers[2 * i]) | rounded(numbers[2 * i + 1]) << 16;
}

void sv_bf16_pairs(const float *numbers, size_t n, uint32_t *out) {
    sv_bf16_pairs_clones(numbers, n / 2, out);
    if (n % 2) out[n / 2] = rounded(numbers[n - 1]);
}

void sv_bf16_panel_clones(const float *panel, size_t n_pairs, uint32_t *out);
SV_CLONES void sv_bf16_panel_clones(const float *panel, size_t n_pairs, uint32_t *out) {
    for (size_t i = 0; i < n_pairs; i++) {
        const float *first = panel + 2 * i * SV_PANEL, *second = first + SV_PANEL;
        for (size_t c = 0; c < SV_PANEL; c++) out[i * SV_PANEL + c] = rounded(first[c]) | rounded(second[c]) << 16;
    }
}

void sv_bf16_panel(const float *panel, size_t depth, uint32_t *out) {
    sv_bf16_panel_clones(panel, depth / 2, out);
    for (size_t c = 0; depth % 2 && c < SV_PANEL; c++)
        out[depth / 2 * SV_PANEL + c] = rounded(panel[(depth - 1) * SV_PANEL + c]);
}

/* ---- products */

#ifdef __x86_64__
#include <cpuid.h>
#include <immintrin.h>

#define DOT __attribute__((target("avx512f,avx512vl,avx512bw,avx512dq,avx512bf16")))
#define LANES ((size_t)16)

/* clang 14's __builtin_cpu_supports does not know it by name */
static bool machine_has_it(void) {
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & 1u << 5);
}

bool sv_bf16_dot_available(void) { return sv_isa_current() == SV_ISA_AVX512 && machine_has_it(); }

DOT static inline __m512 dot(__m512 sum, uint32_t a, __m512i b) {
    return _mm512_dpbf16_ps(sum, (__m512bh)_mm512_set1_epi32((int)a), (__m512bh)b);
}

/* n_rows is a constant where this is called: the sums stay in registers. */
DOT static inline __attribute__((always_inline)) void tile(const uint32_t *a, size_t a_stride, size_t n_rows,
                                                           const uint32_t *panel, size_t n_pairs, size_t n_columns,
                                                           float *y, size_t y_stride) {
    enum { MAX_ROWS = 8 };
    uint32_t mask = n_columns >= SV_PANEL ? UINT32_MAX : (1u << n_columns) - 1;
    __mmask16 left = (__mmask16)mask, right = (__mmask16)(mask >> LANES);
    __m512 low[MAX_ROWS], high[MAX_ROWS];
    for (size_t r = 0; r < n_rows; r++) {
        low[r] = _mm512_maskz_loadu_ps(left, y + r * y_stride);
        high[r] = _mm512_maskz_loadu_ps(right, y + r * y_stride + LANES);
    }
    for (size_t k = 0; k < n_pairs; k++) {
        __m512i b0 = _mm512_load_si512(panel + k * SV_PANEL), b1 = _mm512_load_si512(panel + k * SV_PANEL + LANES);
        for (size_t r = 0; r < n_rows; r++) {
            low[r] = dot(low[r], a[r * a_stride + k], b0);
            high[r] = dot(high[r], a[r * a_stride + k], b1);
        }
    }
    for (size_t r = 0; r < n_rows; r++) {
        _mm512_mask_storeu_ps(y + r * y_stride, left, low[r]);
        _mm512_mask_storeu_ps(y + r * y_stride + LANES, right, high[r]);
    }
}

DOT void sv_bf16_dot(const uint32_t *a, size_t a_stride, size_t n_rows, const uint32_t *panels, size_t panel_stride,
                     size_t n_pairs, size_t n_columns, float *y, size_t y_stride) {
    for (size_t column = 0; column < n_columns; column += SV_PANEL) {
        const uint32_t *panel = panels + column / SV_PANEL * panel_stride;
        size_t n = SV_MIN(SV_PANEL, n_columns - column), r = 0;
        for (; r + 8 <= n_rows; r += 8)
            tile(a + r * a_stride, a_stride, 8, panel, n_pairs, n, y + r * y_stride + column, y_stride);
        for (; r + 4 <= n_rows; r += 4)
            tile(a + r * a_stride, a_stride, 4, panel, n_pairs, n, y + r * y_stride + column, y_stride);
        for (; r < n_rows; r++)
            tile(a + r * a_stride, a_stride, 1, panel, n_pairs, n, y + r * y_stride + column, y_stride);
    }
}
#else
bool sv_bf16_dot_available(void) { return false; }

void sv_bf16_dot(const uint32_t *a, size_t a_stride, size_t n_rows, const uint32_t *panels, size_t panel_stride,
                 size_t n_pairs, size_t n_columns, float *y, size_t y_stride) {
    (void)a, (void)a_stride, (void)n_rows, (void)panels, (void)panel_stride, (void)n_pairs, (void)n_columns, (void)y,
        (void)y_stride;
}
#endif
