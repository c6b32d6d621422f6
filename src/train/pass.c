/* pass.c - pictures through the vision tower, tokens and pictures through the decoder, loss, and all the way back. */
#include "train/pass.h"

#include <math.h>
#include <string.h>

#include "base/arrays.h"
#include "base/memory.h"
#include "tensor/backward.h"
#include "tensor/pointwise.h"
#include "train/tower.h"

#define NORM_EPS 1e-6F          /* of the vision tower, as in the engine */
#define LOSS_ROWS ((size_t)128) /* rows whose logits are held at a time */

/* Where the patches of a batch stand: windows, whole pictures, and the way back to the file's order. */
typedef struct sight {
    size_t n_patches, n_cells, n_pictures;
    size_t *first_cell; /* [n_pictures] */
    size_t *place;      /* [n_cells]: cell of the batch, in the picture's own order, that stands here in window order */
    sv_row_range *windows, *pictures;
    size_t n_windows, longest;
    sv_packed windowed, whole;
    const sv_packed **packed; /* [depth] */
    float *pixels;            /* [n_patches, row_size], window order */
    float *cosines, *sines;
    float *normed;                              /* [n_patches, Dv] = [n_cells, cell] */
    float *hidden, *activated;                  /* [n_cells, cell] */
    float *merged;                              /* [n_cells, D], window order */
    float *embeddings, *dembeddings;            /* [n_cells, D], the pictures' order */
    float *dmerged, *dactivated, *dnormed, *dx; /* gradients */
    float *storage;
    size_t capacity, index_capacity;
} sight;

typedef struct reading {
    size_t n_rows, n_supervised;
    size_t n_shared;        /* tokens that all samples begin with, once in front of all */
    sv_row_range *segments; /* [samples + 1] */
    size_t longest;
    sv_packed packed;
    const sv_packed **layers; /* [n_layers] */
    float *cosines, *sines;
    float *dx;       /* [n_rows, D] */
    size_t *prompts; /* [samples]: the row of the last token before the answer */
    size_t *rows;    /* [n_supervised]: the row that predicts */
    int32_t *ids;    /* [n_supervised]: what it should predict */
    float *weights;
    float *chosen, *normed, *dnormed, *dchosen, *logits; /* [LOSS_ROWS, D or V] */
    double *losses;                                      /* [LOSS_ROWS] */
    float *storage;
    size_t capacity, supervised_capacity, sample_capacity;
} reading;

struct sv_pass {
    sv_trainee *t;
    sv_pool *pool;
    bool share_prefix;
    sv_heads *heads;
    sv_tower vision, text;
    sight sight;
    reading reading;
    sv_linear_space head_space;
    float *dense; /* of head_space */
};

/* ---- setting up */

static void note_linear(sv_tower *t, const sv_linear *l) {
    t->max_inputs = SV_MAX(t->max_inputs, l->n_in);
    t->max_rank = SV_MAX(t->max_rank, sv_linear_rank(l));
}

/* Sets what both towers have in common of a block: where its layers and their gradients are. */
static void set_block(sv_tower *tower, size_t index, const float *norm1, const float *norm2, const sv_linear *layers[4],
                      const sv_block_gradients *g) {
    sv_block *b = &tower->blocks[index];
    b->norm1 = norm1;
    b->norm2 = norm2;
    b->qkv = layers[0];
    b->output = layers[1];
    b->gate_up = layers[2];
    b->down = layers[3];
    b->dnorm1 = g->norm1;
    b->dnorm2 = g->norm2;
    b->dqkv = &g->qkv;
    b->doutput = &g->output;
    b->dgate_up = &g->gate_up;
    b->ddown = &g->down;
    for (int i = 0; i < SV_BLOCK_LINEARS; i++) note_linear(tower, layers[i]);
}

