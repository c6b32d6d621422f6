/* dataset_inputs.c - see dataset_inputs.h. */
#include "train/dataset_inputs.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/memory.h"
#include "psg/subject_name.h"

enum { MAX_DEPTH = 4 };
static const char base_ending[] = " Base.edf", psg_ending[] = " PSG.edf";

static bool ends_in(const char *name, const char *ending) {
    size_t n = strlen(name), k = strlen(ending);
    return n >= k && strcasecmp(name + n - k, ending) == 0;
}

/* ---- files of a folder */

typedef struct search {
    const char *const *endings;
    size_t n_endings;
    char **files;
    size_t n, capacity;
    sv_error *err;
} search;

static sv_status take_file(search *s, char *path) {
    bool wanted = false;
    for (size_t i = 0; i < s->n_endings; i++) wanted |= ends_in(path, s->endings[i]);
    if (!wanted || sv_path_name(path)[0] == '.') {
        free(path);
        return SV_OK;
    }
    if (!sv_grow(&s->files, s->n, &s->capacity, sizeof *s->files)) {
        free(path);
        return sv_fail_memory(s->err, "file names", s->n * sizeof *s->files);
    }
    s->files[s->n++] = path;
    return SV_OK;
}

static sv_status look_into(search *s, const char *folder, int depth) {
    DIR *d = opendir(folder);
    sv_status status = SV_OK;
    if (!d) return sv_fail_errno(s->err, SV_ERR_INPUT, "%s: cannot open", folder);
    for (struct dirent *e; !status && (e = readdir(d));) {
        struct stat st;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        char *path = sv_path_join(folder, e->d_name);
        if (!path) {
            status = sv_fail_memory(s->err, "path", strlen(folder));
        } else if (stat(path, &st) == 0 && S_ISREG(st.st_mode)) {
            status = take_file(s, path);
        } else {
            if (stat(path, &st) == 0 && S_ISDIR(st.st_mode) && depth < MAX_DEPTH)
                status = look_into(s, path, depth + 1);
            free(path);
        }
    }
    closedir(d);
    return status;
}

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void free_files(char **files, size_t n) {
    for (size_t i = 0; i < n; i++) free(files[i]);
    free(files);
}

sv_status sv_find_files(const char *path, const char *const *endings, size_t n_endings, char ***out, size_t *n_out,
                        sv_error *err) {
    search s = {.endings = endings, .n_endings = n_endings, .err = err};
    struct stat st;
    sv_status status = SV_OK;
    *out = NULL;
    *n_out = 0;
    if (stat(path, &st) != 0) return sv_fail_errno(err, SV_ERR_INPUT, "%s", path);
    if (S_ISDIR(st.st_mode)) {
        status = look_into(&s, path, 1);
        if (s.n > 1) qsort(s.files, s.n, sizeof *s.files, by_text);
    } else {
        char *copy = sv_strndup(path, strlen(path));
        if (copy && sv_grow(&s.files, 0, &s.capacity, sizeof *s.files)) {
            s.files[s.n++] = copy;
        } else {
            free(copy);
            status = sv_fail_memory(err, "file names", strlen(path));
        }
    }
    if (status) {
        free_files(s.files, s.n);
        return status;
    }
    *out = s.files;
    *n_out = s.n;
    return SV_OK;
}

/* ---- nights */

void sv_dataset_inputs_free(sv_dataset_inputs *inputs) {
    for (size_t i = 0; i < inputs->n; i++) {
        free(inputs->items[i].recording);
        free(inputs->items[i].scoring);
        free(inputs->items[i].truth);
        free(inputs->items[i].subject);
    }
    free(inputs->items);
    *inputs = (sv_dataset_inputs){0};
}

/* MASS calls its subjects 01-SUBSET-NUMBER: 01-03-0001. */
static void find_subset(sv_dataset_input *input) {
    int subset = 0, end = 0;
    bool mass = sscanf(input->subject, "01-0%1d-%*4[0-9]%n", &subset, &end) == 1 && end == 10 &&
                input->subject[10] == 0 && subset >= 1 && subset <= 5;
    if (mass)
        snprintf(input->subset, sizeof input->subset, "SS%d", subset);
    else
        snprintf(input->subset, sizeof input->subset, "%s", input->truth ? "sim" : "own");
}

