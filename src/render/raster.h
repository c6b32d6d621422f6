/*
 * raster.h - polygons to pixels with exact area coverage, on a canvas of the picture's size.
 *
 * Edges are rounded to 1/256 pixel and their signed area is summed per pixel (Levien's libart and FreeType's "smooth"
 * rasteriser work so); the coverage of a pixel is the absolute sum, at most 1, so that overlaps of one shape with
 * itself count once. Rounding rules are those of Anti-Grain Geometry 2.4, the back end that drew the training pictures.
 */
#ifndef SV_RENDER_RASTER_H
#define SV_RENDER_RASTER_H

#include <stdint.h>

#include "base/status.h"
#include "render/picture.h"

typedef struct sv_point {
    double x, y; /* pixels, y down */
} sv_point;

typedef struct sv_colour {
    unsigned char red, green, blue, alpha;
} sv_colour;

typedef struct sv_raster sv_raster;

sv_status sv_raster_new(sv_raster **out, sv_error *err);
void sv_raster_free(sv_raster *raster);

/* Adds the outline of a closed polygon: a start, any number of further corners in one or several calls, and the closing
 * edge. Corners may lie outside of the canvas; they must be finite. */
void sv_raster_begin(sv_raster *raster, sv_point start);
void sv_raster_add(sv_raster *raster, const sv_point *corners, int n);
void sv_raster_close(sv_raster *raster);

/* Blends everything that was added over rgb [224, 448, 3] and forgets it. */
void sv_raster_blend(sv_raster *raster, sv_colour colour, unsigned char *rgb);

#endif
