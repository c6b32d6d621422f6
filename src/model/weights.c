/* weights.c - binds tensors to places in two passes: the first checks names and shapes and sums what must be copied,
 * the second copies and looks for damage. */
#include "model/weights.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "tensor/finite.h"

#define ALIGN_FLOATS ((size_t)16)

typedef struct binder {
    const sv_tensor_file *file;
    const sv_quantisation *quantisation;
    const sv_adapter *adapter;
    float *storage; /* NULL in the first pass */
    size_t used, n_adapted, max_rank, matrix_bytes;
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

/* The module's name as the file has it: in the older naming or the newer one. */
static void name_in_file(const binder *b, const char *module, char *out, size_t size) {
    static const char *const leaves[] = {"weight", "qweight"};
    char newer[256], name[288];
    if (strncmp(module, "model.", 6) == 0) {
        snprintf(newer, sizeof newer, "model.language_model.%.200s", module + 6);
    } else {
        snprintf(newer, sizeof newer, "model.%.200s", module);
    }
    for (size_t i = 0; i < SV_COUNT(leaves); i++) {
        snprintf(name, sizeof name, "%s.%s", newer, leaves[i]);
        if (!sv_tensor_find(b->file, name)) continue;
        snprintf(out, size, "%s", newer);
        return;
    }
    snprintf(out, size, "%s", module);
}

static void describe_shape(const int64_t *shape, int n_dims, char *out, size_t size) {
    size_t used = (size_t)snprintf(out, size, "[");
    for (int i = 0; i < n_dims && used < size; i++) {
        used += (size_t)snprintf(out + used, size - used, "%s%lld", i ? ", " : "", (long long)shape[i]);
    }
    if (used < size) snprintf(out + used, size - used, "]");
}

/* The tensor module.leaf with the given shape, or NULL after a failure. `module` is a name in the file. */
static const sv_tensor *require(binder *b, const char *module, const char *leaf, int n_dims, const int64_t *shape) {
    if (b->status != SV_OK) return NULL;
    char name[320];
    snprintf(name, sizeof name, "%.280s.%s", module, leaf);
    const sv_tensor *t = sv_tensor_find(b->file, name);
    if (!t) {
        b->status =
            sv_fail(b->err, SV_ERR_INPUT, "tensor '%s' is missing; is config.json that of these weights?", name);
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
    if (t->dtype != SV_F32 && t->dtype != SV_F16 && t->dtype != SV_BF16) {
        b->status = sv_fail(b->err, SV_ERR_UNSUPPORTED, "tensor '%s' is %s; weights are read as F32, F16 or BF16",
                            t->name, sv_dtype_name(t->dtype));
        return NULL;
    }
    return t;
}

/* Refuses numbers that are none; in the second pass only, for it reads everything. */
static void check_finite(binder *b, const char *name, sv_dtype dtype, const void *data, size_t n) {
    if (b->status != SV_OK || !b->storage) return;
    size_t bad = sv_first_not_finite(dtype, data, n);
    if (bad == n) return;
    float value;
    sv_dtype_read_f32(dtype, data, bad, 1, &value);
    b->status = sv_fail(b->err, SV_ERR_INPUT, "tensor '%s' holds %s at element %zu; the file is damaged", name,
                        isnan(value) ? "NaN" : "infinity", bad);
}

/* Room for n floats; NULL in the first pass. */
static float *reserve(binder *b, size_t n) {
    float *place = b->storage ? b->storage + b->used : NULL;
    b->used += (n + ALIGN_FLOATS - 1) / ALIGN_FLOATS * ALIGN_FLOATS;
    return place;
}

/* Copies n numbers of module.leaf as f32. */
static void copy_vector(binder *b, const char *module, const char *leaf, int64_t n, float *place) {
    const sv_tensor *t = require(b, module, leaf, 1, (int64_t[]){n});
    if (!t) return;
    b->n_parameters += n;
    check_finite(b, t->name, t->dtype, t->data, (size_t)n);
    if (place) sv_tensor_read_f32(t, 0, (size_t)n, place);
}

static const float *bind_vector(binder *b, const char *module, int n) {
    char name[256];
    name_in_file(b, module, name, sizeof name);
    float *place = reserve(b, (size_t)n);
    copy_vector(b, name, "weight", n, place);
    return place;
}

/* `module` is a name in the file. */
static void bind_matrix(binder *b, const char *module, int64_t n_out, int64_t n_in, sv_matrix *out) {
    if (b->status != SV_OK) return;
    b->n_parameters += n_out * n_in;
    if (sv_is_quantised(b->file, module)) {
        b->status = sv_quantised_bind(b->file, b->quantisation, module, (size_t)n_out, (size_t)n_in, out, b->err);
        if (b->status == SV_OK) {
            size_t n_groups = (out->n_in + out->group - 1) / out->group;
            char name[320];
            snprintf(name, sizeof name, "%.280s.scales", module);
            check_finite(b, name, out->scale_dtype, out->scales, n_groups * out->n_out);
        }
    } else {
        const sv_tensor *t = require(b, module, "weight", 2, (int64_t[]){n_out, n_in});
        if (!t) return;
        *out = (sv_matrix){.dtype = t->dtype, .n_out = (size_t)n_out, .n_in = (size_t)n_in, .data = t->data};
        check_finite(b, t->name, t->dtype, t->data, (size_t)(n_out * n_in));
    }
    if (b->status == SV_OK) b->matrix_bytes += sv_matrix_bytes(out);
}

/* Puts the adapter's pair for `module` (older naming) beside its weight. */
static void bind_pair(binder *b, const char *module, sv_linear_part *out) {
    const sv_low_rank *pair = b->adapter && b->status == SV_OK ? sv_adapter_find(b->adapter, module) : NULL;
    if (!pair) return;
    if (pair->n_in != out->weight.n_in || pair->n_out != out->weight.n_out) {
        b->status = sv_fail(b->err, SV_ERR_INPUT,
                            "the adapter changes '%s' with %zu inputs and %zu outputs, the model has %zu and %zu: is "
                            "this its base?",
                            module, pair->n_in, pair->n_out, out->weight.n_in, out->weight.n_out);
        return;
    }
    b->n_adapted++;
    out->a = (sv_matrix){.dtype = pair->a->dtype, .n_out = pair->rank, .n_in = pair->n_in, .data = pair->a->data};
    out->b = (sv_matrix){.dtype = pair->b->dtype, .n_out = pair->n_out, .n_in = pair->rank, .data = pair->b->data};
    out->scale = pair->scale;
    b->matrix_bytes += sv_matrix_bytes(&out->a) + sv_matrix_bytes(&out->b);
}

static void note_rank(binder *b, const sv_linear *l) { b->max_rank = SV_MAX(b->max_rank, sv_linear_rank(l)); }

static sv_linear bind_linear(binder *b, const char *prefix, const part *parts, size_t n_parts, int64_t n_in) {
    sv_linear l = {.n_in = (size_t)n_in, .n_parts = n_parts};
    for (size_t i = 0; i < n_parts; i++) l.n_out += (size_t)parts[i].n_rows;
    float *bias = NULL;
    bool biased = false;
    for (size_t i = 0; i < n_parts; i++) biased |= parts[i].biased;
    if (biased) bias = reserve(b, l.n_out);
    l.bias = bias;
    for (size_t i = 0, first = 0; i < n_parts; first += (size_t)parts[i++].n_rows) {
        char module[192], name[256];
        snprintf(module, sizeof module, "%s%s", prefix, parts[i].name);
        name_in_file(b, module, name, sizeof name);
        bind_matrix(b, name, parts[i].n_rows, n_in, &l.parts[i].weight);
        if (parts[i].biased) copy_vector(b, name, "bias", parts[i].n_rows, bias ? bias + first : NULL);
        bind_pair(b, module, &l.parts[i]);
    }
    note_rank(b, &l);
    return l;
}

/* Sums the frames of n_rows convolution kernels [channel, frame, pixel]: both frames of a still picture are equal. */
static void sum_frames(const sv_tensor *t, size_t n_rows, const sv_vision_config *v, float *out) {
    size_t n_pixels = (size_t)v->patch * (size_t)v->patch, n_frames = (size_t)v->temporal_patch;
    float pixel;
    for (size_t i = 0; i < n_rows * (size_t)v->channels; i++) {
        float *sum = out + i * n_pixels;
        memset(sum, 0, n_pixels * sizeof *sum);
        for (size_t k = 0; k < n_frames * n_pixels; k++) {
            sv_tensor_read_f32(t, i * n_frames * n_pixels + k, 1, &pixel);
            sum[k % n_pixels] += pixel;
        }
    }
}

static sv_linear bind_patch_embed(binder *b, const sv_vision_config *v) {
    static const char module[] = "visual.patch_embed.proj";
    size_t n_in = (size_t)v->channels * (size_t)v->patch * (size_t)v->patch, n_out = (size_t)v->hidden;
    sv_linear l = {.n_in = n_in, .n_out = n_out, .n_parts = 1};
    sv_linear_part *only = &l.parts[0];
    char name[256];
    name_in_file(b, module, name, sizeof name);
    const int64_t shape[] = {v->hidden, v->channels, v->temporal_patch, v->patch, v->patch};
    float *kernels = reserve(b, n_out * n_in);
    const sv_tensor *t = require(b, name, "weight", 5, shape);
    only->weight = (sv_matrix){.dtype = SV_F32, .n_out = n_out, .n_in = n_in, .data = kernels};
    if (t) {
        size_t n = n_in * (size_t)v->temporal_patch * n_out;
        b->n_parameters += (int64_t)n;
        check_finite(b, t->name, t->dtype, t->data, n);
        if (kernels) sum_frames(t, n_out, v, kernels);
    }
    const sv_low_rank *pair = b->adapter ? sv_adapter_find(b->adapter, module) : NULL;
    only->weight.n_in *= (size_t)v->temporal_patch; /* what the adapter's kernels read */
    bind_pair(b, module, only);
    only->weight.n_in = n_in;
    if (pair && b->status == SV_OK) {
        float *summed = reserve(b, pair->rank * n_in);
        only->a = (sv_matrix){.dtype = SV_F32, .n_out = pair->rank, .n_in = n_in, .data = summed};
        if (summed) sum_frames(pair->a, pair->rank, v, summed);
    }
    note_rank(b, &l);
    return l;
}

static void bind_vision(binder *b, const sv_vision_config *v, sv_weights *w) {
    w->patch_embed = bind_patch_embed(b, v);
    for (int i = 0; i < v->depth && b->status == SV_OK; i++) {
        sv_vision_block *block = &w->vision_blocks[i];
        char prefix[64], name[96];
        snprintf(prefix, sizeof prefix, "visual.blocks.%d.", i);
        snprintf(name, sizeof name, "%snorm1", prefix);
        block->norm1 = bind_vector(b, name, v->hidden);
        snprintf(name, sizeof name, "%snorm2", prefix);
        block->norm2 = bind_vector(b, name, v->hidden);
        block->qkv = bind_linear(b, prefix, &(part){"attn.qkv", 3 * v->hidden, true}, 1, v->hidden);
        block->projection = bind_linear(b, prefix, &(part){"attn.proj", v->hidden, true}, 1, v->hidden);
        const part gate_up[] = {{"mlp.gate_proj", v->ffn, true}, {"mlp.up_proj", v->ffn, true}};
        block->gate_up = bind_linear(b, prefix, gate_up, 2, v->hidden);
        block->down = bind_linear(b, prefix, &(part){"mlp.down_proj", v->hidden, true}, 1, v->ffn);
    }
    int64_t cell = (int64_t)v->hidden * v->merge * v->merge;
    w->merger_norm = bind_vector(b, "visual.merger.ln_q", v->hidden);
    w->merger_in = bind_linear(b, "visual.merger.", &(part){"mlp.0", cell, true}, 1, cell);
    w->merger_out = bind_linear(b, "visual.merger.", &(part){"mlp.2", v->out_hidden, true}, 1, cell);
}

static void bind_text(binder *b, const sv_text_config *t, sv_weights *w) {
    const sv_linear table = bind_linear(b, "model.", &(part){"embed_tokens", t->vocab, false}, 1, t->hidden);
    w->embedding = table.parts[0].weight;
    if (table.parts[0].a.n_out && b->status == SV_OK) {
        b->status = sv_fail(b->err, SV_ERR_UNSUPPORTED, "the adapter changes the embedding, which is not supported");
    }
    w->head = t->tied_embeddings ? table : bind_linear(b, "", &(part){"lm_head", t->vocab, false}, 1, t->hidden);
    w->final_norm = bind_vector(b, "model.norm", t->hidden);
    int64_t n_query = (int64_t)t->n_heads * t->head_dim, n_key = (int64_t)t->n_kv_heads * t->head_dim;
    for (int i = 0; i < t->n_layers && b->status == SV_OK; i++) {
        sv_decoder_layer *layer = &w->layers[i];
        char prefix[64], name[96];
        snprintf(prefix, sizeof prefix, "model.layers.%d.", i);
        snprintf(name, sizeof name, "%sinput_layernorm", prefix);
        layer->norm1 = bind_vector(b, name, t->hidden);
        snprintf(name, sizeof name, "%spost_attention_layernorm", prefix);
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

/* A pair that nothing asked for belongs to another network, or to a part of this one that is not adapted. */
static void check_all_adapted(binder *b) {
    if (b->status != SV_OK || !b->adapter || b->n_adapted == sv_adapter_count(b->adapter)) return;
    const char *stranger = "one of them";
    for (size_t i = sv_adapter_count(b->adapter); i-- > 0;) {
        char name[256], weight[288];
        const char *module = sv_adapter_at(b->adapter, i)->module;
        name_in_file(b, module, name, sizeof name);
        snprintf(weight, sizeof weight, "%s.weight", name);
        if (!sv_tensor_find(b->file, weight) && !sv_is_quantised(b->file, name)) stranger = module;
    }
    b->status = sv_fail(b->err, SV_ERR_INPUT,
                        "the adapter changes %zu modules, of which this model uses %zu ('%.100s' is missing): is this "
                        "its base?",
                        sv_adapter_count(b->adapter), b->n_adapted, stranger);
}

static void bind_all(binder *b, const sv_model_config *config, sv_weights *out) {
    bind_vision(b, &config->vision, out);
    bind_text(b, &config->text, out);
    check_all_adapted(b);
}

sv_status sv_weights_load(const sv_tensor_file *file, const sv_quantisation *quantisation, const sv_adapter *adapter,
                          const sv_model_config *config, sv_weights *out, sv_error *err) {
    *out = (sv_weights){0};
    size_t n_layers = (size_t)config->text.n_layers, depth = (size_t)config->vision.depth;
    if (SV_MAX(n_layers, depth) > sv_tensor_count(file)) { /* before a table of that size is made */
        return sv_fail(
            err, SV_ERR_INPUT,
            "tensor '%s.%zu' is missing: config.json asks for %zu layers of text and %zu of vision, the files "
            "hold %zu tensors in all",
            depth > n_layers ? "visual.blocks" : "model.layers", SV_MAX(n_layers, depth) - 1, n_layers, depth,
            sv_tensor_count(file));
    }
    out->vision_blocks = sv_calloc((size_t)config->vision.depth, sizeof *out->vision_blocks);
    out->layers = sv_calloc((size_t)config->text.n_layers, sizeof *out->layers);
    if (!out->vision_blocks || !out->layers) {
        sv_weights_free(out);
        return sv_fail(err, SV_ERR_MEMORY, "out of memory: table of layers");
    }
    const binder start = {.file = file, .quantisation = quantisation, .adapter = adapter, .err = err};
    binder b = start;
    bind_all(&b, config, out);
    if (b.status == SV_OK) {
        size_t n = b.used;
        b = start;
        b.storage = out->storage = sv_alloc_aligned(n, sizeof *b.storage);
        if (b.storage) {
            bind_all(&b, config, out);
        } else {
            b.status = sv_fail_memory(err, "norms and biases", n * sizeof *b.storage);
        }
        out->storage_bytes = n * sizeof *b.storage;
    }
    out->n_parameters = b.n_parameters;
    out->max_rank = b.max_rank;
    out->matrix_bytes = b.matrix_bytes;
    if (b.status != SV_OK) sv_weights_free(out);
    return b.status;
}

void sv_weights_free(sv_weights *weights) {
    free(weights->vision_blocks);
    free(weights->layers);
    free(weights->storage);
    *weights = (sv_weights){0};
}
