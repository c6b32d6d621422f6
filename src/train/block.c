/* block.c - see block.h. */
#include "train/block.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "model/rope.h"
#include "tensor/attention.h"
#include "tensor/attention_backward.h"
#include "tensor/backward.h"
#include "tensor/pointwise.h"
#include "tensor/product.h"

#define QUERY_ROWS ((size_t)64) /* as the engine answers them at a time */

size_t sv_block_attention_size(size_t n, size_t head_dim) {
    /* shared rows are packed by themselves, each part in whole panels */
    size_t packed = (sv_panel_round(n) + SV_PANEL) * head_dim + sv_panel_round(head_dim) * n;
    return sv_panel_round(SV_MAX(packed + QUERY_ROWS * n, sv_attention_gradient_work(n)));
}

static size_t qkv_width(const sv_block *b) { return (b->n_heads + 2 * b->n_kv_heads) * b->head_dim; }

typedef struct attention_job {
    const sv_block *block;
    const sv_packed *rows;
    const sv_tape *tape;
    sv_block_space *space;
} attention_job;

/* ---- forwards */

/* Keys and values of n rows from `first` on as panels. */
static sv_attention_part pack_part(const attention_job *j, size_t kv, size_t first, size_t n, float **room) {
    const sv_block *b = j->block;
    size_t d = b->head_dim, stride = qkv_width(b);
    const float *qkv = j->tape->qkv + first * stride;
    float *keys = *room, *values = keys + sv_panel_round(n) * d;
    sv_pack_transposed(qkv + (b->n_heads + kv) * d, stride, n, d, 0, keys);
    sv_pack_rows(qkv + (b->n_heads + b->n_kv_heads + kv) * d, stride, n, d, 0, values, n * SV_PANEL);
    *room = values + sv_panel_round(d) * n;
    return (sv_attention_part){keys, values, n, n * SV_PANEL};
}

/* Rows that the segment sees before its own. */
static size_t n_before(const sv_packed *rows, const sv_row_range *s) { return s->first ? rows->n_shared : 0; }

/* All query heads of one key head over one segment. */
static void attend(void *context, int64_t item, int thread) {
    const attention_job *j = context;
    const sv_block *b = j->block;
    size_t d = b->head_dim, group = b->n_heads / b->n_kv_heads, stride = qkv_width(b);
    const sv_row_range *s = &j->rows->segments[(size_t)item / b->n_kv_heads];
    size_t kv = (size_t)item % b->n_kv_heads, before = n_before(j->rows, s);
    float *room = j->space->attention + (size_t)thread * j->space->attention_size;
    const float *qkv = j->tape->qkv + s->first * stride;
    sv_attention_part parts[2] = {pack_part(j, kv, 0, before, &room), {0}};
    parts[1] = pack_part(j, kv, s->first, s->n, &room);
    for (size_t head = kv * group; head < (kv + 1) * group; head++) {
        for (size_t q = 0; q < s->n; q += QUERY_ROWS) {
            size_t n = SV_MIN(QUERY_ROWS, s->n - q);
            parts[1].n = b->causal ? q + n : s->n;
            sv_attention_run(&(sv_attention){.queries = qkv + q * stride + head * d,
                                             .n_queries = n,
                                             .query_stride = stride,
                                             .head_dim = d,
                                             .parts = parts,
                                             .n_parts = 2,
                                             .n_visible = before + (b->causal ? q + 1 : s->n),
                                             .visible_step = b->causal ? 1 : 0,
                                             .scale = 1 / sqrtf((float)d),
                                             .out = j->tape->attended + (s->first + q) * b->n_heads * d + head * d,
                                             .out_stride = b->n_heads * d,
                                             .scores = room});
        }
    }
}

typedef void rotation(float *x, size_t half, const float *cosines, const float *sines);

static void rotate(const sv_block *b, const sv_packed *rows, float *qkv, rotation *turn) {
    size_t half = b->head_dim / 2, stride = qkv_width(b);
    for (size_t r = 0; r < rows->n_rows; r++) {
        for (size_t h = 0; h < b->n_heads + b->n_kv_heads; h++)
            turn(qkv + r * stride + h * b->head_dim, half, rows->cosines + r * half, rows->sines + r * half);
    }
}

