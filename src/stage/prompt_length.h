/*
 * prompt_length.h - how many tokens a question has, known before anything is computed.
 */
#ifndef SV_STAGE_PROMPT_LENGTH_H
#define SV_STAGE_PROMPT_LENGTH_H

#include "model/config.h"
#include "stage/prompt.h"
#include "token/tokenizer.h"

typedef struct sv_prompt_length {
    size_t system;  /* the text of the system prompt by itself */
    size_t shared;  /* before the first picture: computed once for a night */
    size_t suffix;  /* three pictures, the words around them, the answer's header */
    size_t total;   /* shared + suffix */
    size_t picture; /* one picture of an epoch */
    int cells_h, cells_w;
} sv_prompt_length;

/* SV_ERR_INPUT when the prompt holds picture tokens of its own, or the tokenizer knows none. */
sv_status sv_stage_prompt_length(const sv_stage_prompt *prompt, const sv_tokenizer *tokenizer,
                                 const sv_model_config *config, sv_prompt_length *out, sv_error *err);

#endif
