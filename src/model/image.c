/* image.c - from a picture to normalised patches; fetching pictures that a chat names. */
#include "model/image.h"

#include <math.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "model/resize.h"

#define MAX_PICTURE_BYTES ((size_t)64 << 20)
#define MAX_ASPECT_RATIO 200

void sv_patches_free(sv_patches *patches) {
    free(patches->rows);
    *patches = (sv_patches){0};
}

/* Python's round(): halves go to the even neighbour. */
static int64_t round_half_even(double x) {
    double below = floor(x), rest = x - below;
    if (rest == 0.5) return (int64_t)(fmod(below, 2) == 0 ? below : below + 1);
    return (int64_t)floor(x + 0.5);
}

sv_status sv_smart_resize(int height, int width, int factor, int64_t min_pixels, int64_t max_pixels, int *out_height,
                          int *out_width, sv_error *err) {
    int longer = SV_MAX(height, width), shorter = SV_MIN(height, width);
    if (shorter < 1 || (double)longer / shorter > MAX_ASPECT_RATIO) {
        return sv_fail(err, SV_ERR_INPUT, "a picture of %d x %d: its sides may differ at most %d-fold", width, height,
                       MAX_ASPECT_RATIO);
    }
    int64_t h = round_half_even((double)height / factor) * factor, w = round_half_even((double)width / factor) * factor;
    double area = (double)height * width;
    if (h * w > max_pixels) {
        double shrink = sqrt(area / (double)max_pixels);
        h = SV_MAX((int64_t)floor(height / shrink / factor), 1) * factor;
        w = SV_MAX((int64_t)floor(width / shrink / factor), 1) * factor;
    } else if (h * w < min_pixels) {
        double grow = sqrt((double)min_pixels / area);
        h = (int64_t)ceil(height * grow / factor) * factor;
        w = (int64_t)ceil(width * grow / factor) * factor;
    }
    if (h > 65536 || w > 65536) return sv_fail(err, SV_ERR_INPUT, "a picture of %d x %d is too large", width, height);
    *out_height = (int)h;
    *out_width = (int)w;
    return SV_OK;
}

/* value * alpha + white * (1 - alpha), in Pillow's rounding. */
static unsigned char on_white(unsigned value, unsigned alpha) {
    unsigned sum = value * alpha + 255 * (255 - alpha) + 128;
    return (unsigned char)(((sum >> 8) + sum) >> 8);
}

/* The picture as RGB; *owned is what must be freed, NULL when it already was RGB. */
static sv_status to_rgb(const sv_image *image, const unsigned char **rgb, unsigned char **owned, sv_error *err) {
    *owned = NULL;
    *rgb = image->pixels;
    if (image->n_channels == 3) return SV_OK;
    size_t n = (size_t)image->width * (size_t)image->height;
    unsigned char *flat = sv_calloc(n, 3);
    if (!flat) return sv_fail_memory(err, "picture", n * 3);
    for (size_t i = 0; i < n; i++) {
        const unsigned char *p = image->pixels + 4 * i;
        for (size_t c = 0; c < 3; c++) flat[3 * i + c] = p[3] == 255 ? p[c] : on_white(p[c], p[3]);
    }
    *rgb = *owned = flat;
    return SV_OK;
}

/* The 3 x 256 values that a byte can become: (v / 255 - mean) / std. */
static void make_values(const sv_model_config *config, float values[3][256]) {
    for (int c = 0; c < 3; c++) {
        for (int v = 0; v < 256; v++) {
            values[c][v] = ((float)v * (1.0f / 255.0f) - config->image_mean[c]) / config->image_std[c];
        }
    }
}

static void fill_patch(const unsigned char *rgb, size_t row_bytes, int patch, float values[3][256], float *out) {
    for (int c = 0; c < 3; c++) {
        for (int y = 0; y < patch; y++) {
            const unsigned char *at = rgb + (size_t)y * row_bytes + c;
            for (int x = 0; x < patch; x++, at += 3) *out++ = values[c][*at];
        }
    }
}

static sv_status cut(const sv_model_config *config, const unsigned char *rgb, int height, int width, sv_patches *out,
                     sv_error *err) {
    const int patch = config->vision.patch, merge = config->vision.merge;
    float values[3][256];
    *out = (sv_patches){.grid_h = height / patch, .grid_w = width / patch, .row_size = 3 * patch * patch};
    size_t n = (size_t)out->grid_h * (size_t)out->grid_w;
    out->rows = sv_alloc_aligned(n * (size_t)out->row_size, sizeof *out->rows);
    if (!out->rows) return sv_fail_memory(err, "patches", n * (size_t)out->row_size * sizeof *out->rows);
    make_values(config, values);
    float *row = out->rows;
    for (int cell_y = 0; cell_y < out->grid_h; cell_y += merge) {
        for (int cell_x = 0; cell_x < out->grid_w; cell_x += merge) {
            for (int i = 0; i < merge * merge; i++, row += out->row_size) {
                size_t y = (size_t)(cell_y + i / merge) * (size_t)patch,
                       x = (size_t)(cell_x + i % merge) * (size_t)patch;
                fill_patch(rgb + (y * (size_t)width + x) * 3, (size_t)width * 3, patch, values, row);
            }
        }
    }
    return SV_OK;
}

