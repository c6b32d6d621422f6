/* test_temperature.c - calibration by one number: applied, undone, found again, written and read. */
#include "support/folder.h"

#include <math.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/random.h"
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

/* Truths drawn from honest probabilities q; the fit is given what an over- or under-confident network would say: q to
 * the power T. Returns the standard error of ln T: by Fisher's information of 1/T, the
 * sum of the variances of ln q under q. */
static double draw(double temperature, uint64_t seed, int n, double (*p)[SV_N_STAGES], signed char *truth) {
    double information = 0;
    for (int i = 0; i < n; i++) {
        double total = 0, mean = 0, square = 0, at = sv_random_unit(seed, 6 * (uint64_t)i);
        for (int k = 0; k < SV_N_STAGES; k++) {
            total += p[i][k] = pow(sv_random_unit(seed, 6 * (uint64_t)i + 1 + (uint64_t)k) + 1e-12, 6);
        }
        for (int k = 0; k < SV_N_STAGES; k++) {
            const double q = p[i][k] /= total;
            mean += q * log(q);
            square += q * log(q) * log(q);
        }
        information += square - mean * mean;
        truth[i] = SV_N_STAGES - 1;
        for (int k = 0; k < SV_N_STAGES - 1 && truth[i] == SV_N_STAGES - 1; k++) {
            if ((at -= p[i][k]) < 0) truth[i] = (signed char)k;
        }
        sv_temperature_apply(1 / temperature, p[i]);
    }
    return 1 / sqrt(information);
}

static void a_temperature_is_found_again(void **state) {
    (void)state;
    enum { N = 8000, N_SEEDS = 12 };
    static const double temperatures[] = {0.4, 1, 2.5, 6};
    double(*p)[SV_N_STAGES] = sv_calloc(N, sizeof *p);
    signed char *truth = sv_calloc(N, 1);
    for (size_t t = 0; t < SV_COUNT(temperatures); t++) {
        double sum = 0, largest = 0;
        for (uint64_t seed = 1; seed <= N_SEEDS; seed++) {
            const double error = draw(temperatures[t], seed, N, p, truth);
            const double found = sv_temperature_fit(truth, (const double(*)[SV_N_STAGES])p, N);
            const double off = log(found / temperatures[t]) / error;
            sum += off;
            largest = fmax(largest, fabs(off));
            truth[5] = SV_STAGE_NONE; /* what is left out does not count */
            p[7][0] = NAN;
            assert_true(fabs(sv_temperature_fit(truth, (const double(*)[SV_N_STAGES])p, N) / found - 1) < 0.01);
        }
        print_message("temperature %.1f: off by %.2f standard errors at most, the mean of %d seeds by %.2f\n",
                      temperatures[t], largest, N_SEEDS, sum / sqrt(N_SEEDS));
        assert_true(largest < 3.5 && fabs(sum / sqrt(N_SEEDS)) < 3); /* of a normal variable: 1 in 2,000; in 370 */
    }
    free(p);
    free(truth);
}

static double mean_loss(double temperature, const double (*p)[SV_N_STAGES], const signed char *truth, int n) {
    double sum = 0, q[SV_N_STAGES];
    for (int i = 0; i < n; i++) {
        memcpy(q, p[i], sizeof q);
        sv_temperature_apply(temperature, q);
        sum -= log(fmax(q[truth[i]], 1e-15));
    }
    return sum / n;
}

