/* raster.c - signed-area accumulation: a dense array of cells, a bit per cell that was touched. */
#include "render/raster.h"

#include <string.h>

#include "base/memory.h"

#define SUB 256 /* units per pixel */
#define SUB_SHIFT 8
#define SUB_MASK (SUB - 1)
#define CELLS (SV_PICTURE_WIDTH + 1) /* the last one takes edges that lie on the right border */
#define WORDS ((CELLS + 63) / 64)
#define RECIPROCAL_SHIFT 44

/* What the edges in one pixel add up to: the height that they cross (in 1/256) in the upper half, and twice the area to
 * the left of them in the lower, as one signed sum, because it is by far the most frequent operation. */
typedef int64_t cell;
#define COVER_UNIT ((int64_t)1 << 32)

static inline int cell_area(cell c) { return (int32_t)(uint32_t)(uint64_t)c; }
static inline int cell_cover(cell c) { return (int32_t)((c - cell_area(c)) / COVER_UNIT); }

/* An edge inside the canvas that runs down, in 1/256 pixel; its heights count `sign` times. */
typedef struct edge {
    int x0, y0, x1, y1, sign;
} edge;

/* Edges wait among their like, as many rows high, within one column or to the right or left: in any other order hardly
 * a branch of add_edge() could be foretold. Sums of integers do not depend on the order. */
enum { KINDS_OF_HEIGHT = 12, KINDS = 3 * KINDS_OF_HEIGHT, WAITING = 32 };

struct sv_raster {
    edge waiting[KINDS][WAITING];
    int n_waiting[KINDS];
    cell cells[SV_PICTURE_HEIGHT][CELLS];
    uint64_t touched[SV_PICTURE_HEIGHT][WORDS];
    int first_row, last_row;  /* rows with a touched cell */
    sv_point start, last;     /* of the polygon being added */
    uint64_t reciprocal[SUB]; /* 2^44 / (255 * 256 + alpha), rounded up: divides exactly what blend() divides */
};

sv_status sv_raster_new(sv_raster **out, sv_error *err) {
    sv_raster *r = *out = sv_calloc(1, sizeof *r);
    if (!r) return sv_fail_memory(err, "the canvas", sizeof *r);
    r->first_row = SV_PICTURE_HEIGHT;
    r->last_row = -1;
    for (uint64_t alpha = 0; alpha < SUB; alpha++) {
        uint64_t divisor = 255 * 256 + alpha;
        r->reciprocal[alpha] = (((uint64_t)1 << RECIPROCAL_SHIFT) + divisor - 1) / divisor;
    }
    return SV_OK;
}

void sv_raster_free(sv_raster *raster) { free(raster); }

/* Adds `height` at twice the mean distance `reach` from the left side of the pixel. */
static inline void add(sv_raster *r, int row, int column, int height, int reach) {
    r->cells[row][column] += height * (COVER_UNIT + reach);
    r->touched[row][column >> 6] |= (uint64_t)1 << (column & 63);
}

/* Where a straight edge crosses the borders of rows or columns: floor((first + k * lift) / run) for k = 0, 1, ... in
 * whole units, by adding up remainders. As it is the floor of the true crossing, it does not matter from which end it
 * is counted: every edge may be followed downwards, and in a row rightwards. */
typedef struct crossings {
    int run, lift, lift_remainder, remainder;
} crossings;

static inline int floor_div(int a, int b, int *remainder) {
    int quotient = a / b, rest = a % b, below = rest < 0;
    *remainder = rest + (below ? b : 0);
    return quotient - below;
}

static inline int next_crossing(crossings *c) {
    c->remainder += c->lift_remainder;
    int carry = c->remainder >= c->run;
    c->remainder -= carry ? c->run : 0;
    return c->lift + carry;
}

/* The part of an edge that lies in one row and several columns, x0 < x1; heights count `sign` times. */
static void add_across(sv_raster *r, int row, int x0, int y0, int x1, int y1, int sign) {
    int column = x0 >> SUB_SHIFT, last_column = x1 >> SUB_SHIFT, in0 = x0 & SUB_MASK, in1 = x1 & SUB_MASK;
    crossings c = {.run = x1 - x0};
    int rise = floor_div((SUB - in0) * (y1 - y0), c.run, &c.remainder), y = y0 + rise;
    add(r, row, column, sign * rise, in0 + SUB);
    if (++column != last_column) {
        c.lift = floor_div(SUB * (y1 - y0), c.run, &c.lift_remainder);
        for (; column != last_column; column++) {
            rise = next_crossing(&c);
            add(r, row, column, sign * rise, SUB);
            y += rise;
        }
    }
    add(r, row, column, sign * (y1 - y), in1);
}

