/* stroke.c - round joins, projecting caps. */
#include "render/stroke.h"

#include "base/clones.h"
#include "base/memory.h"

#define PARALLEL 1e-30
#define MIN_INNER_MITER 1.01    /* half-widths */
#define FLAT_SHARE (1.0 / 1024) /* of the half-width: a bevel nearer than this to the arc is not worth a corner */
#define CHORD_ERROR_PX 0.125
#define PIECE 128 /* joins that are made at once */

sv_status sv_polyline_init(sv_polyline *line, int capacity, sv_error *err) {
    *line = (sv_polyline){.capacity = capacity};
    line->x = sv_calloc((size_t)capacity, sizeof *line->x);
    line->y = sv_calloc((size_t)capacity, sizeof *line->y);
    if (line->x && line->y) return SV_OK;
    sv_polyline_deinit(line);
    return sv_fail_memory(err, "a line of points", (size_t)capacity * sizeof *line->x);
}

void sv_polyline_deinit(sv_polyline *line) {
    free(line->x);
    free(line->y);
    *line = (sv_polyline){0};
}

typedef struct pen {
    double half_width;
    double cos_one_chord, cos_two_chords; /* of the largest turns that one and two chords may span */
} pen;

/* How the left border goes on from one segment to the next. Which way it will be cannot be foretold, so all corners
 * that may be needed are worked out for many joins at once, and a table picks those that are. */
enum { CROSSING, BEFORE, MIDDLE, FIRST_THIRD, SECOND_THIRD, AFTER, CANDIDATES };
enum { CROSSED, CUT, ARC_OF_TWO, ARC_OF_THREE, WAYS }; /* each has one corner more than the one before it */
static const int corners_of[WAYS][WAYS] = {[CROSSED] = {CROSSING},
                                           [CUT] = {BEFORE, AFTER},
                                           [ARC_OF_TWO] = {BEFORE, MIDDLE, AFTER},
                                           [ARC_OF_THREE] = {BEFORE, FIRST_THIRD, SECOND_THIRD, AFTER}};

/* A piece of a line: join i is at its point i + 1, between the segments i and i + 1. */
typedef struct joins {
    double length[PIECE + 1];
    double normal_x[PIECE + 1], normal_y[PIECE + 1]; /* half the width to the left of a segment */
    double x[CANDIDATES][PIECE], y[CANDIDATES][PIECE];
    double bend[PIECE];   /* positive to the left, where the inner side is */
    double miter[PIECE];  /* from the point to the crossing */
    double middle[PIECE]; /* length of the mean of the two normals */
    double cosine[PIECE]; /* of the turn */
    int way[PIECE];
} joins;

void sv_stroke_normals_clones(const double *x, const double *y, int n, const pen *p, joins *restrict j);
void sv_stroke_crossings_clones(const double *x, const double *y, int n, joins *restrict j);
void sv_stroke_turns_clones(const double *x, const double *y, int n, const pen *p, joins *restrict j);
void sv_stroke_thirds_clones(const double *x, const double *y, int n, joins *restrict j);
void sv_stroke_ways_clones(int n, const pen *p, joins *restrict j);

/* Of n segments. */
SV_CLONES void sv_stroke_normals_clones(const double *x, const double *y, int n, const pen *p, joins *restrict j) {
    double half = p->half_width;
    for (int i = 0; i < n; i++) {
        double dx = x[i + 1] - x[i], dy = y[i + 1] - y[i], length = sqrt(dx * dx + dy * dy);
        j->length[i] = length;
        j->normal_x[i] = half * dy / length;
        j->normal_y[i] = -(half * dx / length);
    }
}

