/* test_rope.c - positions, angles and windows by hand. */
#include "support/test.h"

#include <math.h>

#include "base/memory.h"
#include "model/rope.h"

static void positions_of_text_and_a_picture(void **state) {
    (void)state;
    sv_error err;
    enum { PAD = 9, N = 9 };
    const int32_t ids[N] = {1, 2, PAD, PAD, PAD, PAD, PAD, PAD, 3};
    const sv_embedding wide = {.grid_h = 2, .grid_w = 3, .n_tokens = 6}, *pictures[] = {&wide};
    const sv_position expected[N] = {{5, 5, 5}, {6, 6, 6}, {7, 7, 7}, {7, 7, 8},   {7, 7, 9},
                                     {7, 8, 7}, {7, 8, 8}, {7, 8, 9}, {10, 10, 10}};
    const int32_t expected_next[N] = {6, 7, 8, 9, 10, 10, 10, 10, 11};
    sv_position positions[N];
    int32_t next[N];
    ASSERT_OK(sv_mrope_positions(ids, N, PAD, pictures, 1, 5, positions, next, &err), err);
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(positions[i].t, expected[i].t);
        assert_int_equal(positions[i].h, expected[i].h);
        assert_int_equal(positions[i].w, expected[i].w);
        assert_int_equal(next[i], expected_next[i]);
    }
}

static void positions_of_the_published_prompt(void **state) {
    (void)state;
    sv_error err;
    enum { PAD = 151655, N = 3140, CELLS = 128 };
    const sv_embedding picture = {.grid_h = 8, .grid_w = 16, .n_tokens = CELLS},
                       *pictures[] = {&picture, &picture, &picture};
    const size_t starts[] = {2732, 2732 + CELLS + 8, 2732 + 2 * CELLS + 18};
    int32_t *ids = sv_calloc(N, sizeof *ids), *next = sv_calloc(N, sizeof *next);
    sv_position *positions = sv_calloc(N, sizeof *positions);
    for (size_t i = 0; i < 3; i++) {
        for (size_t k = 0; k < CELLS; k++) ids[starts[i] + k] = PAD;
    }
    ASSERT_OK(sv_mrope_positions(ids, N, PAD, pictures, 3, 0, positions, next, &err), err);
    assert_int_equal(positions[starts[0]].w, 2732);
    assert_int_equal(positions[starts[1]].w, 2756);
    assert_int_equal(positions[starts[2]].w, 2782);
    assert_int_equal(positions[starts[2] + CELLS - 1].h, 2782 + 7);
    assert_int_equal(next[N - 1], 2804); /* rope_delta -336 */
    free(ids), free(next), free(positions);
}

static void windows_at_ragged_edges(void **state) {
    (void)state;
    const int32_t expected[15] = {0, 1, 5, 6, 2, 3, 7, 8, 4, 9, 10, 11, 12, 13, 14},
                  expected_ends[] = {4, 8, 10, 12, 14, 15};
    int32_t order[15], ends[15];
    size_t n;
    sv_window_order((sv_grid){3, 5}, 2, order, ends, &n);
    assert_int_equal(n, SV_COUNT(expected_ends));
    assert_memory_equal(order, expected, sizeof order);
    assert_memory_equal(ends, expected_ends, sizeof expected_ends);
}

static void rotation_turns_pairs(void **state) {
    (void)state;
    float frequencies[4], cosines[4], sines[4], x[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    sv_text_config config = {.head_dim = 8, .mrope_section = {1, 2, 1}};
    sv_rope_frequencies(1e4, 8, frequencies);
    sv_mrope_angles(&config, frequencies, (sv_position){3, 5, 7}, cosines, sines);
    const double angles[4] = {3, 5 * 0.1, 5 * 0.01, 7 * 0.001};
    sv_rope_rotate(x, 4, cosines, sines);
    for (int i = 0; i < 4; i++) {
        assert_true(fabs((i + 1) * cos(angles[i]) - (i + 5) * sin(angles[i]) - (double)x[i]) < 1e-5);
        assert_true(fabs((i + 5) * cos(angles[i]) + (i + 1) * sin(angles[i]) - (double)x[i + 4]) < 1e-5);
    }
    sv_vision_angles(frequencies, 8, 2, 3, cosines, sines);
    assert_true(fabs((double)cosines[1] - cos(0.2)) < 1e-6 && fabs((double)sines[2] - sin(3.0)) < 1e-6);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(positions_of_text_and_a_picture), cmocka_unit_test(positions_of_the_published_prompt),
        cmocka_unit_test(windows_at_ragged_edges), cmocka_unit_test(rotation_turns_pairs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
