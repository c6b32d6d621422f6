/* workspace.c - one allocation for everything that passes through the layers. */
#include "base/memory.h"
#include "model/network.h"
#include "tensor/product.h"

#define PROMPT_ROWS ((size_t)512) /* tokens that go through the layers together when a prompt is read */

typedef struct place {
    float **pointer;
    size_t n_rows, width;
} place;

enum { N_PLACES = 9 };

static void list_places(sv_workspace *w, place places[N_PLACES]) {
    const sv_text_config *c = &w->model->config.text;
    size_t head_dim = (size_t)c->head_dim, n_query = (size_t)c->n_heads * head_dim, n = w->max_rows;
    const place all[N_PLACES] = {
        {&w->rows, n, (size_t)c->hidden},
        {&w->normed, n, (size_t)c->hidden},
        {&w->qkv, n, n_query + 2 * (size_t)c->n_kv_heads * head_dim},
        {&w->attended, n, n_query},
        {&w->gate_up, n, 2 * (size_t)c->ffn},
        {&w->cosines, n, head_dim / 2},
        {&w->sines, n, head_dim / 2},
        {&w->low_rank, n, w->model->weights.max_rank},
        {&w->score_logits, SV_SCORE_ROWS, (size_t)c->vocab},
    };
    for (size_t i = 0; i < N_PLACES; i++) places[i] = all[i];
}

static bool total_size(const place places[N_PLACES], size_t *total) {
    *total = 0;
    for (size_t i = 0; i < N_PLACES; i++) {
        size_t size;
        if (!sv_mul_size(places[i].n_rows, places[i].width, &size) ||
            !sv_add_size(*total, sv_panel_round(size), total)) {
            return false;
        }
    }
    return true;
}

sv_status sv_workspace_new(const sv_model *model, size_t max_rows, sv_pool *pool, sv_workspace **out, sv_error *err) {
    *out = NULL;
    sv_workspace *w = sv_calloc(1, sizeof *w);
    if (!w) return sv_fail_memory(err, "work space", sizeof *w);
    w->model = model;
    w->pool = pool;
    w->max_rows = max_rows ? max_rows : PROMPT_ROWS;
    place places[N_PLACES];
    size_t total = 0;
    list_places(w, places);
    if (total_size(places, &total)) {
        w->storage = sv_alloc_aligned(total, sizeof *w->storage);
        w->clusters = sv_calloc(w->max_rows, sizeof *w->clusters);
    }
    if (!w->storage || !w->clusters) {
        sv_workspace_free(w);
        return sv_fail_memory(err, "work space of the network", total * sizeof(float));
    }
    float *next = w->storage;
    for (size_t i = 0; i < N_PLACES; i++) {
        *places[i].pointer = next;
        next += sv_panel_round(places[i].n_rows * places[i].width);
    }
    *out = w;
    return SV_OK;
}

void sv_workspace_free(sv_workspace *w) {
    if (!w) return;
    free(w->storage);
    free(w->scores);
    free(w->clusters);
    free(w);
}
