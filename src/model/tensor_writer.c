/* tensor_writer.c - headers are made from the plan, so that the data can follow as it comes. */
#include "model/tensor_writer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"

#define HEADER_STEP 8 /* headers end at a multiple: readers like aligned data */
#define MAX_SHARDS 99999

typedef struct shard {
    char *name;
    sv_file_writer writer;
    size_t first, n; /* tensors of the plan */
    uint64_t n_bytes;
} shard;

struct sv_tensor_writer {
    const sv_tensor_plan *plans;
    char *folder, *index_name;
    size_t n_shards, current;
    shard *shards;
    uint64_t written, total; /* in the current shard; of all */
};

static sv_status plan_bytes(const sv_tensor_plan *p, uint64_t *out, sv_error *err) {
    size_t n = sv_dtype_size(p->dtype);
    bool fits = p->n_dims >= 0 && p->n_dims <= SV_TENSOR_MAX_DIMS;
    for (int i = 0; fits && i < p->n_dims; i++) fits = p->shape[i] >= 0 && sv_mul_size(n, (size_t)p->shape[i], &n);
    *out = n;
    return fits ? SV_OK : sv_fail(err, SV_ERR_USAGE, "tensor '%s': its shape cannot be written", p->name);
}

/* Divides the plan: as many whole tensors to a shard as stay within the limit, at least one. */
static sv_status divide(sv_tensor_writer *w, size_t n_plans, uint64_t limit, sv_error *err) {
    size_t capacity = 0;
    for (size_t i = 0; i < n_plans; i++) {
        uint64_t n;
        sv_status s = plan_bytes(&w->plans[i], &n, err);
        if (s) return s;
        shard *last = w->n_shards ? &w->shards[w->n_shards - 1] : NULL;
        if (!last || (limit && last->n_bytes + n > limit)) {
            if (!sv_grow(&w->shards, w->n_shards, &capacity, sizeof *w->shards))
                return sv_fail_memory(err, "shards", n);
            last = &w->shards[w->n_shards++];
            *last = (shard){.first = i};
        }
        last->n++;
        last->n_bytes += n;
        w->total += n;
    }
    if (w->n_shards <= MAX_SHARDS && w->n_shards > 0) return SV_OK;
    return sv_fail(err, SV_ERR_USAGE, "%zu shards: expected 1 to %d", w->n_shards, MAX_SHARDS);
}

static json_t *describe(const sv_tensor_plan *p, uint64_t *offset) {
    json_t *shape = json_array();
    uint64_t n = sv_dtype_size(p->dtype), begin = *offset;
    for (int i = 0; i < p->n_dims; i++) {
        json_array_append_new(shape, json_integer(p->shape[i]));
        n *= (uint64_t)p->shape[i];
    }
    *offset += n;
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", sv_dtype_name(p->dtype), "shape", shape, "data_offsets",
                     (json_int_t)begin, (json_int_t)*offset);
}

static sv_status write_header(const sv_tensor_writer *w, shard *sh, sv_error *err) {
    uint64_t offset = 0;
    json_t *header = json_pack("{s:{s:s}}", "__metadata__", "format", "pt");
    bool complete = header != NULL;
    for (size_t i = sh->first; i < sh->first + sh->n; i++) {
        complete &= json_object_set_new(header, w->plans[i].name, describe(&w->plans[i], &offset)) == 0;
    }
    complete &= json_object_size(header) == sh->n + 1; /* no name stands twice */
    char *text = complete ? json_dumps(header, JSON_COMPACT) : NULL;
    json_decref(header);
    if (!text) return sv_fail(err, SV_ERR_INTERNAL, "%s: the names of the tensors cannot be written", sh->name);
    size_t len = strlen(text), padded = (len + HEADER_STEP - 1) / HEADER_STEP * HEADER_STEP;
    unsigned char size[8];
    for (int i = 0; i < 8; i++) size[i] = (unsigned char)((uint64_t)padded >> 8 * i);
    FILE *f = sh->writer.stream;
    bool good = fwrite(size, 1, 8, f) == 8 && fwrite(text, 1, len, f) == len;
    for (size_t i = len; good && i < padded; i++) good = putc(' ', f) != EOF;
    free(text);
    return good ? SV_OK : sv_fail_errno(err, SV_ERR_OUTPUT, "%s: cannot write", sh->writer.path);
}

