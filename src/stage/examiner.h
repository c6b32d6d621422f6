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

#include "model/batch.h"
#include "model/prefix_tree.h"
#include "stage/answer.h"
#include "stage/prompt.h"

typedef struct sv_examiner sv_examiner; /* token ids and prefix of a prompt: immutable, shared by threads */

/* `coarse` (stage-first models only, else SV_ERR_USAGE) ends an answer after its rules. The model is borrowed. */
sv_status sv_examiner_new(const sv_model *model, const sv_stage_prompt *prompt, bool coarse, sv_examiner **out,
                          sv_error *err);
/* Takes what all questions share from the tree (borrowed until the examiner is freed), before the first desk is made.
 * `pool` may be NULL. */
sv_status sv_examiner_prepare(sv_examiner *examiner, sv_prefix_tree *tree, sv_pool *pool, sv_error *err);
void sv_examiner_free(sv_examiner *examiner);

typedef struct sv_finding {
    double probabilities[SV_N_STAGES]; /* sum 1: softmax over the log-probabilities of the five names */
    char *output;                      /* the answer as written, owned; NUL bytes cannot occur in it */
    size_t n_prompt_tokens, n_output_tokens;
    bool cut; /* ended by the length limit */
    sv_answer answer;
} sv_finding;
void sv_finding_free(sv_finding *finding);

/* The pictures of one question: preceding, target, following (may repeat). */
typedef struct sv_window {
    const sv_embedding *pictures[3];
} sv_window;

/* A place where one thread asks several questions side by side: work space, sessions, batch. */
typedef struct sv_desk sv_desk;

/* n_slots questions at a time; more are kept waiting. Pictures have n_picture_tokens tokens. Examiner and `pool` (may
 * be NULL; it shares out the matrix products) are borrowed. */
sv_status sv_desk_new(const sv_examiner *examiner, size_t n_slots, size_t n_picture_tokens, sv_pool *pool,
                      sv_desk **out, sv_error *err);
void sv_desk_free(sv_desk *desk);

/* Tokens that a question may put on its timeline behind the shared prefix. */
size_t sv_examiner_room(const sv_examiner *examiner, size_t n_picture_tokens);
size_t sv_examiner_shared_length(const sv_examiner *examiner);

/* Who is told of findings as they are made, in any order. */
typedef struct sv_asker {
    void (*found)(void *context, size_t question, sv_finding *finding); /* takes over the finding */
    bool (*cancelled)(void *context);                                   /* asked often; true: SV_ERR_CANCELLED */
    void *context;
} sv_asker;

/* Asks n questions. What a question gives does not depend on the others, nor on the number of slots. */
sv_status sv_desk_ask(sv_desk *desk, const sv_window *windows, size_t n, const sv_asker *asker, sv_error *err);

#endif
