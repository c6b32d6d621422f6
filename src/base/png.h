/*
 * png.h - PNG files by libspng, under our limits.
 */
#ifndef SV_BASE_PNG_H
#define SV_BASE_PNG_H

#include "base/status.h"

/* 8-bit pixels, rows from the top, no padding between rows. */
typedef struct sv_image {
    int width, height;
    int n_channels;        /* 3 (RGB) or 4 (RGBA, not premultiplied) */
    unsigned char *pixels; /* [height, width, n_channels], owned */
} sv_image;
void sv_image_free(sv_image *image); /* frees and zeroes */

/* Decodes a PNG of any colour type and depth to RGBA. At most 64 Mpixel. `name` is what the error calls it. */
sv_status sv_png_decode(const void *data, size_t len, const char *name, sv_image *out, sv_error *err);
sv_status sv_png_load(const char *path, sv_image *out, sv_error *err);

/* Encodes to new memory (free). `level` is zlib's, 1 (fast) to 9 (small); RGB input with rgba_out becomes opaque RGBA.
 */
typedef struct sv_png_options {
    int level;
    bool rgba_out;
} sv_png_options;
sv_status sv_png_encode(const sv_image *image, const sv_png_options *options, unsigned char **out, size_t *out_len,
                        sv_error *err);

#endif
