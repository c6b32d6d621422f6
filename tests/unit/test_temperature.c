/* test_temperature.c - calibration by one number: applied, undone, found again, written and read. */
#include "support/folder.h"

#include <math.h>

#include "base/file.h"
#include "base/memory.h"
#include "sleep/temperature.h"

static void applied_and_undone(void **state) {
    (void)state;
    static const double start[][SV_N_STAGES] = {
        {0.5, 0.25, 0.125, 0.125, 0}, {0.2, 0.2, 0.2, 0.2, 0.2}, {1, 0, 0, 0, 0}, {1e-9, 0.9 - 1e-9, 0.05, 0.05, 0}};
    double p[SV_N_STAGES];
    memcpy(p, start[0], sizeof p);
    sv_temperature_apply(2, p); /* square roots: 1/sqrt 2, 1/2, 1/sqrt 8 twice, 0 */
    double total = sqrt(0.5) + 0.5 + 2 * sqrt(0.125);
    assert_true(fabs(p[0] - sqrt(0.5) / total) < 1e-15 && fabs(p[1] - 0.5 / total) < 1e-15);
    assert_true(fabs(p[2] - sqrt(0.125) / total) < 1e-15 && p[2] == p[3] && p[4] == 0);
    memcpy(p, start[0], sizeof p);
    sv_temperature_apply(0.5, p); /* squares: 16, 4, 1, 1 of 22 */
    assert_true(fabs(p[0] - 16.0 / 22) < 1e-15 && fabs(p[3] - 1.0 / 22) < 1e-15);
    for (size_t i = 0; i < SV_COUNT(start); i++) {
        memcpy(p, start[i], sizeof p);
        sv_temperature_apply(1, p);
        assert_memory_equal(p, start[i], sizeof p);
        double sum = 0;
        sv_temperature_apply(3.7, p);
        for (int k = 0; k < SV_N_STAGES; k++) sum += p[k];
        assert_true(fabs(sum - 1) < 1e-14);
        sv_temperature_apply(1 / 3.7, p);
        for (int k = 0; k < SV_N_STAGES; k++) assert_true(fabs(p[k] - start[i][k]) < 1e-12);
    }
}

static uint64_t next_random(uint64_t *state) {
    *state = *state * 6364136223846793005U + 1442695040888963407U;
    return *state >> 33;
}

static double uniform(uint64_t *state) { return ((double)next_random(state) + 0.5) / 2147483648.0; }

/* Truths drawn from honest probabilities; the fit is given what an over- or under-confident network would say. */
static void a_temperature_is_found_again(void **state) {
    (void)state;
    enum { N = 8000 };
    static const double temperatures[] = {0.4, 1, 2.5, 6};
    double(*p)[SV_N_STAGES] = sv_calloc(N, sizeof *p);
    signed char *truth = sv_calloc(N, 1);
    uint64_t seed = 20261123;
    for (size_t t = 0; t < SV_COUNT(temperatures); t++) {
        for (size_t i = 0; i < N; i++) {
            double total = 0, at = uniform(&seed);
            for (int k = 0; k < SV_N_STAGES; k++) total += p[i][k] = pow(uniform(&seed), 6);
            for (int k = 0; k < SV_N_STAGES; k++) p[i][k] /= total;
            truth[i] = SV_N_STAGES - 1;
            for (int k = 0; k < SV_N_STAGES - 1 && truth[i] == SV_N_STAGES - 1; k++) {
                if ((at -= p[i][k]) < 0) truth[i] = (signed char)k;
            }
            sv_temperature_apply(1 / temperatures[t], p[i]); /* confident by this factor */
        }
        double found = sv_temperature_fit(truth, (const double(*)[SV_N_STAGES])p, N);
        print_message("temperature %.2f found as %.3f from %d draws\n", temperatures[t], found, N);
        assert_true(fabs(found / temperatures[t] - 1) < 0.05);
        truth[5] = SV_STAGE_NONE; /* what is left out does not count */
        p[7][0] = NAN;
        assert_true(fabs(sv_temperature_fit(truth, (const double(*)[SV_N_STAGES])p, N) / found - 1) < 0.01);
    }
    free(p);
    free(truth);
}

static void bounds_and_nothing(void **state) {
    (void)state;
    static const double right[2][SV_N_STAGES] = {{0.6, 0.1, 0.1, 0.1, 0.1}, {0.1, 0.6, 0.1, 0.1, 0.1}};
    static const signed char truth[2] = {0, 1}, wrong[2] = {1, 0}, none[2] = {-1, -1};
    assert_true(sv_temperature_fit(truth, right, 2) <= SV_TEMPERATURE_LEAST * 1.001);
    assert_true(sv_temperature_fit(wrong, right, 2) >= SV_TEMPERATURE_MOST * 0.999);
    assert_true(isnan(sv_temperature_fit(none, right, 2)));
    assert_true(isnan(sv_temperature_fit(truth, right, 0)));
    /* right 3 times of 4 with 0.6: p(right) must become 0.75, so (0.1 / 0.6)^(1/T) = (0.25 / 4) / 0.75 */
    static const double four[4][SV_N_STAGES] = {
        {0.6, 0.1, 0.1, 0.1, 0.1}, {0.6, 0.1, 0.1, 0.1, 0.1}, {0.6, 0.1, 0.1, 0.1, 0.1}, {0.6, 0.1, 0.1, 0.1, 0.1}};
    static const signed char three[4] = {0, 0, 0, 2};
    double expected = log(6) / log(12);
    assert_true(fabs(sv_temperature_fit(three, four, 4) - expected) < 1e-5);
}

static void written_and_read(void **state) {
    (void)state;
    sv_error err;
    sv_temperature back;
    const sv_temperature t = {1.75, "forced", "aa", "bb"};
    json_t *figures = json_pack("{s:i}", "n_epochs", 7);
    ASSERT_OK(sv_temperature_save(in_folder("t.json"), &t, figures, &err), err);
    json_decref(figures);
    ASSERT_OK(sv_temperature_load(in_folder("t.json"), &back, &err), err);
    assert_true(back.value == t.value);
    assert_string_equal(back.probability_source, "forced");
    assert_string_equal(back.model_sha256, "aa");
    assert_string_equal(back.prompt_sha256, "bb");
    static const char *const damaged[] = {"",
                                          "[]",
                                          "{}",
                                          "{\"temperature\": null}",
                                          "{\"temperature\": \"2\"}",
                                          "{\"temperature\": 0}",
                                          "{\"temperature\": -1}",
                                          "{\"temperature\": 101}",
                                          "{\"temperature\": 1e999}"};
    for (size_t i = 0; i < SV_COUNT(damaged); i++) {
        ASSERT_OK(sv_file_write(in_folder("bad.json"), damaged[i], strlen(damaged[i]), &err), err);
        assert_int_equal(sv_temperature_load(in_folder("bad.json"), &back, &err), SV_ERR_INPUT);
        assert_non_null(strstr(err.message, "bad.json"));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(applied_and_undone),
                                       cmocka_unit_test(a_temperature_is_found_again),
                                       cmocka_unit_test(bounds_and_nothing), cmocka_unit_test(written_and_read)};
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
