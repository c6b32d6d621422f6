/* sight.c - see sight.h. */
#include "train/sight.h"

#include <string.h>

#include "base/arrays.h"
#include "base/memory.h"
#include "model/rope.h"
#include "tensor/backward.h"
#include "tensor/pointwise.h"

#define NORM_EPS 1e-6F /* of the vision tower, as in the engine */
#define VISION_TOWER ((uint64_t)0)

/* ---- setting up */

static void set_up(sv_sight *s) {
    const sv_vision_config *c = &s->t->network.config.vision;
    const sv_weights *w = &s->t->network.weights;
    for (int i = 0; i < c->depth; i++) {
        const sv_vision_block *b = &w->vision_blocks[i];
        s->tower.blocks[i] = (sv_block){.eps = NORM_EPS,
                                        .hidden = (size_t)c->hidden,
                                        .ffn = (size_t)c->ffn,
                                        .n_heads = (size_t)c->n_heads,
                                        .n_kv_heads = (size_t)c->n_heads,
                                        .head_dim = (size_t)(c->hidden / c->n_heads)};
        sv_tower_set_layers(&s->tower, (size_t)i, b->norm1, b->norm2,
                            (const sv_linear *[]){&b->qkv, &b->projection, &b->gate_up, &b->down},
                            &s->t->gradients.vision_blocks[i]);
    }
    sv_tower_note_linear(&s->tower, &w->patch_embed);
    sv_tower_note_linear(&s->tower, &w->merger_in);
    sv_tower_note_linear(&s->tower, &w->merger_out);
}

sv_status sv_sight_new(sv_trainee *trainee, bool recompute, sv_precision precision, sv_pool *pool, sv_sight *out,
                       sv_error *err) {
    size_t depth = (size_t)trainee->network.config.vision.depth;
    *out = (sv_sight){.t = trainee, .pool = pool};
    sv_status s = sv_tower_new(depth, recompute, pool, &out->tower, err);
    if (s) return s;
    out->tower.space.linear.precision = precision;
    set_up(out);
    out->packed = sv_calloc(depth, sizeof *out->packed);
    return out->packed ? SV_OK : sv_fail_memory(err, "vision", depth * sizeof *out->packed);
}

void sv_sight_free(sv_sight *s) {
    sv_tower_free(&s->tower);
    free(s->packed);
    free(s->first_cell);
    free(s->windows);
    free(s->storage);
}

/* ---- a batch */

static sv_status plan_index(sv_sight *s, size_t n_pictures, size_t n_cells, sv_error *err) {
    size_t need = n_pictures + n_cells;
    s->n_pictures = n_pictures;
    s->n_cells = n_cells;
    if (need > s->index_capacity) {
        free(s->first_cell);
        free(s->windows);
        s->first_cell = sv_calloc(need, sizeof *s->first_cell);
        s->windows = sv_calloc(need, sizeof *s->windows);
        s->index_capacity = s->first_cell && s->windows ? need : 0;
        if (!s->index_capacity) return sv_fail_memory(err, "places of patches", need * sizeof *s->windows);
    }
    s->place = s->first_cell + n_pictures;
    s->pictures = s->windows + n_cells; /* a window has a cell at least */
    return SV_OK;
}

static sv_status reserve(sv_sight *s, size_t row_size, sv_error *err) {
    const sv_model_config *c = &s->t->network.config;
    size_t hidden = (size_t)c->vision.hidden, half = hidden / (size_t)c->vision.n_heads / 2;
    size_t out = (size_t)c->vision.out_hidden, cell = s->t->network.weights.merger_in.n_in, n = s->n_patches;
    if (n <= s->capacity) return SV_OK;
    const sv_array arrays[] = {{&s->pixels, n, row_size},
                               {&s->cosines, n, half},
                               {&s->sines, n, half},
                               {&s->normed, n, hidden},
                               {&s->hidden, s->n_cells, cell},
                               {&s->activated, s->n_cells, cell},
                               {&s->merged, s->n_cells, out},
                               {&s->embeddings, s->n_cells, out},
                               {&s->dembeddings, s->n_cells, out},
                               {&s->dmerged, s->n_cells, out},
                               {&s->dactivated, s->n_cells, cell},
                               {&s->dnormed, n, hidden},
                               {&s->dx, n, hidden}};
    free(s->storage);
    s->storage = sv_arrays_new(arrays, SV_COUNT(arrays));
    s->capacity = s->storage ? n : 0;
    return s->storage ? SV_OK : sv_fail_memory(err, "activations of the pictures", n * hidden * sizeof(float));
}

