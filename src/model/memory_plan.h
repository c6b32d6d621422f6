/*
 * memory_plan.h - how much memory answering questions will take, computed before any of it is taken, and how many
 * questions at a time a budget allows.
 *
 * A budget is what is allocated beside the weights, which are mapped from their files and can be dropped by the system
 * and read again.
 */
#ifndef SV_MODEL_MEMORY_PLAN_H
#define SV_MODEL_MEMORY_PLAN_H

#include "model/config.h"

typedef struct sv_memory_request {
    size_t rank;               /* of an adapter: sv_weights.max_rank */
    size_t n_prefix;           /* tokens of the shared prefix */
    size_t n_own;              /* tokens that a question and its answer may have after it */
    size_t n_embeddings;       /* pictures kept as embeddings */
    int picture_h, picture_w;  /* of one, in pixels */
    size_t n_desks;            /* places where questions are asked at the same time, with n_threads each */
    size_t n_threads, n_slots; /* of one desk; n_slots is what is wished for */
    size_t n_other;            /* bytes that the caller needs itself */
    size_t budget;             /* bytes, 0 = no limit */
} sv_memory_request;

typedef struct sv_memory_plan {
    size_t per_token; /* keys and values */
    size_t copied;    /* norms, biases, patch embedding in f32; not the mapped matrices */
    size_t prefix, desks, question, questions, embeddings, vision, other; /* question: one of them */
    size_t total;
    size_t n_slots; /* questions on a desk: as wished for, or fewer by the budget, at least 1 */
} sv_memory_plan;

/* Needs no loaded model. SV_ERR_MEMORY when the budget does not suffice for one question at a time; the message says
 * what it would take. */
sv_status sv_memory_plan_make(const sv_model_config *config, const sv_memory_request *request, sv_memory_plan *out,
                              sv_error *err);

#endif
