/* raster.c - corners to edges on the canvas. */
#include "render/raster.h"

#include "base/clones.h"
#include "base/memory.h"
#include "render/cells.h"

#define WIDTH ((double)SV_PICTURE_WIDTH)
#define HEIGHT ((double)SV_PICTURE_HEIGHT)
#define CHAIN SV_EDGES_AT_ONCE

struct sv_raster {
    sv_cells *cells;
    sv_point start, last;                              /* of the polygon being added ... */
    bool open;                                         /* if there is one */
    int x0[CHAIN], y0[CHAIN], x1[CHAIN], y1[CHAIN], n; /* edges that were cut, waiting to be added together */
};

sv_status sv_raster_new(sv_raster **out, sv_error *err) {
    sv_raster *raster = *out = sv_calloc(1, sizeof *raster);
    if (!raster) return sv_fail_memory(err, "the canvas", sizeof *raster);
    sv_status status = sv_cells_new(&raster->cells, err);
    if (status != SV_OK) {
        free(raster);
        *out = NULL;
    }
    return status;
}

void sv_raster_free(sv_raster *raster) {
    if (!raster) return;
    sv_cells_free(raster->cells);
    free(raster);
}

/* 0 <= v */
static inline int to_sub(double v) { return (int)(v * SV_SUBPIXELS + 0.5); }

static inline double within(double v, double high) { return v < 0 ? 0 : v > high ? high : v; }

static void add_waiting(sv_raster *raster) {
    sv_cells_add(raster->cells, raster->x0, raster->y0, raster->x1, raster->y1, raster->n);
    raster->n = 0;
}

/* Adds an edge whose x lies on the canvas; what is above or below of it has no effect and is cut off. */
static void clip_rows(sv_raster *raster, sv_point a, sv_point b) {
    if ((a.y < 0 && b.y < 0) || (a.y > HEIGHT && b.y > HEIGHT)) return;
    sv_point p = a, q = b;
    if (a.y < 0 || a.y > HEIGHT) {
        p.y = within(a.y, HEIGHT);
        p.x = a.x + (p.y - a.y) * (b.x - a.x) / (b.y - a.y);
    }
    if (b.y < 0 || b.y > HEIGHT) {
        q.y = within(b.y, HEIGHT);
        q.x = a.x + (q.y - a.y) * (b.x - a.x) / (b.y - a.y);
    }
    int i = raster->n++;
    raster->x0[i] = to_sub(p.x);
    raster->y0[i] = to_sub(p.y);
    raster->x1[i] = to_sub(q.x);
    raster->y1[i] = to_sub(q.y);
    if (raster->n == CHAIN) add_waiting(raster);
}

/* Adds any edge: what is left or right of the canvas is laid on its border, because it still bounds the area inside. */
static void clip_columns(sv_raster *raster, sv_point a, sv_point b) {
    bool rightward = a.x < b.x;
    const double borders[2] = {rightward ? 0 : WIDTH, rightward ? WIDTH : 0};
    sv_point ends[4] = {a};
    int n = 1;
    for (int i = 0; i < 2; i++) {
        if ((a.x < borders[i]) == (b.x < borders[i])) continue;
        ends[n++] = (sv_point){borders[i], a.y + (borders[i] - a.x) * (b.y - a.y) / (b.x - a.x)};
    }
    ends[n++] = b;
    for (int i = 0; i < n; i++) ends[i].x = within(ends[i].x, WIDTH);
    for (int i = 1; i < n; i++) clip_rows(raster, ends[i - 1], ends[i]);
}

void sv_round_corners_clones(const sv_point *corners, int n, int *restrict x, int *restrict y, int *restrict n_outside);

/* Rounds corners to 1/256 pixel, and counts those that lie outside of the canvas. */
SV_CLONES void sv_round_corners_clones(const sv_point *corners, int n, int *restrict x, int *restrict y,
                                       int *restrict n_outside) {
    int outside = 0;
    for (int i = 0; i < n; i++) {
        double px = within(corners[i].x, WIDTH), py = within(corners[i].y, HEIGHT);
        outside += (px != corners[i].x) | (py != corners[i].y);
        x[i] = to_sub(px);
        y[i] = to_sub(py);
    }
    *n_outside = outside;
}

void sv_raster_add(sv_raster *raster, const sv_point *corners, int n) {
    int x[CHAIN + 1], y[CHAIN + 1], last_outside, n_outside;
    if (n > 0 && !raster->open) raster->start = raster->last = corners[0];
    raster->open = n > 0 || raster->open;
    for (int first = 0; first < n; first += CHAIN) {
        const sv_point *next = corners + first;
        int n_next = SV_MIN(CHAIN, n - first);
        sv_round_corners_clones(&raster->last, 1, x, y, &last_outside);
        sv_round_corners_clones(next, n_next, x + 1, y + 1, &n_outside);
        if (last_outside + n_outside == 0) {
            sv_cells_add(raster->cells, x, y, x + 1, y + 1, n_next);
        } else {
            for (int i = 0; i < n_next; i++) clip_columns(raster, i > 0 ? next[i - 1] : raster->last, next[i]);
        }
        raster->last = next[n_next - 1];
    }
}

void sv_raster_close(sv_raster *raster) {
    sv_raster_add(raster, &raster->start, 1);
    raster->open = false;
}

void sv_raster_take(sv_raster *raster, sv_dots *dots) {
    add_waiting(raster);
    sv_cells_take(raster->cells, dots);
}
