/*
 * bpe_trainer.c - each different piece is a row of tokens with a count. A table knows of each pair how often it stands
 * in the text and in which rows; a heap has the most frequent on top. A merge visits the rows of its pair only and
 * corrects the counts of the neighbours there.
 *
 * Counts of a pair never grow after the merge that made its younger token, so a heap entry can only be too high: the
 * top is corrected when it is reached.
 */
#include "token/bpe_trainer.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define NONE UINT32_MAX

typedef struct row {
    uint32_t begin, len; /* in tokens */
    uint64_t count;
} row;

typedef struct pair {
    sv_token_pair tokens;
    uint32_t first_place; /* NONE when there is none */
    uint64_t count;
} pair;

/* A row where a pair stands, or stood once; a linked list. */
typedef struct place {
    uint32_t row, next;
} place;

typedef struct candidate {
    uint64_t count; /* when it was put here: not less than now */
    uint32_t pair;
} candidate;

typedef struct trainer {
    int32_t *tokens;
    row *rows;
    size_t n_rows;
    pair *pairs;
    size_t n_pairs, pairs_capacity;
    uint32_t *slots; /* [mask + 1]: number of a pair + 1, 0 = empty; at most half are in use */
    size_t mask;
    place *places;
    size_t n_places, places_capacity;
    uint32_t free_place; /* list of those that are used no more */
    candidate *heap;     /* each pair stands in it once at most */
    size_t n_heap, heap_capacity;
    sv_error *err;
} trainer;

enum { FIRST_SLOTS = 4096 };

static sv_status no_memory(const trainer *t) {
    size_t n_bytes = t->n_pairs * (sizeof(pair) + sizeof(candidate)) + t->n_places * sizeof(place);
    return sv_fail_memory(t->err, "the pairs of the text", n_bytes);
}

/* ---- the table of pairs */

static size_t slot_of(const trainer *t, sv_token_pair p) {
    uint64_t key = ((uint64_t)(uint32_t)p.left << 32 | (uint32_t)p.right) * 0x9e3779b97f4a7c15u;
    return (size_t)(key ^ key >> 29) & t->mask;
}

static size_t find_slot(const trainer *t, sv_token_pair p) {
    for (size_t i = slot_of(t, p);; i = (i + 1) & t->mask) {
        if (t->slots[i] == 0) return i;
        sv_token_pair found = t->pairs[t->slots[i] - 1].tokens;
        if (found.left == p.left && found.right == p.right) return i;
    }
}

static bool enlarge_table(trainer *t) {
    size_t n_slots = 2 * (t->mask + 1);
    uint32_t *slots = sv_calloc(n_slots, sizeof *slots);
    if (!slots) return false;
    free(t->slots);
    t->slots = slots;
    t->mask = n_slots - 1;
    for (size_t k = 0; k < t->n_pairs; k++) slots[find_slot(t, t->pairs[k].tokens)] = (uint32_t)k + 1;
    return true;
}

/* The pair, made when it is new; NULL when there is no memory. */
static pair *get_pair(trainer *t, sv_token_pair p) {
    size_t i = find_slot(t, p);
    if (t->slots[i]) return &t->pairs[t->slots[i] - 1];
    if (t->n_pairs >= NONE - 1 || !sv_grow(&t->pairs, t->n_pairs, &t->pairs_capacity, sizeof *t->pairs)) return NULL;
    if (2 * t->n_pairs > t->mask) {
        if (!enlarge_table(t)) return NULL;
        i = find_slot(t, p);
    }
    t->pairs[t->n_pairs++] = (pair){p, NONE, 0};
    t->slots[i] = (uint32_t)t->n_pairs;
    return &t->pairs[t->n_pairs - 1];
}

/* Rows are visited one after the other: a row that is in the list already is its first. */
static bool add_place(trainer *t, pair *p, uint32_t number) {
    if (p->first_place != NONE && t->places[p->first_place].row == number) return true;
    uint32_t at = t->free_place;
    if (at != NONE) {
        t->free_place = t->places[at].next;
    } else {
        if (t->n_places >= NONE || !sv_grow(&t->places, t->n_places, &t->places_capacity, sizeof *t->places))
            return false;
        at = (uint32_t)t->n_places++;
    }
    t->places[at] = (place){number, p->first_place};
    p->first_place = at;
    return true;
}

