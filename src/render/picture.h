/*
 * picture.h - one epoch as the 448 x 224 picture that the network was trained on (original-system.md "Picture").
 */
#ifndef SV_RENDER_PICTURE_H
#define SV_RENDER_PICTURE_H

#include "psg/night.h"

#define SV_PICTURE_WIDTH 448
#define SV_PICTURE_HEIGHT 224
#define SV_PICTURE_BYTES (448 * 224 * 3)

/* Scratch memory of the rasteriser; one per thread. */
typedef struct sv_painter sv_painter;
sv_status sv_painter_new(sv_painter **out, sv_error *err);
void sv_painter_free(sv_painter *painter);

/* Draws an epoch. samples[role]: [3000] microvolts at 100 Hz, or NULL for a role that the recording lacks (the others
 * share the height). NaN samples leave a gap in the trace. rgb: [224, 448, 3]. */
void sv_picture_draw(sv_painter *painter, const double *const samples[SV_N_ROLES], unsigned char *rgb);

/* The same for epoch `epoch` of a night. */
void sv_picture_draw_epoch(sv_painter *painter, const sv_night *night, int epoch, unsigned char *rgb);

#endif
