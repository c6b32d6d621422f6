/* quantised.c - every number of quantization_config and every shape is checked before a word is read. */
#include "model/quantised.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"

#define BITS 4
#define PER_WORD 8
#define MAX_GROUP 65536

/* One method of quantising in the spellings that mean the same layout. */
static const struct {
    const char *key;
    const char *accepted[6]; /* "" = may be absent */
} choices[] = {
    {"quant_method", {"auto-round", "gptq", "intel/auto-round", "autoround"}},
    {"packing_format", {"", "auto_round:auto_gptq", "auto_round:gptq", "auto_gptq", "gptq", "auto_round"}},
    {"checkpoint_format", {"", "gptq", "gptq_v2"}},
    {"data_type", {"", "int"}},
};

static sv_status check_choices(const json_t *object, const char *path, sv_error *err) {
    for (size_t i = 0; i < SV_COUNT(choices); i++) {
        const char *value = sv_json_text(object, choices[i].key, "");
        bool known = false;
        for (size_t k = 0; k < SV_COUNT(choices[i].accepted) && choices[i].accepted[k]; k++) {
            known |= strcmp(value, choices[i].accepted[k]) == 0;
        }
        if (known) continue;
        return sv_fail(err, SV_ERR_UNSUPPORTED,
                       "%s: quantization_config: %s '%s' is not read; four-bit weights in GPTQ layout are (auto-round "
                       "with packing auto_round:auto_gptq, or gptq)",
                       path, choices[i].key, value);
    }
    return SV_OK;
}

/* Layers with settings of their own: 16 bits and more mean "not quantised", which shows in the tensors themselves. */
static sv_status check_exceptions(json_t *object, int64_t group, const char *path, sv_error *err) {
    const char *layer;
    json_t *settings;
    json_object_foreach(json_object_get(object, "extra_config"), layer, settings) {
        int64_t bits = sv_json_int(settings, "bits", BITS), own = sv_json_int(settings, "group_size", group);
        if (bits >= 16 || (bits == BITS && own == group)) continue;
        return sv_fail(err, SV_ERR_UNSUPPORTED,
                       "%s: extra_config gives the layer '%.100s' %lld bits in groups of %lld; this version reads %d "
                       "bits in one group size for all, or unquantised layers",
                       path, layer, (long long)bits, (long long)own, BITS);
    }
    return SV_OK;
}

static sv_status parse(json_t *object, const char *path, sv_quantisation *out, sv_error *err) {
    sv_status s = check_choices(object, path, err);
    int64_t bits = sv_json_int(object, "bits", 0), group = sv_json_int(object, "group_size", 128);
    if (!s && bits != BITS) {
        s = sv_fail(err, SV_ERR_UNSUPPORTED, "%s: quantised to %lld bits; this version reads %d", path, (long long)bits,
                    BITS);
    }
    if (!s && group != -1 && (group < PER_WORD || group > MAX_GROUP || group % PER_WORD)) {
        s = sv_fail(err, SV_ERR_INPUT, "%s: group_size %lld: expected a multiple of %d up to %d, or -1 for whole rows",
                    path, (long long)group, PER_WORD, MAX_GROUP);
    }
    if (!s) s = check_exceptions(object, group, path, err);
    if (s) return s;
    bool second = strcmp(sv_json_text(object, "checkpoint_format", ""), "gptq_v2") == 0;
    *out = (sv_quantisation){.group = group == -1 ? 0 : (int)group,
                             .zero_offset = second ? 0 : 1,
                             .symmetric = sv_json_bool(object, "sym", true)};
    snprintf(out->method, sizeof out->method, "%s", sv_json_text(object, "quant_method", ""));
    return SV_OK;
}

sv_status sv_quantisation_load(const char *folder, sv_quantisation *out, sv_error *err) {
    *out = (sv_quantisation){0};
    char *config_path = sv_path_join(folder, "config.json"),
         *own_path = sv_path_join(folder, "quantization_config.json");
    json_t *config = NULL, *own = NULL;
    sv_status s = SV_OK;
    if (!config_path || !own_path) s = sv_fail_memory(err, "path", strlen(folder));
    if (!s) s = sv_json_load(config_path, &config, err);
    json_t *object = json_object_get(config, "quantization_config");
    if (!s && !json_is_object(object) && sv_file_exists(own_path)) {
        s = sv_json_load(own_path, &own, err);
        object = own;
    }
    if (!s && json_is_object(object)) s = parse(object, object == own ? own_path : config_path, out, err);
    json_decref(config);
    json_decref(own);
    free(config_path);
    free(own_path);
    return s;
}

