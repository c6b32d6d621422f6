/* truth_json.c - the truth of a simulated night as JSON. */
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
