/*
 * stroke.h - a line of a given width: from a polyline to the outline that is filled.
 */
#ifndef SV_RENDER_STROKE_H
#define SV_RENDER_STROKE_H

#include <math.h>

#include "render/raster.h"

#define SV_SAME_POINT_PX 1e-14

/* A polyline being collected. Points that coincide with the one before are left out. */
typedef struct sv_polyline {
    double *x, *y; /* [capacity], owned */
    int n, capacity;
} sv_polyline;

sv_status sv_polyline_init(sv_polyline *line, int capacity, sv_error *err);
void sv_polyline_deinit(sv_polyline *line);

/* n > 0 */
static inline sv_point sv_polyline_last(const sv_polyline *line) {
    return (sv_point){line->x[line->n - 1], line->y[line->n - 1]};
}

/* n < capacity */
static inline void sv_polyline_add(sv_polyline *line, sv_point p) {
    if (line->n > 0) {
        sv_point last = sv_polyline_last(line);
        double dx = p.x - last.x, dy = p.y - last.y;
        if (!(sqrt(dx * dx + dy * dy) > SV_SAME_POINT_PX)) return;
    }
    line->x[line->n] = p.x;
    line->y[line->n] = p.y;
    line->n++;
}

/* Adds the outline of the polyline drawn `width_px` wide, with round joins and projecting caps, to the raster, and
 * empties the polyline. A single point draws nothing. Joins as in Anti-Grain Geometry: an inner join is mitred up to
 * the shorter segment and cut beyond, an outer one is an arc of chords that stay within 1/8 pixel; where hardly
 * anything bends, both are the crossing of the borders. */
void sv_stroke(sv_polyline *line, double width_px, sv_raster *raster);

#endif
