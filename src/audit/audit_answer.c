/* audit_answer.c - the verdicts on one answer, and on a night, as JSON. Shapes: audit.h. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "audit/bound_words.h"
#include "audit/night_audit.h"
#include "base/memory.h"

static json_t *number(double value, double step) {
    return isfinite(value) ? json_real(round(value / step) * step) : json_null();
}

static json_t *channels(unsigned roles) {
    json_t *list = json_array();
    for (int r = 0; r < SV_N_ROLES; r++) {
        if (roles >> r & 1) json_array_append_new(list, json_string(sv_role_name((sv_role)r)));
    }
    return list;
}

/* ---- the content of a claim in normal form */

static void put(char *out, size_t room, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void put(char *out, size_t room, const char *format, ...) {
    size_t used = strlen(out);
    va_list arguments;
    va_start(arguments, format);
    if (used < room) vsnprintf(out + used, room - used, format, arguments);
    va_end(arguments);
}

static void put_expected(const sv_claim *c, char *out, size_t room) {
    static const char *const levels[] = {"", ", low", ", medium", ", high"}, *const comparisons[] = {"", ", less than",
                                                                                                     ", same as",
                                                                                                     ", more than"};
    out[0] = 0;
    put(out, room, "%s%s", c->absent ? "absent" : "present", c->hedged ? ", perhaps" : "");
    if (c->stage != SV_STAGE_NONE) put(out, room, ", %s", sv_stage_name(c->stage));
    put(out, room, "%s", levels[c->level]);
    for (int q = 0; q < SV_N_QUANTITIES; q++) {
        char words[60];
        if (!c->bounds[q].stated) continue;
        put(out, room, ", %s%s", sv_bound_say((sv_quantity)q, &c->bounds[q], words, sizeof words),
            q == SV_Q_COUNT ? " times" : "");
    }
    if (c->comparison) {
        put(out, room, "%s %s", comparisons[c->comparison],
            c->compared_with == SV_STAGE_NONE ? "before" : sv_stage_name(c->compared_with));
    }
    if (!isnan(c->from_s)) put(out, room, c->from_s == c->to_s ? ", at %g s" : ", at %g-%g s", c->from_s, c->to_s);
    if (c->epoch_offset) put(out, room, ", epoch %+d", c->epoch_offset);
}

/* ---- one answer */

typedef struct verdict_counts {
    int n[3]; /* by verdict */
} verdict_counts;

static json_t *claim_to_json(const sv_audit *a, int epoch, const sv_claim *c, const char *text,
                             verdict_counts *counts) {
    sv_claim_finding f;
    char expected[160];
    sv_audit_claim(a, epoch, c, &f);
    put_expected(c, expected, sizeof expected);
    counts->n[f.verdict]++;
    json_t *words = json_stringn(text + c->begin, c->end - c->begin);
    return json_pack("{s:o?,s:I,s:I,s:s,s:s,s:o,s:s,s:s,s:o,s:o,s:o,s:s}", "text", words ? words : json_string("?"),
                     "begin", (json_int_t)c->begin, "end", (json_int_t)c->end, "feature", sv_feature_name(c->feature),
                     "verdict", sv_verdict_name(f.verdict), "measured", number(f.measured, 1e-3), "unit", f.unit,
                     "expected", expected, "channels", channels(f.roles), "onset_s", number(f.onset_s, 1e-3),
                     "duration_s", number(f.duration_s, 1e-3), "reason", f.reason);
}

static json_t *rules_to_json(const sv_audit *a, int epoch, const json_t *rules, verdict_counts *counts) {
    json_t *list = json_array(), *id;
    size_t i;
    json_array_foreach(rules, i, id) {
        const sv_rule *rule = json_is_string(id) ? sv_rule_find(json_string_value(id)) : NULL;
        if (!rule) continue;
        const sv_rule_check *check = &a->rules[epoch][rule - sv_rules];
        counts->n[check->verdict]++;
        json_array_append_new(
            list, json_pack("{s:s,s:s,s:o,s:s}", "id", rule->id, "verdict", sv_verdict_name(check->verdict), "margin",
                            number(check->margin, 1e-3), "reason", check->reason));
    }
    return list;
}

static json_t *stage_to_json(const sv_audit *a, int epoch, sv_stage stage) {
    char reason[200] = "no stage was given";
    sv_verdict v = stage == SV_STAGE_NONE ? SV_CANNOT_TELL : sv_audit_stage(a, epoch, stage, reason);
    int rule = a->book_rules[epoch];
    sv_stage book = (sv_stage)a->book_stages[epoch];
    return json_pack("{s:s?,s:s,s:s?,s:s?,s:s}", "stage", stage == SV_STAGE_NONE ? NULL : sv_stage_name(stage),
                     "verdict", sv_verdict_name(v), "book_stage", book == SV_STAGE_NONE ? NULL : sv_stage_name(book),
                     "book_rule", rule < 0 ? NULL : sv_rules[rule].id, "reason", reason);
}

sv_status sv_audit_answer(const sv_audit *audit, int epoch, const char *text, const json_t *rules, sv_stage stage,
                          json_t **out, sv_error *err) {
    sv_claims claims = {0};
    verdict_counts counts = {{0}};
    *out = NULL;
    if (epoch < 0 || epoch >= audit->evidence->n_epochs) {
        return sv_fail(err, SV_ERR_INPUT, "epoch %d: the recording has epochs 0 to %d", epoch,
                       audit->evidence->n_epochs - 1);
    }
    sv_status s = sv_claims_extract(text, strlen(text), &claims, err);
    if (s) return s;
    json_t *list = json_array();
    for (size_t i = 0; i < claims.n; i++)
        json_array_append_new(list, claim_to_json(audit, epoch, &claims.items[i], text, &counts));
    sv_claims_free(&claims);
    json_t *rule_list = rules_to_json(audit, epoch, rules, &counts);
    int told = counts.n[SV_SUPPORTED] + counts.n[SV_CONTRADICTED];
    *out =
        json_pack("{s:o,s:o,s:o,s:o}", "claims", list, "rules", rule_list, "stage", stage_to_json(audit, epoch, stage),
                  "score", told ? number((double)counts.n[SV_SUPPORTED] / told, 1e-3) : json_null());
    return *out ? SV_OK : sv_fail_memory(err, "audit", 0);
}
