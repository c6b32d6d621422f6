/*
 * random.h - random numbers that are a function of where they are used, not of what was drawn before: the n-th number
 * of a seed is the same on any thread, in any order, in any batch.
 *
 * Philox4x32-10 of Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3" (SC 2011). Not for
 * cryptography.
 */
#ifndef SV_BASE_RANDOM_H
#define SV_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* The block of four words that the generator makes of a counter under a key. */
void sv_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/* The blocks of n counters from `counter` on, whose first word alone counts (and wraps): word w of block i at out[w * n +
 * i]. The numbers of sv_philox, many at a time. */
void sv_philox_n(const uint32_t counter[4], const uint32_t key[2], size_t n, uint32_t *out);

/* Number `index` of the stream `seed`, uniform in [0, 1), a multiple of 2^-53. Streams of different seeds are
 * independent, also those of neighbouring seeds: sequence i of a job may take seed + i. */
double sv_random_unit(uint64_t seed, uint64_t index);

#endif
