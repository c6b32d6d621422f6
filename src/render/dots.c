/* dots.c - 8-bit blending. */
#include "render/dots.h"

#include <string.h>

#include "base/memory.h"

#define N_SHADES 256
#define RECIPROCAL_SHIFT 44

sv_status sv_dots_init(sv_dots *dots, sv_error *err) {
    *dots = (sv_dots){.dots = sv_calloc(SV_DOTS_CAPACITY, sizeof *dots->dots)};
    return dots->dots ? SV_OK : sv_fail_memory(err, "a list of pixels", SV_DOTS_CAPACITY * sizeof *dots->dots);
}

void sv_dots_deinit(sv_dots *dots) {
    free(dots->dots);
    *dots = (sv_dots){0};
}

/* The colour at one coverage: its opacity, and what it makes of a black pixel, as most of them are. */
typedef struct shade {
    uint64_t reciprocal; /* 2^44 / (255 * 256 + alpha), rounded up: divides exactly what mix() divides */
    unsigned char alpha, on_black[3];
} shade;

/* A colour over one value of an opaque pixel. Full coverage replaces: the quotient would come out one too low. The
 * divisor is the one of a blend that also carries the pixel's alpha, which is 255. */
static inline unsigned char mix(const shade *s, unsigned char source, unsigned char under) {
    unsigned old = under * 255u; /* (source - old) may be negative: the sum below is right modulo 2^32 */
    unsigned sum = (source * 256u - old) * s->alpha + old * 256;
    unsigned mixed = (unsigned)((sum * s->reciprocal) >> RECIPROCAL_SHIFT);
    return (unsigned char)(s->alpha == 255 ? source : mixed);
}

static void make_shades(sv_colour colour, shade shades[N_SHADES]) {
    for (unsigned coverage = 0; coverage < N_SHADES; coverage++) {
        shade *s = &shades[coverage];
        unsigned product = coverage * colour.alpha + 128;
        s->alpha = (unsigned char)(((product >> 8) + product) >> 8);
        uint64_t divisor = 255u * 256 + s->alpha;
        s->reciprocal = (((uint64_t)1 << RECIPROCAL_SHIFT) + divisor - 1) / divisor;
        s->on_black[0] = mix(s, colour.red, 0);
        s->on_black[1] = mix(s, colour.green, 0);
        s->on_black[2] = mix(s, colour.blue, 0);
    }
}

void sv_dots_blend(const sv_dots *dots, sv_colour colour, unsigned char *rgb) {
    shade shades[N_SHADES];
    make_shades(colour, shades);
    for (int i = 0; i < dots->n; i++) {
        sv_dot dot = dots->dots[i];
        const shade *s = &shades[dot.coverage];
        unsigned char *pixel = rgb + 3 * (size_t)dot.pixel;
        if (pixel[0] | pixel[1] | pixel[2]) {
            if (!s->alpha) continue;
            pixel[0] = mix(s, colour.red, pixel[0]);
            pixel[1] = mix(s, colour.green, pixel[1]);
            pixel[2] = mix(s, colour.blue, pixel[2]);
        } else {
            memcpy(pixel, s->on_black, 3);
        }
    }
}
