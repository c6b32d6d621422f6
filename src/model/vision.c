/* vision.c - the vision tower: patch embedding, windowed and full attention blocks, merger. */
#include <math.h>
#include <string.h>

#include "base/arrays.h"
#include "base/memory.h"
#include "model/network.h"
#include "tensor/attention.h"
#include "tensor/pointwise.h"
#include "tensor/product.h"

#define QUERY_ROWS ((size_t)64)
#define NORM_EPS 1e-6F /* fixed in the published network; config.json does not carry it */

typedef struct vision {
    const sv_model *model;
    sv_pool *pool;
    size_t n_patches, n_cells, n_windows;
    int32_t *order, *ends;  /* sv_window_order */
    float *x, *normed;      /* [n_patches, Dv], window order */
    float *wide;            /* [n_patches, max(3 Dv, 2 Fv, D)] */
    float *cosines, *sines; /* [n_patches, head_dim / 2] */
    float *low_rank;        /* [n_patches, rank of the adapter] */
    float *work;            /* [threads, work_size]: packed keys and values, scores */
    size_t work_size, keys_size, values_size;
    float *storage;
} vision;

enum { N_ARRAYS = 7 };

static void list_arrays(vision *v, size_t n_threads, sv_array arrays[N_ARRAYS]) {
    const sv_vision_config *c = &v->model->config.vision;
    size_t hidden = (size_t)c->hidden, head_dim = hidden / (size_t)c->n_heads, n = v->n_patches;
    v->keys_size = sv_panel_round(n) * head_dim;
    v->values_size = sv_panel_round(head_dim) * n;
    v->work_size = v->keys_size + v->values_size + sv_panel_round(QUERY_ROWS * n);
    const sv_array all[N_ARRAYS] = {
        {&v->x, n, hidden},
        {&v->normed, n, hidden},
        {&v->wide, n, SV_MAX(SV_MAX(3 * hidden, 2 * (size_t)c->ffn), (size_t)c->out_hidden)},
        {&v->cosines, n, head_dim / 2},
        {&v->sines, n, head_dim / 2},
        {&v->low_rank, n, v->model->weights.max_rank},
        {&v->work, n_threads, v->work_size},
    };
    for (size_t i = 0; i < N_ARRAYS; i++) arrays[i] = all[i];
}

static sv_status allocate(vision *v, sv_error *err) {
    sv_array arrays[N_ARRAYS];
    list_arrays(v, (size_t)sv_pool_n_threads(v->pool), arrays);
    v->order = sv_calloc(2 * v->n_cells, sizeof *v->order);
    v->storage = sv_arrays_new(arrays, N_ARRAYS);
    if (!v->order || !v->storage) {
        return sv_fail(err, SV_ERR_MEMORY, "out of memory: vision tower for a picture of %zu patches", v->n_patches);
    }
    v->ends = v->order + v->n_cells;
    return SV_OK;
}

bool sv_vision_size(const sv_model_config *config, size_t rank, size_t n_patches, size_t n_threads, size_t *n_bytes) {
    const sv_model stand_in = {.config = *config, .weights.max_rank = rank};
    vision v = {.model = &stand_in, .n_patches = n_patches};
    sv_array arrays[N_ARRAYS];
    list_arrays(&v, n_threads, arrays);
    return sv_arrays_size(arrays, N_ARRAYS, n_bytes);
}

/* Embeds the patches, then puts cells and their angles into window order. */
static void embed_patches(vision *v, const sv_patches *patches, const sv_tap *tap) {
    const sv_vision_config *c = &v->model->config.vision;
    size_t hidden = (size_t)c->hidden, half = hidden / (size_t)c->n_heads / 2, per_cell = v->n_patches / v->n_cells;
    sv_rounded_linear(v->model->rounding, &v->model->weights.patch_embed, patches->rows, (size_t)patches->row_size,
                      v->n_patches, v->normed, v->low_rank, v->pool);
    if (tap) tap->call(tap->context, "patch_embed", 0, v->normed, v->n_patches, hidden);
    int cells_wide = patches->grid_w / c->merge;
    for (size_t i = 0; i < v->n_cells; i++) {
        size_t cell = (size_t)v->order[i];
        memcpy(v->x + i * per_cell * hidden, v->normed + cell * per_cell * hidden, per_cell * hidden * sizeof *v->x);
        for (size_t p = 0; p < per_cell; p++) {
            int row = (int)(cell / (size_t)cells_wide) * c->merge + (int)p / c->merge;
            int column = (int)(cell % (size_t)cells_wide) * c->merge + (int)p % c->merge;
            size_t at = (i * per_cell + p) * half;
            sv_vision_angles(v->model->vision_frequencies, (int)(2 * half), row, column, v->cosines + at,
                             v->sines + at);
        }
    }
}

typedef struct attention_job {
    vision *v;
    bool full;
} attention_job;

