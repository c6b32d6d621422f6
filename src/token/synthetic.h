/*
 * synthetic.h - a byte-level tokenizer of any size in the form of Qwen2's files, made by rule: for models with random
 * weights, which must not carry a vocabulary that belongs to others. It encodes every text; English takes about half
 * as many tokens again as with the real one.
 */
#ifndef SV_TOKEN_SYNTHETIC_H
#define SV_TOKEN_SYNTHETIC_H

#include "token/tokenizer_files.h"

enum { SV_SYNTHETIC_MIN = SV_N_BYTE_TOKENS, SV_SYNTHETIC_MAX = SV_MAX_BPE_TOKENS };

/* Writes tokenizer.json and tokenizer_config.json (with a chat template) into `folder`. n_tokens: ids of the byte-pair
 * encoding, from SV_SYNTHETIC_MIN to SV_SYNTHETIC_MAX; Qwen2's SV_N_ADDED_TOKENS added tokens follow them
 * ("<|endoftext|>" has the id n_tokens). SV_ERR_OUTPUT when a file cannot be written. */
sv_status sv_synthetic_tokenizer_write(const char *folder, int n_tokens, sv_error *err);

#endif
