/* grammar.c - a place in the answer, and what each byte does there. */
#include "model/grammar.h"

#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"

static const char fence_open[] = "```json\n", fence_close[] = "\n```";

enum {
    AT_START,     /* before the fence or the brace */
    IN_FENCE,     /* `at` bytes of fence_open have been read */
    AT_BRACE,     /* after the fence, before the brace */
    AT_KEY,       /* before the quote of key `item` */
    IN_KEY,       /* `at` bytes of it; its closing quote counts as one */
    AT_COLON,     /* after the key */
    AT_VALUE,     /* after the colon */
    IN_TEXT,      /* `at` bytes of a character are still to come */
    IN_ESCAPE,    /* after a backslash */
    IN_CODE,      /* `at` digits of \uXXXX have been read */
    IN_NAME,      /* `at` bytes of a name */
    AT_FIRST,     /* after the bracket: a name or its end */
    AT_NEXT,      /* after a comma in a list: a name */
    AFTER_NAME,   /* in a list */
    AFTER_VALUE,  /* before a comma or the brace */
    IN_FENCE_END, /* `at` bytes of fence_close */
    COMPLETE
};

void sv_answer_begin(sv_answer_state *s) {
    memset(s, 0, sizeof *s);
    s->place = AT_START;
}

bool sv_answer_complete(const sv_answer_state *s) { return s->place == COMPLETE; }

bool sv_answer_in_text(const sv_answer_state *s) { return s->place == IN_TEXT && s->at == 0; }

static sv_status check_name(const char *name, sv_error *err) {
    size_t len = strlen(name);
    bool plain = len > 0 && len <= SV_MAX_ANSWER_NAME_BYTES && sv_utf8_check(name, len, "name", NULL) == SV_OK;
    for (size_t i = 0; plain && i < len; i++) {
        unsigned char c = (unsigned char)name[i];
        plain = c >= 0x20 && c != 0x7f && c != '"' && c != '\\';
    }
    if (plain) return SV_OK;
    return sv_fail(err, SV_ERR_USAGE,
                   "form of the answer: '%.40s' is no name: expected 1 to %d bytes without quotes, backslashes and "
                   "control characters",
                   name, SV_MAX_ANSWER_NAME_BYTES);
}

static sv_status check_item(const sv_answer_item *item, sv_error *err) {
    sv_status status = check_name(item->key, err);
    if (status != SV_OK || item->kind == SV_ANSWER_TEXT) return status;
    if (item->n_names < 1 || item->n_names > SV_MAX_ANSWER_NAMES) {
        return sv_fail(err, SV_ERR_USAGE, "form of the answer: %s has %zu names, expected 1 to %d", item->key,
                       item->n_names, SV_MAX_ANSWER_NAMES);
    }
    for (size_t i = 0; i < item->n_names; i++) {
        if ((status = check_name(item->names[i], err)) != SV_OK) return status;
        for (size_t k = 0; k < i; k++) {
            if (strcmp(item->names[i], item->names[k]) != 0) continue;
            return sv_fail(err, SV_ERR_USAGE, "form of the answer: %s has the name %s twice", item->key,
                           item->names[i]);
        }
    }
    return SV_OK;
}

sv_status sv_answer_schema_check(const sv_answer_schema *schema, sv_error *err) {
    if (schema->n_items < 1 || schema->n_items > SV_MAX_ANSWER_ITEMS) {
        return sv_fail(err, SV_ERR_USAGE, "form of the answer: %zu keys, expected 1 to %d", schema->n_items,
                       SV_MAX_ANSWER_ITEMS);
    }
    for (size_t i = 0; i < schema->n_items; i++) {
        sv_status status = check_item(&schema->items[i], err);
        if (status != SV_OK) return status;
        for (size_t k = 0; k < i; k++) {
            if (strcmp(schema->items[i].key, schema->items[k].key) != 0) continue;
            return sv_fail(err, SV_ERR_USAGE, "form of the answer: the key %s is there twice", schema->items[i].key);
        }
    }
    return SV_OK;
}

/* Enters a place at its beginning. */
static bool go(sv_answer_state *s, uint8_t place) {
    s->place = place;
    s->at = s->spaces = 0;
    return true;
}

