/* weights.c - binds tensors to places in two passes: the first checks names and shapes and sums sizes, the second
 * reads. */
#include "model/weights.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"

#define MAX_PARTS 3
#define ALIGN_FLOATS ((size_t)16)

typedef struct binder {
    const sv_tensor_file *file;
    float *storage, *row; /* NULL in the first pass; room for one row of a matrix */
    size_t used, row_size;
    int64_t n_parameters;
    sv_status status; /* the first failure; all that follows does nothing */
    sv_error *err;
} binder;

/* one matrix of a fused layer: rows of W, with the names of weight and bias made from `name` */
typedef struct part {
    const char *name;
    int64_t n_rows;
    bool biased;
} part;

static const sv_tensor *find(const binder *b, const char *name) {
    const sv_tensor *tensor = sv_tensor_find(b->file, name);
    if (tensor) return tensor;
    char newer[320];
    if (strncmp(name, "model.", 6) == 0) {
        snprintf(newer, sizeof newer, "model.language_model.%.200s", name + 6);
    } else {
        snprintf(newer, sizeof newer, "model.%.200s", name);
    }
    return sv_tensor_find(b->file, newer);
}

static void describe_shape(const int64_t *shape, int n_dims, char *out, size_t size) {
    size_t used = (size_t)snprintf(out, size, "[");
    for (int i = 0; i < n_dims && used < size; i++) {
        used += (size_t)snprintf(out + used, size - used, "%s%lld", i ? ", " : "", (long long)shape[i]);
    }
    if (used < size) snprintf(out + used, size - used, "]");
}

/* The tensor `name` with the given shape, or NULL after a failure. */
static const sv_tensor *require(binder *b, const char *name, int n_dims, const int64_t *shape) {
    if (b->status != SV_OK) return NULL;
    const sv_tensor *t = find(b, name);
    if (!t) {
        char packed[320];
        size_t stem = strlen(name) > 6 ? strlen(name) - 6 : 0; /* without "weight" */
        snprintf(packed, sizeof packed, "%.*sqweight", (int)SV_MIN(stem, (size_t)200), name);
        b->status = find(b, packed) ? sv_fail(b->err, SV_ERR_UNSUPPORTED,
                                              "tensor '%s' is quantised; this version reads F32, F16 and BF16", name)
                                    : sv_fail(b->err, SV_ERR_INPUT,
                                              "tensor '%s' is missing; is config.json that of these weights?", name);
        return NULL;
    }
    bool same = t->n_dims == n_dims;
    for (int i = 0; same && i < n_dims; i++) same = t->shape[i] == shape[i];
    if (!same) {
        char expected[128], found[192];
        describe_shape(shape, n_dims, expected, sizeof expected);
        describe_shape(t->shape, t->n_dims, found, sizeof found);
        b->status = sv_fail(b->err, SV_ERR_INPUT, "tensor '%s' has shape %s, config.json asks for %s", t->name, found,
                            expected);
        return NULL;
    }
    if (t->dtype != SV_F32 && t->dtype != SV_F64 && t->dtype != SV_F16 && t->dtype != SV_BF16) {
        b->status = sv_fail(b->err, SV_ERR_UNSUPPORTED, "tensor '%s' is %s; this version reads F32, F64, F16 and BF16",
                            t->name, sv_dtype_name(t->dtype));
        return NULL;
    }
    return t;
}

/* Reads n elements and refuses what is not a number. */
static void read_finite(binder *b, const sv_tensor *t, size_t first, size_t n, float *out) {
    sv_tensor_read_f32(t, first, n, out);
    for (size_t i = 0; i < n; i++) {
        if (isfinite(out[i])) continue;
        b->status = sv_fail(b->err, SV_ERR_INPUT, "tensor '%s' holds %s at element %zu; the file is damaged", t->name,
                            isnan(out[i]) ? "NaN" : "infinity", first + i);
        return;
    }
}

/* Room for n floats; NULL in the first pass. */
static float *reserve(binder *b, size_t n) {
    float *place = b->storage ? b->storage + b->used : NULL;
    b->used += (n + ALIGN_FLOATS - 1) / ALIGN_FLOATS * ALIGN_FLOATS;
    return place;
}

static const float *bind_vector(binder *b, const char *name, int n) {
    float *place = reserve(b, (size_t)n);
    const sv_tensor *t = require(b, name, 1, (int64_t[]){n});
    if (t) b->n_parameters += n;
    if (t && place) read_finite(b, t, 0, (size_t)n, place);
    return place;
}

