/* audit_summary.c - a night's audit in figures, and the epochs most worth a human look. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/night_audit.h"
#include "base/memory.h"
#include "sleep/agreement.h"

/* What makes an epoch worth a look. */
static const double weight_contradicted = 1, weight_stage = 1.5, weight_book = 1, weight_rule = 0.5, weight_unsure = 1;
static const double unsure_below = 0.5; /* probability of the stage */
enum { MAX_TRIAGE = 50, N_VERDICTS = 3 };

static int verdict_of(const json_t *item) {
    const char *name = sv_json_text(item, "verdict", "");
    for (int v = 0; v < N_VERDICTS; v++) {
        if (strcmp(name, sv_verdict_name((sv_verdict)v)) == 0) return v;
    }
    return SV_CANNOT_TELL;
}

static json_t *counts_to_json(const int n[N_VERDICTS]) {
    return json_pack("{s:i,s:i,s:i}", "supported", n[SV_SUPPORTED], "contradicted", n[SV_CONTRADICTED], "cannot_tell",
                     n[SV_CANNOT_TELL]);
}

/* Counts verdicts of a list into `all`, and by the item's key into by_key. */
static void count(const json_t *list, const char *key, int all[N_VERDICTS], json_t *by_key) {
    static const char *const names[N_VERDICTS] = {"cannot_tell", "supported", "contradicted"};
    const json_t *item;
    size_t i;
    json_array_foreach(list, i, item) {
        const char *name = sv_json_text(item, key, "?");
        json_t *entry = json_object_get(by_key, name);
        int v = verdict_of(item);
        if (!entry) {
            const int none[N_VERDICTS] = {0};
            json_object_set_new(by_key, name, entry = counts_to_json(none));
        }
        json_object_set_new(entry, names[v], json_integer(sv_json_int(entry, names[v], 0) + 1));
        all[v]++;
    }
}

/* ---- triage */

typedef struct candidate {
    int epoch;
    double weight;
    json_t *reasons;
} candidate;

static void blame(candidate *c, double weight, const char *reason) {
    c->weight += weight;
    json_array_append_new(c->reasons, json_string(reason));
}

static void weigh_claims(candidate *c, const json_t *claims) {
    const json_t *item;
    size_t i;
    char text[300];
    json_array_foreach(claims, i, item) {
        if (verdict_of(item) != SV_CONTRADICTED) continue;
        snprintf(text, sizeof text, "\"%s\": %s", sv_json_text(item, "text", "?"), sv_json_text(item, "reason", ""));
        blame(c, weight_contradicted, text);
    }
}

/* One reason for all of them: what each lacks stands beside the rule. */
static void weigh_rules(candidate *c, const json_t *rules) {
    const json_t *item;
    size_t i;
    char text[120];
    int n = 0, used = 0;
    json_array_foreach(rules, i, item) {
        if (verdict_of(item) != SV_CONTRADICTED || used >= (int)sizeof text) continue;
        used += snprintf(text + used, sizeof text - (size_t)used, "%s %s",
                         n++ ? "," : "does not hold:", sv_json_text(item, "id", "?"));
    }
    if (n) blame(c, n * weight_rule, text);
}

static void weigh(candidate *c, const json_t *row, const json_t *audit) {
    const json_t *stage = json_object_get(audit, "stage");
    const char *given = sv_json_text(stage, "stage", NULL), *book = sv_json_text(stage, "book_stage", NULL);
    char text[300];
    if (verdict_of(stage) == SV_CONTRADICTED) {
        snprintf(text, sizeof text, "stage %s: %s", given ? given : "?", sv_json_text(stage, "reason", ""));
        blame(c, weight_stage, text);
    }
    if (given && book && strcmp(given, book) != 0) {
        snprintf(text, sizeof text, "by the book it is %s (%s)", book, sv_json_text(stage, "book_rule", "?"));
        blame(c, weight_book, text);
    }
    double p = given ? sv_json_real(json_object_get(row, "probabilities"), given, NAN) : NAN;
    if (p < unsure_below) {
        snprintf(text, sizeof text, "the stage's probability is %.2f", p);
        blame(c, weight_unsure * (1 - p), text);
    }
    weigh_claims(c, json_object_get(audit, "claims"));
    weigh_rules(c, json_object_get(audit, "rules"));
}

static int heavier(const void *a, const void *b) {
    const candidate *x = a, *y = b;
    if (x->weight != y->weight) return x->weight > y->weight ? -1 : 1;
    return x->epoch - y->epoch;
}

static json_t *triage(candidate *candidates, size_t n) {
    json_t *list = json_array();
    qsort(candidates, n, sizeof *candidates, heavier);
    for (size_t i = 0; i < n && i < MAX_TRIAGE && candidates[i].weight > 0; i++) {
        json_array_append_new(list,
                              json_pack("{s:i,s:f,s:O}", "epoch", candidates[i].epoch, "weight",
                                        round(candidates[i].weight * 100) / 100, "reasons", candidates[i].reasons));
    }
    for (size_t i = 0; i < n; i++) json_decref(candidates[i].reasons);
    return list;
}

json_t *sv_audit_summary(const sv_audit *audit, const json_t *rows) {
    size_t n = json_array_size(rows), i, n_candidates = 0;
    candidate *candidates = sv_calloc(n + 1, sizeof *candidates);
    json_t *by_feature = json_object(), *by_rule = json_object();
    int claims[N_VERDICTS] = {0}, rules[N_VERDICTS] = {0};
    const json_t *row;
    sv_agreement book;
    if (!candidates) return NULL;
    json_array_foreach(rows, i, row) {
        const json_t *a = json_object_get(row, "audit");
        if (!a) continue;
        candidate c = {.epoch = (int)sv_json_int(row, "epoch", (int64_t)i), .reasons = json_array()};
        count(json_object_get(a, "claims"), "feature", claims, by_feature);
        count(json_object_get(a, "rules"), "id", rules, by_rule);
        weigh(&c, row, a);
        candidates[n_candidates++] = c;
    }
    int told = claims[SV_SUPPORTED] + claims[SV_CONTRADICTED] + rules[SV_SUPPORTED] + rules[SV_CONTRADICTED];
    int right = claims[SV_SUPPORTED] + rules[SV_SUPPORTED];
    sv_agreement_compute(audit->stages, audit->book_stages, (size_t)audit->evidence->n_epochs, SV_UNPARSED_LEFT_OUT,
                         &book);
    json_t *out = json_pack("{s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "claims", counts_to_json(claims), "by_feature", by_feature,
                            "rules", counts_to_json(rules), "by_rule", by_rule, "book", sv_agreement_to_json(&book),
                            "score", told ? json_real(round(1000.0 * right / told) / 1000) : json_null(), "triage",
                            triage(candidates, n_candidates));
    free(candidates);
    return out;
}
