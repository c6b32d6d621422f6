/* model_folder.c - see model_folder.h. */
#include "model/model_folder.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/file.h"
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

sv_status sv_model_folder_write_config(const char *base, const char *folder, sv_dtype dtype, sv_error *err) {
    char *from = sv_path_join(base, "config.json"), *to = sv_path_join(folder, "config.json");
    json_t *config = NULL;
    sv_status s = from && to ? sv_json_load(from, &config, err) : sv_fail_memory(err, "path", strlen(folder));
    if (!s) {
        json_object_del(config, "quantization_config");
        s = set_dtype(config, torch_name(dtype), err);
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

sv_status sv_model_folder_copy_others(const char *base, const char *folder, sv_error *err) {
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

sv_status sv_model_folder_copy_prompt(const char *adapter, const char *folder, sv_error *err) {
    char *from = sv_path_join(adapter, "prompt.txt"), *to = sv_path_join(folder, "prompt.txt");
    sv_status s = from && to ? SV_OK : sv_fail_memory(err, "path", strlen(folder));
    if (!s && sv_file_exists(from)) s = copy_file(from, to, err);
    free(from);
    free(to);
    return s;
}

double sv_model_folder_bytes_of_others(const char *base) {
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
