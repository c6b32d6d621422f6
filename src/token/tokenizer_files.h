/*
 * tokenizer_files.h - writing a byte-level tokenizer of one's own in the form of Qwen2's files: the 256 bytes, merges,
 * and Qwen2's added tokens after them.
 */
#ifndef SV_TOKEN_TOKENIZER_FILES_H
#define SV_TOKEN_TOKENIZER_FILES_H

#include "base/json.h"

enum { SV_N_BYTE_TOKENS = 256, SV_N_ADDED_TOKENS = 22, SV_MAX_BPE_TOKENS = 400000 };

/* Merge k joins two tokens to the token SV_N_BYTE_TOKENS + k; both are smaller than that. */
typedef struct sv_token_pair {
    int32_t left, right;
} sv_token_pair;

/* The token of a single byte: in the order of the printable characters that stand for bytes in the files ("!" is 0). */
int32_t sv_byte_token(unsigned char byte);
unsigned char sv_token_byte(int32_t id); /* the reverse, for ids below SV_N_BYTE_TOKENS */

/* The content of tokenizer.json, for sv_vocabulary_from_json; the caller owns *out. "<|endoftext|>" has the id
 * SV_N_BYTE_TOKENS + n_merges. SV_ERR_USAGE when there are more than SV_MAX_BPE_TOKENS in all. */
sv_status sv_tokenizer_json(const sv_token_pair *merges, size_t n_merges, json_t **out, sv_error *err);

/* Writes tokenizer.json and tokenizer_config.json (with a chat template) into `folder`. SV_ERR_OUTPUT when a file
 * cannot be written. */
sv_status sv_tokenizer_files_write(const char *folder, const sv_token_pair *merges, size_t n_merges, sv_error *err);

#endif
