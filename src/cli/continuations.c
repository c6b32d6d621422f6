/* continuations.c - read, scored, printed. */
#include "cli/continuations.h"

#include <stdio.h>

#include "base/memory.h"

static sv_status read_ids(const json_t *list, sv_continuation *out, sv_error *err) {
    out->n_ids = json_array_size(list);
    out->ids = sv_calloc(out->n_ids, sizeof *out->ids);
    if (!out->ids) return sv_fail_memory(err, "ids", out->n_ids * sizeof *out->ids);
    for (size_t i = 0; i < out->n_ids; i++) {
        const json_t *item = json_array_get(list, i);
        json_int_t id = json_is_integer(item) ? json_integer_value(item) : -1;
        if (id < 0 || id > INT32_MAX) return sv_fail(err, SV_ERR_INPUT, "item %zu is not a token id", i + 1);
        out->ids[i] = (int32_t)id;
    }
    return SV_OK;
}

static sv_status read_one(const json_t *value, const sv_tokenizer *tokenizer, sv_continuation *out, sv_error *err) {
    sv_status status = SV_OK;
    if (json_is_string(value)) {
        status = sv_tokenizer_encode(tokenizer, json_string_value(value), json_string_length(value), true, &out->ids,
                                     &out->n_ids, err);
    } else if (json_is_array(value)) {
        status = read_ids(value, out, err);
    } else {
        return sv_fail(err, SV_ERR_INPUT, "expected a text or a list of token ids");
    }
    if (status != SV_OK) return status;
    out->logprobs = sv_calloc(out->n_ids, sizeof *out->logprobs);
    return out->logprobs ? SV_OK : sv_fail_memory(err, "log-probabilities", out->n_ids * sizeof *out->logprobs);
}

sv_status sv_continuations_load(const char *path, const sv_tokenizer *tokenizer, sv_continuations *out, sv_error *err) {
    *out = (sv_continuations){0};
    json_t *root = NULL;
    sv_status status = sv_json_load(path, &root, err);
    if (status != SV_OK) return status;
    size_t n = json_array_size(root);
    if (n == 0) {
        status = sv_fail(err, SV_ERR_INPUT, "%s: expected a JSON list of continuations", path);
    } else if (!(out->items = sv_calloc(n, sizeof *out->items))) {
        status = sv_fail_memory(err, "continuations", n * sizeof *out->items);
    }
    for (size_t i = 0; out->items && status == SV_OK && i < n; i++) {
        status = read_one(json_array_get(root, i), tokenizer, &out->items[out->n++], err);
        if (status != SV_OK) sv_error_prefix(err, "%s: continuation %zu", path, i + 1);
        out->longest = SV_MAX(out->longest, out->items[i].n_ids);
    }
    json_decref(root);
    return status;
}

void sv_continuations_free(sv_continuations *list) {
    for (size_t i = 0; i < list->n; i++) {
        free(list->items[i].ids);
        free(list->items[i].logprobs);
    }
    free(list->items);
    *list = (sv_continuations){0};
}

sv_status sv_continuations_score(sv_continuations *list, sv_session *session, const float *logits, sv_error *err) {
    for (size_t i = 0; i < list->n; i++) {
        const sv_continuation *c = &list->items[i];
        if (sv_session_score(session, logits, c->ids, c->n_ids, c->logprobs, err) == SV_OK) continue;
        return sv_error_prefix(err, "continuation %zu", i + 1);
    }
    return SV_OK;
}

json_t *sv_cli_token_json(const sv_tokenizer *tokenizer, int32_t id, double logprob) {
    sv_strbuf text = {0};
    sv_tokenizer_decode(tokenizer, &id, 1, false, &text);
    json_t *entry =
        json_pack("{s:i, s:s%, s:f}", "id", (int)id, "token", sv_strbuf_text(&text), text.len, "logprob", logprob);
    sv_strbuf_free(&text);
    return entry;
}

static json_t *continuation_json(const sv_continuation *c, const sv_tokenizer *tokenizer) {
    sv_strbuf text = {0};
    double sum = 0;
    json_t *tokens = json_array();
    sv_tokenizer_decode(tokenizer, c->ids, c->n_ids, false, &text);
    for (size_t i = 0; i < c->n_ids; i++) {
        sum += c->logprobs[i];
        json_array_append_new(tokens, sv_cli_token_json(tokenizer, c->ids[i], c->logprobs[i]));
    }
    json_t *entry =
        json_pack("{s:s%, s:f, s:o}", "text", sv_strbuf_text(&text), text.len, "sum", sum, "tokens", tokens);
    sv_strbuf_free(&text);
    return entry;
}

static void print_text(const json_t *value) {
    json_dumpf(value, stdout, JSON_ENCODE_ANY);
    putchar('\n');
}

/* "-2.7554  sum of 1  "W"", and the same for each token with its id. */
static void print_continuation(const json_t *entry) {
    size_t i;
    const json_t *token, *tokens = json_object_get(entry, "tokens");
    printf("%12.6f  sum of %-5zu  ", sv_json_real(entry, "sum", 0), json_array_size(tokens));
    print_text(json_object_get(entry, "text"));
    json_array_foreach(tokens, i, token) {
        printf("%12.6f  id %-9lld  ", sv_json_real(token, "logprob", 0), (long long)sv_json_int(token, "id", -1));
        print_text(json_object_get(token, "token"));
    }
}

sv_status sv_continuations_print(const sv_continuations *list, const sv_tokenizer *tokenizer, size_t n_prompt_tokens,
                                 bool json, sv_error *err) {
    json_t *scores = json_array();
    for (size_t i = 0; i < list->n; i++) {
        json_t *entry = continuation_json(&list->items[i], tokenizer);
        if (!json) print_continuation(entry);
        json_array_append_new(scores, entry);
    }
    json_t *root = json_pack("{s:o, s:{s:I}}", "scores", scores, "usage", "prompt_tokens", (json_int_t)n_prompt_tokens);
    bool failed = !root || (json && json_dumpf(root, stdout, JSON_INDENT(2)) != 0);
    if (json && !failed) putchar('\n');
    json_decref(root);
    return failed || ferror(stdout) ? sv_fail(err, SV_ERR_OUTPUT, "cannot write the scores to standard output") : SV_OK;
}
