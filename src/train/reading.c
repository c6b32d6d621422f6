/* reading.c - see reading.h. */
#include "train/reading.h"

#include <string.h>

#include "base/arrays.h"
#include "base/memory.h"
#include "model/rope.h"
#include "tensor/backward.h"
#include "tensor/pointwise.h"

#define TEXT_TOWER ((uint64_t)1)

/* ---- setting up */

static void set_up(sv_reading *r) {
    const sv_text_config *c = &r->t->network.config.text;
    const sv_weights *w = &r->t->network.weights;
    for (int i = 0; i < c->n_layers; i++) {
        const sv_decoder_layer *l = &w->layers[i];
        r->tower.blocks[i] = (sv_block){.eps = c->rms_eps,
                                        .hidden = (size_t)c->hidden,
                                        .ffn = (size_t)c->ffn,
                                        .n_heads = (size_t)c->n_heads,
                                        .n_kv_heads = (size_t)c->n_kv_heads,
                                        .head_dim = (size_t)c->head_dim,
                                        .causal = true};
        sv_tower_set_layers(&r->tower, (size_t)i, l->norm1, l->norm2,
                            (const sv_linear *[]){&l->qkv, &l->output, &l->gate_up, &l->down},
                            &r->t->gradients.layers[i]);
    }
}

sv_status sv_reading_new(sv_trainee *trainee, bool recompute, bool share_prefix, sv_precision precision, sv_pool *pool,
                         sv_reading *out, sv_error *err) {
    const sv_text_config *c = &trainee->network.config.text;
    *out = (sv_reading){.t = trainee, .pool = pool, .share_prefix = share_prefix};
    sv_status s = sv_tower_new((size_t)c->n_layers, recompute, pool, &out->tower, err);
    if (s) return s;
    out->tower.space.linear.precision = precision;
    set_up(out);
    out->head_space = (sv_linear_space){.pool = pool, .precision = precision};
    out->dense = out->head_space.dense = sv_alloc_aligned(SV_DENSE_ROWS * (size_t)c->hidden, sizeof(float));
    out->layers = sv_calloc((size_t)c->n_layers, sizeof *out->layers);
    return out->dense && out->layers ? SV_OK : sv_fail_memory(err, "text", SV_DENSE_ROWS * (size_t)c->hidden);
}

void sv_reading_free(sv_reading *r) {
    sv_tower_free(&r->tower);
    free(r->dense);
    free(r->layers);
    free(r->segments);
    free(r->prompts);
    free(r->rows);
    free(r->storage);
}

/* ---- a batch */

/* How many tokens, none of them learnt or of a picture, all samples begin with; at least one is left to each. */
static size_t shared_length(const sv_reading *r, const sv_train_batch *batch) {
    const sv_train_sample *first = &batch->samples[0];
    size_t n = r->share_prefix && batch->n_samples > 1 ? first->n_ids - 1 : 0;
    for (size_t i = 0; i < batch->n_samples && n; i++) {
        const sv_train_sample *s = &batch->samples[i];
        size_t k = 0;
        n = SV_MIN(n, s->n_ids - 1);
        while (k < n && s->ids[k] == first->ids[k] && s->weights[k] == 0 &&
               s->ids[k] != r->t->network.config.image_token)
            k++;
        n = k;
    }
    return n;
}

static sv_status check_sample(const sv_reading *r, const sv_train_batch *batch, const sv_train_sample *s,
                              sv_error *err) {
    int vocab = r->t->network.config.text.vocab;
    if (s->n_ids == 0) return sv_fail(err, SV_ERR_INPUT, "has no tokens");
    for (size_t k = 0; k < s->n_ids; k++) {
        if (s->ids[k] >= 0 && s->ids[k] < vocab) continue;
        return sv_fail(err, SV_ERR_INPUT, "token %zu is %d; the model knows 0 to %d", k, s->ids[k], vocab - 1);
    }
    for (size_t k = 0; k < s->n_pictures; k++) {
        if (s->pictures[k] < batch->n_pictures) continue;
        return sv_fail(err, SV_ERR_INPUT, "picture %zu of the batch, which has %zu", s->pictures[k], batch->n_pictures);
    }
    return SV_OK;
}

