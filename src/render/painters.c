/* painters.c - see painters.h. */
#include "render/painters.h"

#include <stdlib.h>

#include "base/memory.h"

sv_status sv_painters_new(int n_threads, sv_painters *out, sv_error *err) {
    size_t n = (size_t)n_threads;
    *out = (sv_painters){.n = n_threads, .brushes = sv_calloc(n, sizeof *out->brushes)};
    if (!out->brushes) return sv_fail_memory(err, "painters", n * sizeof *out->brushes);
    for (int i = 0; i < n_threads; i++) {
        sv_status status = sv_painter_new(&out->brushes[i].painter, err);
        if (status) return status;
        out->brushes[i].rgb = sv_alloc_aligned(SV_PICTURE_BYTES, 1);
        if (!out->brushes[i].rgb) return sv_fail_memory(err, "a picture", SV_PICTURE_BYTES);
    }
    return SV_OK;
}

void sv_painters_free(sv_painters *painters) {
    for (int i = 0; painters->brushes && i < painters->n; i++) {
        sv_painter_free(painters->brushes[i].painter);
        free(painters->brushes[i].rgb);
    }
    free(painters->brushes);
    *painters = (sv_painters){0};
}
