/* attend.c - attention of the decoder's heads over what their timelines have read: prefixes, then own tokens. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "model/network.h"
#include "tensor/attention.h"
#include "tensor/pointwise.h"
#include "tensor/product.h"

#define QUERY_ROWS ((size_t)64) /* queries of one work item */
#define MAX_PARTS (SV_MAX_PREFIX_DEPTH + 1)

size_t sv_attend_scores(const sv_text_config *c, size_t n_keys) {
    size_t rows = SV_MAX(QUERY_ROWS, (size_t)(c->n_heads / c->n_kv_heads));
    return sv_panel_round(rows * (n_keys + 2 * (size_t)c->head_dim));
}

sv_status sv_workspace_reserve(sv_workspace *w, size_t n_keys, sv_error *err) {
    if (n_keys <= w->n_keys) return SV_OK;
    size_t size = sv_attend_scores(&w->model->config.text, n_keys), n_threads = (size_t)sv_pool_n_threads(w->pool);
    float *scores = sv_alloc_aligned(n_threads * size, sizeof *scores);
    if (!scores) return sv_fail_memory(err, "attention scores", n_threads * size * sizeof *scores);
    free(w->scores);
    w->scores = scores;
    w->scores_size = size;
    w->n_keys = n_keys;
    return SV_OK;
}

void sv_attend_plan(sv_workspace *w, const sv_span *spans, size_t n_spans) {
    const sv_text_config *c = &w->model->config.text;
    size_t group = (size_t)(c->n_heads / c->n_kv_heads), most = SV_MAX((size_t)1, QUERY_ROWS / group), row = 0;
    w->n_clusters = 0;
    for (size_t i = 0; i < n_spans;) {
        const sv_span *s = &spans[i];
        if (s->n_rows == 1) {
            size_t n = 1;
            while (n < most && i + n < n_spans && spans[i + n].n_rows == 1 && spans[i + n].prefix == s->prefix) n++;
            w->clusters[w->n_clusters++] = (sv_cluster){.span = i, .n_spans = n, .row = row, .n_rows = 1};
            i += n;
            row += n;
            continue;
        }
        for (size_t first = 0; first < s->n_rows; first += QUERY_ROWS) {
            size_t n = SV_MIN(QUERY_ROWS, s->n_rows - first);
            w->clusters[w->n_clusters++] = (sv_cluster){i, 1, row + first, first, n};
        }
        row += s->n_rows;
        i++;
    }
}

static sv_attention_part part_of(const sv_cache *cache, const sv_text_config *c, size_t layer, size_t head, size_t n) {
    return (sv_attention_part){sv_cache_keys(cache, c, layer, head), sv_cache_values(cache, c, layer, head), n,
                               cache->capacity * SV_PANEL};
}

/* The stretches of a prefix from the beginning on; returns their number. */
static size_t prefix_parts(const sv_prefix *prefix, const sv_text_config *c, size_t layer, size_t head,
                           sv_attention_part *parts) {
    size_t n = prefix ? (size_t)prefix->depth : 0;
    for (size_t i = n; i-- > 0; prefix = prefix->parent) {
        parts[i] = part_of(&prefix->cache, c, layer, head, prefix->n_own);
    }
    return n;
}

typedef struct job {
    sv_workspace *workspace;
    const sv_span *spans;
    size_t layer;
} job;

/* A block of rows of one span, one query head. */
static void attend_block(const job *j, const sv_cluster *cluster, size_t head, float *scores) {
    sv_workspace *w = j->workspace;
    const sv_text_config *c = &w->model->config.text;
    const sv_span *span = &j->spans[cluster->span];
    size_t n_heads = (size_t)c->n_heads, n_kv = (size_t)c->n_kv_heads, head_dim = (size_t)c->head_dim;
    size_t stride = (n_heads + 2 * n_kv) * head_dim, key_head = head / (n_heads / n_kv);
    sv_attention_part parts[MAX_PARTS];
    size_t n_parts = prefix_parts(span->prefix, c, j->layer, key_head, parts);
    size_t n_prefix = span->prefix ? span->prefix->length : 0;
    parts[n_parts++] = part_of(span->own, c, j->layer, key_head, span->n_own + cluster->first + cluster->n_rows);
    sv_attention_run(&(sv_attention){.queries = w->qkv + cluster->row * stride + head * head_dim,
                                     .n_queries = cluster->n_rows,
                                     .query_stride = stride,
                                     .head_dim = head_dim,
                                     .parts = parts,
                                     .n_parts = n_parts,
                                     .n_visible = n_prefix + span->n_own + cluster->first + 1,
                                     .visible_step = 1,
                                     .scale = 1 / sqrtf((float)head_dim),
                                     .out = w->attended + cluster->row * n_heads * head_dim + head * head_dim,
                                     .out_stride = n_heads * head_dim,
                                     .scores = scores});
}

