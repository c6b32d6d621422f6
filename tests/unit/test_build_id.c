/* test_build_id.c - the build id is the one that stands in the file of this program. */
#include "support/test.h"

#include <sodium.h>
#include <stdbool.h>

#include "base/build_id.h"
#include "base/file.h"

static bool contains(const char *data, size_t len, const void *wanted, size_t n) {
    for (size_t i = 0; i + n <= len; i++) {
        if (memcmp(data + i, wanted, n) == 0) return true;
    }
    return false;
}

static void the_id_stands_in_the_file(void **state) {
    (void)state;
    static const unsigned char header[] = {4, 0, 0, 0, 20, 0, 0, 0, 3, 0, 0, 0, 'G', 'N', 'U', 0};
    char hex[SV_BUILD_ID_SIZE], again[SV_BUILD_ID_SIZE], *program;
    unsigned char note[sizeof header + 64];
    size_t len, n;
    sv_error err;
    sv_build_id(hex);
    sv_build_id(again);
    assert_string_equal(hex, again);
    ASSERT_OK(sv_file_read("/proc/self/exe", (size_t)1 << 30, &program, &len, &err), err);
    if (strcmp(hex, "none") == 0) {
        static const char section[] = ".note.gnu.build";
        assert_false(contains(program, len, section, sizeof section - 1));
    } else {
        memcpy(note, header, sizeof header);
        assert_int_equal(sodium_hex2bin(note + sizeof header, 64, hex, strlen(hex), NULL, &n, NULL), 0);
        assert_in_range(n, 8, 64);
        note[4] = (unsigned char)n;
        assert_true(contains(program, len, note, sizeof header + n));
    }
    print_message("build id: %s\n", hex);
    free(program);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_id_stands_in_the_file)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
