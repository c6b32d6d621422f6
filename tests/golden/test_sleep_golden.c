/* test_sleep_golden.c - agreement, rule overlap and sleep statistics against scikit-learn, the published code and yasa.
 * The committed subset runs always, the whole set where ../shared is there. */
#include "support/test.h"

#include <math.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "sleep/agreement.h"
#include "sleep/stages.h"
#include "sleep/statistics.h"

/* Calls check for every line of a JSONL file; returns the number of lines. */
static int for_each_line(const char *path, void (*check)(const json_t *row)) {
    char *text, *line, *rest = NULL;
    size_t len;
    sv_error err;
    ASSERT_OK(sv_file_read(path, 1 << 24, &text, &len, &err), err);
    int n = 0;
    for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest), n++) {
        json_t *row;
        ASSERT_OK(sv_json_parse(line, strlen(line), path, &row, &err), err);
        check(row);
        json_decref(row);
    }
    free(text);
    return n;
}

static signed char *read_stages(const json_t *list, size_t *n) {
    *n = json_array_size(list);
    signed char *stages = sv_calloc(*n, 1);
    assert_non_null(stages);
    for (size_t i = 0; i < *n; i++) stages[i] = (signed char)json_integer_value(json_array_get(list, i));
    return stages;
}

static double worst;

static void near(const char *what, double ours, const json_t *golden, double tolerance) {
    if (!golden) fail_msg("the golden file has no %s", what);
    if (json_is_null(golden)) {
        if (!isnan(ours)) fail_msg("%s: %.17g, expected undefined", what, ours);
        return;
    }
    double error = fabs(ours - json_number_value(golden));
    worst = SV_MAX(worst, error);
    if (!(error <= tolerance)) fail_msg("%s: %.17g, expected %.17g", what, ours, json_number_value(golden));
}

static const char *const names[] = {"W", "N1", "N2", "N3", "REM"};

static void compare_agreement(const sv_agreement *a, const json_t *row) {
    near("accuracy", a->accuracy, json_object_get(row, "accuracy"), 1e-12);
    near("kappa", a->kappa, json_object_get(row, "kappa"), 1e-12);
    near("macro-F1", a->macro_f1, json_object_get(row, "macro_f1"), 1e-12);
    assert_int_equal(a->n, sv_json_int(row, "n_valid", -1));
    assert_int_equal(a->n_left_out, sv_json_int(row, "n_invalid", -1));
    const json_t *f1 = json_object_get(row, "per_class_f1"), *confusion = json_object_get(row, "confusion_matrix");
    for (int s = 0; a->n && s < SV_N_STAGES; s++) {
        near(names[s], a->f1[s], json_object_get(f1, names[s]), 1e-12);
        for (int k = 0; k < SV_N_STAGES; k++) {
            const json_t *count = json_array_get(json_array_get(confusion, (size_t)s), (size_t)k);
            assert_true(json_is_integer(count));
            assert_int_equal(a->confusion[s][k], json_integer_value(count));
        }
        assert_int_equal(a->confusion[s][SV_N_STAGES], 0);
    }
}

static void check_pair(const json_t *row) {
    size_t n, m;
    signed char *truth = read_stages(json_object_get(row, "true"), &n);
    signed char *prediction = read_stages(json_object_get(row, "pred"), &m);
    assert_int_equal(n, m);
    sv_agreement a;
    sv_agreement_compute(truth, prediction, n, SV_UNPARSED_LEFT_OUT, &a);
    compare_agreement(&a, row);
    free(truth);
    free(prediction);
}

static void check_iou(const json_t *row) {
    double iou = sv_rules_iou(json_object_get(row, "pred"), json_object_get(row, "gt"));
    double expected = sv_json_real(row, "iou", -1);
    if (iou != expected) {
        char *text = json_dumps(row, 0);
        fail_msg("%s: found %.17g", text, iou);
    }
}

static void check_statistics(const json_t *row) {
    size_t n;
    signed char *stages = read_stages(json_object_get(row, "hypno"), &n);
    const json_t *expected = json_object_get(row, "stats"), *value;
    sv_sleep_statistics t;
    sv_error err;
    sv_status s = sv_sleep_statistics_compute(stages, (int)n, sv_json_real(row, "epoch_s", 0), &t, &err);
    free(stages);
    if (json_is_null(expected)) {
        assert_int_equal(s, SV_ERR_INPUT);
        return;
    }
    ASSERT_OK(s, err);
    json_t *ours = sv_sleep_statistics_to_json(&t);
    assert_non_null(ours);
    const char *key;
    assert_int_equal(json_object_size(expected), 21);
    json_object_foreach((json_t *)(uintptr_t)expected, key, value) {
        const json_t *found = json_object_get(ours, key);
        if (!found) fail_msg("no %s", key);
        near(key, json_is_null(found) ? NAN : json_number_value(found), value, 1e-9);
    }
    json_decref(ours);
}

static void run(const char *committed, int n_committed, const char *shared, int n_shared,
                void (*check)(const json_t *row)) {
    worst = 0;
    assert_int_equal(for_each_line(test_path(committed), check), n_committed);
    SKIP_WITHOUT(shared_path(shared));
    assert_int_equal(for_each_line(shared_path(shared), check), n_shared);
    print_message("%s: %d cases, largest error %.2g\n", shared, n_shared, worst);
}

static void agreement_is_that_of_scikit_learn(void **state) {
    (void)state;
    run("data/sleep/pairs.jsonl", 66, "golden/metrics/hypnogram_pairs.jsonl", 200, check_pair);
}

static void rule_overlap_is_that_of_the_published_code(void **state) {
    (void)state;
    run("data/sleep/rules_iou.jsonl", 100, "golden/metrics/rules_iou.jsonl", 100, check_iou);
}

static void statistics_are_those_of_yasa(void **state) {
    (void)state;
    run("data/sleep/statistics.jsonl", 10, "golden/sleepstats/sleep_statistics.jsonl", 50, check_statistics);
}

static signed char *pooled_truth, *pooled_prediction;
static size_t n_pooled, n_recordings;

static void pool(const json_t *row) {
    if (n_recordings++ >= 40) return;
    size_t n, m;
    signed char *truth = read_stages(json_object_get(row, "true"), &n);
    signed char *prediction = read_stages(json_object_get(row, "pred"), &m);
    pooled_truth = realloc(pooled_truth, n_pooled + n);
    pooled_prediction = realloc(pooled_prediction, n_pooled + n);
    assert_true(pooled_truth && pooled_prediction && n == m);
    memcpy(pooled_truth + n_pooled, truth, n);
    memcpy(pooled_prediction + n_pooled, prediction, n);
    n_pooled += n;
    free(truth);
    free(prediction);
}

static void pooled_agreement(void **state) {
    (void)state;
    SKIP_WITHOUT(shared_path("golden/metrics/overall_first40.json"));
    for_each_line(shared_path("golden/metrics/hypnogram_pairs.jsonl"), pool);
    json_t *expected;
    sv_error err;
    ASSERT_OK(sv_json_load(shared_path("golden/metrics/overall_first40.json"), &expected, &err), err);
    sv_agreement a;
    sv_agreement_compute(pooled_truth, pooled_prediction, n_pooled, SV_UNPARSED_LEFT_OUT, &a);
    compare_agreement(&a, expected);
    json_decref(expected);
    free(pooled_truth);
    free(pooled_prediction);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agreement_is_that_of_scikit_learn),
        cmocka_unit_test(rule_overlap_is_that_of_the_published_code),
        cmocka_unit_test(statistics_are_those_of_yasa),
        cmocka_unit_test(pooled_agreement),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
