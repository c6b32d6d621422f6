/* test_evaluation.c - result rows, their evaluation, calibration, and what sleep statistics add to yasa's. */
#include "support/test.h"

#include <math.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "sleep/evaluation.h"
#include "sleep/stages.h"
#include "sleep/statistics.h"

/* Every number under `expected` must be in `found`. */
static void compare(const char *where, const json_t *expected, const json_t *found, double tolerance, int *n) {
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)expected, key, value) {
        const json_t *other = json_object_get(found, key);
        if (!other) fail_msg("%s has no %s", where, key);
        if (json_is_object(value)) {
            compare(key, value, other, tolerance, n);
        } else if (json_is_null(value)) {
            assert_true(json_is_null(other));
        } else if (!(fabs(json_number_value(value) - json_number_value(other)) <= tolerance)) {
            fail_msg("%s.%s: %.17g, expected %.17g", where, key, json_number_value(other), json_number_value(value));
        }
        ++*n;
    }
}

/* The expected numbers come from a few lines of Python that share nothing with our code (precision and recall, kappa
 * from proportions). */
static void evaluation_of_files(void **state) {
    (void)state;
    sv_result_rows rows = {0};
    sv_evaluation e;
    sv_error err;
    json_t *expected;
    int n = 0;
    ASSERT_OK(sv_json_load(test_path("data/eval/expected.json"), &expected, &err), err);
    ASSERT_OK(sv_result_rows_read(test_path("data/eval/original.jsonl"), &rows, &err), err);
    ASSERT_OK(sv_result_rows_read(test_path("data/eval/night-c/epochs.jsonl"), &rows, &err), err);
    assert_int_equal(rows.n_groups, 3);
    assert_int_equal(rows.n_iou_differs, 0);
    for (int g = -1; g < rows.n_groups; g++) {
        const char *name = g < 0 ? "overall" : rows.groups[g];
        ASSERT_OK(sv_evaluation_compute(&rows, g, &e, &err), err);
        json_t *found = sv_evaluation_to_json(&e);
        assert_non_null(found);
        compare(name, json_object_get(expected, name), found, 1e-12, &n);
        json_decref(found);
    }
    assert_int_equal(n, 4 * (5 + 2 * 12 + 1) + 2 * 4);
    sv_result_rows_free(&rows);

    ASSERT_OK(sv_result_rows_read(test_path("data/eval/original.json"), &rows, &err),
              err); /* the same rows as an array */
    ASSERT_OK(sv_evaluation_compute(&rows, 0, &e, &err), err);
    json_t *found = sv_evaluation_to_json(&e);
    compare("array", json_object_get(expected, "01-03-0001"), found, 1e-12, &n);
    json_decref(found);
    sv_result_rows_free(&rows);
    json_decref(expected);
}

static char scratch[] = "/tmp/sv-test-XXXXXX";

static sv_status read_text(const char *text, sv_result_rows *rows, sv_error *err) {
    char *path = sv_path_join(scratch, "rows.jsonl");
    sv_error writing;
    ASSERT_OK(sv_file_write(path, text, strlen(text), &writing), writing);
    sv_status s = sv_result_rows_read(path, rows, err);
    unlink(path);
    free(path);
    return s;
}