/* White space in a gap; false when `byte` is none or the gap is full. */
static bool space(sv_answer_state *s, unsigned char byte) {
    if ((byte != ' ' && byte != '\n' && byte != '\t' && byte != '\r') || s->spaces == SV_MAX_ANSWER_SPACES)
        return false;
    s->spaces++;
    return true;
}

static bool end_value(sv_answer_state *s) {
    s->used = s->candidates = 0;
    return go(s, AFTER_VALUE);
}

static uint64_t all_names(const sv_answer_item *item) { return UINT64_MAX >> (64 - item->n_names); }

static bool begin_name(const sv_answer_item *item, sv_answer_state *s) {
    s->candidates = all_names(item) & ~s->used;
    return go(s, IN_NAME);
}

/* Byte `at` of a name; the quote that closes it stands for its end. */
static int name_byte(const sv_answer_item *item, size_t name, size_t at) {
    unsigned char c = (unsigned char)item->names[name][at];
    return c ? c : '"';
}

static bool step_name(const sv_answer_item *item, sv_answer_state *s, unsigned char byte) {
    uint64_t left = 0;
    for (size_t i = 0; i < item->n_names; i++) {
        uint64_t bit = (uint64_t)1 << i;
        if ((s->candidates & bit) && name_byte(item, i, s->at) == byte) left |= bit;
    }
    if (!left) return false;
    s->candidates = left;
    s->at++;
    if (byte != '"') return true;
    if (item->kind == SV_ANSWER_ONE) return end_value(s);
    s->used |= left; /* names differ: it is one */
    s->candidates = 0;
    return go(s, AFTER_NAME);
}

/* A byte inside of a string: an ASCII character, an escape, or the first byte of a longer character (Unicode 15, table
 * 3-7; U+0080 to U+009F are control characters). */
static bool step_text(sv_answer_state *s, unsigned char byte) {
    if (s->at) {
        if (byte < s->low || byte > s->high) return false;
        s->at--;
    } else if (byte == '"') {
        return end_value(s);
    } else if (byte == '\\') {
        return go(s, IN_ESCAPE);
    } else if (byte < 0x80) {
        return byte >= 0x20 && byte != 0x7f;
    } else if (byte < 0xc2 || byte > 0xf4) {
        return false;
    } else {
        s->at = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
        s->low = byte == 0xc2 || byte == 0xe0 ? 0xa0 : byte == 0xf0 ? 0x90 : 0x80;
        s->high = byte == 0xed ? 0x9f : byte == 0xf4 ? 0x8f : 0xbf;
        return true;
    }
    s->low = s->at ? 0x80 : 0;
    s->high = s->at ? 0xbf : 0;
    return true;
}

static bool step_escape(sv_answer_state *s, unsigned char byte) {
    if (byte == 'u') return go(s, IN_CODE);
    if (!byte || !strchr("\"\\/bfnrt", byte)) return false;
    return go(s, IN_TEXT);
}

