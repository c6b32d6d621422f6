/* pass.c - see pass.h. */
#include "train/pass.h"

#include <string.h>

#include "base/memory.h"
#include "train/reading.h"

struct sv_pass {
    sv_trainee *t;
    sv_heads *heads;
    sv_sight sight;
    sv_reading reading;
};

sv_status sv_pass_new(sv_trainee *trainee, const sv_pass_options *options, sv_pool *pool, sv_pass **out,
                      sv_error *err) {
    static const sv_pass_options defaults;
    const sv_pass_options *o = options ? options : &defaults;
    sv_pass *p = *out = sv_calloc(1, sizeof *p);
    if (!p) return sv_fail_memory(err, "pass", sizeof *p);
    p->t = trainee;
    p->heads = o->heads;
    sv_status s = sv_sight_new(trainee, o->recompute, o->precision, pool, &p->sight, err);
    if (!s) s = sv_reading_new(trainee, o->recompute, o->share_prefix, o->precision, pool, &p->reading, err);
    if (s) {
        sv_pass_free(p);
        *out = NULL;
    }
    return s;
}

void sv_pass_free(sv_pass *p) {
    if (!p) return;
    sv_sight_free(&p->sight);
    sv_reading_free(&p->reading);
    free(p);
}

static sv_status lose_prompts(sv_pass *p, const sv_train_batch *batch, const sv_pass_scales *scales, sv_pass_loss *loss,
                              sv_error *err) {
    sv_reading *r = &p->reading;
    sv_status s = SV_OK;
    for (size_t first = 0; first < batch->n_samples && !s; first += SV_LOSS_ROWS) {
        size_t n = SV_MIN(SV_LOSS_ROWS, batch->n_samples - first);
        const sv_train_batch some = {batch->samples + first, n, batch->pictures, batch->n_pictures};
        sv_reading_choose(r, r->prompts + first, n);
        s = sv_heads_listen(p->heads, &some, r->normed, scales ? scales->heads : NULL, loss->heads, r->dnormed, err);
        if (!s && scales) sv_reading_choose_backward(r, r->prompts + first, n);
    }
    return s;
}

static sv_status look(sv_pass *p, const sv_train_batch *batch, const sv_pass_scales *scales, uint64_t step,
                      sv_pass_loss *loss, sv_error *err) {
    sv_sight *s = &p->sight;
    sv_sight_run(s, step, scales != NULL);
    if (scales) memset(s->dembeddings, 0, s->n_cells * p->t->network.weights.merger_out.n_out * sizeof(float));
    loss->n_tokens = s->n_cells;
    if (!sv_heads_read(p->heads, SV_PLACE_COLUMNS) && !sv_heads_read(p->heads, SV_PLACE_PICTURE)) return SV_OK;
    return sv_heads_see(p->heads, batch, s->first_cell, s->embeddings, scales ? scales->heads : NULL, loss->heads,
                        scales && p->t->vision_trains ? s->dembeddings : NULL, err);
}

static sv_status read_text(sv_pass *p, const sv_train_batch *batch, const sv_pass_scales *scales, uint64_t step,
                           sv_pass_loss *loss, sv_error *err) {
    sv_reading *r = &p->reading;
    bool answers = !scales || scales->answers != 0;
    sv_reading_run(r, batch, &p->sight, step, scales != NULL);
    if (scales) memset(r->dx, 0, r->n_rows * r->tower.blocks[0].hidden * sizeof *r->dx);
    if (answers) sv_reading_lose(r, scales ? scales->answers : 0, &loss->sum, &loss->weight);
    loss->n_tokens = r->n_rows;
    loss->n_supervised = answers ? r->n_supervised : 0;
    sv_status s = sv_heads_read(p->heads, SV_PLACE_PROMPT) ? lose_prompts(p, batch, scales, loss, err) : SV_OK;
    if (!s && scales) sv_reading_backward(r, batch, &p->sight);
    return s;
}

sv_status sv_pass_run(sv_pass *p, const sv_train_batch *batch, const sv_pass_scales *scales, uint64_t step,
                      sv_pass_loss *loss, sv_error *err) {
    bool reads = !scales || scales->answers != 0 || sv_heads_read(p->heads, SV_PLACE_PROMPT);
    sv_status s = SV_OK;
    *loss = (sv_pass_loss){0};
    p->sight.n_cells = 0;
    if (batch->n_pictures) s = sv_sight_plan(&p->sight, batch->pictures, batch->n_pictures, err);
    if (!s && reads) s = sv_reading_plan(&p->reading, batch, err);
    if (!s && batch->n_pictures) s = look(p, batch, scales, step, loss, err);
    if (!s && reads) s = read_text(p, batch, scales, step, loss, err);
    if (s || !scales) return s;
    if (batch->n_pictures && p->t->vision_trains) sv_sight_backward(&p->sight);
    sv_trainee_finish_gradients(p->t);
    return SV_OK;
}
