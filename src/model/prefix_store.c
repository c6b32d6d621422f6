/* prefix_store.c - reading and writing files of prefixes. */
#include "model/prefix_store.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <gnu/libc-version.h>
#endif

#include "base/build_id.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "model/network.h"
#include "model/store_folder.h"
#include "tensor/isa.h"
#include "tensor/product.h"

#define FORMAT_VERSION 1

struct sv_prefix_store {
    const sv_model *model;
    char *folder, *model_key;
    uint64_t max_bytes;
};

/* The temporary name of a file is the same for all threads of a process. */
static pthread_mutex_t writing = PTHREAD_MUTEX_INITIALIZER;

sv_status sv_prefix_store_new(const sv_model *model, const char *folder, const char *model_key, uint64_t max_bytes,
                              sv_prefix_store **out, sv_error *err) {
    *out = NULL;
    sv_prefix_store *s = sv_calloc(1, sizeof *s);
    if (!s) return sv_fail_memory(err, "store of prefixes", sizeof *s);
    s->model = model;
    s->max_bytes = max_bytes ? max_bytes : SV_PREFIX_STORE_MAX_BYTES;
    s->folder = sv_strndup(folder, strlen(folder));
    s->model_key = sv_strndup(model_key, strlen(model_key));
    if (!s->folder || !s->model_key) {
        sv_prefix_store_free(s);
        return sv_fail_memory(err, "store of prefixes", strlen(folder) + strlen(model_key));
    }
    *out = s;
    return SV_OK;
}

void sv_prefix_store_free(sv_prefix_store *s) {
    if (!s) return;
    free(s->folder);
    free(s->model_key);
    free(s);
}

char *sv_prefix_store_default_folder(void) {
    static const char *const places[][2] = {{"XDG_CACHE_HOME", "sleepvlm"}, {"HOME", ".cache/sleepvlm"}};
    for (size_t i = 0; i < SV_COUNT(places); i++) {
        const char *base = getenv(places[i][0]);
        if (base && base[0] == '/') return sv_path_join(base, places[i][1]);
    }
    return NULL;
}

/* Its sines and cosines go into the numbers. */
static const char *libc_version(void) {
#ifdef __GLIBC__
    return gnu_get_libc_version();
#else
    return "unknown";
#endif
}

/* Everything that the numbers depend on: the beginning of the file. */
static void write_key(const sv_prefix_store *store, size_t n_parent, const int32_t *ids, size_t n_ids, sv_strbuf *out) {
    static const char *const roundings[] = {"none", "bf16", "f16"};
    const sv_text_config *t = &store->model->config.text;
    char build[SV_BUILD_ID_SIZE];
    sv_build_id(build);
    sv_strbuf_printf(out, "sleepvlm prefix, format %d\nversion %s\nbuild %s\nlibc %s\nmodel %s\nrounding %s\n",
                     FORMAT_VERSION, sv_version(), build, libc_version(), store->model_key,
                     roundings[store->model->rounding]);
    sv_strbuf_printf(out, "instructions %s of", sv_isa_name(sv_isa_current()));
    for (int isa = 0; isa < SV_N_ISAS; isa++) {
        if (sv_isa_available((sv_isa)isa)) sv_strbuf_printf(out, " %s", sv_isa_name((sv_isa)isa));
    }
    sv_strbuf_printf(
        out, "\nnetwork D %d L %d H %d Hkv %d Dh %d F %d V %d eps %a theta %a sections %d %d %d panel %zu\n", t->hidden,
        t->n_layers, t->n_heads, t->n_kv_heads, t->head_dim, t->ffn, t->vocab, (double)t->rms_eps, t->rope_theta,
        t->mrope_section[0], t->mrope_section[1], t->mrope_section[2], SV_PANEL);
    sv_strbuf_printf(out, "tokens %zu to %zu\n", n_parent, n_ids);
    sv_strbuf_append(out, (const char *)ids, n_ids * sizeof *ids);
}