/* Windows, angles and pixels of one picture, which begins at cell `first`. */
static sv_status place_picture(sv_sight *s, const sv_patches *picture, size_t first, sv_error *err) {
    const sv_vision_config *c = &s->t->network.config.vision;
    sv_grid cells = {picture->grid_h / c->merge, picture->grid_w / c->merge};
    size_t n = (size_t)cells.h * (size_t)cells.w, per_cell = (size_t)(c->merge * c->merge), n_windows;
    size_t half = (size_t)(c->hidden / c->n_heads / 2), row_size = (size_t)picture->row_size;
    int32_t *order = sv_calloc(2 * n, sizeof *order), *ends = order + n;
    if (!order) return sv_fail_memory(err, "windows", 2 * n * sizeof *order);
    sv_window_order(cells, c->window / c->merge / c->patch, order, ends, &n_windows);
    for (size_t k = 0; k < n_windows; k++) {
        size_t from = k ? (size_t)ends[k - 1] : 0;
        s->windows[s->n_windows++] = (sv_row_range){(first + from) * per_cell, ((size_t)ends[k] - from) * per_cell};
    }
    for (size_t i = 0; i < n; i++) {
        size_t cell = (size_t)order[i];
        s->place[first + i] = first + cell;
        memcpy(s->pixels + (first + i) * per_cell * row_size, picture->rows + cell * per_cell * row_size,
               per_cell * row_size * sizeof(float));
        for (size_t k = 0; k < per_cell; k++) {
            int row = (int)(cell / (size_t)cells.w) * c->merge + (int)k / c->merge;
            int column = (int)(cell % (size_t)cells.w) * c->merge + (int)k % c->merge;
            size_t at = ((first + i) * per_cell + k) * half;
            sv_vision_angles(s->t->network.vision_frequencies, (int)(2 * half), row, column, s->cosines + at,
                             s->sines + at);
        }
    }
    free(order);
    return SV_OK;
}

static bool is_full(const sv_vision_config *c, int block) {
    for (int i = 0; i < c->n_full_blocks; i++) {
        if (c->full_blocks[i] == block) return true;
    }
    return false;
}

sv_status sv_sight_plan(sv_sight *s, const sv_patches *pictures, size_t n_pictures, sv_error *err) {
    const sv_vision_config *c = &s->t->network.config.vision;
    size_t per_cell = (size_t)(c->merge * c->merge), n_cells = 0, row_size = s->t->network.weights.patch_embed.n_in;
    s->longest = s->n_windows = 0;
    for (size_t i = 0; i < n_pictures; i++) {
        size_t n = (size_t)pictures[i].grid_h * (size_t)pictures[i].grid_w;
        s->longest = SV_MAX(s->longest, n);
        n_cells += n / per_cell;
        if ((size_t)pictures[i].row_size != row_size) {
            return sv_fail(err, SV_ERR_INPUT, "picture %zu has patches of %d numbers, the model reads %zu", i,
                           pictures[i].row_size, row_size);
        }
    }
    s->n_patches = n_cells * per_cell;
    sv_status status = plan_index(s, n_pictures, n_cells, err);
    if (!status) status = reserve(s, row_size, err);
    if (!status) status = sv_tower_reserve(&s->tower, s->n_patches, s->longest, s->t->dropout > 0, err);
    for (size_t i = 0, first = 0; i < n_pictures && !status; i++) {
        size_t n = (size_t)pictures[i].grid_h * (size_t)pictures[i].grid_w;
        s->first_cell[i] = first;
        s->pictures[i] = (sv_row_range){first * per_cell, n};
        status = place_picture(s, &pictures[i], first, err);
        first += n / per_cell;
    }
    s->windowed = (sv_packed){s->n_patches, 0, s->windows, s->n_windows, s->cosines, s->sines};
    s->whole = (sv_packed){s->n_patches, 0, s->pictures, n_pictures, s->cosines, s->sines};
    for (int i = 0; i < c->depth; i++) s->packed[i] = is_full(c, i) ? &s->whole : &s->windowed;
    return status;
}

