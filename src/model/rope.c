/* rope.c - positions, angles, windows. */
#include "model/rope.h"

#include <math.h>

#include "base/memory.h"

static sv_status place_picture(const int32_t *ids, size_t n, int image_token, sv_grid grid, int32_t start,
                               sv_position *positions, int32_t *next_after, sv_error *err) {
    size_t n_cells = (size_t)grid.h * (size_t)grid.w;
    for (size_t i = 0; i < n_cells; i++) {
        if (i >= n || ids[i] != image_token) {
            return sv_fail(err, SV_ERR_INPUT,
                           "the prompt has a run of %zu image tokens where the picture has %zu (%d x %d)", i, n_cells,
                           grid.h, grid.w);
        }
        int32_t row = (int32_t)(i / (size_t)grid.w), column = (int32_t)(i % (size_t)grid.w);
        positions[i] = (sv_position){start, start + row, start + column};
        int32_t used = start + (row > 0 ? SV_MAX(row, grid.w - 1) : column);
        next_after[i] = used + 1;
    }
    return SV_OK;
}

sv_status sv_mrope_positions(const int32_t *ids, size_t n, int image_token, const sv_embedding *const *pictures,
                             size_t n_pictures, int32_t start, sv_position *positions, int32_t *next_after,
                             sv_error *err) {
    size_t picture = 0;
    for (size_t i = 0; i < n;) {
        if (ids[i] != image_token) {
            positions[i] = (sv_position){start, start, start};
            next_after[i] = ++start;
            i++;
            continue;
        }
        if (picture == n_pictures) {
            return sv_fail(err, SV_ERR_INPUT,
                           "the prompt has image tokens for more pictures than the %zu given (id %d at %zu)",
                           n_pictures, image_token, i);
        }
        sv_grid grid = {pictures[picture]->grid_h, pictures[picture]->grid_w};
        sv_status status = place_picture(ids + i, n - i, image_token, grid, start, positions + i, next_after + i, err);
        if (status != SV_OK) return sv_error_prefix(err, "picture %zu, token %zu", picture + 1, i);
        picture++;
        i += (size_t)grid.h * (size_t)grid.w;
        start = next_after[i - 1];
    }
    if (picture != n_pictures) {
        return sv_fail(err, SV_ERR_INPUT, "%zu pictures were given but the prompt has image tokens for %zu", n_pictures,
                       picture);
    }
    return SV_OK;
}

void sv_rope_frequencies(double theta, int dim, float *out) {
    for (int i = 0; i < dim / 2; i++) {
        float exponent = (float)(2 * i) / (float)dim;
        out[i] = 1.0F / (float)pow(theta, (double)exponent);
    }
}

void sv_mrope_angles(const sv_text_config *config, const float *frequencies, sv_position position, float *cosines,
                     float *sines) {
    const int32_t components[3] = {position.t, position.h, position.w};
    int i = 0;
    for (int s = 0; s < 3; s++) {
        for (int end = i + config->mrope_section[s]; i < end; i++) {
            float angle = (float)components[s] * frequencies[i];
            cosines[i] = cosf(angle);
            sines[i] = sinf(angle);
        }
    }
}

void sv_vision_angles(const float *frequencies, int head_dim, int row, int column, float *cosines, float *sines) {
    int quarter = head_dim / 4;
    for (int i = 0; i < quarter; i++) {
        float angle = (float)row * frequencies[i];
        cosines[i] = cosf(angle);
        sines[i] = sinf(angle);
        angle = (float)column * frequencies[i];
        cosines[quarter + i] = cosf(angle);
        sines[quarter + i] = sinf(angle);
    }
}

void sv_rope_rotate(float *x, size_t half, const float *cosines, const float *sines) {
    float *restrict low = x, *restrict high = x + half;
    for (size_t i = 0; i < half; i++) {
        float a = low[i], b = high[i];
        low[i] = a * cosines[i] - b * sines[i];
        high[i] = b * cosines[i] + a * sines[i];
    }
}

void sv_window_order(sv_grid cells, int window, int32_t *order, int32_t *ends, size_t *n_windows) {
    int32_t n = 0;
    *n_windows = 0;
    for (int top = 0; top < cells.h; top += window) {
        for (int left = 0; left < cells.w; left += window) {
            for (int row = top; row < SV_MIN(top + window, cells.h); row++) {
                for (int column = left; column < SV_MIN(left + window, cells.w); column++) {
                    order[n++] = row * cells.w + column;
                }
            }
            ends[(*n_windows)++] = n;
        }
    }
}
