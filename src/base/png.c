/* png.c - PNG by libspng: any colour type in, RGB or RGBA out. */
#include "base/png.h"

#include <spng.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"

#define MAX_PIXELS ((size_t)64 << 20)
#define MAX_SIDE 65535
#define MAX_CHUNK_BYTES ((size_t)16 << 20) /* of an ancillary chunk, and of all that are kept */
#define MAX_FILE_BYTES ((size_t)512 << 20)

void sv_image_free(sv_image *image) {
    free(image->pixels);
    *image = (sv_image){0};
}

static sv_status fail_decode(sv_error *err, const char *name, int code) {
    if (code == SPNG_EMEM) return sv_fail(err, SV_ERR_MEMORY, "%s: no memory to decode the PNG", name);
    return sv_fail(err, SV_ERR_INPUT, "%s: not a usable PNG picture: %s", name, spng_strerror(code));
}

/* Sets limits and strictness: a picture with a wrong checksum is refused whole, whichever chunk it is in. */
static int prepare_decoder(spng_ctx *ctx, const void *data, size_t len) {
    int code = spng_set_image_limits(ctx, MAX_SIDE, MAX_SIDE);
    if (!code) code = spng_set_chunk_limits(ctx, MAX_CHUNK_BYTES, MAX_CHUNK_BYTES);
    if (!code) code = spng_set_crc_action(ctx, SPNG_CRC_ERROR, SPNG_CRC_ERROR);
    if (!code) code = spng_set_png_buffer(ctx, data, len);
    return code;
}

sv_status sv_png_decode(const void *data, size_t len, const char *name, sv_image *out, sv_error *err) {
    *out = (sv_image){0};
    spng_ctx *ctx = spng_ctx_new(0);
    if (!ctx) return sv_fail_memory(err, "a PNG decoder", 0);
    sv_status status = SV_OK;
    struct spng_ihdr header;
    int code = prepare_decoder(ctx, data, len);
    if (!code) code = spng_get_ihdr(ctx, &header);
    if (code) {
        status = fail_decode(err, name, code);
        goto done;
    }
    size_t n_pixels = (size_t)header.width * header.height; /* each at most MAX_SIDE */
    if (n_pixels > MAX_PIXELS) {
        status = sv_fail(err, SV_ERR_INPUT, "%s: a picture of %u x %u pixels; at most %zu million pixels are read",
                         name, header.width, header.height, MAX_PIXELS >> 20);
        goto done;
    }
    sv_image image = {.width = (int)header.width, .height = (int)header.height, .n_channels = 4};
    image.pixels = sv_calloc(n_pixels, 4);
    if (!image.pixels) {
        status = sv_fail_memory(err, name, 4 * n_pixels);
        goto done;
    }
    code = spng_decode_image(ctx, image.pixels, 4 * n_pixels, SPNG_FMT_RGBA8, SPNG_DECODE_TRNS);
    if (!code) code = spng_decode_chunks(ctx); /* to the end: the checksum of the last pixels comes after them */
    if (code) {
        status = fail_decode(err, name, code);
        sv_image_free(&image);
        goto done;
    }
    *out = image;
done:
    spng_ctx_free(ctx);
    return status;
}

sv_status sv_png_load(const char *path, sv_image *out, sv_error *err) {
    char *data;
    size_t len;
    *out = (sv_image){0};
    sv_status status = sv_file_read(path, MAX_FILE_BYTES, &data, &len, err);
    if (status != SV_OK) return status;
    status = sv_png_decode(data, len, path, out, err);
    free(data);
    return status;
}

static unsigned char *opaque_rgba(const sv_image *image, size_t n_pixels) {
    unsigned char *rgba = sv_calloc(n_pixels, 4);
    for (size_t i = 0; rgba && i < n_pixels; i++) {
        memcpy(rgba + 4 * i, image->pixels + 3 * i, 3);
        rgba[4 * i + 3] = 255;
    }
    return rgba;
}

/* No row filter: what we write are drawings, mostly long runs of one colour, and those pack smaller and faster so. */
static int encode(spng_ctx *ctx, const struct spng_ihdr *header, int level, const void *pixels, size_t n_bytes) {
    struct spng_ihdr copy = *header;
    int code = spng_set_option(ctx, SPNG_ENCODE_TO_BUFFER, 1);
    if (!code) code = spng_set_option(ctx, SPNG_IMG_COMPRESSION_LEVEL, level);
    if (!code) code = spng_set_option(ctx, SPNG_FILTER_CHOICE, SPNG_FILTER_CHOICE_NONE);
    if (!code) code = spng_set_ihdr(ctx, &copy);
    if (!code) code = spng_encode_image(ctx, pixels, n_bytes, SPNG_FMT_PNG, SPNG_ENCODE_FINALIZE);
    return code;
}

sv_status sv_png_encode(const sv_image *image, const sv_png_options *options, unsigned char **out, size_t *out_len,
                        sv_error *err) {
    *out = NULL;
    *out_len = 0;
    int n_channels = image->n_channels;
    if (image->width < 1 || image->height < 1 || image->width > MAX_SIDE || image->height > MAX_SIDE ||
        (n_channels != 3 && n_channels != 4) || options->level < 1 || options->level > 9) {
        return sv_fail(err, SV_ERR_USAGE, "cannot write a PNG of %d x %d pixels, %d channels, at level %d",
                       image->width, image->height, n_channels, options->level);
    }
    size_t n_pixels = (size_t)image->width * (size_t)image->height;
    bool widen = n_channels == 3 && options->rgba_out;
    unsigned char *widened = widen ? opaque_rgba(image, n_pixels) : NULL;
    spng_ctx *ctx = spng_ctx_new(SPNG_CTX_ENCODER);
    sv_status status = SV_OK;
    if (!ctx || (widen && !widened)) {
        status = sv_fail_memory(err, "a PNG encoder", 4 * n_pixels);
        goto done;
    }
    if (widen) n_channels = 4;
    struct spng_ihdr header = {
        .width = (uint32_t)image->width,
        .height = (uint32_t)image->height,
        .bit_depth = 8,
        .color_type = n_channels == 4 ? SPNG_COLOR_TYPE_TRUECOLOR_ALPHA : SPNG_COLOR_TYPE_TRUECOLOR};
    int code = encode(ctx, &header, options->level, widen ? widened : image->pixels, n_pixels * (size_t)n_channels);
    if (!code) *out = spng_get_png_buffer(ctx, out_len, &code);
    if (code || !*out) {
        free(*out);
        *out = NULL;
        status = code == SPNG_EMEM || !code ? sv_fail_memory(err, "a PNG picture", n_pixels)
                                            : sv_fail(err, SV_ERR_INTERNAL, "PNG encoder: %s", spng_strerror(code));
    }
done:
    spng_ctx_free(ctx);
    free(widened);
    return status;
}
