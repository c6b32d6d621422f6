/* prepare.c - see prepare.h. */
#include "train/prepare.h"

#include <string.h>

#include "base/memory.h"
#include "token/chat.h"

void sv_prepared_clear(sv_prepared *p) {
    for (size_t i = 0; i < p->n_samples; i++) {
        free((void *)(uintptr_t)p->samples[i].ids);
        free((void *)(uintptr_t)p->samples[i].weights);
        free((void *)(uintptr_t)p->samples[i].pictures);
    }
    for (size_t i = 0; i < p->n_pictures; i++) sv_patches_free(&p->pictures[i]);
    p->n_samples = p->n_pictures = 0;
    p->weight = 0;
}

void sv_prepared_free(sv_prepared *p) {
    sv_prepared_clear(p);
    free(p->samples);
    free(p->pictures);
    free(p->keys);
    *p = (sv_prepared){0};
}

sv_train_batch sv_prepared_batch(const sv_prepared *p) {
    return (sv_train_batch){p->samples, p->n_samples, p->pictures, p->n_pictures};
}

/* ---- what is learnt */

static bool is_space(const char *bytes, size_t len) {
    for (size_t i = 0; i < len; i++) {
        if (!strchr(" \t\r\n\v\f", bytes[i]) || !bytes[i]) return false;
    }
    return len > 0;
}

bool sv_answer_weights(const sv_tokenizer *tokenizer, const int32_t *ids, size_t n, float *weights) {
    static const char role[] = "assistant";
    int start = sv_tokenizer_special(tokenizer, "<|im_start|>"), end = sv_tokenizer_special(tokenizer, "<|im_end|>");
    size_t at = n, read = 0, len;
    memset(weights, 0, n * sizeof *weights);
    while (at > 0 && ids[at - 1] != start) at--;
    if (at == 0) return false;
    for (; at < n && read < sizeof role - 1; at++) {
        const char *bytes = sv_tokenizer_bytes(tokenizer, ids[at], &len);
        if (len > sizeof role - 1 - read || memcmp(bytes, role + read, len) != 0) return false;
        read += len;
    }
    for (; at < n; at++) {
        const char *bytes = sv_tokenizer_bytes(tokenizer, ids[at], &len);
        if (!is_space(bytes, len)) break;
    }
    size_t first = at;
    for (; at < n && ids[at] != end; at++) weights[at] = 1;
    return at > first;
}

/* ---- one record */

static sv_status add_picture(sv_prepared *p, const sv_record *record, int image, const sv_model_config *config,
                             size_t *index, sv_error *err) {
    uint64_t key = record->image_keys[image];
    for (size_t i = 0; i < p->n_pictures; i++) {
        if (p->keys[i] == key) return *index = i, SV_OK;
    }
    if (!sv_grow(&p->pictures, p->n_pictures, &p->picture_capacity, sizeof *p->pictures) ||
        !sv_grow(&p->keys, p->n_pictures, &p->key_capacity, sizeof *p->keys))
        return sv_fail_memory(err, "pictures", p->n_pictures * sizeof *p->pictures);
    sv_status s = sv_image_to_patches(config, &record->images[image], &p->pictures[p->n_pictures], err);
    if (s) return s;
    p->keys[p->n_pictures] = key;
    *index = p->n_pictures++;
    return SV_OK;
}

static size_t cells_of(const sv_patches *picture, const sv_model_config *config) {
    int merge = config->vision.merge;
    return (size_t)(picture->grid_h / merge) * (size_t)(picture->grid_w / merge);
}

/* Each picture's mark becomes as many image tokens as it has cells. */
static sv_status expand(const sv_prepared *p, const size_t *pictures, size_t n_pictures, const sv_model_config *config,
                        const int32_t *ids, size_t n, int32_t **out, size_t *n_out, sv_error *err) {
    size_t total = n, picture = 0, at = 0;
    for (size_t i = 0; i < n_pictures; i++) total += cells_of(&p->pictures[pictures[i]], config) - 1;
    int32_t *expanded = sv_calloc(total, sizeof *expanded);
    if (!expanded) return sv_fail_memory(err, "tokens", total * sizeof *expanded);
    for (size_t i = 0; i < n; i++) {
        bool mark = ids[i] == config->image_token;
        size_t repeat = mark && picture < n_pictures ? cells_of(&p->pictures[pictures[picture]], config) : 1;
        picture += mark;
        while (repeat-- && at < total) expanded[at++] = ids[i];
    }
    if (picture != n_pictures || at != total) {
        free(expanded);
        return sv_fail(err, SV_ERR_INPUT, "the text has %zu marks of pictures for %zu pictures", picture, n_pictures);
    }
    *out = expanded;
    *n_out = total;
    return SV_OK;
}

static sv_status encode(const sv_prepared *p, const sv_record *record, const size_t *pictures,
                        const sv_model_config *config, const sv_tokenizer *tokenizer, sv_train_sample *out,
                        sv_error *err) {
    sv_strbuf text = {0};
    int32_t *ids = NULL, *expanded = NULL;
    float *weights = NULL;
    size_t n = 0, n_expanded = 0;
    sv_status s = sv_chat_render(&record->chat, false, &text, err);
    if (!s) s = sv_tokenizer_encode(tokenizer, sv_strbuf_text(&text), text.len, true, &ids, &n, err);
    if (!s) s = expand(p, pictures, (size_t)record->n_images, config, ids, n, &expanded, &n_expanded, err);
    if (!s && !(weights = sv_calloc(n_expanded, sizeof *weights))) s = sv_fail_memory(err, "weights", n_expanded);
    if (!s && !sv_answer_weights(tokenizer, expanded, n_expanded, weights)) {
        s = sv_fail(err, SV_ERR_INPUT, "expected the answer of an assistant as the last message, found none");
    }
    sv_strbuf_free(&text);
    free(ids);
    if (s) {
        free(expanded);
        free(weights);
        return s;
    }
    out->ids = expanded;
    out->weights = weights;
    out->n_ids = n_expanded;
    return SV_OK;
}

sv_status sv_prepared_add(sv_prepared *p, const sv_record *record, const sv_model_config *config,
                          const sv_tokenizer *tokenizer, sv_error *err) {
    size_t *pictures = sv_calloc((size_t)record->n_images + 1, sizeof *pictures);
    sv_train_sample sample = {.n_pictures = (size_t)record->n_images, .pictures = pictures};
    sv_status s = pictures ? SV_OK : sv_fail_memory(err, "pictures", 0);
    for (int i = 0; i < record->n_images && !s; i++) s = add_picture(p, record, i, config, &pictures[i], err);
    if (!s) s = encode(p, record, pictures, config, tokenizer, &sample, err);
    if (!s && !sv_grow(&p->samples, p->n_samples, &p->sample_capacity, sizeof sample)) {
        free((void *)(uintptr_t)sample.ids);
        free((void *)(uintptr_t)sample.weights);
        s = sv_fail_memory(err, "samples", p->n_samples * sizeof sample);
    }
    if (s) {
        free(pictures);
        return s == SV_ERR_INPUT ? sv_error_prefix(err, "record '%s'", record->id) : s;
    }
    for (size_t i = 1; i < sample.n_ids; i++) p->weight += (double)sample.weights[i];
    p->samples[p->n_samples++] = sample;
    return SV_OK;
}
