/* raster.c - signed-area accumulation: a dense array of cells, column by column, and in each column the rows touched.
 */
#include "render/raster.h"

#include <string.h>

#include "base/memory.h"

#define SUB 256 /* units per pixel */
#define SUB_SHIFT 8
#define SUB_MASK (SUB - 1)
#define COLUMNS (SV_PICTURE_WIDTH + 1) /* the last one takes edges that lie on the right border */
#define RECIPROCAL_SHIFT 44

/* What the edges in one pixel add up to: the height that they cross (in 1/256) in the upper half, and twice the area to
 * the left of them in the lower, as one signed sum, because it is by far the most frequent operation. */
typedef int64_t cell;
#define COVER_UNIT ((int64_t)1 << 32)

static inline int cell_area(cell c) { return (int32_t)(uint32_t)(uint64_t)c; }
static inline int cell_cover(cell c) { return (int32_t)((c - cell_area(c)) / COVER_UNIT); }

/* Rows [top, bottom). */
typedef struct rows {
    int top, bottom;
} rows;
static const rows no_rows = {SV_PICTURE_HEIGHT, 0};

static inline rows rows_union(rows a, rows b) { return (rows){SV_MIN(a.top, b.top), SV_MAX(a.bottom, b.bottom)}; }

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
    /* by column: traces are steep, so that most edges run down a column, where their cells lie side by side */
    cell cells[COLUMNS][SV_PICTURE_HEIGHT];
    rows touched[COLUMNS];
    sv_point start, last;     /* of the polygon being added */
    uint64_t reciprocal[SUB]; /* 2^44 / (255 * 256 + alpha), rounded up: divides exactly what mix() divides */
};

sv_status sv_raster_new(sv_raster **out, sv_error *err) {
    sv_raster *r = *out = sv_calloc(1, sizeof *r);
    if (!r) return sv_fail_memory(err, "the canvas", sizeof *r);
    for (int column = 0; column < COLUMNS; column++) r->touched[column] = no_rows;
    for (uint64_t alpha = 0; alpha < SUB; alpha++) {
        uint64_t divisor = 255 * 256 + alpha;
        r->reciprocal[alpha] = (((uint64_t)1 << RECIPROCAL_SHIFT) + divisor - 1) / divisor;
    }
    return SV_OK;
}

void sv_raster_free(sv_raster *raster) { free(raster); }

/* What an edge adds to a pixel: `height` at twice the mean distance `reach` from the pixel's left side. */
static inline cell part(int height, int reach) { return height * (COVER_UNIT + reach); }

static inline void touch(sv_raster *r, int column, int top, int bottom) {
    r->touched[column] = rows_union(r->touched[column], (rows){top, bottom});
}

