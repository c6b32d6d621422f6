/* examiner.c - one question per epoch. */
#include "stage/examiner.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "sleep/stages.h"

#define MAX_ANSWER_TOKENS 1024

typedef struct ids {
    int32_t *items;
    size_t n;
} ids;

struct sv_examiner {
    const sv_model *model;
    sv_prefix *prefix;
    ids prompt;              /* whole prompt, one image_pad per picture */
    size_t n_shared;         /* of prompt: those in the prefix */
    ids forced;              /* sv_stage_forced_prefix */
    ids stages[SV_N_STAGES]; /* the names that may follow it */
    bool stage_first, coarse;
};

static sv_status encode(const sv_model *model, const char *text, size_t len, ids *out, sv_error *err) {
    return sv_tokenizer_encode(sv_model_get_tokenizer(model), text, len, true, &out->items, &out->n, err);
}

static sv_status encode_prompt(sv_examiner *e, const sv_stage_prompt *prompt, sv_error *err) {
    sv_chat chat;
    sv_strbuf text = {0};
    sv_status s = sv_stage_prompt_chat(prompt, &chat, err);
    if (s) return s;
    s = sv_chat_render(&chat, true, &text, err);
    if (!s) s = encode(e->model, sv_strbuf_text(&text), text.len, &e->prompt, err);
    sv_chat_free(&chat);
    sv_strbuf_free(&text);
    if (s) return s;
    int32_t picture = sv_model_get_config(e->model)->image_token;
    size_t n_pictures = 0;
    for (size_t i = e->prompt.n; i-- > 0;) {
        if (e->prompt.items[i] != picture) continue;
        n_pictures++;
        e->n_shared = i;
    }
    if (n_pictures == 3) return SV_OK;
    return sv_fail(err, SV_ERR_INPUT,
                   "the prompt must have exactly 3 picture tokens, found %zu: the system prompt may not contain "
                   "<|image_pad|>",
                   n_pictures);
}

sv_status sv_examiner_new(const sv_model *model, const sv_stage_prompt *prompt, bool coarse, sv_pool *pool,
                          sv_examiner **out, sv_error *err) {
    *out = NULL;
    if (coarse && !prompt->stage_first) {
        return sv_fail(
            err, SV_ERR_USAGE,
            "--track coarse needs a stage-first model; for this one give its coarse prompt by --prompt FILE");
    }
    sv_examiner *e = sv_calloc(1, sizeof *e);
    if (!e) return sv_fail_memory(err, "examiner", sizeof *e);
    e->model = model;
    e->stage_first = prompt->stage_first;
    e->coarse = coarse;
    sv_status s = encode_prompt(e, prompt, err);
    if (!s) s = encode(model, sv_stage_forced_prefix, strlen(sv_stage_forced_prefix), &e->forced, err);
    for (int i = 0; !s && i < SV_N_STAGES; i++) {
        const char *name = sv_stage_name((sv_stage)i);
        s = encode(model, name, strlen(name), &e->stages[i], err);
    }
    sv_workspace *workspace = NULL;
    if (!s) s = sv_workspace_new(model, 0, pool, &workspace, err);
    if (!s) s = sv_prefix_new(workspace, NULL, e->prompt.items, e->n_shared, &e->prefix, err);
    sv_workspace_free(workspace);
    if (s) {
        sv_examiner_free(e);
        return s;
    }
    *out = e;
    return SV_OK;
}

void sv_examiner_free(sv_examiner *e) {
    if (!e) return;
    sv_prefix_free(e->prefix);
    free(e->prompt.items);
    free(e->forced.items);
    for (int i = 0; i < SV_N_STAGES; i++) free(e->stages[i].items);
    free(e);
}

sv_status sv_examiner_session(const sv_examiner *e, const sv_embedding *picture, sv_workspace *workspace,
                              sv_session **out, sv_error *err) {
    size_t room = e->prompt.n - e->n_shared + 3 * (size_t)picture->n_tokens + e->forced.n + MAX_ANSWER_TOKENS + 16;
    return sv_session_new(workspace, e->prefix, room, out, err);
}

void sv_finding_free(sv_finding *finding) {
    free(finding->output);
    sv_answer_free(&finding->answer);
    *finding = (sv_finding){0};
}

static sv_status append_ids(sv_session *session, const int32_t *items, size_t n, float *logits, sv_error *err) {
    return sv_session_append(session, &(sv_prompt){.ids = items, .n_ids = n}, logits, err);
}

/* Softmax over the five names, from the state after the forced prefix. */
static sv_status score_stages(const sv_examiner *e, sv_session *session, const float *logits, double *probabilities,
                              sv_error *err) {
    double best = -INFINITY, total = 0;
    for (int i = 0; i < SV_N_STAGES; i++) {
        double parts[16];
        if (e->stages[i].n > SV_COUNT(parts))
            return sv_fail(err, SV_ERR_UNSUPPORTED, "stage names need too many tokens");
        sv_status s = sv_session_score(session, logits, e->stages[i].items, e->stages[i].n, parts, err);
        if (s) return s;
        probabilities[i] = 0;
        for (size_t k = 0; k < e->stages[i].n; k++) probabilities[i] += parts[k];
        best = fmax(best, probabilities[i]);
    }
    for (int i = 0; i < SV_N_STAGES; i++) total += probabilities[i] = exp(probabilities[i] - best);
    for (int i = 0; i < SV_N_STAGES; i++) probabilities[i] /= total;
    return SV_OK;
}

