/* memory_plan.c - sums of the sizes that the parts of the engine state themselves. */
#include "model/memory_plan.h"

#include "base/memory.h"
#include "model/network.h"

#define ALIGNMENT 64          /* bytes at whose multiples each copied array begins */
#define PANEL 32              /* tokens that keys and values are kept by */
#define ROW_OF_A_GENERATOR 32 /* bytes a token of an answer: id, probability, text; measured generously */

typedef struct sum {
    size_t bytes;
    bool fits;
} sum;

static void add(sum *s, size_t n, size_t bytes) {
    s->fits &= sv_mul_size(n, bytes, &bytes) && sv_add_size(s->bytes, bytes, &s->bytes);
}

static sum cache_bytes(const sv_text_config *c, size_t n_tokens) {
    size_t keys = 0, values = 0;
    sum s = {0, n_tokens < SIZE_MAX / 2 && sv_cache_sizes(c, (n_tokens + PANEL - 1) / PANEL * PANEL, &keys, &values)};
    add(&s, keys, sizeof(float));
    add(&s, values, sizeof(float));
    return s;
}

/* One question in a slot: its timeline and the state of its answer. */
static sum question_bytes(const sv_text_config *t, size_t n_own) {
    size_t vocab = (size_t)t->vocab;
    sum s = cache_bytes(t, n_own);
    add(&s, n_own, sizeof(sv_position) + sizeof(int32_t) + ROW_OF_A_GENERATOR);
    add(&s, vocab, sizeof(float) + 2); /* its row of logits; what the sampler has seen and may choose */
    return s;
}

static sum desk_bytes(const sv_model_config *c, const sv_memory_request *r) {
    sum s = {0, true};
    size_t n;
    s.fits = sv_workspace_size(c, r->rank, r->n_prefix + r->n_own, r->n_threads, &n);
    add(&s, 1, n);
    add(&s, 2 * (size_t)c->text.vocab, sizeof(float));
    return s;
}

static sv_status picture_bytes(const sv_model_config *c, const sv_memory_request *r, sum *vision, sum *embedding,
                               sv_error *err) {
    const sv_vision_config *v = &c->vision;
    int height, width;
    sv_status s = sv_smart_resize(r->picture_h, r->picture_w, v->patch * v->merge, c->min_pixels, c->max_pixels,
                                  &height, &width, err);
    if (s) return s;
    size_t n_patches = (size_t)(height / v->patch) * (size_t)(width / v->patch), n = 0;
    *vision = (sum){0, sv_vision_size(c, r->rank, n_patches, r->n_threads, &n)};
    add(vision, 1, n);
    add(vision, n_patches * (size_t)(v->channels * v->patch * v->patch), sizeof(float));
    *embedding = (sum){0, true};
    add(embedding, n_patches / (size_t)(v->merge * v->merge), (size_t)v->out_hidden * sizeof(float));
    return SV_OK;
}

/* Norms and biases of all layers, and the patch embedding. */
static sum copied_bytes(const sv_model_config *c) {
    const sv_text_config *t = &c->text;
    const sv_vision_config *v = &c->vision;
    size_t hidden = (size_t)v->hidden, cell = hidden * (size_t)(v->merge * v->merge);
    sum s = {0, true};
    add(&s, (size_t)t->n_layers,
        sizeof(float) * (2 * (size_t)t->hidden + (size_t)(t->n_heads + 2 * t->n_kv_heads) * (size_t)t->head_dim));
    add(&s, (size_t)v->depth, sizeof(float) * (7 * hidden + 2 * (size_t)v->ffn));
    add(&s, hidden, sizeof(float) * (size_t)v->channels * (size_t)v->patch * (size_t)v->patch);
    add(&s, (size_t)t->hidden + hidden + cell + (size_t)v->out_hidden, sizeof(float));
    add(&s, 3 * (size_t)t->n_layers + 6 * (size_t)v->depth + 5, ALIGNMENT); /* each begins at a multiple */
    return s;
}

sv_status sv_memory_plan_make(const sv_model_config *c, const sv_memory_request *r, sv_memory_plan *out,
                              sv_error *err) {
    sum vision, embedding, copied = copied_bytes(c), prefix = cache_bytes(&c->text, r->n_prefix);
    sum desk = desk_bytes(c, r), question = question_bytes(&c->text, r->n_own), all = {0, true};
    sv_status s = picture_bytes(c, r, &vision, &embedding, err);
    if (s) return s;
    all.fits = copied.fits && vision.fits && embedding.fits && prefix.fits && desk.fits && question.fits;
    add(&all, 1, copied.bytes);
    add(&all, 1, prefix.bytes);
    add(&all, r->n_desks, desk.bytes);
    add(&all, r->n_desks, vision.bytes);
    add(&all, r->n_embeddings, embedding.bytes);
    add(&all, 1, r->n_other);
    size_t slots = r->n_slots, left = r->budget > all.bytes ? r->budget - all.bytes : 0;
    size_t of_all_desks = SV_MAX(r->n_desks, (size_t)1) * question.bytes;
    if (r->budget && all.fits) slots = SV_MIN(slots, left / of_all_desks);
    add(&all, SV_MAX(slots, (size_t)1) * r->n_desks, question.bytes);
    if (!all.fits) {
        return sv_fail(err, SV_ERR_MEMORY, "questions of %zu tokens need more memory than any machine has", r->n_own);
    }
    if (slots == 0) {
        return sv_fail(err, SV_ERR_MEMORY,
                       "the memory budget of %.0f MB is too small: %.0f MB are needed to ask one question at a time "
                       "(%.0f MB of it for the shared prompt, %.0f MB for a question); the weights are not counted",
                       (double)r->budget / 1e6, (double)all.bytes / 1e6 + 0.5, (double)prefix.bytes / 1e6,
                       (double)question.bytes / 1e6);
    }
    *out = (sv_memory_plan){.per_token = cache_bytes(&c->text, PANEL).bytes / PANEL,
                            .copied = copied.bytes,
                            .prefix = prefix.bytes,
                            .desks = r->n_desks * desk.bytes,
                            .question = question.bytes,
                            .questions = slots * r->n_desks * question.bytes,
                            .embeddings = r->n_embeddings * embedding.bytes,
                            .vision = r->n_desks * vision.bytes,
                            .other = r->n_other,
                            .total = all.bytes,
                            .n_slots = slots};
    return SV_OK;
}
