/* safetensors.c - the header is JSON: name -> {dtype, shape, data_offsets}; the bytes follow it. */
#include "model/safetensors.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"

#define MAX_HEADER_BYTES ((uint64_t)100 << 20)

struct sv_tensor_file {
    size_t n_maps;
    sv_map *maps;     /* one a shard */
    json_t **headers; /* names are borrowed from them; parallel to maps */
    size_t n, capacity;
    sv_tensor *tensors; /* by name, once all shards are read */
};

/* Shape and its size in bytes. */
static sv_status read_shape(const char *path, const json_t *shape, sv_tensor *t, sv_error *err) {
    if (!json_is_array(shape) || json_array_size(shape) > SV_TENSOR_MAX_DIMS) {
        return sv_fail(err, SV_ERR_INPUT, "%s: tensor %s: expected a shape of at most %d sizes", path, t->name,
                       SV_TENSOR_MAX_DIMS);
    }
    size_t bytes = sv_dtype_size(t->dtype), i;
    json_t *item;
    json_array_foreach(shape, i, item) {
        json_int_t n = json_is_integer(item) ? json_integer_value(item) : -1;
        if (n < 0 || !sv_mul_size(bytes, (size_t)n, &bytes)) {
            return sv_fail(err, SV_ERR_INPUT, "%s: tensor %s: size %zu of the shape is not usable", path, t->name, i);
        }
        t->shape[t->n_dims++] = n;
    }
    t->n_bytes = bytes;
    return SV_OK;
}

static sv_status read_entry(const char *path, const char *name, const json_t *entry, const unsigned char *data,
                            size_t data_len, sv_tensor *t, sv_error *err) {
    *t = (sv_tensor){.name = name};
    const char *dtype = sv_json_text(entry, "dtype", "(none)");
    if (!sv_dtype_from_name(dtype, &t->dtype)) {
        return sv_fail(err, SV_ERR_UNSUPPORTED, "%s: tensor %s has the type '%s', which is not read", path, name,
                       dtype);
    }
    sv_status s = read_shape(path, json_object_get(entry, "shape"), t, err);
    if (s) return s;
    const json_t *offsets = json_object_get(entry, "data_offsets");
    const json_t *first = json_array_get(offsets, 0), *last = json_array_get(offsets, 1);
    json_int_t begin = json_is_integer(first) ? json_integer_value(first) : -1;
    json_int_t end = json_is_integer(last) ? json_integer_value(last) : -1;
    if (begin < 0 || end < begin || (uint64_t)end > data_len) {
        return sv_fail(err, SV_ERR_INPUT,
                       "%s: tensor %s lies at bytes %lld to %lld of %zu: the file is cut short or its header is wrong",
                       path, name, (long long)begin, (long long)end, data_len);
    }
    if ((uint64_t)(end - begin) != t->n_bytes) {
        return sv_fail(err, SV_ERR_INPUT, "%s: tensor %s: its type and shape need %zu bytes, the header gives %lld",
                       path, name, t->n_bytes, (long long)(end - begin));
    }
    t->data = data + begin;
    return SV_OK;
}

static sv_status read_header(const char *path, const sv_map *map, json_t **header, size_t *data_start, sv_error *err) {
    uint64_t len = 0;
    if (map->len < 8)
        return sv_fail(err, SV_ERR_INPUT, "%s: %zu bytes are too few for a safetensors file", path, map->len);
    for (int i = 7; i >= 0; i--) len = len << 8 | map->data[i];
    if (len > MAX_HEADER_BYTES || len > map->len - 8) {
        return sv_fail(err, SV_ERR_INPUT, "%s: not a safetensors file: a header of %llu bytes in a file of %zu", path,
                       (unsigned long long)len, map->len);
    }
    *data_start = 8 + (size_t)len;
    sv_status s = sv_json_parse_unique((const char *)map->data + 8, (size_t)len, path, header, err);
    if (!s && !json_is_object(*header)) {
        s = sv_fail(err, SV_ERR_INPUT, "%s: expected a JSON object as header", path);
    }
    return s;
}