static sv_status count_rows(sv_reading *r, const sv_train_batch *batch, sv_error *err) {
    r->n_rows = r->n_supervised = r->longest = 0;
    for (size_t i = 0; i < batch->n_samples; i++) {
        const sv_train_sample *s = &batch->samples[i];
        if (check_sample(r, batch, s, err)) return sv_sample_error_prefix(err, batch, i);
        r->n_rows += s->n_ids;
        r->longest = SV_MAX(r->longest, s->n_ids);
        for (size_t k = 1; k < s->n_ids; k++) r->n_supervised += s->weights[k] != 0;
    }
    r->n_shared = shared_length(r, batch);
    if (r->n_shared) r->n_rows -= (batch->n_samples - 1) * r->n_shared;
    return SV_OK;
}

static sv_status reserve(sv_reading *r, size_t n_samples, sv_error *err) {
    const sv_text_config *c = &r->t->network.config.text;
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
                                   {&r->chosen, SV_LOSS_ROWS, hidden},
                                   {&r->normed, SV_LOSS_ROWS, hidden},
                                   {&r->dnormed, SV_LOSS_ROWS, hidden},
                                   {&r->dchosen, SV_LOSS_ROWS, hidden},
                                   {&r->logits, SV_LOSS_ROWS, (size_t)c->vocab},
                                   {&losses, SV_LOSS_ROWS, sizeof(double) / sizeof(float)}};
        free(r->storage);
        r->storage = sv_arrays_new(arrays, SV_COUNT(arrays));
        r->losses = (double *)(void *)losses;
        r->capacity = r->storage ? n : 0;
        (void)sv_arrays_size(arrays, SV_COUNT(arrays), &bytes);
    }
    if (!r->segments || !r->prompts || !r->rows || !r->storage)
        return sv_fail_memory(err, "tokens of the batch", bytes);
    return sv_tower_reserve(&r->tower, n, r->longest, r->t->dropout > 0, err);
}

/* The row of a sample's token: of those that all begin with there is one. */
static size_t row_of(const sv_reading *r, size_t first, size_t token) {
    return token < r->n_shared ? token : first + token - r->n_shared;
}

/* Positions of a sample's tokens, by the engine's rule. first: its first row of its own. */
static sv_status place_tokens(sv_reading *r, const sv_train_batch *batch, const sv_train_sample *sample, size_t first,
                              sv_error *err) {
    const sv_model *m = &r->t->network;
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
        size_t at = row_of(r, first, i) * half;
        sv_mrope_angles(&m->config.text, m->text_frequencies, positions[i], r->cosines + at, r->sines + at);
    }
    free(positions);
    free(next);
    free(grids);
    free(list);
    return s;
}

