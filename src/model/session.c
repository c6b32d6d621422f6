/* session.c - prefixes, sessions, reading prompts, scoring. */
#include "model/session.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "model/timeline.h"
#include "tensor/pointwise.h"

sv_status sv_prompt_expand(const sv_model *model, const int32_t *ids, size_t n_ids,
                           const sv_embedding *const *embeddings, size_t n_embeddings, int32_t **out, size_t *n_out,
                           sv_error *err) {
    *out = NULL;
    *n_out = 0;
    int32_t image_token = model->config.image_token;
    size_t n_marks = 0, total = n_ids;
    for (size_t i = 0; i < n_ids; i++) n_marks += ids[i] == image_token;
    if (n_marks != n_embeddings) {
        return sv_fail(err, SV_ERR_INPUT, "the prompt has %zu picture marks (token %d) but %zu pictures were given",
                       n_marks, image_token, n_embeddings);
    }
    for (size_t i = 0; i < n_embeddings; i++) {
        if (embeddings[i]->n_tokens < 1 || !sv_add_size(total, (size_t)embeddings[i]->n_tokens - 1, &total)) {
            return sv_fail(err, SV_ERR_USAGE, "picture %zu has no usable number of tokens", i + 1);
        }
    }
    int32_t *expanded = sv_calloc(total, sizeof *expanded);
    if (!expanded) return sv_fail_memory(err, "expanded prompt", total * sizeof *expanded);
    size_t n = 0, picture = 0;
    for (size_t i = 0; i < n_ids; i++) {
        int repeat = ids[i] == image_token ? embeddings[picture++]->n_tokens : 1;
        while (repeat--) expanded[n++] = ids[i];
    }
    *out = expanded;
    *n_out = n;
    return SV_OK;
}

sv_status sv_session_new(sv_workspace *workspace, const sv_prefix *prefix, size_t max_tokens, sv_session **out,
                         sv_error *err) {
    *out = NULL;
    const sv_model *model = workspace->model;
    size_t n_prefix = prefix ? prefix->length : 0, limit = (size_t)model->config.text.max_positions;
    if (prefix && prefix->model != model) return sv_fail(err, SV_ERR_USAGE, "the prefix was made with another model");
    if (max_tokens == 0 || n_prefix > limit || max_tokens > limit - n_prefix) {
        return sv_fail(err, SV_ERR_INPUT,
                       "a session of %zu tokens after a prefix of %zu: the model reads 1 to %zu in all", max_tokens,
                       n_prefix, limit);
    }
    sv_session *s = sv_calloc(1, sizeof *s);
    if (!s) return sv_fail_memory(err, "session", sizeof *s);
    s->workspace = workspace;
    s->prefix = prefix;
    s->capacity = max_tokens;
    sv_status status = sv_workspace_reserve(workspace, n_prefix + max_tokens, err);
    if (status == SV_OK) status = sv_cache_new(&model->config.text, max_tokens, &s->own, err);
    if (status == SV_OK) {
        s->positions = sv_calloc(max_tokens, sizeof *s->positions);
        s->next_after = sv_calloc(max_tokens, sizeof *s->next_after);
        if (!s->positions || !s->next_after) {
            status = sv_fail(err, SV_ERR_MEMORY, "out of memory: a session of %zu tokens", max_tokens);
        }
    }
    if (status != SV_OK) {
        sv_session_free(s);
        return status;
    }
    *out = s;
    return SV_OK;
}

void sv_session_free(sv_session *s) {
    if (!s) return;
    sv_cache_free(&s->own);
    free(s->positions);
    free(s->next_after);
    free(s);
}

size_t sv_session_length(const sv_session *s) { return (s->prefix ? s->prefix->length : 0) + s->length; }

static int32_t next_position(const sv_session *s) {
    if (s->length) return s->next_after[s->length - 1];
    return s->prefix ? s->prefix->next_position : 0;
}

/* Ids that are to be written: in the vocabulary. */
static sv_status check_ids(const sv_session *s, const int32_t *ids, size_t n, sv_error *err) {
    int vocab = s->workspace->model->config.text.vocab;
    for (size_t i = 0; i < n; i++) {
        if (ids[i] < 0 || ids[i] >= vocab) {
            return sv_fail(err, SV_ERR_INPUT, "token %zu of the prompt is %d; the model knows 0 to %d", i, ids[i],
                           vocab - 1);
        }
    }
    return SV_OK;
}

