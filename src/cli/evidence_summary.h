/*
 * evidence_summary.h - what `evidence` tells people: events by stage, levels, and how they agree with a known truth.
 */
#ifndef SV_CLI_EVIDENCE_SUMMARY_H
#define SV_CLI_EVIDENCE_SUMMARY_H

#include <stdio.h>

#include "evidence/evidence.h"
#include "sleep/event_match.h"

/* A table with one line a kind: how many, and how many a minute in each stage (in the whole night when stages is NULL).
 * Then the levels of the night and what could not be measured. stages: [n_epochs] or NULL. */
void sv_evidence_print(FILE *out, const sv_evidence *evidence, const signed char *stages);

/* {kind: {truth, found, matched, precision, recall, f1}} at the usual overlap; NULL after an error. */
sv_status sv_evidence_score(const sv_evidence *evidence, const sv_events *truth, json_t **out, sv_error *err);
void sv_evidence_print_score(FILE *out, const json_t *score);

#endif
