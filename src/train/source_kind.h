/* source_kind.h - what a source is made of: the lines of a file, or nights. */
#ifndef SV_TRAIN_SOURCE_KIND_H
#define SV_TRAIN_SOURCE_KIND_H

#include "train/dataset_record.h"
#include "train/source_order.h"

/* Records stand in nights; the lines of a file are one night. */
typedef struct sv_source_kind {
    /* Makes nights ready, and forgets all others. NULL: nothing to do. */
    sv_status (*prepare)(void *self, const int64_t *nights, int n_nights, sv_error *err);
    sv_status (*get)(void *self, const sv_source_place *place, sv_record *out, sv_error *err);
    /* The system prompt that all records have, in new memory; NULL when there is none or they differ. */
    sv_status (*find_system)(void *self, char **out, sv_error *err);
    void (*free)(void *self);
} sv_source_kind;

/* Takes over self, also when it fails. first as in sv_source_order_new, borrowed from self. */
sv_status sv_source_new(const sv_source_kind *kind, void *self, const int64_t *first, int64_t n_nights,
                        const sv_source_options *options, sv_source **out, sv_error *err);

#endif
