/*
 * stroke.h - a line of a given width: from a polyline to the outline that is filled.
 */
#ifndef SV_RENDER_STROKE_H
#define SV_RENDER_STROKE_H

#include "render/raster.h"

/* A polyline being collected. Points that coincide with the one before are left out. */
typedef struct sv_polyline {
    sv_point *points;  /* [capacity], owned */
    sv_point *normals; /* [capacity]: half the width to the left of the segment that starts at the point */
    double *lengths;   /* [capacity]: of that segment */
    sv_point *outline; /* what surrounds the line, while it is being stroked */
    int n, capacity;
} sv_polyline;

sv_status sv_polyline_init(sv_polyline *line, int capacity, sv_error *err);
void sv_polyline_deinit(sv_polyline *line);
void sv_polyline_add(sv_polyline *line, sv_point p); /* n < capacity */

/* Adds the outline of the polyline drawn `width_px` wide, with round joins and projecting caps, to the raster, and
 * empties the polyline. A single point draws nothing. Joins as in Anti-Grain Geometry: an inner join is mitred up to
 * the shorter segment and cut beyond, an outer one is an arc of chords that stay within 1/8 pixel; where hardly
 * anything bends, both are the crossing of the borders. */
void sv_stroke(sv_polyline *line, double width_px, sv_raster *raster);

#endif
