/*
 * audit_rows.h - what was measured, and the verdicts on what the model said, put into the rows of a night.
 */
#ifndef SV_STAGE_AUDIT_ROWS_H
#define SV_STAGE_AUDIT_ROWS_H

#include "base/json.h"
#include "base/threads.h"
#include "stage/subject.h"

/* Gives every row that was asked its `evidence` and `audit` (sv_evidence_epoch_to_json, sv_audit_answer) and the flags
 * that follow; rows without a signal get null. *summary: as sv_audit_summary. rows: array by epoch of the whole night.
 * Rows that have been audited before get the same again. pool may be NULL. */
sv_status sv_audit_rows(json_t *rows, const sv_subject *subject, sv_pool *pool, json_t **summary, sv_error *err);

#endif
