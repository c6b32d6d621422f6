/* night_audit.h - a night under audit, as the files of audit.h share it. */
#ifndef SV_AUDIT_NIGHT_AUDIT_H
#define SV_AUDIT_NIGHT_AUDIT_H

#include "audit/audit.h"
#include "audit/features.h"

struct sv_audit {
    const sv_evidence *evidence;
    sv_traces traces;
    signed char *stages;                          /* [n_epochs] of the result */
    signed char *book_stages, *book_rules;        /* [n_epochs] */
    sv_rule_check (*rules)[SV_N_RULES];           /* [n_epochs] */
    double level[SV_N_STAGES][SV_N_MEASUREMENTS]; /* median over the epochs of a stage; NaN with too few */
};

/* Does the signal bear the stage out? By its rules: one that holds supports it, all far from holding contradict it. */
sv_verdict sv_audit_stage(const sv_audit *audit, int epoch, sv_stage stage, char reason[200]);

#endif