static inline void add(sv_raster *r, int row, int column, int height, int reach) {
    r->cells[column][row] += part(height, reach);
    touch(r, column, row, row + 1);
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

/* An edge down several rows of one column. */
static inline void add_down(sv_raster *r, const edge *e) {
    int x0 = e->x0, y0 = e->y0, x1 = e->x1, y1 = e->y1, sign = e->sign, column = x0 >> SUB_SHIFT;
    int row = y0 >> SUB_SHIFT, last_row = (y1 - 1) >> SUB_SHIFT, in0 = y0 & SUB_MASK;
    cell *cells = r->cells[column];
    touch(r, column, row, last_row + 1);
    crossings c = {.run = y1 - y0};
    int x = (x0 & SUB_MASK) + floor_div((SUB - in0) * (x1 - x0), c.run, &c.remainder);
    cells[row] += part(sign * (SUB - in0), (x0 & SUB_MASK) + x);
    if (++row != last_row) {
        c.lift = floor_div(SUB * (x1 - x0), c.run, &c.lift_remainder);
        for (; row != last_row; row++) {
            int next = x + next_crossing(&c);
            cells[row] += part(sign * SUB, x + next);
            x = next;
        }
    }
    cells[row] += part(sign * (y1 - last_row * SUB), x + (x1 & SUB_MASK));
}

static inline void add_edge(sv_raster *r, const edge *e) {
    int x0 = e->x0, y0 = e->y0, x1 = e->x1, y1 = e->y1, sign = e->sign;
    int row = y0 >> SUB_SHIFT, last_row = (y1 - 1) >> SUB_SHIFT;
    int in0 = y0 & SUB_MASK, in1 = y1 - last_row * SUB;
    if (row == last_row) {
        add_in_row(r, row, x0, in0, x1, in1, sign);
        return;
    }
    if (x0 >> SUB_SHIFT == x1 >> SUB_SHIFT) {
        add_down(r, e);
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

/* A colour over one value of an opaque pixel. Full coverage replaces: the quotient would come out one too low. The
 * divisor is the one of a blend that also carries the pixel's alpha, which is 255. */
static inline unsigned char mix(const sv_raster *r, unsigned char source, unsigned alpha, unsigned char under) {
    unsigned old = under * 255u; /* (source - old) may be negative: the sum below is right modulo 2^32 */
    unsigned sum = ((unsigned)source * SUB - old) * alpha + old * SUB;
    unsigned mixed = (unsigned)((sum * r->reciprocal[alpha]) >> RECIPROCAL_SHIFT);
    return (unsigned char)(alpha == 255 ? source : mixed);
}

/* The colour at each coverage of 0 to 255: its opacity, and what it makes of a black pixel, as most of them are. */
typedef struct shade {
    unsigned char alpha, on_black[3];
} shade;

static void make_shades(const sv_raster *r, sv_colour colour, shade shades[SUB]) {
    for (unsigned covered = 0; covered < SUB; covered++) {
        unsigned product = covered * colour.alpha + 128, alpha = ((product >> 8) + product) >> 8;
        shades[covered] =
            (shade){(unsigned char)alpha,
                    {mix(r, colour.red, alpha, 0), mix(r, colour.green, alpha, 0), mix(r, colour.blue, alpha, 0)}};
    }
}

/* Blends a pixel whose summed signed area is `area`. */
static inline void blend(const sv_raster *r, sv_colour colour, const shade shades[SUB], int area,
                         unsigned char *pixel) {
    int covered = area >> (SUB_SHIFT + 1);
    const shade *s = &shades[SV_MIN(covered < 0 ? -covered : covered, 255)];
    if (pixel[0] | pixel[1] | pixel[2]) {
        if (!s->alpha) return;
        pixel[0] = mix(r, colour.red, s->alpha, pixel[0]);
        pixel[1] = mix(r, colour.green, s->alpha, pixel[1]);
        pixel[2] = mix(r, colour.blue, s->alpha, pixel[2]);
    } else {
        memcpy(pixel, s->on_black, 3);
    }
}

void sv_raster_blend(sv_raster *raster, sv_colour colour, unsigned char *rgb) {
    for (int kind = 0; kind < KINDS; kind++) add_waiting(raster, kind);
    int cover[SV_PICTURE_HEIGHT] = {0}; /* height crossed so far in each row */
    rows open = no_rows;                /* rows in which that is not 0 */
    shade shades[SUB];
    make_shades(raster, colour, shades);
    for (int column = 0; column < SV_PICTURE_WIDTH; column++) {
        rows due = rows_union(open, raster->touched[column]);
        open = no_rows;
        for (int row = due.top; row < due.bottom; row++) {
            cell c = raster->cells[column][row];
            if (!(c | cover[row])) continue;
            raster->cells[column][row] = 0;
            cover[row] += cell_cover(c);
            blend(raster, colour, shades, cover[row] * 2 * SUB - cell_area(c),
                  rgb + 3 * (row * SV_PICTURE_WIDTH + column));
            if (cover[row]) open = rows_union(open, (rows){row, row + 1});
        }
        raster->touched[column] = no_rows;
    }
    rows last = raster->touched[SV_PICTURE_WIDTH];
    for (int row = last.top; row < last.bottom; row++) raster->cells[SV_PICTURE_WIDTH][row] = 0;
    raster->touched[SV_PICTURE_WIDTH] = no_rows;
}
