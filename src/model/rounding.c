/* rounding.c - without rounding, the plain kernels; with it, the same steps one by one. Rounding is for comparison with
 * the reference, not for speed. */
#include "model/rounding.h"

#include <math.h>

#include "model/rope.h"
#include "tensor/pointwise.h"

void sv_round_values(sv_rounding rounding, float *values, size_t n) {
    if (rounding == SV_ROUNDING_BF16) {
        for (size_t i = 0; i < n; i++) values[i] = sv_bf16_to_f32(sv_bf16_from_f32(values[i]));
    } else if (rounding == SV_ROUNDING_F16) {
        for (size_t i = 0; i < n; i++) values[i] = sv_f16_to_f32(sv_f16_from_f32(values[i]));
    }
}

void sv_rounded_norm(sv_rounding rounding, const float *x, const float *weight, float eps, size_t n_rows, size_t n,
                     float *out, sv_pool *pool) {
    if (rounding == SV_ROUNDING_NONE) {
        sv_rms_norm(x, weight, eps, n_rows, n, out, pool);
        return;
    }
    for (size_t r = 0; r < n_rows; r++, x += n, out += n) {
        double squares = 0;
        for (size_t i = 0; i < n; i++) squares += (double)x[i] * (double)x[i];
        float scale = 1 / sqrtf((float)(squares / (double)n) + eps);
        for (size_t i = 0; i < n; i++) out[i] = x[i] * scale;
        sv_round_values(rounding, out, n);
        for (size_t i = 0; i < n; i++) out[i] *= weight[i];
        sv_round_values(rounding, out, n);
    }
}

void sv_rounded_linear(sv_rounding rounding, const sv_linear *linear, const float *x, size_t x_stride, size_t n_rows,
                       float *y, float *low_rank, sv_pool *pool) {
    sv_linear_apply(linear, x, x_stride, n_rows, y, false, low_rank, pool);
    sv_round_values(rounding, y, n_rows * linear->n_out);
}

void sv_rounded_residual(sv_rounding rounding, const sv_linear *linear, const float *x, size_t x_stride, size_t n_rows,
                         float *residual, float *scratch, float *low_rank, sv_pool *pool) {
    if (rounding == SV_ROUNDING_NONE) {
        sv_linear_apply(linear, x, x_stride, n_rows, residual, true, low_rank, pool);
        return;
    }
    sv_rounded_linear(rounding, linear, x, x_stride, n_rows, scratch, low_rank, pool);
    for (size_t i = 0; i < n_rows * linear->n_out; i++) residual[i] += scratch[i];
    sv_round_values(rounding, residual, n_rows * linear->n_out);
}

void sv_rounded_swiglu(sv_rounding rounding, float *rows, size_t n_rows, size_t n, sv_pool *pool) {
    if (rounding == SV_ROUNDING_NONE) {
        sv_swiglu(rows, n_rows, n, pool);
        return;
    }
    for (size_t r = 0; r < n_rows; r++) {
        float *gate = rows + r * 2 * n, *up = gate + n;
        for (size_t i = 0; i < n; i++) gate[i] /= 1 + expf(-gate[i]);
        sv_round_values(rounding, gate, n);
        for (size_t i = 0; i < n; i++) gate[i] *= up[i];
        sv_round_values(rounding, gate, n);
    }
}

static float rounded(sv_rounding rounding, float x) {
    sv_round_values(rounding, &x, 1);
    return x;
}

void sv_rounded_rotate(sv_rounding rounding, float *x, size_t half, const float *cosines, const float *sines) {
    if (rounding == SV_ROUNDING_NONE) {
        sv_rope_rotate(x, half, cosines, sines);
        return;
    }
    for (size_t i = 0; i < half; i++) {
        float a = x[i], b = x[i + half];
        x[i] = rounded(rounding, a * cosines[i]) - rounded(rounding, b * sines[i]);
        x[i + half] = rounded(rounding, b * cosines[i]) + rounded(rounding, a * sines[i]);
    }
    sv_round_values(rounding, x, 2 * half);
}