static void broken_rows_are_named(void **state) {
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "no rows"},
        {"[]", "no rows"},
        {"{\"pred\":1}\n{\"pred\":1", "rows.jsonl:2: not valid JSON (the last line"},
        {"{\"pred\":1}\n\n{\"pred\":1]\n", "rows.jsonl:3: not valid JSON:"},
        {"{\"pred\":1}\n7\n", "rows.jsonl:2: expected a JSON object"},
        {"[{\"pred\":1},{\"pred\":5}]", "rows.jsonl: row 2: expected \"pred\" to be -1..4 or null, found 5"},
        {"{\"label\":1}\n", "neither"},
        {"{\"pred\":1.0}\n", "\"pred\""},
        {"{\"pred\":1,\"label\":\"W\"}\n", "\"label\""},
        {"{\"pred\":1,\"label\":2,\"stage\":\"N3\"}\n", "\"label\" is 2 but \"stage\" is 'N3'"},
        {"{\"pred\":1,\"stage\":\"Nap\"}\n", "found 'Nap'"},
        {"{\"pred\":1,\"stage\":4}\n", "name of a stage"},
        {"{\"pred\":1,\"probabilities\":[1,0,0,0]}\n", "probabilities"},
        {"{\"pred\":1,\"probabilities\":[1,1,0,0,0]}\n", "sum 1"},
        {"{\"pred\":1,\"probabilities\":[1,-1,0,0,1]}\n", "that of N1 is not"},
        {"{\"pred\":1,\"probabilities\":\"high\"}\n", "that of W is not"},
        {"{\"pred\":1,\"rules_iou\":7}\n", "rules_iou"},
        {"{\"pred\":1,\"probabilities\":[1,0,0,0,0],\"temperature\":0}\n", "\"temperature\""},
        {"{\"pred\":1,\"probabilities\":[1,0,0,0,0],\"probability_source\":\"sixteen-letters-\"}\n",
         "probability_source"},
    };
    for (size_t i = 0; i < SV_COUNT(cases); i++) {
        sv_result_rows rows = {0};
        sv_error err;
        assert_int_equal(read_text(cases[i].text, &rows, &err), SV_ERR_INPUT);
        if (!strstr(err.message, cases[i].message)) fail_msg("'%s' is not in '%s'", cases[i].message, err.message);
        sv_result_rows_free(&rows);
    }
}

static void rows_are_understood(void **state) {
    (void)state;
    sv_result_rows rows = {0};
    sv_error err;
    const char *text =
        "{\"custom_id\":\"a#b#7_N2\",\"label\":2,\"stage\":\"N2\",\"pred\":2,\"applicable_rules\":[\"N2.1\"],"
        "\"gt_applicable_rules\":[\"N2.1\",\"N2.2\"],\"rules_iou\":1}\r\n"
        "\n"
        "{\"sub_id\":12,\"epoch\":3,\"stage\":\"REM\",\"pred\":null,\"pred_stage\":\"R\",\"probabilities\":{\"W\":0,"
        "\"N1\":0,"
        "\"N2\":0.25,\"N3\":0,\"REM\":0.75}}\n"
        "{\"custom_id\":\"a#b#7_N2\",\"label\":null,\"pred\":-1,\"pred_stage\":\"\",\"gt_applicable_rules\":[]}\n"
        "{\"pred\":0,\"applicable_rules\":\"W.1, W.2\",\"gt_applicable_rules\":\"W.2,W.3 ,\"}";
    ASSERT_OK(read_text(text, &rows, &err), err);
    assert_int_equal(rows.n, 3);
    assert_int_equal(rows.n_duplicates, 1);
    assert_int_equal(rows.n_iou_differs, 1);
    assert_string_equal(rows.groups[0], "a#b");
    assert_string_equal(rows.groups[1], "12");
    assert_string_equal(rows.groups[2], "rows"); /* the file's name */
    assert_int_equal(rows.rows[0].epoch, 7);
    assert_int_equal(rows.rows[0].prediction, SV_STAGE_NONE); /* the later row */
    assert_true(rows.rows[0].rules_iou == 0);                 /* unparsed: 0, although both lists are empty */
    assert_int_equal(rows.rows[1].epoch, 3);
    assert_int_equal(rows.rows[1].truth, SV_STAGE_R);
    assert_int_equal(rows.rows[1].prediction, SV_STAGE_R);
    assert_true(rows.rows[1].probabilities[SV_STAGE_R] == 0.75);
    assert_int_equal(rows.rows[2].epoch, -1);
    assert_true(fabs(rows.rows[2].rules_iou - 1.0 / 3) < 1e-12);
    sv_result_rows_free(&rows);
}

