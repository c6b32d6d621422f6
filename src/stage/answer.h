/*
 * answer.h - reads the answer of the network, as tolerantly as can be done without guessing.
 *
 * Accepted, tried in this order, is the first JSON object with a usable "sleep_stage":
 *   1. the content of the first fence (``` with the tag json or none);
 *   2. the objects of the text, outer before inner, whose ends are found by JSON's own rules (nested objects, braces in
 *      strings); of one that breaks off (an answer cut at the length limit) what is complete before the break. An
 * object that names a sleep_stage which is none, or that breaks off before it names one, ends the search. Curly quotes
 * stand for straight ones where the text is not JSON without that; commas before a closing bracket are left out; line
 * ends and tabs inside strings are taken as they are; of a doubled key the last wins. The stage must be W, N1, N2, N3
 * or R (any case, surrounding spaces), or one of their other names REM and Wake. Rules that are not text are left out;
 * rules given as one text are split at commas. Hostile answers: at most 64 objects are tried, and all tries together
 * look at 256 times the answer's length, so that the time grows linearly; what is not found by then counts as not
 * parsed.
 */
#ifndef SV_STAGE_ANSWER_H
#define SV_STAGE_ANSWER_H

#include "base/json.h"

typedef struct sv_answer {
    bool parsed;          /* a stage was found */
    sv_stage stage;       /* SV_STAGE_NONE when not parsed */
    char *reasoning_text; /* "" when the answer has none; owned */
    json_t *rules;        /* list of strings, empty when none; owned */
    char *problem;        /* why it was not parsed, NULL when it was; owned */
} sv_answer;

/* `text` need not be UTF-8. Only running out of memory is a failure: SV_ERR_MEMORY. */
sv_status sv_answer_parse(const char *text, size_t len, sv_answer *out, sv_error *err);
void sv_answer_free(sv_answer *answer);

#endif
