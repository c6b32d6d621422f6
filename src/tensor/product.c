/* product.c - the tile kernels, the walk over tiles, and the choice of kernels by instruction set. */
#include "tensor/product.h"

#include <string.h>

#include "base/memory.h"
#include "tensor/isa.h"

#define MAX_TILE_ROWS 8
#define DEPTH_BLOCK ((size_t)256) /* rows of a panel per pass: 32 KiB, stays in the first cache */
#define MAX_PANELS 4

#define LANES 4
#define TILE tile_of_4
#include "tensor/tile.inc"
#define LANES 8
#define TILE tile_of_8
#include "tensor/tile.inc"
#define LANES 16
#define TILE tile_of_16
#include "tensor/tile.inc"

typedef void tile_function(const float *x, size_t x_stride, const float *panels, size_t panel_stride, size_t n_in,
                           float *y, size_t y_stride);

#define KERNEL(name, tile, target, n_rows, n_panels)                                                                \
    target static void name(const float *x, size_t x_stride, const float *panels, size_t panel_stride, size_t n_in, \
                            float *y, size_t y_stride) {                                                            \
        tile(n_rows, n_panels, x, x_stride, panels, panel_stride, n_in, y, y_stride);                               \
    }

/* the kernels of an instruction set: as many sums as fit its registers */
typedef struct kernels {
    size_t max_rows, wide_panels;
    tile_function *rows[MAX_TILE_ROWS]; /* [n - 1]: n rows by one panel */
    tile_function *wide;                /* one row by wide_panels panels */
} kernels;

#define REF
KERNEL(ref_1, tile_of_4, REF, 1, 1)
static const kernels ref = {1, 1, {ref_1}, ref_1};

#ifdef __x86_64__
#define AVX2 __attribute__((target("avx2,fma")))
KERNEL(avx2_1, tile_of_8, AVX2, 1, 1)
KERNEL(avx2_2, tile_of_8, AVX2, 2, 1)
KERNEL(avx2_3, tile_of_8, AVX2, 3, 1)
KERNEL(avx2_wide, tile_of_8, AVX2, 1, 2)
static const kernels avx2 = {3, 2, {avx2_1, avx2_2, avx2_3}, avx2_wide};

#define AVX512 __attribute__((target("avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")))
KERNEL(avx512_1, tile_of_16, AVX512, 1, 1)
KERNEL(avx512_2, tile_of_16, AVX512, 2, 1)
KERNEL(avx512_3, tile_of_16, AVX512, 3, 1)
KERNEL(avx512_4, tile_of_16, AVX512, 4, 1)
KERNEL(avx512_5, tile_of_16, AVX512, 5, 1)
KERNEL(avx512_6, tile_of_16, AVX512, 6, 1)
KERNEL(avx512_7, tile_of_16, AVX512, 7, 1)
KERNEL(avx512_8, tile_of_16, AVX512, 8, 1)
KERNEL(avx512_wide, tile_of_16, AVX512, 1, 4)
static const kernels avx512 = {
    8, 4, {avx512_1, avx512_2, avx512_3, avx512_4, avx512_5, avx512_6, avx512_7, avx512_8}, avx512_wide};
#endif

static const kernels *current(void) {
#ifdef __x86_64__
    switch (sv_isa_current()) {
        case SV_ISA_AVX512: return &avx512;
        case SV_ISA_AVX2: return &avx2;
        default: break;
    }
#endif
    return &ref;
}

void sv_pack_transposed(const float *rows, size_t stride, size_t n_rows, size_t n_in, size_t first, float *panels) {
    for (size_t i = 0; i < n_rows; i++) {
        const float *row = rows + i * stride;
        float *column = panels + (first + i) / SV_PANEL * SV_PANEL * n_in + (first + i) % SV_PANEL;
        for (size_t k = 0; k < n_in; k++) column[k * SV_PANEL] = row[k];
    }
}

void sv_pack_rows(const float *rows, size_t stride, size_t n_rows, size_t n_out, size_t first, float *panels,
                  size_t panel_stride) {
    for (size_t column = 0; column < n_out; column += SV_PANEL) {
        size_t n = SV_MIN(SV_PANEL, n_out - column);
        float *panel = panels + column / SV_PANEL * panel_stride + first * SV_PANEL;
        for (size_t i = 0; i < n_rows; i++) memcpy(panel + i * SV_PANEL, rows + i * stride + column, n * sizeof *panel);
    }
}

/* the last panel where it is not full: through a copy, so that nothing beyond y's columns is touched */
static void narrow_tile(tile_function *run, size_t n_rows, size_t n_columns, const float *x, size_t x_stride,
                        const float *panel, size_t n_in, float *y, size_t y_stride) {
    float copy[MAX_TILE_ROWS * SV_PANEL] = {0};
    for (size_t r = 0; r < n_rows; r++) memcpy(copy + r * SV_PANEL, y + r * y_stride, n_columns * sizeof *y);
    run(x, x_stride, panel, 0, n_in, copy, SV_PANEL);
    for (size_t r = 0; r < n_rows; r++) memcpy(y + r * y_stride, copy + r * SV_PANEL, n_columns * sizeof *y);
}

static void one_row(const kernels *k, const float *x, const float *panels, size_t panel_stride, size_t n_in,
                    size_t n_out, float *y) {
    size_t column = 0, width = k->wide_panels * SV_PANEL;
    for (; column + width <= n_out; column += width) {
        k->wide(x, 0, panels + column / SV_PANEL * panel_stride, panel_stride, n_in, y + column, 0);
    }
    for (; column < n_out; column += SV_PANEL) {
        const float *panel = panels + column / SV_PANEL * panel_stride;
        if (n_out - column < SV_PANEL) {
            narrow_tile(k->rows[0], 1, n_out - column, x, 0, panel, n_in, y + column, 0);
        } else {
            k->rows[0](x, 0, panel, 0, n_in, y + column, 0);
        }
    }
}

void sv_product(const float *x, size_t x_stride, size_t n_rows, const float *panels, size_t panel_stride, size_t n_in,
                size_t n_out, float *y, size_t y_stride) {
    const kernels *k = current();
    if (n_rows == 1) {
        one_row(k, x, panels, panel_stride, n_in, n_out, y);
        return;
    }
    for (size_t depth = 0; depth < n_in; depth += DEPTH_BLOCK) {
        size_t n_depth = SV_MIN(DEPTH_BLOCK, n_in - depth);
        for (size_t column = 0; column < n_out; column += SV_PANEL) {
            const float *panel = panels + column / SV_PANEL * panel_stride + depth * SV_PANEL;
            size_t n_columns = SV_MIN(SV_PANEL, n_out - column);
            for (size_t r = 0; r < n_rows; r += k->max_rows) {
                size_t n = SV_MIN(k->max_rows, n_rows - r);
                const float *in = x + r * x_stride + depth;
                float *out = y + r * y_stride + column;
                if (n_columns < SV_PANEL) {
                    narrow_tile(k->rows[n - 1], n, n_columns, in, x_stride, panel, n_depth, out, y_stride);
                } else {
                    k->rows[n - 1](in, x_stride, panel, 0, n_depth, out, y_stride);
                }
            }
        }
    }
}
