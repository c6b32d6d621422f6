/*
 * answer_form.h - the forms in which models write their answer, as schemas for constrained decoding.
 */
#ifndef SV_STAGE_ANSWER_FORM_H
#define SV_STAGE_ANSWER_FORM_H

#include "model/grammar.h"
#include "sleep/stages.h"

/* A schema and the names that it points to: not to be copied or moved. */
typedef struct sv_answer_form {
    sv_answer_schema schema;
    const char *rules[SV_N_RULES], *stages[SV_N_STAGES];
} sv_answer_form;

/* By name: "fine" (reasoning_text, applicable_rules, sleep_stage), "coarse" (the same without the text), "stage-first"
 * (sleep_stage, applicable_rules, reasoning_text). False for another name. */
bool sv_answer_form_make(const char *name, sv_answer_form *out);

/* All of them, for messages. */
extern const char sv_answer_form_names[];

#endif