static sv_status check_room(const sv_session *s, size_t n, sv_error *err) {
    if (n <= s->capacity - s->length) return SV_OK;
    return sv_fail(err, SV_ERR_INPUT, "%zu tokens do not fit: the session has room for %zu, %zu of them used", n,
                   s->capacity, s->length);
}

/* How far the pictures of a prompt have been read. */
typedef struct cursor {
    const sv_embedding *const *embeddings; /* NULL: image tokens are text */
    size_t picture, row;
} cursor;

/* Puts the input of the layers for n ids into the work space. */
static void fill_rows(const sv_session *s, const int32_t *ids, size_t n, cursor *at, float *row) {
    const sv_model *model = s->workspace->model;
    size_t hidden = (size_t)model->config.text.hidden;
    for (size_t i = 0; i < n; i++, row += hidden) {
        if (!at->embeddings || ids[i] != model->config.image_token) {
            sv_matrix_read_row(&model->weights.embedding, (size_t)ids[i], row);
            continue;
        }
        const sv_embedding *picture = at->embeddings[at->picture];
        memcpy(row, picture->rows + at->row * hidden, hidden * sizeof *row);
        if (++at->row == (size_t)picture->n_tokens) {
            at->row = 0;
            at->picture++;
        }
    }
}

static sv_span span_of(const sv_session *s, size_t n_rows) {
    return (sv_span){s->prefix, &s->own, s->length, s->positions + s->length, n_rows};
}

/* Runs ids whose positions are set already. last: [V] of the last; all: [n, V]; each may be NULL. */
static void run_ids(sv_session *s, const int32_t *ids, size_t n, cursor at, float *last, float *all) {
    sv_workspace *w = s->workspace;
    size_t vocab = (size_t)w->model->config.text.vocab;
    for (size_t first = 0; first < n;) {
        size_t n_rows = SV_MIN(w->max_rows, n - first);
        fill_rows(s, ids + first, n_rows, &at, w->rows);
        sv_span span = span_of(s, n_rows);
        sv_decoder_run(w, &span, 1);
        s->length += n_rows;
        first += n_rows;
        if (all) sv_decoder_logits(w, 0, n_rows, all + (first - n_rows) * vocab);
    }
    size_t in_last_run = (n - 1) % w->max_rows;
    if (last) sv_decoder_logits(w, in_last_run, 1, last);
}

static sv_status append(sv_session *s, const sv_prompt *p, float *last, float *all, sv_error *err) {
    if (p->n_ids == 0) return sv_fail(err, SV_ERR_USAGE, "nothing to read: the piece of prompt has no tokens");
    sv_status status = check_ids(s, p->ids, p->n_ids, err);
    if (status == SV_OK) status = check_room(s, p->n_ids, err);
    if (status != SV_OK) return status;
    for (size_t i = 0; i < p->n_embeddings; i++) {
        const sv_embedding *e = p->embeddings[i];
        if (e->grid_h < 1 || e->grid_w < 1 || e->n_tokens != e->grid_h * e->grid_w || !e->rows) {
            return sv_fail(err, SV_ERR_USAGE, "picture %zu: %d tokens do not make a grid of %d x %d", i + 1,
                           e->n_tokens, e->grid_h, e->grid_w);
        }
    }
    static const sv_embedding *const none[1];
    const sv_embedding *const *embeddings = p->n_embeddings ? p->embeddings : none;
    status = sv_mrope_positions(p->ids, p->n_ids, s->workspace->model->config.image_token, embeddings, p->n_embeddings,
                                next_position(s), s->positions + s->length, s->next_after + s->length, err);
    if (status != SV_OK) return status;
    run_ids(s, p->ids, p->n_ids, (cursor){embeddings, 0, 0}, last, all);
    return SV_OK;
}

sv_status sv_session_append(sv_session *s, const sv_prompt *prompt, float *logits, sv_error *err) {
    return append(s, prompt, logits, NULL, err);
}

sv_status sv_session_append_all(sv_session *s, const sv_prompt *prompt, float *logits, sv_error *err) {
    return append(s, prompt, NULL, logits, err);
}

static void place_text(sv_session *s, size_t n) {
    int32_t next = next_position(s);
    for (size_t i = s->length; i < s->length + n; i++) {
        s->positions[i] = (sv_position){next, next, next};
        s->next_after[i] = ++next;
    }
}

