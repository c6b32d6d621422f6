/* generator.c - the state of one answer. */
#include "model/generator.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "model/sampler.h"
#include "tensor/pointwise.h"

struct sv_generator {
    sv_generate_options options;
    const sv_model_config *config;
    const sv_tokenizer *tokenizer;
    sv_sampler *sampler;
    sv_answer_state answer; /* with a constraint */
    uint64_t *permitted;    /* [n_words]: room for the set of ids that may follow */
    int32_t n_ids;          /* of the vocabulary, without padding rows */
    size_t n_history;       /* for messages */
    sv_generation made;
    sv_token_stream stream;
    sv_strbuf text, scratch; /* text: all of the answer that is whole characters */
    size_t n_shown;          /* bytes of text that on_text has been given */
    bool hurried;            /* with more tokens left another id would have been chosen */
    bool ended;
};

void sv_generation_free(sv_generation *g) {
    free(g->ids);
    free(g->logprobs);
    free(g->top_ids);
    free(g->top_logprobs);
    free(g->text);
    *g = (sv_generation){.stop_string = -1};
}

sv_generate_options sv_generate_defaults(const sv_model_config *config, size_t max_tokens) {
    return (sv_generate_options){.max_tokens = max_tokens,
                                 .temperature = config->do_sample ? config->temperature : 0,
                                 .top_k = config->top_k,
                                 .top_p = config->top_p,
                                 .repetition_penalty = config->repetition_penalty};
}

static sv_status check_options(const sv_generate_options *o, int32_t n_ids, sv_error *err) {
    if (o->n_top_logprobs < 0 || o->n_top_logprobs > n_ids) {
        return sv_fail(err, SV_ERR_USAGE, "%d alternatives per token: the model has %d ids", o->n_top_logprobs, n_ids);
    }
    for (size_t i = 0; i < o->n_stop; i++) {
        if (!o->stop[i][0]) return sv_fail(err, SV_ERR_USAGE, "stop string %zu is empty", i + 1);
    }
    return SV_OK;
}

static sv_status make_room(sv_generation *g, size_t limit, int n_top, sv_error *err) {
    size_t n;
    g->n_top = n_top;
    g->stop_string = -1;
    if (sv_mul_size(limit, (size_t)n_top, &n)) {
        g->ids = sv_calloc(limit, sizeof *g->ids);
        g->logprobs = sv_calloc(limit, sizeof *g->logprobs);
        g->top_ids = sv_calloc(n, sizeof *g->top_ids);
        g->top_logprobs = sv_calloc(n, sizeof *g->top_logprobs);
    }
    if (g->ids && g->logprobs && g->top_ids && g->top_logprobs) return SV_OK;
    return sv_fail(err, SV_ERR_MEMORY, "out of memory: an answer of %zu tokens", limit);
}

static sv_status mark_history(sv_generator *g, const int32_t *history, size_t n, sv_error *err) {
    int vocab = g->config->text.vocab;
    g->n_history = n;
    for (size_t i = 0; i < n; i++) {
        if (history[i] < 0 || history[i] >= vocab) {
            return sv_fail(err, SV_ERR_INPUT, "token %zu of the history is %d; the model knows 0 to %d", i, history[i],
                           vocab - 1);
        }
        sv_sampler_mark(g->sampler, history[i]);
    }
    return SV_OK;
}

/* Prepares the form of the answer: there must be room for the shortest. */
static sv_status begin_answer(sv_generator *g, sv_error *err) {
    const sv_constraint *c = g->options.constraint;
    const char *begun = g->options.begun ? g->options.begun : "";
    if (!c) return SV_OK;
    sv_answer_begin(&g->answer);
    if (!sv_constraint_read(c, &g->answer, begun, strlen(begun))) {
        return sv_fail(err, SV_ERR_USAGE, "the beginning '%.80s' is not that of an answer of the wanted form", begun);
    }
    g->ended = g->made.stopped = sv_answer_complete(&g->answer);
    size_t n_needed = sv_constraint_n_needed(c, &g->answer);
    if (g->options.max_tokens < n_needed) {
        return sv_fail(err, SV_ERR_USAGE, "an answer of the wanted form needs %zu tokens, there is room for %zu",
                       n_needed, g->options.max_tokens);
    }
    g->permitted = sv_calloc(sv_constraint_n_words(c), sizeof *g->permitted);
    return g->permitted ? SV_OK : sv_fail_memory(err, "permitted tokens", sv_constraint_n_words(c) * 8);
}