static void set_up_vision(sv_pass *p) {
    const sv_vision_config *c = &p->t->network.config.vision;
    const sv_weights *w = &p->t->network.weights;
    for (int i = 0; i < c->depth; i++) {
        const sv_vision_block *b = &w->vision_blocks[i];
        p->vision.blocks[i] = (sv_block){.eps = NORM_EPS,
                                         .hidden = (size_t)c->hidden,
                                         .ffn = (size_t)c->ffn,
                                         .n_heads = (size_t)c->n_heads,
                                         .n_kv_heads = (size_t)c->n_heads,
                                         .head_dim = (size_t)(c->hidden / c->n_heads)};
        set_block(&p->vision, (size_t)i, b->norm1, b->norm2,
                  (const sv_linear *[]){&b->qkv, &b->projection, &b->gate_up, &b->down},
                  &p->t->gradients.vision_blocks[i]);
    }
    note_linear(&p->vision, &w->patch_embed);
    note_linear(&p->vision, &w->merger_in);
    note_linear(&p->vision, &w->merger_out);
}

static void set_up_text(sv_pass *p) {
    const sv_text_config *c = &p->t->network.config.text;
    const sv_weights *w = &p->t->network.weights;
    for (int i = 0; i < c->n_layers; i++) {
        const sv_decoder_layer *l = &w->layers[i];
        p->text.blocks[i] = (sv_block){.eps = c->rms_eps,
                                       .hidden = (size_t)c->hidden,
                                       .ffn = (size_t)c->ffn,
                                       .n_heads = (size_t)c->n_heads,
                                       .n_kv_heads = (size_t)c->n_kv_heads,
                                       .head_dim = (size_t)c->head_dim,
                                       .causal = true};
        set_block(&p->text, (size_t)i, l->norm1, l->norm2,
                  (const sv_linear *[]){&l->qkv, &l->output, &l->gate_up, &l->down}, &p->t->gradients.layers[i]);
    }
}

sv_status sv_pass_new(sv_trainee *trainee, const sv_pass_options *options, sv_pool *pool, sv_pass **out,
                      sv_error *err) {
    static const sv_pass_options defaults;
    const sv_model_config *c = &trainee->network.config;
    if (!options) options = &defaults;
    sv_pass *p = *out = sv_calloc(1, sizeof *p);
    if (!p) return sv_fail_memory(err, "pass", sizeof *p);
    p->t = trainee;
    p->pool = pool;
    p->share_prefix = options->share_prefix;
    p->heads = options->heads;
    sv_status s = sv_tower_new((size_t)c->vision.depth, options->recompute, pool, &p->vision, err);
    if (!s) s = sv_tower_new((size_t)c->text.n_layers, options->recompute, pool, &p->text, err);
    if (!s) {
        set_up_vision(p);
        set_up_text(p);
        p->head_space = (sv_linear_space){.pool = pool, .precision = options->precision};
        p->vision.space.linear.precision = p->text.space.linear.precision = options->precision;
        p->dense = p->head_space.dense = sv_alloc_aligned(SV_DENSE_ROWS * (size_t)c->text.hidden, sizeof(float));
        p->sight.packed = sv_calloc((size_t)c->vision.depth, sizeof *p->sight.packed);
        p->reading.layers = sv_calloc((size_t)c->text.n_layers, sizeof *p->reading.layers);
        if (!p->dense || !p->sight.packed || !p->reading.layers) s = sv_fail_memory(err, "pass", 0);
    }
    if (s) {
        sv_pass_free(p);
        *out = NULL;
    }
    return s;
}

void sv_pass_free(sv_pass *p) {
    if (!p) return;
    sv_tower_free(&p->vision);
    sv_tower_free(&p->text);
    free(p->dense);
    free(p->sight.packed);
    free(p->sight.first_cell);
    free(p->sight.windows);
    free(p->sight.storage);
    free(p->reading.layers);
    free(p->reading.segments);
    free(p->reading.prompts);
    free(p->reading.rows);
    free(p->reading.storage);
    free(p);
}

