/* memory_plan.c - the sizes that cache.c, workspace.c, attend.c and vision.c allocate, summed. */
#include "model/memory_plan.h"

#include <math.h>

#include "base/memory.h"

#define FLOAT 4.0
#define QUERY_ROWS 64.0 /* of attend.c and vision.c */
#define SCORE_ROWS 16.0 /* SV_SCORE_ROWS */
#define PANEL 32.0

static double panels(double n) { return ceil(n / PANEL) * PANEL; }

double sv_memory_of_tokens(const sv_text_config *t, double n_tokens) {
    return FLOAT * t->n_layers * t->n_kv_heads * panels(n_tokens) * (t->head_dim + panels(t->head_dim));
}

static double copied_bytes(const sv_model_config *c) {
    const sv_text_config *t = &c->text;
    const sv_vision_config *v = &c->vision;
    double cell = (double)v->hidden * v->merge * v->merge;
    double layer = 2.0 * t->hidden + ((double)t->n_heads + 2.0 * t->n_kv_heads) * t->head_dim;
    double block = 2.0 * v->hidden + 3.0 * v->hidden + v->hidden + 2.0 * v->ffn + v->hidden;
    double patch = (double)v->hidden * v->channels * v->patch * v->patch;
    return FLOAT * (t->n_layers * layer + t->hidden + v->depth * block + patch + v->hidden + cell + v->out_hidden);
}

static double decoder_work(const sv_text_config *t, const sv_memory_wish *w) {
    double query = (double)t->n_heads * t->head_dim, key = (double)t->n_kv_heads * t->head_dim;
    double row = 2.0 * t->hidden + (query + 2 * key) + query + 2.0 * t->ffn + t->head_dim;
    double n_keys = (double)w->n_prefix + (double)w->n_own;
    double scores = SV_MAX(QUERY_ROWS, (double)t->n_heads / t->n_kv_heads) * (n_keys + 2.0 * t->head_dim);
    return FLOAT * ((double)w->n_rows * row + SCORE_ROWS * t->vocab + w->n_threads * panels(scores));
}

static double vision_work(const sv_vision_config *v, const sv_memory_wish *w) {
    double patches = (double)w->picture_tokens * v->merge * v->merge, head_dim = (double)v->hidden / v->n_heads;
    double wide = SV_MAX(SV_MAX(3.0 * v->hidden, 2.0 * v->ffn), (double)v->out_hidden);
    double row = 2.0 * v->hidden + wide + head_dim + (double)v->channels * v->patch * v->patch;
    double attention = panels(patches) * head_dim + panels(head_dim) * patches + QUERY_ROWS * patches;
    return FLOAT * (patches * row + w->n_threads * attention);
}

void sv_memory_plan_make(const sv_model_config *c, const sv_memory_wish *w, sv_memory_plan *out) {
    const sv_text_config *t = &c->text;
    *out = (sv_memory_plan){.weights = w->weight_bytes, .copied = copied_bytes(c)};
    out->per_token = sv_memory_of_tokens(t, PANEL) / PANEL;
    out->prefix = sv_memory_of_tokens(t, (double)w->n_prefix);
    out->sequence = sv_memory_of_tokens(t, (double)w->n_own) + FLOAT * t->vocab;
    out->work = decoder_work(t, w) + vision_work(&c->vision, w);
    out->pictures = FLOAT * (double)w->n_pictures * (double)w->picture_tokens * t->hidden;
    out->all_but_mapped =
        out->copied + out->prefix + (double)w->n_sequences * out->sequence + out->work + out->pictures;
    out->all = out->weights + out->all_but_mapped;
}
