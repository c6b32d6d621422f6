/*
 * tokenizer_check.h - does a tokenizer belong to a network?
 */
#ifndef SV_MODEL_TOKENIZER_CHECK_H
#define SV_MODEL_TOKENIZER_CHECK_H

#include "model/config.h"
#include "token/tokenizer.h"

/* SV_ERR_INPUT, naming the token, when the tokenizer has more ids than the network has rows, lacks a token of the chat
 * template, or gives the tokens of pictures other ids than config.json. */
sv_status sv_tokenizer_check(const sv_tokenizer *tokenizer, const sv_model_config *config, sv_error *err);

#endif
