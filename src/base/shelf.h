/*
 * shelf.h - values that are costly to make and are shared by threads: each is made once, counted while it is used, and
 * thrown out, the longest unused first, when there is no room for another.
 *
 * A value may stand on another (its parent), which then stays as long as it does: a shelf may hold a tree.
 */
#ifndef SV_BASE_SHELF_H
#define SV_BASE_SHELF_H

#include "base/status.h"

typedef struct sv_shelf sv_shelf;

/* Values take budget_bytes in all. `purpose` (static) is what they are in messages: "shared prefixes". */
sv_status sv_shelf_new(const char *purpose, size_t budget_bytes, void (*free_value)(void *value), sv_shelf **out,
                       sv_error *err);
/* Frees all values; none may be in use. */
void sv_shelf_free(sv_shelf *shelf);

typedef struct sv_wish {
    const void *parent; /* a value of this shelf that the caller holds; NULL = none */
    const void *key;    /* values with the same parent and the same key are the same */
    size_t key_len;
    size_t n_bytes; /* that the value will take */
    /* Makes it. Called at most once, without any lock, while others who wish for the same wait. Not for values of the
     * same shelf. */
    sv_status (*make)(void *context, void **value, sv_error *err);
    void *context;
} sv_wish;

/* Finds or makes a value; *value is held by the caller until sv_shelf_put_back. *found (may be NULL): it was there, or
 * another thread made it. SV_ERR_MEMORY when the values in use leave too little of the budget for it; an error of
 * `make` is passed on, and the next who wishes for the same tries again. */
sv_status sv_shelf_get(sv_shelf *shelf, const sv_wish *wish, const void **value, bool *found, sv_error *err);
void sv_shelf_put_back(sv_shelf *shelf, const void *value); /* NULL is nothing */

typedef struct sv_shelf_counts {
    size_t n_values, n_bytes; /* now, with those being made */
    size_t n_found, n_made, n_thrown_out;
} sv_shelf_counts;
void sv_shelf_count(sv_shelf *shelf, sv_shelf_counts *out);

#endif
