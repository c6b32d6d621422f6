/* trainee.c - walks the network's modules and gives those that are trained values and gradients of their own. */
#include "train/trainee.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/random.h"
#include "model/model_tensors.h"
#include "train/modules.h"
#include "train/name_pattern.h"

/* Kernels [n_rows, channels, frames, pixels] that the engine reads with their frames summed. */
typedef struct folded {
    size_t parameter; /* index */
    float *summed, *dsummed;
    size_t n_channels, n_frames, n_pixels; /* n_channels: of all rows */
} folded;

typedef struct sv_trainee_memory {
    void **blocks; /* [n] */
    size_t n, capacity, parameters_capacity;
    folded folded[2];
    size_t n_folded;
} sv_trainee_memory;

typedef struct builder {
    sv_trainee *t;
    const sv_model *base;
    const sv_trainee_options *options;
    sv_adapter *adapter;
    sv_name_pattern *freeze, *targets;
    bool *is_hit; /* [options->n_targets]: a module has that name */
    size_t n_matched;
} builder;

/* ---- memory */

static void *keep(sv_trainee *t, size_t n, size_t size, sv_error *err) {
    sv_trainee_memory *m = t->memory;
    void *block = sv_grow(&m->blocks, m->n, &m->capacity, sizeof *m->blocks) ? sv_calloc(n, size) : NULL;
    if (block)
        m->blocks[m->n++] = block;
    else
        sv_fail_memory(err, "parameters", n * size);
    return block;
}

static float *floats(builder *b, size_t n, sv_error *err) { return keep(b->t, n, sizeof(float), err); }

/* ---- names */

/* The module's name as the files have it. */
static void name_in_file(const builder *b, const char *module, char *out, size_t size) {
    static const char *const leaves[] = {"weight", "qweight"};
    char name[160];
    snprintf(out, size, "%s", module);
    for (size_t i = 0; i < SV_COUNT(leaves); i++) {
        snprintf(name, sizeof name, "%.120s.%s", module, leaves[i]);
        const sv_tensor *tensor = sv_model_tensor_find(b->base->file, name);
        if (!tensor) continue;
        snprintf(out, size, "%.*s", (int)(strlen(tensor->name) - strlen(leaves[i]) - 1), tensor->name);
        return;
    }
}

static bool decays(const char *name) {
    return !strstr(name, "bias") && !strstr(name, "layernorm.weight") && !strstr(name, "norm.weight");
}

static sv_status add_named(sv_trainee *t, const char *name, int n_dims, const int64_t *shape, float *value,
                           float *gradient, bool vision, sv_error *err) {
    sv_parameter p = {.n_dims = n_dims,
                      .n = 1,
                      .value = value,
                      .gradient = gradient,
                      .vision = vision,
                      .rate = 1,
                      .decays = decays(name)};
    for (int i = 0; i < n_dims; i++) {
        p.shape[i] = shape[i];
        p.n *= (size_t)shape[i];
    }
    p.name = keep(t, strlen(name) + 1, 1, err);
    if (!p.name) return SV_ERR_MEMORY;
    memcpy(p.name, name, strlen(name) + 1);
    if (!sv_grow(&t->parameters, t->n_parameters, &t->memory->parameters_capacity, sizeof p))
        return sv_fail_memory(err, "parameters", t->n_parameters * sizeof p);
    t->parameters[t->n_parameters++] = p;
    t->n_values += p.n;
    return SV_OK;
}

/* Whoever adds to a tower lets it train. */
static sv_status add_parameter(builder *b, const char *module, const char *leaf, int n_dims, const int64_t *shape,
                               float *value, float *gradient, bool vision, sv_error *err) {
    char name[224];
    snprintf(name, sizeof name, "%s.%s", module, leaf);
    b->t->vision_trains = b->t->vision_trains || vision;
    b->t->text_trains = b->t->text_trains || !vision;
    return add_named(b->t, name, n_dims, shape, value, gradient, vision, err);
}

