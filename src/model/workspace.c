/* workspace.c - one allocation for everything that passes through the layers. */
#include "base/arrays.h"
#include "base/memory.h"
#include "model/network.h"

#define PROMPT_ROWS ((size_t)512) /* tokens that go through the layers together when a prompt is read */

enum { N_ARRAYS = 9 };

static void list_arrays(sv_workspace *w, sv_array arrays[N_ARRAYS]) {
    const sv_text_config *c = &w->model->config.text;
    size_t head_dim = (size_t)c->head_dim, n_query = (size_t)c->n_heads * head_dim, n = w->max_rows;
    const sv_array all[N_ARRAYS] = {
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
    for (size_t i = 0; i < N_ARRAYS; i++) arrays[i] = all[i];
}

sv_status sv_workspace_new(const sv_model *model, size_t max_rows, sv_pool *pool, sv_workspace **out, sv_error *err) {
    *out = NULL;
    sv_workspace *w = sv_calloc(1, sizeof *w);
    if (!w) return sv_fail_memory(err, "work space", sizeof *w);
    w->model = model;
    w->pool = pool;
    w->max_rows = max_rows ? max_rows : PROMPT_ROWS;
    sv_array arrays[N_ARRAYS];
    list_arrays(w, arrays);
    w->storage = sv_arrays_new(arrays, N_ARRAYS);
    w->clusters = sv_calloc(w->max_rows, sizeof *w->clusters);
    if (!w->storage || !w->clusters) {
        sv_workspace_free(w);
        return sv_fail(err, SV_ERR_MEMORY, "out of memory: work space for %zu tokens at a time",
                       max_rows ? max_rows : PROMPT_ROWS);
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

bool sv_workspace_size(const sv_model_config *config, size_t rank, size_t n_keys, size_t n_threads, size_t *n_bytes) {
    const sv_model stand_in = {.config = *config, .weights.max_rank = rank};
    sv_workspace w = {.model = &stand_in, .max_rows = PROMPT_ROWS};
    sv_array arrays[N_ARRAYS];
    size_t scores;
    list_arrays(&w, arrays);
    return sv_arrays_size(arrays, N_ARRAYS, n_bytes) &&
           sv_mul_size(sv_attend_scores(&config->text, n_keys), n_threads * sizeof(float), &scores) &&
           sv_add_size(*n_bytes, scores + PROMPT_ROWS * sizeof(sv_cluster), n_bytes);
}
