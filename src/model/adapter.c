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

static const char *const ends[] = {".lora_A.weight", ".lora_B.weight"};

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

/* Ways of starting that leave the base as it is. The others (PiSSA, OLoRA, CorDA, LoftQ, LoRA-GA ...) take a part out
 * of its weights, so that the pair says little without the base that was changed. */
static sv_status check_start(const json_t *config, const char *path, sv_error *err) {
    static const char *const harmless[] = {"gaussian", "eva", "orthogonal"};
    const json_t *start = json_object_get(config, "init_lora_weights");
    if (!start || json_is_null(start) || json_is_boolean(start)) return SV_OK;
    const char *name = json_is_string(start) ? json_string_value(start) : "";
    for (size_t i = 0; i < SV_COUNT(harmless); i++) {
        if (strcmp(name, harmless[i]) == 0) return SV_OK;
    }
    return sv_fail(err, SV_ERR_UNSUPPORTED,
                   "%s: init_lora_weights '%.100s' changes the weights of the base; save the adapter with PEFT's "
                   "path_initial_model_for_weight_conversion, which makes it an ordinary one",
                   path, name);
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
    return check_start(config, path, err);
}

/* "^" asks for the whole name, else the end of the name after a dot will do. */
static bool pattern_fits(const char *key, const char *module) {
    size_t len = strlen(key), n = strlen(module);
    if (*key == '^') return strcmp(key + 1, module) == 0;
    return n >= len && strcmp(module + n - len, key) == 0 && (n == len || module[n - len - 1] == '.');
}

/* The number that a pattern table gives to a module under its name in the file, else that of `key`. As in PEFT the
 * first entry that fits wins. */
static sv_status setting(const json_t *config, const char *key, const char *table, const char *module, const char *path,
                         double *out, sv_error *err) {
    static const char *const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.";
    const json_t *value = json_object_get(config, key), *found = NULL;
    const char *pattern;
    json_t *entry;
    json_object_foreach(json_object_get(config, table), pattern, entry) {
        const char *name = pattern + (*pattern == '^');
        if (name[strspn(name, plain)]) {
            return sv_fail(err, SV_ERR_UNSUPPORTED, "%s: %s: '%.100s' is not a plain name; patterns are not read", path,
                           table, pattern);
        }
        if (!found && pattern_fits(pattern, module)) found = entry;
    }
    if (found) value = found;
    if (!json_is_number(value)) {
        return sv_fail(err, SV_ERR_INPUT, "%s: expected a number as %s of module '%s'", path, found ? table : key,
                       module);
    }
    *out = json_number_value(value);
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

/* The halves of a pair follow each other in a file sorted by name. */
static sv_low_rank *last_or_new(sv_adapter *a, char *module) {
    sv_low_rank *last = a->n ? &a->pairs[a->n - 1] : NULL;
    if (last && strcmp(last->module, module) == 0) {
        free(module);
        return last;
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

static sv_status stands_twice(const char *path, const sv_tensor *t, const sv_tensor *before, sv_error *err) {
    return sv_fail(err, SV_ERR_INPUT, "%s: tensor '%s' stands for a module that '%s' gives already", path, t->name,
                   before->name);
}

static sv_status collect(sv_adapter *a, const char *path, sv_error *err) {
    for (size_t i = 0; i < sv_tensor_count(a->file); i++) {
        const sv_tensor *t = sv_tensor_at(a->file, i);
        char *module = NULL;
        bool is_b = false;
        sv_status s = split_name(path, t->name, &module, &is_b, err);
        if (!s && (s = check_tensor(path, t, err))) free(module);
        if (s) return s;
        sv_low_rank *pair = last_or_new(a, module);
        if (!pair) return sv_fail_memory(err, path, sizeof *pair);
        const sv_tensor **half = is_b ? &pair->b : &pair->a;
        if (*half) return stands_twice(path, t, *half, err);
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
    char *name = sv_strndup(p->a->name + strlen(ROOT), strlen(p->a->name) - strlen(ROOT) - strlen(ends[0]));
    if (!name) return sv_fail_memory(err, path, strlen(p->a->name));
    double rank, alpha;
    sv_status s = setting(config, "r", "rank_pattern", name, path, &rank, err);
    if (!s) s = setting(config, "lora_alpha", "alpha_pattern", name, path, &alpha, err);
    free(name);
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

/* Also the same module under both namings. */
static sv_status sort_pairs(sv_adapter *a, const char *path, sv_error *err) {
    qsort(a->pairs, a->n, sizeof *a->pairs, by_module);
    for (size_t i = 1; i < a->n; i++) {
        const sv_low_rank *p = &a->pairs[i - 1], *q = &a->pairs[i];
        if (strcmp(p->module, q->module) != 0) continue;
        return stands_twice(path, q->a ? q->a : q->b, p->a ? p->a : p->b, err);
    }
    return SV_OK;
}

static sv_status read_folder(sv_adapter *a, const char *config_path, const char *weights_path, sv_error *err) {
    json_t *config = NULL;
    sv_status s = sv_json_load(config_path, &config, err);
    if (!s) s = check_config(config, config_path, err);
    if (!s) s = sv_tensor_file_open(weights_path, &a->file, err);
    if (!s) s = collect(a, weights_path, err);
    if (!s) s = sort_pairs(a, weights_path, err);
    for (size_t i = 0; !s && i < a->n; i++) {
        s = measure(weights_path, &a->pairs[i], err);
        if (!s) s = scale(config, config_path, &a->pairs[i], err);
    }
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
