/*
 * desk.h - a place where one thread puts several questions before the network side by side and takes down what it says.
 *
 *   shared prefix (system prompt, first caption) -> computed once
 *   + three pictures and captions                -> per epoch
 *   + forced beginning of an answer              -> probabilities of the five stages, before any rationale exists
 *   + the text                                   -> with forced probabilities, stage-first models go on from the most
 *                                                   probable stage; all else is written freely
 *
 * Other sources of probabilities (method.h): a short answer to a coarse prompt before, or the place in the text where
 * the stage is named.
 */
#ifndef SV_STAGE_DESK_H
#define SV_STAGE_DESK_H

#include "model/batch.h"
#include "stage/answer.h"
#include "stage/examiner.h"

#define SV_MAX_ANSWER_TOKENS 1024
#define SV_MAX_COARSE_TOKENS 256
#define SV_MAX_STAGE_TOKENS 16

typedef struct sv_finding {
    bool has_probabilities;            /* false: not asked for, or the text names no stage where one could be read */
    double probabilities[SV_N_STAGES]; /* sum 1: softmax over the log-probabilities of the five names, then the
                                          temperature */
    double raw_probabilities[SV_N_STAGES]; /* before the temperature */
    char *output;                          /* the answer as written, owned; NUL bytes cannot occur in it */
    size_t n_prompt_tokens, n_output_tokens;
    bool cut; /* ended by the length limit */
    sv_answer answer;
} sv_finding;
void sv_finding_free(sv_finding *finding);

/* The pictures of one question: preceding, target, following (may repeat). */
typedef struct sv_window {
    const sv_embedding *pictures[3];
} sv_window;

typedef struct sv_desk sv_desk;

/* n_slots questions at a time; more are kept waiting. Pictures have n_picture_tokens tokens. The prepared examiner and
 * `pool` (may be NULL; it shares out the matrix products) are borrowed. */
sv_status sv_desk_new(const sv_examiner *examiner, size_t n_slots, size_t n_picture_tokens, sv_pool *pool,
                      sv_desk **out, sv_error *err);
void sv_desk_free(sv_desk *desk);

/* Who is told of findings as they are made, in any order. */
typedef struct sv_asker {
    void (*found)(void *context, size_t question, sv_finding *finding); /* takes over the finding */
    bool (*cancelled)(void *context);                                   /* asked often; true: SV_ERR_CANCELLED */
    void *context;
} sv_asker;

/* Asks n questions. What a question gives does not depend on the others, nor on the number of slots. */
sv_status sv_desk_ask(sv_desk *desk, const sv_window *windows, size_t n, const sv_asker *asker, sv_error *err);

#endif