/* ---- full training */

static bool is_frozen(const builder *b, const char *module, const char *leaf) {
    char name[224];
    snprintf(name, sizeof name, "%s.%s", module, leaf);
    return sv_name_pattern_matches(b->freeze, name);
}

/* Kernels of the patch embedding: the parameter has all frames, the engine reads their sum. */
static sv_status fold(builder *b, size_t n_rows, sv_matrix *engine, float **dengine, sv_error *err) {
    const sv_vision_config *v = &b->base->config.vision;
    size_t n_pixels = (size_t)v->patch * (size_t)v->patch, n_channels = n_rows * (size_t)v->channels;
    folded f = {.parameter = b->t->n_parameters - 1,
                .summed = floats(b, n_channels * n_pixels, err),
                .dsummed = floats(b, n_channels * n_pixels, err),
                .n_channels = n_channels,
                .n_frames = (size_t)v->temporal_patch,
                .n_pixels = n_pixels};
    if (!f.summed || !f.dsummed) return SV_ERR_MEMORY;
    b->t->memory->folded[b->t->memory->n_folded++] = f;
    *engine = (sv_matrix){.dtype = SV_F32, .n_out = n_rows, .n_in = n_channels / n_rows * n_pixels, .data = f.summed};
    *dengine = f.dsummed;
    return SV_OK;
}

static sv_status train_patch_embed(builder *b, const sv_module *m, const char *name, sv_error *err) {
    const sv_tensor *kernels = sv_model_tensor_find(b->base->file, "visual.patch_embed.proj.weight");
    size_t n = 1;
    for (int i = 0; i < kernels->n_dims; i++) n *= (size_t)kernels->shape[i];
    float *value = floats(b, n, err), *gradient = floats(b, n, err);
    if (!value || !gradient) return SV_ERR_MEMORY;
    sv_tensor_read_f32(kernels, 0, n, value);
    sv_status s = add_parameter(b, name, "weight", kernels->n_dims, kernels->shape, value, gradient, true, err);
    sv_linear_part *part = &m->linear->parts[0];
    return s ? s : fold(b, part->weight.n_out, &part->weight, &m->gradient->weight[0], err);
}

static sv_status train_weight(builder *b, const sv_module *m, const char *name, sv_error *err) {
    sv_matrix *w = &m->linear->parts[m->part].weight;
    float *value = floats(b, w->n_out * w->n_in, err), *gradient = floats(b, w->n_out * w->n_in, err);
    if (!value || !gradient) return SV_ERR_MEMORY;
    for (size_t row = 0; row < w->n_out; row++) sv_matrix_read_row(w, row, value + row * w->n_in);
    *w = (sv_matrix){.dtype = SV_F32, .n_out = w->n_out, .n_in = w->n_in, .data = value};
    m->gradient->weight[m->part] = gradient;
    return add_parameter(b, name, "weight", 2, (int64_t[]){(int64_t)w->n_out, (int64_t)w->n_in}, value, gradient,
                         m->vision, err);
}

/* The biases of a layer's parts lie side by side: the first part makes room for all. */
static sv_status train_bias(builder *b, const sv_module *m, const char *name, sv_error *err) {
    sv_linear *l = m->linear;
    size_t n = l->parts[m->part].weight.n_out;
    if (m->part == 0) {
        float *values = floats(b, l->n_out, err);
        m->gradient->bias = floats(b, l->n_out, err);
        if (!values || !m->gradient->bias) return SV_ERR_MEMORY;
        memcpy(values, l->bias, l->n_out * sizeof *values);
        l->bias = values;
    }
    if (is_frozen(b, name, "bias")) return SV_OK;
    return add_parameter(b, name, "bias", 1, (int64_t[]){(int64_t)n}, (float *)(uintptr_t)l->bias + m->first_row,
                         m->gradient->bias + m->first_row, m->vision, err);
}

