/*
 * features.h - what each feature of a claim is measured by: features.def as a table.
 */
#ifndef SV_AUDIT_FEATURES_H
#define SV_AUDIT_FEATURES_H

#include "audit/claims.h"
#include "audit/traces.h"
#include "evidence/evidence.h"

typedef struct sv_feature_facts {
    bool is_state;      /* measured of the epoch; else made of events */
    const char *called; /* of elements, many of them in words */
    unsigned kinds;     /* bits 1 << sv_event_kind */
    unsigned seen_in;   /* channels, bits by role */
    const char *needs;  /* these in words */
    sv_trace trace;
    double flat_below, clear_count, clear_uv, longest_s;
    double absent_below, present_from;
    double low_hz, high_hz; /* by definition; both 0 = none */
    sv_measurement measure;
    double step;
    bool relative_step; /* a step is a share of what is compared with */
    sv_measurement level;
    double low_until, high_from;
    bool is_time_share; /* measure is a share of the epoch's time */
    sv_measurement faint;
    double faint_below;
} sv_feature_facts;

/* NULL for SV_F_STAGE, which is not seen in a channel. */
const sv_feature_facts *sv_feature_facts_of(sv_feature feature);

#endif