/* `name` in the folder of `path` when it is there; else NULL, also without memory (*failed). */
static char *beside(const char *path, const char *name, bool *failed) {
    size_t folder = (size_t)(sv_path_name(path) - path), len = strlen(name);
    char *out = malloc(folder + len + 1);
    if (!out) {
        *failed = true;
        return NULL;
    }
    memcpy(out, path, folder);
    memcpy(out + folder, name, len + 1);
    if (sv_file_exists(out)) return out;
    free(out);
    return NULL;
}

static char *base_file_of(const char *recording, bool *failed) {
    size_t len = strlen(sv_path_name(recording)) - strlen(psg_ending), room = len + sizeof base_ending;
    char *name = malloc(room);
    if (!name) {
        *failed = true;
        return NULL;
    }
    memcpy(name, sv_path_name(recording), len);
    memcpy(name + len, base_ending, sizeof base_ending);
    char *out = beside(recording, name, failed);
    free(name);
    return out;
}

/* Takes over `path`. */
static sv_status add(sv_dataset_inputs *inputs, char *path, sv_error *err) {
    if (!sv_grow(&inputs->items, inputs->n, &inputs->capacity, sizeof *inputs->items)) {
        free(path);
        return sv_fail_memory(err, "recordings", inputs->n * sizeof *inputs->items);
    }
    sv_dataset_input *input = &inputs->items[inputs->n++];
    bool failed = false;
    *input = (sv_dataset_input){.recording = path, .subject = sv_subject_name(path)};
    if (ends_in(path, psg_ending)) {
        input->scoring = base_file_of(path, &failed);
        input->wants_base = !input->scoring;
    }
    input->truth = beside(path, "truth.json", &failed);
    if (!input->subject || failed) return sv_fail_memory(err, "recordings", strlen(path));
    find_subset(input);
    return SV_OK;
}

static sv_status add_path(sv_dataset_inputs *inputs, const char *path, sv_error *err) {
    static const char *const endings[] = {".edf", ".bdf", ".rec"};
    char **files;
    size_t n, n_before = inputs->n;
    sv_status status = sv_find_files(path, endings, SV_COUNT(endings), &files, &n, err);
    if (status) return status;
    if (n == 1 && strcmp(files[0], path) == 0 && ends_in(path, base_ending)) {
        status = sv_fail(err, SV_ERR_INPUT, "%s: holds a scorer's stages; name the recording, 'SUBJECT PSG.edf'", path);
    }
    for (size_t i = 0; i < n; i++) {
        if (status || ends_in(files[i], base_ending))
            free(files[i]);
        else
            status = add(inputs, files[i], err);
    }
    free(files);
    if (status || inputs->n > n_before) return status;
    return sv_fail(err, SV_ERR_INPUT, "%s: no recording (.edf, .bdf, .rec) is in this folder", path);
}

static int by_subject(const void *a, const void *b) {
    const sv_dataset_input *x = a, *y = b;
    int order = strcmp(x->subset, y->subset);
    return order ? order : strcmp(x->subject, y->subject);
}

sv_status sv_dataset_inputs_find(const char *const *paths, size_t n_paths, sv_dataset_inputs *out, sv_error *err) {
    sv_status status = SV_OK;
    *out = (sv_dataset_inputs){0};
    for (size_t i = 0; i < n_paths && !status; i++) status = add_path(out, paths[i], err);
    if (!status && out->n > 1) qsort(out->items, out->n, sizeof *out->items, by_subject);
    for (size_t i = 1; i < out->n && !status; i++) {
        if (strcmp(out->items[i - 1].subject, out->items[i].subject) != 0) continue;
        status = sv_fail(err, SV_ERR_INPUT, "%s and %s: two recordings of one subject, '%s'; rename one",
                         out->items[i - 1].recording, out->items[i].recording, out->items[i].subject);
    }
    if (status) sv_dataset_inputs_free(out);
    return status;
}