/* Packs the rows of one matrix as columns from `first` on. Frames of a convolution are summed. */
static void pack_matrix(binder *b, const sv_tensor *t, size_t n_rows, size_t n_in, size_t n_frames, size_t first,
                        float *panels) {
    float *frames = b->row + n_in;
    for (size_t r = 0; r < n_rows && b->status == SV_OK; r++) {
        if (n_frames == 1) {
            read_finite(b, t, r * n_in, n_in, b->row);
        } else { /* [channel, frame, pixels] */
            size_t n_channels = (size_t)t->shape[1], n_pixels = n_in / n_channels;
            read_finite(b, t, r * n_in * n_frames, n_in * n_frames, frames);
            memset(b->row, 0, n_in * sizeof *b->row);
            for (size_t i = 0; i < n_in * n_frames; i++)
                b->row[i / (n_frames * n_pixels) * n_pixels + i % n_pixels] += frames[i];
        }
        sv_pack_transposed(b->row, n_in, 1, n_in, first + r, panels);
    }
}

static sv_linear bind_linear(binder *b, const char *prefix, const part *parts, size_t n_parts, int64_t n_in) {
    sv_linear l = {.n_in = (size_t)n_in};
    for (size_t i = 0; i < n_parts; i++) l.n_out += (size_t)parts[i].n_rows;
    size_t columns = sv_panel_round(l.n_out);
    float *panels = reserve(b, columns * l.n_in), *bias = NULL;
    bool biased = false;
    for (size_t i = 0; i < n_parts; i++) biased |= parts[i].biased;
    if (biased) bias = reserve(b, l.n_out);
    b->row_size = SV_MAX(b->row_size, l.n_in);
    if (panels) memset(panels, 0, columns * l.n_in * sizeof *panels);
    for (size_t i = 0, first = 0; i < n_parts; first += (size_t)parts[i++].n_rows) {
        char name[256];
        size_t n_rows = (size_t)parts[i].n_rows;
        snprintf(name, sizeof name, "%s%s.weight", prefix, parts[i].name);
        const sv_tensor *t = require(b, name, 2, (int64_t[]){parts[i].n_rows, n_in});
        if (t) b->n_parameters += parts[i].n_rows * n_in;
        if (t && panels) pack_matrix(b, t, n_rows, l.n_in, 1, first, panels);
        if (!parts[i].biased) continue;
        snprintf(name, sizeof name, "%s%s.bias", prefix, parts[i].name);
        t = require(b, name, 1, (int64_t[]){parts[i].n_rows});
        if (t) b->n_parameters += parts[i].n_rows;
        if (t && bias) read_finite(b, t, 0, n_rows, bias + first);
    }
    l.panels = panels;
    l.bias = bias;
    return l;
}

static sv_linear bind_patch_embed(binder *b, const sv_vision_config *v) {
    int n_in = v->channels * v->patch * v->patch;
    sv_linear l = {.n_in = (size_t)n_in, .n_out = (size_t)v->hidden};
    size_t columns = sv_panel_round(l.n_out);
    float *panels = reserve(b, columns * l.n_in);
    b->row_size = SV_MAX(b->row_size, l.n_in * (size_t)(1 + v->temporal_patch));
    const int64_t shape[] = {v->hidden, v->channels, v->temporal_patch, v->patch, v->patch};
    const sv_tensor *t = require(b, "visual.patch_embed.proj.weight", 5, shape);
    if (t) b->n_parameters += (int64_t)n_in * v->temporal_patch * v->hidden;
    if (t && panels) {
        memset(panels, 0, columns * l.n_in * sizeof *panels);
        pack_matrix(b, t, l.n_out, l.n_in, (size_t)v->temporal_patch, 0, panels);
    }
    l.panels = panels;
    return l;
}

static void bind_vision(binder *b, const sv_vision_config *v, sv_weights *w) {
    w->patch_embed = bind_patch_embed(b, v);
    for (int i = 0; i < v->depth && b->status == SV_OK; i++) {
        sv_vision_block *block = &w->vision_blocks[i];
        char prefix[64], name[96];
        snprintf(prefix, sizeof prefix, "visual.blocks.%d.", i);
        snprintf(name, sizeof name, "%snorm1.weight", prefix);
        block->norm1 = bind_vector(b, name, v->hidden);
        snprintf(name, sizeof name, "%snorm2.weight", prefix);
        block->norm2 = bind_vector(b, name, v->hidden);
        block->qkv = bind_linear(b, prefix, &(part){"attn.qkv", 3 * v->hidden, true}, 1, v->hidden);
        block->projection = bind_linear(b, prefix, &(part){"attn.proj", v->hidden, true}, 1, v->hidden);
        const part gate_up[] = {{"mlp.gate_proj", v->ffn, true}, {"mlp.up_proj", v->ffn, true}};
        block->gate_up = bind_linear(b, prefix, gate_up, 2, v->hidden);
        block->down = bind_linear(b, prefix, &(part){"mlp.down_proj", v->hidden, true}, 1, v->ffn);
    }
    int64_t cell = (int64_t)v->hidden * v->merge * v->merge;
    w->merger_norm = bind_vector(b, "visual.merger.ln_q.weight", v->hidden);
    w->merger_in = bind_linear(b, "visual.merger.", &(part){"mlp.0", cell, true}, 1, cell);
    w->merger_out = bind_linear(b, "visual.merger.", &(part){"mlp.2", v->out_hidden, true}, 1, cell);
}

