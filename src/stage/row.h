/*
 * row.h - one line of epochs.jsonl: the original's fields under their names, then ours.
 */
#ifndef SV_STAGE_ROW_H
#define SV_STAGE_ROW_H

#include "stage/desk.h"

/* The most probable stage of an epoch below this probability is called uncertain. */
#define SV_UNCERTAIN_BELOW 0.6

typedef struct sv_row_context {
    const char *subject;
    int n_epochs;
    const signed char *truth; /* [n_epochs] sv_stage, NULL when there is none */
    const sv_method *method;
    bool has_eeg; /* F4, C4 or O2 is drawn: without it every row says so */
} sv_row_context;

/* A new row for an epoch that was asked. missing_share: of the epoch in a gap; picture_sha256: of its RGB bytes. NULL
 * when there is no memory. */
json_t *sv_row_new(const sv_row_context *context, int epoch, const sv_finding *finding, double missing_share,
                   const char *picture_sha256);

/* A new row for an epoch that lies in a gap and was not asked. */
json_t *sv_row_new_without_signal(const sv_row_context *context, int epoch);

/* Takes the verdicts on the row's answer and what was measured in its epoch (both references; NULL = null), and sets
 * the flags "contradicted" (a claim, a rule or the stage is) and "second_opinion" (the stager by the book says another
 * stage). A row that had them gets them anew. False when there is no memory. */
bool sv_row_set_audit(json_t *row, json_t *audit, json_t *evidence);

/* Reading rows back. */
int sv_row_epoch(const json_t *row);      /* -1 when it has none */
sv_stage sv_row_stage(const json_t *row); /* predicted; SV_STAGE_NONE when not parsed */
bool sv_row_has_flag(const json_t *row, const char *flag);
bool sv_row_probabilities(const json_t *row, double out[SV_N_STAGES]); /* false when it has none */

#endif
