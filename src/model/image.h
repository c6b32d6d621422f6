/*
 * image.h - the image processor: a picture becomes rows of normalised pixels in patch order (qwen25vl.md section 3).
 */
#ifndef SV_MODEL_IMAGE_H
#define SV_MODEL_IMAGE_H

#include "base/png.h"
#include "model/config.h"

/* The size a picture is resized to: multiples of patch*merge within [min_pixels, max_pixels]. SV_ERR_INPUT when the
 * aspect ratio is above 200. */
sv_status sv_smart_resize(int height, int width, int factor, int64_t min_pixels, int64_t max_pixels, int *out_height,
                          int *out_width, sv_error *err);

/* Patches of one picture. Both frames of a still picture are equal, so a row holds one frame: [channels * patch *
 * patch]. */
typedef struct sv_patches {
    int grid_h, grid_w; /* in patches; rows are ordered by merged cell, then h, w inside the cell */
    int row_size;
    float *rows; /* [grid_h * grid_w, row_size], owned, 64-byte aligned */
} sv_patches;
void sv_patches_free(sv_patches *patches);

/* Translucent pixels are laid on white; resizing is Pillow's bicubic. */
sv_status sv_image_to_patches(const sv_model_config *config, const sv_image *image, sv_patches *out, sv_error *err);

/* Reads a picture named in a chat: a path (relative ones against base_folder unless that is NULL), "file://" or
 * "data:image/png;base64,". Only PNG; SV_ERR_UNSUPPORTED for other kinds. */
sv_status sv_image_fetch(const char *path_or_url, const char *base_folder, sv_image *out, sv_error *err);

#endif