static void bind_text(binder *b, const sv_text_config *t, sv_weights *w) {
    w->embedding = bind_linear(b, "model.", &(part){"embed_tokens", t->vocab, false}, 1, t->hidden);
    w->head = t->tied_embeddings ? w->embedding : bind_linear(b, "", &(part){"lm_head", t->vocab, false}, 1, t->hidden);
    w->final_norm = bind_vector(b, "model.norm.weight", t->hidden);
    int64_t n_query = (int64_t)t->n_heads * t->head_dim, n_key = (int64_t)t->n_kv_heads * t->head_dim;
    for (int i = 0; i < t->n_layers && b->status == SV_OK; i++) {
        sv_decoder_layer *layer = &w->layers[i];
        char prefix[64], name[96];
        snprintf(prefix, sizeof prefix, "model.layers.%d.", i);
        snprintf(name, sizeof name, "%sinput_layernorm.weight", prefix);
        layer->norm1 = bind_vector(b, name, t->hidden);
        snprintf(name, sizeof name, "%spost_attention_layernorm.weight", prefix);
        layer->norm2 = bind_vector(b, name, t->hidden);
        const part qkv[] = {
            {"self_attn.q_proj", n_query, true}, {"self_attn.k_proj", n_key, true}, {"self_attn.v_proj", n_key, true}};
        layer->qkv = bind_linear(b, prefix, qkv, 3, t->hidden);
        layer->output = bind_linear(b, prefix, &(part){"self_attn.o_proj", t->hidden, false}, 1, n_query);
        const part gate_up[] = {{"mlp.gate_proj", t->ffn, false}, {"mlp.up_proj", t->ffn, false}};
        layer->gate_up = bind_linear(b, prefix, gate_up, 2, t->hidden);
        layer->down = bind_linear(b, prefix, &(part){"mlp.down_proj", t->hidden, false}, 1, t->ffn);
    }
}

sv_status sv_weights_load(const sv_tensor_file *file, const sv_model_config *config, sv_weights *out, sv_error *err) {
    *out = (sv_weights){0};
    out->vision_blocks = sv_calloc((size_t)config->vision.depth, sizeof *out->vision_blocks);
    out->layers = sv_calloc((size_t)config->text.n_layers, sizeof *out->layers);
    if (!out->vision_blocks || !out->layers) {
        sv_weights_free(out);
        return sv_fail(err, SV_ERR_MEMORY, "out of memory: table of layers");
    }
    binder b = {.file = file, .err = err};
    bind_vision(&b, &config->vision, out);
    bind_text(&b, &config->text, out);
    if (b.status == SV_OK) {
        size_t n = b.used;
        b = (binder){.file = file, .err = err, .row_size = b.row_size};
        b.storage = sv_alloc_aligned(n, sizeof *b.storage);
        b.row = sv_alloc_aligned(b.row_size, sizeof *b.row);
        out->storage = b.storage;
        if (!b.storage || !b.row) {
            b.status = sv_fail_memory(err, "weights", n * sizeof *b.storage);
        } else {
            bind_vision(&b, &config->vision, out);
            bind_text(&b, &config->text, out);
            out->n_parameters = b.n_parameters;
        }
        free(b.row);
    }
    if (b.status != SV_OK) sv_weights_free(out);
    return b.status;
}

void sv_weights_free(sv_weights *weights) {
    free(weights->vision_blocks);
    free(weights->layers);
    free(weights->storage);
    *weights = (sv_weights){0};
}

void sv_weights_embed(const sv_weights *weights, int32_t id, float *out) {
    size_t n = weights->embedding.n_in, row = (size_t)id;
    const float *column = weights->embedding.panels + row / SV_PANEL * SV_PANEL * n + row % SV_PANEL;
    for (size_t k = 0; k < n; k++) out[k] = column[k * SV_PANEL];
}
