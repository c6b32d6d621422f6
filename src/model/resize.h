/*
 * resize.h - Pillow's bicubic resizing of 8-bit pictures, equal to the last bit: two passes, fixed-point weights.
 */
#ifndef SV_MODEL_RESIZE_H
#define SV_MODEL_RESIZE_H

#include "base/status.h"

/* rgb: [height, width, 3]; *out: [out_height, out_width, 3] in new memory (free). Sizes from 1 to 65536. */
sv_status sv_resize_bicubic(const unsigned char *rgb, int height, int width, int out_height, int out_width,
                            unsigned char **out, sv_error *err);

#endif
