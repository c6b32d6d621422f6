/* adapter.c - pairs are collected from the tensors' names; the configuration says how they are scaled and may refuse.
 */
#include "model/adapter.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "tensor/finite.h"

#define CONFIG "adapter_config.json"
#define WEIGHTS "adapter_model.safetensors"
#define ROOT "base_model.model."
#define MAX_RANK 65536

struct sv_adapter {
    sv_tensor_file *file;
    size_t n, capacity;
    sv_low_rank *pairs; /* sorted by module; the names are owned */
};

/* Options that would change what is computed: each must be absent or empty (null, false, 0, "", "none", [], {}). */
static const char *const must_be_empty[] = {"alora_invocation_tokens",
                                            "arrow_config",
                                            "bias",
                                            "fan_in_fan_out",
                                            "kasa_config",
                                            "layer_replication",
                                            "lora_bias",
                                            "modules_to_save",
                                            "monteclora_config",
                                            "target_parameters",
                                            "trainable_token_indices",
                                            "use_bdlora",
                                            "use_dora",
                                            "use_qalora",
                                            "velora_config"};

static bool is_empty(const json_t *value) {
    switch (value ? json_typeof(value) : JSON_NULL) {
        case JSON_OBJECT: return json_object_size(value) == 0;
        case JSON_ARRAY: return json_array_size(value) == 0;
        case JSON_STRING:
            return strcmp(json_string_value(value), "") == 0 || strcmp(json_string_value(value), "none") == 0;
        case JSON_INTEGER: return json_integer_value(value) == 0;
        case JSON_REAL: return json_real_value(value) == 0;
        case JSON_TRUE: return false;
        default: return true;
    }
}

static sv_status check_config(const json_t *config, const char *path, sv_error *err) {
    const char *type = sv_json_text(config, "peft_type", "(none)");
    if (strcmp(type, "LORA") != 0) {
        return sv_fail(err, SV_ERR_UNSUPPORTED, "%s: peft_type '%s': only LORA adapters are read", path, type);
    }
    for (size_t i = 0; i < SV_COUNT(must_be_empty); i++) {
        if (is_empty(json_object_get(config, must_be_empty[i]))) continue;
        return sv_fail(
            err, SV_ERR_UNSUPPORTED,
            "%s: '%s' is set; adapters with this option are not read, merge it with PEFT and load the result", path,
            must_be_empty[i]);
    }
    return SV_OK;
}