/* The part of an edge that lies in one row: x in 1/256 pixel, y0 and y1 in 0..256 within the row. */
static inline void add_in_row(sv_raster *r, int row, int x0, int y0, int x1, int y1, int sign) {
    int column = x0 >> SUB_SHIFT;
    if (column == x1 >> SUB_SHIFT) {
        add(r, row, column, sign * (y1 - y0), (x0 & SUB_MASK) + (x1 & SUB_MASK));
    } else if (x0 < x1) {
        add_across(r, row, x0, y0, x1, y1, sign);
    } else {
        add_across(r, row, x1, y1, x0, y0, -sign);
    }
}

static inline void add_edge(sv_raster *r, const edge *e) {
    int x0 = e->x0, y0 = e->y0, x1 = e->x1, y1 = e->y1, sign = e->sign;
    int row = y0 >> SUB_SHIFT, last_row = (y1 - 1) >> SUB_SHIFT;
    if (row < r->first_row) r->first_row = row;
    if (last_row > r->last_row) r->last_row = last_row;
    int in0 = y0 & SUB_MASK, in1 = y1 - last_row * SUB;
    if (row == last_row) {
        add_in_row(r, row, x0, in0, x1, in1, sign);
        return;
    }
    crossings c = {.run = y1 - y0};
    int x = x0 + floor_div((SUB - in0) * (x1 - x0), c.run, &c.remainder);
    add_in_row(r, row, x0, in0, x, SUB, sign);
    if (++row != last_row) {
        c.lift = floor_div(SUB * (x1 - x0), c.run, &c.lift_remainder);
        for (; row != last_row; row++) {
            int next = x + next_crossing(&c);
            add_in_row(r, row, x, 0, next, SUB, sign);
            x = next;
        }
    }
    add_in_row(r, row, x, 0, x1, in1, sign);
}

static void add_waiting(sv_raster *r, int kind) {
    for (int i = 0; i < r->n_waiting[kind]; i++) add_edge(r, &r->waiting[kind][i]);
    r->n_waiting[kind] = 0;
}

/* An edge inside the canvas, ends in 1/256 pixel. */
static inline void take_edge(sv_raster *r, int from_x, int from_y, int to_x, int to_y) {
    if (from_y == to_y) return;
    int up = -(from_y > to_y), swap_x = (from_x ^ to_x) & up, swap_y = (from_y ^ to_y) & up;
    edge e = {from_x ^ swap_x, from_y ^ swap_y, to_x ^ swap_x, to_y ^ swap_y, 1 | up};
    int further_rows = ((e.y1 - 1) >> SUB_SHIFT) - (e.y0 >> SUB_SHIFT);
    int columns = (e.x1 >> SUB_SHIFT) - (e.x0 >> SUB_SHIFT), way = columns > 0 ? 1 : columns < 0 ? 2 : 0;
    int kind = 3 * SV_MIN(further_rows, KINDS_OF_HEIGHT - 1) + way;
    r->waiting[kind][r->n_waiting[kind]++] = e;
    if (r->n_waiting[kind] == WAITING) add_waiting(r, kind);
}

/* v >= 0 */
static inline int to_sub(double v) { return (int)(v * SUB + 0.5); }

/* Adds an edge whose x lies on the canvas; what is above or below of it has no effect and is cut off. */
static void clip_rows(sv_raster *r, sv_point a, sv_point b) {
    const double bottom = SV_PICTURE_HEIGHT;
    if ((a.y < 0 && b.y < 0) || (a.y > bottom && b.y > bottom)) return;
    sv_point p = a, q = b;
    if (a.y < 0 || a.y > bottom) {
        p.y = a.y < 0 ? 0 : bottom;
        p.x = a.x + (p.y - a.y) * (b.x - a.x) / (b.y - a.y);
    }
    if (b.y < 0 || b.y > bottom) {
        q.y = b.y < 0 ? 0 : bottom;
        q.x = a.x + (q.y - a.y) * (b.x - a.x) / (b.y - a.y);
    }
    take_edge(r, to_sub(p.x), to_sub(p.y), to_sub(q.x), to_sub(q.y));
}

