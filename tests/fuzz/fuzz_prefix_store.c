/* fuzz_prefix_store.c - any bytes as the file of a prefix, and any changes of a sound one.
 *
 * The input is tried as it is; then as a list of changes to a sound file (3 bytes of place, 1 of value each), without
 * and with the right digest put behind them. Nothing may be used but what has the right key and the right digest. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/file.h"
#include "model/network.h"
#include "model/prefix_store.h"

enum { N_IDS = 3 };

static const int32_t ids[N_IDS] = {5, 77, 300};
static sv_prefix_store *store;
static char folder[] = "/tmp/sv-fuzz-XXXXXX", *path, *sound, *changed;
static size_t sound_len, key_len;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void clean_up(void) {
    unlink(path);
    rmdir(folder);
}

static void set_up(void) {
    sv_model *model;
    sv_workspace *workspace;
    sv_prefix *prefix;
    if (!mkdtemp(folder) || sv_model_load(SV_SOURCE_DIR "/models/nano", NULL, &model, NULL) ||
        sv_workspace_new(model, N_IDS, NULL, &workspace, NULL) ||
        sv_prefix_new(workspace, NULL, ids, N_IDS, &prefix, NULL) ||
        sv_prefix_store_new(model, folder, "fuzz", 0, &store, NULL) ||
        sv_prefix_store_save(store, prefix, ids, N_IDS, NULL)) {
        abort();
    }
    path = sv_prefix_store_path(store, NULL, ids, N_IDS);
    if (!path || sv_file_read(path, (size_t)1 << 30, &sound, &sound_len, NULL)) abort();
    changed = malloc(sound_len);
    if (!changed) abort();
    size_t keys, values;
    if (!sv_cache_sizes(&sv_model_get_config(model)->text, prefix->cache.capacity, &keys, &values)) abort();
    key_len = sound_len - SV_DIGEST_SIZE - (keys + values) * sizeof(float);
    sv_prefix_free(prefix);
    sv_workspace_free(workspace);
    atexit(clean_up);
}

static bool loads(const void *data, size_t size) {
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(data, 1, size, f) != size || fclose(f)) abort();
    sv_prefix *prefix;
    bool ok = sv_prefix_store_load(store, NULL, ids, N_IDS, &prefix);
    if (ok != (prefix != NULL) || (ok && sv_prefix_length(prefix) != N_IDS)) abort();
    sv_prefix_free(prefix);
    return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!store) set_up();
    if (loads(data, size) != (size == sound_len && memcmp(data, sound, size) == 0)) abort();
    memcpy(changed, sound, sound_len);
    for (size_t i = 0; i + 4 <= size; i += 4) {
        changed[((size_t)data[i] << 16 | (size_t)data[i + 1] << 8 | data[i + 2]) % sound_len] ^= (char)data[i + 3];
    }
    if (loads(changed, sound_len) != (memcmp(changed, sound, sound_len) == 0)) abort();
    size_t body = sound_len - SV_DIGEST_SIZE;
    sv_digest(&(sv_bytes){changed, body}, 1, (unsigned char *)changed + body);
    if (loads(changed, sound_len) != (memcmp(changed, sound, key_len) == 0)) abort();
    return 0;
}
