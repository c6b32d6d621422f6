/* decoder.c - RMSNorm, GQA attention with MRoPE over cached keys, SwiGLU; layer by layer. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "model/network.h"
#include "tensor/attention.h"
#include "tensor/pointwise.h"

#define MAX_ROWS ((size_t)512)  /* tokens that go through the layers together */
#define QUERY_ROWS ((size_t)64) /* queries of one attention item */

sv_status sv_cache_new(const sv_text_config *config, size_t n_tokens, sv_cache *out, sv_error *err) {
    size_t heads = (size_t)config->n_layers * (size_t)config->n_kv_heads, keys, values;
    *out = (sv_cache){.capacity = sv_panel_round(n_tokens)};
    bool fits = sv_mul_size(out->capacity, (size_t)config->head_dim, &keys) && sv_mul_size(keys, heads, &keys) &&
                sv_mul_size(out->capacity, sv_panel_round((size_t)config->head_dim), &values) &&
                sv_mul_size(values, heads, &values);
    if (fits) {
        out->keys = sv_alloc_aligned(keys, sizeof *out->keys);
        out->values = sv_alloc_aligned(values, sizeof *out->values);
    }
    if (!out->keys || !out->values) {
        sv_cache_free(out);
        return sv_fail(err, SV_ERR_MEMORY, "out of memory: keys and values of %zu tokens", n_tokens);
    }
    memset(out->keys, 0, keys * sizeof *out->keys);
    memset(out->values, 0, values * sizeof *out->values);
    return SV_OK;
}

void sv_cache_free(sv_cache *cache) {
    free(cache->keys);
    free(cache->values);
    *cache = (sv_cache){0};
}

static float *layer_keys(const sv_cache *cache, const sv_text_config *c, size_t layer, size_t head) {
    return cache->keys + (layer * (size_t)c->n_kv_heads + head) * cache->capacity * (size_t)c->head_dim;
}

static float *layer_values(const sv_cache *cache, const sv_text_config *c, size_t layer, size_t head) {
    return cache->values +
           (layer * (size_t)c->n_kv_heads + head) * cache->capacity * sv_panel_round((size_t)c->head_dim);
}

sv_status sv_decoder_init(sv_decoder *d, const sv_model *model, const sv_cache *prefix, size_t n_prefix,
                          size_t max_tokens, sv_pool *pool, sv_error *err) {
    const sv_text_config *c = &model->config.text;
    *d = (sv_decoder){.model = model, .pool = pool, .prefix = prefix, .n_prefix = n_prefix};
    sv_status status = sv_cache_new(c, max_tokens, &d->own, err);
    if (status != SV_OK) return status;
    d->max_rows = SV_MAX((size_t)1, SV_MIN(MAX_ROWS, max_tokens));
    size_t head_dim = (size_t)c->head_dim, n_query = (size_t)c->n_heads * head_dim, half = head_dim / 2;
    size_t group = (size_t)(c->n_heads / c->n_kv_heads);
    d->scores_size = sv_panel_round(SV_MAX(QUERY_ROWS, group) * (n_prefix + max_tokens));
    const struct {
        float **place;
        size_t n_rows, width;
    } table[] = {
        {&d->rows, d->max_rows, (size_t)c->hidden},
        {&d->normed, d->max_rows, (size_t)c->hidden},
        {&d->qkv, d->max_rows, n_query + 2 * (size_t)c->n_kv_heads * head_dim},
        {&d->attended, d->max_rows, n_query},
        {&d->gate_up, d->max_rows, 2 * (size_t)c->ffn},
        {&d->cosines, d->max_rows, half},
        {&d->sines, d->max_rows, half},
        {&d->scores, (size_t)sv_pool_n_threads(pool), d->scores_size},
    };
    size_t total = 0;
    for (size_t i = 0; i < SV_COUNT(table); i++) total += sv_panel_round(table[i].n_rows * table[i].width);
    d->storage = sv_alloc_aligned(total, sizeof *d->storage);
    if (!d->storage) {
        sv_decoder_deinit(d);
        return sv_fail_memory(err, "work space of a session", total * sizeof *d->storage);
    }
    float *next = d->storage;
    for (size_t i = 0; i < SV_COUNT(table); i++) {
        *table[i].place = next;
        next += sv_panel_round(table[i].n_rows * table[i].width);
    }
    return SV_OK;
}