static sv_status open_shards(sv_tensor_writer *w, const char *stem, sv_error *err) {
    for (size_t i = 0; i < w->n_shards; i++) {
        shard *sh = &w->shards[i];
        char name[128];
        if (w->n_shards == 1) {
            snprintf(name, sizeof name, "%.64s.safetensors", stem);
        } else {
            snprintf(name, sizeof name, "%.64s-%05zu-of-%05zu.safetensors", stem, i + 1, w->n_shards);
        }
        sh->name = sv_strndup(name, strlen(name));
        char *path = sv_path_join(w->folder, name);
        sv_status s = sh->name && path ? sv_file_writer_open(&sh->writer, path, err) : sv_fail_memory(err, name, 0);
        free(path);
        if (!s) s = write_header(w, sh, err);
        if (s) return s;
    }
    return SV_OK;
}

sv_status sv_tensor_writer_open(const char *folder, const char *stem, const sv_tensor_plan *plans, size_t n_plans,
                                uint64_t max_shard_bytes, sv_tensor_writer **out, sv_error *err) {
    *out = NULL;
    sv_tensor_writer *w = sv_calloc(1, sizeof *w);
    if (!w) return sv_fail_memory(err, "tensor writer", sizeof *w);
    char index_name[128];
    snprintf(index_name, sizeof index_name, "%.64s.safetensors.index.json", stem);
    w->plans = plans;
    w->folder = sv_strndup(folder, strlen(folder));
    w->index_name = sv_strndup(index_name, strlen(index_name));
    sv_status s = w->folder && w->index_name ? SV_OK : sv_fail_memory(err, "tensor writer", strlen(folder));
    if (!s) s = divide(w, n_plans, max_shard_bytes, err);
    if (!s) s = open_shards(w, stem, err);
    if (s) {
        sv_tensor_writer_close(w);
        return s;
    }
    *out = w;
    return SV_OK;
}

sv_status sv_tensor_writer_put(sv_tensor_writer *w, const void *bytes, size_t n, sv_error *err) {
    const char *at = bytes;
    while (n) {
        while (w->current < w->n_shards && w->written == w->shards[w->current].n_bytes) {
            w->current++;
            w->written = 0;
        }
        if (w->current == w->n_shards) return sv_fail(err, SV_ERR_INTERNAL, "more tensor data than was planned");
        shard *sh = &w->shards[w->current];
        size_t part = (size_t)SV_MIN((uint64_t)n, sh->n_bytes - w->written);
        if (fwrite(at, 1, part, sh->writer.stream) != part) {
            return sv_fail_errno(err, SV_ERR_OUTPUT, "%s: cannot write", sh->writer.path);
        }
        at += part;
        n -= part;
        w->written += part;
    }
    return SV_OK;
}

static sv_status write_index(const sv_tensor_writer *w, sv_error *err) {
    json_t *map = json_object();
    for (size_t i = 0; i < w->n_shards; i++) {
        const shard *sh = &w->shards[i];
        for (size_t k = sh->first; k < sh->first + sh->n; k++) {
            json_object_set_new(map, w->plans[k].name, json_string(sh->name));
        }
    }
    json_t *index = json_pack("{s:{s:I}, s:o}", "metadata", "total_size", (json_int_t)w->total, "weight_map", map);
    char *path = sv_path_join(w->folder, w->index_name);
    sv_status s = index && path ? sv_json_save(path, index, err) : sv_fail_memory(err, w->index_name, 0);
    free(path);
    json_decref(index);
    return s;
}

sv_status sv_tensor_writer_finish(sv_tensor_writer *w, sv_error *err) {
    uint64_t put = w->written;
    for (size_t i = 0; i < w->current && i < w->n_shards; i++) put += w->shards[i].n_bytes;
    if (put != w->total) {
        return sv_fail(err, SV_ERR_INTERNAL, "%" PRIu64 " bytes of tensor data where %" PRIu64 " were planned", put,
                       w->total);
    }
    sv_status s = SV_OK;
    for (size_t i = 0; !s && i < w->n_shards; i++) s = sv_file_writer_commit(&w->shards[i].writer, err);
    return s || w->n_shards == 1 ? s : write_index(w, err);
}

void sv_tensor_writer_close(sv_tensor_writer *w) {
    if (!w) return;
    for (size_t i = 0; i < w->n_shards; i++) {
        sv_file_writer_abort(&w->shards[i].writer);
        free(w->shards[i].name);
    }
    free(w->shards);
    free(w->folder);
    free(w->index_name);
    free(w);
}