sv_status sv_generator_new(const sv_model_config *config, const sv_tokenizer *tokenizer,
                           const sv_generate_options *options, const int32_t *history, size_t n_history,
                           sv_generator **out, sv_error *err) {
    *out = NULL;
    sv_generator *g = sv_calloc(1, sizeof *g);
    if (!g) return sv_fail_memory(err, "generator", sizeof *g);
    *g = (sv_generator){.options = *options,
                        .config = config,
                        .tokenizer = tokenizer,
                        .n_ids = SV_MIN(sv_tokenizer_n_ids(tokenizer), config->text.vocab),
                        .ended = options->max_tokens == 0};
    sv_sampling sampling = {.temperature = options->temperature,
                            .top_k = options->top_k,
                            .top_p = options->top_p,
                            .seed = options->seed,
                            .repetition_penalty = options->repetition_penalty};
    sv_status status = check_options(options, g->n_ids, err);
    if (status == SV_OK) status = sv_sampler_new(&sampling, g->n_ids, &g->sampler, err);
    if (status == SV_OK) status = mark_history(g, history, n_history, err);
    if (status == SV_OK) status = begin_answer(g, err);
    if (status == SV_OK) status = make_room(&g->made, options->max_tokens, options->n_top_logprobs, err);
    if (status != SV_OK) {
        sv_generator_free(g);
        return status;
    }
    *out = g;
    return SV_OK;
}

void sv_generator_free(sv_generator *g) {
    if (!g) return;
    sv_generation_free(&g->made);
    sv_sampler_free(g->sampler);
    free(g->permitted);
    sv_strbuf_free(&g->text);
    sv_strbuf_free(&g->scratch);
    free(g);
}

static bool is_end(const sv_model_config *config, int32_t id) {
    for (int i = 0; i < config->n_eos; i++) {
        if (config->eos[i] == id) return true;
    }
    return false;
}

/* The n_top largest logits in falling order, by insertion: n_top is small. */
static void keep_top(const float *logits, int32_t n_ids, double log_sum, int n_top, int32_t *ids, double *logprobs) {
    int n = 0;
    for (int32_t id = 0; id < n_ids; id++) {
        if (n == n_top && !(logits[id] > logits[ids[n - 1]])) continue;
        int at = n < n_top ? n++ : n - 1;
        for (; at > 0 && logits[id] > logits[ids[at - 1]]; at--) ids[at] = ids[at - 1];
        ids[at] = id;
    }
    for (int i = 0; i < n; i++) logprobs[i] = (double)logits[ids[i]] - log_sum;
}

static int32_t choose(sv_generator *g, const float *logits) {
    const sv_constraint *c = g->options.constraint;
    size_t draw = g->made.n_ids;
    if (!c) return sv_sampler_choose(g->sampler, logits, NULL, draw);
    bool limited;
    const uint64_t *set = sv_constraint_permitted(c, &g->answer, g->options.max_tokens - draw, g->permitted, &limited);
    int32_t id = sv_sampler_choose(g->sampler, logits, set, draw);
    if (limited && !g->hurried) {
        set = sv_constraint_permitted(c, &g->answer, SIZE_MAX, g->permitted, &limited);
        g->hurried = sv_sampler_choose(g->sampler, logits, set, draw) != id;
    }
    return id;
}

/* Whether the answer is over with this id: an end token, or a form that is whole. */
static bool ends(sv_generator *g, int32_t id) {
    const sv_generate_options *o = &g->options;
    if (!o->constraint) return !o->ignore_eos && is_end(g->config, id);
    size_t len;
    const char *bytes = sv_tokenizer_bytes(g->tokenizer, id, &len);
    sv_constraint_read(o->constraint, &g->answer, bytes, len);
    return sv_answer_complete(&g->answer);
}