static sv_status train_module(builder *b, const sv_module *m, sv_error *err) {
    char name[160];
    sv_status s = SV_OK;
    name_in_file(b, m->name, name, sizeof name);
    if (!is_frozen(b, name, "weight")) {
        s = m->patch_embed ? train_patch_embed(b, m, name, err) : train_weight(b, m, name, err);
    }
    return !s && m->linear->bias ? train_bias(b, m, name, err) : s;
}

static sv_status train_norm(void *context, const sv_norm_module *m, sv_error *err) {
    builder *b = context;
    char name[160];
    name_in_file(b, m->name, name, sizeof name);
    if (!b->options->full || is_frozen(b, name, "weight")) return SV_OK;
    float *value = floats(b, m->n, err);
    *m->gradient = floats(b, m->n, err);
    if (!value || !*m->gradient) return SV_ERR_MEMORY;
    memcpy(value, *m->weight, m->n * sizeof *value);
    *m->weight = value;
    return add_parameter(b, name, "weight", 1, (int64_t[]){(int64_t)m->n}, value, *m->gradient, m->vision, err);
}

/* ---- LoRA */

static bool is_target(const builder *b, const char *path) {
    const char *dot = strrchr(path, '.'), *leaf = dot ? dot + 1 : path;
    if (b->targets) return sv_name_pattern_matches(b->targets, path);
    for (size_t i = 0; i < b->options->n_targets; i++) {
        if (strcmp(leaf, b->options->targets[i]) == 0) return b->is_hit[i] = true;
    }
    return false;
}

/* A: uniform within 1 / sqrt(inputs), as Kaiming's with slope sqrt(5); B: zero, so that training starts at the base. */
static void new_pair(const builder *b, float *a, size_t n, size_t n_in) {
    double bound = 1 / sqrt((double)n_in);
    uint64_t seed = b->options->seed + b->t->n_parameters;
    for (size_t i = 0; i < n; i++) a[i] = (float)(bound * (2 * sv_random_unit(seed, i) - 1));
}

static sv_status adapt(builder *b, const sv_module *m, const char *name, const sv_low_rank *start, sv_error *err) {
    const sv_vision_config *v = &b->base->config.vision;
    sv_linear_part *p = &m->linear->parts[m->part];
    size_t rank = start ? start->rank : (size_t)b->options->rank, n_out = p->weight.n_out;
    size_t frames = m->patch_embed ? (size_t)v->temporal_patch : 1, n_in = p->weight.n_in * frames;
    float *a = floats(b, rank * n_in, err), *bb = floats(b, n_out * rank, err);
    float *da = floats(b, rank * n_in, err), *db = floats(b, n_out * rank, err);
    if (!a || !bb || !da || !db) return SV_ERR_MEMORY;
    if (start && (start->n_in != n_in || start->n_out != n_out)) {
        return sv_fail(err, SV_ERR_INPUT,
                       "the adapter changes '%s' with %zu inputs and %zu outputs, the model has %zu "
                       "and %zu: is this its base?",
                       name, start->n_in, start->n_out, n_in, n_out);
    }
    if (start) {
        sv_tensor_read_f32(start->a, 0, rank * n_in, a);
        sv_tensor_read_f32(start->b, 0, n_out * rank, bb);
    } else {
        new_pair(b, a, rank * n_in, n_in);
    }
    int64_t kernel[] = {(int64_t)rank, v->channels, v->temporal_patch, v->patch, v->patch};
    int64_t flat[] = {(int64_t)rank, (int64_t)n_in}, out[] = {(int64_t)n_out, (int64_t)rank, 1, 1, 1};
    p->a = (sv_matrix){.dtype = SV_F32, .n_out = rank, .n_in = n_in, .data = a};
    p->b = (sv_matrix){.dtype = SV_F32, .n_out = n_out, .n_in = rank, .data = bb};
    p->scale = start ? start->scale : (float)(b->options->alpha / b->options->rank);
    m->gradient->a[m->part] = da;
    m->gradient->b[m->part] = db;
    sv_status s = m->patch_embed ? add_parameter(b, name, "lora_A.weight", 5, kernel, a, da, m->vision, err)
                                 : add_parameter(b, name, "lora_A.weight", 2, flat, a, da, m->vision, err);
    if (!s && m->patch_embed) s = fold(b, rank, &p->a, &m->gradient->a[m->part], err);
    b->n_matched++;
    b->t->rank = (int)rank;
    b->t->network.weights.max_rank = SV_MAX(b->t->network.weights.max_rank, sv_linear_rank(m->linear));
    return s ? s : add_parameter(b, name, "lora_B.weight", m->patch_embed ? 5 : 2, out, bb, db, m->vision, err);
}

