/* fuzz_png.c - the PNG decoder, and that what it accepts can be written and read back unchanged. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/png.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    sv_image image, again;
    if (sv_png_decode(data, size, "input", &image, NULL) != SV_OK) return 0;
    size_t n_pixels = (size_t)image.width * (size_t)image.height;
    unsigned char *png;
    size_t len;
    if (n_pixels < 1 << 16 && sv_png_encode(&image, &(sv_png_options){.level = 1}, &png, &len, NULL) == SV_OK) {
        if (sv_png_decode(png, len, "again", &again, NULL) != SV_OK) abort();
        if (memcmp(image.pixels, again.pixels, 4 * n_pixels) != 0) abort();
        sv_image_free(&again);
        free(png);
    }
    sv_image_free(&image);
    return 0;
}
