/*
 * tokenizer.c - text to ids: added tokens are split out of the raw text, the rest is normalised (NFC), added tokens of
 * the kind that is looked for in normalised text are split out, the rest is cut in pieces by the regular expression,
 * and each piece's bytes are merged. Ids to text: bytes joined, ill-formed UTF-8 replaced.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "token/tokenizer.h"

#include <pcre2.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "token/merge.h"
#include "token/vocabulary.h"

struct sv_tokenizer {
    sv_vocabulary vocabulary;
    sv_merge_table *merges;
    pcre2_code *pattern;
    bool starts_added[256]; /* bytes with which an added token begins */
};

/* What one pass through a text works with. */
typedef struct cutter {
    const sv_tokenizer *tokenizer;
    pcre2_match_data *match;
    bool parse_special;
    sv_piece_taker *take;
    sv_status (*take_added)(void *context, int32_t id, sv_error *err); /* NULL: they are left out */
    void *context;
    sv_error *err;
} cutter;

typedef struct encoder {
    const sv_tokenizer *tokenizer;
    sv_merge_scratch scratch;
    int32_t *ids;
    size_t n, capacity;
} encoder;

/* The expression with \s and \S written out: PCRE2 counts U+180E as white space, Unicode and the reference do not. */
static bool write_out_space(const char *pattern, sv_strbuf *out) {
    static const char space[] =
        "\\t-\\r \\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}";
    bool in_class = false;
    for (const char *c = pattern; *c; c++) {
        bool escape = *c == '\\' && c[1];
        if (escape && (c[1] == 's' || (c[1] == 'S' && !in_class))) {
            sv_strbuf_printf(out, in_class ? "%s" : c[1] == 's' ? "[%s]" : "[^%s]", space);
        } else {
            in_class = !escape && *c == '[' ? true : !escape && *c == ']' ? false : in_class;
            sv_strbuf_append(out, c, escape ? 2 : 1);
        }
        c += escape;
    }
    return !out->failed;
}

static sv_status compile(sv_tokenizer *t, const char *name, sv_error *err) {
    int code;
    PCRE2_SIZE at;
    sv_strbuf pattern = {0};
    if (!write_out_space(t->vocabulary.pattern, &pattern)) return sv_fail_memory(err, "expression", pattern.len);
    t->pattern =
        pcre2_compile((PCRE2_SPTR)sv_strbuf_text(&pattern), pattern.len, PCRE2_UTF | PCRE2_UCP, &code, &at, NULL);
    sv_strbuf_free(&pattern);
    if (!t->pattern) {
        PCRE2_UCHAR message[128];
        pcre2_get_error_message(code, message, sizeof message);
        return sv_fail(err, SV_ERR_UNSUPPORTED, "%s: the pre-tokeniser's expression is not usable: %s at %zu", name,
                       (char *)message, at);
    }
    (void)pcre2_jit_compile(t->pattern, PCRE2_JIT_COMPLETE); /* without it the interpreter gives the same */
    return SV_OK;
}

sv_status sv_tokenizer_from_vocabulary(sv_vocabulary *vocabulary, const char *name, sv_tokenizer **out, sv_error *err) {
    *out = NULL;
    sv_tokenizer *t = sv_calloc(1, sizeof *t);
    if (!t) {
        sv_vocabulary_free(vocabulary);
        return sv_fail_memory(err, "tokenizer", sizeof *t);
    }
    t->vocabulary = *vocabulary;
    *vocabulary = (sv_vocabulary){0};
    const sv_vocabulary *v = &t->vocabulary;
    for (size_t i = 0; i < v->n_added; i++) t->starts_added[(unsigned char)v->tokens[v->added[i]].bytes[0]] = true;
    sv_status s = sv_merge_table_new(v->merges, v->n_merges, &t->merges, err);
    if (!s) s = compile(t, name, err);
    if (s) {
        sv_tokenizer_free(t);
        return s;
    }
    *out = t;
    return SV_OK;
}

