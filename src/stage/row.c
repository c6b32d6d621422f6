/* row.c - rows of epochs.jsonl. */
#include "stage/row.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/verdict.h"
#include "sleep/stages.h"

static json_t *stage_or_null(sv_stage stage) {
    return stage == SV_STAGE_NONE ? json_null() : json_string(sv_stage_name(stage));
}

static json_t *image_paths(const sv_row_context *c, int epoch) {
    static const char *const names[3] = {"preceding", "current", "subsequent"};
    json_t *paths = json_object();
    for (int i = 0; i < 3; i++) {
        int of = epoch + i - 1;
        if (of < 0 || of >= c->n_epochs) of = epoch;
        char name[320];
        snprintf(name, sizeof name, "%s/%d.png", c->subject, of);
        json_object_set_new(paths, names[i], json_string(name));
    }
    return paths;
}

/* What the original puts before the answer. */
static json_t *row_head(const sv_row_context *c, int epoch) {
    sv_stage truth = c->truth ? (sv_stage)c->truth[epoch] : SV_STAGE_NONE;
    char id[320];
    snprintf(id, sizeof id, truth == SV_STAGE_NONE ? "%s#%d" : "%s#%d_%s", c->subject, epoch, sv_stage_name(truth));
    json_t *row = json_object();
    json_object_set_new(row, "custom_id", json_string(id));
    json_object_set_new(row, "sub_id", json_string(c->subject));
    json_object_set_new(row, "epoch", json_integer(epoch));
    json_object_set_new(row, "image_paths", image_paths(c, epoch));
    json_object_set_new(row, "stage", stage_or_null(truth));
    json_object_set_new(row, "label", truth == SV_STAGE_NONE ? json_null() : json_integer(truth));
    return row;
}

static void set_answer(json_t *row, const char *output, const sv_answer *answer) {
    json_object_set_new(row, "output", output ? json_string(output) : json_null());
    json_object_set_new(row, "pred", json_integer(answer->stage));
    json_object_set_new(row, "pred_stage", stage_or_null(answer->stage));
    json_object_set_new(row, "reasoning_text", json_string(answer->reasoning_text ? answer->reasoning_text : ""));
    json_object_set_new(row, "applicable_rules", answer->rules ? json_deep_copy(answer->rules) : json_array());
    json_object_set_new(row, "gt_applicable_rules", json_null());
    json_object_set_new(row, "rules_iou", json_null());
    json_object_set_new(row, "parse_error", answer->problem ? json_string(answer->problem) : json_null());
}

/* Five significant digits: small ones matter to who fits a temperature. */
static double rounded(double p) {
    char text[32];
    snprintf(text, sizeof text, "%.4e", p);
    return strtod(text, NULL);
}

static json_t *probabilities_object(const double *probabilities) {
    json_t *object = json_object();
    for (int i = 0; i < SV_N_STAGES; i++) {
        json_object_set_new(object, sv_stage_name((sv_stage)i), json_real(rounded(probabilities[i])));
    }
    return object;
}

static void set_probabilities(json_t *row, const sv_row_context *c, const sv_finding *f) {
    const bool has = f->has_probabilities, changed = has && c->method->temperature != 1;
    json_object_set_new(row, "probabilities", has ? probabilities_object(f->probabilities) : json_null());
    json_object_set_new(row, "probability_source", json_string(sv_probability_source_name(c->method->source)));
    if (!changed) return;
    json_object_set_new(row, "raw_probabilities", probabilities_object(f->raw_probabilities));
    json_object_set_new(row, "temperature", json_real(c->method->temperature));
}

static json_t *flags_of(const sv_row_context *c, int epoch, const sv_finding *f, double missing_share) {
    double top = 0;
    for (int i = 0; i < SV_N_STAGES; i++) top = fmax(top, f->probabilities[i]);
    const struct {
        bool set;
        const char *name;
    } flags[] = {{f->has_probabilities && top < SV_UNCERTAIN_BELOW, "uncertain"},
                 {!c->has_eeg, "no_eeg"},
                 {!f->answer.parsed, "unparsed"},
                 {!f->has_probabilities && c->method->source != SV_PROBABILITIES_OFF, "no_probabilities"},
                 {f->cut, "answer_cut"},
                 {missing_share > 0, "partial_gap"},
                 {epoch == 0, "no_preceding_epoch"},
                 {epoch == c->n_epochs - 1, "no_subsequent_epoch"}};
    json_t *list = json_array();
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        if (flags[i].set) json_array_append_new(list, json_string(flags[i].name));
    }
    return list;
}

