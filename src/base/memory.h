/*
 * memory.h - sizes that cannot overflow, and allocations made from them.
 */
#ifndef SV_BASE_MEMORY_H
#define SV_BASE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#define SV_COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SV_MIN(a, b) ((a) < (b) ? (a) : (b))
#define SV_MAX(a, b) ((a) > (b) ? (a) : (b))

/* *out = a * b (or a + b); false when the result does not fit in size_t. */
static inline bool sv_mul_size(size_t a, size_t b, size_t *out) { return !__builtin_mul_overflow(a, b, out); }
static inline bool sv_add_size(size_t a, size_t b, size_t *out) { return !__builtin_add_overflow(a, b, out); }

/* Zeroed memory for n items of `size` bytes, freed by free(); NULL on overflow or when there is none.
 * n = 0 gives a pointer that may be freed, so that NULL always means failure. */
void *sv_calloc(size_t n, size_t size);

/* As sv_calloc, not zeroed, aligned to 64 bytes (cache line, AVX-512 vector). */
void *sv_alloc_aligned(size_t n, size_t size);

/* Grows *items (of `size` bytes each) so that n + 1 of them fit; doubles *capacity. False when there is no memory
 * (then nothing has changed). */
bool sv_grow(void *items_pointer, size_t n, size_t *capacity, size_t size);

/* A copy of the n bytes at s plus a final 0. NULL when there is no memory. */
char *sv_strndup(const char *s, size_t n);

#endif
