/* stroke.c - round joins, projecting caps. */
#include "render/stroke.h"

#include <math.h>

#include "base/memory.h"

#define SAME_POINT_PX 1e-14
#define PARALLEL 1e-30
#define MIN_INNER_MITER 1.01    /* half-widths */
#define FLAT_SHARE (1.0 / 1024) /* of the half-width: a bevel nearer than this to the arc is not worth a corner */
#define CHORD_ERROR_PX 0.125

sv_status sv_polyline_init(sv_polyline *line, int capacity, sv_error *err) {
    *line = (sv_polyline){.capacity = capacity};
    line->points = sv_calloc((size_t)capacity, sizeof *line->points);
    line->normals = sv_calloc((size_t)capacity, sizeof *line->normals);
    line->lengths = sv_calloc((size_t)capacity, sizeof *line->lengths);
    if (line->points && line->normals && line->lengths) return SV_OK;
    sv_polyline_deinit(line);
    return sv_fail_memory(err, "a line of points", (size_t)capacity * sizeof *line->points);
}

void sv_polyline_deinit(sv_polyline *line) {
    free(line->points);
    free(line->normals);
    free(line->lengths);
    *line = (sv_polyline){0};
}

void sv_polyline_add(sv_polyline *line, sv_point p) {
    if (line->n > 0) {
        sv_point last = line->points[line->n - 1];
        double dx = p.x - last.x, dy = p.y - last.y, length = sqrt(dx * dx + dy * dy);
        if (!(length > SAME_POINT_PX)) return;
        line->lengths[line->n - 1] = length;
    }
    line->points[line->n++] = p;
}

static sv_point beside(sv_point p, sv_point normal) { return (sv_point){p.x + normal.x, p.y + normal.y}; }

/* Positive when c lies on the side of the normals of a->b. */
static double side(sv_point a, sv_point b, sv_point c) { return (c.x - b.x) * (b.y - a.y) - (c.y - b.y) * (b.x - a.x); }

/* Where the lines a-b and c-d cross; false when they are parallel. */
static bool crossing(sv_point a, sv_point b, sv_point c, sv_point d, sv_point *out) {
    double numerator = (a.y - c.y) * (d.x - c.x) - (a.x - c.x) * (d.y - c.y);
    double denominator = (b.x - a.x) * (d.y - c.y) - (b.y - a.y) * (d.x - c.x);
    if (fabs(denominator) < PARALLEL) return false;
    double share = numerator / denominator;
    *out = (sv_point){a.x + share * (b.x - a.x), a.y + share * (b.y - a.y)};
    return true;
}

/* One corner of one side of the line: the points, the lengths and normals of its two segments. */
typedef struct corner {
    sv_point before, at, after;
    double length_before, length_after;
    sv_point normal_before, normal_after;
} corner;

static void join_inner(const corner *c, double half_width, sv_raster *raster) {
    double limit = SV_MAX(SV_MIN(c->length_before, c->length_after), MIN_INNER_MITER * half_width);
    sv_point end_before = beside(c->at, c->normal_before), start_after = beside(c->at, c->normal_after), p;
    if (crossing(beside(c->before, c->normal_before), end_before, start_after, beside(c->after, c->normal_after), &p)) {
        double dx = p.x - c->at.x, dy = p.y - c->at.y;
        if (sqrt(dx * dx + dy * dy) <= limit) {
            sv_raster_line_to(raster, p);
            return;
        }
    }
    sv_raster_line_to(raster, end_before);
    sv_raster_line_to(raster, start_after);
}

static void join_outer(const corner *c, double half_width, double max_turn, sv_raster *raster) {
    sv_point a = c->normal_before, b = c->normal_after;
    sv_point end_before = beside(c->at, a), start_after = beside(c->at, b);
    double mx = (a.x + b.x) / 2, my = (a.y + b.y) / 2;
    if (half_width - sqrt(mx * mx + my * my) < half_width * FLAT_SHARE) {
        sv_point p = end_before;
        crossing(beside(c->before, a), end_before, start_after, beside(c->after, b), &p);
        sv_raster_line_to(raster, p);
        return;
    }
    sv_raster_line_to(raster, end_before);
    double turn = atan2(a.x * b.y - a.y * b.x, a.x * b.x + a.y * b.y);
    turn = fabs(turn);
    int n_between = (int)(turn / max_turn);
    for (int i = 1; i <= n_between; i++) {
        double angle = turn * i / (n_between + 1), s = sin(angle), t = cos(angle);
        sv_raster_line_to(raster, (sv_point){c->at.x + a.x * t - a.y * s, c->at.y + a.x * s + a.y * t});
    }
    sv_raster_line_to(raster, start_after);
}

static void join(const corner *c, double half_width, double max_turn, sv_raster *raster) {
    if (side(c->before, c->at, c->after) > 0) {
        join_inner(c, half_width, raster);
    } else {
        join_outer(c, half_width, max_turn, raster);
    }
}

static sv_point opposite(sv_point p) { return (sv_point){-p.x, -p.y}; }

/* The two corners at an end: `normal` points to the left of the direction in which the line leaves `at`. */
static sv_point cap_corner(sv_point at, sv_point normal, int sign) {
    /* out of the line by half its width: the normal turned by a quarter */
    sv_point out = {normal.y, -normal.x};
    return (sv_point){at.x + sign * normal.x + out.x, at.y + sign * normal.y + out.y};
}

void sv_stroke(sv_polyline *line, double width_px, sv_raster *raster) {
    int n = line->n;
    line->n = 0;
    if (n < 2) return;
    const sv_point *p = line->points;
    double half = width_px / 2, max_turn = 2 * acos(half / (half + CHORD_ERROR_PX));
    for (int i = 0; i + 1 < n; i++) {
        line->normals[i] = (sv_point){half * (p[i + 1].y - p[i].y) / line->lengths[i],
                                      -(half * (p[i + 1].x - p[i].x) / line->lengths[i])};
    }
    const sv_point *normals = line->normals;
    sv_raster_move_to(raster, cap_corner(p[0], normals[0], -1));
    sv_raster_line_to(raster, cap_corner(p[0], normals[0], 1));
    for (int i = 1; i + 1 < n; i++) {
        corner c = {p[i - 1], p[i], p[i + 1], line->lengths[i - 1], line->lengths[i], normals[i - 1], normals[i]};
        join(&c, half, max_turn, raster);
    }
    sv_raster_line_to(raster, cap_corner(p[n - 1], opposite(normals[n - 2]), -1));
    sv_raster_line_to(raster, cap_corner(p[n - 1], opposite(normals[n - 2]), 1));
    for (int i = n - 2; i > 0; i--) {
        corner c = {p[i + 1],
                    p[i],
                    p[i - 1],
                    line->lengths[i],
                    line->lengths[i - 1],
                    opposite(normals[i]),
                    opposite(normals[i - 1])};
        join(&c, half, max_turn, raster);
    }
    sv_raster_close(raster);
}
