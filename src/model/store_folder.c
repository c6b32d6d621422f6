/* store_folder.c - the size of the store's folder. */
#include "model/store_folder.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"

#define NAME_DIGITS 64
#define LEFT_BEHIND_S (24 * 3600)

typedef struct stored {
    char *path;
    uint64_t n_bytes;
    struct timespec modified;
} stored;

typedef struct listing {
    stored *items;
    size_t n, capacity;
    uint64_t n_bytes;
} listing;

static void free_listing(listing *l) {
    for (size_t i = 0; i < l->n; i++) free(l->items[i].path);
    free(l->items);
}

/* What follows the digits and the suffix; NULL when the name is not of this store. */
static const char *rest_of_name(const char *name) {
    if (strspn(name, "0123456789abcdef") != NAME_DIGITS) return NULL;
    size_t n = strlen(SV_STORE_SUFFIX);
    return strncmp(name + NAME_DIGITS, SV_STORE_SUFFIX, n) == 0 ? name + NAME_DIGITS + n : NULL;
}

static bool is_left_behind(const char *rest, const struct stat *st) {
    size_t n = strlen(rest);
    return n > 5 && strcmp(rest + n - 5, ".part") == 0 && time(NULL) - st->st_mtime > LEFT_BEHIND_S;
}

/* Takes over `path`. */
static bool note(listing *l, char *path, const struct stat *st) {
    if (!sv_grow(&l->items, l->n, &l->capacity, sizeof *l->items)) {
        free(path);
        return false;
    }
    l->items[l->n++] = (stored){path, (uint64_t)st->st_size, st->st_mtim};
    l->n_bytes += (uint64_t)st->st_size;
    return true;
}

static bool look_at(const char *folder, const char *name, listing *l) {
    const char *rest = rest_of_name(name);
    if (!rest) return true;
    struct stat st;
    char *path = sv_path_join(folder, name);
    if (!path) return false;
    if (lstat(path, &st) == 0 && S_ISREG(st.st_mode)) {
        if (!*rest) return note(l, path, &st);
        if (is_left_behind(rest, &st)) (void)unlink(path);
    }
    free(path);
    return true;
}

static int oldest_first(const void *a, const void *b) {
    const struct timespec x = ((const stored *)a)->modified, y = ((const stored *)b)->modified;
    if (x.tv_sec != y.tv_sec) return x.tv_sec < y.tv_sec ? -1 : 1;
    return (x.tv_nsec > y.tv_nsec) - (x.tv_nsec < y.tv_nsec);
}

sv_status sv_store_folder_trim(const char *folder, uint64_t max_bytes, uint64_t n_bytes, sv_error *err) {
    if (n_bytes > max_bytes) {
        return sv_fail(err, SV_ERR_OUTPUT, "%s: a prefix of %.1f MiB is larger than the whole store may be (%.1f MiB)",
                       folder, (double)n_bytes * 0x1p-20, (double)max_bytes * 0x1p-20);
    }
    DIR *dir = opendir(folder);
    if (!dir) return sv_fail_errno(err, SV_ERR_OUTPUT, "%s: cannot list the folder", folder);
    listing l = {0};
    bool ok = true;
    for (struct dirent *entry; ok && (entry = readdir(dir));) ok = look_at(folder, entry->d_name, &l);
    closedir(dir);
    if (l.n) qsort(l.items, l.n, sizeof *l.items, oldest_first);
    for (size_t i = 0; ok && i < l.n && l.n_bytes > max_bytes - n_bytes; i++) {
        if (unlink(l.items[i].path) == 0) l.n_bytes -= l.items[i].n_bytes;
    }
    sv_status status = ok ? SV_OK : sv_fail_memory(err, "listing of the store", l.n * sizeof *l.items);
    if (ok && l.n_bytes > max_bytes - n_bytes) {
        status = sv_fail(err, SV_ERR_OUTPUT, "%s: old prefixes cannot be removed", folder);
    }
    free_listing(&l);
    return status;
}
