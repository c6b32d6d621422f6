/* folder.c - room, a temporary folder, and its change of name. */
#include "base/folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"

#define ENDING_ROOM 40 /* of a temporary name: a process number and a word */

static bool is_entry(const struct dirent *e) { return strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0; }

/* Entries of a folder; *n_folders of them are folders. -1 when it is none. */
static int count_entries(const char *path, int *n_folders) {
    struct stat st;
    int n = 0;
    *n_folders = 0;
    if (lstat(path, &st) != 0 || !S_ISDIR(st.st_mode)) return -1;
    DIR *d = opendir(path);
    if (!d) return -1;
    for (struct dirent *e; (e = readdir(d));) {
        if (!is_entry(e)) continue;
        n++;
        if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 || S_ISDIR(st.st_mode)) ++*n_folders;
    }
    closedir(d);
    return n;
}

/* rename(2) puts a folder in the place of an empty one, and of nothing else. */
static sv_status check_target(const char *path, bool force, bool *replaces, sv_error *err) {
    struct stat st;
    int n_folders;
    *replaces = false;
    if (lstat(path, &st) != 0) return SV_OK;
    int n = count_entries(path, &n_folders);
    if (n == 0) return SV_OK;
    *replaces = force && n > 0 && n_folders == 0;
    if (*replaces) return SV_OK;
    if (force) {
        return sv_fail(err, SV_ERR_OUTPUT, "%s: %s, which is not replaced; remove it or name another folder", path,
                       n < 0 ? "is not a folder" : "holds folders");
    }
    return sv_fail(err, SV_ERR_OUTPUT, "%s: is there already; remove it or name another folder", path);
}

static void put_size(char out[32], double n_bytes) {
    if (n_bytes >= 1e9) {
        snprintf(out, 32, "%.2f GB", n_bytes / 1e9);
    } else {
        snprintf(out, 32, "%.1f MB", n_bytes / 1e6);
    }
}

/* The folder above; it is made when it is not there. */
static sv_status prepare_parent(const char *path, double n_bytes, sv_error *err) {
    char parent[PATH_MAX], need[32], found[32];
    snprintf(parent, sizeof parent, "%s", path);
    char *slash = strrchr(parent, '/');
    if (slash == parent) {
        parent[1] = 0;
    } else if (slash) {
        *slash = 0;
    } else {
        snprintf(parent, sizeof parent, ".");
    }
    sv_status s = sv_make_dirs(parent, err);
    if (s) return s;
    struct statvfs disk;
    if (statvfs(parent, &disk) != 0) return sv_fail_errno(err, SV_ERR_OUTPUT, "%s: cannot ask for room", parent);
    double room = (double)disk.f_bavail * (double)disk.f_frsize;
    if (room >= n_bytes) return SV_OK;
    put_size(need, n_bytes);
    put_size(found, room);
    return sv_fail(err, SV_ERR_OUTPUT, "%s: the folder needs %s, the disk has room for %s; name a folder elsewhere",
                   parent, need, found);
}

sv_status sv_folder_writer_open(sv_folder_writer *w, const char *path, double n_bytes, bool force, sv_error *err) {
    *w = (sv_folder_writer){0};
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/') len--;
    if (len == 0 || len + ENDING_ROOM >= PATH_MAX || strcmp(path, "/") == 0) {
        return sv_fail(err, SV_ERR_USAGE, "'%.200s': not a usable folder name", path);
    }
    w->path = sv_strndup(path, len);
    char *temporary = malloc(len + ENDING_ROOM);
    sv_status s = w->path && temporary ? SV_OK : sv_fail_memory(err, path, len + ENDING_ROOM);
    if (!s) s = check_target(w->path, force, &w->replaces, err);
    if (!s) s = prepare_parent(w->path, n_bytes, err);
    if (!s) {
        snprintf(temporary, len + ENDING_ROOM, "%s.%ld.part", w->path, (long)getpid());
        if (mkdir(temporary, 0777) != 0) s = sv_fail_errno(err, SV_ERR_OUTPUT, "%s: cannot make", temporary);
    }
    if (s) {
        free(temporary);
        sv_folder_writer_abort(w);
        return s;
    }
    w->temporary = temporary;
    return SV_OK;
}

/* Two renames: between them nothing stands at path, and what was there can be put back. */
static sv_status replace(const sv_folder_writer *w, sv_error *err) {
    size_t room = strlen(w->path) + ENDING_ROOM;
    char *old = malloc(room);
    if (!old) return sv_fail_memory(err, w->path, room);
    snprintf(old, room, "%s.%ld.old", w->path, (long)getpid());
    sv_status s = SV_OK;
    if (rename(w->path, old) != 0) {
        s = sv_fail_errno(err, SV_ERR_OUTPUT, "%s: cannot replace", w->path);
    } else if (rename(w->temporary, w->path) != 0) {
        s = sv_fail_errno(err, SV_ERR_OUTPUT, "%s: cannot give the folder its name", w->path);
        (void)rename(old, w->path);
    } else {
        sv_folder_remove(old);
    }
    free(old);
    return s;
}

sv_status sv_folder_writer_commit(sv_folder_writer *w, sv_error *err) {
    sv_status s = SV_OK;
    if (w->replaces) {
        s = replace(w, err);
    } else if (rename(w->temporary, w->path) != 0) {
        s = sv_fail_errno(err, SV_ERR_OUTPUT, "%s: cannot give the folder its name", w->path);
    }
    if (!s) {
        free(w->temporary);
        w->temporary = NULL;
    }
    sv_folder_writer_abort(w);
    return s;
}

void sv_folder_writer_abort(sv_folder_writer *w) {
    if (w->temporary) sv_folder_remove(w->temporary);
    free(w->temporary);
    free(w->path);
    *w = (sv_folder_writer){0};
}

void sv_folder_remove(const char *path) {
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));) {
        if (is_entry(e)) unlinkat(dirfd(d), e->d_name, 0);
    }
    if (d) closedir(d);
    rmdir(path);
}

bool sv_same_place(const char *a, const char *b) {
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}
