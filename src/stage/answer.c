/* answer.c - candidates for the object, cleaned until Jansson takes one. */
#include "stage/answer.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "base/strbuf.h"
#include "base/utf8.h"

/* A model writes some hundred bytes; a hostile answer must not be tried at each of its braces for ever. All tries of
 * one pass together may look at MAX_PASSES times the answer's length, so that the time is linear. */
#define MAX_TRIES 64
#define MAX_PASSES 256

typedef struct span {
    const char *begin;
    size_t len;
} span;

/* Which kind of straight quote a curly one stands for, 0 for none. U+2019 is an apostrophe inside words: it stays. */
static char straight(const char *text, size_t len) {
    if (len < 3 || memcmp(text, "\xe2\x80", 2) != 0) return 0;
    unsigned char c = (unsigned char)text[2];
    return c == 0x9c || c == 0x9d ? '"' : c == 0x98 ? '\'' : 0;
}

/* The text with curly quotes straightened (double ones on request) and commas before a closing bracket left out: before
 * ] also inside strings, with the space between, because the published parser does so. */
static void clean(span s, bool quotes, sv_strbuf *out) {
    bool in_string = false;
    for (size_t i = 0; i < s.len; i++) {
        char quote = straight(s.begin + i, s.len - i);
        if (quote == '\'' || (quote && quotes)) {
            sv_strbuf_append(out, &quote, 1);
            in_string ^= quote == '"';
            i += 2;
            continue;
        }
        char c = s.begin[i];
        if (c == ',') {
            size_t k = i + 1;
            while (k < s.len && isspace((unsigned char)s.begin[k])) k++;
            if (k < s.len && (s.begin[k] == ']' || (s.begin[k] == '}' && !in_string))) {
                i = k - 1;
                continue;
            }
        }
        if (c == '\\' && in_string && i + 1 < s.len)
            sv_strbuf_append(out, &s.begin[i++], 1);
        else if (c == '"')
            in_string = !in_string;
        sv_strbuf_append(out, s.begin + i, 1);
    }
}

/* Where JSON stops and strings begin: what Python's parser takes and Jansson does not is rewritten - raw line ends and
 * tabs in strings, lone surrogates, NaN and infinities, numbers beyond 64 bits (none of which this program reads). */
static void loosen(const char *text, size_t len, sv_strbuf *out) {
    bool in_string = false;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (in_string && c < ' ') {
            sv_strbuf_printf(out, "\\u%04x", c);
        } else if (in_string && c == '\\' && i + 1 < len) {
            bool high = i + 6 <= len && strncasecmp(text + i + 1, "ud", 2) == 0 && memchr("89abAB", text[i + 3], 6);
            bool low = i + 6 <= len && strncasecmp(text + i + 1, "ud", 2) == 0 && memchr("cdefCDEF", text[i + 3], 8);
            bool pair = high && i + 12 <= len && strncasecmp(text + i + 6, "\\ud", 3) == 0 &&
                        memchr("cdefCDEF", text[i + 9], 8);
            size_t n = pair ? 12 : high || low ? 6 : 2;
            if (pair || n == 2)
                sv_strbuf_append(out, text + i, n);
            else
                sv_strbuf_puts(out, "\\ufffd");
            i += n - 1;
        } else if (!in_string && (c == 'N' || c == 'I') && i + 1 < len) {
            size_t n = strspn(text + i, "NaInfity");
            sv_strbuf_puts(out, "0");
            i += n - 1;
        } else if (!in_string && isdigit(c)) {
            size_t n = strspn(text + i, "0123456789");
            sv_strbuf_append(out, text + i, n > 18 ? 18 : n);
            i += n - 1;
        } else if (!in_string && i + 1 < len && c == 0xc2 && (unsigned char)text[i + 1] == 0xa0) {
            sv_strbuf_puts(out, " ");
            i++;
        } else {
            if (c == '"') in_string = !in_string;
            sv_strbuf_append(out, text + i, 1);
        }
    }
}

/* Where the object that begins at s ends; 0 when it breaks off. *nested: the brackets that are open at the break. */
static size_t object_length(span s, char *open, size_t room, size_t *n_open, bool *in_string) {
    *n_open = 0;
    *in_string = false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.begin[i];
        if (*in_string && c == '\\')
            i++;
        else if (c == '"')
            *in_string = !*in_string;
        else if (*in_string)
            continue;
        else if (c == '{' || c == '[') {
            if (*n_open == room) return 0;
            open[(*n_open)++] = c == '{' ? '}' : ']';
        } else if ((c == '}' || c == ']') && *n_open && --*n_open == 0) {
            return i + 1;
        }
    }
    return 0;
}