/* Calibrated rows are fitted as the network gave them, by what they hold of it or by undoing the temperature. */
static void a_temperature_is_taken_back(void **state) {
    (void)state;
    sv_result_rows rows = {0};
    sv_error err;
    const char *text =
        "{\"pred\":0,\"epoch\":0,\"probabilities\":[0.5,0.25,0.25,0,0],\"temperature\":0.5}\n"
        "{\"pred\":0,\"epoch\":1,\"probabilities\":[0.5,0.5,0,0,0],\"raw_probabilities\":[0.9,0.1,0,0,0],"
        "\"temperature\":9}\n"
        "{\"pred\":0,\"epoch\":2,\"probabilities\":null,\"probability_source\":null,\"temperature\":0}\n"
        "{\"pred\":0,\"epoch\":3,\"label\":1,\"probabilities\":[0.5,0.5,0,0,0]}\n";
    ASSERT_OK(read_text(text, &rows, &err), err);
    const double root = sqrt(0.5), total = root + 1; /* square roots: 0.7071, 0.5, 0.5 */
    assert_true(fabs(rows.rows[0].raw[0] - root / total) < 1e-15 && fabs(rows.rows[0].raw[2] - 0.5 / total) < 1e-15);
    assert_true(rows.rows[0].probabilities[0] == 0.5 && rows.rows[0].raw[4] == 0);
    assert_true(rows.rows[1].raw[0] == 0.9);
    assert_true(isnan(rows.rows[2].raw[0]) && isnan(rows.rows[2].probabilities[0])); /* "temperature" of the drawing */
    assert_true(rows.rows[3].raw[0] == 0.5);
    sv_result_rows_free(&rows);
}

static void unparsed_counts_as_error(void **state) {
    (void)state;
    static const signed char truth[] = {0, 0, 1, 1, -1, 2}, prediction[] = {0, -1, 1, 1, 3, -1};
    sv_agreement a;
    sv_agreement_compute(truth, prediction, 6, SV_UNPARSED_IS_ERROR, &a);
    assert_int_equal(a.n, 5);
    assert_int_equal(a.n_left_out, 1);
    assert_int_equal(a.n_unparsed, 2);
    assert_int_equal(a.confusion[0][5], 1);
    assert_int_equal(a.confusion[2][5], 1);
    assert_true(fabs(a.accuracy - 0.6) < 1e-12);
    assert_true(fabs(a.f1[0] - 2.0 / 3) < 1e-12); /* 1 of 2 found, nothing else called W */
    assert_true(fabs(a.macro_f1 - (2.0 / 3 + 1) / 5) < 1e-12);
    assert_true(fabs(a.kappa - (0.6 - 6 / 25.0) / (1 - 6 / 25.0)) < 1e-12);
    sv_agreement_compute(truth, prediction, 6, SV_UNPARSED_LEFT_OUT, &a);
    assert_int_equal(a.n, 3);
    assert_true(a.accuracy == 1 && a.kappa == 1);
    sv_agreement_compute(truth, prediction, 0, SV_UNPARSED_LEFT_OUT, &a);
    assert_true(isnan(a.accuracy) && isnan(a.kappa) && isnan(a.macro_f1) && isnan(a.f1[0]));
}

static void calibration_by_hand(void **state) {
    (void)state;
    static const signed char truth[] = {0, 1, -1, 2};
    const double p[][SV_N_STAGES] = {
        {0.8, 0.2, 0, 0, 0}, {0.8, 0.2, 0, 0, 0}, {1, 0, 0, 0, 0}, {NAN, NAN, NAN, NAN, NAN}};
    sv_calibration c;
    sv_calibration_compute(truth, p, 4, &c);
    assert_int_equal(c.n, 2);
    assert_true(fabs(c.ece - 0.3) < 1e-12); /* says 0.8, is right in 0.5 */
    assert_true(fabs(c.log_loss - (-log(0.8) - log(0.2)) / 2) < 1e-12);
    assert_true(fabs(c.brier - (0.08 + 1.28) / 2) < 1e-12);
    sv_calibration_compute(truth, p, 0, &c);
    assert_true(c.n == 0 && isnan(c.ece));
}

