/* picture_file.c - see picture_file.h. */
#include "render/picture_file.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/png.h"

/* of zlib; measured in docs/modules/render-command.md */
#define PNG_LEVEL 5

void sv_picture_file_name(int epoch, const char *stage, char out[SV_PICTURE_NAME_ROOM]) {
    snprintf(out, SV_PICTURE_NAME_ROOM, "%d%s%.8s.png", epoch, stage ? "_" : "", stage ? stage : "");
}

sv_status sv_picture_file_write(sv_painter *painter, const sv_night *night, int epoch, unsigned char *rgb,
                                const char *path, sv_error *err) {
    static const sv_png_options options = {.level = PNG_LEVEL, .rgba_out = true};
    sv_picture_draw_epoch(painter, night, epoch, rgb);
    sv_image image = {.width = SV_PICTURE_WIDTH, .height = SV_PICTURE_HEIGHT, .n_channels = 3, .pixels = rgb};
    unsigned char *png;
    size_t len;
    sv_status status = sv_png_encode(&image, &options, &png, &len, err);
    if (status) return status;
    status = sv_file_write(path, png, len, err);
    free(png);
    return status;
}
