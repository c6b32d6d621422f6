/* model_tensors.c - the names and shapes as tables. */
#include "model/model_tensors.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"

typedef struct walk {
    sv_tensor_visit *visit;
    void *context;
    bool stopped;
} walk;

static void step(walk *w, sv_tensor_role role, int n_dims, const int64_t *shape, double n_in, const char *prefix,
                 const char *module, const char *leaf) {
    if (w->stopped) return;
    sv_model_tensor t = {.role = role, .n_dims = n_dims, .n_in = n_in};
    snprintf(t.name, sizeof t.name, "%s%s.%s", prefix, module, leaf);
    memcpy(t.shape, shape, (size_t)n_dims * sizeof *shape);
    w->stopped = !w->visit(w->context, &t);
}

static void norm(walk *w, const char *prefix, const char *name, int64_t n) {
    step(w, SV_TENSOR_NORM, 1, &n, (double)n, prefix, name, "weight");
}

static void linear(walk *w, const char *prefix, const char *name, int64_t n_out, int64_t n_in, bool biased, int group) {
    double inputs = (double)n_in;
    if (group > 0) {
        int64_t n_groups = (n_in + group - 1) / group;
        step(w, SV_TENSOR_WORDS, 2, (int64_t[]){n_in / 8, n_out}, inputs, prefix, name, "qweight");
        step(w, SV_TENSOR_ZEROS, 2, (int64_t[]){n_groups, n_out / 8}, inputs, prefix, name, "qzeros");
        step(w, SV_TENSOR_SCALES, 2, (int64_t[]){n_groups, n_out}, inputs, prefix, name, "scales");
    } else {
        step(w, SV_TENSOR_MATRIX, 2, (int64_t[]){n_out, n_in}, inputs, prefix, name, "weight");
    }
    if (biased) step(w, SV_TENSOR_BIAS, 1, &n_out, inputs, prefix, name, "bias");
}

static void walk_vision(walk *w, const sv_vision_config *v) {
    const int64_t kernel[] = {v->hidden, v->channels, v->temporal_patch, v->patch, v->patch};
    double n_in = (double)v->channels * v->temporal_patch * v->patch * v->patch;
    step(w, SV_TENSOR_MATRIX, 5, kernel, n_in, "visual.", "patch_embed.proj", "weight");
    for (int i = 0; i < v->depth && !w->stopped; i++) {
        char prefix[48];
        snprintf(prefix, sizeof prefix, "visual.blocks.%d.", i);
        norm(w, prefix, "norm1", v->hidden);
        linear(w, prefix, "attn.qkv", 3 * (int64_t)v->hidden, v->hidden, true, 0);
        linear(w, prefix, "attn.proj", v->hidden, v->hidden, true, 0);
        norm(w, prefix, "norm2", v->hidden);
        linear(w, prefix, "mlp.gate_proj", v->ffn, v->hidden, true, 0);
        linear(w, prefix, "mlp.up_proj", v->ffn, v->hidden, true, 0);
        linear(w, prefix, "mlp.down_proj", v->hidden, v->ffn, true, 0);
    }
    int64_t cell = (int64_t)v->hidden * v->merge * v->merge;
    norm(w, "visual.merger.", "ln_q", v->hidden);
    linear(w, "visual.merger.", "mlp.0", cell, cell, true, 0);
    linear(w, "visual.merger.", "mlp.2", v->out_hidden, cell, true, 0);
}

