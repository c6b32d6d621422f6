/* epoch_facts.h - what both the rule checks and the stager by the book ask of an epoch beyond its measurements. */
#ifndef SV_AUDIT_EPOCH_FACTS_H
#define SV_AUDIT_EPOCH_FACTS_H

#include "evidence/evidence.h"

/* Order of sv_rules. */
enum {
    SV_RULE_W1,
    SV_RULE_W2,
    SV_RULE_W3,
    SV_RULE_N1_1,
    SV_RULE_N1_2,
    SV_RULE_N2_1,
    SV_RULE_N2_2,
    SV_RULE_N2_3,
    SV_RULE_N2_4,
    SV_RULE_N3_1,
    SV_RULE_R1,
    SV_RULE_R2,
    SV_RULE_R3,
    SV_RULE_MBM1,
    SV_RULE_MBM2
};

/* Onset of the last spindle, or K-complex without arousal, whose middle lies in the last half of the epoch before or
 * the first half of this one, in seconds of the recording; NaN when there is none. */
double sv_last_trigger_s(const sv_evidence *evidence, int epoch);

/* Onset of the last arousal that begins in the same stretch; NaN likewise. */
double sv_last_arousal_s(const sv_evidence *evidence, int epoch);

/* Did N2 end here? By an arousal after the last trigger, or a body movement followed by slow eye movements. */
bool sv_n2_is_ended(const sv_evidence *evidence, int epoch);

#endif
