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

/* What the edges in one pixel add: height crossed (in 1/256), and twice the area to the left of them. */
typedef struct cell {
    int32_t cover, area;
} cell;

struct sv_raster {
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

static inline void add(sv_raster *r, int row, int column, int cover, int area) {
    cell *c = &r->cells[row][column];
    c->cover += cover;
    c->area += area;
    r->touched[row][column >> 6] |= (uint64_t)1 << (column & 63);
}

/* Whole steps of an edge: value k is floor((first + k * step) / run), by adding up remainders. */
typedef struct stepper {
    int run, lift, remainder, error;
} stepper;

static inline int floor_div(int a, int b, int *remainder) {
    int q = a / b, r = a % b;
    if (r < 0) {
        r += b;
        q--;
    }
    *remainder = r;
    return q;
}

static inline int step(stepper *s) {
    s->error += s->remainder;
    if (s->error < s->run) return s->lift;
    s->error -= s->run;
    return s->lift + 1;
}

/* The part of an edge that lies in one row: x in 1/256 pixel, y0 and y1 in 0..256 within the row. */
static void add_in_row(sv_raster *r, int row, int x0, int y0, int x1, int y1) {
    if (y0 == y1) return;
    int column = x0 >> SUB_SHIFT, last_column = x1 >> SUB_SHIFT, in0 = x0 & SUB_MASK, in1 = x1 & SUB_MASK;
    if (column == last_column) {
        add(r, row, column, y1 - y0, (in0 + in1) * (y1 - y0));
        return;
    }
    bool right = x1 > x0;
    int way = right ? 1 : -1, far_side = right ? SUB : 0;
    stepper s = {.run = right ? x1 - x0 : x0 - x1};
    int rise = floor_div((right ? SUB - in0 : in0) * (y1 - y0), s.run, &s.error);
    add(r, row, column, rise, (in0 + far_side) * rise);
    int y = y0 + rise;
    column += way;
    if (column != last_column) {
        s.lift = floor_div(SUB * (y1 - y0), s.run, &s.remainder);
        for (; column != last_column; column += way) {
            rise = step(&s);
            add(r, row, column, rise, SUB * rise);
            y += rise;
        }
    }
    add(r, row, column, y1 - y, (in1 + SUB - far_side) * (y1 - y));
}

/* An edge inside the canvas, ends in 1/256 pixel. */
static void add_edge(sv_raster *r, int x0, int y0, int x1, int y1) {
    if (y0 == y1) return;
    int row = y0 >> SUB_SHIFT, last_row = y1 >> SUB_SHIFT, in0 = y0 & SUB_MASK, in1 = y1 & SUB_MASK;
    int top = SV_MIN(row, last_row), bottom = SV_MIN(SV_MAX(row, last_row), SV_PICTURE_HEIGHT - 1);
    if (top < r->first_row) r->first_row = top;
    if (bottom > r->last_row) r->last_row = bottom;
    if (row == last_row) {
        add_in_row(r, row, x0, in0, x1, in1);
        return;
    }
    bool down = y1 > y0;
    int way = down ? 1 : -1, far_side = down ? SUB : 0, near_side = SUB - far_side;
    stepper s = {.run = down ? y1 - y0 : y0 - y1};
    int x = x0 + floor_div((down ? SUB - in0 : in0) * (x1 - x0), s.run, &s.error);
    add_in_row(r, row, x0, in0, x, far_side);
    row += way;
    if (row != last_row) {
        s.lift = floor_div(SUB * (x1 - x0), s.run, &s.remainder);
        for (; row != last_row; row += way) {
            int next = x + step(&s);
            add_in_row(r, row, x, near_side, next, far_side);
            x = next;
        }
    }
    add_in_row(r, row, x, near_side, x1, in1);
}

static inline int to_sub(double v) { return (int)(v * SUB + (v < 0 ? -0.5 : 0.5)); }

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
    add_edge(r, to_sub(p.x), to_sub(p.y), to_sub(q.x), to_sub(q.y));
}

/* Adds any edge: what is left or right of the canvas is laid on its border, because it still bounds the area inside. */
static void clip_columns(sv_raster *r, sv_point a, sv_point b) {
    const double right = SV_PICTURE_WIDTH;
    if (a.x >= 0 && b.x >= 0 && a.x <= right && b.x <= right) {
        clip_rows(r, a, b);
        return;
    }
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

void sv_raster_move_to(sv_raster *raster, sv_point p) { raster->start = raster->last = p; }

void sv_raster_line_to(sv_raster *raster, sv_point p) {
    clip_columns(raster, raster->last, p);
    raster->last = p;
}

void sv_raster_close(sv_raster *raster) { sv_raster_line_to(raster, raster->start); }

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
                cover += c->cover;
                blend_run(r, colour, cover * 2 * SUB - c->area, pixels + 3 * column, 1);
                next = column + 1;
            }
            *c = (cell){0};
        }
    }
    if (cover) blend_run(r, colour, cover * 2 * SUB, pixels + 3 * next, SV_PICTURE_WIDTH - next);
}

void sv_raster_blend(sv_raster *raster, sv_colour colour, unsigned char *rgb) {
    for (int row = raster->first_row; row <= raster->last_row; row++) {
        blend_row(raster, row, colour, rgb + (size_t)row * SV_PICTURE_WIDTH * 3);
    }
    raster->first_row = SV_PICTURE_HEIGHT;
    raster->last_row = -1;
}