/* The number that a pattern table gives to a module: its keys are ends of module names. */
static sv_status from_pattern(const json_t *config, const char *table, const char *module, double fallback,
                              const char *path, double *out, sv_error *err) {
    const char *key;
    json_t *value;
    *out = fallback;
    json_object_foreach(json_object_get(config, table), key, value) {
        if (key[strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.")]) {
            return sv_fail(err, SV_ERR_UNSUPPORTED, "%s: %s: '%.100s' is not a plain name; patterns are not read", path,
                           table, key);
        }
        size_t len = strlen(key), n = strlen(module);
        bool ends = n >= len && strcmp(module + n - len, key) == 0 && (n == len || module[n - len - 1] == '.');
        if (ends && json_is_number(value)) *out = json_number_value(value);
    }
    return SV_OK;
}

/* The module in the older naming, in new memory. */
static char *older_name(const char *name, size_t len) {
    static const struct {
        const char *newer, *older;
    } prefixes[] = {{"model.language_model.", "model."}, {"model.visual.", "visual."}};
    for (size_t i = 0; i < SV_COUNT(prefixes); i++) {
        size_t n = strlen(prefixes[i].newer), m = strlen(prefixes[i].older);
        if (len < n || strncmp(name, prefixes[i].newer, n) != 0) continue;
        char *out = sv_calloc(m + len - n + 1, 1);
        if (!out) return NULL;
        memcpy(out, prefixes[i].older, m);
        memcpy(out + m, name + n, len - n);
        return out;
    }
    return sv_strndup(name, len);
}

/* Splits "base_model.model.MODULE.lora_A.weight"; *is_b tells which half it is. */
static sv_status split_name(const char *path, const char *name, char **module, bool *is_b, sv_error *err) {
    static const char *const ends[] = {".lora_A.weight", ".lora_B.weight"};
    size_t len = strlen(name), root = strlen(ROOT);
    for (size_t i = 0; i < SV_COUNT(ends); i++) {
        size_t n = strlen(ends[i]);
        if (len <= root + n || strncmp(name, ROOT, root) != 0 || strcmp(name + len - n, ends[i]) != 0) continue;
        *is_b = i == 1;
        *module = older_name(name + root, len - root - n);
        return *module ? SV_OK : sv_fail_memory(err, path, len);
    }
    return sv_fail(err, SV_ERR_UNSUPPORTED,
                   "%s: tensor '%.200s': expected names like " ROOT
                   "MODULE.lora_A.weight; other kinds of adapter are "
                   "not read",
                   path, name);
}

static sv_low_rank *find_or_add(sv_adapter *a, char *module) {
    for (size_t i = 0; i < a->n; i++) {
        if (strcmp(a->pairs[i].module, module) != 0) continue;
        free(module);
        return &a->pairs[i];
    }
    if (!sv_grow(&a->pairs, a->n, &a->capacity, sizeof *a->pairs)) {
        free(module);
        return NULL;
    }
    a->pairs[a->n] = (sv_low_rank){.module = module};
    return &a->pairs[a->n++];
}

static sv_status check_tensor(const char *path, const sv_tensor *t, sv_error *err) {
    if (t->dtype != SV_F32 && t->dtype != SV_F16 && t->dtype != SV_BF16) {
        return sv_fail(err, SV_ERR_UNSUPPORTED, "%s: tensor '%s' is %s; adapters are read as F32, F16 or BF16", path,
                       t->name, sv_dtype_name(t->dtype));
    }
    size_t n = t->n_bytes / sv_dtype_size(t->dtype), bad = sv_first_not_finite(t->dtype, t->data, n);
    if (bad < n) {
        return sv_fail(err, SV_ERR_INPUT, "%s: tensor '%s' holds NaN or infinity at element %zu; the file is damaged",
                       path, t->name, bad);
    }
    if (t->n_dims != 2 && t->n_dims != 5) {
        return sv_fail(err, SV_ERR_INPUT, "%s: tensor '%s' has %d dimensions; expected a matrix or a convolution", path,
                       t->name, t->n_dims);
    }
    return SV_OK;
}

static sv_status collect(sv_adapter *a, const char *path, sv_error *err) {
    for (size_t i = 0; i < sv_tensor_count(a->file); i++) {
        const sv_tensor *t = sv_tensor_at(a->file, i);
        char *module = NULL;
        bool is_b = false;
        sv_status s = check_tensor(path, t, err);
        if (!s) s = split_name(path, t->name, &module, &is_b, err);
        if (s) return s;
        sv_low_rank *pair = find_or_add(a, module);
        if (!pair) return sv_fail_memory(err, path, sizeof *pair);
        const sv_tensor **half = is_b ? &pair->b : &pair->a;
        if (*half) {
            return sv_fail(err, SV_ERR_INPUT, "%s: tensor '%s' stands for a module that '%s' gives already", path,
                           t->name, (*half)->name);
        }
        *half = t;
    }
    return a->n ? SV_OK : sv_fail(err, SV_ERR_INPUT, "%s: the adapter holds no tensors", path);
}

/* Sizes from the shapes, which must fit each other: A [rank, in...], B [out, rank, ones]. */
static sv_status measure(const char *path, sv_low_rank *p, sv_error *err) {
    if (!p->a || !p->b) {
        return sv_fail(err, SV_ERR_INPUT, "%s: module '%s' has only the half lora_%s", path, p->module,
                       p->a ? "A" : "B");
    }
    bool fits = p->a->n_dims == p->b->n_dims && p->a->shape[0] == p->b->shape[1] && p->a->shape[0] > 0 &&
                p->a->shape[0] <= MAX_RANK;
    p->n_in = 1;
    for (int i = 1; i < p->a->n_dims; i++) fits &= sv_mul_size(p->n_in, (size_t)p->a->shape[i], &p->n_in);
    for (int i = 2; i < p->b->n_dims; i++) fits &= p->b->shape[i] == 1;
    p->rank = (size_t)p->a->shape[0];
    p->n_out = (size_t)p->b->shape[0];
    if (fits && p->n_in > 0 && p->n_out > 0) return SV_OK;
    return sv_fail(err, SV_ERR_INPUT,
                   "%s: module '%s': lora_A and lora_B do not fit: expected [rank, inputs] and [outputs, rank] with a "
                   "rank up to %d",
                   path, p->module, MAX_RANK);
}

static sv_status scale(const json_t *config, const char *path, sv_low_rank *p, sv_error *err) {
    double rank, alpha;
    sv_status s = from_pattern(config, "rank_pattern", p->module, sv_json_real(config, "r", 0), path, &rank, err);
    if (!s)
        s = from_pattern(config, "alpha_pattern", p->module, sv_json_real(config, "lora_alpha", 0), path, &alpha, err);
    if (s) return s;
    if (rank != (double)p->rank) {
        return sv_fail(err, SV_ERR_INPUT, "%s: module '%s' has rank %zu, the configuration says %g", path, p->module,
                       p->rank, rank);
    }
    bool root = sv_json_bool(config, "use_rslora", false); /* rank-stabilised: arXiv 2312.03732 */
    p->scale = (float)(alpha / (root ? sqrt(rank) : rank));
    if (isfinite(p->scale)) return SV_OK;
    return sv_fail(err, SV_ERR_INPUT, "%s: lora_alpha %g with rank %g is not usable", path, alpha, rank);
}

static int by_module(const void *a, const void *b) {
    return strcmp(((const sv_low_rank *)a)->module, ((const sv_low_rank *)b)->module);
}

static sv_status read_folder(sv_adapter *a, const char *config_path, const char *weights_path, sv_error *err) {
    json_t *config = NULL;
    sv_status s = sv_json_load(config_path, &config, err);
    if (!s) s = check_config(config, config_path, err);
    if (!s) s = sv_tensor_file_open(weights_path, &a->file, err);
    if (!s) s = collect(a, weights_path, err);
    for (size_t i = 0; !s && i < a->n; i++) {
        s = measure(weights_path, &a->pairs[i], err);
        if (!s) s = scale(config, config_path, &a->pairs[i], err);
    }
    if (!s) qsort(a->pairs, a->n, sizeof *a->pairs, by_module);
    json_decref(config);
    return s;
}

sv_status sv_adapter_open(const char *folder, sv_adapter **out, sv_error *err) {
    *out = NULL;
    sv_adapter *a = sv_calloc(1, sizeof *a);
    char *config = sv_path_join(folder, CONFIG), *weights = sv_path_join(folder, WEIGHTS);
    sv_status s = a && config && weights ? read_folder(a, config, weights, err) : sv_fail_memory(err, "adapter", 0);
    free(config);
    free(weights);
    if (s) {
        sv_adapter_close(a);
        return s;
    }
    *out = a;
    return SV_OK;
}

void sv_adapter_close(sv_adapter *a) {
    if (!a) return;
    for (size_t i = 0; i < a->n; i++) free((void *)(uintptr_t)a->pairs[i].module);
    free(a->pairs);
    sv_tensor_file_close(a->file);
    free(a);
}

size_t sv_adapter_count(const sv_adapter *a) { return a->n; }
const sv_low_rank *sv_adapter_at(const sv_adapter *a, size_t i) { return &a->pairs[i]; }

const sv_low_rank *sv_adapter_find(const sv_adapter *a, const char *module) {
    sv_low_rank key = {.module = module};
    return bsearch(&key, a->pairs, a->n, sizeof key, by_module);
}