static void statistics_beyond_yasa(void **state) {
    (void)state;
    sv_sleep_statistics t;
    sv_error err;
    static const signed char a[] = {0, 1, 0, 2, -1, 2, 3, -1, 0, -1, 0, 4, 4, 0, 1, 0, 0};
    ASSERT_OK(sv_sleep_statistics_compute(a, sizeof a, 30, &t, &err), err);
    assert_int_equal(t.n_unscored, 3);
    assert_int_equal(t.n_awakenings, 3);   /* after N1, after N3 (across the unscored), after R; not the final one */
    assert_int_equal(t.n_stage_shifts, 7); /* 1-W W-2 2-3 3-W W-R R-W W-1 */
    assert_true(isnan(t.sol_5min_min));
    assert_true(isnan(t.lat_min[0]) && isnan(t.stage_percent_of_tst[0]));
    signed char b[30] = {0};
    memset(b + 3, 2, 9);
    memset(b + 15, 1, 10);
    ASSERT_OK(sv_sleep_statistics_compute(b, 30, 30, &t, &err), err);
    assert_true(fabs(t.sol_min - 1.5) < 1e-12 && fabs(t.sol_5min_min - 7.5) < 1e-12);
    assert_true(fabs(t.stage_min[0] - 5.5) < 1e-12);
    ASSERT_OK(sv_sleep_statistics_compute(b, 30, 20, &t, &err), err); /* 15 epochs of 20 s: never */
    assert_true(isnan(t.sol_5min_min) && fabs(t.tib_min - 10) < 1e-12);
    b[7] = 5;
    assert_int_equal(sv_sleep_statistics_compute(b, 30, 30, &t, &err), SV_ERR_USAGE);
    assert_int_equal(sv_sleep_statistics_compute(b, 3, 0, &t, &err), SV_ERR_USAGE);
    assert_int_equal(sv_sleep_statistics_compute(b, 1, 30, &t, &err), SV_ERR_INPUT);
}

static int make_scratch(void **state) {
    (void)state;
    return mkdtemp(scratch) ? 0 : -1;
}

static int remove_scratch(void **state) {
    (void)state;
    return rmdir(scratch);
}

/* Two nights of which one lacks stages: their counts together are the scores of one night that has both, by way of
 * JSON, and not the mean. */
static void nights_are_pooled(void **state) {
    (void)state;
    static const signed char truth[] = {0, 0, 1, 2, 2, 3, 4, 2, 2, 2, -1, 2, 0, 0};
    static const signed char said[] = {0, 1, 1, 2, 3, 3, 4, -1, 2, 2, 2, 0, 0, 0};
    enum { N = sizeof truth, FIRST = 6 };
    sv_agreement both, a, b, read, sum = {0};
    sv_agreement_compute(truth, said, N, SV_UNPARSED_IS_ERROR, &both);
    sv_agreement_compute(truth, said, FIRST, SV_UNPARSED_IS_ERROR, &a);
    sv_agreement_compute(truth + FIRST, said + FIRST, N - FIRST, SV_UNPARSED_IS_ERROR, &b);
    const sv_agreement *nights[] = {&a, &b};
    for (int i = 0; i < 2; i++) {
        json_t *json = sv_agreement_to_json(nights[i]);
        assert_true(sv_agreement_from_json(json, &read));
        assert_memory_equal(&read, nights[i], sizeof read);
        sv_agreement_pool(&sum, &read);
        json_decref(json);
    }
    assert_memory_equal(&sum, &both, sizeof sum);
    assert_true(fabs(sum.kappa - (a.kappa + b.kappa) / 2) > 0.01);
    static const char *const no_agreement[] = {
        "{}", "[]", "{\"n_left_out\":0,\"n_unparsed\":0,\"confusion\":[[1,0,0,0,0,0]]}",
        "{\"n_left_out\":0,\"n_unparsed\":0,\"confusion\":[[0,0,0,0,0,-1],[0,0,0,0,0,0],[0,0,0,0,0,0],[0,0,0,0,0,0],"
        "[0,0,0,0,0,0]]}",
        "{\"n_left_out\":0,\"n_unparsed\":0,\"confusion\":[[0,0,0,0,0,1.5],[0,0,0,0,0,0],[0,0,0,0,0,0],[0,0,0,0,0,0],"
        "[0,0,0,0,0,0]]}"};
    for (size_t i = 0; i < SV_COUNT(no_agreement); i++) {
        json_t *json = json_loads(no_agreement[i], 0, NULL);
        assert_non_null(json);
        assert_false(sv_agreement_from_json(json, &read));
        json_decref(json);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nights_are_pooled),           cmocka_unit_test(evaluation_of_files),
        cmocka_unit_test(broken_rows_are_named),       cmocka_unit_test(rows_are_understood),
        cmocka_unit_test(a_temperature_is_taken_back), cmocka_unit_test(unparsed_counts_as_error),
        cmocka_unit_test(calibration_by_hand),         cmocka_unit_test(statistics_beyond_yasa),
    };
    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