static char *path_of(const sv_prefix_store *store, const sv_strbuf *key) {
    char name[SV_SHA256_HEX_SIZE + sizeof SV_STORE_SUFFIX];
    sv_sha256_hex(key->data, key->len, name);
    memcpy(name + SV_SHA256_HEX_SIZE - 1, SV_STORE_SUFFIX, sizeof SV_STORE_SUFFIX);
    return sv_path_join(store->folder, name);
}

char *sv_prefix_store_path(const sv_prefix_store *store, const sv_prefix *parent, const int32_t *ids, size_t n_ids) {
    sv_strbuf key = {0};
    write_key(store, parent ? parent->length : 0, ids, n_ids, &key);
    char *path = key.failed ? NULL : path_of(store, &key);
    sv_strbuf_free(&key);
    return path;
}

/* What follows the key, as it lies in memory. */
typedef struct payload {
    size_t keys, values; /* bytes */
    size_t total;        /* of the file */
} payload;

static bool measure(const sv_prefix_store *store, size_t key_len, size_t n_own, payload *out) {
    size_t panels;
    return sv_add_size(n_own, SV_PANEL - 1, &panels) &&
           sv_cache_sizes(&store->model->config.text, sv_panel_round(n_own), &out->keys, &out->values) &&
           sv_mul_size(out->keys, sizeof(float), &out->keys) && sv_mul_size(out->values, sizeof(float), &out->values) &&
           sv_add_size(key_len, SV_DIGEST_SIZE, &out->total) && sv_add_size(out->total, out->keys, &out->total) &&
           sv_add_size(out->total, out->values, &out->total);
}

static bool read_all(int fd, void *data, size_t len) {
    for (size_t done = 0; done < len;) {
        ssize_t n = read(fd, (char *)data + done, len - done);
        if (n == 0 || (n < 0 && errno != EINTR)) return false;
        if (n > 0) done += (size_t)n;
    }
    return true;
}

/* A regular file of this user and this size; -1 otherwise. */
static int open_exact(const char *path, size_t size) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not hold us up */
    struct stat st;
    if (fd < 0) return -1;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() && st.st_size >= 0 &&
        (uintmax_t)st.st_size == size) {
        return fd;
    }
    close(fd);
    return -1;
}

/* Reads a file whose key is `key` into a cache of n_own tokens; on failure there is no cache. */
static bool read_file(const sv_prefix_store *store, const char *path, const sv_strbuf *key, size_t n_own,
                      sv_cache *cache) {
    payload size;
    *cache = (sv_cache){0};
    int fd = measure(store, key->len, n_own, &size) ? open_exact(path, size.total) : -1;
    if (fd < 0) return false;
    char *found = sv_calloc(key->len, 1);
    unsigned char stored[SV_DIGEST_SIZE], digest[SV_DIGEST_SIZE];
    bool ok = found && read_all(fd, found, key->len) && memcmp(found, key->data, key->len) == 0 &&
              sv_cache_new(&store->model->config.text, n_own, cache, NULL) == SV_OK &&
              read_all(fd, cache->keys, size.keys) && read_all(fd, cache->values, size.values) &&
              read_all(fd, stored, sizeof stored);
    if (ok) {
        const sv_bytes parts[] = {{found, key->len}, {cache->keys, size.keys}, {cache->values, size.values}};
        sv_digest(parts, SV_COUNT(parts), digest);
        ok = memcmp(digest, stored, sizeof digest) == 0;
    }
    if (ok) (void)futimens(fd, NULL); /* what is used is kept longest */
    close(fd);
    free(found);
    if (!ok) sv_cache_free(cache);
    return ok;
}

