/* arrays.c - see arrays.h. */
#include "base/arrays.h"

#include "base/memory.h"

#define ALIGN_FLOATS ((size_t)16)

static bool padded_size(const sv_array *a, size_t *n) {
    if (!sv_mul_size(a->n_rows, a->width, n) || !sv_add_size(*n, ALIGN_FLOATS - 1, n)) return false;
    *n -= *n % ALIGN_FLOATS;
    return true;
}

bool sv_arrays_size(const sv_array *arrays, size_t n, size_t *n_bytes) {
    *n_bytes = 0;
    for (size_t i = 0; i < n; i++) {
        size_t size;
        if (!padded_size(&arrays[i], &size) || !sv_mul_size(size, sizeof(float), &size) ||
            !sv_add_size(*n_bytes, size, n_bytes)) {
            return false;
        }
    }
    return true;
}

float *sv_arrays_new(const sv_array *arrays, size_t n) {
    size_t n_bytes;
    float *storage = sv_arrays_size(arrays, n, &n_bytes) ? sv_alloc_aligned(n_bytes, 1) : NULL, *next = storage;
    for (size_t i = 0; storage && i < n; i++) {
        size_t size;
        *arrays[i].place = next;
        padded_size(&arrays[i], &size);
        next += size;
    }
    return storage;
}
