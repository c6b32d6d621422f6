/*
 * stage_place.h - where in an answer the stage is named.
 */
#ifndef SV_STAGE_STAGE_PLACE_H
#define SV_STAGE_STAGE_PLACE_H

#include "sleep/stages.h"

/* *at = the byte of `text` (UTF-8 or not) at which the name of `stage` begins, as the value of the key "sleep_stage"
 * with straight quotes; *n = bytes of the name as it was written ("REM" for R). The first such place. False when there
 * is none: the answer was read more tolerantly. */
bool sv_stage_place(const char *text, size_t len, sv_stage stage, size_t *at, size_t *n);

#endif
