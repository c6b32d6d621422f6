/*
 * ask.c - the parallel part of staging.
 *
 * The night is walked in blocks. Of each block first the pictures are drawn and embedded (each serves three questions),
 * then the epochs are asked; in both halves the threads take items as they come, and what an item gives depends on the
 * item alone.
 */
#include "stage/ask.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/memory.h"
#include "stage/row.h"

#define BLOCK_EPOCHS 32
/* above this size one question at a time uses all threads; below, each thread asks its own */
#define LARGE_MODEL_PARAMETERS 200000000

typedef struct sight {
    sv_embedding embedding; /* rows NULL until it is embedded */
    char sha256[SV_SHA256_HEX_SIZE];
} sight;

typedef struct hand { /* what one thread works with */
    sv_painter *painter;
    sv_workspace *workspace;
    sv_session *session;
    unsigned char *rgb;
} hand;

typedef struct asking {
    sv_run *run;
    sv_examiner *examiner;
    sv_pool *outer, *inner; /* over epochs, inside the network: one of them is NULL */
    int n_hands;
    hand *hands;   /* [n_hands] */
    sight *sights; /* [n_epochs] */
    sv_row_context row_context;
    int first;            /* epoch that item 0 of the present loop stands for */
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
    hand *h = &a->hands[thread];
    int epoch = a->first + (int)item;
    sight *s = &a->sights[epoch];
    sv_error err;
    if (s->embedding.rows || !is_needed(a, epoch) || should_stop(a)) return;
    sv_picture_draw_epoch(h->painter, &a->run->subject.night, epoch, h->rgb);
    sv_sha256_hex(h->rgb, SV_PICTURE_BYTES, s->sha256);
    sv_image image = {.width = SV_PICTURE_WIDTH, .height = SV_PICTURE_HEIGHT, .n_channels = 3, .pixels = h->rgb};
    if (sv_model_embed_image(a->run->model, &image, a->inner, &s->embedding, &err)) fail(a, &err);
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

static sv_status ask_epoch(asking *a, hand *h, int epoch, json_t **row, sv_error *err) {
    int last = a->row_context.n_epochs - 1;
    const sv_embedding *window[3] = {&a->sights[SV_MAX(epoch - 1, 0)].embedding, &a->sights[epoch].embedding,
                                     &a->sights[SV_MIN(epoch + 1, last)].embedding};
    sv_status s = SV_OK;
    if (!h->workspace) s = sv_workspace_new(a->run->model, 0, a->inner, &h->workspace, err);
    if (!s && !h->session) s = sv_examiner_session(a->examiner, window[1], h->workspace, &h->session, err);
    sv_finding finding;
    if (!s) s = sv_examiner_ask(a->examiner, h->session, window, &finding, err);
    if (s) return s;
    *row = sv_row_new(&a->row_context, epoch, &finding, a->run->subject.night.missing_share[epoch],
                      a->sights[epoch].sha256);
    sv_finding_free(&finding);
    return SV_OK;
}

static void ask(void *context, int64_t item, int thread) {
    asking *a = context;
    int epoch = a->first + (int)item;
    json_t *row = NULL;
    sv_error err;
    pthread_mutex_lock(&a->lock);
    bool known = sv_journal_row(a->run->journal, epoch) != NULL;
    pthread_mutex_unlock(&a->lock);
    if (known || should_stop(a)) return;
    if (!has_signal(a, epoch)) {
        row = sv_row_new_without_signal(&a->row_context, epoch);
    } else if (ask_epoch(a, &a->hands[thread], epoch, &row, &err)) {
        sv_error_prefix(&err, "epoch %d", epoch);
        fail(a, &err);
        return;
    }
    take_down(a, row);
}

static void walk(asking *a) {
    int n = a->row_context.n_epochs;
    for (int begin = 0; begin < n && !should_stop(a); begin += BLOCK_EPOCHS) {
        int end = SV_MIN(begin + BLOCK_EPOCHS, n);
        a->first = SV_MAX(begin - 1, 0);
        sv_pool_run(a->outer, SV_MIN(end + 1, n) - a->first, look, a);
        if (should_stop(a)) return;
        a->first = begin;
        sv_pool_run(a->outer, end - begin, ask, a);
        for (int e = SV_MAX(begin - 1, 0); e < end - 1; e++) sv_embedding_free(&a->sights[e].embedding);
    }
}

static sv_status set_up(asking *a, sv_error *err) {
    sv_run *run = a->run;
    bool large = sv_model_n_parameters(run->model) > LARGE_MODEL_PARAMETERS;
    a->outer = large ? NULL : run->pool;
    a->inner = large ? run->pool : NULL;
    a->n_hands = sv_pool_n_threads(a->outer);
    a->hands = sv_calloc((size_t)a->n_hands, sizeof *a->hands);
    a->sights = sv_calloc((size_t)a->row_context.n_epochs, sizeof *a->sights);
    if (!a->hands || !a->sights)
        return sv_fail_memory(err, "pictures", (size_t)a->row_context.n_epochs * sizeof(sight));
    for (int i = 0; i < a->n_hands; i++) {
        sv_status s = sv_painter_new(&a->hands[i].painter, err);
        if (s) return s;
        a->hands[i].rgb = sv_alloc_aligned(SV_PICTURE_BYTES, 1);
        if (!a->hands[i].rgb) return sv_fail_memory(err, "picture", SV_PICTURE_BYTES);
    }
    return sv_examiner_new(run->model, &run->prompt, run->options.coarse, run->pool, &a->examiner, err);
}

static void tear_down(asking *a) {
    for (int i = 0; a->hands && i < a->n_hands; i++) {
        sv_painter_free(a->hands[i].painter);
        sv_session_free(a->hands[i].session);
        sv_workspace_free(a->hands[i].workspace);
        free(a->hands[i].rgb);
    }
    for (int i = 0; a->sights && i < a->row_context.n_epochs; i++) sv_embedding_free(&a->sights[i].embedding);
    free(a->hands);
    free(a->sights);
    sv_examiner_free(a->examiner);
    pthread_mutex_destroy(&a->lock);
}

sv_status sv_ask_night(sv_run *run, sv_error *err) {
    asking a = {.run = run,
                .row_context = {.subject = run->subject.name,
                                .n_epochs = run->subject.night.n_epochs,
                                .truth = run->subject.truth.stages,
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
