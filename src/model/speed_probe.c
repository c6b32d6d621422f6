/* speed_probe.c - each kind of layer on weights that fill as much memory as the model's own, or more than any cache. */
#include "model/speed_probe.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "tensor/linear.h"

#define PROBE_S 0.25                     /* of one kind */
#define STREAM_BYTES ((size_t)192 << 20) /* larger than the caches of one processor */
#define MANY_ROWS ((size_t)128)          /* tokens of a prompt that share a block of weights (linear.c) */
#define ZERO_WORD 0x77777777u

/* Layers of one shape, and rows for them. */
typedef struct bench {
    size_t n_layers;
    sv_linear *layers;
    unsigned char *memory; /* of all weights */
    float *x, *y;
} bench;

static size_t layer_bytes(const sv_matrix *w) { return (sv_matrix_bytes(w) + 63) / 64 * 64; }

/* Small numbers of the type; a pattern that is as long as a few rows is enough. */
static void fill(sv_dtype dtype, unsigned char *out, size_t n) {
    enum { N = 4096 };
    float values[N];
    unsigned char block[N * sizeof(float)];
    size_t size = sv_dtype_size(dtype), n_block = SV_MIN(n, (size_t)N);
    for (size_t i = 0; i < N; i++) values[i] = (float)((i * 37) % 251) * 1e-3f - 0.125f;
    sv_dtype_write_f32(dtype, values, n_block, block);
    for (size_t i = 0; i < n; i += N) memcpy(out + i * size, block, SV_MIN((size_t)N, n - i) * size);
}

/* Points a matrix to its part of the memory and fills that. */
static void place_weights(sv_matrix *w, unsigned char *memory) {
    w->data = memory;
    if (w->dtype != SV_I32) {
        fill(w->dtype, memory, w->n_out * w->n_in);
        return;
    }
    size_t n_words = w->n_out * w->n_in / 8, n_groups = (w->n_in + w->group - 1) / w->group;
    unsigned char *scales = memory + 4 * n_words, *zeros = scales + 2 * n_groups * w->n_out;
    for (size_t i = 0; i < n_words; i++) {
        uint32_t word = (uint32_t)i * 2654435761u;
        memcpy(memory + 4 * i, &word, sizeof word);
    }
    for (size_t i = 0; i < n_groups * w->n_out / 8; i++) memcpy(zeros + 4 * i, &(uint32_t){ZERO_WORD}, 4);
    fill(SV_F16, scales, n_groups * w->n_out);
    w->scales = scales;
    w->scale_dtype = SV_F16;
    w->zeros = zeros;
    w->zero_offset = 1;
}

static void close_bench(bench *b) {
    free(b->layers);
    free(b->memory);
    free(b->x);
    free(b->y);
}

static sv_status open_bench(const sv_matrix *shape, size_t n_wanted, size_t n_rows, bench *b, sv_error *err) {
    size_t each = layer_bytes(shape);
    b->n_layers = SV_MAX((size_t)1, SV_MIN(n_wanted, STREAM_BYTES / each));
    b->layers = sv_calloc(b->n_layers, sizeof *b->layers);
    b->memory = sv_alloc_aligned(b->n_layers, each);
    b->x = sv_alloc_aligned(n_rows * shape->n_in, sizeof *b->x);
    b->y = sv_alloc_aligned(n_rows * shape->n_out, sizeof *b->y);
    if (!b->layers || !b->memory || !b->x || !b->y) return sv_fail_memory(err, "a measurement", b->n_layers * each);
    for (size_t i = 0; i < b->n_layers; i++) {
        b->layers[i] = (sv_linear){.n_in = shape->n_in, .n_out = shape->n_out, .n_parts = 1};
        b->layers[i].parts[0].weight = *shape;
        place_weights(&b->layers[i].parts[0].weight, b->memory + i * each);
    }
    fill(SV_F32, (unsigned char *)b->x, n_rows * shape->n_in);
    return SV_OK;
}

/* FLOP/s of the fastest of the passes through the layers in turn: what else the machine does for a moment is left out.
 */
static sv_status measure(const sv_matrix *shape, size_t n_wanted, size_t n_rows, sv_pool *pool, double *out,
                         sv_error *err) {
    bench b = {0};
    sv_status s = open_bench(shape, n_wanted, n_rows, &b, err);
    double first = sv_now_s(), end = first, fastest_s = 0;
    for (size_t i = 0; !s && (i == 0 || end - first < PROBE_S); i++) {
        double begin = end;
        sv_linear_apply(&b.layers[i % b.n_layers], b.x, shape->n_in, n_rows, b.y, false, NULL, pool);
        end = sv_now_s();
        if (i == 0 || end - begin < fastest_s) fastest_s = end - begin;
    }
    if (!s) *out = 2.0 * (double)n_rows * (double)shape->n_in * (double)shape->n_out / SV_MAX(fastest_s, 1e-9);
    close_bench(&b);
    return s;
}

/* A layer that is larger than what is streamed is measured on some of its outputs. */
static sv_matrix shape_of(sv_dtype dtype, size_t n_out, size_t n_in, size_t group) {
    sv_matrix w = {.dtype = dtype, .n_out = n_out, .n_in = n_in, .group = group, .scale_dtype = SV_F16};
    while (w.n_out > 64 && layer_bytes(&w) > STREAM_BYTES) w.n_out /= 2;
    if (dtype == SV_I32) w.n_out = (w.n_out + 7) / 8 * 8;
    return w;
}

sv_status sv_speed_probe(const sv_model_config *config, const sv_layer_types *types, int n_threads,
                         sv_machine_speed *out, sv_error *err) {
    const sv_text_config *t = &config->text;
    const sv_vision_config *v = &config->vision;
    const sv_matrix vision = shape_of(types->vision, 2 * (size_t)v->ffn, (size_t)v->hidden, 0),
                    text = shape_of(types->text, 2 * (size_t)t->ffn, (size_t)t->hidden, types->group),
                    head = shape_of(types->head, (size_t)t->vocab, (size_t)t->hidden, 0);
    sv_pool *pool;
    sv_status s = sv_pool_new(n_threads, &pool, err);
    if (s) return s;
    *out = (sv_machine_speed){.n_threads = sv_pool_n_threads(pool)};
    s = measure(&vision, (size_t)v->depth, MANY_ROWS, pool, &out->vision, err);
    if (!s) s = measure(&text, (size_t)t->n_layers, MANY_ROWS, pool, &out->read, err);
    if (!s) s = measure(&text, (size_t)t->n_layers, 1, pool, &out->write, err);
    if (!s) s = measure(&head, 1, 1, pool, &out->head, err);
    if (!s) s = measure(&text, (size_t)t->n_layers, SV_PROBE_BATCH, pool, &out->batch, err);
    sv_pool_free(pool);
    return s;
}
