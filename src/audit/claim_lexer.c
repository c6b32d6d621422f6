/* claim_lexer.c - see claim_lexer.h. First plain tokens, lower case, hyphens as spaces; then the longest phrase of the
 * vocabulary at each. */
#include "audit/claim_lexer.h"

#include <stdlib.h>
#include <string.h>

#include "audit/claims.h"
#include "base/memory.h"

enum { TOKEN_ROOM = 24, LONGEST_PHRASE = 6 };

typedef struct token {
    char text[TOKEN_ROOM];
    size_t begin, end;
    double number;
    bool is_number;
} token;

static const struct entry {
    const char *phrase;
    sv_word_meaning meaning;
    double value;
} vocabulary[] = {
#define SV_WORD(phrase, meaning, value) {phrase, SV_WORD_##meaning, value},
#include "audit/claim_words.def"
#undef SV_WORD
};

/* ---- tokens */

/* Characters beyond ASCII that mean something here, as what they are read as. */
static const struct {
    const char *bytes, *read_as;
} characters[] = {{"\xE2\x80\x91", "-"}, {"\xE2\x80\x90", "-"}, {"\xE2\x80\x93", "-"}, {"\xE2\x80\x94", ","},
                  {"\xC2\xA0", " "},     {"\xE2\x80\xAF", " "}, {"\xC2\xB5", "u"},     {"\xCE\xBC", "u"},
                  {"\xE2\x89\xA5", ">"}, {"\xE2\x89\xA4", "<"}, {"\xE2\x89\x88", "~"}, {"\xE2\x80\x99", "'"}};

/* The character at p as one of ASCII, and its length in bytes. */
static char read_character(const char *p, size_t left, size_t *len) {
    *len = 1;
    if ((unsigned char)*p < 0x80) return *p >= 'A' && *p <= 'Z' ? (char)(*p - 'A' + 'a') : *p;
    for (size_t i = 0; i < SV_COUNT(characters); i++) {
        size_t n = strlen(characters[i].bytes);
        if (n > left || memcmp(p, characters[i].bytes, n) != 0) continue;
        *len = n;
        return characters[i].read_as[0];
    }
    return ' ';
}

static bool is_letter(char c) { return c >= 'a' && c <= 'z'; }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static char next_character(const char *text, size_t len, size_t at) {
    size_t n;
    return at < len ? read_character(text + at, len - at, &n) : ' ';
}

/* Reads one token at *at, moves *at behind it; false for a space. */
static bool read_token(const char *text, size_t len, size_t *at, token *out) {
    size_t n, used = 0;
    char c = read_character(text + *at, len - *at, &n);
    *out = (token){.begin = *at};
    if (is_digit(c)) {
        while (*at < len) {
            c = read_character(text + *at, len - *at, &n);
            bool point = c == '.' && is_digit(next_character(text, len, *at + n));
            if (!is_digit(c) && !point) break;
            if (used + 1 < TOKEN_ROOM) out->text[used++] = c;
            *at += n;
        }
        out->is_number = true;
        out->number = strtod(out->text, NULL);
    } else if (is_letter(c)) {
        while (*at < len) {
            c = read_character(text + *at, len - *at, &n);
            if (!is_letter(c) && !is_digit(c)) break;
            if (used + 1 < TOKEN_ROOM) out->text[used++] = c;
            *at += n;
        }
    } else {
        *at += n;
        out->text[0] = c;
        if (c == ' ' || c == '\t' || c == '\r' || c == '\'' || c == '"' || c == '*') return false;
    }
    out->end = *at;
    return true;
}

/* A hyphen inside a word ("K-complex", "mid-level") is a space; between numbers it is a range. */
static bool is_joint(const token *tokens, size_t n, size_t i) {
    if (strcmp(tokens[i].text, "-") != 0 || i == 0 || i + 1 >= n) return false;
    bool touches = tokens[i - 1].end == tokens[i].begin && tokens[i + 1].begin == tokens[i].end;
    return touches && !(tokens[i - 1].is_number && tokens[i + 1].is_number);
}

