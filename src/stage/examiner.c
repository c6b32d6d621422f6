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
    sv_prefix_tree *tree;
    const sv_prefix *prefix; /* held in the tree */
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

sv_status sv_examiner_new(const sv_model *model, const sv_stage_prompt *prompt, bool coarse, sv_examiner **out,
                          sv_error *err) {
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
    if (s) {
        sv_examiner_free(e);
        return s;
    }
    *out = e;
    return SV_OK;
}

sv_status sv_examiner_prepare(sv_examiner *e, sv_prefix_tree *tree, sv_pool *pool, sv_error *err) {
    sv_workspace *workspace;
    sv_status s = sv_workspace_new(e->model, 0, pool, &workspace, err);
    if (s) return s;
    e->tree = tree;
    s = sv_prefix_tree_get(tree, workspace, e->prompt.items, &e->n_shared, 1, &e->prefix, err);
    sv_workspace_free(workspace);
    return s;
}

void sv_examiner_free(sv_examiner *e) {
    if (!e) return;
    if (e->tree) sv_prefix_tree_release(e->tree, e->prefix);
    free(e->prompt.items);
    free(e->forced.items);
    for (int i = 0; i < SV_N_STAGES; i++) free(e->stages[i].items);
    free(e);
}

size_t sv_examiner_room(const sv_examiner *e, size_t n_picture_tokens) {
    return e->prompt.n - e->n_shared + 3 * n_picture_tokens + e->forced.n + MAX_ANSWER_TOKENS + 16;
}

size_t sv_examiner_shared_length(const sv_examiner *e) { return e->n_shared; }

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

/* The ids that are already on the timeline after the prompt, as an answer in the making. */
typedef struct timeline {
    int32_t *items; /* expanded prompt, then the answer's forced beginning */
    size_t n, n_prompt;
} timeline;

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

/* One question that is being asked. */
typedef struct place {
    sv_session *session;
    sv_generator *generator; /* NULL = the place is free */
    timeline timeline;
    size_t question;
    sv_finding finding;
} place;

struct sv_desk {
    const sv_examiner *examiner;
    sv_workspace *workspace;
    sv_batch *batch;
    size_t n_slots;
    place *slots;
    float *logits, *forced_logits; /* [V] */
};

void sv_desk_free(sv_desk *d) {
    if (!d) return;
    sv_batch_free(d->batch);
    for (size_t i = 0; d->slots && i < d->n_slots; i++) {
        sv_generator_free(d->slots[i].generator);
        sv_session_free(d->slots[i].session);
        free(d->slots[i].timeline.items);
        sv_finding_free(&d->slots[i].finding);
    }
    free(d->slots);
    sv_workspace_free(d->workspace);
    free(d->logits);
    free(d->forced_logits);
    free(d);
}

sv_status sv_desk_new(const sv_examiner *e, size_t n_slots, size_t n_picture_tokens, sv_pool *pool, sv_desk **out,
                      sv_error *err) {
    *out = NULL;
    size_t vocab = (size_t)sv_model_get_config(e->model)->text.vocab;
    sv_desk *d = sv_calloc(1, sizeof *d);
    if (!d) return sv_fail_memory(err, "desk", sizeof *d);
    *d = (sv_desk){.examiner = e, .n_slots = n_slots};
    d->slots = sv_calloc(n_slots, sizeof *d->slots);
    d->logits = sv_calloc(vocab, sizeof *d->logits);
    d->forced_logits = sv_calloc(vocab, sizeof *d->forced_logits);
    sv_status s = d->slots && d->logits && d->forced_logits ? SV_OK : sv_fail_memory(err, "desk", vocab);
    if (!s) s = sv_workspace_new(e->model, 0, pool, &d->workspace, err);
    if (!s) s = sv_batch_new(d->workspace, n_slots, &d->batch, err);
    size_t room = sv_examiner_room(e, n_picture_tokens);
    for (size_t i = 0; !s && i < n_slots; i++) {
        s = sv_session_new(d->workspace, e->prefix, room, &d->slots[i].session, err);
    }
    if (s) {
        sv_desk_free(d);
        return s;
    }
    *out = d;
    return SV_OK;
}

