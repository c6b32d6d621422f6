/*
 * grammar.h - the form of a structured answer as an automaton over bytes.
 *
 * An answer is one JSON object with exactly the keys of a schema, in its order, alone or between "```json\n" and
 * "\n```". Between the elements up to SV_MAX_ANSWER_SPACES bytes of white space may stand. Strings hold UTF-8 (RFC
 * 3629) without control characters, with the escapes of RFC 8259; \u only for characters of the basic plane that are
 * neither control characters nor surrogates. Fixed names are written without escapes.
 */
#ifndef SV_MODEL_GRAMMAR_H
#define SV_MODEL_GRAMMAR_H

#include "base/status.h"

#define SV_MAX_ANSWER_ITEMS 16
#define SV_MAX_ANSWER_NAMES 64
#define SV_MAX_ANSWER_NAME_BYTES 128
#define SV_MAX_ANSWER_SPACES 12

typedef enum sv_answer_kind {
    SV_ANSWER_TEXT, /* a string of any length, also empty */
    SV_ANSWER_LIST, /* a list of names, none of them twice, also empty */
    SV_ANSWER_ONE   /* one of the names */
} sv_answer_kind;

typedef struct sv_answer_item {
    const char *key;
    sv_answer_kind kind;
    const char *const *names; /* [n_names] of a list or a choice */
    size_t n_names;
} sv_answer_item;

typedef struct sv_answer_schema {
    sv_answer_item items[SV_MAX_ANSWER_ITEMS];
    size_t n_items;
} sv_answer_schema;

/* SV_ERR_USAGE unless there are items, with different keys and different names of 1 to SV_MAX_ANSWER_NAME_BYTES bytes
 * that are UTF-8 and need no escapes. */
sv_status sv_answer_schema_check(const sv_answer_schema *schema, sv_error *err);

/* How far an answer has come. Compared bytewise: begin with sv_answer_begin, change by sv_answer_step only. */
typedef struct sv_answer_state {
    uint64_t used;       /* names of the list that have been written */
    uint64_t candidates; /* names that begin with what has been written of one */
    uint16_t code;       /* of an escape \u: the digits so far */
    uint8_t place;       /* enum in grammar.c */
    uint8_t item;        /* index of the key or value */
    uint8_t at;          /* bytes of a word, digits of an escape, or bytes of a character still to come */
    uint8_t low, high;   /* what the next byte of a character may be */
    uint8_t spaces;      /* bytes of white space in this gap */
    uint8_t fenced;
    uint8_t unused[7];
} sv_answer_state;

void sv_answer_begin(sv_answer_state *state);

/* Reads a byte. False, and nothing changes, when no answer goes on with it. */
bool sv_answer_step(const sv_answer_schema *schema, sv_answer_state *state, unsigned char byte);

/* The answer is whole: nothing may follow. */
bool sv_answer_complete(const sv_answer_state *state);

/* The byte with which the shortest completion goes on, always the same for a state; -1 when the answer is complete.
 * The completion of the state after it is the rest of the completion. */
int sv_answer_shortest(const sv_answer_schema *schema, const sv_answer_state *state);

/* An upper bound of the length of the shortest completion of any state, in bytes. */
size_t sv_answer_longest_completion(const sv_answer_schema *schema);

/* Whether the answer stands inside a text, between two characters: then almost any token may follow. */
bool sv_answer_in_text(const sv_answer_state *state);

#endif