static sv_status check_step(const sv_workspace *w, sv_session *const *sessions, const int32_t *ids, size_t n,
                            sv_error *err) {
    if (n > w->max_rows) {
        return sv_fail(err, SV_ERR_USAGE, "a step of %zu sessions: the work space was made for %zu", n, w->max_rows);
    }
    for (size_t i = 0; i < n; i++) {
        if (sessions[i]->workspace != w) return sv_fail(err, SV_ERR_USAGE, "session %zu has another work space", i);
        sv_status status = check_ids(sessions[i], ids + i, 1, err);
        if (status == SV_OK) status = check_room(sessions[i], 1, err);
        if (status != SV_OK) return status;
    }
    return SV_OK;
}

sv_status sv_sessions_step(sv_workspace *w, sv_session *const *sessions, const int32_t *ids, size_t n, float *logits,
                           sv_error *err) {
    if (n == 0) return SV_OK;
    sv_status status = check_step(w, sessions, ids, n, err);
    if (status != SV_OK) return status;
    sv_span *spans = sv_calloc(n, sizeof *spans);
    if (!spans) return sv_fail_memory(err, "step", n * sizeof *spans);
    for (size_t i = 0; i < n; i++) {
        place_text(sessions[i], 1);
        spans[i] = span_of(sessions[i], 1);
        fill_rows(sessions[i], ids + i, 1, &(cursor){0}, w->rows + i * (size_t)w->model->config.text.hidden);
    }
    sv_decoder_run(w, spans, n);
    sv_decoder_logits(w, 0, n, logits);
    for (size_t i = 0; i < n; i++) sessions[i]->length++;
    free(spans);
    return SV_OK;
}

void sv_session_rewind(sv_session *s, size_t length) {
    size_t n_prefix = s->prefix ? s->prefix->length : 0, own = length > n_prefix ? length - n_prefix : 0;
    if (own < s->length) s->length = own;
}

sv_status sv_session_score(sv_session *s, const float *logits, const int32_t *ids, size_t n, double *logprobs,
                           sv_error *err) {
    if (n == 0) return SV_OK;
    size_t vocab = (size_t)s->workspace->model->config.text.vocab, length = s->length;
    sv_status status = check_ids(s, ids, n, err);
    if (status == SV_OK) status = check_room(s, n - 1, err); /* the last id is only predicted, never read */
    if (status != SV_OK) return status;
    logprobs[0] = (double)logits[ids[0]] - sv_log_sum_exp(logits, vocab);
    for (size_t first = 0; first + 1 < n;) {
        size_t n_rows = SV_MIN(SV_MIN(SV_SCORE_ROWS, s->workspace->max_rows), n - 1 - first);
        place_text(s, n_rows);
        run_ids(s, ids + first, n_rows, (cursor){0}, NULL, s->workspace->score_logits);
        for (size_t i = 0; i < n_rows; i++) {
            const float *row = s->workspace->score_logits + i * vocab;
            logprobs[first + i + 1] = (double)row[ids[first + i + 1]] - sv_log_sum_exp(row, vocab);
        }
        first += n_rows;
    }
    s->length = length;
    return SV_OK;
}

sv_status sv_prefix_new(sv_workspace *workspace, const sv_prefix *parent, const int32_t *ids, size_t n_ids,
                        sv_prefix **out, sv_error *err) {
    *out = NULL;
    sv_session *s = NULL;
    int depth = parent ? parent->depth + 1 : 1;
    if (depth > SV_MAX_PREFIX_DEPTH) {
        return sv_fail(err, SV_ERR_USAGE, "more than %d prefixes on each other", SV_MAX_PREFIX_DEPTH);
    }
    sv_prefix *prefix = sv_calloc(1, sizeof *prefix);
    if (!prefix) return sv_fail_memory(err, "prefix", sizeof *prefix);
    sv_status status = sv_session_new(workspace, parent, n_ids, &s, err);
    if (status == SV_OK) status = sv_session_append(s, &(sv_prompt){.ids = ids, .n_ids = n_ids}, NULL, err);
    if (status == SV_OK) {
        *prefix = (sv_prefix){workspace->model, parent, depth, s->own, n_ids, sv_session_length(s), next_position(s)};
        s->own = (sv_cache){0};
        *out = prefix;
    } else {
        free(prefix);
    }
    sv_session_free(s);
    return status;
}

void sv_prefix_free(sv_prefix *prefix) {
    if (!prefix) return;
    sv_cache_free(&prefix->cache);
    free(prefix);
}

size_t sv_prefix_length(const sv_prefix *prefix) { return prefix->length; }
