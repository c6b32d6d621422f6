/* golden_signals.h - one-dimensional tensors of a .safetensors file as double. */
#ifndef SV_TEST_GOLDEN_SIGNALS_H
#define SV_TEST_GOLDEN_SIGNALS_H

#include "model/safetensors.h"
#include "support/test.h"

/* New memory (free); NULL when the file has no such tensor. */
static inline double *signal_read(const sv_tensor_file *file, const char *name, size_t *n) {
    const sv_tensor *t = sv_tensor_find(file, name);
    *n = t ? (size_t)t->shape[0] : 0;
    if (!t) return NULL;
    double *out = calloc(*n + 1, sizeof *out);
    assert_non_null(out);
    if (t->dtype == SV_F64) {
        memcpy(out, t->data, t->n_bytes);
        return out;
    }
    assert_int_equal(t->dtype, SV_F32);
    for (size_t i = 0; i < *n; i++) {
        float value;
        memcpy(&value, (const char *)t->data + i * sizeof value, sizeof value);
        out[i] = (double)value;
    }
    return out;
}

/* Largest absolute difference; NaN equals NaN, and NaN against a number is NaN. */
static inline double largest_difference(const double *a, const double *b, size_t n) {
    double worst = 0;
    for (size_t i = 0; i < n; i++) {
        if (a[i] != a[i] && b[i] != b[i]) continue;
        double d = a[i] > b[i] ? a[i] - b[i] : b[i] - a[i];
        if (!(d <= worst)) worst = d;
    }
    return worst;
}

#endif
