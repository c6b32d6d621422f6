/* test_render.c - the picture without the golden data: some published pictures of plain signals, and odd input. */
#include "support/test.h"

#include <float.h>
#include <math.h>

#include "base/memory.h"
#include "base/png.h"
#include "render/picture.h"
#include "render/raster.h"

#define N SV_EPOCH_SAMPLES
#define PI 3.14159265358979323846

static sv_painter *new_painter(void) {
    sv_painter *painter;
    sv_error err;
    ASSERT_OK(sv_painter_new(&painter, &err), err);
    return painter;
}

typedef double signal_at(int i);
static double step_at(int i) { return i < N / 2 ? -30 : 30; }
static double zero_at(int i) { return 0 * i; }
static double slope_at(int i) { return -45 + 90.0 * i / (N - 1); }
static double spike_at(int i) { return i % 500 == 250 ? 5000 : 0; }
static double sine_at(int i) { return 25 * sin(2 * PI * i / 100); }
static double nothing_at(int i) { return i >= 0 ? NAN : 0; }

/* The pictures under tests/data/render come from the published renderer. */
static void plain_signals_equal_the_published_pictures(void **state) {
    (void)state;
    static const struct {
        const char *name;
        signal_at *signals[SV_N_ROLES];
    } cases[] = {{"step", {[SV_ROLE_C4] = step_at}},
                 {"slope", {[SV_ROLE_LOC] = slope_at}},
                 {"huge", {[SV_ROLE_F4] = spike_at, [SV_ROLE_CHIN] = spike_at}},
                 {"zeros", {zero_at, zero_at, zero_at, zero_at, zero_at, zero_at}},
                 {"grid_n6", {nothing_at, nothing_at, nothing_at, nothing_at, nothing_at, nothing_at}}};
    static double samples[SV_N_ROLES][N];
    static unsigned char rgb[SV_PICTURE_BYTES];
    sv_painter *painter = new_painter();
    for (size_t c = 0; c < SV_COUNT(cases); c++) {
        const double *channels[SV_N_ROLES] = {NULL};
        for (int role = 0; role < SV_N_ROLES; role++) {
            if (!cases[c].signals[role]) continue;
            for (int i = 0; i < N; i++) samples[role][i] = cases[c].signals[role](i);
            channels[role] = samples[role];
        }
        sv_picture_draw(painter, channels, rgb);
        char path[100];
        snprintf(path, sizeof path, "data/render/%s.png", cases[c].name);
        sv_image image;
        sv_error err;
        ASSERT_OK(sv_png_load(test_path(path), &image, &err), err);
        int n_unequal = 0;
        for (int i = 0; i < SV_PICTURE_WIDTH * SV_PICTURE_HEIGHT; i++) {
            n_unequal += memcmp(image.pixels + 4 * i, rgb + 3 * i, 3) != 0;
        }
        print_message("%s: %d unequal pixels\n", cases[c].name, n_unequal);
        assert_int_equal(n_unequal, 0);
        sv_image_free(&image);
    }
    sv_painter_free(painter);
}

static void fill(sv_raster *raster, sv_colour colour, unsigned char *rgb) {
    sv_dots dots;
    sv_error err;
    ASSERT_OK(sv_dots_init(&dots, &err), err);
    sv_raster_take(raster, &dots);
    sv_dots_blend(&dots, colour, rgb);
    sv_dots_deinit(&dots);
}

static void coverage_is_the_area(void **state) {
    (void)state;
    sv_raster *raster;
    sv_error err;
    static unsigned char rgb[SV_PICTURE_BYTES];
    ASSERT_OK(sv_raster_new(&raster, &err), err);
    /* a rectangle over a quarter of pixel (10, 5), half of (11, 5), half of (10, 6), all of (11, 6) */
    const sv_point corners[] = {{10.5, 5.5}, {12, 5.5}, {12, 7}, {10.5, 7}};
    for (int turns = 1; turns <= 2; turns++) { /* drawn twice it covers no more */
        memset(rgb, 0, sizeof rgb);
        for (int i = 0; i < turns; i++) {
            sv_raster_add(raster, corners, 4);
            sv_raster_close(raster);
        }
        fill(raster, (sv_colour){255, 0, 0, 255}, rgb);
        const unsigned char *row5 = rgb + 3 * (5 * SV_PICTURE_WIDTH + 10), *row6 = row5 + 3 * SV_PICTURE_WIDTH;
        assert_in_range(row5[0], 64 * turns - 2, 64 * turns);
        assert_in_range(row6[3], 255, 255);
        assert_in_range(row5[3], 126 * turns, 255);
        assert_int_equal(row5[6] + row6[6] + row5[1] + row5[2], 0);
    }
    sv_raster_free(raster);
}

