/*
 * measure_rules.c - how well the stager by the book and the rule checks agree with known stages and rules.
 *
 *   measure-rules RECORDING.edf TRUTH ...
 *
 * TRUTH is the truth.json of a simulated night (stages and rules) or any hypnogram (stages). Prints the agreement of
 * each recording and of all together, and for simulated nights each rule's precision and recall (how often it holds
 * where the truth cites it), how often it is contradicted or cannot be told there, and the share of the epochs of other
 * stages in which it holds: a citation that should not pass. Stages around a rule are those of the truth.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/rule_check.h"
#include "base/memory.h"
#include "simulate/truth.h"
#include "sleep/agreement.h"
#include "stage/subject.h"

typedef struct totals {
    signed char *truth, *book; /* of all recordings, one after the other */
    size_t n, capacity_truth, capacity_book;
    int64_t cited[SV_N_RULES], held[SV_N_RULES], both[SV_N_RULES], denied[SV_N_RULES], elsewhere[SV_N_RULES];
    int64_t n_stage[SV_N_STAGES];
    int n_with_rules;
} totals;

static bool is_json(const char *path) {
    size_t n = strlen(path);
    return n > 5 && strcmp(path + n - 5, ".json") == 0;
}

static sv_status count_rules(const sv_evidence *evidence, const sv_truth *truth, totals *t, sv_error *err) {
    sv_rule_check(*checks)[SV_N_RULES] = sv_calloc((size_t)evidence->n_epochs, sizeof *checks);
    if (!checks) return sv_fail_memory(err, "rule checks", (size_t)evidence->n_epochs * sizeof *checks);
    sv_rules_check(evidence, truth->stages, checks);
    for (int e = 0; e < evidence->n_epochs; e++) {
        if (truth->stages[e] >= 0) t->n_stage[truth->stages[e]]++;
        for (int r = 0; r < SV_N_RULES; r++) {
            bool cited = truth->rules[e] >> r & 1, holds = checks[e][r].verdict == SV_SUPPORTED;
            t->cited[r] += cited;
            t->held[r] += holds;
            t->both[r] += cited && holds;
            t->denied[r] += cited && checks[e][r].verdict == SV_CONTRADICTED;
            t->elsewhere[r] += holds && truth->stages[e] != sv_rules[r].stage;
        }
    }
    t->n_with_rules++;
    free(checks);
    return SV_OK;
}

static sv_status add_stages(totals *t, const signed char *truth, const signed char *book, int n, sv_error *err) {
    for (int e = 0; e < n; e++) {
        if (!sv_grow(&t->truth, t->n, &t->capacity_truth, 1) || !sv_grow(&t->book, t->n, &t->capacity_book, 1)) {
            return sv_fail_memory(err, "stages", t->n);
        }
        t->truth[t->n] = truth[e];
        t->book[t->n++] = book[e];
    }
    return SV_OK;
}

static void print_agreement(const char *name, const signed char *truth, const signed char *book, size_t n) {
    sv_agreement a;
    sv_agreement_compute(truth, book, n, SV_UNPARSED_IS_ERROR, &a);
    printf("%-28s %6lld epochs  kappa %.3f  accuracy %.3f  F1 W %.2f N1 %.2f N2 %.2f N3 %.2f R %.2f\n", name,
           (long long)a.n, a.kappa, a.accuracy, a.f1[0], a.f1[1], a.f1[2], a.f1[3], a.f1[4]);
}

static sv_status measure(const char *recording, const char *truth_path, totals *t, sv_error *err) {
    sv_stage_options options = {0};
    sv_subject subject;
    sv_evidence evidence = {0};
    sv_truth_file file = {0};
    signed char *book = NULL;
    if (!is_json(truth_path)) options.hypnogram_path = truth_path;
    sv_status s = sv_subject_open(recording, &options, &subject, err);
    if (s) return s;
    /* the stages are the truth to be met: they must not help the measurements */
    s = sv_evidence_measure(&subject.night, NULL, NULL, &evidence, err);
    if (!s && is_json(truth_path)) s = sv_truth_read(truth_path, &file, err);
    const signed char *truth = is_json(truth_path) ? file.truth.stages : subject.truth.stages;
    if (!s && is_json(truth_path) && file.truth.n_epochs != evidence.n_epochs) {
        s = sv_fail(err, SV_ERR_INPUT, "%s: %d epochs, the recording has %d", truth_path, file.truth.n_epochs,
                    evidence.n_epochs);
    }
    if (!s && !truth) s = sv_fail(err, SV_ERR_INPUT, "%s: no stages", truth_path);
    if (!s && !(book = sv_calloc((size_t)evidence.n_epochs, 1))) s = sv_fail_memory(err, "stages", 0);
    if (!s) {
        sv_book_stages(&evidence, book, NULL);
        print_agreement(subject.name, truth, book, (size_t)evidence.n_epochs);
        s = add_stages(t, truth, book, evidence.n_epochs, err);
    }
    if (!s && is_json(truth_path)) s = count_rules(&evidence, &file.truth, t, err);
    free(book);
    sv_truth_file_free(&file);
    sv_evidence_free(&evidence);
    sv_subject_close(&subject);
    return s;
}

static void print_totals(const totals *t) {
    print_agreement("all together", t->truth, t->book, t->n);
    if (t->n_with_rules == 0) return;
    int64_t n_all = 0;
    for (int i = 0; i < SV_N_STAGES; i++) n_all += t->n_stage[i];
    puts("rule    cited   holds    both  precision  recall  contradicted  cannot tell  holds in other stages");
    for (int r = 0; r < SV_N_RULES; r++) {
        double cited = (double)t->cited[r], denied = (double)t->denied[r], both = (double)t->both[r];
        sv_stage stage = sv_rules[r].stage;
        double others = (double)(n_all - (stage == SV_STAGE_NONE ? n_all : t->n_stage[stage]));
        printf("%-6s %6lld  %6lld  %6lld      %.3f   %.3f         %.3f        %.3f                  %.3f\n",
               sv_rules[r].id, (long long)t->cited[r], (long long)t->held[r], (long long)t->both[r],
               both / (double)t->held[r], both / cited, denied / cited, (cited - both - denied) / cited,
               others > 0 ? (double)t->elsewhere[r] / others : NAN);
    }
}

int main(int argc, char **argv) {
    totals t = {0};
    sv_error err;
    sv_status s = SV_OK;
    if (argc < 3 || argc % 2 == 0) {
        fputs("Usage: measure-rules RECORDING.edf TRUTH ...\n", stderr);
        return 2;
    }
    for (int i = 1; i + 1 < argc && !s; i += 2) s = measure(argv[i], argv[i + 1], &t, &err);
    if (s)
        fprintf(stderr, "measure-rules: %s\n", err.message);
    else
        print_totals(&t);
    free(t.truth);
    free(t.book);
    return s ? 1 : 0;
}
