/*
 * dots.h - covered pixels, and colour over them.
 */
#ifndef SV_RENDER_DOTS_H
#define SV_RENDER_DOTS_H

#include <stdint.h>

#include "base/status.h"
#include "render/picture.h"

typedef struct sv_colour {
    unsigned char red, green, blue, alpha;
} sv_colour;

typedef struct sv_dot {
    uint32_t pixel : 24;   /* row * SV_PICTURE_WIDTH + column */
    uint32_t coverage : 8; /* 1 to 255 */
} sv_dot;

/* A shape as the pixels that it covers. */
typedef struct sv_dots {
    sv_dot *dots; /* owned; room for SV_DOTS_CAPACITY */
    int n;
} sv_dots;

/* Every pixel once, and what is written beyond the end before it is known to be empty. */
#define SV_DOTS_SLACK 8
#define SV_DOTS_CAPACITY (SV_PICTURE_WIDTH * SV_PICTURE_HEIGHT + SV_DOTS_SLACK)

sv_status sv_dots_init(sv_dots *dots, sv_error *err);
void sv_dots_deinit(sv_dots *dots);

/* Blends the shape in one colour over rgb [224, 448, 3]: 8-bit, with the opacity coverage * alpha rounded, and the
 * quotient of matplotlib's blender. */
void sv_dots_blend(const sv_dots *dots, sv_colour colour, unsigned char *rgb);

#endif
