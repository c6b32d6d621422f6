/*
 * prompt.h - what the network is told: the system prompt, the words between the pictures, and the forced beginning of
 * an answer from which the stage is read.
 */
#ifndef SV_STAGE_PROMPT_H
#define SV_STAGE_PROMPT_H

#include "base/hash.h"
#include "token/chat.h"

/* In which order a model writes its answer decides how it is asked (docs/modules/stage.md). */
typedef struct sv_stage_prompt {
    char *system; /* UTF-8 */
    size_t system_len;
    bool stage_first;                /* the model was trained to write sleep_stage before anything else */
    char sha256[SV_SHA256_HEX_SIZE]; /* of the system prompt */
    char *warning; /* what readers of its results must be told, UTF-8; NULL when the model says nothing */
} sv_stage_prompt;

/* The beginning of an answer up to the stage's name: what follows it is W, N1, N2, N3 or R. */
extern const char sv_stage_forced_prefix[];

/* Reads the system prompt from prompt_path or, when that is NULL, prompt.txt of the model folder; the answer order from
 * sleepvlm.json of the model folder ({"answer_order": "stage_first", "warning": "..."}; absent: the rationale comes
 * first, as in the published system, and there is no warning). SV_ERR_INPUT when there is no prompt or it is not UTF-8.
 */
sv_status sv_stage_prompt_load(const char *model_folder, const char *prompt_path, sv_stage_prompt *out, sv_error *err);
void sv_stage_prompt_free(sv_stage_prompt *prompt);

/* The conversation about one target epoch: system prompt, then three pictures with their captions. The caller frees
 * *out with sv_chat_free. */
sv_status sv_stage_prompt_chat(const sv_stage_prompt *prompt, sv_chat *out, sv_error *err);

#endif
