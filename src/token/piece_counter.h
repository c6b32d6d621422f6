/*
 * piece_counter.h - how often each piece of a text occurs: what byte-pair encoding is learned from. Texts are given one
 * by one and not kept, so that a corpus of any size, also one that is made while it is read, needs the memory of its
 * different pieces only.
 */
#ifndef SV_TOKEN_PIECE_COUNTER_H
#define SV_TOKEN_PIECE_COUNTER_H

#include "base/status.h"

typedef struct sv_piece_counter sv_piece_counter;

sv_status sv_piece_counter_new(sv_piece_counter **out, sv_error *err);
void sv_piece_counter_free(sv_piece_counter *counter);

/* Counts the pieces of a document of UTF-8 text, cut as the trained tokenizer will cut it: NFC, Qwen2's expression,
 * Qwen2's added tokens left out where the text spells them. A document without text counts as one, too. SV_ERR_INPUT,
 * with the offset, when it is not UTF-8; then some of its pieces may have been counted. */
sv_status sv_piece_counter_add(sv_piece_counter *counter, const char *text, size_t len, sv_error *err);

typedef struct sv_piece {
    const char *bytes; /* borrowed, not ended by 0 */
    size_t len;        /* at least 1 */
    uint64_t count;
} sv_piece;

/* The different pieces in the order in which they were first seen; valid until the next text. */
size_t sv_piece_counter_n(const sv_piece_counter *counter);
sv_piece sv_piece_counter_get(const sv_piece_counter *counter, size_t i);

typedef struct sv_corpus_size {
    uint64_t n_documents, n_bytes, n_characters; /* of the texts as given */
    uint64_t n_pieces, n_piece_bytes;            /* with repetitions, of what was counted */
} sv_corpus_size;
sv_corpus_size sv_piece_counter_size(const sv_piece_counter *counter);

#endif
