/*
 * raster.h - polygons to pixels, on a canvas of the picture's size: corners rounded to 1/256 pixel, what is outside cut
 * off.
 */
#ifndef SV_RENDER_RASTER_H
#define SV_RENDER_RASTER_H

#include "render/dots.h"

typedef struct sv_point {
    double x, y; /* pixels, y down */
} sv_point;

typedef struct sv_raster sv_raster;

sv_status sv_raster_new(sv_raster **out, sv_error *err);
void sv_raster_free(sv_raster *raster);

/* Adds corners to the outline of a polygon. They may lie outside of the canvas; they must be finite. */
void sv_raster_add(sv_raster *raster, const sv_point *corners, int n);

/* Adds the edge from the last corner to the first; the next corner starts another polygon. */
void sv_raster_close(sv_raster *raster);

/* Replaces `dots` by what the polygons cover, at most once where they overlap, and forgets them. */
void sv_raster_take(sv_raster *raster, sv_dots *dots);

#endif