static sv_status visit_linear(void *context, const sv_module *m, sv_error *err) {
    builder *b = context;
    char name[160];
    if (b->options->full) return train_module(b, m, err);
    name_in_file(b, m->name, name, sizeof name);
    const sv_low_rank *start = b->adapter ? sv_adapter_find(b->adapter, m->name) : NULL;
    if (b->adapter ? !start : !is_target(b, name)) return SV_OK;
    if (m->embedding) return sv_fail(err, SV_ERR_UNSUPPORTED, "'%s' cannot be adapted: name other targets", name);
    return adapt(b, m, name, start, err);
}

/* ---- all of it */

static sv_status copy_network(sv_trainee *t, const sv_model *base, sv_error *err) {
    size_t depth = (size_t)base->config.vision.depth, n_layers = (size_t)base->config.text.n_layers;
    t->network = *base;
    t->network.weights.max_rank = 0;
    sv_weights *w = &t->network.weights;
    w->vision_blocks = keep(t, depth, sizeof *w->vision_blocks, err);
    w->layers = keep(t, n_layers, sizeof *w->layers, err);
    t->gradients.vision_blocks = keep(t, depth, sizeof *t->gradients.vision_blocks, err);
    t->gradients.layers = keep(t, n_layers, sizeof *t->gradients.layers, err);
    if (!w->vision_blocks || !w->layers || !t->gradients.vision_blocks || !t->gradients.layers) return SV_ERR_MEMORY;
    memcpy(w->vision_blocks, base->weights.vision_blocks, depth * sizeof *w->vision_blocks);
    memcpy(w->layers, base->weights.layers, n_layers * sizeof *w->layers);
    return SV_OK;
}

static sv_status check_options(const builder *b, sv_error *err) {
    const sv_trainee_options *o = b->options;
    if (b->base->adapter) return sv_fail(err, SV_ERR_USAGE, "the base must be loaded without an adapter");
    if (o->full && b->base->quantisation.method[0]) {
        return sv_fail(err, SV_ERR_UNSUPPORTED,
                       "%s is packed in four bits, which cannot be trained in full; train a LoRA adapter, or the model "
                       "before it was quantised",
                       b->base->folder);
    }
    if (!o->full && !o->adapter_folder && o->rank < 1)
        return sv_fail(err, SV_ERR_USAGE, "the rank of an adapter must be at least 1, found %d", o->rank);
    if (o->dropout < 0 || !(o->dropout < 1))
        return sv_fail(err, SV_ERR_USAGE, "dropout must be at least 0 and below 1, found %g", o->dropout);
    return SV_OK;
}

/* Of an adapter that is trained on, as they were: ranks and scales may differ by module. */
static sv_status take_settings(builder *b, sv_error *err) {
    static const char *const keys[] = {"target_modules", "r", "lora_alpha", "use_rslora", "rank_pattern",
                                       "alpha_pattern"};
    char *path = sv_path_join(b->options->adapter_folder, "adapter_config.json");
    json_t *config = NULL;
    sv_status s = path ? sv_json_load(path, &config, err) : sv_fail_memory(err, "path", 0);
    b->t->settings = json_object();
    for (size_t i = 0; i < SV_COUNT(keys) && !s; i++) {
        json_t *value = json_object_get(config, keys[i]);
        if (value && json_object_set(b->t->settings, keys[i], value)) s = sv_fail_memory(err, path, 0);
    }
    json_decref(config);
    free(path);
    return s;
}

