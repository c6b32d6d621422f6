/* tower.c - see tower.h. */
#include "train/tower.h"

#include "base/arrays.h"
#include "base/memory.h"

enum { N_TAPE = 6, N_SPACE = 11 };

sv_status sv_tower_new(size_t n_blocks, bool recompute, sv_pool *pool, sv_tower *out, sv_error *err) {
    *out = (sv_tower){.n_blocks = n_blocks, .recompute = recompute};
    out->space.linear.pool = pool;
    out->blocks = sv_calloc(n_blocks, sizeof *out->blocks);
    out->tapes = sv_calloc(n_blocks, sizeof *out->tapes);
    out->inputs = sv_calloc(n_blocks + 1, sizeof *out->inputs);
    if (out->blocks && out->tapes && out->inputs) return SV_OK;
    sv_tower_free(out);
    return sv_fail_memory(err, "tower", n_blocks * sizeof *out->blocks);
}

void sv_tower_free(sv_tower *t) {
    free(t->blocks);
    free(t->tapes);
    free(t->inputs);
    free(t->storage);
    free(t->attention_storage);
    *t = (sv_tower){0};
}

void sv_tower_note_linear(sv_tower *t, const sv_linear *l) {
    t->max_inputs = SV_MAX(t->max_inputs, l->n_in);
    t->max_rank = SV_MAX(t->max_rank, sv_linear_rank(l));
}

void sv_tower_set_layers(sv_tower *t, size_t block, const float *norm1, const float *norm2,
                         const sv_linear *const layers[SV_BLOCK_LINEARS], const sv_block_gradients *g) {
    sv_block *b = &t->blocks[block];
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
    for (int i = 0; i < SV_BLOCK_LINEARS; i++) sv_tower_note_linear(t, layers[i]);
}

void sv_tower_set_dropout(sv_tower *t, const sv_trainee *trainee, uint64_t step, uint64_t number, bool on) {
    for (size_t i = 0; i < t->n_blocks; i++) {
        for (size_t k = 0; k < SV_BLOCK_LINEARS; k++) {
            uint64_t layer = (number << 32) + i * SV_BLOCK_LINEARS + k;
            t->blocks[i].dropout[k] = (sv_dropout){.probability = on ? trainee->dropout : 0,
                                                   .key = (trainee->seed + step * 0x9E3779B97F4A7C15) ^ (layer << 8)};
        }
    }
}

static sv_tape *tape_of(sv_tower *t, size_t block) { return &t->tapes[t->recompute ? 0 : block]; }

static size_t list_tapes(sv_tower *t, size_t n_rows, sv_array *arrays) {
    size_t n = 0;
    for (size_t i = 0; i < (t->recompute ? 1 : t->n_blocks); i++) {
        const sv_block *b = &t->blocks[i];
        sv_tape *tape = &t->tapes[i];
        size_t query = b->n_heads * b->head_dim, key = b->n_kv_heads * b->head_dim;
        const sv_array all[N_TAPE] = {{&tape->normed1, n_rows, b->hidden}, {&tape->qkv, n_rows, query + 2 * key},
                                      {&tape->attended, n_rows, query},    {&tape->middle, n_rows, b->hidden},
                                      {&tape->normed2, n_rows, b->hidden}, {&tape->gate_up, n_rows, 2 * b->ffn}};
        for (size_t k = 0; k < N_TAPE; k++) arrays[n++] = all[k];
    }
    for (size_t i = 0; i <= t->n_blocks; i++) arrays[n++] = (sv_array){&t->inputs[i], n_rows, t->blocks[0].hidden};
    return n;
}

static size_t list_space(sv_tower *t, size_t n_rows, bool dropout, sv_array *arrays) {
    const sv_block *b = &t->blocks[0];
    sv_block_space *s = &t->space;
    size_t query = b->n_heads * b->head_dim, key = b->n_kv_heads * b->head_dim;
    size_t dropped = dropout ? t->max_inputs : 0;
    const sv_array all[N_SPACE] = {{&s->act, n_rows, b->ffn},
                                   {&s->dact, n_rows, b->ffn},
                                   {&s->dgate_up, n_rows, 2 * b->ffn},
                                   {&s->dnormed, n_rows, b->hidden},
                                   {&s->dattended, n_rows, query},
                                   {&s->dqkv, n_rows, query + 2 * key},
                                   {&s->linear.dropped, n_rows, dropped},
                                   {&s->linear.ddropped, n_rows, dropped},
                                   {&s->linear.low_rank, n_rows, t->max_rank},
                                   {&s->linear.dlow_rank, n_rows, t->max_rank},
                                   {&s->linear.dense, SV_DENSE_ROWS, t->max_inputs}};
    for (size_t k = 0; k < N_SPACE; k++) arrays[k] = all[k];
    return N_SPACE;
}

sv_status sv_tower_reserve(sv_tower *t, size_t n_rows, size_t longest, bool dropout, sv_error *err) {
    sv_block_space *s = &t->space;
    if (n_rows > t->capacity) {
        sv_array *arrays = sv_calloc((N_TAPE + 1) * t->n_blocks + 1 + N_SPACE, sizeof *arrays);
        if (!arrays) return sv_fail_memory(err, "activations", 0);
        size_t n = list_tapes(t, n_rows, arrays), n_bytes = 0;
        n += list_space(t, n_rows, dropout, arrays + n);
        free(t->storage);
        t->storage = sv_arrays_new(arrays, n);
        t->capacity = t->storage ? n_rows : 0;
        if (!t->storage) (void)sv_arrays_size(arrays, n, &n_bytes);
        free(arrays);
        if (!t->storage) return sv_fail_memory(err, "activations of the batch", n_bytes);
    }
    if (longest > t->segment_capacity) {
        size_t size = sv_block_attention_size(longest, t->blocks[0].head_dim);
        size_t n_threads = (size_t)sv_pool_n_threads(s->linear.pool);
        free(t->attention_storage);
        s->attention = t->attention_storage = sv_alloc_aligned(n_threads * size, sizeof *s->attention);
        s->attention_size = size;
        t->segment_capacity = s->attention ? longest : 0;
        if (!s->attention) return sv_fail_memory(err, "attention", n_threads * size * sizeof *s->attention);
    }
    return SV_OK;
}

void sv_tower_forward(sv_tower *t, const sv_packed *const *packed) {
    for (size_t i = 0; i < t->n_blocks; i++) {
        sv_tape *tape = tape_of(t, i);
        tape->x = t->inputs[i];
        sv_block_forward(&t->blocks[i], packed[i], tape, t->inputs[i + 1], &t->space);
    }
}

void sv_tower_backward(sv_tower *t, const sv_packed *const *packed, float *dout) {
    for (size_t i = t->n_blocks; i-- > 0;) {
        sv_tape *tape = tape_of(t, i);
        if (t->recompute) {
            tape->x = t->inputs[i];
            /* the output is written where it was, with the same bits */
            sv_block_forward(&t->blocks[i], packed[i], tape, t->inputs[i + 1], &t->space);
        }
        sv_block_backward(&t->blocks[i], packed[i], tape, dout, &t->space);
    }
}
