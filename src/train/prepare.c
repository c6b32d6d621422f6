/* prepare.c - see prepare.h. */
#include "train/prepare.h"

#include <string.h>

#include "base/memory.h"
#include "token/chat.h"

static void free_sample(sv_train_sample *sample) {
    free((void *)(uintptr_t)sample->ids);
    free((void *)(uintptr_t)sample->weights);
    free((void *)(uintptr_t)sample->pictures);
    if (sample->facts) sv_epoch_facts_free((sv_epoch_facts *)(uintptr_t)sample->facts);
    free((void *)(uintptr_t)sample->facts);
    free((void *)(uintptr_t)sample->id);
}

void sv_prepared_clear(sv_prepared *p) {
    for (size_t i = 0; i < p->n_samples; i++) free_sample(&p->samples[i]);
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

bool sv_answer_weights(const sv_tokenizer *tokenizer, const int32_t *ids, size_t n, bool with_end, float *weights) {
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
    if (with_end && at > first && at < n) weights[at] = 1;
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

/* What of the tokens is learnt, and how much. */
static sv_status weigh(const sv_record *record, const sv_preparer *how, sv_train_sample *sample, float *weights,
                       sv_error *err) {
    size_t n = sample->n_ids;
    if (!sv_answer_weights(how->tokenizer, sample->ids, n, how->learn_end, weights))
        return sv_fail(err, SV_ERR_INPUT, "expected the answer of an assistant as the last message, found none");
    while (sample->n_prompt < n && weights[sample->n_prompt] == 0) sample->n_prompt++;
    sv_status s = sv_emphasis_apply(&how->emphasis, how->tokenizer, sample->ids, n, weights, err);
    for (size_t i = 0; i < n; i++) weights[i] *= (float)record->weight;
    return s;
}

static sv_status encode(const sv_prepared *p, const sv_record *record, const sv_preparer *how, sv_train_sample *sample,
                        sv_error *err) {
    sv_strbuf text = {0};
    int32_t *ids = NULL, *expanded = NULL;
    float *weights = NULL;
    size_t n = 0;
    sv_status s = sv_chat_render(&record->chat, false, &text, err);
    if (!s) s = sv_tokenizer_encode(how->tokenizer, sv_strbuf_text(&text), text.len, true, &ids, &n, err);
    if (!s) {
        s = expand(p, sample->pictures, sample->n_pictures, how->config, ids, n, &expanded, &sample->n_ids, err);
        sample->ids = expanded;
    }
    if (!s) {
        weights = sv_calloc(sample->n_ids, sizeof *weights);
        sample->weights = weights;
        s = weights ? weigh(record, how, sample, weights, err) : sv_fail_memory(err, "weights", sample->n_ids);
    }
    sv_strbuf_free(&text);
    free(ids);
    return s;
}

static sv_status add_pictures(sv_prepared *p, const sv_record *record, const sv_preparer *how, sv_train_sample *sample,
                              sv_error *err) {
    size_t n = (size_t)record->n_images, *pictures = sv_calloc(n + 1, sizeof *pictures);
    sv_status s = pictures ? SV_OK : sv_fail_memory(err, "pictures", 0);
    for (size_t i = 0; i < n && !s; i++) s = add_picture(p, record, (int)i, how->config, &pictures[i], err);
    sample->pictures = pictures;
    sample->n_pictures = n;
    if (!s) sample->asked = pictures[n / 2];
    return s;
}

static sv_status take_facts(sv_record *record, sv_train_sample *sample, sv_error *err) {
    sv_epoch_facts *facts = sv_calloc(1, sizeof *facts);
    if (!facts) return sv_fail_memory(err, "facts", sizeof *facts);
    *facts = record->facts;
    record->facts = (sv_epoch_facts){0};
    sample->facts = facts;
    return SV_OK;
}

sv_status sv_prepared_add(sv_prepared *p, sv_record *record, const sv_preparer *how, sv_error *err) {
    sv_train_sample sample = {0};
    sv_status s = add_pictures(p, record, how, &sample, err);
    if (!s) s = encode(p, record, how, &sample, err);
    if (!s) s = take_facts(record, &sample, err);
    sample.weight = record->weight;
    sample.id = sv_strndup(record->id, strlen(record->id));
    if (!s && !sample.id) s = sv_fail_memory(err, "a record", strlen(record->id));
    if (!s && !sv_grow(&p->samples, p->n_samples, &p->sample_capacity, sizeof sample))
        s = sv_fail_memory(err, "samples", p->n_samples * sizeof sample);
    if (s) {
        free_sample(&sample);
        return s == SV_ERR_INPUT ? sv_error_prefix(err, "record '%s'", record->id) : s;
    }
    for (size_t i = 1; i < sample.n_ids; i++) p->weight += (double)sample.weights[i];
    p->samples[p->n_samples++] = sample;
    return SV_OK;
}