static bool count_pair(trainer *t, int32_t left, int32_t right, uint32_t number) {
    pair *p = get_pair(t, (sv_token_pair){left, right});
    if (!p || !add_place(t, p, number)) return false;
    p->count += t->rows[number].count;
    return true;
}

static void uncount_pair(trainer *t, int32_t left, int32_t right, uint32_t number) {
    t->pairs[t->slots[find_slot(t, (sv_token_pair){left, right})] - 1].count -= t->rows[number].count;
}

/* ---- the heap */

static bool comes_first(const trainer *t, candidate a, candidate b) {
    if (a.count != b.count) return a.count > b.count;
    sv_token_pair p = t->pairs[a.pair].tokens, q = t->pairs[b.pair].tokens;
    return p.left != q.left ? p.left < q.left : p.right < q.right;
}

static bool push(trainer *t, candidate c) {
    if (!sv_grow(&t->heap, t->n_heap, &t->heap_capacity, sizeof *t->heap)) return false;
    size_t i = t->n_heap++;
    for (; i && comes_first(t, c, t->heap[(i - 1) / 2]); i = (i - 1) / 2) t->heap[i] = t->heap[(i - 1) / 2];
    t->heap[i] = c;
    return true;
}

static void sink(trainer *t, candidate c) {
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < t->n_heap; i = child) {
        if (child + 1 < t->n_heap && comes_first(t, t->heap[child + 1], t->heap[child])) child++;
        if (!comes_first(t, t->heap[child], c)) break;
        t->heap[i] = t->heap[child];
    }
    t->heap[i] = c;
}

/* Puts the most frequent pair in *top and takes it out; false when none is left. */
static bool pop(trainer *t, candidate *top) {
    while (t->n_heap) {
        *top = t->heap[0];
        uint64_t count = t->pairs[top->pair].count;
        if (count == top->count || count == 0) {
            candidate last = t->heap[--t->n_heap];
            if (t->n_heap) sink(t, last);
            if (count) return true;
        } else {
            top->count = count;
            sink(t, *top);
        }
    }
    return false;
}

/* Pairs from number `first` on are new. */
static bool push_pairs(trainer *t, size_t first) {
    for (size_t k = first; k < t->n_pairs; k++) {
        if (t->pairs[k].count && !push(t, (candidate){t->pairs[k].count, (uint32_t)k})) return false;
    }
    return true;
}

/* ---- learning */

static sv_status take_pieces(trainer *t, const sv_piece_counter *counter) {
    size_t n_tokens = 0;
    t->n_rows = sv_piece_counter_n(counter);
    for (size_t i = 0; i < t->n_rows; i++) n_tokens += sv_piece_counter_get(counter, i).len;
    if (n_tokens >= NONE) {
        return sv_fail(t->err, SV_ERR_UNSUPPORTED,
                       "the text has different pieces of %zu bytes in all, expected less than %u; use less text",
                       n_tokens, NONE);
    }
    t->tokens = sv_calloc(n_tokens, sizeof *t->tokens);
    t->rows = sv_calloc(t->n_rows, sizeof *t->rows);
    t->slots = sv_calloc(FIRST_SLOTS, sizeof *t->slots);
    if (!t->tokens || !t->rows || !t->slots) return sv_fail_memory(t->err, "pieces", n_tokens * sizeof *t->tokens);
    t->mask = FIRST_SLOTS - 1;
    size_t begin = 0;
    for (size_t i = 0; i < t->n_rows; i++) {
        sv_piece piece = sv_piece_counter_get(counter, i);
        t->rows[i] = (row){(uint32_t)begin, (uint32_t)piece.len, piece.count};
        for (size_t k = 0; k < piece.len; k++) t->tokens[begin++] = sv_byte_token((unsigned char)piece.bytes[k]);
    }
    return SV_OK;
}

