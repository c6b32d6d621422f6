/*
 * session.h - one timeline of tokens over a model: keys and values of what has been read, and the logits that follow.
 *
 * A session may stand on a shared prefix: the prefix is computed once, its keys and values are read by every session
 * made from it and never copied. sv_session_rewind goes back to an earlier length, so that many continuations of one
 * prompt, or the next epoch after the same prefix, cost only what is new.
 */
#ifndef SV_MODEL_SESSION_H
#define SV_MODEL_SESSION_H

#include "model/generator.h"
#include "model/model.h"

typedef struct sv_prefix sv_prefix;   /* immutable, reference counted by its sessions' owner: free it after them */
typedef struct sv_session sv_session; /* one thread at a time */

/* A prompt: ids with one image_pad per picture expanded to its n_tokens, and the pictures in order. */
typedef struct sv_prompt {
    const int32_t *ids; /* [n_ids]; each picture's run of image_token ids has embeddings[i]->n_tokens entries */
    size_t n_ids;
    const sv_embedding *const *embeddings; /* [n_embeddings] */
    size_t n_embeddings;
} sv_prompt;

/* Expands each image_token of `ids` (one per picture) to the picture's number of tokens. *out freed with free. */
sv_status sv_prompt_expand(const sv_model *model, const int32_t *ids, size_t n_ids,
                           const sv_embedding *const *embeddings, size_t n_embeddings, int32_t **out, size_t *n_out,
                           sv_error *err);

/* Computes a prefix (text only) once. */
sv_status sv_prefix_new(const sv_model *model, const int32_t *ids, size_t n_ids, sv_pool *pool, sv_prefix **out,
                        sv_error *err);
void sv_prefix_free(sv_prefix *prefix);
size_t sv_prefix_length(const sv_prefix *prefix);

/* A session with room for max_tokens tokens after the prefix (may be NULL). `pool` (may be NULL) is borrowed. */
sv_status sv_session_new(const sv_model *model, const sv_prefix *prefix, size_t max_tokens, sv_pool *pool,
                         sv_session **out, sv_error *err);
void sv_session_free(sv_session *session);

/* Tokens so far, the prefix included. */
size_t sv_session_length(const sv_session *session);

/* Reads a piece of prompt, or generated ids (no pictures then). logits: [V] of the last token, may be NULL. */
sv_status sv_session_append(sv_session *session, const sv_prompt *prompt, float *logits, sv_error *err);
/* The same with the logits of all the appended tokens: [n_ids, V]. */
sv_status sv_session_append_all(sv_session *session, const sv_prompt *prompt, float *logits, sv_error *err);

/* Forgets everything after the first `length` tokens; the prefix stays. */
void sv_session_rewind(sv_session *session, size_t length);

/* Log-probability of a continuation of the present state, token by token: logprobs [n]. logits: [V], those that the
 * last append returned. The session is left as it was. */
sv_status sv_session_score(sv_session *session, const float *logits, const int32_t *ids, size_t n, double *logprobs,
                           sv_error *err);

/* Writes on from the present state (generator.h). logits: [V] of the last appended token (overwritten). history: ids
 * that count for the penalty (the whole prompt, expanded). Ends also when the session has no more room. With
 * SV_ERR_CANCELLED *out holds what was written before. */
sv_status sv_session_generate(sv_session *session, float *logits, const int32_t *history, size_t n_history,
                              const sv_generate_options *options, sv_generation *out, sv_error *err);

#endif