/* Probabilities with four decimals are 0 where they matter. What is fitted must be the loss of what is applied. */
static void the_minimum_is_that_of_what_is_applied(void **state) {
    (void)state;
    enum { N = 2000 };
    double(*p)[SV_N_STAGES] = sv_calloc(N, sizeof *p);
    signed char *truth = sv_calloc(N, 1);
    int n_zero = 0;
    draw(3, 1, N, p, truth);
    for (int i = 0; i < N; i++) {
        for (int k = 0; k < SV_N_STAGES; k++) p[i][k] = round(p[i][k] * 1e4) / 1e4;
        n_zero += p[i][truth[i]] == 0;
    }
    assert_true(n_zero > 5);
    const double found = sv_temperature_fit(truth, (const double(*)[SV_N_STAGES])p, N);
    const double least = mean_loss(found, (const double(*)[SV_N_STAGES])p, truth, N);
    static const double others[] = {0.9, 0.99, 1.01, 1.1, 1.5};
    for (size_t i = 0; i < SV_COUNT(others); i++) {
        assert_true(mean_loss(found * others[i], (const double(*)[SV_N_STAGES])p, truth, N) > least);
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
    static const double equal[2][SV_N_STAGES] = {{0.2, 0.2, 0.2, 0.2, 0.2}, {0.5, 0.5, 0, 0, 0}};
    static const double certain[2][SV_N_STAGES] = {{1, 0, 0, 0, 0}, {0, 1, 0, 0, 0}};
    assert_true(isnan(sv_temperature_fit(truth, equal, 2)));
    assert_true(isnan(sv_temperature_fit(truth, certain, 2)) && isnan(sv_temperature_fit(wrong, certain, 2)));
    double zeros[SV_N_STAGES] = {0};
    sv_temperature_apply(2, zeros);
    for (int k = 0; k < SV_N_STAGES; k++) assert_true(zeros[k] == 0);
    /* no floor: ln(1e-30) counts in full. 3 of 4 right: 30 ln(10) / T = ln 3 */
    static const double tiny[4][SV_N_STAGES] = {
        {1, 1e-30, 0, 0, 0}, {1, 1e-30, 0, 0, 0}, {1, 1e-30, 0, 0, 0}, {1, 1e-30, 0, 0, 0}};
    static const signed char one_wrong[4] = {0, 0, 1, 0};
    assert_true(fabs(sv_temperature_fit(one_wrong, tiny, 4) - 30 * log(10) / log(3)) < 1e-9);
    /* right 3 times of 4 with 0.6: p(right) must become 0.75, so (0.1 / 0.6)^(1/T) = (0.25 / 4) / 0.75 */
    static const double four[4][SV_N_STAGES] = {
        {0.6, 0.1, 0.1, 0.1, 0.1}, {0.6, 0.1, 0.1, 0.1, 0.1}, {0.6, 0.1, 0.1, 0.1, 0.1}, {0.6, 0.1, 0.1, 0.1, 0.1}};
    static const signed char three[4] = {0, 0, 0, 2};
    double expected = log(6) / log(12);
    assert_true(fabs(sv_temperature_fit(three, four, 4) - expected) < 1e-12);
}

static void written_and_read(void **state) {
    (void)state;
    sv_error err;
    sv_temperature back;
    static const char hash[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    sv_temperature t = {1.75, "forced", "", ""};
    strcpy(t.model_sha256, hash);
    json_t *figures = json_pack("{s:i}", "n_epochs", 7);
    ASSERT_OK(sv_temperature_save(in_folder("t.json"), &t, figures, &err), err);
    json_decref(figures);
    ASSERT_OK(sv_temperature_load(in_folder("t.json"), &back, &err), err);
    assert_true(back.value == t.value);
    assert_string_equal(back.probability_source, "forced");
    assert_string_equal(back.model_sha256, hash);
    assert_string_equal(back.prompt_sha256, "");
    strcpy(t.prompt_sha256, "bb"); /* what could not be read is not written */
    assert_int_equal(sv_temperature_save(in_folder("u.json"), &t, NULL, &err), SV_ERR_INPUT);
    assert_false(sv_file_exists(in_folder("u.json")));
    const char *unknown = "{\"temperature\": 2, \"probability_source\": null, \"prompt_sha256\": \"\"}";
    ASSERT_OK(sv_file_write(in_folder("t.json"), unknown, strlen(unknown), &err), err);
    ASSERT_OK(sv_temperature_load(in_folder("t.json"), &back, &err), err);
    static const char *const damaged[] = {
        "", "[]", "{}", "{\"temperature\": null}", "{\"temperature\": \"2\"}", "{\"temperature\": 0}",
        "{\"temperature\": -1}", "{\"temperature\": 101}", "{\"temperature\": 1e999}",
        /* not understood must not pass for not known: it would serve any model */
        "{\"temperature\": 2, \"model_sha256\": 5}", "{\"temperature\": 2, \"model_sha256\": \"abc\"}",
        "{\"temperature\": 2, \"prompt_sha256\": [\"a\"]}", "{\"temperature\": 2, \"probability_source\": 1}",
        "{\"temperature\": 2, \"probability_source\": \"sixteen-letters-\"}",
        "{\"temperature\": 2, \"probability_source\": \"text\\u0000d\"}"};
    for (size_t i = 0; i < SV_COUNT(damaged); i++) {
        ASSERT_OK(sv_file_write(in_folder("bad.json"), damaged[i], strlen(damaged[i]), &err), err);
        assert_int_equal(sv_temperature_load(in_folder("bad.json"), &back, &err), SV_ERR_INPUT);
        assert_non_null(strstr(err.message, "bad.json"));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(applied_and_undone),
                                       cmocka_unit_test(a_temperature_is_found_again),
                                       cmocka_unit_test(the_minimum_is_that_of_what_is_applied),
                                       cmocka_unit_test(bounds_and_nothing), cmocka_unit_test(written_and_read)};
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
