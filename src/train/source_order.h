/*
 * source_order.h - which record comes when: a function of seed and place, without memory of what came before.
 *
 * A pass goes through all nights in an order drawn for it, `window` nights at a time. The records of these nights, in
 * runs of neighbours, are mixed, `repeat` times over and each time anew; then come the next nights. Places that are
 * asked for in rising order cost a shuffle of one window now and then.
 */
#ifndef SV_TRAIN_SOURCE_ORDER_H
#define SV_TRAIN_SOURCE_ORDER_H

#include "base/status.h"

/* What random numbers are drawn for. */
typedef enum sv_source_draw { SV_SOURCE_NIGHTS = 1, SV_SOURCE_RUNS, SV_SOURCE_LOOK, SV_SOURCE_WORDING } sv_source_draw;

/* A seed for sv_random_unit that belongs to a purpose, a pass and a place. */
uint64_t sv_source_seed(uint64_t seed, sv_source_draw purpose, uint64_t pass, uint64_t place);

typedef struct sv_source_place {
    uint64_t pass;         /* that many times all records came before; a repetition of a window counts as a pass */
    int64_t night, record; /* record within the night */
} sv_source_place;

typedef struct sv_source_order sv_source_order;

typedef struct sv_order_options {
    uint64_t seed;
    bool shuffle;
    int run, window, repeat; /* at least 1 */
} sv_order_options;

/* first: [n_nights + 1] records before each night, the last is the number of all; borrowed. */
sv_status sv_source_order_new(const int64_t *first, int64_t n_nights, const sv_order_options *options,
                              sv_source_order **out, sv_error *err);
void sv_source_order_free(sv_source_order *order);

/* Records of a pass, repetitions counted. */
int64_t sv_source_order_n(const sv_source_order *order);

/* Place of record i. *nights, *n_nights: the nights that records around it come from, this one among them; valid until
 * the next call. */
sv_status sv_source_order_find(sv_source_order *order, uint64_t i, sv_source_place *out, const int64_t **nights,
                               int *n_nights, sv_error *err);

#endif