static int by_place(const void *a, const void *b) {
    const sv_tensor *x = a, *y = b;
    return (x->data > y->data) - (x->data < y->data);
}

static sv_status check_overlaps(const char *path, sv_tensor *tensors, size_t n, sv_error *err) {
    qsort(tensors, n, sizeof *tensors, by_place);
    const sv_tensor *before = NULL;
    for (size_t i = 0; i < n; i++) {
        if (tensors[i].n_bytes == 0) continue;
        if (before && (const char *)before->data + before->n_bytes > (const char *)tensors[i].data) {
            return sv_fail(err, SV_ERR_INPUT, "%s: the tensors %s and %s overlap", path, before->name, tensors[i].name);
        }
        before = &tensors[i];
    }
    return SV_OK;
}

static sv_status add_shard(sv_tensor_file *f, const char *path, sv_error *err) {
    sv_map *map = &f->maps[f->n_maps];
    json_t **header = &f->headers[f->n_maps];
    sv_status s = sv_map_open(path, map, err);
    if (s) return s;
    f->n_maps++;
    size_t data_start = 0, first = f->n;
    if ((s = read_header(path, map, header, &data_start, err))) return s;
    const char *name;
    json_t *entry;
    json_object_foreach(*header, name, entry) {
        if (strcmp(name, "__metadata__") == 0) continue;
        if (!sv_grow(&f->tensors, f->n, &f->capacity, sizeof *f->tensors)) return sv_fail_memory(err, path, f->n);
        s = read_entry(path, name, entry, map->data + data_start, map->len - data_start, &f->tensors[f->n], err);
        if (s) return s;
        f->n++;
    }
    return f->n == first ? SV_OK : check_overlaps(path, f->tensors + first, f->n - first, err);
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const sv_tensor *)a)->name, ((const sv_tensor *)b)->name);
}

static sv_status sort_by_name(sv_tensor_file *f, const char *path, sv_error *err) {
    if (f->n) qsort(f->tensors, f->n, sizeof *f->tensors, by_name);
    for (size_t i = 1; i < f->n; i++) {
        if (strcmp(f->tensors[i - 1].name, f->tensors[i].name) != 0) continue;
        return sv_fail(err, SV_ERR_INPUT, "%s: the tensor %s stands in two places", path, f->tensors[i].name);
    }
    return SV_OK;
}

static sv_status new_file(size_t n_shards, sv_tensor_file **out, sv_error *err) {
    sv_tensor_file *f = sv_calloc(1, sizeof *f);
    *out = f;
    if (!f) return sv_fail_memory(err, "tensor file", sizeof *f);
    f->maps = sv_calloc(n_shards, sizeof *f->maps);
    f->headers = sv_calloc(n_shards, sizeof(json_t *));
    return f->maps && f->headers ? SV_OK : sv_fail_memory(err, "tensor file", n_shards * sizeof(sv_map));
}

/* Gives *out on success, frees on failure. */
static sv_status finish(sv_tensor_file *f, sv_status s, const char *path, sv_tensor_file **out, sv_error *err) {
    if (!s) s = sort_by_name(f, path, err);
    if (s) sv_tensor_file_close(f);
    *out = s ? NULL : f;
    return s;
}

sv_status sv_tensor_file_open(const char *path, sv_tensor_file **out, sv_error *err) {
    sv_tensor_file *f;
    sv_status s = new_file(1, &f, err);
    if (!s) s = add_shard(f, path, err);
    return finish(f, s, path, out, err);
}

/* A shard must be a file of the folder itself: the index is not trusted to name others. */
static bool is_plain_name(const char *name) { return name[0] && name[0] != '.' && !strchr(name, '/'); }

static sv_status add_named_shard(sv_tensor_file *f, const char *folder, const char *name, sv_error *err) {
    if (!is_plain_name(name)) {
        return sv_fail(err, SV_ERR_INPUT, "%s: the index names the shard '%s': expected a file of the same folder",
                       folder, name);
    }
    char *path = sv_path_join(folder, name);
    sv_status s = path ? add_shard(f, path, err) : sv_fail_memory(err, "path", strlen(folder));
    free(path);
    return s;
}

