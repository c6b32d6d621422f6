/*
 * stages.h - names of stages, and the 15 AASM rules that an answer may cite.
 */
#ifndef SV_SLEEP_STAGES_H
#define SV_SLEEP_STAGES_H

#include "base/status.h"

/* "W" "N1" "N2" "N3" "R", "?" for SV_STAGE_NONE. */
const char *sv_stage_name(sv_stage stage);

/* Reads a stage as scorers write it: "Sleep stage W", "W", "Wake", "N2", "S2", "2", "Stage 4" (= N3), "REM", "Sleep
 * stage R", "Movement time" and "?" (SV_STAGE_NONE). False when the text is not a stage at all. */
bool sv_stage_from_annotation(const char *text, sv_stage *out);

typedef struct sv_rule {
    const char *id;      /* "N2.1" */
    sv_stage stage;      /* the stage that it decides; SV_STAGE_NONE when it depends (MBM.2) */
    const char *meaning; /* one sentence */
} sv_rule;
#define SV_N_RULES 15
extern const sv_rule sv_rules[SV_N_RULES];
const sv_rule *sv_rule_find(const char *id); /* NULL when it is not one of the 15 */

#endif
