/*
 * cells.h - polygons to coverage, exactly: every edge adds the signed area beside it to the pixels that it passes
 * (Levien's libart and FreeType's "smooth" rasteriser work so); the coverage of a pixel is the absolute sum, at most 1,
 * so that overlaps of one shape with itself count once. Rounding rules are those of Anti-Grain Geometry 2.4, the back
 * end that drew the training pictures.
 */
#ifndef SV_RENDER_CELLS_H
#define SV_RENDER_CELLS_H

#include "base/status.h"
#include "render/dots.h"

#define SV_SUBPIXELS 256 /* edges lie on a grid of so many lines a pixel, each way */
#define SV_EDGES_AT_ONCE 128

typedef struct sv_cells sv_cells;

sv_status sv_cells_new(sv_cells **out, sv_error *err);
void sv_cells_free(sv_cells *cells);

/* Adds n <= SV_EDGES_AT_ONCE edges, from (x0, y0) to (x1, y1) in 1/256 pixel, 0 to 448 * 256 and 0 to 224 * 256. For a
 * chain of corners x1 and y1 may be x0 + 1 and y0 + 1. Up to 16,000 edges may pass one pixel. */
void sv_cells_add(sv_cells *cells, const int *x0, const int *y0, const int *x1, const int *y1, int n);

/* Replaces `dots` by what was added, and forgets it. */
void sv_cells_take(sv_cells *cells, sv_dots *dots);

#endif
