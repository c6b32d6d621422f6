/* cells.c - short edges side by side, long ones row by row, and the sum that runs along each row. */
#include "render/cells.h"

#include <limits.h>
#include <string.h>

#include "base/clones.h"
#include "base/memory.h"

#define SUB SV_SUBPIXELS
#define SUB_SHIFT 8
#define SUB_MASK (SUB - 1)
#define COLUMNS (SV_PICTURE_WIDTH + 2) /* beyond the picture: one for edges on its border, and the one beside that */
#define ROWS (SV_PICTURE_HEIGHT + 8)   /* the same; whole cache lines */
#define ROWS_AT_ONCE 8                 /* divides the height of the picture */

/* What the edges in one pixel add up to: the height that they cross (in 1/256) in the upper half, and twice the area to
 * the left of them in the lower, as one signed sum, because it is by far the most frequent operation. */
typedef int64_t cell;
#define COVER_UNIT ((cell)1 << 32)

struct sv_cells {
    cell at[COLUMNS * ROWS];      /* by column: traces are steep, so that edges pass cells that lie side by side */
    int left, top, right, bottom; /* what the edges span, in 1/256 pixel */
};

static void forget_span(sv_cells *cells) {
    cells->left = cells->top = INT_MAX;
    cells->right = cells->bottom = 0;
}

sv_status sv_cells_new(sv_cells **out, sv_error *err) {
    sv_cells *cells = *out = sv_alloc_aligned(1, sizeof *cells);
    if (!cells) return sv_fail_memory(err, "the canvas", sizeof *cells);
    memset(cells, 0, sizeof *cells);
    forget_span(cells);
    return SV_OK;
}

void sv_cells_free(sv_cells *cells) { free(cells); }

/* What an edge adds to a pixel: `height` at twice the mean distance `reach` from the pixel's left side. */
static inline cell part(int height, int reach) { return height * (COVER_UNIT + reach); }

/* Where an edge crosses the borders of rows, and then, in a row, of columns, is rounded down to 1/256 pixel, whichever
 * way it runs. All crossings are multiples of 1/divisor with a divisor below 2^17: less than what lies between two of
 * them, and more than all errors of doubles, is added before rounding. */
#define BELOW_ALL 0x1p-20

/* The part of an edge that lies in one row and several columns, x0 < x1; heights count `sign` times. */
static void add_across(sv_cells *cells, int row, int x0, int y0, int x1, int y1, int sign) {
    int column = x0 >> SUB_SHIFT, last_column = x1 >> SUB_SHIFT;
    double slope = (double)(y1 - y0) / (x1 - x0), crossing = y0 + slope * (SUB - (x0 & SUB_MASK)) + BELOW_ALL;
    for (; column < last_column; column++) {
        int y = (int)crossing, border = (column + 1) * SUB;
        cells->at[column * ROWS + row] += part(sign * (y - y0), x0 + border - 2 * column * SUB);
        x0 = border;
        y0 = y;
        crossing += slope * SUB;
    }
    cells->at[column * ROWS + row] += part(sign * (y1 - y0), x0 + x1 - 2 * column * SUB);
}

/* The part of an edge that lies in one row: y0 and y1 are 0..256 within it. */
static inline void add_in_row(sv_cells *cells, int row, int x0, int y0, int x1, int y1, int sign) {
    int column = x0 >> SUB_SHIFT;
    if (column == x1 >> SUB_SHIFT) {
        cells->at[column * ROWS + row] += part(sign * (y1 - y0), (x0 & SUB_MASK) + (x1 & SUB_MASK));
    } else if (x0 < x1) {
        add_across(cells, row, x0, y0, x1, y1, sign);
    } else {
        add_across(cells, row, x1, y1, x0, y0, -sign);
    }
}

/* An edge that is not level, followed downwards; its heights count `sign` times. */
typedef struct long_edge {
    int x0, y0, x1, y1, sign;
    double crossing, step; /* x at the first border of rows below its start, and from each to the next */
} long_edge;

static inline long_edge long_edge_from(int from_x, int from_y, int to_x, int to_y) {
    bool up = from_y > to_y;
    int x0 = up ? to_x : from_x, y0 = up ? to_y : from_y, x1 = up ? from_x : to_x, y1 = up ? from_y : to_y;
    double slope = (double)(x1 - x0) / (y1 - y0);
    return (long_edge){x0, y0, x1, y1, up ? -1 : 1, x0 + slope * (SUB - (y0 & SUB_MASK)) + BELOW_ALL, slope * SUB};
}

