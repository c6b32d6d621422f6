/*
 * marks.h - a rationale cut where its claims begin and end, so that each can be marked.
 */
#ifndef SV_REPORT_MARKS_H
#define SV_REPORT_MARKS_H

#include "base/json.h"

/* More claims than these in one text are listed, not marked: the cutting takes their number times the pieces. */
#define SV_MARKS_MAX 256

/* [{"t": text, "c": [index of claim, ...]}, ...]: the pieces of `text` in order, each with the claims that cover it,
 * the longest first. begin and end of a claim are bytes; one inside a character moves outwards to its limits. Claims
 * without a place in the text (missing, empty, beyond its end, not numbers) cover nothing. The pieces joined are the
 * text. NULL without memory. */
json_t *sv_marks_cut(const char *text, size_t len, const json_t *claims);

#endif