static json_t *load(const sv_strbuf *text) {
    sv_strbuf loose = {0};
    loosen(sv_strbuf_text(text), text->len, &loose);
    json_t *value = loose.failed
                        ? NULL
                        : json_loadb(sv_strbuf_text(&loose), loose.len, JSON_ALLOW_NUL | JSON_DISABLE_EOF_CHECK, NULL);
    sv_strbuf_free(&loose);
    return value;
}

static json_t *load_cleaned(span s) {
    json_t *value = NULL;
    for (int quotes = 0; !value && quotes <= 1; quotes++) {
        sv_strbuf text = {0};
        clean(s, quotes, &text);
        value = load(&text);
        sv_strbuf_free(&text);
    }
    return value;
}

static sv_stage stage_of(const json_t *object) {
    static const struct {
        const char *name;
        sv_stage stage;
    } names[] = {{"W", SV_STAGE_W}, {"N1", SV_STAGE_N1}, {"N2", SV_STAGE_N2}, {"N3", SV_STAGE_N3},
                 {"R", SV_STAGE_R}, {"REM", SV_STAGE_R}, {"Wake", SV_STAGE_W}};
    const char *text = sv_json_text(object, "sleep_stage", "");
    while (isspace((unsigned char)*text) || strncmp(text, "\xc2\xa0", 2) == 0) text += *text == '\xc2' ? 2 : 1;
    size_t len = strlen(text);
    for (;;) {
        if (len && isspace((unsigned char)text[len - 1]))
            len--;
        else if (len > 1 && memcmp(text + len - 2, "\xc2\xa0", 2) == 0)
            len -= 2;
        else
            break;
    }
    for (size_t i = 0; i < SV_COUNT(names); i++) {
        if (strlen(names[i].name) == len && strncasecmp(names[i].name, text, len) == 0) return names[i].stage;
    }
    return SV_STAGE_NONE;
}

/* Trimmed copy as a JSON string; NULL when nothing is left. */
static json_t *trimmed(const char *text, size_t len) {
    while (len && isspace((unsigned char)text[len - 1])) len--;
    while (len && isspace((unsigned char)*text)) text++, len--;
    return len ? json_stringn(text, len) : NULL;
}

static json_t *rules_of(const json_t *object) {
    const json_t *given = json_object_get(object, "applicable_rules");
    json_t *rules = json_array(), *item;
    size_t i;
    json_array_foreach(given, i, item) {
        json_t *rule = json_is_string(item) ? trimmed(json_string_value(item), json_string_length(item)) : NULL;
        if (rule) json_array_append_new(rules, rule);
    }
    if (!json_is_string(given)) return rules;
    for (const char *at = json_string_value(given); *at;) {
        size_t n = strcspn(at, ",");
        json_t *rule = trimmed(at, n);
        if (rule) json_array_append_new(rules, rule);
        at += at[n] ? n + 1 : n;
    }
    return rules;
}

static sv_status take(json_t *object, sv_answer *out, sv_error *err) {
    json_t *text = json_object_get(object, "reasoning_text");
    json_t *kept = json_is_string(text) ? trimmed(json_string_value(text), json_string_length(text)) : NULL;
    out->parsed = true;
    out->stage = stage_of(object);
    out->reasoning_text =
        kept ? sv_strndup(json_string_value(kept), strlen(json_string_value(kept))) : sv_strndup("", 0);
    out->rules = rules_of(object);
    json_decref(kept);
    return out->reasoning_text && out->rules ? SV_OK : sv_fail_memory(err, "answer", 0);
}

/* Where `what` begins in the text, NULL when it does not. */
static const char *find_text(const char *begin, const char *end, const char *what) {
    size_t n = strlen(what);
    for (const char *at = begin; (size_t)(end - at) >= n; at++) {
        if (memcmp(at, what, n) == 0) return at;
    }
    return NULL;
}

/* What stands in the first fence, when its tag is json or none. */
static bool fence_of(span s, span *out) {
    const char *end = s.begin + s.len, *open = find_text(s.begin, end, "```");
    if (!open) return false;
    open += 3;
    if (end - open >= 4 && strncasecmp(open, "json", 4) == 0) open += 4;
    const char *close = find_text(open, end, "```");
    *out = (span){open, (size_t)((close ? close : end) - open)};
    while (out->len && (isspace((unsigned char)*out->begin) || *out->begin == '`')) out->begin++, out->len--;
    return out->len && *out->begin == '{' && close;
}