void sv_decoder_deinit(sv_decoder *d) {
    sv_cache_free(&d->own);
    free(d->storage);
    *d = (sv_decoder){0};
}

static void tap(const sv_decoder *d, const char *what, int index, const float *rows, size_t n_rows) {
    if (d->tap.call) d->tap.call(d->tap.context, what, index, rows, n_rows, (size_t)d->model->config.text.hidden);
}

/* Rotates queries and keys where they stand and files keys and values in the cache. */
static void rotate_and_store(sv_decoder *d, size_t layer, size_t n_own, size_t n_rows) {
    const sv_text_config *c = &d->model->config.text;
    size_t head_dim = (size_t)c->head_dim, half = head_dim / 2, n_heads = (size_t)c->n_heads,
           n_kv = (size_t)c->n_kv_heads;
    size_t stride = (n_heads + 2 * n_kv) * head_dim;
    for (size_t r = 0; r < n_rows; r++) {
        const float *cosines = d->cosines + r * half, *sines = d->sines + r * half;
        for (size_t h = 0; h < n_heads + n_kv; h++)
            sv_rope_rotate(d->qkv + r * stride + h * head_dim, half, cosines, sines);
    }
    for (size_t h = 0; h < n_kv; h++) {
        const float *keys = d->qkv + (n_heads + h) * head_dim, *values = keys + n_kv * head_dim;
        sv_pack_transposed(keys, stride, n_rows, head_dim, n_own, layer_keys(&d->own, c, layer, h));
        sv_pack_rows(values, stride, n_rows, head_dim, n_own, layer_values(&d->own, c, layer, h),
                     d->own.capacity * SV_PANEL);
    }
}

typedef struct attention_job {
    sv_decoder *decoder;
    size_t layer, n_own, n_rows;
} attention_job;

static void set_parts(const sv_decoder *d, size_t layer, size_t head, size_t n_own, sv_attention *a) {
    const sv_text_config *c = &d->model->config.text;
    if (d->n_prefix) {
        a->parts[0] =
            (sv_attention_part){layer_keys(d->prefix, c, layer, head), layer_values(d->prefix, c, layer, head),
                                d->n_prefix, d->prefix->capacity * SV_PANEL};
    }
    a->parts[1] = (sv_attention_part){layer_keys(&d->own, c, layer, head), layer_values(&d->own, c, layer, head), n_own,
                                      d->own.capacity * SV_PANEL};
    a->head_dim = (size_t)c->head_dim;
    a->scale = 1 / sqrtf((float)c->head_dim);
}

/* One head, up to QUERY_ROWS queries. */
static void attend_block(void *context, int64_t item, int thread) {
    const attention_job *job = context;
    sv_decoder *d = job->decoder;
    const sv_text_config *c = &d->model->config.text;
    size_t n_heads = (size_t)c->n_heads, n_kv = (size_t)c->n_kv_heads, head_dim = (size_t)c->head_dim;
    size_t head = (size_t)item % n_heads, first = (size_t)item / n_heads * QUERY_ROWS;
    size_t n_rows = SV_MIN(QUERY_ROWS, job->n_rows - first), stride = (n_heads + 2 * n_kv) * head_dim;
    sv_attention a = {.queries = d->qkv + first * stride + head * head_dim,
                      .n_queries = n_rows,
                      .query_stride = stride,
                      .n_visible = d->n_prefix + job->n_own + first + 1,
                      .visible_step = 1,
                      .out = d->attended + first * n_heads * head_dim + head * head_dim,
                      .out_stride = n_heads * head_dim,
                      .scores = d->scores + (size_t)thread * d->scores_size};
    set_parts(d, job->layer, head / (n_heads / n_kv), job->n_own + first + n_rows, &a);
    sv_attention_run(&a);
}

