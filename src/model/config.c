/*
 * config.c - one reader for the dialects in which config.json has been written since 2025: fields at the top or in
 * text_config (which wins: some versions leave wrong values at the top), rope as rope_scaling or rope_parameters, a
 * vision_config that names only what differs from the class defaults.
 */
#include "model/config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"

#define MAX_SIZE 10000000 /* of any single dimension */

/* Where a value is looked for: the nested object, then the top level (either may be NULL). */
typedef struct source {
    const json_t *nested, *top;
    const char *path;
} source;

static const json_t *get(const source *s, const char *key) {
    const json_t *value = json_object_get(s->nested, key);
    if (value && !json_is_null(value)) return value;
    value = json_object_get(s->top, key);
    return json_is_null(value) ? NULL : value;
}

/* A positive size; fallback 0 means that it must be there. */
static sv_status get_size(const source *s, const char *key, int fallback, int *out, sv_error *err) {
    const json_t *value = get(s, key);
    json_int_t n = json_is_integer(value) ? json_integer_value(value) : value ? -1 : fallback;
    if (n < 1 || n > MAX_SIZE) {
        return sv_fail(err, SV_ERR_INPUT, "%s: %s: expected a number from 1 to %d, found %s", s->path, key, MAX_SIZE,
                       value ? "something else" : "nothing");
    }
    *out = (int)n;
    return SV_OK;
}

typedef struct size_field {
    const char *key;
    int fallback;
    size_t offset;
} size_field;

static sv_status get_sizes(const source *s, const size_field *fields, size_t n, void *out, sv_error *err) {
    for (size_t i = 0; i < n; i++) {
        int *place = (int *)((char *)out + fields[i].offset);
        sv_status status = get_size(s, fields[i].key, fields[i].fallback, place, err);
        if (status) return status;
    }
    return SV_OK;
}

static const size_field text_sizes[] = {{"hidden_size", 0, offsetof(sv_text_config, hidden)},
                                        {"num_hidden_layers", 0, offsetof(sv_text_config, n_layers)},
                                        {"num_attention_heads", 0, offsetof(sv_text_config, n_heads)},
                                        {"num_key_value_heads", 0, offsetof(sv_text_config, n_kv_heads)},
                                        {"intermediate_size", 0, offsetof(sv_text_config, ffn)},
                                        {"vocab_size", 0, offsetof(sv_text_config, vocab)},
                                        {"max_position_embeddings", 128000, offsetof(sv_text_config, max_positions)}};

/* defaults of the class, for files that name only what differs */
static const size_field vision_sizes[] = {{"hidden_size", 0, offsetof(sv_vision_config, hidden)},
                                          {"depth", 32, offsetof(sv_vision_config, depth)},
                                          {"num_heads", 16, offsetof(sv_vision_config, n_heads)},
                                          {"intermediate_size", 3420, offsetof(sv_vision_config, ffn)},
                                          {"out_hidden_size", 0, offsetof(sv_vision_config, out_hidden)},
                                          {"temporal_patch_size", 2, offsetof(sv_vision_config, temporal_patch)},
                                          {"spatial_merge_size", 2, offsetof(sv_vision_config, merge)},
                                          {"window_size", 112, offsetof(sv_vision_config, window)}};

static sv_status refuse(const source *s, const char *what, const char *found, sv_error *err) {
    return sv_fail(err, SV_ERR_UNSUPPORTED, "%s: %s '%s' is not supported", s->path, what, found);
}

static sv_status read_rope(const source *s, sv_text_config *t, sv_error *err) {
    const source nested = {s->nested, NULL, s->path}, top = {NULL, s->top, s->path};
    const json_t *rope = NULL; /* nested wins also when the two are spelled differently */
    const source *const order[] = {&nested, &top};
    for (size_t i = 0; !rope && i < SV_COUNT(order); i++) {
        rope = get(order[i], "rope_parameters");
        if (!rope) rope = get(order[i], "rope_scaling");
    }
    const char *type = sv_json_text(rope, "rope_type", sv_json_text(rope, "type", "default"));
    if (strcmp(type, "default") != 0 && strcmp(type, "mrope") != 0) return refuse(s, "rope type", type, err);
    const json_t *theta = get(s, "rope_theta");
    t->rope_theta = sv_json_real(rope, "rope_theta", json_is_number(theta) ? json_number_value(theta) : 0);
    if (!(t->rope_theta > 0) || !isfinite(t->rope_theta)) {
        return sv_fail(err, SV_ERR_INPUT, "%s: expected a positive rope_theta", s->path);
    }
    const json_t *sections = json_object_get(rope, "mrope_section");
    int64_t sum = 0;
    for (size_t i = 0; i < 3; i++) {
        const json_t *item = json_array_get(sections, i);
        json_int_t n = json_is_integer(item) ? json_integer_value(item) : -1;
        if (n < 0 || n > MAX_SIZE)
            return sv_fail(err, SV_ERR_INPUT, "%s: expected three sizes in mrope_section", s->path);
        t->mrope_section[i] = (int)n;
        sum += n;
    }
    if (sum * 2 == t->head_dim) return SV_OK;
    return sv_fail(err, SV_ERR_INPUT, "%s: mrope_section sums to %lld, half of head_dim is %d", s->path, (long long)sum,
                   t->head_dim / 2);
}

