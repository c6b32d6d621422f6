/*
 * picture_file.h - pictures as PNG files, under the published system's names.
 */
#ifndef SV_RENDER_PICTURE_FILE_H
#define SV_RENDER_PICTURE_FILE_H

#include "render/picture.h"

enum { SV_PICTURE_NAME_ROOM = 32 };

/* "12.png", or with a stage's name "12_N2.png". */
void sv_picture_file_name(int epoch, const char *stage, char out[SV_PICTURE_NAME_ROOM]);

/* Draws an epoch into rgb [224, 448, 3] and writes it to `path`, whole or not at all. */
sv_status sv_picture_file_write(sv_painter *painter, const sv_night *night, int epoch, unsigned char *rgb,
                                const char *path, sv_error *err);

#endif
