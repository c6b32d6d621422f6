/* audit_rows.c - see audit_rows.h. */
#include "stage/audit_rows.h"

#include <stdlib.h>

#include "audit/audit.h"
#include "stage/output.h"
#include "stage/row.h"

static sv_status audit_row(json_t *row, const sv_audit *audit, const sv_evidence *evidence, sv_error *err) {
    int epoch = sv_row_epoch(row);
    json_t *verdicts = NULL, *measured = NULL;
    if (!sv_row_has_flag(row, "no_signal")) {
        const char *text = sv_json_text(row, "reasoning_text", "");
        sv_status s = sv_audit_answer(audit, epoch, text, json_object_get(row, "applicable_rules"), sv_row_stage(row),
                                      &verdicts, err);
        if (s) return s;
        measured = sv_evidence_epoch_to_json(evidence, epoch);
        if (!measured) {
            json_decref(verdicts);
            return sv_fail_memory(err, "evidence", 0);
        }
    }
    return sv_row_set_audit(row, verdicts, measured) ? SV_OK : sv_fail_memory(err, "audit", 0);
}

sv_status sv_audit_rows(json_t *rows, const sv_subject *subject, sv_pool *pool, json_t **summary, sv_error *err) {
    sv_evidence evidence = {0};
    sv_audit *audit = NULL;
    json_t *row;
    size_t i;
    *summary = NULL;
    signed char *stages = sv_output_stages(rows);
    sv_status s = stages ? sv_evidence_measure(&subject->night, NULL, pool, &evidence, err)
                         : sv_fail_memory(err, "stages", json_array_size(rows));
    if (!s) s = sv_audit_new(&evidence, &subject->night, stages, pool, &audit, err);
    json_array_foreach(rows, i, row) {
        if (!s) s = audit_row(row, audit, &evidence, err);
    }
    if (!s && !(*summary = sv_audit_summary(audit, rows))) s = sv_fail_memory(err, "summary of the audit", 0);
    sv_audit_free(audit);
    sv_evidence_free(&evidence);
    free(stages);
    return s;
}