static sv_status read_text(const source *s, sv_text_config *t, sv_error *err) {
    sv_status status = get_sizes(s, text_sizes, SV_COUNT(text_sizes), t, err);
    if (status) return status;
    if (t->hidden % t->n_heads && !get(s, "head_dim")) {
        return sv_fail(err, SV_ERR_INPUT, "%s: hidden_size %d is not a multiple of num_attention_heads %d", s->path,
                       t->hidden, t->n_heads);
    }
    if ((status = get_size(s, "head_dim", SV_MAX(t->hidden / t->n_heads, 1), &t->head_dim, err))) return status;
    if (t->n_heads % t->n_kv_heads || t->head_dim % 2) {
        return sv_fail(err, SV_ERR_INPUT,
                       "%s: num_attention_heads %d of head_dim %d and num_key_value_heads %d do not fit together",
                       s->path, t->n_heads, t->head_dim, t->n_kv_heads);
    }
    const json_t *eps = get(s, "rms_norm_eps"), *tied = get(s, "tie_word_embeddings"), *act = get(s, "hidden_act");
    t->rms_eps = json_is_number(eps) ? (float)json_number_value(eps) : 1e-6f;
    t->tied_embeddings = json_is_true(tied);
    if (!(t->rms_eps > 0) || !(t->rms_eps < 1))
        return sv_fail(err, SV_ERR_INPUT, "%s: rms_norm_eps is not usable", s->path);
    if (act && strcmp(json_is_string(act) ? json_string_value(act) : "", "silu") != 0) {
        return refuse(s, "hidden_act", json_is_string(act) ? json_string_value(act) : "?", err);
    }
    const json_t *sliding = get(s, "use_sliding_window");
    if (json_is_true(sliding)) return refuse(s, "use_sliding_window", "true", err);
    return read_rope(s, t, err);
}

static sv_status read_full_blocks(const source *s, sv_vision_config *v, sv_error *err) {
    static const int defaults[] = {7, 15, 23, 31};
    const json_t *list = get(s, "fullatt_block_indexes"), *item;
    if (!list) {
        for (size_t i = 0; i < SV_COUNT(defaults); i++) {
            if (defaults[i] < v->depth) v->full_blocks[v->n_full_blocks++] = defaults[i];
        }
        return SV_OK;
    }
    if (!json_is_array(list) || json_array_size(list) > SV_MAX_FULL_ATTENTION_BLOCKS) {
        return sv_fail(err, SV_ERR_INPUT, "%s: expected at most %d numbers in fullatt_block_indexes", s->path,
                       SV_MAX_FULL_ATTENTION_BLOCKS);
    }
    for (size_t i = 0; (item = json_array_get(list, i)); i++) {
        json_int_t block = json_is_integer(item) ? json_integer_value(item) : -1;
        if (block < 0 || block >= v->depth) {
            return sv_fail(err, SV_ERR_INPUT, "%s: fullatt_block_indexes names block %lld of %d", s->path,
                           (long long)block, v->depth);
        }
        v->full_blocks[v->n_full_blocks++] = (int)block;
    }
    return SV_OK;
}