static bool count_pairs(trainer *t) {
    for (uint32_t i = 0; i < t->n_rows; i++) {
        const int32_t *tokens = t->tokens + t->rows[i].begin;
        for (uint32_t k = 0; k + 1 < t->rows[i].len; k++) {
            if (!count_pair(t, tokens[k], tokens[k + 1], i)) return false;
        }
    }
    return push_pairs(t, 0);
}

/* Replaces p by `merged` in a row; false when there is no memory. */
static bool merge_row(trainer *t, uint32_t number, sv_token_pair p, int32_t merged) {
    row *r = &t->rows[number];
    int32_t *tokens = t->tokens + r->begin;
    uint32_t n = r->len, kept = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (tokens[i] != p.left || i + 1 == n || tokens[i + 1] != p.right) {
            tokens[kept++] = tokens[i];
            continue;
        }
        uncount_pair(t, p.left, p.right, number);
        if (kept) {
            uncount_pair(t, tokens[kept - 1], p.left, number);
            if (!count_pair(t, tokens[kept - 1], merged, number)) return false;
        }
        if (i + 2 < n) {
            uncount_pair(t, p.right, tokens[i + 2], number);
            if (!count_pair(t, merged, tokens[i + 2], number)) return false;
        }
        tokens[kept++] = merged;
        i++;
    }
    r->len = kept;
    return true;
}

static bool merge_pair(trainer *t, uint32_t number, int32_t merged) {
    size_t first_new = t->n_pairs;
    sv_token_pair p = t->pairs[number].tokens;
    uint32_t next;
    for (uint32_t at = t->pairs[number].first_place; at != NONE; at = next) {
        uint32_t row_number = t->places[at].row;
        next = t->places[at].next;
        t->places[at].next = t->free_place;
        t->free_place = at;
        if (!merge_row(t, row_number, p, merged)) return false;
    }
    t->pairs[number].first_place = NONE;
    return push_pairs(t, first_new);
}

static sv_status learn(trainer *t, const sv_bpe_options *o, sv_bpe_result *out) {
    candidate top;
    while (out->n_merges < o->n_merges && pop(t, &top) && top.count >= o->min_frequency) {
        out->merges[out->n_merges] = t->pairs[top.pair].tokens;
        out->last_frequency = top.count;
        if (!merge_pair(t, top.pair, (int32_t)(SV_N_BYTE_TOKENS + out->n_merges))) return no_memory(t);
        out->n_merges++;
        if (o->progress && !o->progress(o->context, out->n_merges, o->n_merges))
            return sv_fail(t->err, SV_ERR_CANCELLED, "cancelled");
    }
    for (size_t i = 0; i < t->n_rows; i++) out->n_tokens += t->rows[i].count * t->rows[i].len;
    return SV_OK;
}

sv_status sv_bpe_train(const sv_piece_counter *counter, const sv_bpe_options *options, sv_bpe_result *out,
                       sv_error *err) {
    trainer t = {.err = err, .free_place = NONE};
    *out = (sv_bpe_result){0};
    if (options->n_merges > SV_MAX_BPE_TOKENS - SV_N_BYTE_TOKENS) {
        return sv_fail(err, SV_ERR_USAGE, "a tokenizer has at most %d tokens, not %zu", SV_MAX_BPE_TOKENS,
                       SV_N_BYTE_TOKENS + options->n_merges);
    }
    out->merges = sv_calloc(options->n_merges, sizeof *out->merges);
    sv_status s = out->merges ? take_pieces(&t, counter) : sv_fail_memory(err, "merges", options->n_merges);
    if (!s && !count_pairs(&t)) s = no_memory(&t);
    if (!s) s = learn(&t, options, out);
    if (s) sv_bpe_result_free(out);
    free(t.tokens);
    free(t.rows);
    free(t.pairs);
    free(t.slots);
    free(t.places);
    free(t.heap);
    return s;
}

void sv_bpe_result_free(sv_bpe_result *result) {
    free(result->merges);
    *result = (sv_bpe_result){0};
}
