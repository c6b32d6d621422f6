/* test_subject_name.c - what a recording is called. */
#include "support/test.h"

#include "base/memory.h"
#include "psg/subject_name.h"

static void names(void **state) {
    (void)state;
    static const struct {
        const char *path, *name;
    } cases[] = {
        {"/data/mass/01-02-0001 PSG.edf", "01-02-0001"},
        {"night.edf", "night"},
        {"./a.b/NIGHT.EDF", "NIGHT"},
        {"x/night.bdf", "night"},
        {"night.rec", "night"},
        {"night.edf.edf", "night.edf"},
        {"night.csv", "night.csv"},
        {"night", "night"},
        {"01 psg.EDF", "01"},
        /* nothing would be left, or a name that leads out of the folder */
        {".edf", ".edf"},
        {" PSG.edf", " PSG"},
        {"..edf", "..edf"},
        {"...edf", "...edf"},
        {"....edf", "..."},
    };
    for (size_t i = 0; i < SV_COUNT(cases); i++) {
        char *name = sv_subject_name(cases[i].path);
        assert_non_null(name);
        assert_string_equal(name, cases[i].name);
        free(name);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
