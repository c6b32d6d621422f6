/*
 * tokenizer.h - byte-level BPE as Qwen2 uses it (qwen25vl.md section 6): NFC, special tokens split out, the GPT-2 style
 * regular expression, merges by lowest rank.
 */
#ifndef SV_TOKEN_TOKENIZER_H
#define SV_TOKEN_TOKENIZER_H

#include "base/status.h"
#include "base/strbuf.h"

typedef struct sv_tokenizer sv_tokenizer; /* immutable after load; safe for many threads */

/* Loads tokenizer.json from the folder or, without it, vocab.json + merges.txt (+ added tokens of
 * tokenizer_config.json). */
sv_status sv_tokenizer_load(const char *folder, sv_tokenizer **out, sv_error *err);
void sv_tokenizer_free(sv_tokenizer *tokenizer);

/* Largest id + 1 (the model's vocab_size may be larger: those rows are padding). */
int sv_tokenizer_n_ids(const sv_tokenizer *tokenizer);

/* How many tokens were added to those of the byte-pair encoding, and how many of them are special. */
void sv_tokenizer_count_added(const sv_tokenizer *tokenizer, int *n_added, int *n_special);

/* The id of an added token such as "<|im_end|>", -1 when there is none. */
int sv_tokenizer_special(const sv_tokenizer *tokenizer, const char *content);

/* Encodes UTF-8 text (may hold 0 bytes). Added tokens written in the text become their ids when parse_special, else
 * they are encoded as ordinary text. *out: ids, freed with free. SV_ERR_INPUT when the text is not UTF-8. */
sv_status sv_tokenizer_encode(const sv_tokenizer *tokenizer, const char *text, size_t len, bool parse_special,
                              int32_t **out, size_t *n_out, sv_error *err);

/* Cuts text as sv_tokenizer_encode does before it merges: hands each piece of the normalised text between added tokens
 * to `take`, in order; added tokens themselves are left out. An error of `take` ends it and is passed on. */
typedef sv_status sv_piece_taker(void *context, const char *piece, size_t len, sv_error *err);
sv_status sv_tokenizer_cut(const sv_tokenizer *tokenizer, const char *text, size_t len, bool parse_special,
                           sv_piece_taker *take, void *context, sv_error *err);

/* The bytes of one token ("" with *len 0 for an id that has none). Borrowed. */
const char *sv_tokenizer_bytes(const sv_tokenizer *tokenizer, int32_t id, size_t *len);

/* Appends the text of the ids to `out`; bytes that are not UTF-8 become U+FFFD, one per maximal ill-formed subpart.
 * skip_special leaves out tokens that are special (not all added tokens are). */
void sv_tokenizer_decode(const sv_tokenizer *tokenizer, const int32_t *ids, size_t n, bool skip_special,
                         sv_strbuf *out);

/* Decoding one id at a time: what may be shown so far never ends inside a character. */
typedef struct sv_token_stream {
    unsigned char tail[4];
    int n_tail;
} sv_token_stream;
void sv_token_stream_push(sv_token_stream *s, const sv_tokenizer *tokenizer, int32_t id, sv_strbuf *out);
void sv_token_stream_flush(sv_token_stream *s, sv_strbuf *out);

#endif
