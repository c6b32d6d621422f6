/*
 * answer.h - reads the answer of the network, as tolerantly as can be done without guessing.
 */
#ifndef SV_STAGE_ANSWER_H
#define SV_STAGE_ANSWER_H

#include "base/json.h"

typedef struct sv_answer {
    bool parsed;            /* a stage was found */
    sv_stage stage;
    char *reasoning_text;   /* "" when the answer has none; owned */
    json_t *rules;          /* list of strings, empty when none; owned */
    char *problem;          /* why it was not parsed, NULL when it was; owned */
} sv_answer;

/* `text` need not be UTF-8. Only running out of memory is a failure: SV_ERR_MEMORY. */
sv_status sv_answer_parse(const char *text, size_t len, sv_answer *out, sv_error *err);
void sv_answer_free(sv_answer *answer);

#endif