void sv_sight_run(sv_sight *s, uint64_t step, bool drops) {
    const sv_weights *w = &s->t->network.weights;
    sv_linear_space *space = &s->tower.space.linear;
    size_t cell = w->merger_in.n_in, out = w->merger_out.n_out, hidden = s->tower.blocks[0].hidden;
    sv_tower_set_dropout(&s->tower, s->t, step, VISION_TOWER, drops);
    sv_linear_forward(&w->patch_embed, NULL, s->pixels, w->patch_embed.n_in, s->n_patches, s->tower.inputs[0], false,
                      space);
    sv_tower_forward(&s->tower, s->packed);
    sv_rms_norm(s->tower.inputs[s->tower.n_blocks], w->merger_norm, NORM_EPS, s->n_patches, hidden, s->normed, s->pool);
    sv_linear_forward(&w->merger_in, NULL, s->normed, cell, s->n_cells, s->hidden, false, space);
    memcpy(s->activated, s->hidden, s->n_cells * cell * sizeof *s->hidden);
    sv_gelu(s->activated, s->n_cells, cell, s->pool);
    sv_linear_forward(&w->merger_out, NULL, s->activated, cell, s->n_cells, s->merged, false, space);
    for (size_t i = 0; i < s->n_cells; i++)
        memcpy(s->embeddings + s->place[i] * out, s->merged + i * out, out * sizeof *s->merged);
}

void sv_sight_backward(sv_sight *s) {
    const sv_weights *w = &s->t->network.weights;
    const sv_network_gradients *g = &s->t->gradients;
    sv_linear_space *space = &s->tower.space.linear;
    size_t cell = w->merger_in.n_in, out = w->merger_out.n_out, hidden = s->tower.blocks[0].hidden;
    for (size_t i = 0; i < s->n_cells; i++)
        memcpy(s->dmerged + i * out, s->dembeddings + s->place[i] * out, out * sizeof *s->merged);
    memset(s->dactivated, 0, s->n_cells * cell * sizeof *s->dactivated);
    sv_linear_backward(&w->merger_out, &g->merger_out, NULL, s->activated, cell, s->n_cells, s->dmerged, s->dactivated,
                       cell, space);
    sv_gelu_backward(s->hidden, s->dactivated, s->n_cells, cell, s->dactivated, s->pool);
    memset(s->dnormed, 0, s->n_patches * hidden * sizeof *s->dnormed);
    sv_linear_backward(&w->merger_in, &g->merger_in, NULL, s->normed, cell, s->n_cells, s->dactivated, s->dnormed, cell,
                       space);
    memset(s->dx, 0, s->n_patches * hidden * sizeof *s->dx);
    sv_rms_norm_backward(s->tower.inputs[s->tower.n_blocks], w->merger_norm, NORM_EPS, s->dnormed, s->n_patches, hidden,
                         s->dx, g->merger_norm, s->pool);
    sv_tower_backward(&s->tower, s->packed, s->dx);
    sv_linear_backward(&w->patch_embed, &g->patch_embed, NULL, s->pixels, w->patch_embed.n_in, s->n_patches, s->dx,
                       NULL, 0, space);
}
