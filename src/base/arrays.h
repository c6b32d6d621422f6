/*
 * arrays.h - many arrays of f32 in one allocation, with their sizes known beforehand.
 */
#ifndef SV_BASE_ARRAYS_H
#define SV_BASE_ARRAYS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct sv_array {
    float **place; /* is set to [n_rows, width], 64-byte aligned */
    size_t n_rows, width;
} sv_array;

/* Bytes of all of them together; false when they do not fit in memory. */
bool sv_arrays_size(const sv_array *arrays, size_t n, size_t *n_bytes);

/* Allocates all and sets the places; the result is freed by free. NULL when there is no memory. Not zeroed. */
float *sv_arrays_new(const sv_array *arrays, size_t n);

#endif