/* Watches a coarse answer for the bracket that closes the list of rules. */
typedef struct watch {
    const sv_tokenizer *tokenizer;
    bool closed;
} watch;

static bool until_rules_close(void *context, int32_t id) {
    watch *w = context;
    size_t len;
    const char *bytes = sv_tokenizer_bytes(w->tokenizer, id, &len);
    w->closed = memchr(bytes, ']', len) != NULL;
    return !w->closed;
}

/* The ids that are already on the timeline after the prompt, as an answer in the making. */
typedef struct timeline {
    int32_t *items; /* expanded prompt, then the answer's forced beginning */
    size_t n, n_prompt;
} timeline;

static sv_status write_text(const sv_examiner *e, sv_session *session, const timeline *t, float *logits,
                            sv_finding *out, sv_error *err) {
    const sv_tokenizer *tokenizer = sv_model_get_tokenizer(e->model);
    watch w = {.tokenizer = tokenizer};
    sv_generate_options options = {.max_tokens = MAX_ANSWER_TOKENS,
                                   .repetition_penalty = sv_model_get_config(e->model)->repetition_penalty,
                                   .on_token = e->coarse ? until_rules_close : NULL,
                                   .context = &w};
    sv_generation g = {0};
    sv_strbuf text = {0};
    sv_status s = sv_session_generate(session, logits, t->items, t->n, &options, &g, err);
    if (s == SV_ERR_CANCELLED && w.closed) s = SV_OK;
    if (!s) {
        sv_tokenizer_decode(tokenizer, t->items + t->n_prompt, t->n - t->n_prompt, true, &text);
        sv_tokenizer_decode(tokenizer, g.ids, g.n_ids, true, &text);
        if (w.closed) sv_strbuf_puts(&text, "\n}\n```"); /* we ended the object, so we close it */
        out->n_output_tokens = t->n - t->n_prompt + g.n_ids;
        out->cut = !g.stopped && !w.closed;
        if (text.failed || !(out->output = sv_strndup(sv_strbuf_text(&text), text.len))) {
            s = sv_fail_memory(err, "answer", text.len);
        } else {
            s = sv_answer_parse(out->output, text.len, &out->answer, err);
        }
    }
    sv_strbuf_free(&text);
    sv_generation_free(&g);
    return s;
}

static int most_probable(const double *probabilities) {
    int best = 0;
    for (int i = 1; i < SV_N_STAGES; i++) {
        if (probabilities[i] > probabilities[best]) best = i;
    }
    return best;
}

/* Reads the prompt, scores the stages, and leaves the session where the text is to begin. */
static sv_status read_and_score(const sv_examiner *e, sv_session *session, const sv_embedding *const pictures[3],
                                timeline *t, float *logits, float *forced_logits, sv_finding *out, sv_error *err) {
    sv_session_rewind(session, e->n_shared);
    sv_prompt question = {
        .ids = t->items + e->n_shared, .n_ids = t->n_prompt - e->n_shared, .embeddings = pictures, .n_embeddings = 3};
    sv_status s = sv_session_append(session, &question, logits, err);
    size_t asked = sv_session_length(session);
    if (!s) s = append_ids(session, e->forced.items, e->forced.n, forced_logits, err);
    if (!s) s = score_stages(e, session, forced_logits, out->probabilities, err);
    if (s) return s;
    if (!e->stage_first) {
        sv_session_rewind(session, asked);
        return SV_OK;
    }
    const ids *stage = &e->stages[most_probable(out->probabilities)];
    memcpy(t->items + t->n, e->forced.items, e->forced.n * sizeof *t->items);
    memcpy(t->items + t->n + e->forced.n, stage->items, stage->n * sizeof *t->items);
    t->n += e->forced.n + stage->n;
    return append_ids(session, stage->items, stage->n, logits, err);
}

sv_status sv_examiner_ask(const sv_examiner *e, sv_session *session, const sv_embedding *const pictures[3],
                          sv_finding *out, sv_error *err) {
    *out = (sv_finding){0};
    int vocab = sv_model_get_config(e->model)->text.vocab;
    int32_t *expanded = NULL;
    size_t n_prompt = 0;
    sv_status s = sv_prompt_expand(e->model, e->prompt.items, e->prompt.n, pictures, 3, &expanded, &n_prompt, err);
    if (s) return s;
    timeline t = {.n_prompt = n_prompt, .n = n_prompt};
    t.items = sv_calloc(n_prompt + e->forced.n + 16, sizeof *t.items);
    float *logits = sv_calloc((size_t)vocab, sizeof *logits), *forced_logits = sv_calloc((size_t)vocab, sizeof *logits);
    if (t.items && logits && forced_logits) {
        memcpy(t.items, expanded, n_prompt * sizeof *t.items);
        s = read_and_score(e, session, pictures, &t, logits, forced_logits, out, err);
        if (!s) s = write_text(e, session, &t, logits, out, err);
    } else {
        s = sv_fail_memory(err, "question", (size_t)vocab * sizeof *logits);
    }
    out->n_prompt_tokens = n_prompt;
    free(expanded);
    free(t.items);
    free(logits);
    free(forced_logits);
    if (s) sv_finding_free(out);
    return s;
}