static int hex_digit(unsigned char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* A digit after which the code can still be one that is permitted. */
static bool step_code(sv_answer_state *s, unsigned char byte) {
    int digit = hex_digit(byte), code = s->code * 16 + digit;
    if (digit < 0) return false;
    if (s->at == 1 && code >= 0xd8 && code <= 0xdf) return false;
    if (s->at == 2 && (code <= 0x1 || code == 0x8 || code == 0x9)) return false;
    if (s->at == 3 && code == 0x7f) return false;
    s->code = (uint16_t)code;
    if (++s->at < 4) return true;
    s->code = 0;
    return go(s, IN_TEXT);
}

static bool step_key(const sv_answer_item *item, sv_answer_state *s, unsigned char byte) {
    unsigned char c = (unsigned char)item->key[s->at];
    if (byte != (c ? c : '"')) return false;
    s->at++;
    return c ? true : go(s, AT_COLON);
}

static bool step_value(const sv_answer_item *item, sv_answer_state *s, unsigned char byte) {
    if (byte != (item->kind == SV_ANSWER_LIST ? '[' : '"')) return space(s, byte);
    if (item->kind == SV_ANSWER_ONE) return begin_name(item, s);
    return go(s, item->kind == SV_ANSWER_LIST ? AT_FIRST : IN_TEXT);
}

static bool step_list(const sv_answer_item *item, sv_answer_state *s, unsigned char byte) {
    if (byte == ']' && s->place != AT_NEXT) return end_value(s);
    if (byte == '"' && s->place != AFTER_NAME) return begin_name(item, s);
    if (byte == ',' && s->place == AFTER_NAME && s->used != all_names(item)) return go(s, AT_NEXT);
    return space(s, byte);
}

static bool step_end(const sv_answer_schema *schema, sv_answer_state *s, unsigned char byte) {
    bool last = s->item + (size_t)1 == schema->n_items;
    if (byte == ',' && !last) {
        s->item++;
        return go(s, AT_KEY);
    }
    if (byte == '}' && last) return go(s, s->fenced ? IN_FENCE_END : COMPLETE);
    return space(s, byte);
}

static bool step_fence(sv_answer_state *s, unsigned char byte) {
    const char *fence = s->place == IN_FENCE_END ? fence_close : fence_open;
    if (byte != (unsigned char)fence[s->at]) return false;
    s->fenced = 1;
    if (s->place == AT_START) go(s, IN_FENCE);
    if (fence[++s->at]) return true;
    return go(s, s->place == IN_FENCE ? AT_BRACE : COMPLETE);
}

bool sv_answer_step(const sv_answer_schema *schema, sv_answer_state *s, unsigned char byte) {
    const sv_answer_item *item = &schema->items[s->item];
    switch (s->place) {
        case AT_START: return byte == '{' ? go(s, AT_KEY) : step_fence(s, byte);
        case IN_FENCE:
        case IN_FENCE_END: return step_fence(s, byte);
        case AT_BRACE: return byte == '{' ? go(s, AT_KEY) : space(s, byte);
        case AT_KEY: return byte == '"' ? go(s, IN_KEY) : space(s, byte);
        case IN_KEY: return step_key(item, s, byte);
        case AT_COLON: return byte == ':' ? go(s, AT_VALUE) : space(s, byte);
        case AT_VALUE: return step_value(item, s, byte);
        case IN_TEXT: return step_text(s, byte);
        case IN_ESCAPE: return step_escape(s, byte);
        case IN_CODE: return step_code(s, byte);
        case IN_NAME: return step_name(item, s, byte);
        case AT_FIRST:
        case AT_NEXT:
        case AFTER_NAME: return step_list(item, s, byte);
        case AFTER_VALUE: return step_end(schema, s, byte);
        default: return false;
    }
}

/* The next byte of the shortest of the names that are left, the first of equals. */
static int shortest_name(const sv_answer_item *item, const sv_answer_state *s) {
    size_t best = item->n_names, least = SIZE_MAX;
    for (size_t i = 0; i < item->n_names; i++) {
        size_t len = strlen(item->names[i]);
        if (!(s->candidates >> i & 1) || len >= least) continue;
        least = len;
        best = i;
    }
    return name_byte(item, best, s->at);
}

int sv_answer_shortest(const sv_answer_schema *schema, const sv_answer_state *s) {
    const sv_answer_item *item = &schema->items[s->item];
    switch (s->place) {
        case AT_START:
        case AT_BRACE: return '{';
        case IN_FENCE: return fence_open[s->at];
        case IN_FENCE_END: return fence_close[s->at];
        case AT_KEY:
        case AT_NEXT:
        case IN_ESCAPE: return '"';
        case IN_KEY: return item->key[s->at] ? (unsigned char)item->key[s->at] : '"';
        case AT_COLON: return ':';
        case AT_VALUE: return item->kind == SV_ANSWER_LIST ? '[' : '"';
        case IN_TEXT: return s->at ? s->low : '"';
        case IN_CODE: return '4'; /* permitted as any digit */
        case IN_NAME: return shortest_name(item, s);
        case AT_FIRST:
        case AFTER_NAME: return ']';
        case AFTER_VALUE: return s->item + (size_t)1 == schema->n_items ? '}' : ',';
        default: return -1;
    }
}

size_t sv_answer_longest_completion(const sv_answer_schema *schema) {
    size_t longest = sizeof fence_open + sizeof fence_close + 2; /* and the braces */
    for (size_t i = 0; i < schema->n_items; i++) {
        const sv_answer_item *item = &schema->items[i];
        size_t value = 6; /* "\\uXXXX" once begun, or an empty list */
        for (size_t k = 0; item->kind != SV_ANSWER_TEXT && k < item->n_names; k++) {
            value = SV_MAX(value, strlen(item->names[k]));
        }
        longest += strlen(item->key) + value + 8; /* quotes, colon, brackets, comma */
    }
    return longest;
}
