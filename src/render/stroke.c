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

/* Corners of the outline on their way to the raster, a handful at a time. */
typedef struct outline {
    sv_raster *raster;
    double half_width;
    double cos_one_chord, cos_two_chords; /* of the largest turns that one and two chords may span */
    int n;
    sv_point points[64];
} outline;

static void outline_flush(outline *o) {
    sv_raster_add(o->raster, o->points, o->n);
    o->n = 0;
}

static inline void outline_add(outline *o, sv_point p) {
    o->points[o->n++] = p;
    if (o->n == (int)SV_COUNT(o->points)) outline_flush(o);
}

/* One corner of one side of the line: the points, the lengths and normals of its two segments. */
typedef struct corner {
    sv_point before, at, after;
    double length_before, length_after;
    sv_point normal_before, normal_after;
} corner;

static inline void join_inner(const corner *c, outline *o) {
    double limit = SV_MAX(SV_MIN(c->length_before, c->length_after), MIN_INNER_MITER * o->half_width);
    sv_point end_before = beside(c->at, c->normal_before), start_after = beside(c->at, c->normal_after), p;
    if (crossing(beside(c->before, c->normal_before), end_before, start_after, beside(c->after, c->normal_after), &p)) {
        double dx = p.x - c->at.x, dy = p.y - c->at.y;
        if (sqrt(dx * dx + dy * dy) <= limit) {
            outline_add(o, p);
            return;
        }
    }
    outline_add(o, end_before);
    outline_add(o, start_after);
}

/* Corners between the ends of the arc from normal a to normal b; `middle` is the mean of the two. As few as keep the
 * chords near the arc: at these widths none, one or two. */
static inline void add_arc(sv_point at, sv_point a, sv_point b, sv_point middle, double middle_length, outline *o) {
    double square = o->half_width * o->half_width, cosine = (a.x * b.x + a.y * b.y) / square;
    if (cosine > o->cos_one_chord) return;
    if (cosine > o->cos_two_chords) {
        double scale = o->half_width / middle_length;
        outline_add(o, (sv_point){at.x + scale * middle.x, at.y + scale * middle.y});
        return;
    }
    double third = acos(SV_MAX(cosine, -1)) / 3, s = sin(third), c = cos(third);
    outline_add(o, (sv_point){at.x + a.x * c - a.y * s, at.y + a.x * s + a.y * c});
    outline_add(o, (sv_point){at.x + b.x * c + b.y * s, at.y - b.x * s + b.y * c});
}

static inline void join_outer(const corner *c, outline *o) {
    sv_point a = c->normal_before, b = c->normal_after;
    sv_point end_before = beside(c->at, a), start_after = beside(c->at, b);
    sv_point middle = {(a.x + b.x) / 2, (a.y + b.y) / 2};
    double middle_length = sqrt(middle.x * middle.x + middle.y * middle.y);
    if (o->half_width - middle_length < o->half_width * FLAT_SHARE) {
        sv_point p = end_before;
        crossing(beside(c->before, a), end_before, start_after, beside(c->after, b), &p);
        outline_add(o, p);
        return;
    }
    outline_add(o, end_before);
    add_arc(c->at, a, b, middle, middle_length, o);
    outline_add(o, start_after);
}

static inline void join(const corner *c, outline *o) {
    if (side(c->before, c->at, c->after) > 0) {
        join_inner(c, o);
    } else {
        join_outer(c, o);
    }
}

static sv_point opposite(sv_point p) { return (sv_point){-p.x, -p.y}; }

/* A corner of the cap at an end that the line leaves with this normal: the one on that side, or (-1) the other. */
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
    const double *lengths = line->lengths, half = width_px / 2;
    sv_point *normals = line->normals;
    for (int i = 0; i + 1 < n; i++) {
        normals[i].x = half * (p[i + 1].y - p[i].y) / lengths[i];
        normals[i].y = -(half * (p[i + 1].x - p[i].x) / lengths[i]);
    }
    double chord_turn = 2 * acos(half / (half + CHORD_ERROR_PX));
    outline o = {
        .raster = raster, .half_width = half, .cos_one_chord = cos(chord_turn), .cos_two_chords = cos(2 * chord_turn)};
    sv_raster_begin(raster, cap_corner(p[0], normals[0], -1));
    outline_add(&o, cap_corner(p[0], normals[0], 1));
    for (int i = 1; i + 1 < n; i++) {
        corner c = {p[i - 1], p[i], p[i + 1], lengths[i - 1], lengths[i], normals[i - 1], normals[i]};
        join(&c, &o);
    }
    sv_point back = opposite(normals[n - 2]);
    outline_add(&o, cap_corner(p[n - 1], back, -1));
    outline_add(&o, cap_corner(p[n - 1], back, 1));
    for (int i = n - 2; i > 0; i--) {
        corner c = {
            p[i + 1], p[i], p[i - 1], lengths[i], lengths[i - 1], opposite(normals[i]), opposite(normals[i - 1])};
        join(&c, &o);
    }
    outline_flush(&o);
    sv_raster_close(raster);
}