/* One head over one stretch of patches that see each other. */
static void attend(void *context, int64_t item, int thread) {
    const attention_job *job = context;
    vision *v = job->v;
    const sv_vision_config *c = &v->model->config.vision;
    size_t hidden = (size_t)c->hidden, head_dim = hidden / (size_t)c->n_heads, per_cell = v->n_patches / v->n_cells;
    size_t head = (size_t)item % (size_t)c->n_heads, window = (size_t)item / (size_t)c->n_heads;
    size_t first = job->full || window == 0 ? 0 : (size_t)v->ends[window - 1] * per_cell;
    size_t n = (job->full ? v->n_patches : (size_t)v->ends[window] * per_cell) - first;
    float *keys = v->work + (size_t)thread * v->work_size, *values = keys + v->keys_size;
    float *qkv = v->wide + first * 3 * hidden + head * head_dim;
    for (size_t i = 0; i < n; i++) {
        const float *cosines = v->cosines + (first + i) * head_dim / 2, *sines = v->sines + (first + i) * head_dim / 2;
        sv_rope_rotate(qkv + i * 3 * hidden, head_dim / 2, cosines, sines);
        sv_rope_rotate(qkv + i * 3 * hidden + hidden, head_dim / 2, cosines, sines);
        sv_round_values(v->model->rounding, qkv + i * 3 * hidden, head_dim);
        sv_round_values(v->model->rounding, qkv + i * 3 * hidden + hidden, head_dim);
    }
    sv_pack_transposed(qkv + hidden, 3 * hidden, n, head_dim, 0, keys);
    sv_pack_rows(qkv + 2 * hidden, 3 * hidden, n, head_dim, 0, values, n * SV_PANEL);
    sv_attention_part part = {keys, values, n, n * SV_PANEL};
    for (size_t q = 0; q < n; q += QUERY_ROWS) {
        sv_attention_run(&(sv_attention){.queries = qkv + q * 3 * hidden,
                                         .n_queries = SV_MIN(QUERY_ROWS, n - q),
                                         .query_stride = 3 * hidden,
                                         .head_dim = head_dim,
                                         .parts = &part,
                                         .n_parts = 1,
                                         .n_visible = n,
                                         .scale = 1 / sqrtf((float)head_dim),
                                         .out = v->normed + (first + q) * hidden + head * head_dim,
                                         .out_stride = hidden,
                                         .scores = values + v->values_size});
    }
}

static bool is_full(const sv_vision_config *c, int block) {
    for (int i = 0; i < c->n_full_blocks; i++) {
        if (c->full_blocks[i] == block) return true;
    }
    return false;
}

static void run_block(vision *v, int index) {
    const sv_vision_config *c = &v->model->config.vision;
    const sv_vision_block *block = &v->model->weights.vision_blocks[index];
    sv_rounding rounding = v->model->rounding;
    size_t hidden = (size_t)c->hidden, ffn = (size_t)c->ffn, n = v->n_patches;
    sv_rounded_norm(rounding, v->x, block->norm1, NORM_EPS, n, hidden, v->normed, v->pool);
    sv_rounded_linear(rounding, &block->qkv, v->normed, hidden, n, v->wide, v->low_rank, v->pool);
    attention_job job = {v, is_full(c, index)};
    sv_pool_run(v->pool, (int64_t)(job.full ? 1 : v->n_windows) * c->n_heads, attend, &job);
    sv_round_values(rounding, v->normed, n * hidden);
    sv_rounded_residual(rounding, &block->projection, v->normed, hidden, n, v->x, v->wide, v->low_rank, v->pool);
    sv_rounded_norm(rounding, v->x, block->norm2, NORM_EPS, n, hidden, v->normed, v->pool);
    sv_rounded_linear(rounding, &block->gate_up, v->normed, hidden, n, v->wide, v->low_rank, v->pool);
    sv_rounded_swiglu(rounding, v->wide, n, ffn, v->pool);
    sv_rounded_residual(rounding, &block->down, v->wide, 2 * ffn, n, v->x, v->normed, v->low_rank, v->pool);
}

/* The patches of a cell lie side by side, so that a cell is one row; its place in the picture is order[i]. */
static void merge_cells(vision *v, float *out) {
    const sv_vision_config *c = &v->model->config.vision;
    const sv_weights *w = &v->model->weights;
    size_t cell = w->merger_in.n_in, out_hidden = (size_t)c->out_hidden;
    sv_rounding rounding = v->model->rounding;
    sv_rounded_norm(rounding, v->x, w->merger_norm, NORM_EPS, v->n_patches, (size_t)c->hidden, v->normed, v->pool);
    sv_rounded_linear(rounding, &w->merger_in, v->normed, cell, v->n_cells, v->x, v->low_rank, v->pool);
    sv_gelu(v->x, v->n_cells, cell, v->pool);
    sv_round_values(rounding, v->x, v->n_cells * cell);
    sv_rounded_linear(rounding, &w->merger_out, v->x, cell, v->n_cells, v->wide, v->low_rank, v->pool);
    for (size_t i = 0; i < v->n_cells; i++) {
        memcpy(out + (size_t)v->order[i] * out_hidden, v->wide + i * out_hidden, out_hidden * sizeof *out);
    }
}

sv_status sv_vision_run(const sv_model *model, const sv_patches *patches, sv_pool *pool, const sv_tap *tap, float *out,
                        sv_error *err) {
    const sv_vision_config *c = &model->config.vision;
    sv_grid cells = {patches->grid_h / c->merge, patches->grid_w / c->merge};
    vision v = {.model = model,
                .pool = pool,
                .n_patches = (size_t)patches->grid_h * (size_t)patches->grid_w,
                .n_cells = (size_t)cells.h * (size_t)cells.w};
    sv_status status = allocate(&v, err);
    if (status != SV_OK) goto cleanup;
    sv_window_order(cells, c->window / c->merge / c->patch, v.order, v.ends, &v.n_windows);
    embed_patches(&v, patches, tap);
    for (int i = 0; i < c->depth; i++) {
        run_block(&v, i);
        if (tap) tap->call(tap->context, "block", i, v.x, v.n_patches, (size_t)c->hidden);
    }
    merge_cells(&v, out);
    if (tap) tap->call(tap->context, "image_embeds", 0, out, v.n_cells, (size_t)c->out_hidden);

cleanup:
    free(v.order);
    free(v.storage);
    return status;
}
