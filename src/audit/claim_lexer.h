/* claim_lexer.h - a rationale as words of the vocabulary (claim_words.def) and numbers. */
#ifndef SV_AUDIT_CLAIM_LEXER_H
#define SV_AUDIT_CLAIM_LEXER_H

#include "base/status.h"

typedef enum sv_word_meaning {
    SV_WORD_PLAIN, /* without a meaning of its own */
    SV_WORD_FEATURE,
    SV_WORD_TONE, /* chin tone with its level */
    SV_WORD_STAGE,
    SV_WORD_CHANNEL,
    SV_WORD_NOT,        /* of what follows */
    SV_WORD_NOT_BEFORE, /* of what stands before */
    SV_WORD_SAME,
    SV_WORD_HEDGE,
    SV_WORD_LEVEL,
    SV_WORD_COMPARE,
    SV_WORD_PLACE,
    SV_WORD_OFFSET,
    SV_WORD_NUMBER,
    SV_WORD_SHARE,
    SV_WORD_SHARE_OVER,
    SV_WORD_SHARE_UNDER,
    SV_WORD_UNIT,
    SV_WORD_OVER,
    SV_WORD_UNDER,
    SV_WORD_OR_MORE, /* of the number before */
    SV_WORD_OR_LESS,
    SV_WORD_ABOUT,
    SV_WORD_AT,
    SV_WORD_RANGE,
    SV_WORD_BREAK,
    SV_WORD_GENERAL,
    SV_WORD_COMMA, /* , ( ) */
    SV_WORD_STOP,  /* . ; ! newline */
    SV_WORD_COLON  /* : = */
} sv_word_meaning;

typedef struct sv_word {
    sv_word_meaning meaning;
    double value;      /* of the vocabulary, or the number; place, channels ... as whole numbers */
    size_t begin, end; /* bytes of the text */
    bool plural;       /* the phrase ends in s */
} sv_word;

typedef struct sv_words {
    sv_word *items;
    size_t n, capacity;
} sv_words;

/* Reads len bytes; unknown bytes are spaces. Time grows linearly. SV_ERR_MEMORY. */
sv_status sv_words_read(const char *text, size_t len, sv_words *out, sv_error *err);

#endif