/* The borders a-b and c-d of the two segments and where they cross; parallel ones do nowhere. */
SV_CLONES void sv_stroke_crossings_clones(const double *x, const double *y, int n, joins *restrict j) {
    for (int i = 0; i < n; i++) {
        double before_x = j->normal_x[i], before_y = j->normal_y[i];
        double after_x = j->normal_x[i + 1], after_y = j->normal_y[i + 1];
        double ax = x[i] + before_x, ay = y[i] + before_y, bx = x[i + 1] + before_x, by = y[i + 1] + before_y;
        double cx = x[i + 1] + after_x, cy = y[i + 1] + after_y, dx = x[i + 2] + after_x, dy = y[i + 2] + after_y;
        double numerator = (ay - cy) * (dx - cx) - (ax - cx) * (dy - cy);
        double denominator = (bx - ax) * (dy - cy) - (by - ay) * (dx - cx), share = numerator / denominator;
        double crossing_x = ax + share * (bx - ax), crossing_y = ay + share * (by - ay);
        double miter_x = crossing_x - x[i + 1], miter_y = crossing_y - y[i + 1];
        bool parallel = fabs(denominator) < PARALLEL;
        j->bend[i] = (x[i + 2] - x[i + 1]) * (y[i + 1] - y[i]) - (y[i + 2] - y[i + 1]) * (x[i + 1] - x[i]);
        j->miter[i] = parallel ? INFINITY : sqrt(miter_x * miter_x + miter_y * miter_y);
        j->x[CROSSING][i] = parallel ? bx : crossing_x;
        j->y[CROSSING][i] = parallel ? by : crossing_y;
        j->x[BEFORE][i] = bx;
        j->y[BEFORE][i] = by;
        j->x[AFTER][i] = cx;
        j->y[AFTER][i] = cy;
    }
}

/* How sharp the turns are, and the middles of their arcs. */
SV_CLONES void sv_stroke_turns_clones(const double *x, const double *y, int n, const pen *p, joins *restrict j) {
    double half = p->half_width, square = half * half;
    for (int i = 0; i < n; i++) {
        double ax = j->normal_x[i], ay = j->normal_y[i], bx = j->normal_x[i + 1], by = j->normal_y[i + 1];
        double mean_x = (ax + bx) / 2, mean_y = (ay + by) / 2, middle = sqrt(mean_x * mean_x + mean_y * mean_y);
        double cosine = (ax * bx + ay * by) / square, scale = half / middle;
        j->middle[i] = middle;
        j->cosine[i] = SV_MAX(cosine, -1);
        j->x[MIDDLE][i] = x[i + 1] + scale * mean_x;
        j->y[MIDDLE][i] = y[i + 1] + scale * mean_y;
    }
}

/* Cosine and sine of a third of the turn whose cosine is given, for sharp turns: it is (pi - asin h) * 2/3 with h the
 * cosine of half the turn, short of pi/3 by f = asin(h) * 2/3. cos f and sin f are power series in h (hypergeometric,
 * Abramowitz & Stegun 15.1.16-17): at the widths of traces h is below 0.19 and what is left out below 1e-15. */
static inline sv_point third_of_turn(double cosine) {
    static const double root_3_4 = 0.86602540378443865;
    double q = (1 + cosine) / 2, h = sqrt(q), q2 = q * q, q4 = q2 * q2;
    double cos_f = (1 + q * (-2.0 / 9)) + q2 * (-16.0 / 243 + q * (-224.0 / 6561)) +
                   q4 * ((-0.021676912394790766 + q * -0.01530764677755595) +
                         q2 * (-0.011545161205968123 + q * -0.009106439730226384) + q4 * -0.007420062002406682);
    double sin_f = h * ((2.0 / 3 + q * (5.0 / 81)) + q2 * (77.0 / 2916 + q * (2431.0 / 157464)) +
                        q4 * ((0.010411423453716718 + q * 0.0076245272767117385) +
                              q2 * (0.005892173857003017 + q * 0.0047293268471288764) + q4 * 0.003904399329267753));
    return (sv_point){cos_f / 2 + root_3_4 * sin_f, root_3_4 * cos_f - sin_f / 2};
}

