/* trace.c - from samples to a thinned polyline, in one pass. */
#include "render/trace.h"

#include <math.h>

#define MARGIN_PX 1.0
#define THRESHOLD_PX (1.0 / 9)

/* The run of steps that is being merged into one stroke. */
typedef struct run {
    double dx, dy, square;  /* its first step; square is 0 while there is none */
    double most_off_square; /* of how far off that direction it may go, in the first step's length * pixels */
    sv_point origin, last, forward, backward;
    double most_forward, most_backward; /* how far along the first step, each way, in its length * pixels */
    bool last_is_extreme, last_is_forward;
} run;

typedef struct tracer {
    const sv_trace_style *style;
    sv_polyline *line;
    sv_raster *raster;
    run run;
} tracer;

static void run_begin(run *r, sv_point origin, sv_point p) {
    double dx = p.x - r->last.x, dy = p.y - r->last.y, square = dx * dx + dy * dy;
    *r = (run){.dx = dx, .dy = dy, .square = square, .origin = origin, .last = p, .forward = p};
    r->most_forward = square;
    r->most_off_square = THRESHOLD_PX * THRESHOLD_PX * square;
    r->last_is_extreme = r->last_is_forward = true;
}

/* Writes the extremes of the run, in the order in which they were reached if that is known. */
static void run_write(tracer *t) {
    const run *r = &t->run;
    bool back = r->most_backward > 0;
    if (back && r->last_is_forward) sv_polyline_add(t->line, r->backward);
    sv_polyline_add(t->line, r->forward);
    if (back && !r->last_is_forward) sv_polyline_add(t->line, r->backward);
    if (!r->last_is_extreme) sv_polyline_add(t->line, r->last);
}

static void trace_stroke(tracer *t) { sv_stroke(t->line, t->style->width_px, t->raster); }

static void trace_start(tracer *t, sv_point p) {
    if (t->run.square > 0) run_write(t);
    trace_stroke(t);
    sv_polyline_add(t->line, p);
    t->run = (run){.last = p};
}

static void trace_step(tracer *t, sv_point p) {
    run *r = &t->run;
    if (r->square == 0) {
        run_begin(r, r->last, p);
        return;
    }
    double dx = p.x - r->origin.x, dy = p.y - r->origin.y;
    double along = r->dx * dx + r->dy * dy, off = r->dx * dy - r->dy * dx;
    if (off * off >= r->most_off_square) {
        run_write(t);
        run_begin(r, sv_polyline_last(t->line), p);
        return;
    }
    r->last = p;
    r->last_is_forward = along > r->most_forward;
    bool farthest_back = -along > r->most_backward;
    r->last_is_extreme = r->last_is_forward || farthest_back;
    if (r->last_is_forward) {
        r->most_forward = along;
        r->forward = p;
    } else if (farthest_back) {
        r->most_backward = -along;
        r->backward = p;
    }
}

static void trace_end(tracer *t) {
    const run *r = &t->run;
    if (r->square > 0) {
        sv_polyline_add(t->line, r->forward);
        if (r->most_backward > 0) sv_polyline_add(t->line, r->backward);
    }
    if (t->line->n > 0) sv_polyline_add(t->line, r->last);
    trace_stroke(t);
}

/* Cuts the segment to the rows that are drawn. False when nothing of it is left. */
static bool cut(sv_point *a, sv_point *b, bool *a_moved) {
    const double top = -MARGIN_PX, bottom = SV_PICTURE_HEIGHT + MARGIN_PX;
    *a_moved = false;
    if ((a->y < top && b->y < top) || (a->y > bottom && b->y > bottom)) return false;
    sv_point p = *a, q = *b;
    if (p.y < top || p.y > bottom) {
        a->y = p.y < top ? top : bottom;
        a->x = (a->y - p.y) * (q.x - p.x) / (q.y - p.y) + p.x;
        *a_moved = true;
    }
    if (q.y < top || q.y > bottom) {
        b->y = q.y < top ? top : bottom;
        b->x = (b->y - p.y) * (q.x - p.x) / (q.y - p.y) + p.x;
    }
    return true;
}

void sv_trace_add(const double *samples, int n, const sv_trace_style *style, sv_polyline *line, sv_raster *raster) {
    tracer t = {.style = style, .line = line, .raster = raster};
    sv_point last = {0, NAN};
    bool drawing = false; /* the polyline ends at `last` */
    for (int i = 0; i < n; i++) {
        sv_point p = {n > 1 ? (double)SV_PICTURE_WIDTH * (i * (1.0 / (n - 1))) : 0,
                      style->zero_px - style->px_per_uv * samples[i]};
        bool joined = isfinite(last.y) && isfinite(p.y), moved;
        sv_point a = last, b = p;
        last = p;
        if (!joined) {
            drawing = false;
            continue;
        }
        if (!cut(&a, &b, &moved)) continue;
        if (moved || !drawing) trace_start(&t, a);
        drawing = true;
        trace_step(&t, b);
    }
    trace_end(&t);
}