/* One token: all query heads of one key head together. */
static void attend_token(void *context, int64_t item, int thread) {
    const attention_job *job = context;
    sv_decoder *d = job->decoder;
    const sv_text_config *c = &d->model->config.text;
    size_t group = (size_t)(c->n_heads / c->n_kv_heads), head_dim = (size_t)c->head_dim, head = (size_t)item;
    sv_attention a = {.queries = d->qkv + head * group * head_dim,
                      .n_queries = group,
                      .query_stride = head_dim,
                      .n_visible = d->n_prefix + job->n_own + 1,
                      .out = d->attended + head * group * head_dim,
                      .out_stride = head_dim,
                      .scores = d->scores + (size_t)thread * d->scores_size};
    set_parts(d, job->layer, head, job->n_own + 1, &a);
    sv_attention_run(&a);
}

static void run_layer(sv_decoder *d, size_t index, size_t n_own, size_t n_rows) {
    const sv_text_config *c = &d->model->config.text;
    const sv_decoder_layer *layer = &d->model->weights.layers[index];
    size_t hidden = (size_t)c->hidden, ffn = (size_t)c->ffn;
    sv_rms_norm(d->rows, layer->norm1, c->rms_eps, n_rows, hidden, d->normed, d->pool);
    sv_linear_apply(&layer->qkv, d->normed, hidden, n_rows, d->qkv, false, d->pool);
    rotate_and_store(d, index, n_own, n_rows);
    attention_job job = {d, index, n_own, n_rows};
    if (n_rows == 1) {
        sv_pool_run(d->pool, c->n_kv_heads, attend_token, &job);
    } else {
        sv_pool_run(d->pool, (int64_t)((n_rows + QUERY_ROWS - 1) / QUERY_ROWS) * c->n_heads, attend_block, &job);
    }
    sv_linear_apply(&layer->output, d->attended, layer->output.n_in, n_rows, d->rows, true, d->pool);
    sv_rms_norm(d->rows, layer->norm2, c->rms_eps, n_rows, hidden, d->normed, d->pool);
    sv_linear_apply(&layer->gate_up, d->normed, hidden, n_rows, d->gate_up, false, d->pool);
    sv_swiglu(d->gate_up, n_rows, ffn, d->pool);
    sv_linear_apply(&layer->down, d->gate_up, 2 * ffn, n_rows, d->rows, true, d->pool);
}

void sv_decoder_run(sv_decoder *d, size_t n_own, const sv_position *positions, size_t n_rows) {
    const sv_text_config *c = &d->model->config.text;
    size_t half = (size_t)c->head_dim / 2;
    for (size_t r = 0; r < n_rows; r++) {
        sv_mrope_angles(c, d->model->text_frequencies, positions[r], d->cosines + r * half, d->sines + r * half);
    }
    tap(d, "hidden", 0, d->rows, n_rows);
    for (int i = 0; i < c->n_layers; i++) {
        run_layer(d, (size_t)i, n_own, n_rows);
        tap(d, "hidden", i + 1, d->rows, n_rows);
    }
}

void sv_decoder_logits(sv_decoder *d, size_t first, size_t n_rows, float *out) {
    const sv_text_config *c = &d->model->config.text;
    const sv_weights *w = &d->model->weights;
    size_t hidden = (size_t)c->hidden;
    sv_rms_norm(d->rows + first * hidden, w->final_norm, c->rms_eps, n_rows, hidden, d->normed, d->pool);
    tap(d, "final_norm", 0, d->normed, n_rows);
    sv_linear_apply(&w->head, d->normed, hidden, n_rows, out, false, d->pool);
}