SV_CLONES void sv_stroke_thirds_clones(const double *x, const double *y, int n, joins *restrict j) {
    for (int i = 0; i < n; i++) {
        double ax = j->normal_x[i], ay = j->normal_y[i], bx = j->normal_x[i + 1], by = j->normal_y[i + 1];
        sv_point t = third_of_turn(j->cosine[i]);
        j->x[FIRST_THIRD][i] = x[i + 1] + ax * t.x - ay * t.y;
        j->y[FIRST_THIRD][i] = y[i + 1] + ax * t.y + ay * t.x;
        j->x[SECOND_THIRD][i] = x[i + 1] + bx * t.x + by * t.y;
        j->y[SECOND_THIRD][i] = y[i + 1] - bx * t.y + by * t.x;
    }
}

/* An arc has as few corners as keep its chords near it: at these widths none, one or two between its ends. */
SV_CLONES void sv_stroke_ways_clones(int n, const pen *p, joins *restrict j) {
    double half = p->half_width, cos_one_chord = p->cos_one_chord, cos_two_chords = p->cos_two_chords;
    for (int i = 0; i < n; i++) {
        double shorter = SV_MIN(j->length[i], j->length[i + 1]), limit = SV_MAX(shorter, MIN_INNER_MITER * half);
        int inner = j->bend[i] > 0, outer = 1 - inner;
        int crossed = (inner & (j->miter[i] <= limit)) | (outer & (half - j->middle[i] < half * FLAT_SHARE));
        int n_inside = (j->cosine[i] <= cos_one_chord) + (j->cosine[i] <= cos_two_chords);
        j->way[i] = crossed ? CROSSED : CUT + outer * n_inside;
    }
}

/* Corners of n joins, in the order in which they are passed; x and y start with the point before the first join.
 * Returns their number. */
static int make_joins(const double *x, const double *y, int n, const pen *p, joins *j, sv_point *corners) {
    sv_stroke_crossings_clones(x, y, n, j);
    sv_stroke_turns_clones(x, y, n, p, j);
    sv_stroke_thirds_clones(x, y, n, j);
    sv_stroke_ways_clones(n, p, j);
    int n_corners = 0;
    for (int i = 0; i < n; i++) {
        int way = j->way[i];
        for (int k = 0; k < WAYS; k++) {
            int c = corners_of[way][k];
            corners[n_corners + k] = (sv_point){j->x[c][i], j->y[c][i]};
        }
        n_corners += way + 1;
    }
    return n_corners;
}

/* The border on the left of the line, from the cap at its start to the last join. */
static void add_side(const sv_polyline *line, const pen *p, sv_raster *raster) {
    joins j;
    sv_point corners[PIECE * WAYS];
    const double *x = line->x, *y = line->y;
    for (int first = 0; first < line->n - 1; first += PIECE) {
        int n = SV_MIN(PIECE, line->n - 2 - first);
        sv_stroke_normals_clones(x + first, y + first, n + 1, p, &j);
        if (first == 0) {
            /* out of the line by half its width: the normal turned by a quarter */
            double nx = j.normal_x[0], ny = j.normal_y[0];
            sv_point cap[] = {{x[0] - nx + ny, y[0] - ny - nx}, {x[0] + nx + ny, y[0] + ny - nx}};
            sv_raster_add(raster, cap, 2);
        }
        sv_raster_add(raster, corners, make_joins(x + first, y + first, n, p, &j, corners));
    }
}

static void turn_round(sv_polyline *line) {
    for (int i = 0, k = line->n - 1; i < k; i++, k--) {
        sv_point p = {line->x[i], line->y[i]};
        line->x[i] = line->x[k];
        line->y[i] = line->y[k];
        line->x[k] = p.x;
        line->y[k] = p.y;
    }
}

/* The outline is one closed polygon, which leads along the left of the line and then of the line turned round. */
void sv_stroke(sv_polyline *line, double width_px, sv_raster *raster) {
    if (line->n > 1) {
        double half = width_px / 2, chord_turn = 2 * acos(half / (half + CHORD_ERROR_PX));
        pen p = {.half_width = half, .cos_one_chord = cos(chord_turn), .cos_two_chords = cos(2 * chord_turn)};
        add_side(line, &p, raster);
        turn_round(line);
        add_side(line, &p, raster);
        sv_raster_close(raster);
    }
    line->n = 0;
}
