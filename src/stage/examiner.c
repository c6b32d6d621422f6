/* examiner.c - texts become ids, prefixes and forms. */
#include "stage/examiner.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "stage/desk.h"

sv_status sv_examiner_encode(const sv_examiner *e, const char *text, size_t len, sv_ids *out, sv_error *err) {
    return sv_tokenizer_encode(sv_model_get_tokenizer(e->model), text, len, true, &out->items, &out->n, err);
}

static sv_status encode_prompt(const sv_examiner *e, const sv_stage_prompt *prompt, sv_asked *out, sv_error *err) {
    sv_chat chat;
    sv_strbuf text = {0};
    sv_status s = sv_stage_prompt_chat(prompt, &chat, err);
    if (s) return s;
    s = sv_chat_render(&chat, true, &text, err);
    if (!s) s = sv_examiner_encode(e, sv_strbuf_text(&text), text.len, &out->ids, err);
    sv_chat_free(&chat);
    sv_strbuf_free(&text);
    if (s) return s;
    int32_t picture = sv_model_get_config(e->model)->image_token;
    size_t n_pictures = 0;
    for (size_t i = out->ids.n; i-- > 0;) {
        if (out->ids.items[i] != picture) continue;
        n_pictures++;
        out->n_shared = i;
    }
    if (n_pictures == 3) return SV_OK;
    return sv_fail(err, SV_ERR_INPUT,
                   "the prompt must have exactly 3 picture tokens, found %zu: the system prompt may not contain "
                   "<|image_pad|>",
                   n_pictures);
}

static sv_status make_constraint(const sv_examiner *e, const char *name, sv_answer_form *form, sv_constraint **out,
                                 sv_error *err) {
    if (!sv_answer_form_make(name, form))
        return sv_fail(err, SV_ERR_INTERNAL, "no form of answers is called '%s'", name);
    return sv_constraint_new(&form->schema, sv_model_get_tokenizer(e->model), out, err);
}

sv_status sv_examiner_new(const sv_model *model, const sv_stage_prompt *prompt, const sv_method *method,
                          bool ends_after_rules, sv_examiner **out, sv_error *err) {
    *out = NULL;
    if (ends_after_rules && !prompt->stage_first) {
        return sv_fail(
            err, SV_ERR_USAGE,
            "--track coarse needs a stage-first model; for this one give its coarse prompt by --prompt FILE");
    }
    sv_examiner *e = sv_calloc(1, sizeof *e);
    if (!e) return sv_fail_memory(err, "examiner", sizeof *e);
    e->model = model;
    e->stage_first = prompt->stage_first;
    e->ends_after_rules = ends_after_rules;
    e->source = method->source;
    e->temperature = method->temperature;
    bool coarse = method->source == SV_PROBABILITIES_COARSE;
    sv_status s = encode_prompt(e, prompt, &e->main, err);
    if (!s && coarse) s = encode_prompt(e, &method->coarse_prompt, &e->coarse, err);
    if (!s) s = sv_examiner_encode(e, sv_stage_forced_prefix, strlen(sv_stage_forced_prefix), &e->forced, err);
    for (int i = 0; !s && i < SV_N_STAGES; i++) {
        const char *name = sv_stage_name((sv_stage)i);
        s = sv_examiner_encode(e, name, strlen(name), &e->stages[i], err);
        if (!s && e->stages[i].n > SV_MAX_STAGE_TOKENS) {
            s = sv_fail(err, SV_ERR_UNSUPPORTED, "the name of stage %s needs %zu tokens", name, e->stages[i].n);
        }
    }
    if (!s && method->constrained) {
        s = make_constraint(e, e->stage_first ? "stage-first" : "fine", &e->form, &e->constraint, err);
        if (!s && coarse) s = make_constraint(e, "coarse", &e->coarse_form, &e->coarse_constraint, err);
    }
    if (s) {
        sv_examiner_free(e);
        return s;
    }
    *out = e;
    return SV_OK;
}

sv_status sv_examiner_prepare(sv_examiner *e, sv_prefix_tree *tree, sv_pool *pool, sv_error *err) {
    sv_workspace *workspace;
    sv_status s = sv_workspace_new(e->model, 0, pool, &workspace, err);
    if (s) return s;
    e->tree = tree;
    s = sv_prefix_tree_get(tree, workspace, e->main.ids.items, &e->main.n_shared, 1, &e->main.prefix, err);
    if (!s && e->coarse.ids.n) {
        s = sv_prefix_tree_get(tree, workspace, e->coarse.ids.items, &e->coarse.n_shared, 1, &e->coarse.prefix, err);
    }
    sv_workspace_free(workspace);
    return s;
}

void sv_examiner_free(sv_examiner *e) {
    if (!e) return;
    if (e->tree) {
        sv_prefix_tree_release(e->tree, e->main.prefix);
        sv_prefix_tree_release(e->tree, e->coarse.prefix);
    }
    sv_constraint_free(e->constraint);
    sv_constraint_free(e->coarse_constraint);
    free(e->main.ids.items);
    free(e->coarse.ids.items);
    free(e->forced.items);
    for (int i = 0; i < SV_N_STAGES; i++) free(e->stages[i].items);
    free(e);
}

size_t sv_examiner_room(const sv_examiner *e, const sv_asked *asked, size_t n_picture_tokens) {
    if (asked->ids.n == 0) return 0;
    size_t answer = asked == &e->coarse ? SV_MAX_COARSE_TOKENS : SV_MAX_ANSWER_TOKENS;
    return asked->ids.n - asked->n_shared + 3 * n_picture_tokens + e->forced.n + SV_MAX_STAGE_TOKENS + answer;
}

size_t sv_examiner_all_room(const sv_examiner *e, size_t n_picture_tokens) {
    return sv_examiner_room(e, &e->main, n_picture_tokens) + sv_examiner_room(e, &e->coarse, n_picture_tokens);
}

size_t sv_examiner_shared_length(const sv_examiner *e) { return e->main.n_shared + e->coarse.n_shared; }
