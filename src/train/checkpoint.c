/* checkpoint.c - see checkpoint.h. */
#include "train/checkpoint.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/folder.h"
#include "base/memory.h"
#include "model/tensor_writer.h"
#include "train/save.h"

#define PREFIX "checkpoint-"
enum { N_PARTS = 3, NAME_ROOM = 288 };
static const char *const parts[N_PARTS] = {"value", "m", "v"};

static const float *part_of(const sv_trainee *t, const sv_adamw *o, int part, size_t parameter, size_t at) {
    return part == 0 ? t->parameters[parameter].value : (part == 1 ? o->m : o->v) + at;
}

static void name_of(const sv_trainee *t, int part, size_t parameter, char name[NAME_ROOM]) {
    snprintf(name, NAME_ROOM, "%s.%.270s", parts[part], t->parameters[parameter].name);
}

/* ---- writing */

static sv_status write_state(const sv_trainee *t, const sv_adamw *o, const char *folder, sv_error *err) {
    size_t n = N_PARTS * t->n_parameters;
    sv_tensor_plan *plans = sv_calloc(n, sizeof *plans);
    char(*names)[NAME_ROOM] = sv_calloc(n, sizeof *names);
    sv_tensor_writer *writer = NULL;
    sv_status s = plans && names ? SV_OK : sv_fail_memory(err, "checkpoint", n * sizeof *names);
    for (size_t i = 0; i < n && !s; i++) {
        const sv_parameter *p = &t->parameters[i % t->n_parameters];
        name_of(t, (int)(i / t->n_parameters), i % t->n_parameters, names[i]);
        plans[i] = (sv_tensor_plan){.name = names[i], .dtype = SV_F32, .n_dims = p->n_dims};
        memcpy(plans[i].shape, p->shape, sizeof p->shape);
    }
    if (!s) s = sv_tensor_writer_open(folder, "state", plans, n, 0, &writer, err);
    for (int part = 0; part < N_PARTS && !s; part++) {
        size_t at = 0;
        for (size_t i = 0; i < t->n_parameters && !s; at += t->parameters[i++].n)
            s = sv_tensor_writer_put(writer, part_of(t, o, part, i, at), t->parameters[i].n * sizeof(float), err);
    }
    if (!s) s = sv_tensor_writer_finish(writer, err);
    sv_tensor_writer_close(writer);
    free(plans);
    free(names);
    return s;
}

/* Of the loop's state, then of all numbers in the file's order: in memory when they are written, of the file's bytes
 * when they are read. Reals as sv_json_save writes them: they come back as these. */
static sv_status put_digest(json_t *state, const sv_trainee *t, const sv_adamw *o, const sv_tensor_file *file,
                            sv_error *err) {
    size_t n = N_PARTS * t->n_parameters;
    unsigned char digest[SV_DIGEST_SIZE];
    char hex[2 * SV_DIGEST_SIZE + 1];
    char *text = json_dumps(state, JSON_COMPACT | JSON_SORT_KEYS | SV_JSON_REALS);
    sv_bytes *bytes = sv_calloc(n + 1, sizeof *bytes);
    sv_status s = text && bytes ? SV_OK : sv_fail_memory(err, "checksum", n * sizeof *bytes);
    if (!s) bytes[0] = (sv_bytes){text, strlen(text)};
    for (int part = 0; part < N_PARTS && !s; part++) {
        size_t at = 0;
        for (size_t i = 0; i < t->n_parameters; at += t->parameters[i++].n) {
            char name[NAME_ROOM];
            const void *data = part_of(t, o, part, i, at);
            name_of(t, part, i, name);
            if (file) data = sv_tensor_find(file, name)->data;
            bytes[1 + (size_t)part * t->n_parameters + i] = (sv_bytes){data, t->parameters[i].n * sizeof(float)};
        }
    }
    if (!s) {
        sv_digest(bytes, n + 1, digest);
        for (size_t i = 0; i < sizeof digest; i++) snprintf(hex + 2 * i, 3, "%02x", digest[i]);
        if (json_object_set_new(state, "sha256", json_string(hex))) s = sv_fail_memory(err, "checksum", sizeof hex);
    }
    free(text);
    free(bytes);
    return s;
}

static sv_status write_loop(const sv_trainee *t, const sv_adamw *o, const json_t *loop, const char *folder,
                            sv_error *err) {
    char *path = sv_path_join(folder, "state.json");
    json_t *state = json_pack("{s:I,s:O}", "updates", (json_int_t)o->n_updates, "loop", loop);
    sv_status s = path && state ? put_digest(state, t, o, NULL, err) : sv_fail_memory(err, "checkpoint", 0);
    if (!s) s = sv_json_save(path, state, err);
    json_decref(state);
    free(path);
    return s;
}