static inline void add_long(sv_cells *cells, const long_edge *e) {
    int row = e->y0 >> SUB_SHIFT, last_row = (e->y1 - 1) >> SUB_SHIFT, in = e->y0 & SUB_MASK, x = e->x0;
    double crossing = e->crossing;
    for (; row < last_row; row++) {
        int next = (int)crossing;
        add_in_row(cells, row, x, in, next, SUB, e->sign);
        x = next;
        in = 0;
        crossing += e->step;
    }
    add_in_row(cells, row, x, in, e->x1, e->y1 - last_row * SUB, e->sign);
}

/* The same for an edge within one column. */
static inline void add_down(sv_cells *cells, const long_edge *e) {
    int row = e->y0 >> SUB_SHIFT, last_row = (e->y1 - 1) >> SUB_SHIFT, in = e->y0 & SUB_MASK, x = e->x0;
    int column = x >> SUB_SHIFT, twice_left = 2 * column * SUB;
    cell *at = &cells->at[column * ROWS];
    double crossing = e->crossing;
    for (; row < last_row; row++) {
        int next = (int)crossing;
        at[row] += part(e->sign * (SUB - in), x + next - twice_left);
        x = next;
        in = 0;
        crossing += e->step;
    }
    at[row] += part(e->sign * (e->y1 - last_row * SUB - in), x + e->x1 - twice_left);
}

/* Most edges lie within two rows and two columns of pixels. What they add to those four is worked out for many at once,
 * without a branch. Floats hold all the numbers but quotients, whose divisors are at most 512: their errors are smaller
 * than what lies between two of them. */
enum { UPPER_LEFT, UPPER_RIGHT, LOWER_LEFT, LOWER_RIGHT, PARTS };
static const int part_offset[PARTS] = {0, ROWS, 1, ROWS + 1};
#define ALMOST_ONE (1 - 0x1p-10F) /* rounds up what is rounded down after it is added */

typedef struct short_edges {
    int is_long[SV_EDGES_AT_ONCE]; /* then it adds nothing */
    int at[SV_EDGES_AT_ONCE];      /* index of the upper left cell */
    cell parts[PARTS][SV_EDGES_AT_ONCE];
} short_edges;

static inline float at_least(float v, float low) { return v > low ? v : low; }
static inline float at_most(float v, float high) { return v < high ? v : high; }
static inline float whole(float v) { return (float)(int)v; } /* towards 0 */

static inline cell float_part(float height, float reach) { return (int)height * COVER_UNIT + (int)(height * reach); }

/* The part of an edge in one row, from x = xa to xb, 0..512, in two columns of pixels. `round` is added to the height
 * in the right column; it and `height` have the edge's sign. */
static inline void split(float xa, float xb, float height, float round, cell *in_left, cell *in_right) {
    const float border = SUB;
    float left = at_most(xa, xb), right = at_least(xa, xb), end = at_least(right, left + 1);
    float left_end = at_most(right, border), right_start = at_least(left, border);
    float height_right = whole(height * (at_least(end, border) - right_start) / (end - left) + round);
    *in_left = float_part(height - height_right, at_most(left, border) + left_end);
    *in_right = float_part(height_right, right_start + at_least(right, border) - 2 * border);
}

void sv_short_edges_clones(const int *x0, const int *y0, const int *x1, const int *y1, int n,
                           short_edges *restrict out);

SV_CLONES void sv_short_edges_clones(const int *from_x, const int *from_y, const int *to_x, const int *to_y, int n,
                                     short_edges *restrict out) {
    for (int i = 0; i < n; i++) {
        int up = from_y[i] > to_y[i];
        int x0 = up ? to_x[i] : from_x[i], x1 = up ? from_x[i] : to_x[i];
        int y0 = up ? to_y[i] : from_y[i], y1 = up ? from_y[i] : to_y[i];
        int left = SV_MIN(x0, x1) & ~SUB_MASK, top = y0 & ~SUB_MASK;
        int is_long = (y0 != y1) & ((SV_MAX(x0, x1) - left > 2 * SUB) | (y1 - top > 2 * SUB));
        float sign = is_long ? 0.0F : up ? -1.0F : 1.0F;
        float xa = (float)(x0 - left), xb = (float)(x1 - left), ya = (float)(y0 - top), yb = (float)(y1 - top);
        float y = at_most(yb, SUB), x = whole(xa + (y - ya) * (xb - xa) / at_least(yb - ya, 1));
        float round = x1 < x0 ? 0 : sign * ALMOST_ONE;
        split(xa, x, sign * (y - ya), round, &out->parts[UPPER_LEFT][i], &out->parts[UPPER_RIGHT][i]);
        split(x, xb, sign * (yb - y), round, &out->parts[LOWER_LEFT][i], &out->parts[LOWER_RIGHT][i]);
        out->is_long[i] = is_long;
        out->at[i] = (left >> SUB_SHIFT) * ROWS + (top >> SUB_SHIFT);
    }
}

