/* stroke.c - round joins, projecting caps. */
#include "render/stroke.h"

#include <math.h>

#include "base/memory.h"

#define SAME_POINT_PX 1e-14
#define PARALLEL 1e-30
#define MIN_INNER_MITER 1.01    /* half-widths */
#define FLAT_SHARE (1.0 / 1024) /* of the half-width: a bevel nearer than this to the arc is not worth a corner */
#define CHORD_ERROR_PX 0.125
#define SIDES 2
#define MAX_CORNERS 4 /* of the outline beside one point: the ends of an arc and two inside */

sv_status sv_polyline_init(sv_polyline *line, int capacity, sv_error *err) {
    *line = (sv_polyline){.capacity = capacity};
    line->points = sv_calloc((size_t)capacity, sizeof *line->points);
    line->normals = sv_calloc((size_t)capacity, sizeof *line->normals);
    line->lengths = sv_calloc((size_t)capacity, sizeof *line->lengths);
    line->outline = sv_calloc((size_t)capacity, SIDES * MAX_CORNERS * sizeof *line->outline);
    if (line->points && line->normals && line->lengths && line->outline) return SV_OK;
    sv_polyline_deinit(line);
    return sv_fail_memory(err, "a line of points", (size_t)capacity * sizeof *line->points);
}

