/* memory_plan.c - sums of the sizes that the parts of the engine state themselves. */
#include "model/memory_plan.h"

#include "base/memory.h"
#include "model/network.h"

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
    sum s = {0, n_tokens < SIZE_MAX / 2 && sv_cache_sizes(c, (n_tokens + 31) / 32 * 32, &keys, &values)};
    add(&s, keys, sizeof(float));
    add(&s, values, sizeof(float));
    return s;
}

/* One question in a slot: its timeline and the state of its answer. */
static sum question_bytes(const sv_model *m, size_t n_own) {
    size_t vocab = (size_t)m->config.text.vocab;
    sum s = cache_bytes(&m->config.text, n_own);
    add(&s, n_own, sizeof(sv_position) + sizeof(int32_t) + ROW_OF_A_GENERATOR);
    add(&s, vocab, sizeof(float) + 2); /* its row of logits; what the sampler has seen and may choose */
    return s;
}

static sum desk_bytes(const sv_model *m, const sv_memory_request *r) {
    sum s = {0, true};
    size_t n;
    s.fits = sv_workspace_size(m, r->n_prefix + r->n_own, r->n_threads, &n);
    add(&s, 1, n);
    add(&s, 2 * (size_t)m->config.text.vocab, sizeof(float));
    return s;
}

static sv_status picture_bytes(const sv_model *m, const sv_memory_request *r, sum *vision, sum *embedding,
                               sv_error *err) {
    const sv_vision_config *v = &m->config.vision;
    int height, width;
    sv_status s = sv_smart_resize(r->picture_h, r->picture_w, v->patch * v->merge, m->config.min_pixels,
                                  m->config.max_pixels, &height, &width, err);
    if (s) return s;
    size_t n_patches = (size_t)(height / v->patch) * (size_t)(width / v->patch), n = 0;
    *vision = (sum){0, sv_vision_size(m, n_patches, r->n_threads, &n)};
    add(vision, 1, n);
    add(vision, n_patches * (size_t)(v->channels * v->patch * v->patch), sizeof(float));
    *embedding = (sum){0, true};
    add(embedding, n_patches / (size_t)(v->merge * v->merge), (size_t)v->out_hidden * sizeof(float));
    return SV_OK;
}

sv_status sv_memory_plan_make(const sv_model *m, const sv_memory_request *r, sv_memory_plan *out, sv_error *err) {
    sum vision, embedding, prefix = cache_bytes(&m->config.text, r->n_prefix), desk = desk_bytes(m, r);
    sum question = question_bytes(m, r->n_own), fixed = {0, true}, all = {0, true};
    sv_status s = picture_bytes(m, r, &vision, &embedding, err);
    if (s) return s;
    add(&fixed, 1, m->weights.storage_bytes);
    add(&fixed, 1, prefix.bytes);
    add(&fixed, r->n_desks, desk.bytes);
    add(&fixed, r->n_desks, vision.bytes);
    add(&fixed, r->n_embeddings, embedding.bytes);
    add(&fixed, 1, r->n_other);
    fixed.fits &= vision.fits && embedding.fits && prefix.fits && desk.fits && question.fits;
    size_t slots = r->n_slots, left = r->budget > fixed.bytes ? r->budget - fixed.bytes : 0;
    if (r->budget) slots = SV_MIN(slots, left / (question.bytes * r->n_desks));
    all = fixed;
    add(&all, SV_MAX(slots, (size_t)1) * r->n_desks, question.bytes);
    if (!all.fits)
        return sv_fail(err, SV_ERR_MEMORY, "questions of %zu tokens need more memory than any machine has", r->n_own);
    if (slots == 0) {
        return sv_fail(err, SV_ERR_MEMORY,
                       "the memory budget of %.0f MB is too small: %.0f MB are needed to ask one question at a time "
                       "(%.0f MB of it for the shared prompt, %.0f MB for a question); the weights are not counted",
                       (double)r->budget / 1e6, (double)all.bytes / 1e6 + 0.5, (double)prefix.bytes / 1e6,
                       (double)question.bytes / 1e6);
    }
    *out = (sv_memory_plan){.weights = m->weights.storage_bytes,
                            .prefix = prefix.bytes,
                            .desks = r->n_desks * desk.bytes,
                            .questions = slots * r->n_desks * question.bytes,
                            .embeddings = r->n_embeddings * embedding.bytes,
                            .vision = r->n_desks * vision.bytes,
                            .other = r->n_other,
                            .total = all.bytes,
                            .n_slots = slots};
    return SV_OK;
}
