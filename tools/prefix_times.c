/*
 * prefix_times.c - what it takes to compute the beginning of a prompt, to save it, and to read it back.
 *
 *   prefix-times MODELDIR N_TOKENS [THREADS]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "model/prefix_tree.h"

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

typedef struct setting {
    sv_model *model;
    sv_pool *pool;
    sv_workspace *workspace;
    sv_prefix_store *store;
    int32_t *ids;
    size_t n_ids;
} setting;

static sv_status set_up(const char *folder, const char *n_tokens, int n_threads, const char *store_folder, setting *s,
                        sv_error *err) {
    s->n_ids = strtoul(n_tokens, NULL, 10);
    sv_status status = sv_model_load(folder, NULL, &s->model, err);
    if (!status) status = sv_pool_new(n_threads, &s->pool, err);
    if (!status) status = sv_workspace_new(s->model, 0, s->pool, &s->workspace, err);
    if (!status) status = sv_prefix_store_new(s->model, store_folder, "prefix-times", UINT64_MAX, &s->store, err);
    if (status) return status;
    s->ids = sv_calloc(s->n_ids, sizeof *s->ids);
    if (!s->ids) return sv_fail_memory(err, "ids", s->n_ids * sizeof *s->ids);
    for (size_t i = 0; i < s->n_ids; i++) s->ids[i] = (int32_t)(i * 37 % 600 + 1);
    return SV_OK;
}

static void tear_down(setting *s, const char *store_folder) {
    char *path = s->store && s->ids ? sv_prefix_store_path(s->store, NULL, s->ids, s->n_ids) : NULL;
    if (path) unlink(path);
    rmdir(store_folder);
    free(path);
    free(s->ids);
    sv_prefix_store_free(s->store);
    sv_workspace_free(s->workspace);
    sv_pool_free(s->pool);
    sv_model_free(s->model);
}

/* Twice: the first time weights and files are not in memory yet. */
static sv_status measure(const setting *s, sv_error *err) {
    const sv_text_config *config = &sv_model_get_config(s->model)->text;
    printf("%zu tokens: %.1f MB, %.3g multiply-adds\n", s->n_ids, (double)sv_prefix_bytes(config, s->n_ids) * 1e-6,
           sv_prefix_cost(config, s->n_ids));
    for (int round = 0; round < 2; round++) {
        sv_prefix *computed, *loaded;
        double start = now_s();
        sv_status status = sv_prefix_new(s->workspace, NULL, s->ids, s->n_ids, &computed, err);
        if (status) return status;
        double saving = now_s();
        status = sv_prefix_store_save(s->store, computed, s->ids, s->n_ids, err);
        double loading = now_s();
        sv_prefix_free(computed);
        if (status) return status;
        if (!sv_prefix_store_load(s->store, NULL, s->ids, s->n_ids, &loaded)) {
            return sv_fail(err, SV_ERR_INTERNAL, "what was saved cannot be read back");
        }
        double end = now_s();
        sv_prefix_free(loaded);
        printf("computed in %.4f s, saved in %.4f s, loaded in %.4f s\n", saving - start, loading - saving,
               end - loading);
    }
    return SV_OK;
}

int main(int argc, char **argv) {
    char store_folder[] = "/tmp/sv-prefix-times-XXXXXX";
    sv_error err;
    setting s = {0};
    if (argc < 3 || argc > 4 || !mkdtemp(store_folder)) {
        fprintf(stderr, "usage: prefix-times MODELDIR N_TOKENS [THREADS]\n");
        return 2;
    }
    sv_status status = set_up(argv[1], argv[2], argc > 3 ? atoi(argv[3]) : 0, store_folder, &s, &err);
    if (!status) status = measure(&s, &err);
    if (status) fprintf(stderr, "prefix-times: %s\n", err.message);
    tear_down(&s, store_folder);
    return sv_exit_code(status);
}
