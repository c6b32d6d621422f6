/* small_picture.c - colour levels, palette, PNG. */
#include "report/small_picture.h"

#include <spng.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* Colour index of every pixel and the palette; false when there are more than 256 colours. */
static bool quantise(const unsigned char *rgb, size_t n_pixels, unsigned levels, unsigned char *indices,
                     struct spng_plte *palette) {
    short of_colour[512]; /* by level triple, -1 = not seen yet */
    unsigned char level[256];
    memset(of_colour, 0xff, sizeof of_colour);
    for (unsigned v = 0; v < 256; v++) level[v] = (unsigned char)((v * (levels - 1) + 127) / 255);
    palette->n_entries = 0;
    for (size_t i = 0; i < n_pixels; i++) {
        unsigned r = level[rgb[3 * i]], g = level[rgb[3 * i + 1]], b = level[rgb[3 * i + 2]];
        unsigned key = (r << 6) | (g << 3) | b;
        if (of_colour[key] < 0) {
            if (palette->n_entries == 256) return false;
            unsigned top = levels - 1;
            palette->entries[palette->n_entries] = (struct spng_plte_entry){
                (uint8_t)(r * 255 / top), (uint8_t)(g * 255 / top), (uint8_t)(b * 255 / top), 255};
            of_colour[key] = (short)palette->n_entries++;
        }
        indices[i] = (unsigned char)of_colour[key];
    }
    return true;
}

static int encode(spng_ctx *png, const unsigned char *indices, int width, int height, struct spng_plte *palette) {
    struct spng_ihdr header = {
        .width = (uint32_t)width, .height = (uint32_t)height, .bit_depth = 8, .color_type = SPNG_COLOR_TYPE_INDEXED};
    int e;
    if ((e = spng_set_option(png, SPNG_ENCODE_TO_BUFFER, 1))) return e;
    if ((e = spng_set_option(png, SPNG_IMG_COMPRESSION_LEVEL, 7))) return e;
    if ((e = spng_set_ihdr(png, &header))) return e;
    if ((e = spng_set_plte(png, palette))) return e;
    return spng_encode_image(png, indices, (size_t)width * (size_t)height, SPNG_FMT_PNG, SPNG_ENCODE_FINALIZE);
}

sv_status sv_small_picture_encode(const unsigned char *rgb, int width, int height, unsigned char **out, size_t *out_len,
                                  sv_error *err) {
    size_t n_pixels = (size_t)width * (size_t)height;
    unsigned char *indices = sv_calloc(n_pixels, 1);
    spng_ctx *png = spng_ctx_new(SPNG_CTX_ENCODER);
    struct spng_plte palette;
    sv_status s = indices && png ? SV_OK : sv_fail_memory(err, "picture", n_pixels);
    if (!s) {
        if (!quantise(rgb, n_pixels, 8, indices, &palette)) quantise(rgb, n_pixels, 4, indices, &palette);
        int e = encode(png, indices, width, height, &palette);
        *out = e ? NULL : spng_get_png_buffer(png, out_len, &e);
        if (e) s = sv_fail(err, SV_ERR_INTERNAL, "cannot encode a picture as PNG: %s", spng_strerror(e));
    }
    spng_ctx_free(png);
    free(indices);
    return s;
}