static sv_status read_vision(const source *s, sv_vision_config *v, sv_error *err) {
    sv_status status = get_sizes(s, vision_sizes, SV_COUNT(vision_sizes), v, err);
    const char *patch = get(s, "patch_size") ? "patch_size" : "spatial_patch_size";
    const char *channels = get(s, "in_channels") ? "in_channels" : "in_chans";
    if (!status) status = get_size(s, patch, 14, &v->patch, err);
    if (!status) status = get_size(s, channels, 3, &v->channels, err);
    if (status) return status;
    v->rope_theta = sv_json_real(get(s, "rope_parameters"), "rope_theta", 10000);
    if (v->hidden % v->n_heads || v->hidden / v->n_heads % 4) {
        return sv_fail(err, SV_ERR_INPUT, "%s: vision hidden_size %d must be num_heads %d times a multiple of 4",
                       s->path, v->hidden, v->n_heads);
    }
    if (v->channels != 3 || v->temporal_patch != 2) {
        return sv_fail(
            err, SV_ERR_UNSUPPORTED,
            "%s: in_channels and temporal_patch_size: expected 3 colours and 2 frames a patch, found %d and %d",
            s->path, v->channels, v->temporal_patch);
    }
    if (v->patch > 1024 || v->merge > 64 || v->window % (v->patch * v->merge)) {
        return sv_fail(err, SV_ERR_INPUT, "%s: window_size %d is not a multiple of %d patches of %d", s->path,
                       v->window, v->merge, v->patch);
    }
    return read_full_blocks(s, v, err);
}

static sv_status read_config(const char *path, const json_t *top, sv_model_config *c, sv_error *err) {
    const char *type = sv_json_text(top, "model_type", "(none)");
    source text = {json_object_get(top, "text_config"), top, path},
           vision = {json_object_get(top, "vision_config"), NULL, path};
    if (strcmp(type, "qwen2_5_vl") != 0) {
        return sv_fail(err, SV_ERR_UNSUPPORTED, "%s: model_type: expected qwen2_5_vl, found '%s'", path, type);
    }
    if (!json_is_object(vision.nested)) return sv_fail(err, SV_ERR_INPUT, "%s: expected an object vision_config", path);
    sv_status s = read_text(&text, &c->text, err);
    if (!s) s = read_vision(&vision, &c->vision, err);
    if (s) return s;
    if (c->vision.out_hidden != c->text.hidden) {
        return sv_fail(err, SV_ERR_INPUT, "%s: vision out_hidden_size %d must equal hidden_size %d", path,
                       c->vision.out_hidden, c->text.hidden);
    }
    const struct {
        const char *key;
        int *out;
    } tokens[] = {{"image_token_id", &c->image_token},
                  {"vision_start_token_id", &c->vision_start_token},
                  {"vision_end_token_id", &c->vision_end_token}};
    for (size_t i = 0; i < SV_COUNT(tokens); i++) {
        int64_t id = sv_json_int(top, tokens[i].key, -1);
        if (id < 0 || id >= c->text.vocab) {
            return sv_fail(err, SV_ERR_INPUT, "%s: expected %s from 0 to %d", path, tokens[i].key, c->text.vocab - 1);
        }
        *tokens[i].out = (int)id;
    }
    return SV_OK;
}

static sv_status read_generation(const char *path, const json_t *top, sv_model_config *c, sv_error *err) {
    const json_t *eos = json_object_get(top, "eos_token_id");
    c->repetition_penalty = (float)sv_json_real(top, "repetition_penalty", 1);
    if (!(c->repetition_penalty > 0) || !(c->repetition_penalty < 100)) {
        return sv_fail(err, SV_ERR_INPUT, "%s: repetition_penalty is not usable", path);
    }
    c->do_sample = sv_json_bool(top, "do_sample", false);
    c->temperature = (float)sv_json_real(top, "temperature", 1);
    c->top_p = (float)sv_json_real(top, "top_p", 1);
    int64_t top_k = sv_json_int(top, "top_k", 0);
    if (!(c->temperature >= 0) || !(c->temperature <= 100) || !(c->top_p >= 0) || !(c->top_p <= 1) || top_k < -1 ||
        top_k > MAX_SIZE) {
        return sv_fail(err, SV_ERR_INPUT,
                       "%s: expected temperature from 0 to 100, top_p from 0 to 1 and top_k from -1 to %d", path,
                       MAX_SIZE);
    }
    c->top_k = (int)SV_MAX(top_k, 0);
    if (!eos || json_is_null(eos)) return SV_OK; /* config.json's stays */
    size_t n = json_is_array(eos) ? json_array_size(eos) : 1;
    if (n > SV_COUNT(c->eos))
        return sv_fail(err, SV_ERR_INPUT, "%s: at most %zu eos_token_id are read", path, SV_COUNT(c->eos));
    for (size_t i = 0; i < n; i++) {
        const json_t *item = json_is_array(eos) ? json_array_get(eos, i) : eos;
        json_int_t id = json_is_integer(item) ? json_integer_value(item) : -1;
        if (id < 0 || id >= c->text.vocab)
            return sv_fail(err, SV_ERR_INPUT, "%s: an eos_token_id is not a token id", path);
        c->eos[i] = (int)id;
    }
    c->n_eos = (int)n;
    return SV_OK;
}

