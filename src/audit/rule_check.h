/*
 * rule_check.h - the 15 rules as predicates over measurements, and a stager that follows nothing but them.
 */
#ifndef SV_AUDIT_RULE_CHECK_H
#define SV_AUDIT_RULE_CHECK_H

#include "audit/verdict.h"
#include "evidence/evidence.h"
#include "sleep/stages.h"

typedef struct sv_rule_check {
    sv_verdict verdict; /* SUPPORTED: the rule holds in this epoch; CONTRADICTED: it does not */
    double margin;      /* how far the deciding measurement lies from its limit, in units of the limit (1 for a fact
                         * without a scale); positive when the rule holds, negative when not. Where it cannot be told: small
                         * when too near to the limit, NaN when not measured */
    char reason[200];   /* one sentence with the deciding measurement and its limit */
} sv_rule_check;

/* Every rule in every epoch. stages: [n_epochs] the stages that give the context (of the neighbours: N2.2, N2.3, N2.4,
 * R.2, R.3, MBM.*), those of the result under audit; SV_STAGE_NONE where there is none. out: [n_epochs][SV_N_RULES], in
 * the order of sv_rules. */
void sv_rules_check(const sv_evidence *evidence, const signed char *stages, sv_rule_check (*out)[SV_N_RULES]);

/* Stages by the book: deterministic, from the measurements alone, epoch after epoch with the rules' own continuations.
 * A second opinion, never the result. out_stages: [n_epochs] (SV_STAGE_NONE where nothing can be told), out_rules:
 * [n_epochs] index into sv_rules of the rule that decided, -1 for none; may be NULL. */
void sv_book_stages(const sv_evidence *evidence, signed char *out_stages, signed char *out_rules);

#endif