/* Numbers of the checkpoints in a folder, rising; NULL with *n = 0 when there are none. */
static int64_t *list(const char *output, size_t *n) {
    DIR *folder = opendir(output);
    int64_t *numbers = NULL;
    size_t capacity = 0;
    *n = 0;
    for (struct dirent *e; folder && (e = readdir(folder));) {
        char *end;
        if (strncmp(e->d_name, PREFIX, sizeof PREFIX - 1) != 0) continue;
        long long number = strtoll(e->d_name + sizeof PREFIX - 1, &end, 10);
        if (*end || end == e->d_name + sizeof PREFIX - 1) continue;
        if (!sv_grow(&numbers, *n, &capacity, sizeof *numbers)) break;
        size_t at = (*n)++;
        for (; at > 0 && numbers[at - 1] > number; at--) numbers[at] = numbers[at - 1];
        numbers[at] = number;
    }
    if (folder) closedir(folder);
    return numbers;
}

bool sv_checkpoint_exists(const char *output) {
    size_t n;
    free(list(output, &n));
    return n > 0;
}

static char *path_of(const char *output, int64_t number) {
    char name[64];
    snprintf(name, sizeof name, PREFIX "%lld", (long long)number);
    return sv_path_join(output, name);
}

/* "checkpoint-12.345.part" or ".old": of a process that was killed while it wrote. */
static bool is_left_behind(const char *name) {
    const char *rest = name + sizeof PREFIX - 1;
    if (strncmp(name, PREFIX, sizeof PREFIX - 1) != 0) return false;
    for (int i = 0; i < 2; i++) {
        size_t n = strspn(rest, "0123456789");
        if (n == 0 || rest[n] != '.') return false;
        rest += n + 1;
    }
    return strcmp(rest, "part") == 0 || strcmp(rest, "old") == 0;
}

static void remove_left_behind(const char *output) {
    DIR *folder = opendir(output);
    for (struct dirent *e; folder && (e = readdir(folder));) {
        char *path = is_left_behind(e->d_name) ? sv_path_join(output, e->d_name) : NULL;
        if (path) sv_folder_remove(path);
        free(path);
    }
    if (folder) closedir(folder);
}

/* A later one than the present is damaged, or the run would be behind it: it does not count. */
static void remove_old(const char *output, int64_t present, int64_t keep) {
    size_t n;
    int64_t *numbers = list(output, &n);
    while (n > 0 && numbers[n - 1] > present) n--;
    for (size_t i = 0; keep > 0 && i + (size_t)keep < n; i++) {
        char *path = path_of(output, numbers[i]);
        if (path) sv_folder_remove(path);
        free(path);
    }
    free(numbers);
}

sv_status sv_checkpoint_save(const char *output, const sv_trainee *t, const sv_adamw *o, const json_t *loop,
                             int64_t keep, sv_error *err) {
    sv_folder_writer folder = {0};
    remove_left_behind(output);
    char *path = path_of(output, o->n_updates);
    sv_status s = path ? SV_OK : sv_fail_memory(err, "path", 0);
    if (!s) s = sv_folder_writer_open(&folder, path, 4.0 * sizeof(float) * (double)t->n_values, true, err);
    if (!s) s = write_state(t, o, folder.temporary, err);
    if (!s && t->rank > 0) s = sv_save_adapter_files(t, folder.temporary, err);
    if (!s) s = write_loop(t, o, loop, folder.temporary, err);
    if (!s) s = sv_folder_writer_commit(&folder, err);
    sv_folder_writer_abort(&folder);
    if (!s) remove_old(output, o->n_updates, keep);
    free(path);
    return s;
}

/* ---- reading */

static sv_status check_tensor(const sv_tensor *tensor, const sv_parameter *p, const char *name, const char *path,
                              sv_error *err) {
    bool fits = tensor && tensor->dtype == SV_F32 && tensor->n_dims == p->n_dims &&
                memcmp(tensor->shape, p->shape, (size_t)p->n_dims * sizeof *p->shape) == 0;
    if (fits) return SV_OK;
    return sv_fail(err, SV_ERR_INPUT, "%s: '%s' %s: is it the checkpoint of this run?", path, name,
                   tensor ? "has another shape or type" : "is missing");
}