/* ---- dropout */

static void set_dropout(sv_tower *t, const sv_trainee *trainee, uint64_t step, uint64_t tower, bool on) {
    for (size_t i = 0; i < t->n_blocks; i++) {
        for (size_t k = 0; k < SV_BLOCK_LINEARS; k++) {
            uint64_t layer = (tower << 32) + i * SV_BLOCK_LINEARS + k;
            t->blocks[i].dropout[k] = (sv_dropout){.probability = on ? trainee->dropout : 0,
                                                   .key = (trainee->seed + step * 0x9E3779B97F4A7C15) ^ (layer << 8)};
        }
    }
}

/* ---- vision */

static sv_status plan_index(sight *s, size_t n_pictures, size_t n_cells, sv_error *err) {
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

static sv_status reserve_sight(sv_pass *p, size_t row_size, sv_error *err) {
    sight *s = &p->sight;
    const sv_model_config *c = &p->t->network.config;
    size_t hidden = (size_t)c->vision.hidden, half = hidden / (size_t)c->vision.n_heads / 2;
    size_t out = (size_t)c->vision.out_hidden, cell = p->t->network.weights.merger_in.n_in, n = s->n_patches;
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
static sv_status place_picture(sv_pass *p, const sv_patches *picture, size_t first, sv_error *err) {
    sight *s = &p->sight;
    const sv_vision_config *c = &p->t->network.config.vision;
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
            sv_vision_angles(p->t->network.vision_frequencies, (int)(2 * half), row, column, s->cosines + at,
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

static sv_status plan_sight(sv_pass *p, const sv_patches *pictures, size_t n_pictures, sv_error *err) {
    sight *s = &p->sight;
    const sv_vision_config *c = &p->t->network.config.vision;
    size_t per_cell = (size_t)(c->merge * c->merge), n_cells = 0, row_size = p->t->network.weights.patch_embed.n_in;
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
    if (!status) status = reserve_sight(p, row_size, err);
    if (!status) status = sv_tower_reserve(&p->vision, s->n_patches, s->longest, p->t->dropout > 0, err);
    for (size_t i = 0, first = 0; i < n_pictures && !status; i++) {
        size_t n = (size_t)pictures[i].grid_h * (size_t)pictures[i].grid_w;
        s->first_cell[i] = first;
        s->pictures[i] = (sv_row_range){first * per_cell, n};
        status = place_picture(p, &pictures[i], first, err);
        first += n / per_cell;
    }
    s->windowed = (sv_packed){s->n_patches, 0, s->windows, s->n_windows, s->cosines, s->sines};
    s->whole = (sv_packed){s->n_patches, 0, s->pictures, n_pictures, s->cosines, s->sines};
    for (int i = 0; i < c->depth; i++) s->packed[i] = is_full(c, i) ? &s->whole : &s->windowed;
    return status;
}

static void see(sv_pass *p) {
    sight *s = &p->sight;
    const sv_weights *w = &p->t->network.weights;
    sv_linear_space *space = &p->vision.space.linear;
    size_t cell = w->merger_in.n_in, out = w->merger_out.n_out, hidden = p->vision.blocks[0].hidden;
    sv_linear_forward(&w->patch_embed, NULL, s->pixels, w->patch_embed.n_in, s->n_patches, p->vision.inputs[0], false,
                      space);
    sv_tower_forward(&p->vision, s->packed);
    sv_rms_norm(p->vision.inputs[p->vision.n_blocks], w->merger_norm, NORM_EPS, s->n_patches, hidden, s->normed,
                p->pool);
    sv_linear_forward(&w->merger_in, NULL, s->normed, cell, s->n_cells, s->hidden, false, space);
    memcpy(s->activated, s->hidden, s->n_cells * cell * sizeof *s->hidden);
    sv_gelu(s->activated, s->n_cells, cell, p->pool);
    sv_linear_forward(&w->merger_out, NULL, s->activated, cell, s->n_cells, s->merged, false, space);
    for (size_t i = 0; i < s->n_cells; i++)
        memcpy(s->embeddings + s->place[i] * out, s->merged + i * out, out * sizeof *s->merged);
}

static void see_backward(sv_pass *p) {
    sight *s = &p->sight;
    const sv_weights *w = &p->t->network.weights;
    const sv_network_gradients *g = &p->t->gradients;
    sv_linear_space *space = &p->vision.space.linear;
    size_t cell = w->merger_in.n_in, out = w->merger_out.n_out, hidden = p->vision.blocks[0].hidden;
    for (size_t i = 0; i < s->n_cells; i++)
        memcpy(s->dmerged + i * out, s->dembeddings + s->place[i] * out, out * sizeof *s->merged);
    memset(s->dactivated, 0, s->n_cells * cell * sizeof *s->dactivated);
    sv_linear_backward(&w->merger_out, &g->merger_out, NULL, s->activated, cell, s->n_cells, s->dmerged, s->dactivated,
                       cell, space);
    sv_gelu_backward(s->hidden, s->dactivated, s->n_cells, cell, s->dactivated, p->pool);
    memset(s->dnormed, 0, s->n_patches * hidden * sizeof *s->dnormed);
    sv_linear_backward(&w->merger_in, &g->merger_in, NULL, s->normed, cell, s->n_cells, s->dactivated, s->dnormed, cell,
                       space);
    memset(s->dx, 0, s->n_patches * hidden * sizeof *s->dx);
    sv_rms_norm_backward(p->vision.inputs[p->vision.n_blocks], w->merger_norm, NORM_EPS, s->dnormed, s->n_patches,
                         hidden, s->dx, g->merger_norm, p->pool);
    sv_tower_backward(&p->vision, s->packed, s->dx);
    sv_linear_backward(&w->patch_embed, &g->patch_embed, NULL, s->pixels, w->patch_embed.n_in, s->n_patches, s->dx,
                       NULL, 0, space);
}

/* ---- text */

/* How many tokens, none of them learnt or of a picture, all samples begin with; at least one is left to each. */
static size_t shared_length(const sv_pass *p, const sv_train_batch *batch) {
    const sv_train_sample *first = &batch->samples[0];
    size_t n = p->share_prefix && batch->n_samples > 1 ? first->n_ids - 1 : 0;
    for (size_t i = 0; i < batch->n_samples && n; i++) {
        const sv_train_sample *s = &batch->samples[i];
        size_t k = 0;
        n = SV_MIN(n, s->n_ids - 1);
        while (k < n && s->ids[k] == first->ids[k] && s->weights[k] == 0 &&
               s->ids[k] != p->t->network.config.image_token)
            k++;
        n = k;
    }
    return n;
}

static sv_status count_rows(sv_pass *p, const sv_train_batch *batch, sv_error *err) {
    reading *r = &p->reading;
    int vocab = p->t->network.config.text.vocab;
    r->n_rows = r->n_supervised = r->longest = 0;
    for (size_t i = 0; i < batch->n_samples; i++) {
        const sv_train_sample *s = &batch->samples[i];
        if (s->n_ids == 0) return sv_fail(err, SV_ERR_INPUT, "sample %zu has no tokens", i);
        r->n_rows += s->n_ids;
        r->longest = SV_MAX(r->longest, s->n_ids);
        for (size_t k = 0; k < s->n_ids; k++) {
            r->n_supervised += k > 0 && s->weights[k] != 0;
            if (s->ids[k] >= 0 && s->ids[k] < vocab) continue;
            return sv_fail(err, SV_ERR_INPUT, "sample %zu: token %zu is %d; the model knows 0 to %d", i, k, s->ids[k],
                           vocab - 1);
        }
        for (size_t k = 0; k < s->n_pictures; k++) {
            if (s->pictures[k] < batch->n_pictures) continue;
            return sv_fail(err, SV_ERR_INPUT, "sample %zu: picture %zu of the batch, which has %zu", i, s->pictures[k],
                           batch->n_pictures);
        }
    }
    r->n_shared = shared_length(p, batch);
    if (r->n_shared) r->n_rows -= (batch->n_samples - 1) * r->n_shared;
    return SV_OK;
}

static sv_status reserve_reading(sv_pass *p, size_t n_samples, sv_error *err) {
    reading *r = &p->reading;
    const sv_text_config *c = &p->t->network.config.text;
    size_t hidden = (size_t)c->hidden, half = (size_t)c->head_dim / 2, n = r->n_rows, bytes = 0;
    if (n_samples > r->sample_capacity) {
        free(r->segments);
        free(r->prompts);
        r->segments = sv_calloc(n_samples + 1, sizeof *r->segments);
        r->prompts = sv_calloc(n_samples, sizeof *r->prompts);
        r->sample_capacity = r->segments && r->prompts ? n_samples : 0;
    }
    if (r->n_supervised > r->supervised_capacity || !r->rows) {
        size_t each = sizeof *r->rows + sizeof *r->ids + sizeof *r->weights;
        free(r->rows);
        r->rows = sv_calloc(r->n_supervised + 1, each);
        r->supervised_capacity = r->rows ? r->n_supervised : 0;
    }
    r->ids = r->rows ? (int32_t *)(void *)(r->rows + r->supervised_capacity + 1) : NULL;
    r->weights = r->rows ? (float *)(void *)(r->ids + r->supervised_capacity + 1) : NULL;
    if (n > r->capacity) {
        float *losses = NULL;
        const sv_array arrays[] = {{&r->cosines, n, half},
                                   {&r->sines, n, half},
                                   {&r->dx, n, hidden},
                                   {&r->chosen, LOSS_ROWS, hidden},
                                   {&r->normed, LOSS_ROWS, hidden},
                                   {&r->dnormed, LOSS_ROWS, hidden},
                                   {&r->dchosen, LOSS_ROWS, hidden},
                                   {&r->logits, LOSS_ROWS, (size_t)c->vocab},
                                   {&losses, LOSS_ROWS, sizeof(double) / sizeof(float)}};
        free(r->storage);
        r->storage = sv_arrays_new(arrays, SV_COUNT(arrays));
        r->losses = (double *)(void *)losses;
        r->capacity = r->storage ? n : 0;
        (void)sv_arrays_size(arrays, SV_COUNT(arrays), &bytes);
    }
    if (!r->segments || !r->prompts || !r->rows || !r->storage)
        return sv_fail_memory(err, "tokens of the batch", bytes);
    return sv_tower_reserve(&p->text, n, r->longest, p->t->dropout > 0, err);
}

/* The row of a sample's token: of those that all begin with there is one. */
static size_t row_of(const reading *r, size_t first, size_t token) {
    return token < r->n_shared ? token : first + token - r->n_shared;
}

/* Positions of a sample's tokens, by the engine's rule. first: its first row of its own. */
static sv_status place_tokens(sv_pass *p, const sv_train_batch *batch, const sv_train_sample *sample, size_t first,
                              sv_error *err) {
    const sv_model *m = &p->t->network;
    size_t n = sample->n_ids, half = (size_t)m->config.text.head_dim / 2;
    sv_position *positions = sv_calloc(n, sizeof *positions);
    int32_t *next = sv_calloc(n, sizeof *next);
    sv_embedding *grids = sv_calloc(sample->n_pictures + 1, sizeof *grids);
    const sv_embedding **list = sv_calloc(sample->n_pictures + 1, sizeof *list);
    sv_status s = positions && next && grids && list ? SV_OK : sv_fail_memory(err, "positions", n * sizeof *positions);
    for (size_t i = 0; i < sample->n_pictures && !s; i++) {
        const sv_patches *picture = &batch->pictures[sample->pictures[i]];
        grids[i].grid_h = picture->grid_h / m->config.vision.merge;
        grids[i].grid_w = picture->grid_w / m->config.vision.merge;
        list[i] = &grids[i];
    }
    if (!s) {
        s = sv_mrope_positions(sample->ids, n, m->config.image_token, list, sample->n_pictures, 0, positions, next,
                               err);
    }
    for (size_t i = 0; i < n && !s; i++) {
        size_t at = row_of(&p->reading, first, i) * half;
        sv_mrope_angles(&m->config.text, m->text_frequencies, positions[i], p->reading.cosines + at,
                        p->reading.sines + at);
    }
    free(positions);
    free(next);
    free(grids);
    free(list);
    return s;
}

static sv_status plan_reading(sv_pass *p, const sv_train_batch *batch, sv_error *err) {
    reading *r = &p->reading;
    sv_status s = count_rows(p, batch, err);
    if (!s) s = reserve_reading(p, batch->n_samples, err);
    size_t first = r->n_shared, chosen = 0, n_segments = 0;
    if (!s && r->n_shared) r->segments[n_segments++] = (sv_row_range){0, r->n_shared};
    for (size_t i = 0; i < batch->n_samples && !s; i++) {
        const sv_train_sample *sample = &batch->samples[i];
        r->segments[n_segments++] = (sv_row_range){first, sample->n_ids - r->n_shared};
        s = place_tokens(p, batch, sample, first, err);
        if (s) return sv_error_prefix(err, "sample %zu", i);
        r->prompts[i] = row_of(r, first, sample->n_prompt ? sample->n_prompt - 1 : 0);
        for (size_t k = 1; k < sample->n_ids; k++) {
            if (sample->weights[k] == 0) continue;
            r->rows[chosen] = row_of(r, first, k - 1);
            r->ids[chosen] = sample->ids[k];
            r->weights[chosen++] = sample->weights[k];
        }
        first += sample->n_ids - r->n_shared;
    }
    r->packed = (sv_packed){.n_rows = r->n_rows,
                            .n_shared = r->n_shared,
                            .segments = r->segments,
                            .n_segments = n_segments,
                            .cosines = r->cosines,
                            .sines = r->sines};
    for (size_t i = 0; i < p->text.n_blocks; i++) r->layers[i] = &r->packed;
    return s;
}

/* Calls of the rows of a batch's tokens, in order: from the table of embeddings, or from a picture's cell. */
typedef void row_source(sv_pass *p, size_t row, int32_t id, const float *cell, float *dcell);

static void each_row(sv_pass *p, const sv_train_batch *batch, row_source *use) {
    size_t row = 0, width = (size_t)p->t->network.config.text.hidden, n_shared = p->reading.n_shared;
    int image_token = p->t->network.config.image_token;
    for (size_t i = 0; i < batch->n_samples; i++) {
        const sv_train_sample *s = &batch->samples[i];
        size_t picture = 0, cell = 0;
        for (size_t k = i ? n_shared : 0; k < s->n_ids; k++, row++) {
            if (s->ids[k] != image_token) {
                use(p, row, s->ids[k], NULL, NULL);
                continue;
            }
            size_t index = s->pictures[picture];
            const sv_patches *seen = &batch->pictures[index];
            int merge = p->t->network.config.vision.merge;
            size_t n = (size_t)(seen->grid_h / merge) * (size_t)(seen->grid_w / merge);
            size_t at = (p->sight.first_cell[index] + cell) * width;
            use(p, row, s->ids[k], p->sight.embeddings + at, p->sight.dembeddings + at);
            if (++cell == n) {
                cell = 0;
                picture++;
            }
        }
    }
}

static void put_row(sv_pass *p, size_t row, int32_t id, const float *cell, float *dcell) {
    (void)dcell;
    size_t width = p->text.blocks[0].hidden;
    float *x = p->text.inputs[0] + row * width;
    if (cell)
        memcpy(x, cell, width * sizeof *x);
    else
        sv_matrix_read_row(&p->t->network.weights.embedding, (size_t)id, x);
}

static void take_row_gradient(sv_pass *p, size_t row, int32_t id, const float *cell, float *dcell) {
    size_t width = p->text.blocks[0].hidden;
    const float *dx = p->reading.dx + row * width;
    float *table = p->t->gradients.embedding.weight[0], *to = cell ? dcell : table ? table + (size_t)id * width : NULL;
    for (size_t i = 0; to && i < width; i++) to[i] += dx[i];
}

/* ---- loss */

typedef struct loss_job {
    sv_pass *p;
    size_t first; /* supervised token */
    double scale;
} loss_job;

/* The loss of a row; its logits become their gradients. */
static void lose(void *context, int64_t item, int thread) {
    (void)thread;
    const loss_job *j = context;
    reading *r = &j->p->reading;
    size_t vocab = (size_t)j->p->t->network.config.text.vocab, at = j->first + (size_t)item;
    float *logits = r->logits + (size_t)item * vocab, weight = r->weights[at];
    float right = logits[r->ids[at]];
    r->losses[item] = (double)weight * (sv_log_sum_exp(logits, vocab) - (double)right);
    if (j->scale == 0) return;
    float factor = (float)(j->scale * (double)weight);
    sv_softmax(logits, vocab, 1);
    for (size_t i = 0; i < vocab; i++) logits[i] *= factor;
    logits[r->ids[at]] -= factor;
}

/* Rows of what the text tower gave, through its last norm: r->normed [n, D]. */
static void choose(sv_pass *p, const size_t *rows, size_t n) {
    reading *r = &p->reading;
    size_t width = p->text.blocks[0].hidden;
    const float *x = p->text.inputs[p->text.n_blocks];
    for (size_t i = 0; i < n; i++) memcpy(r->chosen + i * width, x + rows[i] * width, width * sizeof *x);
    sv_rms_norm(r->chosen, p->t->network.weights.final_norm, p->text.blocks[0].eps, n, width, r->normed, p->pool);
    memset(r->dnormed, 0, n * width * sizeof *r->dnormed);
    memset(r->dchosen, 0, n * width * sizeof *r->dchosen);
}

/* The way back from r->dnormed to those rows of r->dx. */
static void choose_backward(sv_pass *p, const size_t *rows, size_t n) {
    reading *r = &p->reading;
    size_t width = p->text.blocks[0].hidden;
    sv_rms_norm_backward(r->chosen, p->t->network.weights.final_norm, p->text.blocks[0].eps, r->dnormed, n, width,
                         r->dchosen, p->t->gradients.final_norm, p->pool);
    for (size_t i = 0; i < n; i++) {
        float *dx = r->dx + rows[i] * width;
        for (size_t k = 0; k < width; k++) dx[k] += r->dchosen[i * width + k];
    }
}

static void lose_answers(sv_pass *p, double scale, sv_pass_loss *loss) {
    reading *r = &p->reading;
    const sv_linear *head = &p->t->network.weights.head;
    size_t width = p->text.blocks[0].hidden;
    for (size_t first = 0; first < r->n_supervised; first += LOSS_ROWS) {
        size_t n = SV_MIN(LOSS_ROWS, r->n_supervised - first);
        choose(p, r->rows + first, n);
        sv_linear_forward(head, NULL, r->normed, width, n, r->logits, false, &p->head_space);
        loss_job job = {p, first, scale};
        sv_pool_run(p->pool, (int64_t)n, lose, &job);
        for (size_t i = 0; i < n; i++) {
            loss->sum += r->losses[i];
            loss->weight += (double)r->weights[first + i];
        }
        if (scale == 0) continue;
        sv_linear_backward(head, &p->t->gradients.head, NULL, r->normed, width, n, r->logits, r->dnormed, width,
                           &p->head_space);
        choose_backward(p, r->rows + first, n);
    }
}

static sv_status lose_prompts(sv_pass *p, const sv_train_batch *batch, const sv_pass_scales *scales, sv_pass_loss *loss,
                              sv_error *err) {
    sv_status s = SV_OK;
    for (size_t first = 0; first < batch->n_samples && !s; first += LOSS_ROWS) {
        size_t n = SV_MIN(LOSS_ROWS, batch->n_samples - first);
        const sv_train_batch some = {batch->samples + first, n, batch->pictures, batch->n_pictures};
        choose(p, p->reading.prompts + first, n);
        s = sv_heads_listen(p->heads, &some, p->reading.normed, scales ? scales->heads : NULL, loss->heads,
                            p->reading.dnormed, err);
        if (!s && scales) choose_backward(p, p->reading.prompts + first, n);
    }
    return s;
}

/* ---- all of it */

static sv_status read_text(sv_pass *p, const sv_train_batch *batch, const sv_pass_scales *scales, sv_pass_loss *loss,
                           sv_error *err) {
    reading *r = &p->reading;
    bool answers = !scales || scales->answers != 0;
    each_row(p, batch, put_row);
    sv_tower_forward(&p->text, r->layers);
    if (scales) memset(r->dx, 0, r->n_rows * p->text.blocks[0].hidden * sizeof *r->dx);
    if (answers) lose_answers(p, scales ? scales->answers : 0, loss);
    loss->n_tokens = r->n_rows;
    loss->n_supervised = answers ? r->n_supervised : 0;
    sv_status s = sv_heads_read(p->heads, SV_PLACE_PROMPT) ? lose_prompts(p, batch, scales, loss, err) : SV_OK;
    if (s || !scales) return s;
    sv_tower_backward(&p->text, r->layers, r->dx);
    each_row(p, batch, take_row_gradient);
    return SV_OK;
}

static sv_status look(sv_pass *p, const sv_train_batch *batch, const sv_pass_scales *scales, sv_pass_loss *loss,
                      sv_error *err) {
    sight *s = &p->sight;
    see(p);
    if (scales) memset(s->dembeddings, 0, s->n_cells * p->text.blocks[0].hidden * sizeof(float));
    loss->n_tokens = s->n_cells;
    if (!sv_heads_read(p->heads, SV_PLACE_COLUMNS) && !sv_heads_read(p->heads, SV_PLACE_PICTURE)) return SV_OK;
    return sv_heads_see(p->heads, batch, s->first_cell, s->embeddings, scales ? scales->heads : NULL, loss->heads,
                        scales && p->t->vision_trains ? s->dembeddings : NULL, err);
}

sv_status sv_pass_run(sv_pass *p, const sv_train_batch *batch, const sv_pass_scales *scales, uint64_t step,
                      sv_pass_loss *loss, sv_error *err) {
    bool reads = !scales || scales->answers != 0 || sv_heads_read(p->heads, SV_PLACE_PROMPT);
    sv_status s = SV_OK;
    *loss = (sv_pass_loss){0};
    p->sight.n_cells = 0;
    if (batch->n_pictures) s = plan_sight(p, batch->pictures, batch->n_pictures, err);
    if (!s && reads) s = plan_reading(p, batch, err);
    if (s) return s;
    set_dropout(&p->vision, p->t, step, 0, scales != NULL);
    set_dropout(&p->text, p->t, step, 1, scales != NULL);
    if (batch->n_pictures) s = look(p, batch, scales, loss, err);
    if (!s && reads) s = read_text(p, batch, scales, loss, err);
    if (s || !scales) return s;
    if (batch->n_pictures && p->t->vision_trains) see_backward(p);
    sv_trainee_finish_gradients(p->t);
    return SV_OK;
}