void sv_polyline_deinit(sv_polyline *line) {
    free(line->points);
    free(line->normals);
    free(line->lengths);
    free(line->outline);
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
static inline double turn(sv_point a, sv_point b, sv_point c) {
    return (c.x - b.x) * (b.y - a.y) - (c.y - b.y) * (b.x - a.x);
}

/* Where the lines a-b and c-d cross; false when they are parallel. */
static bool crossing(sv_point a, sv_point b, sv_point c, sv_point d, sv_point *out) {
    double numerator = (a.y - c.y) * (d.x - c.x) - (a.x - c.x) * (d.y - c.y);
    double denominator = (b.x - a.x) * (d.y - c.y) - (b.y - a.y) * (d.x - c.x);
    if (fabs(denominator) < PARALLEL) return false;
    double share = numerator / denominator;
    *out = (sv_point){a.x + share * (b.x - a.x), a.y + share * (b.y - a.y)};
    return true;
}

/* The outline is one closed polygon, which leads along one side of the line and comes back along the other. Both sides
 * are made in one pass, the second one from its end. */
typedef struct outline {
    double half_width;
    double cos_one_chord, cos_two_chords; /* of the largest turns that one and two chords may span */
} outline;

typedef struct border {
    sv_point *end; /* where the corners added so far end, or (backward) begin */
    bool backward;
} border;

/* Room for the next n corners, to be filled in the order in which they are passed. */
static inline sv_point *border_take(border *side, int n) {
    sv_point *out = side->end - (side->backward ? n : 0);
    side->end = out + (side->backward ? 0 : n);
    return out;
}

static inline void border_add(border *side, sv_point p) { *border_take(side, 1) = p; }

/* One corner of one side of the line: the points, the lengths and normals of its two segments. */
typedef struct corner {
    sv_point before, at, after;
    double length_before, length_after;
    sv_point normal_before, normal_after;
} corner;

static inline void join_inner(const corner *c, const outline *o, border *side) {
    double limit = SV_MAX(SV_MIN(c->length_before, c->length_after), MIN_INNER_MITER * o->half_width);
    sv_point end_before = beside(c->at, c->normal_before), start_after = beside(c->at, c->normal_after), p;
    if (crossing(beside(c->before, c->normal_before), end_before, start_after, beside(c->after, c->normal_after), &p)) {
        double dx = p.x - c->at.x, dy = p.y - c->at.y;
        if (sqrt(dx * dx + dy * dy) <= limit) {
            border_add(side, p);
            return;
        }
    }
    sv_point *out = border_take(side, 2);
    out[0] = end_before;
    out[1] = start_after;
}

/* Cosine and sine of a third of the turn whose cosine is given, for sharp turns: it is (pi - asin h) * 2/3 with h the
 * cosine of half the turn, short of pi/3 by f = asin(h) * 2/3. cos f and sin f are power series in h (hypergeometric,
 * Abramowitz & Stegun 15.1.16-17): at the widths of traces h is below 0.19 and what is left out below 1e-15. */
static inline sv_point third_of_turn(double cosine) {
    static const double root_3_4 = 0.86602540378443865;
    double q = (1 + SV_MAX(cosine, -1)) / 2, h = sqrt(q), q2 = q * q, q4 = q2 * q2;
    double cos_f = (1 + q * (-2.0 / 9)) + q2 * (-16.0 / 243 + q * (-224.0 / 6561)) +
                   q4 * ((-0.021676912394790766 + q * -0.01530764677755595) +
                         q2 * (-0.011545161205968123 + q * -0.009106439730226384) + q4 * -0.007420062002406682);
    double sin_f = h * ((2.0 / 3 + q * (5.0 / 81)) + q2 * (77.0 / 2916 + q * (2431.0 / 157464)) +
                        q4 * ((0.010411423453716718 + q * 0.0076245272767117385) +
                              q2 * (0.005892173857003017 + q * 0.0047293268471288764) + q4 * 0.003904399329267753));
    return (sv_point){cos_f / 2 + root_3_4 * sin_f, root_3_4 * cos_f - sin_f / 2};
}

/* The arc from normal a to normal b; `middle` is the mean of the two. As few corners as keep the chords near the arc:
 * at these widths none, one or two between the ends. */
static inline void add_arc(sv_point at, sv_point a, sv_point b, sv_point middle, double middle_length, const outline *o,
                           border *side) {
    double square = o->half_width * o->half_width, cosine = (a.x * b.x + a.y * b.y) / square;
    int n_inside = cosine > o->cos_one_chord ? 0 : cosine > o->cos_two_chords ? 1 : 2;
    sv_point *out = border_take(side, n_inside + 2);
    out[0] = beside(at, a);
    out[n_inside + 1] = beside(at, b);
    if (n_inside == 1) {
        double scale = o->half_width / middle_length;
        out[1] = (sv_point){at.x + scale * middle.x, at.y + scale * middle.y};
    } else if (n_inside == 2) {
        sv_point t = third_of_turn(cosine);
        out[1] = (sv_point){at.x + a.x * t.x - a.y * t.y, at.y + a.x * t.y + a.y * t.x};
        out[2] = (sv_point){at.x + b.x * t.x + b.y * t.y, at.y - b.x * t.y + b.y * t.x};
    }
}

static inline void join_outer(const corner *c, const outline *o, border *side) {
    sv_point a = c->normal_before, b = c->normal_after;
    sv_point end_before = beside(c->at, a), start_after = beside(c->at, b);
    sv_point middle = {(a.x + b.x) / 2, (a.y + b.y) / 2};
    double middle_length = sqrt(middle.x * middle.x + middle.y * middle.y);
    if (o->half_width - middle_length < o->half_width * FLAT_SHARE) {
        sv_point p = end_before;
        crossing(beside(c->before, a), end_before, start_after, beside(c->after, b), &p);
        border_add(side, p);
        return;
    }
    add_arc(c->at, a, b, middle, middle_length, o, side);
}

static sv_point opposite(sv_point p) { return (sv_point){-p.x, -p.y}; }

/* The corner at point i on the side that is followed forward (direction 1) or backward (-1). */
static inline corner corner_at(const sv_polyline *line, int i, int direction) {
    int in = direction > 0 ? i - 1 : i, out = direction > 0 ? i : i - 1;
    const sv_point *p = line->points, *normals = line->normals;
    return (corner){.before = p[i - direction],
                    .at = p[i],
                    .after = p[i + direction],
                    .length_before = line->lengths[in],
                    .length_after = line->lengths[out],
                    .normal_before = {direction * normals[in].x, direction * normals[in].y},
                    .normal_after = {direction * normals[out].x, direction * normals[out].y}};
}

/* Which side is the inner one cannot be foretold: it is a number here, not a branch. */
static inline void join(const sv_polyline *line, int i, const outline *o, border sides[SIDES]) {
    double bend = turn(line->points[i - 1], line->points[i], line->points[i + 1]);
    int inner = bend > 0 ? 0 : 1, direction = 1 - 2 * inner;
    corner inside = corner_at(line, i, direction), outside = corner_at(line, i, -direction);
    if (bend != 0) {
        join_inner(&inside, o, &sides[inner]);
    } else {
        join_outer(&inside, o, &sides[inner]);
    }
    join_outer(&outside, o, &sides[1 - inner]);
}

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
    outline o = {.half_width = half, .cos_one_chord = cos(chord_turn), .cos_two_chords = cos(2 * chord_turn)};
    sv_point *first = line->outline, *last = first + SIDES * MAX_CORNERS * (size_t)n;
    border sides[SIDES] = {{first, false}, {last, true}};
    sv_point back = opposite(normals[n - 2]);
    border_add(&sides[0], cap_corner(p[0], normals[0], 1));
    for (int i = 1; i + 1 < n; i++) join(line, i, &o, sides);
    border_add(&sides[0], cap_corner(p[n - 1], back, -1));
    border_add(&sides[1], cap_corner(p[n - 1], back, 1));
    sv_raster_begin(raster, cap_corner(p[0], normals[0], -1));
    sv_raster_add(raster, first, (int)(sides[0].end - first));
    sv_raster_add(raster, sides[1].end, (int)(last - sides[1].end));
    sv_raster_close(raster);
}
