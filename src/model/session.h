/*
 * session.h - timelines of tokens over a model: keys and values of what has been read, and the logits that follow.
 *
 * One loaded model serves many sessions. A session may stand on a shared prefix, which may stand on another: a tree of
 * them is computed once, read by every session above and never copied. sv_session_rewind goes back to an earlier
 * length, so that many continuations of one prompt, or the next epoch after the same prefix, cost only what is new.
 * sv_sessions_step moves many sessions on by a token in one pass through the weights.
 *
 * A token gives the same bits whatever is read with it: pieces, batches and threads do not change a result.
 */
#ifndef SV_MODEL_SESSION_H
#define SV_MODEL_SESSION_H

#include "model/generator.h"
#include "model/model.h"

typedef struct sv_workspace sv_workspace; /* what passes through the layers; one thread at a time */
typedef struct sv_prefix sv_prefix;       /* immutable; free it after everything that stands on it */
typedef struct sv_session sv_session;     /* one thread at a time */

/* Work space for passes of at most max_rows tokens (0 = what is good for reading prompts); longer pieces are read in
 * several. The model and `pool` (may be NULL) are borrowed. */
sv_status sv_workspace_new(const sv_model *model, size_t max_rows, sv_pool *pool, sv_workspace **out, sv_error *err);
void sv_workspace_free(sv_workspace *workspace);

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

/* Computes a prefix (text only) that follows `parent` (may be NULL) once. SV_ERR_USAGE when more than
 * SV_MAX_PREFIX_DEPTH would stand on each other. */
sv_status sv_prefix_new(sv_workspace *workspace, const sv_prefix *parent, const int32_t *ids, size_t n_ids,
                        sv_prefix **out, sv_error *err);
void sv_prefix_free(sv_prefix *prefix);
size_t sv_prefix_length(const sv_prefix *prefix); /* tokens from the beginning */

/* A session with room for max_tokens tokens after the prefix (may be NULL). The work space is borrowed; sessions that
 * share one take turns. */
sv_status sv_session_new(sv_workspace *workspace, const sv_prefix *prefix, size_t max_tokens, sv_session **out,
                         sv_error *err);
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

/* Reads one id of the vocabulary in each of n different sessions of `workspace`, as text even when it is an image
 * token: what a model has written is never a picture. logits: [n, V]. n is at most the work space's max_rows.
 * SV_ERR_INPUT when one of them has no room. */
sv_status sv_sessions_step(sv_workspace *workspace, sv_session *const *sessions, const int32_t *ids, size_t n,
                           float *logits, sv_error *err);

/* Writes on from the present state (generator.h). logits: [V] of the last appended token (overwritten). history: ids
 * that count for the penalty (the whole prompt, expanded). Ends also when the session has no more room. With
 * SV_ERR_CANCELLED *out holds what was written before. */
sv_status sv_session_generate(sv_session *session, float *logits, const int32_t *history, size_t n_history,
                              const sv_generate_options *options, sv_generation *out, sv_error *err);

#endif