/* A prefix that sv_prefix_new would not refuse. */
static bool is_possible(const sv_prefix_store *store, const sv_prefix *parent, const int32_t *ids, size_t n_ids) {
    const sv_model_config *config = &store->model->config;
    size_t n_parent = parent ? parent->length : 0;
    if (n_ids <= n_parent || n_ids > (size_t)config->text.max_positions) return false;
    if (parent && (parent->model != store->model || parent->depth >= SV_MAX_PREFIX_DEPTH)) return false;
    for (size_t i = n_parent; i < n_ids; i++) {
        if (ids[i] < 0 || ids[i] >= config->text.vocab || ids[i] == config->image_token) return false;
    }
    return true;
}

bool sv_prefix_store_load(const sv_prefix_store *store, const sv_prefix *parent, const int32_t *ids, size_t n_ids,
                          sv_prefix **out) {
    *out = NULL;
    if (!is_possible(store, parent, ids, n_ids)) return false;
    size_t n_parent = parent ? parent->length : 0, n_own = n_ids - n_parent;
    sv_strbuf key = {0};
    sv_cache cache;
    write_key(store, n_parent, ids, n_ids, &key);
    char *path = key.failed ? NULL : path_of(store, &key);
    sv_prefix *prefix = path ? sv_calloc(1, sizeof *prefix) : NULL;
    if (prefix && read_file(store, path, &key, n_own, &cache)) {
        *prefix = (sv_prefix){.model = store->model,
                              .parent = parent,
                              .depth = parent ? parent->depth + 1 : 1,
                              .cache = cache,
                              .n_own = n_own,
                              .length = n_ids,
                              .next_position = (parent ? parent->next_position : 0) + (int32_t)n_own};
        *out = prefix;
    } else {
        free(prefix);
    }
    free(path);
    sv_strbuf_free(&key);
    return *out != NULL;
}

static sv_status write_parts(const char *path, const sv_bytes *parts, size_t n_parts, sv_error *err) {
    sv_file_writer w;
    sv_status status = sv_file_writer_open(&w, path, err);
    if (status) return status;
    bool ok = fchmod(fileno(w.stream), S_IRUSR | S_IWUSR) == 0;
    for (size_t i = 0; ok && i < n_parts; i++) ok = fwrite(parts[i].data, 1, parts[i].len, w.stream) == parts[i].len;
    if (ok) return sv_file_writer_commit(&w, err);
    status = sv_fail_errno(err, SV_ERR_OUTPUT, "%s: cannot write", path);
    sv_file_writer_abort(&w);
    return status;
}

static sv_status write_file(const sv_prefix_store *store, const sv_cache *cache, const sv_strbuf *key,
                            const payload *size, sv_error *err) {
    unsigned char digest[SV_DIGEST_SIZE];
    const sv_bytes parts[] = {
        {key->data, key->len}, {cache->keys, size->keys}, {cache->values, size->values}, {digest, sizeof digest}};
    sv_digest(parts, SV_COUNT(parts) - 1, digest);
    char *path = path_of(store, key);
    if (!path) return sv_fail_memory(err, "path", strlen(store->folder));
    pthread_mutex_lock(&writing);
    sv_status status = sv_make_dirs(store->folder, err);
    if (!status) status = sv_store_folder_trim(store->folder, store->max_bytes, size->total, err);
    if (!status) status = write_parts(path, parts, SV_COUNT(parts), err);
    pthread_mutex_unlock(&writing);
    free(path);
    return status;
}

sv_status sv_prefix_store_save(const sv_prefix_store *store, const sv_prefix *prefix, const int32_t *ids, size_t n_ids,
                               sv_error *err) {
    if (prefix->model != store->model || prefix->length != n_ids) {
        return sv_fail(err, SV_ERR_USAGE, "a prefix of %zu tokens is to be saved with %zu ids, or of another model",
                       prefix->length, n_ids);
    }
    sv_strbuf key = {0};
    payload size = {0};
    write_key(store, n_ids - prefix->n_own, ids, n_ids, &key);
    sv_status status = key.failed || !measure(store, key.len, prefix->n_own, &size)
                           ? sv_fail_memory(err, "file of a prefix", size.total)
                           : write_file(store, &prefix->cache, &key, &size, err);
    sv_strbuf_free(&key);
    return status;
}