/* Targets as they were given, so that PEFT finds the same modules. */
static sv_status note_settings(builder *b, sv_error *err) {
    const sv_trainee_options *o = b->options;
    if (o->full) return SV_OK;
    if (o->adapter_folder) return take_settings(b, err);
    json_t *targets = o->target_pattern ? json_string(o->target_pattern) : json_array();
    for (size_t i = 0; i < o->n_targets && !o->target_pattern; i++)
        json_array_append_new(targets, json_string(o->targets[i]));
    json_t *alpha = o->alpha == rint(o->alpha) ? json_integer((json_int_t)o->alpha) : json_real(o->alpha);
    b->t->settings = json_pack("{s:o,s:i,s:o}", "target_modules", targets, "r", o->rank, "lora_alpha", alpha);
    return b->t->settings ? SV_OK : sv_fail_memory(err, "targets", 0);
}

/* A name that no module has is a slip: what was meant would not be trained. */
static sv_status check_targets(const builder *b, sv_error *err) {
    const sv_trainee_options *o = b->options;
    for (size_t i = 0; i < o->n_targets && !o->full && !o->adapter_folder && !o->target_pattern; i++) {
        if (b->is_hit[i]) continue;
        return sv_fail(err, SV_ERR_USAGE,
                       "no linear layer that an adapter can change ends in the name '%s': there are q_proj, k_proj, "
                       "v_proj, o_proj, gate_proj, up_proj, down_proj, and qkv, proj, 0, 2 of the vision tower",
                       o->targets[i]);
    }
    return SV_OK;
}

static sv_status build(builder *b, sv_error *err) {
    sv_trainee *t = b->t;
    const sv_trainee_options *o = b->options;
    sv_status s = check_options(b, err);
    if (!s && o->freeze) s = sv_name_pattern_new(o->freeze, "parameters to freeze", &b->freeze, err);
    if (!s && o->target_pattern) s = sv_name_pattern_new(o->target_pattern, "LoRA targets", &b->targets, err);
    if (!s && o->adapter_folder) s = sv_adapter_open(o->adapter_folder, &b->adapter, err);
    if (!s) s = copy_network(t, b->base, err);
    if (!s && !(b->is_hit = keep(t, o->n_targets + 1, sizeof *b->is_hit, err))) s = SV_ERR_MEMORY;
    if (s) return s;
    sv_weights *w = &t->network.weights;
    sv_linear embedding = {.n_in = w->embedding.n_in, .n_out = w->embedding.n_out, .n_parts = 1};
    embedding.parts[0].weight = w->embedding;
    const sv_module_visitor visitor = {visit_linear, train_norm, b};
    s = sv_modules_visit(&t->network.config, w, &embedding, &t->gradients, &visitor, err);
    w->embedding = embedding.parts[0].weight;
    if (t->network.config.text.tied_embeddings) {
        w->head.parts[0].weight = w->embedding;
        t->gradients.head = t->gradients.embedding;
    }
    if (!s && b->adapter && b->n_matched != sv_adapter_count(b->adapter)) {
        s = sv_fail(err, SV_ERR_INPUT, "%s changes %zu modules, of which this model has %zu: is this its base?",
                    o->adapter_folder, sv_adapter_count(b->adapter), b->n_matched);
    }
    if (!s) s = check_targets(b, err);
    if (!s && t->n_parameters == 0)
        s = sv_fail(err, SV_ERR_INPUT, "nothing is trained: the %s all of the model's parameters",
                    o->full ? "pattern freezes" : "targets of the adapter leave out");
    if (!s) s = note_settings(b, err);
    t->n_own = t->n_parameters;
    if (!s) sv_trainee_values_changed(t);
    return s;
}

