/* memory.c - checked allocation. */
#include "base/memory.h"

#include <string.h>

void *sv_calloc(size_t n, size_t size) {
    size_t bytes;
    if (!sv_mul_size(n, size, &bytes)) return NULL; /* calloc would say so too, but sanitizers end the program for it */
    return calloc(bytes ? n : 1, bytes ? size : 1);
}

void *sv_alloc_aligned(size_t n, size_t size) {
    size_t bytes, padded;
    if (!sv_mul_size(n, size, &bytes) || !sv_add_size(bytes, 63, &padded)) return NULL;
    padded &= ~(size_t)63;
    return aligned_alloc(64, padded ? padded : 64);
}

bool sv_grow(void *items_pointer, size_t n, size_t *capacity, size_t size) {
    if (n < *capacity) return true;
    size_t wanted = *capacity ? *capacity * 2 : 8, bytes;
    if (wanted <= n || !sv_mul_size(wanted, size, &bytes)) return false;
    void *old;
    memcpy(&old, items_pointer, sizeof old);
    void *grown = realloc(old, bytes);
    if (!grown) return false;
    memcpy(items_pointer, &grown, sizeof grown);
    *capacity = wanted;
    return true;
}

char *sv_strndup(const char *s, size_t n) {
    char *copy = malloc(n + 1);
    if (!copy) return NULL;
    memcpy(copy, s, n);
    copy[n] = 0;
    return copy;
}
