/* generate.c - greedy decoding with the repetition penalty. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "model/timeline.h"
#include "tensor/pointwise.h"

void sv_generation_free(sv_generation *g) {
    free(g->ids);
    free(g->logprobs);
    free(g->top_ids);
    free(g->top_logprobs);
    *g = (sv_generation){0};
}

/* The id with the largest logit after the penalty, the lowest of equals; -1 when no logit is a number. */
static int32_t choose(const float *logits, const unsigned char *seen, int n_ids, float penalty) {
    int32_t best = -1;
    float top = -INFINITY;
    for (int32_t id = 0; id < n_ids; id++) {
        float x = logits[id];
        if (seen[id]) x = x > 0 ? x / penalty : x * penalty;
        if (x > top) {
            top = x;
            best = id;
        }
    }
    return best;
}

/* The n_top largest logits in falling order, by insertion: n_top is small. */
static void keep_top(const float *logits, int n_ids, double log_sum, int n_top, int32_t *ids, double *logprobs) {
    int n = 0;
    for (int32_t id = 0; id < n_ids; id++) {
        if (n == n_top && !(logits[id] > logits[ids[n - 1]])) continue;
        int at = n < n_top ? n++ : n - 1;
        for (; at > 0 && logits[id] > logits[ids[at - 1]]; at--) ids[at] = ids[at - 1];
        ids[at] = id;
    }
    for (int i = 0; i < n; i++) logprobs[i] = (double)logits[ids[i]] - log_sum;
}

static bool is_end(const sv_model_config *config, int32_t id) {
    for (int i = 0; i < config->n_eos; i++) {
        if (config->eos[i] == id) return true;
    }
    return false;
}

static sv_status prepare(const sv_session *s, const sv_generate_options *o, int n_ids, sv_generation *out,
                         size_t *limit, sv_error *err) {
    *out = (sv_generation){0};
    if (!(o->repetition_penalty > 0) || !isfinite(o->repetition_penalty)) {
        return sv_fail(err, SV_ERR_USAGE, "repetition penalty %g: expected a positive number",
                       (double)o->repetition_penalty);
    }
    if (o->n_top_logprobs < 0 || o->n_top_logprobs > n_ids) {
        return sv_fail(err, SV_ERR_USAGE, "%d alternatives per token: the model has %d ids", o->n_top_logprobs, n_ids);
    }
    *limit = SV_MIN(o->max_tokens, s->capacity - s->length + 1); /* the last id is written without being read */
    size_t n_top;
    out->n_top = o->n_top_logprobs;
    if (sv_mul_size(*limit, (size_t)out->n_top, &n_top)) {
        out->ids = sv_calloc(*limit, sizeof *out->ids);
        out->logprobs = sv_calloc(*limit, sizeof *out->logprobs);
        out->top_ids = sv_calloc(n_top, sizeof *out->top_ids);
        out->top_logprobs = sv_calloc(n_top, sizeof *out->top_logprobs);
    }
    if (!out->ids || !out->logprobs || !out->top_ids || !out->top_logprobs) {
        return sv_fail(err, SV_ERR_MEMORY, "out of memory: an answer of %zu tokens", *limit);
    }
    return SV_OK;
}

static sv_status mark_history(sv_session *s, const int32_t *history, size_t n, sv_error *err) {
    size_t vocab = (size_t)s->workspace->model->config.text.vocab;
    memset(s->seen, 0, vocab);
    for (size_t i = 0; i < n; i++) {
        if (history[i] < 0 || (size_t)history[i] >= vocab) {
            return sv_fail(err, SV_ERR_INPUT, "token %zu of the history is %d; the model knows 0 to %zu", i, history[i],
                           vocab - 1);
        }
        s->seen[history[i]] = 1;
    }
    return SV_OK;
}

sv_status sv_session_generate(sv_session *s, float *logits, const int32_t *history, size_t n_history,
                              const sv_generate_options *options, sv_generation *out, sv_error *err) {
    const sv_model_config *config = &s->workspace->model->config;
    size_t vocab = (size_t)config->text.vocab, limit = 0;
    int n_ids = sv_tokenizer_n_ids(s->workspace->model->tokenizer);
    sv_status status = prepare(s, options, n_ids, out, &limit, err);
    if (status == SV_OK) status = mark_history(s, history, n_history, err);
    while (status == SV_OK && out->n_ids < limit) {
        int32_t id = choose(logits, s->seen, n_ids, options->repetition_penalty);
        if (id < 0) {
            status = sv_fail(err, SV_ERR_INTERNAL,
                             "the network gave no finite logits after %zu tokens; are these weights usable?",
                             sv_session_length(s));
            break;
        }
        if (!options->ignore_eos && is_end(config, id)) {
            out->stopped = true;
            break;
        }
        size_t i = out->n_ids++;
        double log_sum = sv_log_sum_exp(logits, vocab);
        out->ids[i] = id;
        out->logprobs[i] = (double)logits[id] - log_sum;
        if (out->n_top) {
            keep_top(logits, n_ids, log_sum, out->n_top, out->top_ids + i * (size_t)out->n_top,
                     out->top_logprobs + i * (size_t)out->n_top);
        }
        s->seen[id] = 1;
        if (options->on_token && !options->on_token(options->context, id)) {
            status = sv_fail(err, SV_ERR_CANCELLED, "stopped after %zu tokens", out->n_ids);
        } else if (out->n_ids < limit) {
            status = sv_sessions_step(s->workspace, &s, &id, 1, logits, err);
        }
    }
    if (status != SV_OK && status != SV_ERR_CANCELLED) sv_generation_free(out);
    return status;
}