static sv_status check_tensors(const sv_tensor_file *file, const sv_trainee *t, const char *path, sv_error *err) {
    size_t n = N_PARTS * t->n_parameters;
    sv_status s = SV_OK;
    if (sv_tensor_count(file) != n) {
        s = sv_fail(err, SV_ERR_INPUT, "%s: has %zu tensors, this run %zu: is it its checkpoint?", path,
                    sv_tensor_count(file), n);
    }
    for (size_t i = 0; i < n && !s; i++) {
        char name[NAME_ROOM];
        name_of(t, (int)(i / t->n_parameters), i % t->n_parameters, name);
        s = check_tensor(sv_tensor_find(file, name), &t->parameters[i % t->n_parameters], name, path, err);
    }
    return s;
}

static sv_status check_digest(const json_t *state, const sv_tensor_file *file, const sv_trainee *t, const sv_adamw *o,
                              const char *path, sv_error *err) {
    const char *expected = sv_json_text(state, "sha256", "");
    json_t *again =
        json_pack("{s:O,s:O}", "updates", json_object_get(state, "updates"), "loop", json_object_get(state, "loop"));
    sv_status s = again ? put_digest(again, t, o, file, err) : sv_fail_memory(err, "checksum", 0);
    if (!s && strcmp(expected, sv_json_text(again, "sha256", "")) != 0) {
        s = sv_fail(err, SV_ERR_INPUT,
                    "%s: state.safetensors and state.json do not have the checksum they were written with: the disk or "
                    "a copy has changed them",
                    path);
    }
    json_decref(again);
    return s;
}

static void take_tensors(const sv_tensor_file *file, const sv_trainee *t, sv_adamw *o) {
    for (int part = 0; part < N_PARTS; part++) {
        size_t at = 0;
        for (size_t i = 0; i < t->n_parameters; at += t->parameters[i++].n) {
            char name[NAME_ROOM];
            name_of(t, part, i, name);
            sv_tensor_read_f32(sv_tensor_find(file, name), 0, t->parameters[i].n,
                               (float *)(uintptr_t)part_of(t, o, part, i, at));
        }
    }
}

/* Nothing is changed before all fits. */
static sv_status read_tensors(const char *path, const json_t *state, sv_trainee *t, sv_adamw *o, sv_error *err) {
    char *name = sv_path_join(path, "state.safetensors");
    sv_tensor_file *file = NULL;
    sv_status s = name ? sv_tensor_file_open(name, &file, err) : sv_fail_memory(err, "path", 0);
    free(name);
    if (!s) s = check_tensors(file, t, path, err);
    if (!s) s = check_digest(state, file, t, o, path, err);
    if (!s) take_tensors(file, t, o);
    sv_tensor_file_close(file);
    return s;
}

static sv_status read_checkpoint(const char *path, int64_t number, sv_trainee *t, sv_adamw *o, json_t **loop,
                                 sv_error *err) {
    char *name = sv_path_join(path, "state.json");
    json_t *state = NULL;
    sv_status s = name ? sv_json_load(name, &state, err) : sv_fail_memory(err, "path", 0);
    if (!s && (!json_is_object(json_object_get(state, "loop")) || sv_json_int(state, "updates", -1) != number)) {
        s = sv_fail(err, SV_ERR_INPUT, "%s: expected %lld updates and the state of the loop", name, (long long)number);
    }
    if (!s) s = read_tensors(path, state, t, o, err);
    if (!s) {
        o->n_updates = number;
        *loop = json_incref(json_object_get(state, "loop"));
        sv_trainee_values_changed(t);
    }
    json_decref(state);
    free(name);
    return s;
}

sv_status sv_checkpoint_load(const char *output, sv_trainee *t, sv_adamw *o, json_t **loop, sv_error *passed_over,
                             sv_error *err) {
    size_t n;
    int64_t *numbers = list(output, &n);
    sv_error newest = {0}, found = {0};
    *loop = NULL;
    *passed_over = (sv_error){0};
    sv_status s = SV_OK;
    for (size_t i = n; i-- > 0;) {
        char *path = path_of(output, numbers[i]);
        s = path ? read_checkpoint(path, numbers[i], t, o, loop, &found) : sv_fail_memory(&found, "path", 0);
        free(path);
        if (s != SV_ERR_INPUT) break;
        if (i + 1 == n) newest = found;
    }
    if (!s && newest.status) {
        *passed_over = newest;
        sv_error_prefix(passed_over, "going on from checkpoint-%lld, as what is newer cannot be read",
                        (long long)o->n_updates);
    } else if (s == SV_ERR_INPUT) {
        found = newest;
        sv_error_prefix(&found,
                        "none of the checkpoints in %s can be read; put a copy of one there, or remove them all to "
                        "begin anew; the newest",
                        output);
    }
    if (s && err) *err = found;
    free(numbers);
    return s;
}
