/* prompt.c - the prompt's texts. */
#include "stage/prompt.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/utf8.h"

#define MAX_PROMPT_BYTES ((size_t)1 << 20)

const char sv_stage_forced_prefix[] = "```json\n{\n  \"sleep_stage\": \"";

/* U+2011 is the hyphen that the published system was trained with */
static const char *const captions[3] = {"Preceding epoch N\u20111: ", "**Target epoch N**: ", "Subsequent epoch N+1: "};

static sv_status load_system(const char *path, sv_stage_prompt *out, sv_error *err) {
    sv_status s = sv_file_read(path, MAX_PROMPT_BYTES, &out->system, &out->system_len, err);
    if (!s) s = sv_utf8_check(out->system, out->system_len, path, err);
    if (!s) sv_sha256_hex(out->system, out->system_len, out->sha256);
    return s;
}

static sv_status load_card(const char *folder, sv_stage_prompt *out, sv_error *err) {
    char *path = sv_path_join(folder, "sleepvlm.json");
    if (!path) return sv_fail_memory(err, "path", strlen(folder));
    sv_status s = SV_OK;
    json_t *card = NULL;
    if (sv_file_exists(path)) s = sv_json_load(path, &card, err);
    if (!s && card) {
        const char *order = sv_json_text(card, "answer_order", "");
        out->stage_first = strcmp(order, "stage_first") == 0;
        if (!out->stage_first && strcmp(order, "rationale_first") != 0) {
            s = sv_fail(err, SV_ERR_INPUT,
                        "%s: answer_order must be \"stage_first\" or \"rationale_first\", found \"%s\"", path, order);
        }
        const char *warning = sv_json_text(card, "warning", NULL);
        if (!s && warning && !(out->warning = sv_strndup(warning, strlen(warning))))
            s = sv_fail_memory(err, "warning", 0);
    }
    json_decref(card);
    free(path);
    return s;
}

sv_status sv_stage_prompt_load(const char *model_folder, const char *prompt_path, sv_stage_prompt *out, sv_error *err) {
    *out = (sv_stage_prompt){0};
    char *own = sv_path_join(model_folder, "prompt.txt");
    if (!own) return sv_fail_memory(err, "path", strlen(model_folder));
    sv_status s;
    if (!prompt_path && !sv_file_exists(own)) {
        s = sv_fail(err, SV_ERR_INPUT,
                    "%s: the model folder has no prompt.txt; name the system prompt that the model was trained with by "
                    "--prompt FILE",
                    model_folder);
    } else {
        s = load_system(prompt_path ? prompt_path : own, out, err);
    }
    if (!s) s = load_card(model_folder, out, err);
    free(own);
    if (s) sv_stage_prompt_free(out);
    return s;
}

void sv_stage_prompt_free(sv_stage_prompt *prompt) {
    free(prompt->system);
    free(prompt->warning);
    *prompt = (sv_stage_prompt){0};
}

sv_status sv_stage_prompt_chat(const sv_stage_prompt *prompt, sv_chat *out, sv_error *err) {
    *out = (sv_chat){0};
    bool ok = sv_chat_add_message(out, "system") && sv_chat_add_text(out, prompt->system, prompt->system_len) &&
              sv_chat_add_message(out, "user");
    for (size_t i = 0; ok && i < 3; i++) {
        ok = sv_chat_add_text(out, captions[i], strlen(captions[i])) && sv_chat_add_image(out, "");
    }
    if (ok) return SV_OK;
    sv_chat_free(out);
    return sv_fail_memory(err, "prompt", prompt->system_len);
}
