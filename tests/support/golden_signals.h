/* golden_signals.h - arrays of a .safetensors file as double, for tests. */
#ifndef SV_TEST_GOLDEN_SIGNALS_H
#define SV_TEST_GOLDEN_SIGNALS_H

#include "base/file.h"
#include "base/json.h"
#include "support/test.h"

typedef struct signals {
    char *bytes;
    json_t *header;
    const char *data;
} signals;

static inline void signals_open(signals *s, const char *path) {
    sv_error err;
    size_t len;
    uint64_t n;
    ASSERT_OK(sv_file_read(path, 1 << 28, &s->bytes, &len, &err), err);
    memcpy(&n, s->bytes, 8);
    ASSERT_OK(sv_json_parse(s->bytes + 8, n, path, &s->header, &err), err);
    s->data = s->bytes + 8 + n;
}
static inline void signals_close(signals *s) {
    json_decref(s->header);
    free(s->bytes);
}
/* New memory (free); NULL when the file has no such tensor. */
static inline double *signal_read(const signals *s, const char *name, size_t *n) {
    *n = 0;
    json_t *t = json_object_get(s->header, name);
    if (!t) return NULL;
    *n = (size_t)json_integer_value(json_array_get(json_object_get(t, "shape"), 0));
    const char *p = s->data + json_integer_value(json_array_get(json_object_get(t, "data_offsets"), 0));
    bool is_f64 = strcmp(sv_json_text(t, "dtype", ""), "F64") == 0;
    double *out = calloc(*n + 1, sizeof *out);
    for (size_t i = 0; i < *n; i++) {
        float f;
        if (is_f64) {
            memcpy(&out[i], p + 8 * i, 8);
        } else {
            memcpy(&f, p + 4 * i, 4);
            out[i] = (double)f;
        }
    }
    return out;
}
#endif