/* Single rows of several spans, all query heads of one key head: the keys and values of the prefix are read once for
 * all of them, each own part by its own rows. */
static void attend_tokens(const job *j, const sv_cluster *cluster, size_t key_head, float *scores) {
    sv_workspace *w = j->workspace;
    const sv_text_config *c = &w->model->config.text;
    const sv_span *spans = j->spans + cluster->span;
    size_t n_heads = (size_t)c->n_heads, n_kv = (size_t)c->n_kv_heads, head_dim = (size_t)c->head_dim;
    size_t group = n_heads / n_kv, n_rows = cluster->n_spans * group, stride = (n_heads + 2 * n_kv) * head_dim;
    sv_attention_part parts[MAX_PARTS];
    size_t n_parts = prefix_parts(spans->prefix, c, j->layer, key_head, parts);
    size_t n_prefix = spans->prefix ? spans->prefix->length : 0, n_keys = 0;
    for (size_t s = 0; s < cluster->n_spans; s++) n_keys = SV_MAX(n_keys, n_prefix + spans[s].n_own + 1);
    float *queries = scores + n_rows * n_keys, *out = queries + n_rows * head_dim;
    for (size_t s = 0; s < cluster->n_spans; s++) {
        memcpy(queries + s * group * head_dim, w->qkv + (cluster->row + s) * stride + key_head * group * head_dim,
               group * head_dim * sizeof *queries);
    }
    memset(scores, 0, n_rows * n_keys * sizeof *scores);
    memset(out, 0, n_rows * head_dim * sizeof *out);
    for (size_t p = 0, first = 0; p < n_parts; first += parts[p++].n) {
        sv_product(queries, head_dim, n_rows, parts[p].keys, SV_PANEL * head_dim, head_dim, parts[p].n, scores + first,
                   n_keys);
    }
    for (size_t s = 0; s < cluster->n_spans; s++) {
        sv_attention_part own = part_of(spans[s].own, c, j->layer, key_head, spans[s].n_own + 1);
        float *rows = scores + s * group * n_keys;
        sv_product(queries + s * group * head_dim, head_dim, group, own.keys, SV_PANEL * head_dim, head_dim, own.n,
                   rows + n_prefix, n_keys);
        for (size_t g = 0; g < group; g++) {
            sv_softmax(rows + g * n_keys, n_prefix + own.n, 1 / sqrtf((float)head_dim));
        }
    }
    for (size_t p = 0, first = 0; p < n_parts; first += parts[p++].n) {
        sv_product(scores + first, n_keys, n_rows, parts[p].values, parts[p].value_stride, parts[p].n, head_dim, out,
                   head_dim);
    }
    for (size_t s = 0; s < cluster->n_spans; s++) {
        sv_attention_part own = part_of(spans[s].own, c, j->layer, key_head, spans[s].n_own + 1);
        sv_product(scores + s * group * n_keys + n_prefix, n_keys, group, own.values, own.value_stride, own.n, head_dim,
                   out + s * group * head_dim, head_dim);
        memcpy(w->attended + (cluster->row + s) * n_heads * head_dim + key_head * group * head_dim,
               out + s * group * head_dim, group * head_dim * sizeof *out);
    }
}

static void attend_item(void *context, int64_t item, int thread) {
    const job *j = context;
    sv_workspace *w = j->workspace;
    size_t n_heads = (size_t)w->model->config.text.n_heads, group = n_heads / (size_t)w->model->config.text.n_kv_heads;
    const sv_cluster *cluster = &w->clusters[(size_t)item / n_heads];
    size_t head = (size_t)item % n_heads;
    float *scores = w->scores + (size_t)thread * w->scores_size;
    if (j->spans[cluster->span].n_rows > 1) {
        attend_block(j, cluster, head, scores);
    } else if (head % group == 0) {
        attend_tokens(j, cluster, head / group, scores);
    }
}

void sv_attend(sv_workspace *w, const sv_span *spans, size_t layer) {
    job j = {w, spans, layer};
    sv_pool_run(w->pool, (int64_t)(w->n_clusters * (size_t)w->model->config.text.n_heads), attend_item, &j);
}
