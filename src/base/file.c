/* file.c - reading, mapping and atomic writing of files. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"

static sv_status open_regular(const char *path, int *fd, size_t *len, sv_error *err) {
    *fd = open(path, O_RDONLY | O_CLOEXEC);
    if (*fd < 0) return sv_fail_errno(err, SV_ERR_INPUT, "%s: cannot open", path);
    struct stat st;
    if (fstat(*fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(*fd);
        return sv_fail(err, SV_ERR_INPUT, "%s: expected a regular file, found something else", path);
    }
    *len = (size_t)st.st_size;
    return SV_OK;
}

sv_status sv_file_read(const char *path, size_t max_bytes, char **out, size_t *out_len, sv_error *err) {
    int fd;
    size_t len, done = 0;
    sv_status s = open_regular(path, &fd, &len, err);
    if (s) return s;
    if (len > max_bytes) {
        close(fd);
        return sv_fail(err, SV_ERR_INPUT, "%s: %zu bytes, at most %zu are read", path, len, max_bytes);
    }
    char *data = malloc(len + 1);
    if (!data) {
        close(fd);
        return sv_fail_memory(err, path, len + 1);
    }
    while (done < len) {
        ssize_t n = read(fd, data + done, len - done);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            s = sv_fail_errno(err, SV_ERR_INPUT, "%s: cannot read", path);
            free(data);
            close(fd);
            return s;
        }
        if (n == 0) break;
        done += (size_t)n;
    }
    close(fd);
    data[done] = 0;
    *out = data;
    *out_len = done;
    return SV_OK;
}

sv_status sv_map_open(const char *path, sv_map *out, sv_error *err) {
    int fd;
    size_t len;
    *out = (sv_map){0};
    sv_status s = open_regular(path, &fd, &len, err);
    if (s) return s;
    if (len == 0) {
        close(fd);
        return sv_fail(err, SV_ERR_INPUT, "%s: the file is empty", path);
    }
    void *data = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);
    if (data == MAP_FAILED) s = sv_fail_errno(err, SV_ERR_INPUT, "%s: cannot map %zu bytes", path, len);
    close(fd);
    if (s) return s;
    out->data = data;
    out->len = len;
    return SV_OK;
}

void sv_map_close(sv_map *map) {
    if (map->data) munmap((void *)(uintptr_t)map->data, map->len);
    *map = (sv_map){0};
}

sv_status sv_file_writer_open(sv_file_writer *w, const char *path, sv_error *err) {
    *w = (sv_file_writer){0};
    size_t room = strlen(path) + 32;
    w->path = sv_strndup(path, strlen(path));
    w->temporary = malloc(room);
    if (!w->path || !w->temporary) {
        sv_file_writer_abort(w);
        return sv_fail_memory(err, path, room);
    }
    snprintf(w->temporary, room, "%s.%ld.part", path, (long)getpid());
    int fd = open(w->temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd >= 0) w->stream = fdopen(fd, "wb");
    if (!w->stream) {
        sv_status s = sv_fail_errno(err, SV_ERR_OUTPUT, "%s: cannot create", w->temporary);
        if (fd >= 0) close(fd);
        sv_file_writer_abort(w);
        return s;
    }
    return SV_OK;
}

/* The rename itself survives a power cut only when the folder is synced too. */
static void sync_folder(const char *path) {
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    if (slash && (size_t)(slash - path) >= sizeof folder) return;
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;
    (void)fsync(fd);
    close(fd);
}

sv_status sv_file_writer_commit(sv_file_writer *w, sv_error *err) {
    sv_status s = SV_OK;
    if (ferror(w->stream) || fflush(w->stream) != 0 || fsync(fileno(w->stream)) != 0) {
        s = sv_fail_errno(err, SV_ERR_OUTPUT, "%s: cannot write", w->path);
    }
    if (fclose(w->stream) != 0 && !s) s = sv_fail_errno(err, SV_ERR_OUTPUT, "%s: cannot write", w->path);
    w->stream = NULL;
    if (!s && rename(w->temporary, w->path) != 0) {
        s = sv_fail_errno(err, SV_ERR_OUTPUT, "%s: cannot replace", w->path);
    }
    if (!s) {
        sync_folder(w->path);
        free(w->temporary);
        w->temporary = NULL;
    }
    sv_file_writer_abort(w);
    return s;
}

void sv_file_writer_abort(sv_file_writer *w) {
    if (w->stream) fclose(w->stream);
    if (w->temporary) unlink(w->temporary);
    free(w->temporary);
    free(w->path);
    *w = (sv_file_writer){0};
}

sv_status sv_file_write(const char *path, const void *data, size_t len, sv_error *err) {
    sv_file_writer w;
    sv_status s = sv_file_writer_open(&w, path, err);
    if (s) return s;
    if (len && fwrite(data, 1, len, w.stream) != len) {
        s = sv_fail_errno(err, SV_ERR_OUTPUT, "%s: cannot write", path);
        sv_file_writer_abort(&w);
        return s;
    }
    return sv_file_writer_commit(&w, err);
}

sv_status sv_make_dirs(const char *path, sv_error *err) {
    char partial[PATH_MAX];
    size_t n = strlen(path);
    if (n == 0 || n >= sizeof partial) return sv_fail(err, SV_ERR_OUTPUT, "'%s': not a usable folder name", path);
    memcpy(partial, path, n + 1);
    for (size_t i = 1; i <= n; i++) {
        if (partial[i] != '/' && partial[i] != 0) continue;
        partial[i] = 0;
        if (mkdir(partial, 0777) != 0 && errno != EEXIST) {
            return sv_fail_errno(err, SV_ERR_OUTPUT, "%s: cannot create the folder", partial);
        }
        partial[i] = path[i];
    }
    struct stat st;
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) {
        return sv_fail(err, SV_ERR_OUTPUT, "%s: expected a folder, found a file; name another output folder", path);
    }
    return SV_OK;
}

char *sv_path_join(const char *folder, const char *name) {
    size_t n = strlen(folder), room = n + strlen(name) + 2;
    char *path = malloc(room);
    if (path) snprintf(path, room, "%s%s%s", folder, n && folder[n - 1] != '/' ? "/" : "", name);
    return path;
}

const char *sv_path_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

bool sv_file_exists(const char *path) { return access(path, F_OK) == 0; }