/* Takes `len` bytes of work from the budget; false when it is used up. */
static bool spend(size_t *budget, size_t len) {
    bool enough = len <= *budget;
    *budget -= enough ? len : *budget;
    return enough;
}

/* The beginning of an object up to its last complete member, closed. */
static json_t *load_broken(span s, char *open, size_t room, size_t *budget) {
    json_t *value = NULL;
    for (int tries = 0; !value && tries < MAX_TRIES && s.len > 1 && spend(budget, s.len); tries++) {
        size_t n_open;
        bool in_string;
        if (object_length(s, open, room, &n_open, &in_string)) return NULL;
        if (!in_string && n_open) {
            sv_strbuf text = {0};
            clean(s, true, &text);
            while (text.len && (isspace((unsigned char)text.data[text.len - 1]) || text.data[text.len - 1] == ','))
                text.len--;
            while (n_open) sv_strbuf_append(&text, &open[--n_open], 1);
            value = load(&text);
            sv_strbuf_free(&text);
        }
        do s.len--; /* drop the last member and try again */
        while (s.len > 1 && s.begin[s.len] != ',');
    }
    return value;
}

/* Tries every object of the text in turn. One that names a sleep_stage which is none, or that breaks off before it
 * names one, ends the search: a stage inside of it would be another question's answer. */
static json_t *find_object(span s) {
    char open[256];
    size_t budget = s.len < SIZE_MAX / MAX_PASSES ? s.len * MAX_PASSES : SIZE_MAX;
    const char *at = s.begin, *end = s.begin + s.len;
    for (int tries = 0; tries < MAX_TRIES && (at = memchr(at, '{', (size_t)(end - at))); at++, tries++) {
        span rest = {at, (size_t)(end - at)};
        size_t n_open;
        bool in_string;
        if (!spend(&budget, rest.len)) break;
        size_t len = object_length(rest, open, sizeof open, &n_open, &in_string);
        json_t *object = len ? load_cleaned((span){at, len}) : load_broken(rest, open, sizeof open, &budget);
        if (object && stage_of(object) != SV_STAGE_NONE) return object;
        bool stop = object && json_object_size(object) && (!len || json_object_get(object, "sleep_stage"));
        json_decref(object);
        if (stop) break;
    }
    return NULL;
}

static json_t *find_answer(span all) {
    span fence;
    json_t *object = fence_of(all, &fence) ? load_cleaned(fence) : NULL;
    if (object && stage_of(object) != SV_STAGE_NONE) return object;
    json_decref(object);
    return find_object(all);
}

static const char *problem_of(span all) {
    if (all.len == 0) return "the answer is empty";
    if (!memchr(all.begin, '{', all.len)) return "the answer holds no JSON object";
    if (!find_text(all.begin, all.begin + all.len, "sleep_stage")) return "the answer names no sleep_stage";
    return "no JSON object of the answer has a sleep_stage of W, N1, N2, N3 or R";
}

sv_status sv_answer_parse(const char *text, size_t len, sv_answer *out, sv_error *err) {
    *out = (sv_answer){.stage = SV_STAGE_NONE};
    sv_strbuf utf8 = {0};
    sv_utf8_append(&utf8, text, len);
    if (utf8.failed) {
        sv_strbuf_free(&utf8);
        return sv_fail_memory(err, "answer", len);
    }
    span all = {sv_strbuf_text(&utf8), utf8.len};
    json_t *object = find_answer(all);
    sv_status s = SV_OK;
    if (object) {
        s = take(object, out, err);
    } else {
        const char *problem = problem_of(all);
        out->problem = sv_strndup(problem, strlen(problem));
        out->reasoning_text = sv_strndup("", 0);
        out->rules = json_array();
        if (!out->problem || !out->reasoning_text || !out->rules) s = sv_fail_memory(err, "answer", 0);
    }
    json_decref(object);
    sv_strbuf_free(&utf8);
    if (s) sv_answer_free(out);
    return s;
}

void sv_answer_free(sv_answer *answer) {
    free(answer->reasoning_text);
    free(answer->problem);
    json_decref(answer->rules);
    *answer = (sv_answer){.stage = SV_STAGE_NONE};
}
