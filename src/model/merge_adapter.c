/* merge_adapter.c - opens both folders, writes the weights, and brings over what else makes a model. */
#include "model/merge_adapter.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/folder.h"
#include "base/json.h"
#include "base/memory.h"

#define MAX_COPIED_BYTES ((size_t)1 << 30) /* of one file that is no weights */

/* How config.json calls a type. */
static const char *torch_name(sv_dtype dtype) {
    return dtype == SV_F32 ? "float32" : dtype == SV_BF16 ? "bfloat16" : "float16";
}

/* Both spellings of the field, wherever the base has them; one at least at the top. */
static sv_status set_dtype(json_t *config, const char *name, sv_error *err) {
    static const char *const keys[] = {"torch_dtype", "dtype"};
    json_t *const places[] = {config, json_object_get(config, "text_config"), json_object_get(config, "vision_config")};
    bool complete = true, named = false;
    for (size_t i = 0; i < SV_COUNT(places) * SV_COUNT(keys); i++) {
        json_t *place = places[i / SV_COUNT(keys)];
        const char *key = keys[i % SV_COUNT(keys)];
        if (!json_object_get(place, key)) continue;
        named |= place == config;
        complete &= json_object_set_new(place, key, json_string(name)) == 0;
    }
    if (!named) complete &= json_object_set_new(config, keys[0], json_string(name)) == 0;
    return complete ? SV_OK : sv_fail_memory(err, "config.json", 0);
}

static sv_status write_config(const sv_merge_options *o, const char *folder, sv_error *err) {
    char *from = sv_path_join(o->base, "config.json"), *to = sv_path_join(folder, "config.json");
    json_t *config = NULL;
    sv_status s = from && to ? sv_json_load(from, &config, err) : sv_fail_memory(err, "path", strlen(folder));
    if (!s) {
        json_object_del(config, "quantization_config");
        s = set_dtype(config, torch_name(o->dtype), err);
    }
    if (!s) s = sv_json_save(to, config, err);
    json_decref(config);
    free(from);
    free(to);
    return s;
}

static bool ends_with(const char *name, const char *ending) {
    size_t len = strlen(name), n = strlen(ending);
    return len >= n && strcasecmp(name + len - n, ending) == 0;
}

/* Neither weights, nor about weights that are no longer these, nor the base's own page. */
static int is_brought_over(const struct dirent *entry) {
    static const char *const endings[] = {".safetensors", ".index.json", ".bin", ".pt",      ".pth",  ".gguf",
                                          ".ckpt",        ".h5",         ".npz", ".msgpack", ".onnx", ".part"};
    static const char *const names[] = {"config.json", "quantization_config.json", "quantize_config.json", "README.md"};
    const char *name = entry->d_name;
    for (size_t i = 0; i < SV_COUNT(endings); i++) {
        if (ends_with(name, endings[i])) return 0;
    }
    for (size_t i = 0; i < SV_COUNT(names); i++) {
        if (strcmp(name, names[i]) == 0) return 0;
    }
    return name[0] != '.';
}

static sv_status copy_file(const char *from, const char *to, sv_error *err) {
    struct stat st;
    char *bytes = NULL;
    size_t len;
    if (stat(from, &st) == 0 && !S_ISREG(st.st_mode)) return SV_OK; /* a folder; a pipe would be waited for */
    sv_status s = sv_file_read(from, MAX_COPIED_BYTES, &bytes, &len, err);
    if (!s) s = sv_file_write(to, bytes, len, err);
    free(bytes);
    return s;
}

static sv_status copy_others(const char *base, const char *folder, sv_error *err) {
    struct dirent **entries = NULL;
    int n = scandir(base, &entries, is_brought_over, alphasort);
    if (n < 0) return sv_fail_errno(err, SV_ERR_INPUT, "%s: cannot list", base);
    sv_status s = SV_OK;
    for (int i = 0; i < n; i++) {
        char *from = sv_path_join(base, entries[i]->d_name), *to = sv_path_join(folder, entries[i]->d_name);
        if (!s) s = from && to ? copy_file(from, to, err) : sv_fail_memory(err, "path", strlen(folder));
        free(from);
        free(to);
        free(entries[i]);
    }
    free(entries);
    return s;
}

static double bytes_of_others(const char *base) {
    struct dirent **entries = NULL;
    int n = scandir(base, &entries, is_brought_over, NULL);
    double sum = 0;
    for (int i = 0; i < n; i++) {
        struct stat st;
        char *path = sv_path_join(base, entries[i]->d_name);
        if (path && stat(path, &st) == 0 && S_ISREG(st.st_mode)) sum += (double)st.st_size;
        free(path);
        free(entries[i]);
    }
    free(entries);
    return sum;
}

static sv_status check_places(const sv_merge_options *o, sv_error *err) {
    const char *const sources[] = {o->base, o->adapter};
    for (size_t i = 0; i < SV_COUNT(sources); i++) {
        if (!sv_same_place(sources[i], o->folder)) continue;
        return sv_fail(err, SV_ERR_OUTPUT, "%s: is what is merged; name another folder for the result", o->folder);
    }
    return SV_OK;
}

static sv_status write_folder(const sv_merge_options *o, const sv_merge_plan *plan, sv_error *err) {
    sv_folder_writer folder = {0};
    sv_pool *pool = NULL;
    double n_bytes = (double)sv_merge_plan_counts(plan).n_bytes + bytes_of_others(o->base);
    sv_status s = check_places(o, err);
    if (!s) s = sv_pool_new(o->n_threads, &pool, err);
    if (!s) s = sv_folder_writer_open(&folder, o->folder, n_bytes, o->force, err);
    if (!s) s = copy_others(o->base, folder.temporary, err);
    if (!s) s = write_config(o, folder.temporary, err);
    if (!s) {
        s = sv_merge_plan_write(plan, folder.temporary, o->max_shard_bytes, pool, o->progress, o->context, err);
    }
    if (!s) s = sv_folder_writer_commit(&folder, err);
    sv_folder_writer_abort(&folder);
    sv_pool_free(pool);
    return s;
}

sv_status sv_merge_adapter(const sv_merge_options *o, sv_merge_counts *counts, sv_error *err) {
    sv_tensor_file *file = NULL;
    sv_adapter *adapter = NULL;
    sv_quantisation quantisation;
    sv_model_config config;
    sv_merge_plan *plan = NULL;
    sv_status s = sv_model_config_load(o->base, &config, err);
    if (!s) s = sv_quantisation_load(o->base, &quantisation, err);
    if (!s) s = sv_tensor_folder_open(o->base, &file, err);
    if (!s) s = sv_adapter_open(o->adapter, &adapter, err);
    if (!s) {
        const sv_merge_source source = {.file = file,
                                        .quantisation = &quantisation,
                                        .adapter = adapter,
                                        .config = &config,
                                        .dtype = o->dtype,
                                        .convert_all = o->convert_all};
        s = sv_merge_plan_new(&source, &plan, err);
        if (s) sv_error_prefix(err, "%s with %s", o->base, o->adapter);
    }
    if (!s) s = write_folder(o, plan, err);
    if (!s && counts) *counts = sv_merge_plan_counts(plan);
    sv_merge_plan_free(plan);
    sv_adapter_close(adapter);
    sv_tensor_file_close(file);
    return s;
}
