/*
 * examiner.h - puts three pictures before the network and takes down what it says about the middle one.
 *
 *   shared prefix (system prompt, first caption) -> computed once per night
 *   + three pictures and captions                -> per epoch
 *   + forced beginning of an answer              -> probabilities of the five stages, before any rationale exists
 *   + the text                                   -> stage-first models go on from the most probable stage; others write
 * freely
 */
#ifndef SV_STAGE_EXAMINER_H
#define SV_STAGE_EXAMINER_H

#include "model/session.h"
#include "stage/answer.h"
#include "stage/prompt.h"

typedef struct sv_examiner sv_examiner; /* token ids and prefix of a prompt: immutable, shared by threads */

/* `coarse` (stage-first models only, else SV_ERR_USAGE) ends an answer after its rules. The model is borrowed. */
sv_status sv_examiner_new(const sv_model *model, const sv_stage_prompt *prompt, bool coarse, sv_pool *pool,
                          sv_examiner **out, sv_error *err);
void sv_examiner_free(sv_examiner *examiner);

/* A session fit for sv_examiner_ask; one per thread. Freed with sv_session_free, before the examiner. */
sv_status sv_examiner_session(const sv_examiner *examiner, const sv_embedding *picture, sv_workspace *workspace,
                              sv_session **out, sv_error *err);

typedef struct sv_finding {
    double probabilities[SV_N_STAGES]; /* sum 1: softmax over the log-probabilities of the five names */
    char *output;                      /* the answer as written, owned; NUL bytes cannot occur in it */
    size_t n_prompt_tokens, n_output_tokens;
    bool cut; /* ended by the length limit */
    sv_answer answer;
} sv_finding;
void sv_finding_free(sv_finding *finding);

/* pictures: preceding, target, following (may repeat). */
sv_status sv_examiner_ask(const sv_examiner *examiner, sv_session *session, const sv_embedding *const pictures[3],
                          sv_finding *out, sv_error *err);

#endif
