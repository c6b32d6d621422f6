/*
 * trace.h - a signal as the polyline that is worth drawing: gaps, clipping, simplification.
 */
#ifndef SV_RENDER_TRACE_H
#define SV_RENDER_TRACE_H

#include "render/stroke.h"

/* Points that a trace of n samples can need at once. */
#define SV_TRACE_CAPACITY(n) (3 * (n) + 4)

typedef struct sv_trace_style {
    double zero_px, px_per_uv; /* y = zero_px - px_per_uv * sample */
    double width_px;
} sv_trace_style;

/* Adds the trace of n samples, spread evenly over the width of the canvas, to the raster. Samples that are not finite
 * leave a gap. `line` is scratch of SV_TRACE_CAPACITY(n) points.
 *
 * Before stroking, the line is cut off one pixel outside of the canvas, and thinned as matplotlib does: as long as
 * points stay within 1/9 pixel of the direction of the first step of a run, only the farthest ones forward and backward
 * along it and the last one are kept, so that no peak is lost. */
void sv_trace_add(const double *samples, int n, const sv_trace_style *style, sv_polyline *line, sv_raster *raster);

#endif
