/*
 * tensors.h - golden tensors in tests: numbers by name, and the largest difference from them.
 */
#ifndef SV_TEST_TENSORS_H
#define SV_TEST_TENSORS_H

#include "support/test.h"

#include <math.h>

#include "base/memory.h"
#include "model/safetensors.h"

static inline const sv_tensor *golden(const sv_tensor_file *file, const char *name) {
    const sv_tensor *t = sv_tensor_find(file, name);
    if (!t) fail_msg("the golden file has no tensor '%s'", name);
    return t;
}

static inline size_t golden_count(const sv_tensor *t) { return t->n_bytes / sv_dtype_size(t->dtype); }

/* Values in new memory (free). */
static inline float *golden_f32(const sv_tensor_file *file, const char *name) {
    const sv_tensor *t = golden(file, name);
    float *values = sv_alloc_aligned(golden_count(t), sizeof *values);
    assert_non_null(values);
    sv_tensor_read_f32(t, 0, golden_count(t), values);
    return values;
}

static inline int32_t *golden_i32(const sv_tensor_file *file, const char *name, size_t *n) {
    const sv_tensor *t = golden(file, name);
    assert_int_equal(t->dtype, SV_I32);
    int32_t *values = sv_calloc(golden_count(t), sizeof *values);
    assert_non_null(values);
    memcpy(values, t->data, t->n_bytes);
    if (n) *n = golden_count(t);
    return values;
}

/* Raises *worst to the largest |a - b|; NaN counts as infinite. */
static inline void note_difference(const float *a, const float *b, size_t n, double *worst) {
    for (size_t i = 0; i < n; i++) {
        double d = fabs((double)a[i] - (double)b[i]);
        if (!(d <= *worst)) *worst = isnan(d) ? INFINITY : d;
    }
}

#endif