sv_status sv_image_to_patches(const sv_model_config *config, const sv_image *image, sv_patches *out, sv_error *err) {
    int height, width;
    unsigned char *flat = NULL, *resized = NULL;
    const unsigned char *rgb;
    *out = (sv_patches){0};
    sv_status s = sv_smart_resize(image->height, image->width, config->vision.patch * config->vision.merge,
                                  config->min_pixels, config->max_pixels, &height, &width, err);
    if (!s) s = to_rgb(image, &rgb, &flat, err);
    if (!s && (height != image->height || width != image->width)) {
        s = sv_resize_bicubic(rgb, image->height, image->width, height, width, &resized, err);
        rgb = resized;
    }
    if (!s) s = cut(config, rgb, height, width, out, err);
    free(resized);
    free(flat);
    return s;
}

static const char *kind_of(const unsigned char *bytes, size_t len) {
    static const struct {
        const char *magic;
        size_t at;
        const char *kind;
    } kinds[] = {{"\xff\xd8\xff", 0, "JPEG"}, {"GIF8", 0, "GIF"}, {"WEBP", 8, "WebP"}, {"BM", 0, "BMP"},
                 {"II*", 0, "TIFF"},          {"<svg", 0, "SVG"}};
    for (size_t i = 0; i < SV_COUNT(kinds); i++) {
        size_t n = strlen(kinds[i].magic);
        if (len >= kinds[i].at + n && memcmp(bytes + kinds[i].at, kinds[i].magic, n) == 0) return kinds[i].kind;
    }
    return NULL;
}

static sv_status decode(const unsigned char *bytes, size_t len, const char *name, sv_image *out, sv_error *err) {
    const char *kind = kind_of(bytes, len);
    if (kind) return sv_fail(err, SV_ERR_UNSUPPORTED, "%s: a %s picture; only PNG is read: convert it", name, kind);
    return sv_png_decode(bytes, len, name, out, err);
}

static sv_status fetch_data_url(const char *url, sv_image *out, sv_error *err) {
    const char *comma = strchr(url, ',');
    if (!comma || (size_t)(comma - url) < 7 || memcmp(comma - 7, ";base64", 7) != 0) {
        return sv_fail(err, SV_ERR_INPUT, "a data URL must be of the form data:image/png;base64,...");
    }
    size_t room = strlen(comma + 1) / 4 * 3 + 3, len;
    unsigned char *bytes = malloc(room);
    if (!bytes) return sv_fail_memory(err, "data URL", room);
    sv_status s;
    if (sodium_base642bin(bytes, room, comma + 1, strlen(comma + 1), " \r\n\t", &len, NULL,
                          sodium_base64_VARIANT_ORIGINAL) != 0) {
        s = sv_fail(err, SV_ERR_INPUT, "a data URL holds something that is not base64");
    } else {
        s = decode(bytes, len, "data URL", out, err);
    }
    free(bytes);
    return s;
}

sv_status sv_image_fetch(const char *path_or_url, const char *base_folder, sv_image *out, sv_error *err) {
    *out = (sv_image){0};
    if (strncmp(path_or_url, "data:", 5) == 0) return fetch_data_url(path_or_url, out, err);
    if (strncmp(path_or_url, "http:", 5) == 0 || strncmp(path_or_url, "https:", 6) == 0) {
        return sv_fail(err, SV_ERR_UNSUPPORTED, "%.200s: pictures are not fetched from the network; give a file",
                       path_or_url);
    }
    const char *path = strncmp(path_or_url, "file://", 7) == 0 ? path_or_url + 7 : path_or_url;
    bool relative = path[0] != '/' && base_folder;
    char *joined = relative ? sv_path_join(base_folder, path) : sv_strndup(path, strlen(path)), *bytes;
    size_t len;
    if (!joined) return sv_fail_memory(err, "path", strlen(path));
    sv_status s = sv_file_read(joined, MAX_PICTURE_BYTES, &bytes, &len, err);
    if (!s) {
        s = decode((unsigned char *)bytes, len, joined, out, err);
        free(bytes);
    }
    free(joined);
    return s;
}
