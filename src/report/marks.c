/* marks.c - cuts at the ends of claims. */
#include "report/marks.h"

#include <stdlib.h>
#include <string.h>

typedef struct mark {
    size_t begin, end, claim;
} mark;

static bool continues(char c) { return ((unsigned char)c & 0xc0) == 0x80; }

static bool read_mark(const json_t *claim, const char *text, size_t len, size_t index, mark *out) {
    const json_t *b = json_object_get(claim, "begin"), *e = json_object_get(claim, "end");
    if (!json_is_integer(b) || !json_is_integer(e)) return false;
    json_int_t begin = json_integer_value(b), end = json_integer_value(e);
    if (begin < 0 || end <= begin || (uint64_t)end > len) return false;
    *out = (mark){(size_t)begin, (size_t)end, index};
    while (out->begin > 0 && continues(text[out->begin])) out->begin--;
    while (out->end < len && continues(text[out->end])) out->end++;
    return true;
}

static int by_length(const void *a, const void *b) {
    const mark *x = a, *y = b;
    size_t n = x->end - x->begin, m = y->end - y->begin;
    return n != m ? (n < m) - (n > m) : (x->claim > y->claim) - (x->claim < y->claim);
}

static int by_place(const void *a, const void *b) {
    const size_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static bool append_piece(json_t *pieces, const char *text, size_t from, size_t to, const mark *marks, size_t n) {
    json_t *covering = json_array(), *piece = json_object();
    for (size_t i = 0; i < n; i++) {
        if (marks[i].begin <= from && to <= marks[i].end)
            json_array_append_new(covering, json_integer((json_int_t)marks[i].claim));
    }
    bool ok = json_object_set_new(piece, "t", json_stringn(text + from, to - from)) == 0;
    ok &= json_object_set_new(piece, "c", covering) == 0;
    return json_array_append_new(pieces, piece) == 0 && ok;
}

json_t *sv_marks_cut(const char *text, size_t len, const json_t *claims) {
    mark marks[SV_MARKS_MAX];
    size_t cuts[2 * SV_MARKS_MAX + 2], n = 0, n_cuts = 0, i;
    const json_t *claim;
    json_array_foreach(claims, i, claim) {
        if (n < SV_MARKS_MAX && read_mark(claim, text, len, i, &marks[n])) n++;
    }
    qsort(marks, n, sizeof *marks, by_length);
    cuts[n_cuts++] = 0;
    cuts[n_cuts++] = len;
    for (i = 0; i < n; i++) {
        cuts[n_cuts++] = marks[i].begin;
        cuts[n_cuts++] = marks[i].end;
    }
    qsort(cuts, n_cuts, sizeof *cuts, by_place);
    json_t *pieces = json_array();
    bool ok = pieces != NULL;
    for (i = 1; ok && i < n_cuts; i++) {
        if (cuts[i] > cuts[i - 1]) ok = append_piece(pieces, text, cuts[i - 1], cuts[i], marks, n);
    }
    if (ok) return pieces;
    json_decref(pieces);
    return NULL;
}
