/*
 * merge.h - the merging of byte-pair encoding: always the pair of lowest rank, the leftmost first (Sennrich et al.
 * 2016).
 */
#ifndef SV_TOKEN_MERGE_H
#define SV_TOKEN_MERGE_H

#include "token/vocabulary.h"

typedef struct sv_merge_table sv_merge_table; /* pair of ids -> merge; immutable */

/* The merges are borrowed. Of a doubled pair the first counts. */
sv_status sv_merge_table_new(const sv_merge *merges, size_t n, sv_merge_table **out, sv_error *err);
void sv_merge_table_free(sv_merge_table *table);

/* Merges ids [n] in place as far as possible; returns how many are left. n log n. Scratch memory is kept in *scratch,
 * which starts zeroed and is ended by sv_merge_scratch_free. SIZE_MAX when there is no memory. */
typedef struct sv_merge_scratch {
    void *links, *heap;
    size_t n_links, n_heap;
} sv_merge_scratch;
size_t sv_merge_run(const sv_merge_table *table, int32_t *ids, size_t n, sv_merge_scratch *scratch);
void sv_merge_scratch_free(sv_merge_scratch *scratch);

#endif