/* Every tensor of the index must be in the shard that the index gives; shards: name -> its place in f->headers. */
static sv_status check_index(const sv_tensor_file *f, const char *path, json_t *map, const json_t *shards,
                             sv_error *err) {
    const char *name;
    json_t *value;
    json_object_foreach(map, name, value) {
        const char *shard = json_string_value(value);
        if (!json_object_get(f->headers[json_integer_value(json_object_get(shards, shard))], name)) {
            return sv_fail(err, SV_ERR_INPUT, "%s: the tensor %s is not in its shard %s", path, name, shard);
        }
    }
    return SV_OK;
}

static sv_status open_indexed(const char *folder, const char *index_path, sv_tensor_file **out, sv_error *err) {
    json_t *index, *value, *shards;
    const char *name;
    *out = NULL;
    sv_status s = sv_json_load(index_path, &index, err);
    if (s) return s;
    json_t *map = json_object_get(index, "weight_map");
    shards = json_object(); /* each shard once with its number, in the order of its first tensor */
    if (!json_is_object(map)) s = sv_fail(err, SV_ERR_INPUT, "%s: expected an object \"weight_map\"", index_path);
    json_object_foreach(map, name, value) {
        const char *shard = json_string_value(value);
        if (!shard)
            s = sv_fail(err, SV_ERR_INPUT, "%s: the shard of %s is not a name", index_path, name);
        else if (!json_object_get(shards, shard) &&
                 json_object_set_new(shards, shard, json_integer((json_int_t)json_object_size(shards))) != 0)
            s = sv_fail_memory(err, "index", strlen(shard));
    }
    sv_tensor_file *f = NULL;
    if (!s) s = new_file(json_object_size(shards), &f, err);
    if (!s) {
        json_object_foreach(shards, name, value) {
            if ((s = add_named_shard(f, folder, name, err))) break;
        }
    }
    s = f ? finish(f, s, index_path, out, err) : s;
    if (!s && (s = check_index(*out, index_path, map, shards, err))) {
        sv_tensor_file_close(*out);
        *out = NULL;
    }
    json_decref(shards);
    json_decref(index);
    return s;
}

sv_status sv_tensor_folder_open(const char *folder, sv_tensor_file **out, sv_error *err) {
    char *whole = sv_path_join(folder, "model.safetensors"),
         *index = sv_path_join(folder, "model.safetensors.index.json");
    sv_status s;
    *out = NULL;
    if (!whole || !index)
        s = sv_fail_memory(err, "path", strlen(folder));
    else if (sv_file_exists(whole))
        s = sv_tensor_file_open(whole, out, err);
    else if (sv_file_exists(index))
        s = open_indexed(folder, index, out, err);
    else
        s = sv_fail(err, SV_ERR_INPUT, "%s: expected model.safetensors or model.safetensors.index.json, found neither",
                    folder);
    free(whole);
    free(index);
    return s;
}

void sv_tensor_file_close(sv_tensor_file *f) {
    if (!f) return;
    for (size_t i = 0; i < f->n_maps; i++) {
        json_decref(f->headers[i]);
        sv_map_close(&f->maps[i]);
    }
    free(f->headers);
    free(f->maps);
    free(f->tensors);
    free(f);
}

size_t sv_tensor_n_shards(const sv_tensor_file *f) { return f->n_maps; }
size_t sv_tensor_count(const sv_tensor_file *f) { return f->n; }
const sv_tensor *sv_tensor_at(const sv_tensor_file *f, size_t i) { return &f->tensors[i]; }

const sv_tensor *sv_tensor_find(const sv_tensor_file *f, const char *name) {
    sv_tensor key = {.name = name};
    return f->n ? bsearch(&key, f->tensors, f->n, sizeof key, by_name) : NULL;
}

void sv_tensor_read_f32(const sv_tensor *t, size_t first, size_t n, float *out) {
    sv_dtype_read_f32(t->dtype, t->data, first, n, out);
}