static void shapes_beyond_the_canvas_are_cut_to_it(void **state) {
    (void)state;
    sv_raster *raster;
    sv_error err;
    static unsigned char rgb[SV_PICTURE_BYTES];
    ASSERT_OK(sv_raster_new(&raster, &err), err);
    const sv_point corners[] = {{-1e9, -1e9}, {1e9, -1e9}, {1e9, 1e9}, {-1e9, 1e9}};
    sv_raster_add(raster, corners, 4);
    sv_raster_close(raster);
    memset(rgb, 0, sizeof rgb);
    fill(raster, (sv_colour){1, 2, 3, 255}, rgb);
    for (int i = 0; i < SV_PICTURE_WIDTH * SV_PICTURE_HEIGHT; i++) {
        const unsigned char colour[3] = {1, 2, 3};
        assert_memory_equal(rgb + 3 * i, colour, 3);
    }
    sv_raster_free(raster);
}

static double any_value(unsigned *seed) {
    static const double odd[] = {0,       NAN,      INFINITY, -INFINITY, DBL_MAX, -DBL_MAX,
                                 DBL_MIN, -DBL_MIN, 1e300,    -1e-300,   50,      -50};
    *seed = *seed * 1103515245u + 12345u;
    unsigned pick = *seed >> 16;
    return pick % 3 ? odd[pick / 3 % SV_COUNT(odd)] : (int)(pick % 400) - 200;
}

/* Mostly a test for the sanitizers; and a picture must not depend on what the painter drew before. */
static void any_samples_and_any_roles_are_drawn(void **state) {
    (void)state;
    static double samples[SV_N_ROLES][N];
    static unsigned char rgb[SV_PICTURE_BYTES], again[SV_PICTURE_BYTES];
    sv_painter *used = new_painter();
    unsigned seed = 7;
    for (int roles = 0; roles < 1 << SV_N_ROLES; roles += roles < 3 ? 1 : 5) {
        const double *channels[SV_N_ROLES] = {NULL};
        for (int role = 0; role < SV_N_ROLES; role++) {
            for (int i = 0; i < N; i++) samples[role][i] = any_value(&seed);
            if (roles >> role & 1) channels[role] = samples[role];
        }
        sv_picture_draw(used, channels, rgb);
        sv_painter *fresh = new_painter();
        sv_picture_draw(fresh, channels, again);
        sv_painter_free(fresh);
        assert_memory_equal(rgb, again, sizeof rgb);
    }
    sv_painter_free(used);
}

static void without_roles_only_the_seconds_are_drawn(void **state) {
    (void)state;
    static unsigned char rgb[SV_PICTURE_BYTES];
    const double *none[SV_N_ROLES] = {NULL};
    sv_painter *painter = new_painter();
    sv_picture_draw(painter, none, rgb);
    sv_painter_free(painter);
    int n_lit = 0;
    for (int x = 0; x < SV_PICTURE_WIDTH; x++) n_lit += rgb[3 * (100 * SV_PICTURE_WIDTH + x)] > 20;
    assert_int_equal(n_lit, SV_EPOCH_S - 1);
}

static void epochs_of_a_night_are_taken_in_turn(void **state) {
    (void)state;
    static double samples[2 * N];
    static unsigned char first[SV_PICTURE_BYTES], second[SV_PICTURE_BYTES], expected[SV_PICTURE_BYTES];
    for (int i = 0; i < N; i++) {
        samples[i] = sine_at(i);
        samples[N + i] = slope_at(i);
    }
    sv_night night = {.samples = {[SV_ROLE_O2] = samples}, .n_epochs = 2};
    sv_painter *painter = new_painter();
    sv_picture_draw_epoch(painter, &night, 0, first);
    sv_picture_draw_epoch(painter, &night, 1, second);
    const double *channels[SV_N_ROLES] = {[SV_ROLE_O2] = samples + N};
    sv_picture_draw(painter, channels, expected);
    assert_memory_equal(second, expected, sizeof expected);
    assert_memory_not_equal(first, second, sizeof first);
    sv_painter_free(painter);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(plain_signals_equal_the_published_pictures),
                                       cmocka_unit_test(coverage_is_the_area),
                                       cmocka_unit_test(shapes_beyond_the_canvas_are_cut_to_it),
                                       cmocka_unit_test(any_samples_and_any_roles_are_drawn),
                                       cmocka_unit_test(without_roles_only_the_seconds_are_drawn),
                                       cmocka_unit_test(epochs_of_a_night_are_taken_in_turn)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
