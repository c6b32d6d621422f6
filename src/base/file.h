/*
 * file.h - whole files: read, mapped, and written so that a reader never sees half of one.
 */
#ifndef SV_BASE_FILE_H
#define SV_BASE_FILE_H

#include <stdio.h>

#include "base/status.h"

/* Reads a regular file of at most max_bytes into new memory (freed by the caller with free) with a 0 after the end.
 * SV_ERR_INPUT when it cannot be opened or is larger. */
sv_status sv_file_read(const char *path, size_t max_bytes, char **out, size_t *out_len, sv_error *err);

/* A file mapped read-only. The file must not be truncated by others while it is mapped. */
typedef struct sv_map {
    const unsigned char *data;
    size_t len;
} sv_map;
sv_status sv_map_open(const char *path, sv_map *out, sv_error *err);
void sv_map_close(sv_map *map);

/* A file being written beside its final name. Write to `stream`; then commit (flush, fsync, rename over `path`) or
 * abort (remove). After either the struct is zeroed. A zeroed struct may be aborted. */
typedef struct sv_file_writer {
    FILE *stream;
    char *path, *temporary;
} sv_file_writer;
sv_status sv_file_writer_open(sv_file_writer *w, const char *path, sv_error *err);
sv_status sv_file_writer_commit(sv_file_writer *w, sv_error *err);
void sv_file_writer_abort(sv_file_writer *w);

/* Writes `len` bytes as the new content of `path`, atomically (see sv_file_writer). */
sv_status sv_file_write(const char *path, const void *data, size_t len, sv_error *err);

/* Creates a folder and its parents; fine when it is there already. SV_ERR_OUTPUT otherwise. */
sv_status sv_make_dirs(const char *path, sv_error *err);

/* "folder/name" in new memory (free), NULL when there is none. */
char *sv_path_join(const char *folder, const char *name);

/* The part of `path` after the last '/'. Points into path. */
const char *sv_path_name(const char *path);

bool sv_file_exists(const char *path);

#endif