/* Adds any edge: what is left or right of the canvas is laid on its border, because it still bounds the area inside. */
static void clip_columns(sv_raster *r, sv_point a, sv_point b) {
    const double right = SV_PICTURE_WIDTH;
    bool rightward = a.x < b.x;
    const double borders[2] = {rightward ? 0 : right, rightward ? right : 0};
    sv_point ends[4] = {a};
    int n = 1;
    for (int i = 0; i < 2; i++) {
        if ((a.x < borders[i]) == (b.x < borders[i])) continue;
        ends[n++] = (sv_point){borders[i], a.y + (borders[i] - a.x) * (b.y - a.y) / (b.x - a.x)};
    }
    ends[n++] = b;
    for (int i = 0; i < n; i++) ends[i].x = SV_MIN(SV_MAX(ends[i].x, 0), right);
    for (int i = 1; i < n; i++) clip_rows(r, ends[i - 1], ends[i]);
}

static inline bool on_canvas(sv_point p) {
    return p.x >= 0 && p.y >= 0 && p.x <= SV_PICTURE_WIDTH && p.y <= SV_PICTURE_HEIGHT;
}

void sv_raster_begin(sv_raster *raster, sv_point start) { raster->start = raster->last = start; }

void sv_raster_add(sv_raster *raster, const sv_point *corners, int n) {
    sv_point last = raster->last;
    bool inside = on_canvas(last);
    int x = inside ? to_sub(last.x) : 0, y = inside ? to_sub(last.y) : 0;
    for (int i = 0; i < n; i++) {
        sv_point next = corners[i];
        bool next_inside = on_canvas(next);
        int next_x = next_inside ? to_sub(next.x) : 0, next_y = next_inside ? to_sub(next.y) : 0;
        if (inside && next_inside) {
            take_edge(raster, x, y, next_x, next_y);
        } else {
            clip_columns(raster, last, next);
        }
        last = next;
        x = next_x;
        y = next_y;
        inside = next_inside;
    }
    raster->last = last;
}

void sv_raster_close(sv_raster *raster) { sv_raster_add(raster, &raster->start, 1); }

/* A colour over an opaque pixel. Full coverage replaces: the quotient below would come out one too low. The divisor is
 * the one of a blend that also carries the pixel's alpha, which is 255. */
static inline void blend(const sv_raster *r, sv_colour colour, unsigned alpha, unsigned char *pixel) {
    const unsigned char source[3] = {colour.red, colour.green, colour.blue};
    for (int i = 0; i < 3; i++) {
        unsigned old = pixel[i] * 255u; /* (source - old) may be negative: the sum below is right modulo 2^32 */
        unsigned sum = ((unsigned)source[i] * SUB - old) * alpha + old * SUB;
        unsigned mixed = (unsigned)((sum * r->reciprocal[alpha]) >> RECIPROCAL_SHIFT);
        pixel[i] = (unsigned char)(alpha == 255 ? source[i] : mixed);
    }
}

/* Blends n pixels whose summed signed area is the same. */
static void blend_run(const sv_raster *r, sv_colour colour, int area, unsigned char *pixels, int n) {
    int covered = area >> (SUB_SHIFT + 1);
    if (covered < 0) covered = -covered;
    unsigned product = (unsigned)SV_MIN(covered, 255) * colour.alpha + 128;
    unsigned alpha = ((product >> 8) + product) >> 8;
    for (int i = 0; alpha && i < n; i++) blend(r, colour, alpha, pixels + 3 * i);
}

static void blend_row(sv_raster *r, int row, sv_colour colour, unsigned char *pixels) {
    int cover = 0, next = 0; /* height crossed so far; first pixel not yet drawn */
    for (int word = 0; word < WORDS; word++) {
        uint64_t bits = r->touched[row][word];
        r->touched[row][word] = 0;
        for (; bits; bits &= bits - 1) {
            int column = 64 * word + __builtin_ctzll(bits);
            cell *c = &r->cells[row][column];
            if (column < SV_PICTURE_WIDTH) {
                if (cover && column > next) {
                    blend_run(r, colour, cover * 2 * SUB, pixels + 3 * next, column - next);
                }
                cover += cell_cover(*c);
                blend_run(r, colour, cover * 2 * SUB - cell_area(*c), pixels + 3 * column, 1);
                next = column + 1;
            }
            *c = 0;
        }
    }
    if (cover) blend_run(r, colour, cover * 2 * SUB, pixels + 3 * next, SV_PICTURE_WIDTH - next);
}

void sv_raster_blend(sv_raster *raster, sv_colour colour, unsigned char *rgb) {
    for (int kind = 0; kind < KINDS; kind++) add_waiting(raster, kind);
    for (int row = raster->first_row; row <= raster->last_row; row++) {
        blend_row(raster, row, colour, rgb + (size_t)row * SV_PICTURE_WIDTH * 3);
    }
    raster->first_row = SV_PICTURE_HEIGHT;
    raster->last_row = -1;
}
