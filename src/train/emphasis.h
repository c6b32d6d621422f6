/*
 * emphasis.h - how much the parts of an answer count in the loss: of a hundred tokens that are always the same the few
 * that decide would hardly be heard.
 */
#ifndef SV_TRAIN_EMPHASIS_H
#define SV_TRAIN_EMPHASIS_H

#include "base/status.h"
#include "token/tokenizer.h"

/* Weights of the tokens that touch the value of a member of the answer's object; all others count 1. */
typedef struct sv_emphasis {
    double stage, rules, rationale; /* "sleep_stage", "applicable_rules", "reasoning_text" */
} sv_emphasis;

/* Values of the answer's top-level members. Text that is no JSON object is read as far as it goes. */
typedef struct sv_answer_value {
    size_t begin, end; /* bytes; both 0: not there */
} sv_answer_value;
typedef struct sv_answer_values {
    sv_answer_value stage, rules, rationale;
} sv_answer_values;
sv_answer_values sv_answer_find_values(const char *answer, size_t len);

/* Multiplies weights [n] of the answer's tokens (those with another weight than 0, which lie together). SV_ERR_MEMORY.
 */
sv_status sv_emphasis_apply(const sv_emphasis *emphasis, const sv_tokenizer *tokenizer, const int32_t *ids, size_t n,
                            float *weights, sv_error *err);

#endif