static void record(sv_generator *g, const float *logits, int32_t id) {
    sv_generation *made = &g->made;
    size_t i = made->n_ids++, n_top = (size_t)made->n_top;
    double log_sum = sv_log_sum_exp(logits, (size_t)g->config->text.vocab);
    made->ids[i] = id;
    made->logprobs[i] = (double)logits[id] - log_sum;
    if (n_top) {
        keep_top(logits, g->n_ids, log_sum, made->n_top, made->top_ids + i * n_top, made->top_logprobs + i * n_top);
    }
    sv_sampler_mark(g->sampler, id);
}

/* Appends the token's characters to the text; false for a token that is not text. */
static bool add_text(sv_generator *g, int32_t id) {
    sv_strbuf_clear(&g->scratch);
    sv_tokenizer_decode(g->tokenizer, &id, 1, true, &g->scratch);
    if (g->scratch.len == 0) return false;
    sv_token_stream_push(&g->stream, g->tokenizer, id, &g->text);
    return true;
}

/* Cuts the text before the first stop string that ends in what was added after the first `before` bytes. */
static bool find_stop(sv_generator *g, size_t before) {
    const sv_generate_options *o = &g->options;
    size_t first = g->text.len;
    for (size_t i = 0; i < o->n_stop; i++) {
        size_t len = strlen(o->stop[i]), from = before >= len ? before - len + 1 : 0;
        for (size_t at = from; at + len <= g->text.len && at < first; at++) {
            if (memcmp(g->text.data + at, o->stop[i], len) != 0) continue;
            first = at;
            g->made.stop_string = (int)i;
        }
    }
    if (g->made.stop_string < 0) return false;
    g->text.len = first;
    g->text.data[first] = 0;
    return true;
}

/* How many bytes at the end of the text may be the beginning of a stop string. */
static size_t held_back(const sv_generator *g) {
    size_t most = 0;
    for (size_t i = 0; i < g->options.n_stop; i++) {
        for (size_t n = SV_MIN(strlen(g->options.stop[i]) - 1, g->text.len); n > most; n--) {
            if (memcmp(g->text.data + g->text.len - n, g->options.stop[i], n) == 0) most = n;
        }
    }
    return most;
}

static bool show(sv_generator *g, size_t end) {
    size_t begin = g->n_shown;
    if (!g->options.on_text || end <= begin) return true;
    g->n_shown = end;
    return g->options.on_text(g->options.context, g->text.data + begin, end - begin);
}

sv_status sv_generator_step(sv_generator *g, const float *logits, int32_t *next, sv_error *err) {
    const sv_generate_options *o = &g->options;
    *next = -1;
    if (g->ended) return SV_OK;
    int32_t id = choose(g, logits);
    if (id < 0) {
        return sv_fail(err, SV_ERR_INTERNAL,
                       "the network gave no finite logits after %zu tokens; are these weights usable?",
                       g->n_history + g->made.n_ids);
    }
    g->ended = ends(g, id);
    g->made.stopped = g->ended && !g->hurried;
    if (g->ended && !o->constraint) return SV_OK; /* an end token is not part of the answer */
    record(g, logits, id);
    size_t before = g->text.len;
    if (add_text(g, id) && find_stop(g, before)) g->made.stopped = g->ended = true;
    if (g->text.failed || g->scratch.failed) return sv_fail_memory(err, "answer", g->text.len);
    if (g->made.n_ids == o->max_tokens) g->ended = true;
    bool go_on = show(g, g->text.len - (g->ended ? 0 : held_back(g)));
    if (o->on_token) go_on &= o->on_token(o->context, id);
    if (!go_on) {
        g->ended = true;
        return sv_fail(err, SV_ERR_CANCELLED, "stopped after %zu tokens", g->made.n_ids);
    }
    if (!g->ended) *next = id;
    return SV_OK;
}

sv_status sv_generator_finish(sv_generator *g, sv_generation *out, sv_error *err) {
    *out = (sv_generation){.stop_string = -1};
    g->ended = true;
    if (g->made.stop_string < 0) sv_token_stream_flush(&g->stream, &g->text);
    g->made.text = g->text.failed ? NULL : sv_strndup(sv_strbuf_text(&g->text), g->text.len);
    if (!g->made.text) return sv_fail_memory(err, "answer", g->text.len);
    g->made.text_len = g->text.len;
    show(g, g->text.len);
    *out = g->made;
    g->made = (sv_generation){.stop_string = -1};
    return SV_OK;
}