json_t *sv_row_new(const sv_row_context *c, int epoch, const sv_finding *f, double missing_share,
                   const char *picture_sha256) {
    json_t *row = row_head(c, epoch);
    set_answer(row, f->output, &f->answer);
    set_probabilities(row, c, f);
    json_object_set_new(row, "flags", flags_of(c, epoch, f, missing_share));
    json_object_set_new(row, "picture_sha256", json_string(picture_sha256));
    json_object_set_new(row, "usage",
                        json_pack("{s:I,s:I}", "prompt_tokens", (json_int_t)f->n_prompt_tokens, "completion_tokens",
                                  (json_int_t)f->n_output_tokens));
    return row;
}

json_t *sv_row_new_without_signal(const sv_row_context *c, int epoch) {
    static char problem[] = "not asked: the recording has a gap here";
    json_t *row = row_head(c, epoch);
    set_answer(row, NULL, &(sv_answer){.stage = SV_STAGE_NONE, .problem = problem});
    json_object_set_new(row, "probabilities", json_null());
    json_object_set_new(row, "probability_source", json_null());
    json_object_set_new(row, "flags", json_pack("[s]", "no_signal"));
    json_object_set_new(row, "picture_sha256", json_null());
    return row;
}

/* ---- the audit */

static bool is_contradicted(const json_t *item) {
    return strcmp(sv_json_text(item, "verdict", ""), sv_verdict_name(SV_CONTRADICTED)) == 0;
}

static bool any_contradicted(const json_t *audit) {
    static const char *const lists[] = {"claims", "rules"};
    const json_t *item;
    size_t i;
    for (size_t k = 0; k < sizeof lists / sizeof lists[0]; k++) {
        json_array_foreach(json_object_get(audit, lists[k]), i, item) {
            if (is_contradicted(item)) return true;
        }
    }
    return is_contradicted(json_object_get(audit, "stage"));
}

static bool book_disagrees(const json_t *audit) {
    const json_t *stage = json_object_get(audit, "stage");
    const char *given = sv_json_text(stage, "stage", NULL), *book = sv_json_text(stage, "book_stage", NULL);
    return given && book && strcmp(given, book) != 0;
}

static bool set_flag(json_t *row, const char *flag, bool set) {
    json_t *flags = json_object_get(row, "flags"), *item;
    size_t i;
    json_array_foreach(flags, i, item) {
        if (!json_is_string(item) || strcmp(json_string_value(item), flag) != 0) continue;
        if (!set) json_array_remove(flags, i);
        return true;
    }
    return !set || json_array_append_new(flags, json_string(flag)) == 0;
}

bool sv_row_set_audit(json_t *row, json_t *audit, json_t *evidence) {
    bool done = set_flag(row, "contradicted", any_contradicted(audit));
    done = set_flag(row, "second_opinion", book_disagrees(audit)) && done;
    done = json_object_set_new(row, "evidence", evidence ? evidence : json_null()) == 0 && done;
    return json_object_set_new(row, "audit", audit ? audit : json_null()) == 0 && done;
}

int sv_row_epoch(const json_t *row) { return (int)sv_json_int(row, "epoch", -1); }

sv_stage sv_row_stage(const json_t *row) {
    int64_t stage = sv_json_int(row, "pred", -1);
    return stage >= 0 && stage < SV_N_STAGES ? (sv_stage)stage : SV_STAGE_NONE;
}

bool sv_row_has_flag(const json_t *row, const char *flag) {
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(row, "flags"), i, item) {
        if (json_is_string(item) && strcmp(json_string_value(item), flag) == 0) return true;
    }
    return false;
}

bool sv_row_probabilities(const json_t *row, double out[SV_N_STAGES]) {
    const json_t *object = json_object_get(row, "probabilities");
    if (!json_is_object(object)) return false;
    for (int i = 0; i < SV_N_STAGES; i++) out[i] = sv_json_real(object, sv_stage_name((sv_stage)i), 0);
    return true;
}