static void walk_text(walk *w, const sv_text_config *t, int group) {
    int64_t d = t->hidden, query = (int64_t)t->n_heads * t->head_dim, key = (int64_t)t->n_kv_heads * t->head_dim;
    const struct {
        const char *name;
        int64_t n_out, n_in;
        bool biased;
    } linears[] = {{"self_attn.q_proj", query, d, true}, {"self_attn.k_proj", key, d, true},
                   {"self_attn.v_proj", key, d, true},   {"self_attn.o_proj", d, query, false},
                   {"mlp.gate_proj", t->ffn, d, false},  {"mlp.up_proj", t->ffn, d, false},
                   {"mlp.down_proj", d, t->ffn, false}};
    linear(w, "model.", "embed_tokens", t->vocab, d, false, 0);
    for (int i = 0; i < t->n_layers && !w->stopped; i++) {
        char prefix[48];
        snprintf(prefix, sizeof prefix, "model.layers.%d.", i);
        norm(w, prefix, "input_layernorm", d);
        for (size_t k = 0; k < SV_COUNT(linears); k++) {
            linear(w, prefix, linears[k].name, linears[k].n_out, linears[k].n_in, linears[k].biased, group);
        }
        norm(w, prefix, "post_attention_layernorm", d);
    }
    norm(w, "model.", "norm", d);
    if (!t->tied_embeddings) linear(w, "", "lm_head", t->vocab, d, false, 0);
}

void sv_model_tensors_walk(const sv_model_config *config, int group, sv_tensor_visit *visit, void *context) {
    walk w = {visit, context, false};
    walk_vision(&w, &config->vision);
    walk_text(&w, &config->text, group);
}

void sv_newer_name(const char *older, char *out, size_t size) {
    if (strncmp(older, "model.", 6) == 0) {
        snprintf(out, size, "model.language_model.%s", older + 6);
    } else {
        snprintf(out, size, "model.%s", older);
    }
}

const sv_tensor *sv_model_tensor_find(const sv_tensor_file *file, const char *name) {
    const sv_tensor *tensor = sv_tensor_find(file, name);
    char newer[160];
    if (tensor) return tensor;
    sv_newer_name(name, newer, sizeof newer);
    return sv_tensor_find(file, newer);
}

typedef struct check {
    const sv_tensor_file *file;
    sv_status status;
    sv_error *err;
} check;

static void put_shape(const int64_t *shape, int n_dims, char out[128]) {
    size_t used = (size_t)snprintf(out, 128, "[");
    for (int i = 0; i < n_dims && used < 128; i++) {
        used += (size_t)snprintf(out + used, 128 - used, "%s%lld", i ? ", " : "", (long long)shape[i]);
    }
    if (used < 128) snprintf(out + used, 128 - used, "]");
}

/* The packed words of a matrix that is not there as "weight". */
static const sv_tensor *find_packed(const sv_tensor_file *file, const sv_model_tensor *t, int64_t shape[2]) {
    static const char ending[] = "weight";
    char name[128];
    if (t->role != SV_TENSOR_MATRIX || t->n_dims != 2) return NULL;
    snprintf(name, sizeof name, "%.*sqweight", (int)(strlen(t->name) - strlen(ending)), t->name);
    shape[0] = t->shape[1] / 8;
    shape[1] = t->shape[0];
    return sv_model_tensor_find(file, name);
}

static bool check_one(void *context, const sv_model_tensor *t) {
    check *c = context;
    int64_t packed[2] = {0};
    const int64_t *expected = t->shape;
    const sv_tensor *found = sv_model_tensor_find(c->file, t->name);
    if (!found && (found = find_packed(c->file, t, packed))) expected = packed;
    if (!found) {
        c->status =
            sv_fail(c->err, SV_ERR_INPUT, "tensor '%s' is missing; is config.json that of these weights?", t->name);
        return false;
    }
    if (found->n_dims == t->n_dims && memcmp(found->shape, expected, (size_t)t->n_dims * sizeof *expected) == 0)
        return true;
    char wanted[128], there[128];
    put_shape(expected, t->n_dims, wanted);
    put_shape(found->shape, found->n_dims, there);
    c->status =
        sv_fail(c->err, SV_ERR_INPUT, "tensor '%s' has shape %s, config.json asks for %s", found->name, there, wanted);
    return false;
}

sv_status sv_model_tensors_check(const sv_tensor_file *file, const sv_model_config *config, sv_error *err) {
    check c = {file, SV_OK, err};
    sv_model_tensors_walk(config, 0, check_one, &c);
    return c.status;
}