static void add_short(sv_cells *cells, const short_edges *edges, int n) {
    for (int p = 0; p < PARTS; p++) {
        cell *at = &cells->at[part_offset[p]];
        for (int i = 0; i < n; i++) at[edges->at[i]] += edges->parts[p][i];
    }
}

void sv_widen_clones(const int *v, int n, int *restrict low, int *restrict high);

SV_CLONES void sv_widen_clones(const int *v, int n, int *restrict low, int *restrict high) {
    int least = *low, most = *high;
    for (int i = 0; i < n; i++) {
        least = SV_MIN(least, v[i]);
        most = SV_MAX(most, v[i]);
    }
    *low = least;
    *high = most;
}

static void add_longs(sv_cells *cells, const int *x0, const int *y0, const int *x1, const int *y1, const int is_long[],
                      int n) {
    int chosen[SV_EDGES_AT_ONCE], n_chosen = 0;
    long_edge edges[SV_EDGES_AT_ONCE]; /* all divisions at once: one after the other, each would be waited for */
    for (int i = 0; i < n; i++) {
        chosen[n_chosen] = i;
        n_chosen += is_long[i] != 0;
    }
    for (int k = 0; k < n_chosen; k++) {
        int i = chosen[k];
        edges[k] = long_edge_from(x0[i], y0[i], x1[i], y1[i]);
    }
    for (int k = 0; k < n_chosen; k++) {
        const long_edge *e = &edges[k];
        if (e->x0 >> SUB_SHIFT == e->x1 >> SUB_SHIFT) {
            add_down(cells, e);
        } else {
            add_long(cells, e);
        }
    }
}

void sv_cells_add(sv_cells *cells, const int *x0, const int *y0, const int *x1, const int *y1, int n) {
    short_edges edges;
    sv_widen_clones(x0, n, &cells->left, &cells->right);
    sv_widen_clones(x1, n, &cells->left, &cells->right);
    sv_widen_clones(y0, n, &cells->top, &cells->bottom);
    sv_widen_clones(y1, n, &cells->top, &cells->bottom);
    sv_short_edges_clones(x0, y0, x1, y1, n, &edges);
    add_short(cells, &edges, n);
    add_longs(cells, x0, y0, x1, y1, edges.is_long, n);
}

void sv_sweep_clones(cell *restrict cells, int *restrict covers, int n, unsigned char *restrict coverage);

/* Coverage of n pixels of one column. covers: the heights crossed so far in each row. */
SV_CLONES void sv_sweep_clones(cell *restrict cells, int *restrict covers, int n, unsigned char *restrict coverage) {
    for (int i = 0; i < n; i++) {
        cell c = cells[i];
        int area = (int32_t)(uint32_t)(uint64_t)c, cover = (int32_t)(uint32_t)((uint64_t)c >> 32) + (area < 0);
        cells[i] = 0;
        covers[i] += cover;
        int covered = (covers[i] * 2 * SUB - area) >> (SUB_SHIFT + 1);
        covered = covered < 0 ? -covered : covered;
        coverage[i] = (unsigned char)SV_MIN(covered, 255);
    }
}

/* Lists those pixels of a column that are covered. Returns the number of dots. */
static int list_column(const unsigned char *coverage, int first_row, int n_rows, int column, sv_dot *dots) {
    int n = 0;
    for (int i = 0; i < n_rows; i += ROWS_AT_ONCE) {
        uint64_t any;
        memcpy(&any, coverage + i, sizeof any);
        if (!any) continue;
        for (int k = i; k < i + ROWS_AT_ONCE; k++) {
            unsigned pixel = (unsigned)((first_row + k) * SV_PICTURE_WIDTH + column);
            dots[n] = (sv_dot){pixel & 0xffffff, coverage[k]};
            n += coverage[k] != 0;
        }
    }
    return n;
}

void sv_cells_take(sv_cells *cells, sv_dots *dots) {
    int covers[SV_PICTURE_HEIGHT] = {0};
    unsigned char coverage[SV_PICTURE_HEIGHT] = {0};
    int row = (cells->top >> SUB_SHIFT) / ROWS_AT_ONCE * ROWS_AT_ONCE;
    int n_rows = (((cells->bottom + SUB - 1) >> SUB_SHIFT) - row + ROWS_AT_ONCE - 1) / ROWS_AT_ONCE * ROWS_AT_ONCE;
    dots->n = 0;
    for (int column = cells->left >> SUB_SHIFT; column <= cells->right >> SUB_SHIFT; column++) {
        sv_sweep_clones(&cells->at[column * ROWS + row], covers, n_rows, coverage);
        if (column == SV_PICTURE_WIDTH) break;
        dots->n += list_column(coverage, row, n_rows, column, dots->dots + dots->n);
    }
    forget_span(cells);
}
