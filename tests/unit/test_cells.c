/* test_cells.c - coverage of polygons against a plain rasteriser that follows every edge pixel by pixel. */
#include "support/test.h"

#include "base/memory.h"
#include "render/cells.h"

#define SUB SV_SUBPIXELS
#define WIDTH SV_PICTURE_WIDTH
#define HEIGHT SV_PICTURE_HEIGHT
#define MAX_CORNERS 300

/* Per pixel: the height of all edges in it, and twice the area to the left of them. */
static int plain_covers[HEIGHT + 1][WIDTH + 2], plain_areas[HEIGHT + 1][WIDTH + 2];

static int floor_of_quotient(long long a, long long b) { return (int)(a / b - (a % b < 0)); }

static void plain_row(int row, int x0, int y0, int x1, int y1, int sign) {
    if (x0 > x1) {
        plain_row(row, x1, y1, x0, y0, -sign);
        return;
    }
    int x = x0, y = y0;
    for (int column = x0 / SUB; column <= x1 / SUB; column++) {
        int end = SV_MIN((column + 1) * SUB, x1);
        int end_y = x0 == x1 ? y1 : y0 + floor_of_quotient((long long)(end - x0) * (y1 - y0), x1 - x0);
        plain_covers[row][column] += sign * (end_y - y);
        plain_areas[row][column] += sign * (end_y - y) * (x + end - 2 * column * SUB);
        x = end;
        y = end_y;
    }
}

static void plain_edge(int x0, int y0, int x1, int y1, int sign) {
    if (y0 > y1) {
        plain_edge(x1, y1, x0, y0, -sign);
        return;
    }
    for (int row = y0 / SUB, x = x0, y = y0; y < y1; row++) {
        int end = SV_MIN((row + 1) * SUB, y1);
        int end_x = x0 + floor_of_quotient((long long)(end - y0) * (x1 - x0), y1 - y0);
        plain_row(row, x, y, end_x, end, sign);
        x = end_x;
        y = end;
    }
}

static int plain_coverage(int row, int column) {
    int cover = 0;
    for (int c = 0; c <= column; c++) cover += plain_covers[row][c];
    int twice = cover * 2 * SUB - plain_areas[row][column];
    int covered = floor_of_quotient(twice, 2 * SUB);
    return SV_MIN(abs(covered), 255);
}

static int random_below(unsigned *seed, int n) {
    *seed = *seed * 1664525u + 1013904223u;
    return (int)((unsigned long long)*seed * (unsigned)n >> 32);
}

/* The next corner: near by, on lines of the grid, level, upright, or anywhere. */
static int random_place(unsigned *seed, int last, int high, int reach) {
    int choice = random_below(seed, 8);
    if (choice == 0) return last;
    if (choice == 1) return random_below(seed, high / SUB + 1) * SUB;
    if (choice == 2) return random_below(seed, high + 1);
    int near = last - reach + random_below(seed, 2 * reach + 1);
    return SV_MAX(SV_MIN(near, high), 0);
}

static void compare(const sv_dots *dots) {
    static unsigned char coverage[HEIGHT][WIDTH];
    memset(coverage, 0, sizeof coverage);
    for (int i = 0; i < dots->n; i++) {
        sv_dot dot = dots->dots[i];
        assert_true(dot.pixel < WIDTH * HEIGHT && dot.coverage > 0);
        assert_int_equal(coverage[dot.pixel / WIDTH][dot.pixel % WIDTH], 0); /* no pixel twice */
        coverage[dot.pixel / WIDTH][dot.pixel % WIDTH] = (unsigned char)dot.coverage;
    }
    for (int row = 0; row < HEIGHT; row++) {
        for (int column = 0; column < WIDTH; column++) {
            if (coverage[row][column] != plain_coverage(row, column)) {
                fail_msg("pixel (%d, %d): %d, expected %d", column, row, coverage[row][column],
                         plain_coverage(row, column));
            }
        }
    }
}

static void any_polygon_is_covered_as_by_the_plain_method(void **state) {
    (void)state;
    static const int reaches[] = {20, 300, 900, 6000, 60000};
    static int x[MAX_CORNERS + 1], y[MAX_CORNERS + 1];
    sv_cells *cells;
    sv_dots dots;
    sv_error err;
    unsigned seed = 3;
    ASSERT_OK(sv_cells_new(&cells, &err), err);
    ASSERT_OK(sv_dots_init(&dots, &err), err);
    for (int i = 0; i < 60; i++) {
        int n = 3 + random_below(&seed, MAX_CORNERS - 2), reach = reaches[i % (int)SV_COUNT(reaches)];
        memset(plain_covers, 0, sizeof plain_covers);
        memset(plain_areas, 0, sizeof plain_areas);
        x[0] = random_below(&seed, WIDTH * SUB + 1);
        y[0] = random_below(&seed, HEIGHT * SUB + 1);
        for (int k = 1; k < n; k++) {
            x[k] = random_place(&seed, x[k - 1], WIDTH * SUB, reach);
            y[k] = random_place(&seed, y[k - 1], HEIGHT * SUB, reach);
        }
        x[n] = x[0];
        y[n] = y[0];
        for (int k = 0; k < n; k++) plain_edge(x[k], y[k], x[k + 1], y[k + 1], 1);
        for (int k = 0; k < n; k += SV_EDGES_AT_ONCE) {
            sv_cells_add(cells, x + k, y + k, x + k + 1, y + k + 1, SV_MIN(SV_EDGES_AT_ONCE, n - k));
        }
        sv_cells_take(cells, &dots);
        compare(&dots);
    }
    sv_cells_take(cells, &dots);
    assert_int_equal(dots.n, 0); /* everything was forgotten */
    sv_dots_deinit(&dots);
    sv_cells_free(cells);
}

/* Every edge that may be short: from one place in a pixel to places within two pixels each way. */
static void short_edges_add_what_the_plain_method_adds(void **state) {
    (void)state;
    sv_cells *cells;
    sv_dots dots;
    sv_error err;
    unsigned seed = 5;
    ASSERT_OK(sv_cells_new(&cells, &err), err);
    ASSERT_OK(sv_dots_init(&dots, &err), err);
    for (int i = 0; i < 40; i++) {
        memset(plain_covers, 0, sizeof plain_covers);
        memset(plain_areas, 0, sizeof plain_areas);
        for (int row = 0; row + 3 < HEIGHT; row += 3) { /* a small triangle in every third pixel */
            for (int column = 0; column + 3 < WIDTH; column += 3) {
                int x[4], y[4];
                for (int k = 0; k < 3; k++) {
                    x[k] = column * SUB + random_below(&seed, 2 * SUB + 1);
                    y[k] = row * SUB + random_below(&seed, 2 * SUB + 1);
                }
                x[3] = x[0];
                y[3] = y[0];
                for (int k = 0; k < 3; k++) plain_edge(x[k], y[k], x[k + 1], y[k + 1], 1);
                sv_cells_add(cells, x, y, x + 1, y + 1, 3);
            }
        }
        sv_cells_take(cells, &dots);
        compare(&dots);
    }
    sv_dots_deinit(&dots);
    sv_cells_free(cells);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(any_polygon_is_covered_as_by_the_plain_method),
                                       cmocka_unit_test(short_edges_add_what_the_plain_method_adds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