sv_status sv_trainee_new(const sv_model *base, const sv_trainee_options *options, sv_trainee **out, sv_error *err) {
    sv_trainee *t = *out = sv_calloc(1, sizeof *t);
    if (t) t->memory = sv_calloc(1, sizeof *t->memory);
    if (!t || !t->memory) {
        free(t);
        *out = NULL;
        return sv_fail_memory(err, "model to train", sizeof *t);
    }
    t->dropout = options->full ? 0 : options->dropout;
    t->seed = options->seed;
    builder b = {.t = t, .base = base, .options = options};
    sv_status s = build(&b, err);
    sv_name_pattern_free(b.freeze);
    sv_name_pattern_free(b.targets);
    sv_adapter_close(b.adapter);
    if (s) {
        sv_trainee_free(t);
        *out = NULL;
    }
    return s;
}

void sv_trainee_free(sv_trainee *t) {
    if (!t) return;
    for (size_t i = 0; i < t->memory->n; i++) free(t->memory->blocks[i]);
    json_decref(t->settings);
    free(t->memory->blocks);
    free(t->memory);
    free(t->parameters);
    free(t);
}

void sv_trainee_set_rates(sv_trainee *t, double vision, double text) {
    t->vision_trains = t->text_trains = false;
    for (size_t i = 0; i < t->n_own; i++) {
        sv_parameter *p = &t->parameters[i];
        p->rate = p->vision ? vision : text;
        t->vision_trains = t->vision_trains || (p->vision && vision > 0);
        t->text_trains = t->text_trains || (!p->vision && text > 0);
    }
}

sv_status sv_trainee_add_helper(sv_trainee *t, const char *name, int n_dims, const int64_t *shape, sv_parameter *out,
                                sv_error *err) {
    size_t n = 1;
    for (int i = 0; i < n_dims; i++) n *= (size_t)shape[i];
    float *value = keep(t, n, sizeof *value, err), *gradient = keep(t, n, sizeof *gradient, err);
    if (!value || !gradient) return SV_ERR_MEMORY;
    sv_status s = add_named(t, name, n_dims, shape, value, gradient, false, err);
    if (!s) *out = t->parameters[t->n_parameters - 1];
    return s;
}

void sv_trainee_clear_gradients(sv_trainee *t) {
    for (size_t i = 0; i < t->n_parameters; i++)
        memset(t->parameters[i].gradient, 0, t->parameters[i].n * sizeof(float));
    for (size_t i = 0; i < t->memory->n_folded; i++) {
        const folded *f = &t->memory->folded[i];
        memset(f->dsummed, 0, f->n_channels * f->n_pixels * sizeof(float));
    }
}

void sv_trainee_values_changed(sv_trainee *t) {
    for (size_t i = 0; i < t->memory->n_folded; i++) {
        const folded *f = &t->memory->folded[i];
        const float *value = t->parameters[f->parameter].value;
        for (size_t c = 0; c < f->n_channels; c++) {
            float *sum = f->summed + c * f->n_pixels;
            memset(sum, 0, f->n_pixels * sizeof *sum);
            for (size_t k = 0; k < f->n_frames * f->n_pixels; k++)
                sum[k % f->n_pixels] += value[c * f->n_frames * f->n_pixels + k];
        }
    }
}

void sv_trainee_finish_gradients(sv_trainee *t) {
    for (size_t i = 0; i < t->memory->n_folded; i++) {
        const folded *f = &t->memory->folded[i];
        float *gradient = t->parameters[f->parameter].gradient;
        for (size_t c = 0; c < f->n_channels; c++) {
            for (size_t k = 0; k < f->n_frames * f->n_pixels; k++)
                gradient[c * f->n_frames * f->n_pixels + k] = f->dsummed[c * f->n_pixels + k % f->n_pixels];
        }
    }
}
