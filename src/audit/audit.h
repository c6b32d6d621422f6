/*
 * audit.h - a verdict on every claim, rule and stage of a result, by what was measured.
 */
#ifndef SV_AUDIT_AUDIT_H
#define SV_AUDIT_AUDIT_H

#include "audit/claims.h"
#include "audit/rule_check.h"

typedef struct sv_claim_finding {
    sv_verdict verdict;
    double measured;  /* what decided, in `unit`; NaN when nothing could be measured */
    const char *unit; /* "uV" "Hz" "s" "1"; static */
    double onset_s,
        duration_s;   /* the place in the recording that shows it; NaN when it is the whole epoch or nothing */
    unsigned roles;   /* channels it was measured in */
    char reason[200]; /* one sentence: what was claimed, what was found */
} sv_claim_finding;

/* A night under audit: its measurements, the result's stages, and what follows from both. */
typedef struct sv_audit sv_audit;

/* Borrows evidence; stages [n_epochs], those of the result, are copied. The night is read for what detectors leave out:
 * amplitudes where nothing was found. pool may be NULL. */
sv_status sv_audit_new(const sv_evidence *evidence, const sv_night *night, const signed char *stages, sv_pool *pool,
                       sv_audit **out, sv_error *err);
void sv_audit_free(sv_audit *audit);

/* What the signal says to a claim about an epoch. */
void sv_audit_claim(const sv_audit *audit, int epoch, const sv_claim *claim, sv_claim_finding *out);

/* The verdicts on one epoch's answer, as JSON:
 *   {"claims": [{"text", "begin", "end", "feature", "verdict", "measured", "unit", "expected", "channels": [..],
 *                "onset_s", "duration_s", "reason"}],
 *    "rules": [{"id", "verdict", "margin", "reason"}],
 *    "stage": {"stage", "verdict", "book_stage", "book_rule", "reason"},
 *    "score": 0..1 or null}
 * onset_s is from the recording's start; null where there is no place. expected is the claim's content in normal form
 * ("present, 12-14 Hz"). score: the share of supported among the claims and rules that could be told; null when none
 * could. `rules` is a JSON list of ids or NULL. */
sv_status sv_audit_answer(const sv_audit *audit, int epoch, const char *text, const json_t *rules, sv_stage stage,
                          json_t **out, sv_error *err);

/* The night: {"claims": {supported, contradicted, cannot_tell}, "by_feature": {...}, "rules": {...}, "book": {agreement
 * of the result with the book stager, and of both with the truth when rows have one}, "score", "triage": [{"epoch",
 * "weight", "reasons": [text]}]} from rows whose "audit" is filled; triage has the epochs most worth a human look,
 * first the worst. */
json_t *sv_audit_summary(const sv_audit *audit, const json_t *rows);

#endif
