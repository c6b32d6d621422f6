/*
 * continuations.h - texts that might follow a prompt, and how probable a model finds them (`generate --score`).
 */
#ifndef SV_CLI_CONTINUATIONS_H
#define SV_CLI_CONTINUATIONS_H

#include "base/json.h"
#include "model/session.h"

typedef struct sv_continuation {
    int32_t *ids;
    size_t n_ids;
    double *logprobs; /* [n_ids] */
} sv_continuation;

typedef struct sv_continuations {
    sv_continuation *items;
    size_t n, longest; /* longest: ids */
} sv_continuations;

/* Reads a JSON list of texts (special tokens written in them count as such) and lists of ids. */
sv_status sv_continuations_load(const char *path, const sv_tokenizer *tokenizer, sv_continuations *out, sv_error *err);
void sv_continuations_free(sv_continuations *list);

/* Fills the log-probabilities, all from the session's present state, which stays as it is. logits: [V] of the last
 * token. */
sv_status sv_continuations_score(sv_continuations *list, sv_session *session, const float *logits, sv_error *err);

/* Prints them: a sum for each continuation, then its tokens. SV_ERR_OUTPUT when standard output is closed. */
sv_status sv_continuations_print(const sv_continuations *list, const sv_tokenizer *tokenizer, size_t n_prompt_tokens,
                                 bool json, sv_error *err);

/* A new JSON object {"id", "token", "logprob"}. */
json_t *sv_cli_token_json(const sv_tokenizer *tokenizer, int32_t id, double logprob);

#endif
