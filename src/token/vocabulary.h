/*
 * vocabulary.h - what a tokenizer's files say: tokens, merges, added tokens, the pre-tokeniser's expression.
 */
#ifndef SV_TOKEN_VOCABULARY_H
#define SV_TOKEN_VOCABULARY_H

#include "base/json.h"
#include "token/tokenizer.h"

typedef struct sv_vocabulary_token {
    char *bytes; /* NULL for an id that the files leave out */
    size_t len;
    bool added;      /* written in text it is split out before anything else */
    bool special;    /* left out by skip_special */
    bool normalised; /* an added token that is looked for in normalised text, not in the text as given */
} sv_vocabulary_token;

typedef struct sv_merge {
    int32_t left, right, merged; /* ids */
    int32_t rank;
} sv_merge;

typedef struct sv_vocabulary {
    size_t n_tokens; /* largest id + 1 */
    sv_vocabulary_token *tokens;
    size_t n_merges;
    sv_merge *merges;
    size_t n_added;
    int32_t *added; /* ids of added tokens, the longest first */
    int32_t id_of_byte[256];
    char *pattern; /* regular expression of the pieces */
} sv_vocabulary;

/* What Qwen2's tokenizer splits by; used where the files do not say. */
extern const char sv_default_pattern[];

/* Reads tokenizer.json or vocab.json + merges.txt + tokenizer_config.json from a folder. Kinds of tokenizer that this
 * program does not implement are refused by name. */
sv_status sv_vocabulary_load(const char *folder, sv_vocabulary *out, sv_error *err);

/* The same from the parsed content of tokenizer.json; `name` is what errors call it. */
sv_status sv_vocabulary_from_json(const json_t *top, const char *name, sv_vocabulary *out, sv_error *err);
void sv_vocabulary_free(sv_vocabulary *vocabulary);

/* A tokenizer that owns the vocabulary (also on failure, when it is freed). */
sv_status sv_tokenizer_from_vocabulary(sv_vocabulary *vocabulary, const char *name, sv_tokenizer **out, sv_error *err);

#endif
