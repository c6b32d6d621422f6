/* audit.c - a night under audit: what all its claims, rules and stages are compared with. */
#include "audit/audit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/night_audit.h"
#include "audit/tolerances.h"
#include "base/memory.h"

static double median_of_stage(const sv_audit *a, sv_stage stage, sv_measurement m, float *scratch) {
    size_t n = 0;
    for (int e = 0; e < a->evidence->n_epochs; e++) {
        double value = sv_evidence_value(a->evidence, e, m);
        if (a->stages[e] == stage && !isnan(value)) scratch[n++] = (float)value;
    }
    return n >= (size_t)SV_T_compare_epochs ? sv_quantile(scratch, n, 0.5) : NAN;
}

static void fill_levels(sv_audit *a, float *scratch) {
    for (int s = 0; s < SV_N_STAGES; s++) {
        for (int m = 0; m < SV_N_MEASUREMENTS; m++) {
            a->level[s][m] = median_of_stage(a, (sv_stage)s, (sv_measurement)m, scratch);
        }
    }
}

sv_status sv_audit_new(const sv_evidence *evidence, const sv_night *night, const signed char *stages, sv_pool *pool,
                       sv_audit **out, sv_error *err) {
    size_t n = (size_t)evidence->n_epochs;
    sv_audit *a = *out = sv_calloc(1, sizeof *a);
    float *scratch = sv_calloc(n, sizeof *scratch);
    if (a) {
        a->evidence = evidence;
        a->stages = sv_calloc(n, 1);
        a->book_stages = sv_calloc(n, 1);
        a->book_rules = sv_calloc(n, 1);
        a->rules = sv_calloc(n, sizeof *a->rules);
    }
    sv_status s = SV_OK;
    if (!a || !scratch || !a->stages || !a->book_stages || !a->book_rules || !a->rules) {
        s = sv_fail_memory(err, "audit", n * sizeof *a->rules);
    } else {
        memcpy(a->stages, stages, n);
        sv_rules_check(evidence, stages, a->rules);
        sv_book_stages(evidence, a->book_stages, a->book_rules);
        fill_levels(a, scratch);
        s = sv_traces_measure(night, pool, &a->traces, err);
    }
    free(scratch);
    if (s) {
        sv_audit_free(a);
        *out = NULL;
    }
    return s;
}

void sv_audit_free(sv_audit *a) {
    if (!a) return;
    sv_traces_free(&a->traces);
    free(a->stages);
    free(a->book_stages);
    free(a->book_rules);
    free(a->rules);
    free(a);
}

sv_verdict sv_audit_stage(const sv_audit *audit, int epoch, sv_stage stage, char reason[200]) {
    const sv_rule_check *best = NULL;
    bool all_fail = true;
    for (int r = 0; r < SV_N_RULES; r++) {
        const sv_rule_check *check = &audit->rules[epoch][r];
        if (sv_rules[r].stage != stage) continue;
        all_fail = all_fail && check->verdict == SV_CONTRADICTED && check->margin < -SV_T_stage_margin;
        bool better = !best || (check->verdict == SV_SUPPORTED && best->verdict != SV_SUPPORTED) ||
                      (check->verdict == best->verdict && check->margin > best->margin);
        if (better) best = check;
    }
    if (!best) {
        snprintf(reason, 200, "no rule decides it");
        return SV_CANNOT_TELL;
    }
    snprintf(reason, 200, "%s", best->reason);
    if (best->verdict == SV_SUPPORTED) return SV_SUPPORTED;
    return all_fail ? SV_CONTRADICTED : SV_CANNOT_TELL;
}
