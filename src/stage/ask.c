/*
 * ask.c - the parallel part of staging.
 *
 * The night is walked in blocks. Of each block first the pictures are drawn and embedded (each serves three questions),
 * then the epochs are asked, several at a time on each thread's desk; in both halves the threads take items as they
 * come, and what an epoch gives depends on the epoch alone.
 */
#include "stage/ask.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "model/embedding_cache.h"
#include "model/memory_plan.h"
#include "model/prefix_tree.h"
#include "render/painters.h"
#include "stage/provenance.h"
#include "stage/row.h"

#define BLOCK_EPOCHS 64
/* questions on one desk of a small model: enough to read its weights seldom, few enough to share a block among threads
 */
#define SMALL_MODEL_SLOTS 8
#define LARGE_MODEL_SLOTS 16
/* above this size all threads work on the questions of one desk; below, each thread has its own */
#define LARGE_MODEL_PARAMETERS 200000000

typedef struct sight {
    const sv_embedding *embedding; /* NULL until it is embedded; held in the cache */
    char sha256[SV_SHA256_HEX_SIZE];
} sight;

typedef struct asking {
    sv_run *run;
    sv_prefix_store *store; /* NULL = none */
    sv_prefix_tree *tree;
    sv_embedding_cache *pictures;
    sv_examiner *examiner;
    sv_pool *outer, *inner; /* over epochs, inside the network: one of them is NULL */
    int n_hands, n_slots;   /* questions at a time on each desk */
    size_t n_picture_tokens;
    sv_painters painters; /* [n_hands] */
    sv_desk **desks;      /* [n_hands], each made when it is first used */
    sight *sights;        /* [n_epochs] */
    sv_row_context row_context;
    int first, end;       /* epochs of the present loop */
    int group_size;       /* epochs of one item */
    pthread_mutex_t lock; /* journal, progress, first error */
    atomic_bool stop;
    sv_status status;
    sv_error err;
} asking;

static void fail(asking *a, const sv_error *err) {
    pthread_mutex_lock(&a->lock);
    if (!a->status) {
        a->status = err->status;
        a->err = *err;
    }
    pthread_mutex_unlock(&a->lock);
    atomic_store(&a->stop, true);
}

static bool should_stop(asking *a) {
    const sv_stage_options *o = &a->run->options;
    if (!atomic_load(&a->stop) && o->cancelled && o->cancelled(o->context)) {
        sv_error err;
        sv_fail(&err, SV_ERR_CANCELLED, "stopped; the same command goes on where it was");
        fail(a, &err);
    }
    return atomic_load(&a->stop);
}

static bool has_signal(const asking *a, int epoch) { return a->run->subject.night.missing_share[epoch] < 1; }

/* Is the picture of this epoch in a window that is still to be asked? */
static bool is_needed(const asking *a, int epoch) {
    for (int e = SV_MAX(epoch - 1, 0); e <= SV_MIN(epoch + 1, a->row_context.n_epochs - 1); e++) {
        if (!sv_journal_row(a->run->journal, e) && has_signal(a, e)) return true;
    }
    return false;
}

static void look(void *context, int64_t item, int thread) {
    asking *a = context;
    const sv_brush *b = &a->painters.brushes[thread];
    int epoch = a->first + (int)item;
    sight *s = &a->sights[epoch];
    sv_error err;
    if (s->embedding || !is_needed(a, epoch) || should_stop(a)) return;
    sv_picture_draw_epoch(b->painter, &a->run->subject.night, epoch, b->rgb);
    sv_sha256_hex(b->rgb, SV_PICTURE_BYTES, s->sha256);
    sv_image image = {.width = SV_PICTURE_WIDTH, .height = SV_PICTURE_HEIGHT, .n_channels = 3, .pixels = b->rgb};
    if (sv_embedding_cache_get_by_key(a->pictures, s->sha256, sizeof s->sha256, &image, a->inner, &s->embedding, NULL,
                                      &err)) {
        fail(a, &err);
    }
}

static void take_down(asking *a, json_t *row) {
    sv_error err;
    sv_run *run = a->run;
    pthread_mutex_lock(&a->lock);
    sv_status status = sv_journal_add(run->journal, row, &err);
    if (!status && run->options.progress) {
        run->options.progress(run->options.context, sv_journal_n_rows(run->journal), a->row_context.n_epochs);
    }
    pthread_mutex_unlock(&a->lock);
    if (status) fail(a, &err);
}