static sv_status read_tokens(const char *text, size_t len, token **out, size_t *n_out, sv_error *err) {
    token *tokens = NULL;
    size_t n = 0, capacity = 0, kept = 0;
    for (size_t at = 0; at < len;) {
        token t;
        if (!read_token(text, len, &at, &t)) continue;
        if (!sv_grow(&tokens, n, &capacity, sizeof t)) {
            free(tokens);
            return sv_fail_memory(err, "words", n * sizeof t);
        }
        tokens[n++] = t;
    }
    bool *joint = sv_calloc(n + 1, sizeof *joint);
    if (!joint) {
        free(tokens);
        return sv_fail_memory(err, "words", n);
    }
    for (size_t i = 0; i < n; i++) joint[i] = is_joint(tokens, n, i);
    for (size_t i = 0; i < n; i++) {
        if (!joint[i]) tokens[kept++] = tokens[i];
    }
    free(joint);
    *out = tokens;
    *n_out = kept;
    return SV_OK;
}

/* ---- phrases */

/* Tokens that the phrase takes from tokens [n], 0 when it does not fit. */
static size_t fits(const char *phrase, const token *tokens, size_t n) {
    size_t used = 0;
    while (*phrase) {
        const char *space = strchr(phrase, ' ');
        size_t len = space ? (size_t)(space - phrase) : strlen(phrase);
        bool open = len > 1 && phrase[len - 1] == '*';
        if (used >= n || strncmp(tokens[used].text, phrase, open ? len - 1 : len) != 0) return 0;
        if (!open && tokens[used].text[len] != 0) return 0;
        used++;
        phrase += len + (space ? 1 : 0);
    }
    return used;
}

static const struct entry *longest_phrase(const token *tokens, size_t n, size_t *used) {
    const struct entry *best = NULL;
    *used = 0;
    for (size_t i = 0; i < SV_COUNT(vocabulary); i++) {
        if (vocabulary[i].phrase[0] != tokens[0].text[0]) continue;
        size_t length = fits(vocabulary[i].phrase, tokens, SV_MIN(n, (size_t)LONGEST_PHRASE));
        if (length > *used || (length && length == *used && strlen(vocabulary[i].phrase) > strlen(best->phrase))) {
            *used = length;
            best = &vocabulary[i];
        }
    }
    return best;
}

static sv_word_meaning meaning_of_sign(const char *text) {
    if (strchr(",()[]+", text[0])) return SV_WORD_COMMA;
    if (strchr(".;!\n", text[0])) return SV_WORD_STOP;
    return strchr(":=", text[0]) ? SV_WORD_COLON : SV_WORD_PLAIN;
}

static sv_word word_at(const token *tokens, size_t n, size_t *used) {
    const struct entry *entry = longest_phrase(tokens, n, used);
    sv_word word = {.meaning = SV_WORD_PLAIN, .begin = tokens[0].begin};
    if (entry) {
        word.meaning = entry->meaning;
        word.value = entry->value;
    } else {
        *used = 1;
        if (tokens[0].is_number) {
            word.meaning = SV_WORD_NUMBER;
            word.value = tokens[0].number;
        } else if (!is_letter(tokens[0].text[0])) {
            word.meaning = meaning_of_sign(tokens[0].text);
        }
    }
    const token *last = &tokens[*used - 1];
    size_t len = strlen(last->text);
    word.end = last->end;
    word.plural = len > 1 && last->text[len - 1] == 's';
    return word;
}

sv_status sv_words_read(const char *text, size_t len, sv_words *out, sv_error *err) {
    token *tokens = NULL;
    size_t n = 0, used;
    *out = (sv_words){0};
    sv_status s = read_tokens(text, len, &tokens, &n, err);
    for (size_t i = 0; i < n && !s; i += used) {
        sv_word word = word_at(tokens + i, n - i, &used);
        if (!sv_grow(&out->items, out->n, &out->capacity, sizeof word))
            s = sv_fail_memory(err, "words", out->n * sizeof word);
        if (!s) out->items[out->n++] = word;
    }
    free(tokens);
    if (s) {
        free(out->items);
        *out = (sv_words){0};
    }
    return s;
}