void sv_block_forward(const sv_block *b, const sv_packed *rows, const sv_tape *tape, float *out,
                      sv_block_space *space) {
    sv_linear_space *linear = &space->linear;
    size_t n = rows->n_rows, n_query = b->n_heads * b->head_dim;
    sv_rms_norm(tape->x, b->norm1, b->eps, n, b->hidden, tape->normed1, linear->pool);
    sv_linear_forward(b->qkv, &b->dropout[0], tape->normed1, b->hidden, n, tape->qkv, false, linear);
    rotate(b, rows, tape->qkv, sv_rope_rotate);
    attention_job job = {b, rows, tape, space};
    sv_pool_run(linear->pool, (int64_t)(rows->n_segments * b->n_kv_heads), attend, &job);
    memcpy(tape->middle, tape->x, n * b->hidden * sizeof *tape->x);
    sv_linear_forward(b->output, &b->dropout[1], tape->attended, n_query, n, tape->middle, true, linear);
    sv_rms_norm(tape->middle, b->norm2, b->eps, n, b->hidden, tape->normed2, linear->pool);
    sv_linear_forward(b->gate_up, &b->dropout[2], tape->normed2, b->hidden, n, tape->gate_up, false, linear);
    sv_swiglu_forward(tape->gate_up, n, b->ffn, space->act, linear->pool);
    memcpy(out, tape->middle, n * b->hidden * sizeof *out);
    sv_linear_forward(b->down, &b->dropout[3], space->act, b->ffn, n, out, true, linear);
}

/* ---- backwards */

static void segment_backward(const attention_job *j, const sv_row_range *s, size_t kv, int thread) {
    const sv_block *b = j->block;
    size_t d = b->head_dim, group = b->n_heads / b->n_kv_heads, stride = qkv_width(b);
    size_t query = kv * group * d, key = (b->n_heads + kv) * d, value = key + b->n_kv_heads * d;
    const float *shared = j->tape->qkv, *qkv = shared + s->first * stride;
    float *dshared = j->space->dqkv, *dqkv = dshared + s->first * stride;
    sv_attention_backward(
        &(sv_attention_gradient){.n = s->n,
                                 .head_dim = d,
                                 .group = group,
                                 .causal = b->causal,
                                 .scale = 1 / sqrtf((float)d),
                                 .queries = qkv + query,
                                 .keys = qkv + key,
                                 .values = qkv + value,
                                 .stride = stride,
                                 .dout = j->space->dattended + s->first * b->n_heads * d + query,
                                 .out_stride = b->n_heads * d,
                                 .dqueries = dqkv + query,
                                 .dkeys = dqkv + key,
                                 .dvalues = dqkv + value,
                                 .n_prefix = n_before(j->rows, s),
                                 .prefix_keys = shared + key,
                                 .prefix_values = shared + value,
                                 .dprefix_keys = dshared + key,
                                 .dprefix_values = dshared + value,
                                 .work = j->space->attention + (size_t)thread * j->space->attention_size});
}

/* Segments that share rows add to the same gradients: they come one after another. */
static void attend_backward(void *context, int64_t item, int thread) {
    const attention_job *j = context;
    size_t n_kv = j->block->n_kv_heads, n = j->rows->n_shared ? j->rows->n_segments : 1;
    for (size_t i = 0; i < n; i++) {
        size_t segment = j->rows->n_shared ? i : (size_t)item / n_kv;
        segment_backward(j, &j->rows->segments[segment], (size_t)item % n_kv, thread);
    }
}

void sv_block_backward(const sv_block *b, const sv_packed *rows, const sv_tape *tape, float *dout, sv_block_space *s) {
    sv_linear_space *linear = &s->linear;
    size_t n = rows->n_rows, n_query = b->n_heads * b->head_dim;
    sv_swiglu_forward(tape->gate_up, n, b->ffn, s->act, linear->pool);
    memset(s->dact, 0, n * b->ffn * sizeof *s->dact);
    sv_linear_backward(b->down, b->ddown, &b->dropout[3], s->act, b->ffn, n, dout, s->dact, b->ffn, linear);
    sv_swiglu_backward(tape->gate_up, s->dact, n, b->ffn, s->dgate_up, linear->pool);
    memset(s->dnormed, 0, n * b->hidden * sizeof *s->dnormed);
    sv_linear_backward(b->gate_up, b->dgate_up, &b->dropout[2], tape->normed2, b->hidden, n, s->dgate_up, s->dnormed,
                       b->hidden, linear);
    sv_rms_norm_backward(tape->middle, b->norm2, b->eps, s->dnormed, n, b->hidden, dout, b->dnorm2, linear->pool);
    memset(s->dattended, 0, n * n_query * sizeof *s->dattended);
    sv_linear_backward(b->output, b->doutput, &b->dropout[1], tape->attended, n_query, n, dout, s->dattended, n_query,
                       linear);
    memset(s->dqkv, 0, n * qkv_width(b) * sizeof *s->dqkv);
    attention_job job = {b, rows, tape, s};
    size_t n_items = (rows->n_shared ? 1 : rows->n_segments) * b->n_kv_heads;
    sv_pool_run(linear->pool, (int64_t)n_items, attend_backward, &job);
    rotate(b, rows, s->dqkv, sv_rope_unrotate);
    memset(s->dnormed, 0, n * b->hidden * sizeof *s->dnormed);
    sv_linear_backward(b->qkv, b->dqkv, &b->dropout[0], tape->normed1, b->hidden, n, s->dqkv, s->dnormed, b->hidden,
                       linear);
    sv_rms_norm_backward(tape->x, b->norm1, b->eps, s->dnormed, n, b->hidden, dout, b->dnorm1, linear->pool);
}