/* Puts the expanded prompt on a slot's list, with room for the forced beginning. */
static sv_status lay_out(const sv_examiner *e, const sv_window *window, timeline *t, sv_error *err) {
    int32_t *expanded;
    *t = (timeline){0};
    sv_status s =
        sv_prompt_expand(e->model, e->prompt.items, e->prompt.n, window->pictures, 3, &expanded, &t->n_prompt, err);
    if (s) return s;
    t->n = t->n_prompt;
    t->items = sv_calloc(t->n + e->forced.n + 16, sizeof *t->items);
    if (t->items) memcpy(t->items, expanded, t->n * sizeof *t->items);
    free(expanded);
    return t->items ? SV_OK : sv_fail_memory(err, "question", t->n * sizeof *t->items);
}

/* Reads the question, scores the stages and joins the batch. */
static sv_status begin(sv_desk *d, place *p, const sv_window *window, size_t question, sv_error *err) {
    const sv_examiner *e = d->examiner;
    static const char *const rules_end[] = {"]"};
    p->question = question;
    p->finding = (sv_finding){0};
    sv_status s = lay_out(e, window, &p->timeline, err);
    timeline *t = &p->timeline;
    if (!s) {
        s = read_and_score(e, p->session, window->pictures, t, d->logits, d->forced_logits, &p->finding, err);
    }
    if (s) return s;
    p->finding.n_prompt_tokens = t->n_prompt;
    const sv_model_config *config = sv_model_get_config(e->model);
    sv_generate_options options = {.max_tokens = MAX_ANSWER_TOKENS, .repetition_penalty = config->repetition_penalty};
    if (e->coarse) {
        options.stop = rules_end;
        options.n_stop = SV_COUNT(rules_end);
    }
    s = sv_generator_new(config, sv_model_get_tokenizer(e->model), &options, t->items, t->n, &p->generator, err);
    return s ? s : sv_batch_join(d->batch, p->session, p->generator, d->logits, p, err);
}

/* The answer as text: what was forced, what was written, and what ends a coarse answer after its rules. */
static sv_status compose(const sv_examiner *e, const timeline *t, const sv_generation *g, sv_finding *out,
                         sv_error *err) {
    sv_strbuf text = {0};
    sv_tokenizer_decode(sv_model_get_tokenizer(e->model), t->items + t->n_prompt, t->n - t->n_prompt, true, &text);
    sv_strbuf_append(&text, g->text, g->text_len);
    if (g->stop_string >= 0) sv_strbuf_puts(&text, "]\n}\n```");
    out->n_output_tokens = t->n - t->n_prompt + g->n_ids;
    out->cut = !g->stopped;
    sv_status s = SV_OK;
    if (text.failed || !(out->output = sv_strndup(sv_strbuf_text(&text), text.len))) {
        s = sv_fail_memory(err, "answer", text.len);
    } else {
        s = sv_answer_parse(out->output, text.len, &out->answer, err);
    }
    sv_strbuf_free(&text);
    return s;
}

static void clear(place *p) {
    sv_generator_free(p->generator);
    p->generator = NULL;
    free(p->timeline.items);
    p->timeline = (timeline){0};
    sv_finding_free(&p->finding);
}

static sv_status end(const sv_desk *d, place *p, const sv_asker *asker, sv_error *err) {
    sv_generation g;
    sv_status s = sv_generator_finish(p->generator, &g, err);
    if (!s) s = compose(d->examiner, &p->timeline, &g, &p->finding, err);
    sv_generation_free(&g);
    if (!s) {
        asker->found(asker->context, p->question, &p->finding);
        p->finding = (sv_finding){0};
    }
    clear(p);
    return s;
}

static place *free_slot(sv_desk *d) {
    for (size_t i = 0; i < d->n_slots; i++) {
        if (!d->slots[i].generator) return &d->slots[i];
    }
    return NULL;
}

sv_status sv_desk_ask(sv_desk *d, const sv_window *windows, size_t n, const sv_asker *asker, sv_error *err) {
    size_t next = 0, n_done = 0;
    sv_status s = SV_OK;
    while (!s && n_done < n) {
        place *p = free_slot(d);
        if (asker->cancelled && asker->cancelled(asker->context)) {
            s = sv_fail(err, SV_ERR_CANCELLED, "stopped after %zu of %zu questions", n_done, n);
        } else if (p && next < n) {
            s = begin(d, p, &windows[next], next, err);
            next++;
        } else if ((p = sv_batch_take(d->batch))) {
            s = end(d, p, asker, err);
            n_done++;
        } else {
            s = sv_batch_step(d->batch, err);
        }
    }
    if (s) { /* what was begun is given up, so that the desk can be used again */
        sv_batch_clear(d->batch);
        for (size_t i = 0; i < d->n_slots; i++) clear(&d->slots[i]);
    }
    return s;
}