sv_status sv_reading_plan(sv_reading *r, const sv_train_batch *batch, sv_error *err) {
    sv_status s = count_rows(r, batch, err);
    if (!s) s = reserve(r, batch->n_samples, err);
    size_t first = r->n_shared, chosen = 0, n_segments = 0;
    if (!s && r->n_shared) r->segments[n_segments++] = (sv_row_range){0, r->n_shared};
    for (size_t i = 0; i < batch->n_samples && !s; i++) {
        const sv_train_sample *sample = &batch->samples[i];
        r->segments[n_segments++] = (sv_row_range){first, sample->n_ids - r->n_shared};
        s = place_tokens(r, batch, sample, first, err);
        if (s) return sv_sample_error_prefix(err, batch, i);
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
    for (size_t i = 0; i < r->tower.n_blocks; i++) r->layers[i] = &r->packed;
    return s;
}

/* Calls of the rows of a batch's tokens, in order: from the table of embeddings, or from a picture's cell. */
typedef void row_use(sv_reading *r, size_t row, int32_t id, const float *cell, float *dcell);

static void each_row(sv_reading *r, const sv_train_batch *batch, const sv_sight *sight, row_use *use) {
    size_t row = 0, width = (size_t)r->t->network.config.text.hidden, n_shared = r->n_shared;
    int image_token = r->t->network.config.image_token;
    for (size_t i = 0; i < batch->n_samples; i++) {
        const sv_train_sample *s = &batch->samples[i];
        size_t picture = 0, cell = 0;
        for (size_t k = i ? n_shared : 0; k < s->n_ids; k++, row++) {
            if (s->ids[k] != image_token) {
                use(r, row, s->ids[k], NULL, NULL);
                continue;
            }
            size_t index = s->pictures[picture];
            const sv_patches *seen = &batch->pictures[index];
            int merge = r->t->network.config.vision.merge;
            size_t n = (size_t)(seen->grid_h / merge) * (size_t)(seen->grid_w / merge);
            size_t at = (sight->first_cell[index] + cell) * width;
            use(r, row, s->ids[k], sight->embeddings + at, sight->dembeddings + at);
            if (++cell == n) {
                cell = 0;
                picture++;
            }
        }
    }
}

static void put_row(sv_reading *r, size_t row, int32_t id, const float *cell, float *dcell) {
    (void)dcell;
    size_t width = r->tower.blocks[0].hidden;
    float *x = r->tower.inputs[0] + row * width;
    if (cell)
        memcpy(x, cell, width * sizeof *x);
    else
        sv_matrix_read_row(&r->t->network.weights.embedding, (size_t)id, x);
}

static void take_row_gradient(sv_reading *r, size_t row, int32_t id, const float *cell, float *dcell) {
    size_t width = r->tower.blocks[0].hidden;
    const float *dx = r->dx + row * width;
    float *table = r->t->gradients.embedding.weight[0], *to = cell ? dcell : table ? table + (size_t)id * width : NULL;
    for (size_t i = 0; to && i < width; i++) to[i] += dx[i];
}

/* ---- loss */

typedef struct loss_job {
    sv_reading *r;
    size_t first; /* supervised token */
    double scale;
} loss_job;

/* The loss of a row; its logits become their gradients. */
static void lose(void *context, int64_t item, int thread) {
    (void)thread;
    const loss_job *j = context;
    sv_reading *r = j->r;
    size_t vocab = (size_t)r->t->network.config.text.vocab, at = j->first + (size_t)item;
    float *logits = r->logits + (size_t)item * vocab, weight = r->weights[at];
    float right = logits[r->ids[at]];
    r->losses[item] = (double)weight * (sv_log_sum_exp(logits, vocab) - (double)right);
    if (j->scale == 0) return;
    float factor = (float)(j->scale * (double)weight);
    sv_softmax(logits, vocab, 1);
    for (size_t i = 0; i < vocab; i++) logits[i] *= factor;
    logits[r->ids[at]] -= factor;
}

void sv_reading_choose(sv_reading *r, const size_t *rows, size_t n) {
    size_t width = r->tower.blocks[0].hidden;
    const float *x = r->tower.inputs[r->tower.n_blocks];
    for (size_t i = 0; i < n; i++) memcpy(r->chosen + i * width, x + rows[i] * width, width * sizeof *x);
    sv_rms_norm(r->chosen, r->t->network.weights.final_norm, r->tower.blocks[0].eps, n, width, r->normed, r->pool);
    memset(r->dnormed, 0, n * width * sizeof *r->dnormed);
    memset(r->dchosen, 0, n * width * sizeof *r->dchosen);
}

void sv_reading_choose_backward(sv_reading *r, const size_t *rows, size_t n) {
    size_t width = r->tower.blocks[0].hidden;
    sv_rms_norm_backward(r->chosen, r->t->network.weights.final_norm, r->tower.blocks[0].eps, r->dnormed, n, width,
                         r->dchosen, r->t->gradients.final_norm, r->pool);
    for (size_t i = 0; i < n; i++) {
        float *dx = r->dx + rows[i] * width;
        for (size_t k = 0; k < width; k++) dx[k] += r->dchosen[i * width + k];
    }
}

void sv_reading_lose(sv_reading *r, double scale, double *sum, double *weight) {
    const sv_linear *head = &r->t->network.weights.head;
    size_t width = r->tower.blocks[0].hidden;
    for (size_t first = 0; first < r->n_supervised; first += SV_LOSS_ROWS) {
        size_t n = SV_MIN(SV_LOSS_ROWS, r->n_supervised - first);
        sv_reading_choose(r, r->rows + first, n);
        sv_linear_forward(head, NULL, r->normed, width, n, r->logits, false, &r->head_space);
        loss_job job = {r, first, scale};
        sv_pool_run(r->pool, (int64_t)n, lose, &job);
        for (size_t i = 0; i < n; i++) {
            *sum += r->losses[i];
            *weight += (double)r->weights[first + i];
        }
        if (scale == 0) continue;
        sv_linear_backward(head, &r->t->gradients.head, NULL, r->normed, width, n, r->logits, r->dnormed, width,
                           &r->head_space);
        sv_reading_choose_backward(r, r->rows + first, n);
    }
}

/* ---- all of it */

void sv_reading_run(sv_reading *r, const sv_train_batch *batch, const sv_sight *sight, uint64_t step, bool drops) {
    sv_tower_set_dropout(&r->tower, r->t, step, TEXT_TOWER, drops);
    each_row(r, batch, sight, put_row);
    sv_tower_forward(&r->tower, r->layers);
}

void sv_reading_backward(sv_reading *r, const sv_train_batch *batch, sv_sight *sight) {
    sv_tower_backward(&r->tower, r->layers, r->dx);
    each_row(r, batch, sight, take_row_gradient);
}