/* Three numbers from `least` to 255, or what is there already. */
static sv_status read_colours(const char *path, const json_t *top, const char *key, double least, float out[3],
                              sv_error *err) {
    const json_t *list = json_object_get(top, key);
    for (size_t i = 0; list && i < 3; i++) {
        const json_t *item = json_array_get(list, i);
        double value = json_is_number(item) ? json_number_value(item) : -1;
        if (!(value >= least) || !(value <= 255)) {
            return sv_fail(err, SV_ERR_INPUT, "%s: expected three numbers from %g to 255 in %s", path, least, key);
        }
        out[i] = (float)value;
    }
    return SV_OK;
}

/* preprocessor_config.json, or the image_processor part of processor_config.json. */
static sv_status read_processor(const char *path, const json_t *top, sv_model_config *c, sv_error *err) {
    const json_t *inner = json_object_get(top, "image_processor");
    if (json_is_object(inner)) top = inner;
    const json_t *size = json_object_get(top, "size");
    int64_t least = sv_json_int(top, "min_pixels", sv_json_int(size, "shortest_edge", c->min_pixels));
    int64_t most = sv_json_int(top, "max_pixels", sv_json_int(size, "longest_edge", c->max_pixels));
    if (least < 1 || most < least || most > (1 << 28)) {
        return sv_fail(err, SV_ERR_INPUT, "%s: min_pixels and max_pixels: the limits of %lld to %lld are not usable",
                       path, (long long)least, (long long)most);
    }
    c->min_pixels = (int)least;
    c->max_pixels = (int)most;
    const struct {
        const char *key;
        int expected;
    } sizes[] = {{"patch_size", c->vision.patch}, {"merge_size", c->vision.merge}};
    for (size_t i = 0; i < SV_COUNT(sizes); i++) {
        int64_t found = sv_json_int(top, sizes[i].key, sizes[i].expected);
        if (found != sizes[i].expected) {
            return sv_fail(err, SV_ERR_INPUT, "%s: %s is %lld, config.json has %d", path, sizes[i].key,
                           (long long)found, sizes[i].expected);
        }
    }
    sv_status s = read_colours(path, top, "image_mean", 0, c->image_mean, err);
    return s ? s : read_colours(path, top, "image_std", 1e-6, c->image_std, err);
}

typedef sv_status read_file(const char *path, const json_t *top, sv_model_config *c, sv_error *err);

/* *found says whether the file is there; NULL = it must be. */
static sv_status read_json(const char *folder, const char *name, read_file *read, sv_model_config *c, bool *found,
                           sv_error *err) {
    char *path = sv_path_join(folder, name);
    if (!path) return sv_fail_memory(err, "path", strlen(folder));
    json_t *top = NULL;
    sv_status s = SV_OK;
    bool there = sv_file_exists(path);
    if (there || !found) s = sv_json_load(path, &top, err);
    if (found) *found = there;
    if (!s && top && !json_is_object(top)) s = sv_fail(err, SV_ERR_INPUT, "%s: expected a JSON object", path);
    if (!s && top) s = read(path, top, c, err);
    json_decref(top);
    free(path);
    return s;
}

/* The end token that config.json names, for folders without generation_config.json. */
static sv_status read_default_eos(const char *path, const json_t *top, sv_model_config *c, sv_error *err) {
    source s = {json_object_get(top, "text_config"), top, path};
    const json_t *eos = get(&s, "eos_token_id");
    json_t *as_generation = json_pack("{s:O?}", "eos_token_id", eos);
    sv_status status = read_generation(path, as_generation, c, err);
    json_decref(as_generation);
    return status;
}

sv_status sv_model_config_load(const char *folder, sv_model_config *out, sv_error *err) {
    /* the image processor's own defaults: CLIP colours, the limits that the published system sets */
    *out = (sv_model_config){.min_pixels = 3136,
                             .max_pixels = 1003520,
                             .repetition_penalty = 1,
                             .temperature = 1,
                             .top_p = 1,
                             .image_mean = {0.48145466f, 0.4578275f, 0.40821073f},
                             .image_std = {0.26862954f, 0.26130258f, 0.27577711f}};
    bool found = false;
    sv_status s = read_json(folder, "config.json", read_config, out, NULL, err);
    if (!s) s = read_json(folder, "config.json", read_default_eos, out, NULL, err);
    if (!s) s = read_json(folder, "generation_config.json", read_generation, out, &found, err);
    if (!s) s = read_json(folder, "preprocessor_config.json", read_processor, out, &found, err);
    if (!s && !found) s = read_json(folder, "processor_config.json", read_processor, out, &found, err);
    return s;
}
