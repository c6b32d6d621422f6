/*
 * painters.h - a painter and room for a picture for each thread of a pool.
 */
#ifndef SV_RENDER_PAINTERS_H
#define SV_RENDER_PAINTERS_H

#include "render/picture.h"

typedef struct sv_brush { /* what one thread paints with */
    sv_painter *painter;
    unsigned char *rgb; /* [SV_PICTURE_BYTES] */
} sv_brush;

typedef struct sv_painters {
    int n;
    sv_brush *brushes; /* [n], by thread */
} sv_painters;

/* To be freed, also after an error. */
sv_status sv_painters_new(int n_threads, sv_painters *out, sv_error *err);
void sv_painters_free(sv_painters *painters); /* a zeroed one may be freed */

#endif