typedef struct group { /* of epochs that are asked on one desk */
    asking *asking;
    int n, epochs[BLOCK_EPOCHS];
} group;

static void on_found(void *context, size_t question, sv_finding *finding) {
    const group *g = context;
    asking *a = g->asking;
    int epoch = g->epochs[question];
    json_t *row = sv_row_new(&a->row_context, epoch, finding, a->run->subject.night.missing_share[epoch],
                             a->sights[epoch].sha256);
    sv_finding_free(finding);
    take_down(a, row);
}

static bool on_cancelled(void *context) { return should_stop(((const group *)context)->asking); }

static sv_status ask_group(asking *a, sv_desk **desk, group *g, sv_error *err) {
    sv_window windows[BLOCK_EPOCHS];
    int last = a->row_context.n_epochs - 1;
    for (int i = 0; i < g->n; i++) {
        int e = g->epochs[i];
        windows[i] = (sv_window){
            {a->sights[SV_MAX(e - 1, 0)].embedding, a->sights[e].embedding, a->sights[SV_MIN(e + 1, last)].embedding}};
    }
    sv_status s = SV_OK;
    if (!*desk) s = sv_desk_new(a->examiner, (size_t)a->n_slots, a->n_picture_tokens, a->inner, desk, err);
    const sv_asker asker = {on_found, on_cancelled, g};
    return s ? s : sv_desk_ask(*desk, windows, (size_t)g->n, &asker, err);
}

static bool is_known(asking *a, int epoch) {
    pthread_mutex_lock(&a->lock);
    bool known = sv_journal_row(a->run->journal, epoch) != NULL;
    pthread_mutex_unlock(&a->lock);
    return known;
}

static void ask(void *context, int64_t item, int thread) {
    asking *a = context;
    group g = {.asking = a};
    sv_error err;
    int begin = a->first + (int)item * a->group_size, end = SV_MIN(begin + a->group_size, a->end);
    for (int epoch = begin; epoch < end; epoch++) {
        if (is_known(a, epoch) || should_stop(a)) continue;
        if (has_signal(a, epoch)) {
            g.epochs[g.n++] = epoch;
        } else {
            take_down(a, sv_row_new_without_signal(&a->row_context, epoch));
        }
    }
    if (g.n == 0 || should_stop(a)) return;
    sv_status s = ask_group(a, &a->desks[thread], &g, &err);
    if (s) {
        if (s != SV_ERR_CANCELLED) sv_error_prefix(&err, "epochs %d to %d", g.epochs[0], g.epochs[g.n - 1]);
        fail(a, &err);
    }
}

static void forget(asking *a, sight *s) {
    sv_embedding_cache_release(a->pictures, s->embedding);
    s->embedding = NULL;
}

static void walk(asking *a) {
    int n = a->row_context.n_epochs;
    for (int begin = 0; begin < n && !should_stop(a); begin += BLOCK_EPOCHS) {
        int end = SV_MIN(begin + BLOCK_EPOCHS, n);
        a->first = SV_MAX(begin - 1, 0);
        sv_pool_run(a->outer, SV_MIN(end + 1, n) - a->first, look, a);
        if (should_stop(a)) return;
        a->first = begin;
        a->end = end;
        sv_pool_run(a->outer, (end - begin + a->group_size - 1) / a->group_size, ask, a);
        for (int e = SV_MAX(begin - 1, 0); e < end - 1; e++) forget(a, &a->sights[e]);
    }
}

/* How many questions at a time the budget allows. */
static sv_status plan_memory(asking *a, bool large, sv_error *err) {
    const sv_run *run = a->run;
    size_t n_epochs = (size_t)a->row_context.n_epochs;
    sv_memory_plan plan;
    const sv_memory_request request = {
        .rank = sv_model_adapter_rank(run->model),
        .n_prefix = sv_examiner_shared_length(a->examiner),
        .n_own = sv_examiner_all_room(a->examiner, a->n_picture_tokens),
        .n_embeddings = SV_MIN((size_t)BLOCK_EPOCHS + 2, n_epochs),
        .picture_h = SV_PICTURE_HEIGHT,
        .picture_w = SV_PICTURE_WIDTH,
        .n_desks = (size_t)a->n_hands,
        .n_threads = large ? (size_t)sv_pool_n_threads(run->pool) : 1,
        .n_slots = large ? LARGE_MODEL_SLOTS : SMALL_MODEL_SLOTS,
        .n_other = n_epochs * SV_EPOCH_SAMPLES * SV_N_ROLES * sizeof(double) + (size_t)a->n_hands * SV_PICTURE_BYTES,
        .budget = run->options.memory_bytes};
    sv_status s = sv_memory_plan_make(sv_model_get_config(run->model), &request, &plan, err);
    if (!s) a->n_slots = (int)plan.n_slots;
    return s;
}

