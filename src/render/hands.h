/*
 * hands.h - what each thread draws with: a painter and room for a picture.
 */
#ifndef SV_RENDER_HANDS_H
#define SV_RENDER_HANDS_H

#include "render/picture.h"

typedef struct sv_hand {
    sv_painter *painter;
    unsigned char *rgb; /* [SV_PICTURE_BYTES], 64-byte aligned */
} sv_hand;

/* *out: [n], freed by sv_hands_free; NULL after a failure. SV_ERR_MEMORY. */
sv_status sv_hands_new(int n, sv_hand **out, sv_error *err);
void sv_hands_free(sv_hand *hands, int n); /* hands may be NULL */

#endif
