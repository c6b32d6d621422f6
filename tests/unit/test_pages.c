/* test_pages.c - large buffers. */
#include "base/pages.h"
#include "support/test.h"

static void large_buffers_are_aligned_and_usable(void **state) {
    (void)state;
    static const size_t counts[] = {1, 1000, (size_t)2 << 20};
    for (int i = 0; i < 3; i++) {
        double *x = sv_alloc_large(counts[i], sizeof *x);
        assert_non_null(x);
        assert_int_equal((uintptr_t)x % 64, 0);
        x[0] = 1;
        x[counts[i] - 1] = 2;
        free(x);
    }
    assert_null(sv_alloc_large(SIZE_MAX, 2));
    assert_null(sv_alloc_large(SIZE_MAX - 5, 1));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(large_buffers_are_aligned_and_usable)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
