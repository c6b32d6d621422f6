/* desk.c - questions in slots; each goes through one or two passes, whose texts are written by a common batch. */
#include "stage/desk.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "sleep/stages.h"
#include "stage/stage_place.h"

/* What is on a timeline behind its prefix: the expanded prompt (from the first id on), then the answer's forced
 * beginning. */
typedef struct timeline {
    int32_t *items;
    size_t n, n_prompt;
} timeline;

/* One question that is being asked. */
typedef struct place {
    sv_session *main, *coarse; /* coarse is NULL when there is one pass */
    const sv_asked *pass;      /* &examiner->coarse, then &examiner->main */
    sv_generator *generator;   /* NULL = the place is free */
    timeline timeline;         /* of the present pass */
    size_t question;
    const sv_window *window;
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

void sv_finding_free(sv_finding *finding) {
    free(finding->output);
    sv_answer_free(&finding->answer);
    *finding = (sv_finding){0};
}

static void clear(place *p) {
    sv_generator_free(p->generator);
    p->generator = NULL;
    free(p->timeline.items);
    p->timeline = (timeline){0};
    sv_finding_free(&p->finding);
}

void sv_desk_free(sv_desk *d) {
    if (!d) return;
    sv_batch_free(d->batch);
    for (size_t i = 0; d->slots && i < d->n_slots; i++) {
        clear(&d->slots[i]);
        sv_session_free(d->slots[i].main);
        sv_session_free(d->slots[i].coarse);
    }
    free(d->slots);
    sv_workspace_free(d->workspace);
    free(d->logits);
    free(d->forced_logits);
    free(d);
}

static sv_status open_sessions(sv_desk *d, size_t n_picture_tokens, sv_error *err) {
    const sv_examiner *e = d->examiner;
    size_t room = sv_examiner_room(e, &e->main, n_picture_tokens);
    size_t coarse_room = sv_examiner_room(e, &e->coarse, n_picture_tokens);
    sv_status s = SV_OK;
    for (size_t i = 0; !s && i < d->n_slots; i++) {
        s = sv_session_new(d->workspace, e->main.prefix, room, &d->slots[i].main, err);
        if (!s && coarse_room) {
            s = sv_session_new(d->workspace, e->coarse.prefix, coarse_room, &d->slots[i].coarse, err);
        }
    }
    return s;
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
    if (!s) s = open_sessions(d, n_picture_tokens, err);
    if (s) {
        sv_desk_free(d);
        return s;
    }
    *out = d;
    return SV_OK;
}

static sv_status append(sv_session *session, const sv_ids *ids, float *logits, sv_error *err) {
    return sv_session_append(session, &(sv_prompt){.ids = ids->items, .n_ids = ids->n}, logits, err);
}

/* Softmax over five continuations of the session's state, whose logits are given; then the temperature. */
static sv_status score(const sv_examiner *e, sv_session *session, const float *logits,
                       const sv_ids continuations[SV_N_STAGES], sv_finding *out, sv_error *err) {
    double best = -INFINITY, total = 0, *p = out->raw_probabilities;
    for (int i = 0; i < SV_N_STAGES; i++) {
        double parts[SV_MAX_STAGE_TOKENS];
        sv_status s = sv_session_score(session, logits, continuations[i].items, continuations[i].n, parts, err);
        if (s) return s;
        p[i] = 0;
        for (size_t k = 0; k < continuations[i].n; k++) p[i] += parts[k];
        best = fmax(best, p[i]);
    }
    for (int i = 0; i < SV_N_STAGES; i++) total += p[i] = exp(p[i] - best);
    for (int i = 0; i < SV_N_STAGES; i++) p[i] /= total;
    memcpy(out->probabilities, p, sizeof out->probabilities);
    sv_temperature_apply(e->temperature, out->probabilities);
    out->has_probabilities = true;
    return SV_OK;
}

static int most_probable(const double *probabilities) {
    int best = 0;
    for (int i = 1; i < SV_N_STAGES; i++) {
        if (probabilities[i] > probabilities[best]) best = i;
    }
    return best;
}

/* Puts the expanded prompt on a list, with room for the forced beginning. */
static sv_status lay_out(const sv_examiner *e, const sv_asked *pass, const sv_window *window, timeline *t,
                         sv_error *err) {
    int32_t *expanded;
    *t = (timeline){0};
    sv_status s =
        sv_prompt_expand(e->model, pass->ids.items, pass->ids.n, window->pictures, 3, &expanded, &t->n_prompt, err);
    if (s) return s;
    t->n = t->n_prompt;
    t->items = sv_calloc(t->n + e->forced.n + SV_MAX_STAGE_TOKENS, sizeof *t->items);
    if (t->items) memcpy(t->items, expanded, t->n * sizeof *t->items);
    free(expanded);
    return t->items ? SV_OK : sv_fail_memory(err, "question", t->n * sizeof *t->items);
}

/* Scores the stages on the forced beginning; a stage-first model then goes on from the most probable one, which leaves
 * its logits in d->logits. */
static sv_status score_forced(sv_desk *d, place *p, sv_error *err) {
    const sv_examiner *e = d->examiner;
    timeline *t = &p->timeline;
    size_t asked = sv_session_length(p->main);
    sv_status s = append(p->main, &e->forced, d->forced_logits, err);
    if (!s) s = score(e, p->main, d->forced_logits, e->stages, &p->finding, err);
    if (s) return s;
    if (!e->stage_first) {
        sv_session_rewind(p->main, asked);
        return SV_OK;
    }
    const sv_ids *stage = &e->stages[most_probable(p->finding.raw_probabilities)];
    memcpy(t->items + t->n, e->forced.items, e->forced.n * sizeof *t->items);
    memcpy(t->items + t->n + e->forced.n, stage->items, stage->n * sizeof *t->items);
    t->n += e->forced.n + stage->n;
    return append(p->main, stage, d->logits, err);
}

/* Lets the batch write the answer of the present pass. */
static sv_status start_writing(sv_desk *d, place *p, sv_error *err) {
    const sv_examiner *e = d->examiner;
    static const char *const rules_end[] = {"]"};
    const sv_model_config *config = sv_model_get_config(e->model);
    const sv_tokenizer *tokenizer = sv_model_get_tokenizer(e->model);
    const timeline *t = &p->timeline;
    bool is_main = p->pass == &e->main;
    sv_strbuf begun = {0};
    sv_tokenizer_decode(tokenizer, t->items + t->n_prompt, t->n - t->n_prompt, true, &begun);
    sv_generate_options options = {.max_tokens = is_main ? SV_MAX_ANSWER_TOKENS : SV_MAX_COARSE_TOKENS,
                                   .repetition_penalty = config->repetition_penalty,
                                   .constraint = is_main ? e->constraint : e->coarse_constraint};
    if (options.constraint && begun.len) options.begun = sv_strbuf_text(&begun);
    if (is_main && e->ends_after_rules) {
        options.stop = rules_end;
        options.n_stop = SV_COUNT(rules_end);
    }
    sv_status s = begun.failed ? sv_fail_memory(err, "answer", t->n) : SV_OK;
    if (!s) s = sv_generator_new(config, tokenizer, &options, t->items, t->n, &p->generator, err);
    sv_strbuf_free(&begun);
    return s ? s : sv_batch_join(d->batch, is_main ? p->main : p->coarse, p->generator, d->logits, p, err);
}

/* Reads the question of a pass and begins its answer. */
static sv_status begin_pass(sv_desk *d, place *p, const sv_asked *pass, sv_error *err) {
    const sv_examiner *e = d->examiner;
    sv_session *session = pass == &e->main ? p->main : p->coarse;
    p->pass = pass;
    sv_status s = lay_out(e, pass, p->window, &p->timeline, err);
    if (s) return s;
    const timeline *t = &p->timeline;
    sv_session_rewind(session, pass->n_shared);
    const sv_prompt question = {.ids = t->items + pass->n_shared,
                                .n_ids = t->n_prompt - pass->n_shared,
                                .embeddings = p->window->pictures,
                                .n_embeddings = 3};
    p->finding.n_prompt_tokens += t->n_prompt;
    s = sv_session_append(session, &question, d->logits, err);
    if (!s && pass == &e->main && e->source == SV_PROBABILITIES_FORCED) s = score_forced(d, p, err);
    return s ? s : start_writing(d, p, err);
}

static sv_status begin(sv_desk *d, place *p, const sv_window *window, size_t question, sv_error *err) {
    p->question = question;
    p->window = window;
    p->finding = (sv_finding){0};
    return begin_pass(d, p, p->coarse ? &d->examiner->coarse : &d->examiner->main, err);
}

/* The written text around the stage's name, from token boundary to token boundary. */
typedef struct surroundings {
    const char *lead, *name, *tail;
    size_t n_lead, n_name, n_tail;
    size_t token;   /* the first of them */
    sv_stage stage; /* whose name it is */
} surroundings;

/* The five ways in which the text could have gone on there. */
static sv_status alternatives(const sv_examiner *e, const surroundings *around, sv_ids out[SV_N_STAGES],
                              sv_error *err) {
    sv_status s = SV_OK;
    for (int i = 0; !s && i < SV_N_STAGES; i++) {
        const char *name = sv_stage_name((sv_stage)i);
        sv_strbuf text = {0};
        sv_strbuf_append(&text, around->lead, around->n_lead);
        if (i == (int)around->stage) { /* as it was written */
            sv_strbuf_append(&text, around->name, around->n_name);
        } else {
            sv_strbuf_puts(&text, name);
        }
        sv_strbuf_append(&text, around->tail, around->n_tail);
        s = text.failed ? sv_fail_memory(err, "stage", around->n_lead)
                        : sv_examiner_encode(e, sv_strbuf_text(&text), text.len, &out[i], err);
        sv_strbuf_free(&text);
        if (!s && out[i].n > SV_MAX_STAGE_TOKENS) {
            s = sv_fail(err, SV_ERR_UNSUPPORTED, "the name of stage %s needs %zu tokens", name, out[i].n);
        }
    }
    return s;
}

/* What was written from the token on in which byte `at` of the text lies to the end of that in which the stage's name
 * ends. */
static surroundings surround(const sv_tokenizer *tokenizer, const sv_generation *g, const char *text, sv_stage stage,
                             size_t at, size_t n_name) {
    surroundings out = {.name = text + at, .n_name = n_name, .stage = stage};
    size_t begin = 0, len;
    for (size_t i = 0; i < g->n_ids; i++, begin += len) {
        sv_tokenizer_bytes(tokenizer, g->ids[i], &len);
        size_t end = begin + len;
        if (begin <= at && at < end) {
            out.token = i;
            out.lead = text + begin;
            out.n_lead = at - begin;
        }
        if (begin < at + n_name && at + n_name <= end) {
            out.tail = text + at + n_name;
            out.n_tail = end - at - n_name;
        }
    }
    return out;
}

/* Reads the distribution where the written text names its stage; none when it names it nowhere. */
static sv_status score_text(sv_desk *d, place *p, const sv_generation *g, sv_stage stage, sv_error *err) {
    const sv_examiner *e = d->examiner;
    const sv_tokenizer *tokenizer = sv_model_get_tokenizer(e->model);
    sv_session *session = p->pass == &e->main ? p->main : p->coarse;
    sv_strbuf text = {0};
    sv_ids continuations[SV_N_STAGES] = {{0}};
    surroundings around = {0};
    size_t at, n_name, len;
    for (size_t i = 0; i < g->n_ids; i++) {
        const char *bytes = sv_tokenizer_bytes(tokenizer, g->ids[i], &len);
        sv_strbuf_append(&text, bytes, len);
    }
    sv_status s = text.failed ? sv_fail_memory(err, "answer", text.len) : SV_OK;
    if (!s && sv_stage_place(sv_strbuf_text(&text), text.len, stage, &at, &n_name)) {
        around = surround(tokenizer, g, sv_strbuf_text(&text), stage, at, n_name);
    }
    if (!s && around.token > 0) { /* the token before is read again for its logits */
        sv_session_rewind(session, p->timeline.n_prompt + around.token - 1);
        s = append(session, &(sv_ids){g->ids + around.token - 1, 1}, d->forced_logits, err);
        if (!s) s = alternatives(e, &around, continuations, err);
        if (!s) s = score(e, session, d->forced_logits, continuations, &p->finding, err);
    }
    for (int i = 0; i < SV_N_STAGES; i++) free(continuations[i].items);
    sv_strbuf_free(&text);
    return s;
}

/* The answer as text: what was forced, what was written, and what ends an answer after its rules. */
static sv_status compose(const sv_examiner *e, const timeline *t, const sv_generation *g, sv_finding *out,
                         sv_error *err) {
    sv_strbuf text = {0};
    sv_tokenizer_decode(sv_model_get_tokenizer(e->model), t->items + t->n_prompt, t->n - t->n_prompt, true, &text);
    sv_strbuf_append(&text, g->text, g->text_len);
    if (g->stop_string >= 0) sv_strbuf_puts(&text, "]\n}\n```");
    out->n_output_tokens += t->n - t->n_prompt + g->n_ids;
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

/* The short answer has been written: its stage's distribution is kept, then the question proper is asked. */
static sv_status end_coarse(sv_desk *d, place *p, const sv_generation *g, sv_error *err) {
    sv_answer answer;
    sv_status s = sv_answer_parse(g->text, g->text_len, &answer, err);
    if (s) return s;
    s = score_text(d, p, g, answer.stage, err);
    sv_answer_free(&answer);
    p->finding.n_output_tokens += g->n_ids;
    sv_generator_free(p->generator);
    p->generator = NULL;
    free(p->timeline.items);
    p->timeline = (timeline){0};
    return s ? s : begin_pass(d, p, &d->examiner->main, err);
}

static sv_status end_main(sv_desk *d, place *p, const sv_generation *g, const sv_asker *asker, sv_error *err) {
    const sv_examiner *e = d->examiner;
    sv_status s = compose(e, &p->timeline, g, &p->finding, err);
    if (!s && e->source == SV_PROBABILITIES_TEXT) s = score_text(d, p, g, p->finding.answer.stage, err);
    if (!s) {
        asker->found(asker->context, p->question, &p->finding);
        p->finding = (sv_finding){0};
    }
    clear(p);
    return s;
}

/* *done: the question has been answered. */
static sv_status end_pass(sv_desk *d, place *p, const sv_asker *asker, bool *done, sv_error *err) {
    sv_generation g;
    *done = p->pass == &d->examiner->main;
    sv_status s = sv_generator_finish(p->generator, &g, err);
    if (!s) s = *done ? end_main(d, p, &g, asker, err) : end_coarse(d, p, &g, err);
    sv_generation_free(&g);
    return s;
}

static place *free_place(sv_desk *d) {
    for (size_t i = 0; i < d->n_slots; i++) {
        if (!d->slots[i].generator) return &d->slots[i];
    }
    return NULL;
}

sv_status sv_desk_ask(sv_desk *d, const sv_window *windows, size_t n, const sv_asker *asker, sv_error *err) {
    size_t next = 0, n_done = 0;
    bool done;
    sv_status s = SV_OK;
    while (!s && n_done < n) {
        place *p = free_place(d);
        if (asker->cancelled && asker->cancelled(asker->context)) {
            s = sv_fail(err, SV_ERR_CANCELLED, "stopped after %zu of %zu questions", n_done, n);
        } else if (p && next < n) {
            s = begin(d, p, &windows[next], next, err);
            next++;
        } else if ((p = sv_batch_take(d->batch))) {
            s = end_pass(d, p, asker, &done, err);
            n_done += done;
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
