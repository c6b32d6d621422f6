/* merge.c - a hash table of pairs; a linked list of symbols with a heap of the pairs that may be merged. */
#include "token/merge.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

struct sv_merge_table {
    size_t mask;            /* number of slots - 1 */
    const sv_merge **slots; /* NULL = empty */
};

static size_t slot_of(const sv_merge_table *t, int32_t left, int32_t right) {
    uint64_t key = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    key *= 0x9e3779b97f4a7c15u;
    return (size_t)(key ^ key >> 29) & t->mask;
}

static const sv_merge *find(const sv_merge_table *t, int32_t left, int32_t right) {
    for (size_t i = slot_of(t, left, right);; i = (i + 1) & t->mask) {
        const sv_merge *m = t->slots[i];
        if (!m || (m->left == left && m->right == right)) return m;
    }
}

sv_status sv_merge_table_new(const sv_merge *merges, size_t n, sv_merge_table **out, sv_error *err) {
    size_t n_slots = 16;
    while (n_slots < 2 * n) n_slots *= 2;
    sv_merge_table *t = sv_calloc(1, sizeof *t);
    const sv_merge **slots = sv_calloc(n_slots, sizeof(const sv_merge *));
    *out = t;
    if (!t || !slots) {
        free(t);
        free(slots);
        *out = NULL;
        return sv_fail_memory(err, "merge table", n_slots * sizeof(const sv_merge *));
    }
    *t = (sv_merge_table){n_slots - 1, slots};
    for (size_t k = 0; k < n; k++) {
        size_t i = slot_of(t, merges[k].left, merges[k].right);
        while (slots[i] && (slots[i]->left != merges[k].left || slots[i]->right != merges[k].right))
            i = (i + 1) & t->mask;
        if (!slots[i]) slots[i] = &merges[k];
    }
    return SV_OK;
}

void sv_merge_table_free(sv_merge_table *t) {
    if (!t) return;
    free(t->slots);
    free(t);
}

#define NONE SIZE_MAX

typedef struct link {
    size_t before, after; /* NONE at the ends */
} link;

typedef struct candidate {
    const sv_merge *merge;
    size_t place; /* of the left symbol */
} candidate;

typedef struct heap {
    candidate *items;
    size_t n;
} heap;

static bool comes_first(const candidate *a, const candidate *b) {
    return a->merge->rank != b->merge->rank ? a->merge->rank < b->merge->rank : a->place < b->place;
}

static void push(heap *h, candidate c) {
    size_t i = h->n++;
    for (; i && comes_first(&c, &h->items[(i - 1) / 2]); i = (i - 1) / 2) h->items[i] = h->items[(i - 1) / 2];
    h->items[i] = c;
}

static candidate pop(heap *h) {
    candidate top = h->items[0], last = h->items[--h->n];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < h->n; i = child) {
        if (child + 1 < h->n && comes_first(&h->items[child + 1], &h->items[child])) child++;
        if (!comes_first(&h->items[child], &last)) break;
        h->items[i] = h->items[child];
    }
    h->items[i] = last;
    return top;
}

static void consider(const sv_merge_table *t, heap *h, const int32_t *ids, size_t left, size_t right) {
    if (left == NONE || right == NONE) return;
    const sv_merge *m = find(t, ids[left], ids[right]);
    if (m) push(h, (candidate){m, left});
}

/* Each merge removes a symbol and offers at most two pairs: 3 n candidates at most. */
static bool reserve(sv_merge_scratch *s, size_t n) {
    if (n <= s->n_links) return true;
    size_t bytes;
    if (!sv_mul_size(n, 3 * sizeof(candidate), &bytes)) return false;
    sv_merge_scratch_free(s);
    s->links = malloc(n * sizeof(link));
    s->heap = malloc(bytes);
    s->n_links = s->links && s->heap ? n : 0;
    return s->n_links == n;
}

size_t sv_merge_run(const sv_merge_table *t, int32_t *ids, size_t n, sv_merge_scratch *scratch) {
    if (n < 2) return n;
    if (!reserve(scratch, n)) return SIZE_MAX;
    link *links = scratch->links;
    heap h = {scratch->heap, 0};
    for (size_t i = 0; i < n; i++) links[i] = (link){i ? i - 1 : NONE, i + 1 < n ? i + 1 : NONE};
    for (size_t i = 0; i + 1 < n; i++) consider(t, &h, ids, i, i + 1);
    while (h.n) {
        candidate c = pop(&h);
        size_t left = c.place, right = links[left].after;
        /* what the candidate saw may have been merged meanwhile; a removed symbol has the id -1 */
        if (ids[left] != c.merge->left || right == NONE || ids[right] != c.merge->right) continue;
        ids[left] = c.merge->merged;
        ids[right] = -1;
        links[left].after = links[right].after;
        if (links[left].after != NONE) links[links[left].after].before = left;
        consider(t, &h, ids, links[left].before, left);
        consider(t, &h, ids, left, links[left].after);
    }
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (ids[i] >= 0) ids[kept++] = ids[i];
    }
    return kept;
}

void sv_merge_scratch_free(sv_merge_scratch *s) {
    free(s->links);
    free(s->heap);
    *s = (sv_merge_scratch){0};
}
