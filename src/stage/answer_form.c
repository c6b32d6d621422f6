/* answer_form.c - which keys, in which order. */
#include "stage/answer_form.h"

#include <string.h>

#include "base/memory.h"

typedef enum field { REASONING, RULES, STAGE } field;

static const struct {
    const char *name;
    size_t n;
    field fields[3];
} forms[] = {{"fine", 3, {REASONING, RULES, STAGE}},
             {"coarse", 2, {RULES, STAGE}},
             {"stage-first", 3, {STAGE, RULES, REASONING}}};

const char sv_answer_form_names[] = "fine, coarse or stage-first";

bool sv_answer_form_make(const char *name, sv_answer_form *out) {
    const sv_answer_item items[] = {[REASONING] = {"reasoning_text", SV_ANSWER_TEXT, NULL, 0},
                                    [RULES] = {"applicable_rules", SV_ANSWER_LIST, out->rules, SV_N_RULES},
                                    [STAGE] = {"sleep_stage", SV_ANSWER_ONE, out->stages, SV_N_STAGES}};
    for (int i = 0; i < SV_N_RULES; i++) out->rules[i] = sv_rules[i].id;
    for (int i = 0; i < SV_N_STAGES; i++) out->stages[i] = sv_stage_name((sv_stage)i);
    for (size_t f = 0; f < SV_COUNT(forms); f++) {
        if (strcmp(forms[f].name, name) != 0) continue;
        out->schema.n_items = forms[f].n;
        for (size_t i = 0; i < forms[f].n; i++) out->schema.items[i] = items[forms[f].fields[i]];
        return true;
    }
    return false;
}
