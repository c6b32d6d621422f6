/*
 * mersenne.h - the random numbers of Python's `random` module, so that a shuffle gives the order that it gives there.
 *
 * MT19937 of Matsumoto and Nishimura (ACM TOMACS 8, 1998), seeded by their init_by_array with the words of a whole
 * number, as random.Random(seed) does. For new work take random.h.
 */
#ifndef SV_BASE_MERSENNE_H
#define SV_BASE_MERSENNE_H

#include <stddef.h>
#include <stdint.h>

typedef struct sv_mersenne {
    uint32_t state[624];
    int next;
} sv_mersenne;

void sv_mersenne_seed(sv_mersenne *m, uint64_t seed);
uint32_t sv_mersenne_word(sv_mersenne *m);

/* Uniform in [0, n), n >= 1: as many top bits of a word as n has, drawn again while they are too large (randrange). */
uint32_t sv_mersenne_below(sv_mersenne *m, uint32_t n);

/* random.Random.shuffle of a list of n < 2^32 items. */
void sv_mersenne_shuffle(sv_mersenne *m, size_t *items, size_t n);

#endif