sv_status sv_tokenizer_load(const char *folder, sv_tokenizer **out, sv_error *err) {
    sv_vocabulary vocabulary;
    *out = NULL;
    sv_status s = sv_vocabulary_load(folder, &vocabulary, err);
    return s ? s : sv_tokenizer_from_vocabulary(&vocabulary, folder, out, err);
}

void sv_tokenizer_free(sv_tokenizer *t) {
    if (!t) return;
    pcre2_code_free(t->pattern);
    sv_merge_table_free(t->merges);
    sv_vocabulary_free(&t->vocabulary);
    free(t);
}

int sv_tokenizer_n_ids(const sv_tokenizer *t) { return (int)t->vocabulary.n_tokens; }

void sv_tokenizer_count_added(const sv_tokenizer *t, int *n_added, int *n_special) {
    const sv_vocabulary *v = &t->vocabulary;
    *n_added = (int)v->n_added;
    *n_special = 0;
    for (size_t i = 0; i < v->n_added; i++) *n_special += v->tokens[v->added[i]].special;
}

int sv_tokenizer_special(const sv_tokenizer *t, const char *content) {
    const sv_vocabulary *v = &t->vocabulary;
    for (size_t i = 0; i < v->n_added; i++) {
        const sv_vocabulary_token *token = &v->tokens[v->added[i]];
        if (token->len == strlen(content) && memcmp(token->bytes, content, token->len) == 0) return v->added[i];
    }
    return -1;
}

static sv_status reserve(encoder *e, size_t more, sv_error *err) {
    size_t need, capacity = e->capacity ? e->capacity : 64, bytes;
    if (!sv_add_size(e->n, more, &need)) return sv_fail_memory(err, "token ids", more);
    if (need <= e->capacity) return SV_OK;
    while (capacity < need) capacity *= 2;
    int32_t *grown = sv_mul_size(capacity, sizeof *grown, &bytes) ? realloc(e->ids, bytes) : NULL;
    if (!grown) return sv_fail_memory(err, "token ids", capacity);
    e->ids = grown;
    e->capacity = capacity;
    return SV_OK;
}

static sv_status encode_piece(void *context, const char *piece, size_t len, sv_error *err) {
    encoder *e = context;
    sv_status s = reserve(e, len, err);
    if (s) return s;
    int32_t *ids = e->ids + e->n;
    for (size_t i = 0; i < len; i++) ids[i] = e->tokenizer->vocabulary.id_of_byte[(unsigned char)piece[i]];
    size_t kept = sv_merge_run(e->tokenizer->merges, ids, len, &e->scratch);
    if (kept == SIZE_MAX) return sv_fail_memory(err, "token merging", len);
    e->n += kept;
    return SV_OK;
}

static sv_status encode_added(void *context, int32_t id, sv_error *err) {
    encoder *e = context;
    sv_status s = reserve(e, 1, err);
    if (!s) e->ids[e->n++] = id;
    return s;
}

/* Cuts normalised text in pieces; what the expression leaves out is a piece, too. */
static sv_status cut_normalised(cutter *c, const char *text, size_t len) {
    size_t done = 0;
    while (done < len) {
        int found = pcre2_match(c->tokenizer->pattern, (PCRE2_SPTR)text, len, done, PCRE2_NO_UTF_CHECK, c->match, NULL);
        if (found < 0 && found != PCRE2_ERROR_NOMATCH) {
            return sv_fail(c->err, SV_ERR_INPUT, "the text cannot be cut in pieces (PCRE2 error %d): too long a run?",
                           found);
        }
        const PCRE2_SIZE *span = pcre2_get_ovector_pointer(c->match);
        size_t begin = found < 0 ? len : span[0], end = found < 0 ? len : span[1];
        if (begin == end && end < len)
            return sv_fail(c->err, SV_ERR_INPUT, "the pre-tokeniser's expression matches nothing");
        sv_status s = begin > done ? c->take(c->context, text + done, begin - done, c->err) : SV_OK;
        if (!s && end > begin) s = c->take(c->context, text + begin, end - begin, c->err);
        if (s) return s;
        done = end;
    }
    return SV_OK;
}

