/* truth_json.c - the truth of a simulated night as JSON, and back. */
#include "base/memory.h"
#include "psg/night.h"
#include "simulate/truth.h"

static json_t *rules_of(unsigned bits) {
    json_t *list = json_array();
    for (int i = 0; i < SV_N_RULES; i++) {
        if (bits >> i & 1) json_array_append_new(list, json_string(sv_rules[i].id));
    }
    return list;
}

json_t *sv_truth_to_json(const sv_sim_facts *facts, const sv_truth *truth, unsigned roles, uint64_t seed) {
    json_t *stages = json_array(), *rules = json_array(), *rationales = json_array();
    sv_strbuf text = {0};
    for (int e = 0; e < truth->n_epochs; e++) {
        json_array_append_new(stages, json_string(sv_stage_name((sv_stage)truth->stages[e])));
        json_array_append_new(rules, rules_of(truth->rules[e]));
        sv_rationale_write(facts, truth, e, roles, seed, &text);
        json_array_append_new(rationales, json_string(sv_strbuf_text(&text)));
    }
    bool failed = text.failed;
    sv_strbuf_free(&text);
    json_t *out =
        json_pack("{s:i,s:i,s:o,s:o,s:o,s:o}", "n_epochs", truth->n_epochs, "epoch_s", SV_EPOCH_S, "stages", stages,
                  "rules", rules, "rationales", rationales, "events", sv_events_to_json(&facts->events));
    if (failed) {
        json_decref(out);
        return NULL;
    }
    return out;
}

/* ---- reading */

typedef struct reader {
    const char *path;
    const json_t *root;
    size_t n; /* epochs */
    sv_truth_file *out;
    sv_error *err;
} reader;

/* The list of that name with one item an epoch. NULL in *out when it is not there and need not be. */
static sv_status find_list(const reader *r, const char *key, bool needed, const json_t **out) {
    *out = json_object_get(r->root, key);
    if (!*out && !needed) return SV_OK;
    if (!json_is_array(*out)) return sv_fail(r->err, SV_ERR_INPUT, "%s: \"%s\" is not a list", r->path, key);
    if (json_array_size(*out) == r->n) return SV_OK;
    return sv_fail(r->err, SV_ERR_INPUT, "%s: \"%s\" has %zu items for %zu epochs", r->path, key, json_array_size(*out),
                   r->n);
}

static sv_status read_stages(const reader *r) {
    const json_t *list = NULL;
    sv_status s = find_list(r, "stages", true, &list);
    for (size_t e = 0; e < r->n && !s; e++) {
        sv_stage stage = SV_STAGE_NONE;
        const char *name = json_string_value(json_array_get(list, e));
        if (!name || !sv_stage_from_annotation(name, &stage)) {
            s = sv_fail(r->err, SV_ERR_INPUT, "%s: \"stages\" of epoch %zu is not W, N1, N2, N3, R or ?", r->path, e);
        }
        r->out->truth.stages[e] = (signed char)stage;
    }
    return s;
}

static sv_status read_rules_of(const reader *r, size_t epoch, const json_t *ids) {
    if (!json_is_array(ids)) {
        return sv_fail(r->err, SV_ERR_INPUT, "%s: \"rules\" of epoch %zu is not a list", r->path, epoch);
    }
    for (size_t i = 0; i < json_array_size(ids); i++) {
        const char *id = json_string_value(json_array_get(ids, i));
        const sv_rule *rule = id ? sv_rule_find(id) : NULL;
        if (!rule) {
            return sv_fail(r->err, SV_ERR_INPUT, "%s: \"rules\" of epoch %zu holds \"%.20s\", which is no rule",
                           r->path, epoch, id ? id : "(not a text)");
        }
        r->out->truth.rules[epoch] |= (uint16_t)(1u << (rule - sv_rules));
    }
    return SV_OK;
}

static sv_status read_rules(const reader *r) {
    const json_t *list = NULL;
    sv_status s = find_list(r, "rules", false, &list);
    for (size_t e = 0; e < r->n && list && !s; e++) s = read_rules_of(r, e, json_array_get(list, e));
    return s;
}

static sv_status read_rationales(const reader *r) {
    const json_t *list = NULL;
    sv_status s = find_list(r, "rationales", false, &list);
    if (s || !list) return s;
    if (!(r->out->rationales = sv_calloc(r->n, sizeof *r->out->rationales))) {
        return sv_fail_memory(r->err, "rationales", r->n * sizeof *r->out->rationales);
    }
    for (size_t e = 0; e < r->n; e++) {
        const json_t *text = json_array_get(list, e);
        if (!json_is_string(text)) {
            return sv_fail(r->err, SV_ERR_INPUT, "%s: \"rationales\" of epoch %zu is not a text", r->path, e);
        }
        r->out->rationales[e] = sv_strndup(json_string_value(text), json_string_length(text));
        if (!r->out->rationales[e]) return sv_fail_memory(r->err, "rationale", json_string_length(text));
    }
    return SV_OK;
}

static sv_status read_members(reader *r) {
    sv_truth *truth = &r->out->truth;
    size_t n = json_array_size(json_object_get(r->root, "stages"));
    int64_t epoch_s = sv_json_int(r->root, "epoch_s", SV_EPOCH_S), said = sv_json_int(r->root, "n_epochs", (int64_t)n);
    if (!json_is_object(r->root)) return sv_fail(r->err, SV_ERR_INPUT, "%s: not an object", r->path);
    if (epoch_s != SV_EPOCH_S) {
        return sv_fail(r->err, SV_ERR_INPUT, "%s: \"epoch_s\" is %lld, expected %d", r->path, (long long)epoch_s,
                       SV_EPOCH_S);
    }
    if (n > INT32_MAX || said < 0 || said != (int64_t)n) {
        return sv_fail(r->err, SV_ERR_INPUT, "%s: \"n_epochs\" is %lld, but \"stages\" has %zu items", r->path,
                       (long long)said, n);
    }
    r->n = n;
    *truth = (sv_truth){
        .n_epochs = (int)n, .stages = sv_calloc(n, sizeof *truth->stages), .rules = sv_calloc(n, sizeof *truth->rules)};
    if (!truth->stages || !truth->rules) return sv_fail_memory(r->err, "truth of the night", n * sizeof *truth->rules);
    sv_status s = read_stages(r);
    if (!s) s = read_rules(r);
    if (!s) s = read_rationales(r);
    if (!s) s = sv_events_from_json(json_object_get(r->root, "events"), r->path, &r->out->events, r->err);
    return s;
}

sv_status sv_truth_read(const char *path, sv_truth_file *out, sv_error *err) {
    json_t *root = NULL;
    *out = (sv_truth_file){0};
    sv_status s = sv_json_load(path, &root, err);
    if (!s) s = read_members(&(reader){.path = path, .root = root, .out = out, .err = err});
    if (s) sv_truth_file_free(out);
    json_decref(root);
    return s;
}

void sv_truth_file_free(sv_truth_file *file) {
    for (int e = 0; e < file->truth.n_epochs && file->rationales; e++) free(file->rationales[e]);
    free(file->rationales);
    sv_truth_free(&file->truth);
    sv_events_free(&file->events);
    *file = (sv_truth_file){0};
}