/* A key of the weights: the hashes of their files are in the provenance. */
static sv_status open_store(asking *a, sv_error *err) {
    char key[SV_SHA256_HEX_SIZE];
    if (!a->run->options.cache_folder) return SV_OK;
    sv_status s = sv_provenance_model_key(a->run->provenance, key, err);
    return s ? s : sv_prefix_store_new(a->run->model, a->run->options.cache_folder, key, 0, &a->store, err);
}

static sv_status open_caches(asking *a, sv_error *err) {
    size_t n_bytes;
    sv_status s = open_store(a, err);
    const sv_prefix_tree_options options = {SIZE_MAX, a->store, SV_PREFIX_STORE_MIN_COST};
    if (!s) s = sv_prefix_tree_new(a->run->model, &options, &a->tree, err);
    if (!s)
        s = sv_embedding_bytes(sv_model_get_config(a->run->model), SV_PICTURE_WIDTH, SV_PICTURE_HEIGHT, &n_bytes, err);
    return s ? s : sv_embedding_cache_new(a->run->model, (BLOCK_EPOCHS + 2) * n_bytes, &a->pictures, err);
}

static sv_status set_up(asking *a, sv_error *err) {
    sv_run *run = a->run;
    bool large = sv_model_n_parameters(run->model) > LARGE_MODEL_PARAMETERS;
    a->outer = large ? NULL : run->pool;
    a->inner = large ? run->pool : NULL;
    a->n_hands = sv_pool_n_threads(a->outer);
    a->group_size = large ? BLOCK_EPOCHS : SMALL_MODEL_SLOTS;
    sv_status s = sv_model_picture_tokens(run->model, SV_PICTURE_HEIGHT, SV_PICTURE_WIDTH, &a->n_picture_tokens, err);
    /* the prefix is the examiner's: it is made when the plan says that it fits */
    if (!s) s = sv_examiner_new(run->model, &run->prompt, &run->method, run->options.coarse, &a->examiner, err);
    if (!s) s = plan_memory(a, large, err);
    if (!s) s = open_caches(a, err);
    if (!s) s = sv_examiner_prepare(a->examiner, a->tree, run->pool, err);
    if (s) return s;
    sv_prefix_tree_counts counts;
    sv_prefix_tree_count(a->tree, &counts);
    snprintf(run->outcome.cache_warning, sizeof run->outcome.cache_warning, "%s", counts.store_warning);
    a->desks = sv_calloc((size_t)a->n_hands, sizeof *a->desks);
    a->sights = sv_calloc((size_t)a->row_context.n_epochs, sizeof *a->sights);
    if (!a->desks || !a->sights)
        return sv_fail_memory(err, "pictures", (size_t)a->row_context.n_epochs * sizeof(sight));
    return sv_painters_new(a->n_hands, &a->painters, err);
}

static void tear_down(asking *a) {
    for (int i = 0; a->desks && i < a->n_hands; i++) sv_desk_free(a->desks[i]);
    sv_painters_free(&a->painters);
    for (int i = 0; a->sights && i < a->row_context.n_epochs; i++) forget(a, &a->sights[i]);
    free(a->desks);
    free(a->sights);
    sv_examiner_free(a->examiner);
    sv_embedding_cache_free(a->pictures);
    sv_prefix_tree_free(a->tree);
    sv_prefix_store_free(a->store);
    pthread_mutex_destroy(&a->lock);
}

sv_status sv_ask_night(sv_run *run, sv_error *err) {
    asking a = {.run = run,
                .row_context = {.subject = run->subject.name,
                                .n_epochs = run->subject.night.n_epochs,
                                .truth = run->subject.truth.stages,
                                .method = &run->method,
                                .has_eeg = sv_montage_has_eeg(&run->subject.montage)}};
    pthread_mutex_init(&a.lock, NULL);
    sv_status s = set_up(&a, err);
    if (!s) {
        walk(&a);
        s = a.status;
        if (s && err) *err = a.err;
    }
    tear_down(&a);
    return s;
}