static const sv_tensor *find(const sv_tensor_file *file, const char *module, const char *leaf) {
    char name[320];
    snprintf(name, sizeof name, "%.256s.%s", module, leaf);
    return sv_tensor_find(file, name);
}

bool sv_is_quantised(const sv_tensor_file *file, const char *module) { return find(file, module, "qweight") != NULL; }

/* A table of two dimensions; dtype SV_BOOL asks for any of the three float types. */
static sv_status require(const sv_tensor_file *file, const char *module, const char *leaf, sv_dtype dtype,
                         size_t n_rows, size_t n_columns, const sv_tensor **out, sv_error *err) {
    const sv_tensor *t = *out = find(file, module, leaf);
    if (!t) {
        return sv_fail(err, SV_ERR_INPUT,
                       "tensor '%s.%s' is missing; the module's qweight is there, the file is not "
                       "complete",
                       module, leaf);
    }
    if (t->n_dims != 2 || (size_t)t->shape[0] != n_rows || (size_t)t->shape[1] != n_columns) {
        return sv_fail(err, SV_ERR_INPUT, "tensor '%s': expected the shape [%zu, %zu] by config.json and group_size",
                       t->name, n_rows, n_columns);
    }
    bool is_float = t->dtype == SV_F16 || t->dtype == SV_BF16 || t->dtype == SV_F32;
    if (dtype == SV_BOOL ? is_float : t->dtype == dtype) return SV_OK;
    return sv_fail(err, SV_ERR_INPUT, "tensor '%s' is %s; expected %s", t->name, sv_dtype_name(t->dtype),
                   dtype == SV_BOOL ? "F16, BF16 or F32" : sv_dtype_name(dtype));
}

/* The table of groups that act-order files carry must be the plain one. */
static sv_status check_order(const sv_tensor_file *file, const char *module, size_t n_in, size_t group, sv_error *err) {
    const sv_tensor *t = find(file, module, "g_idx");
    if (!t) return SV_OK;
    if (t->dtype != SV_I32 || t->n_dims != 1 || (size_t)t->shape[0] != n_in) {
        return sv_fail(err, SV_ERR_INPUT, "tensor '%s': expected %zu numbers of type I32", t->name, n_in);
    }
    for (size_t i = 0; i < n_in; i++) {
        int32_t place;
        memcpy(&place, (const unsigned char *)t->data + 4 * i, sizeof place);
        if (place >= 0 && (size_t)place == i / group) continue;
        return sv_fail(err, SV_ERR_UNSUPPORTED,
                       "tensor '%s' puts input %zu into group %d: weights quantised in another order (desc_act) are "
                       "not read",
                       t->name, i, place);
    }
    return SV_OK;
}

sv_status sv_quantised_bind(const sv_tensor_file *file, const sv_quantisation *q, const char *module, size_t n_out,
                            size_t n_in, sv_matrix *out, sv_error *err) {
    *out = (sv_matrix){0};
    if (!q->method[0]) {
        return sv_fail(err, SV_ERR_INPUT, "'%s' is quantised, but config.json has no quantization_config", module);
    }
    if (n_in % PER_WORD || n_out % PER_WORD || n_in == 0 || n_out == 0) {
        return sv_fail(err, SV_ERR_UNSUPPORTED, "'%s' is quantised with sizes %zu x %zu, which do not fill words of %d",
                       module, n_out, n_in, PER_WORD);
    }
    size_t group = q->group ? (size_t)q->group : n_in, n_groups = (n_in + group - 1) / group;
    const sv_tensor *words, *scales, *zeros;
    sv_status s = require(file, module, "qweight", SV_I32, n_in / PER_WORD, n_out, &words, err);
    if (!s) s = require(file, module, "scales", SV_BOOL, n_groups, n_out, &scales, err);
    if (!s) s = require(file, module, "qzeros", SV_I32, n_groups, n_out / PER_WORD, &zeros, err);
    if (!s) s = check_order(file, module, n_in, group, err);
    if (s) return s;
    *out = (sv_matrix){.dtype = SV_I32,
                       .n_out = n_out,
                       .n_in = n_in,
                       .data = words->data,
                       .scales = scales->data,
                       .scale_dtype = scales->dtype,
                       .zeros = zeros->data,
                       .zero_offset = q->zero_offset,
                       .group = group};
    return SV_OK;
}
