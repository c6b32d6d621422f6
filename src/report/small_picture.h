/*
 * small_picture.h - a picture for the eye: eight levels a colour, palette PNG, about a third of the exact file's size.
 */
#ifndef SV_REPORT_SMALL_PICTURE_H
#define SV_REPORT_SMALL_PICTURE_H

#include "base/status.h"

/* rgb: [height, width, 3]. Each value becomes the nearest of eight levels (at most 18 of 255 away); when that leaves
 * more than 256 colours, four levels are used (at most 42 away). *out: PNG in new memory (free). */
sv_status sv_small_picture_encode(const unsigned char *rgb, int width, int height, unsigned char **out, size_t *out_len,
                                  sv_error *err);

#endif
