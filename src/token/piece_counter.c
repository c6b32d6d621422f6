/* piece_counter.c - the bytes of all different pieces in one buffer, found through a table with open addressing. */
#include "token/piece_counter.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/strbuf.h"
#include "token/tokenizer_files.h"
#include "token/vocabulary.h"

typedef struct entry {
    size_t begin, len; /* in the buffer */
    uint64_t hash, count;
} entry;

struct sv_piece_counter {
    sv_tokenizer *cutter; /* of single bytes */
    sv_strbuf bytes;
    entry *entries;
    size_t n, capacity;
    size_t *slots; /* [mask + 1]: number of an entry + 1, 0 = empty; at most half are in use */
    size_t mask;
    sv_corpus_size size;
};

enum { FIRST_SLOTS = 1024 };

sv_status sv_piece_counter_new(sv_piece_counter **out, sv_error *err) {
    json_t *json = NULL;
    sv_vocabulary vocabulary;
    sv_piece_counter *c = *out = sv_calloc(1, sizeof *c);
    if (!c) return sv_fail_memory(err, "piece counter", sizeof *c);
    c->mask = FIRST_SLOTS - 1;
    c->slots = sv_calloc(FIRST_SLOTS, sizeof *c->slots);
    sv_status s = c->slots ? sv_tokenizer_json(NULL, 0, &json, err)
                           : sv_fail_memory(err, "piece counter", FIRST_SLOTS * sizeof *c->slots);
    if (!s) s = sv_vocabulary_from_json(json, "bytes", &vocabulary, err);
    if (!s) s = sv_tokenizer_from_vocabulary(&vocabulary, "bytes", &c->cutter, err);
    json_decref(json);
    if (s) {
        sv_piece_counter_free(c);
        *out = NULL;
    }
    return s;
}

void sv_piece_counter_free(sv_piece_counter *c) {
    if (!c) return;
    sv_tokenizer_free(c->cutter);
    sv_strbuf_free(&c->bytes);
    free(c->entries);
    free(c->slots);
    free(c);
}

/* FNV-1a (Fowler, Noll, Vo) with its high half folded in: pieces are short. */
static uint64_t hash_of(const char *bytes, size_t len) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < len; i++) hash = (hash ^ (unsigned char)bytes[i]) * 0x100000001b3u;
    return hash ^ hash >> 32;
}

static size_t *find_slot(const sv_piece_counter *c, uint64_t hash, const char *piece, size_t len) {
    for (size_t i = hash & c->mask;; i = (i + 1) & c->mask) {
        if (c->slots[i] == 0) return &c->slots[i];
        const entry *e = &c->entries[c->slots[i] - 1];
        if (e->hash == hash && e->len == len && memcmp(c->bytes.data + e->begin, piece, len) == 0) return &c->slots[i];
    }
}

static bool enlarge_table(sv_piece_counter *c) {
    size_t n_slots = 2 * (c->mask + 1);
    size_t *slots = sv_calloc(n_slots, sizeof *slots);
    if (!slots) return false;
    free(c->slots);
    c->slots = slots;
    c->mask = n_slots - 1;
    for (size_t k = 0; k < c->n; k++) {
        size_t i = c->entries[k].hash & c->mask;
        while (slots[i]) i = (i + 1) & c->mask;
        slots[i] = k + 1;
    }
    return true;
}

static sv_status add_entry(sv_piece_counter *c, uint64_t hash, const char *piece, size_t len, sv_error *err) {
    bool fits = sv_grow(&c->entries, c->n, &c->capacity, sizeof *c->entries);
    if (fits && 2 * c->n > c->mask) fits = enlarge_table(c);
    size_t begin = c->bytes.len;
    if (fits) sv_strbuf_append(&c->bytes, piece, len);
    if (!fits || c->bytes.failed) return sv_fail_memory(err, "the different pieces of the text", c->bytes.len + len);
    c->entries[c->n++] = (entry){begin, len, hash, 0};
    *find_slot(c, hash, piece, len) = c->n;
    return SV_OK;
}

static sv_status count_piece(void *context, const char *piece, size_t len, sv_error *err) {
    sv_piece_counter *c = context;
    uint64_t hash = hash_of(piece, len);
    size_t number = *find_slot(c, hash, piece, len);
    if (!number) {
        sv_status s = add_entry(c, hash, piece, len, err);
        if (s) return s;
        number = c->n;
    }
    c->entries[number - 1].count++;
    c->size.n_pieces++;
    c->size.n_piece_bytes += len;
    return SV_OK;
}

sv_status sv_piece_counter_add(sv_piece_counter *c, const char *text, size_t len, sv_error *err) {
    sv_status s = sv_tokenizer_cut(c->cutter, text, len, true, count_piece, c, err);
    if (s) return s;
    c->size.n_documents++;
    c->size.n_bytes += len;
    for (size_t i = 0; i < len; i++) c->size.n_characters += ((unsigned char)text[i] & 0xc0) != 0x80;
    return SV_OK;
}

size_t sv_piece_counter_n(const sv_piece_counter *c) { return c->n; }

sv_piece sv_piece_counter_get(const sv_piece_counter *c, size_t i) {
    const entry *e = &c->entries[i];
    return (sv_piece){c->bytes.data + e->begin, e->len, e->count};
}

sv_corpus_size sv_piece_counter_size(const sv_piece_counter *c) { return c->size; }