static bool is_ascii(const char *text, size_t len) {
    unsigned char any = 0;
    for (size_t i = 0; i < len; i++) any |= (unsigned char)text[i];
    return any < 0x80;
}

static sv_status cut_split(cutter *c, const char *text, size_t len, bool normalised);

/* Text without added tokens of the kind that is looked for in raw text. */
static sv_status cut_raw(cutter *c, const char *text, size_t len) {
    if (is_ascii(text, len)) return cut_split(c, text, len, true);
    utf8proc_uint8_t *normalised = NULL;
    utf8proc_ssize_t n = utf8proc_map((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)len, &normalised,
                                      UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    if (n < 0) return sv_fail(c->err, SV_ERR_INPUT, "the text cannot be normalised: %s", utf8proc_errmsg(n));
    sv_status s = cut_split(c, (const char *)normalised, (size_t)n, true);
    free(normalised);
    return s;
}

/* The longest added token of the kind that begins at `text`, -1 for none. */
static int32_t added_at(const sv_tokenizer *t, const char *text, size_t len, bool normalised) {
    if (!t->starts_added[(unsigned char)*text]) return -1;
    const sv_vocabulary *v = &t->vocabulary;
    for (size_t i = 0; i < v->n_added; i++) {
        const sv_vocabulary_token *token = &v->tokens[v->added[i]];
        if (token->normalised == normalised && token->len <= len && memcmp(token->bytes, text, token->len) == 0)
            return v->added[i];
    }
    return -1;
}

static sv_status cut_rest(cutter *c, const char *text, size_t len, bool normalised) {
    if (len == 0) return SV_OK;
    return normalised ? cut_normalised(c, text, len) : cut_raw(c, text, len);
}

/* Splits out the added tokens that are looked for in raw or in normalised text and cuts what is between them. */
static sv_status cut_split(cutter *c, const char *text, size_t len, bool normalised) {
    size_t begin = 0;
    for (size_t i = 0; c->parse_special && i < len;) {
        int32_t id = added_at(c->tokenizer, text + i, len - i, normalised);
        if (id < 0) {
            i++;
            continue;
        }
        sv_status s = cut_rest(c, text + begin, i - begin, normalised);
        if (!s && c->take_added) s = c->take_added(c->context, id, c->err);
        if (s) return s;
        begin = i += c->tokenizer->vocabulary.tokens[id].len;
    }
    return cut_rest(c, text + begin, len - begin, normalised);
}

static sv_status cut(cutter *c, const char *text, size_t len) {
    sv_status s = sv_utf8_check(text, len, "the text", c->err);
    if (s) return s;
    c->match = pcre2_match_data_create_from_pattern(c->tokenizer->pattern, NULL);
    s = c->match ? cut_split(c, text, len, false) : sv_fail_memory(c->err, "match data", 0);
    pcre2_match_data_free(c->match);
    return s;
}

sv_status sv_tokenizer_cut(const sv_tokenizer *t, const char *text, size_t len, bool parse_special,
                           sv_piece_taker *take, void *context, sv_error *err) {
    cutter c = {.tokenizer = t, .parse_special = parse_special, .take = take, .context = context, .err = err};
    return cut(&c, text, len);
}

sv_status sv_tokenizer_encode(const sv_tokenizer *t, const char *text, size_t len, bool parse_special, int32_t **out,
                              size_t *n_out, sv_error *err) {
    *out = NULL;
    *n_out = 0;
    encoder e = {.tokenizer = t};
    cutter c = {.tokenizer = t,
                .parse_special = parse_special,
                .take = encode_piece,
                .take_added = encode_added,
                .context = &e,
                .err = err};
    sv_status s = reserve(&e, 1, err); /* an empty text has a list of ids, too */
    if (!s) s = cut(&c, text, len);
    sv_merge_scratch_free(&e.scratch);
    if (s) {
        free(e.ids);
        return s;
    }
    *out = e.ids;
    *n_out = e.n;
    return SV_OK;
}

const char *sv_tokenizer_bytes(const sv_tokenizer *t, int32_t id, size_t *len) {
    bool known = id >= 0 && (size_t)id < t->vocabulary.n_tokens && t->vocabulary.tokens[id].bytes;
    *len = known ? t->vocabulary.tokens[id].len : 0;
    return known ? t->vocabulary.tokens[id].bytes : "";
}

/* Length of the character at s, 0 when the n bytes are only the beginning of one, -k when the first k bytes are a
 * maximal ill-formed subpart (Unicode 15, section 3.9, table 3-7). */
static int character_length(const unsigned char *s, size_t n) {
    unsigned char low = 0x80, high = 0xbf;
    int need = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;
    if (need == 0) return -1;
    /* half of a surrogate: ill-formed already, but held back until its third byte, as the reference stream does */
    if (s[0] == 0xed && n == 2 && s[1] >= 0xa0 && s[1] <= 0xbf) return 0;
    if (s[0] == 0xe0) low = 0xa0;
    if (s[0] == 0xed) high = 0x9f;
    if (s[0] == 0xf0) low = 0x90;
    if (s[0] == 0xf4) high = 0x8f;
    for (int i = 1; i < need; i++, low = 0x80, high = 0xbf) {
        if ((size_t)i == n) return 0;
        if (s[i] < low || s[i] > high) return -i;
    }
    return need;
}

/* Appends the characters of bytes; returns how many bytes at the end are the beginning of a character. */
static size_t append_characters(const unsigned char *bytes, size_t n, sv_strbuf *out) {
    size_t i = 0;
    while (i < n) {
        int len = character_length(bytes + i, n - i);
        if (len == 0) break;
        if (len > 0)
            sv_strbuf_append(out, (const char *)bytes + i, (size_t)len);
        else
            sv_strbuf_puts(out, "\ufffd");
        i += (size_t)abs(len);
    }
    return n - i;
}

void sv_token_stream_push(sv_token_stream *s, const sv_tokenizer *t, int32_t id, sv_strbuf *out) {
    size_t len;
    const char *bytes = sv_tokenizer_bytes(t, id, &len);
    sv_strbuf joined = {0};
    sv_strbuf_append(&joined, (const char *)s->tail, (size_t)s->n_tail);
    sv_strbuf_append(&joined, bytes, len);
    size_t rest = append_characters((const unsigned char *)sv_strbuf_text(&joined), joined.len, out);
    out->failed |= joined.failed;
    memcpy(s->tail, sv_strbuf_text(&joined) + joined.len - rest, rest); /* at most three bytes */
    s->n_tail = (int)rest;
    sv_strbuf_free(&joined);
}

void sv_token_stream_flush(sv_token_stream *s, sv_strbuf *out) {
    if (s->n_tail) sv_strbuf_puts(out, "\ufffd");
    if (s->n_tail == 2 && s->tail[0] == 0xed && s->tail[1] >= 0xa0) sv_strbuf_puts(out, "\ufffd");
    s->n_tail = 0;
}

void sv_tokenizer_decode(const sv_tokenizer *t, const int32_t *ids, size_t n, bool skip_special, sv_strbuf *out) {
    sv_token_stream stream = {{0}, 0};
    for (size_t i = 0; i < n; i++) {
        bool known = ids[i] >= 0 && (size_t)ids[i] < t->vocabulary.n_tokens;
        if (skip_special && known && t->vocabulary.tokens[ids[i]].special) continue;
        sv_token_stream_push(&stream, t, ids[i], out);
    }
    sv_token_stream_flush(&stream, out);
}
