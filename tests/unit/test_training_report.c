/* test_training_report.c - the log of a run as it is on disk, whole or not; its page; numbers and curves. */
#include "support/folder.h"

#include <math.h>

#include "base/file.h"
#include "base/memory.h"
#include "report/curve_plot.h"
#include "report/svg.h"
#include "report/training_report.h"

static void put_file(const char *name, const char *text) {
    sv_error err;
    ASSERT_OK(sv_file_write(in_folder(name), text, strlen(text), &err), err);
}

static void load(const char *text, sv_training_log *log) {
    sv_error err;
    put_file("log.jsonl", text);
    ASSERT_OK(sv_training_log_load(in_folder("log.jsonl"), log, &err), err);
}

static void lines_become_updates_and_evaluations(void **state) {
    (void)state;
    sv_training_log log;
    load(
        "{\"step\":0,\"loss\":4.5,\"grad_norm\":2.0,\"lr\":0.0,\"tokens\":70}\n"
        "{\"step\":1,\"loss\":3,\"grad_norm\":1.5,\"lr\":1e-3,\"tokens\":30}\n"
        "{\"step\":1,\"kappa\":0.25}\n"
        "{\"step\":2,\"loss\":1.5,\"grad_norm\":null,\"lr\":1e-3}\n"
        "{\"step\":2,\"kappa\":null,\"accuracy\":0.5}\n",
        &log);
    assert_int_equal(log.n_updates, 3);
    assert_int_equal(log.n_evaluations, 2);
    assert_true(!log.cut && log.n_missing == 0 && log.run == NULL);
    assert_true(log.updates[1].loss == 3 && log.updates[1].learning_rate == 1e-3);
    assert_true(isnan(log.updates[2].gradient_norm) && isnan(log.updates[2].tokens));
    assert_true(log.evaluations[0].kappa == .25 && isnan(log.evaluations[0].accuracy));
    assert_true(isnan(log.evaluations[1].kappa) && log.evaluations[1].accuracy == .5);
    sv_training_progress g = sv_training_log_progress(&log);
    assert_true(g.n_mean == 1 && g.first_loss == 4.5 && g.last_loss == 1.5 && g.lowest_loss == 1.5);
    assert_true(g.tokens == 100 && g.best == &log.evaluations[0]);
    sv_training_log_free(&log);
}

/* Heads may come late, be missing, be too many; what is done again counts. */
static void heads_are_read(void **state) {
    (void)state;
    sv_training_log log;
    sv_strbuf text = {0};
    sv_error err;
    load(
        "{\"step\":0,\"loss\":4}\n"
        "{\"step\":1,\"loss\":3,\"heads\":{\"columns.mav\":{\"loss\":1.5},\"picture.<b>\":{\"loss\":2,\"accuracy\":0."
        "25}}}\n"
        "{\"step\":2,\"loss\":2,\"heads\":{\"columns.mav\":{\"loss\":9}}}\n"
        "{\"step\":2,\"loss\":2,\"heads\":{\"columns.mav\":{\"loss\":1},\"picture.<b>\":{\"loss\":null,\"accuracy\":0."
        "5}}}\n"
        "{\"step\":3,\"loss\":1,\"heads\":7}\n",
        &log);
    assert_int_equal(log.n_heads, 2);
    const sv_logged_head *mav = &log.heads[0], *stage = &log.heads[1];
    assert_string_equal(mav->name, "columns.mav");
    assert_true(isnan(mav->losses[0]) && mav->losses[1] == 1.5 && mav->losses[2] == 1 && isnan(mav->losses[3]));
    assert_true(isnan(mav->accuracies[1]) && stage->accuracies[1] == 0.25 && stage->accuracies[2] == 0.5);
    assert_true(stage->losses[1] == 2 && isnan(stage->losses[2]));
    ASSERT_OK(sv_training_report_write(in_folder("heads.html"), "run", &log, &err), err);
    char *page;
    size_t len;
    ASSERT_OK(sv_file_read(in_folder("heads.html"), SIZE_MAX, &page, &len, &err), err);
    assert_non_null(strstr(page, "<h2>Linear heads</h2>"));
    assert_non_null(strstr(page, "picture.&lt;b&gt;"));
    assert_null(strstr(page, "picture.<b>"));
    free(page);
    sv_training_log_free(&log);
    for (int i = 0; i < 40; i++)
        sv_strbuf_printf(&text, "{\"step\":%d,\"loss\":1,\"heads\":{\"h%d\":{\"loss\":1}}}\n", i, i);
    load(sv_strbuf_text(&text), &log);
    sv_strbuf_free(&text);
    assert_int_equal(log.n_heads, SV_MAX_LOGGED_HEADS);
    assert_true(isnan(log.heads[5].losses[4]) && log.heads[5].losses[5] == 1 && isnan(log.heads[5].losses[39]));
    sv_training_log_free(&log);
}

/* 40 updates: means are over two of them. */
static void means_find_the_lowest_place(void **state) {
    (void)state;
    sv_strbuf text = {0};
    sv_training_log log;
    for (int i = 0; i < 40; i++)
        sv_strbuf_printf(&text, "{\"step\":%d,\"loss\":%d}\n", i, i == 7 ? 0 : 10 + abs(i - 20));
    load(sv_strbuf_text(&text), &log);
    sv_strbuf_free(&text);
    sv_training_progress g = sv_training_log_progress(&log);
    assert_int_equal(g.n_mean, 2);
    assert_true(g.first_loss == 29.5 && g.last_loss == 28.5);
    assert_true(g.lowest_loss == 10.5 && g.lowest_step == 20); /* the outlier at 7 has a mean of 11 to 12 */
    sv_training_log_free(&log);
}

static void what_was_done_again_counts_once(void **state) {
    (void)state;
    sv_training_log log;
    load(
        "{\"step\":0,\"loss\":5}\n{\"step\":1,\"loss\":4}\n{\"step\":1,\"kappa\":0.9}\n{\"step\":2,\"loss\":3}\n"
        "{\"step\":1,\"loss\":4.5}\n{\"step\":3,\"loss\":2}\n{\"step\":4,\"lo",
        &log);
    assert_true(log.cut);
    assert_int_equal(log.n_updates, 3);
    assert_int_equal(log.n_missing, 1);
    assert_int_equal(log.n_evaluations, 0);
    assert_true(log.updates[1].loss == 4.5 && log.updates[2].step == 3);
    sv_training_log_free(&log);
}

static void what_is_no_log_is_refused_with_its_line(void **state) {
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {{"", "no update"},
                 {"{\"step\":0,\"kappa\":1}\n", "no update"},
                 {"{\"step\":0,\"loss\":1}\nnonsense\n", "line 2"},
                 {"{\"step\":0,\"loss\":1}\n\n", "line 2"},
                 {"[1]\n", "line 1: expected an object with \"step\""},
                 {"{\"step\":-1,\"loss\":1}\n", "line 1: expected an object with \"step\""},
                 {"{\"step\":9223372036854775807,\"loss\":1}\n", "line 1"},
                 {"{\"step\":0.5,\"loss\":1}\n", "line 1"},
                 {"{\"step\":0}\n", "\"loss\" or \"kappa\""}};
    for (size_t i = 0; i < SV_COUNT(cases); i++) {
        sv_training_log log;
        sv_error err;
        put_file("log.jsonl", cases[i].text);
        assert_int_equal(sv_training_log_load(in_folder("log.jsonl"), &log, &err), SV_ERR_INPUT);
        if (!strstr(err.message, cases[i].message)) fail_msg("'%s' lacks '%s'", err.message, cases[i].message);
        assert_true(log.updates == NULL && log.run == NULL);
    }
}

static char *page_of(const char *log_text, const char *run_text) {
    sv_training_log log;
    sv_error err;
    char *text;
    size_t len;
    put_file("log.jsonl", log_text);
    put_file("run.json", run_text);
    ASSERT_OK(sv_training_log_load(folder, &log, &err), err);
    ASSERT_OK(sv_training_report_write(in_folder("page.html"), "<b>run", &log, &err), err);
    ASSERT_OK(sv_file_read(in_folder("page.html"), SIZE_MAX, &text, &len, &err), err);
    sv_training_log_free(&log);
    return text;
}

static void the_page_tells_what_to_notice(void **state) {
    (void)state;
    char *page = page_of(
        "{\"step\":0,\"loss\":4,\"grad_norm\":3,\"lr\":0}\n{\"step\":1,\"loss\":1,\"grad_norm\":0.5,\"lr\":1e-3}\n"
        "{\"step\":1,\"kappa\":0.8125,\"accuracy\":0.9}\n{\"step\":2,\"loss\":2,\"grad_norm\":2,\"lr\":1e-4}\n"
        "{\"step\":2,\"kappa\":0.5,\"accuracy\":0.7,\"kappa_pooled\":0.625,\"f1_pooled\":{\"W\":0.25,\"N3\":0.75,\"R\":"
        "null}}"
        "\n{\"step\":3,\"loss\":2,\"gra",
        "{\"max_steps\":0,\"plan\":{\"updates\":9},\"max_grad_norm\":1.0,\"model_path\":\"/a/<img "
        "src=x>\",\"full\":true}");
    static const char *const expected[] = {"<h1>&lt;b&gt;run</h1>",
                                           "all weights of &lt;img src=x&gt;",
                                           "last line of the log is not whole",
                                           "3 of 9 updates are done",
                                           "lowest, 1 on average, about update 1 and has risen",
                                           "best kappa, 0.8125 at update 1, is above that of the last evaluation (0.5)",
                                           "<title>1: 0.8125</title>",
                                           "Clipped to 1 (dashed) in 67 % of the updates",
                                           "class=\"limit\"",
                                           "<th>kappa of all epochs</th><th>F1 W</th><th>F1 N1</th>",
                                           "<tr class=\"best\"><td>1</td><td>0.8125</td><td>0.9</td><td>",
                                           "<td>0.5</td><td>0.7</td><td>0.625</td><td>0.25</td><td>",
                                           "</html>"};
    for (size_t i = 0; i < SV_COUNT(expected); i++) {
        if (!strstr(page, expected[i])) fail_msg("the page lacks '%s'", expected[i]);
    }
    static const char *const forbidden[] = {"<img", "<b>run", "http://", "https://", "nan", "inf\""};
    for (size_t i = 0; i < SV_COUNT(forbidden); i++) {
        if (strstr(page, forbidden[i])) fail_msg("the page holds '%s'", forbidden[i]);
    }
    free(page);
}

static void a_quiet_run_has_no_warnings(void **state) {
    (void)state;
    char *page = page_of("{\"step\":0,\"loss\":1}\n", "{\"max_steps\":1}");
    assert_null(strstr(page, "To notice"));
    assert_null(strstr(page, "Agreement"));
    assert_null(strstr(page, "nan"));
    free(page);
}

static void numbers_are_short(void **state) {
    (void)state;
    static const struct {
        double x;
        int n_digits;
        const char *text;
    } cases[] = {{0, 3, "0"},           {1, 3, "1"},          {-2.5, 3, "-2.5"},         {1234.4, 3, "1230"},
                 {0.001, 2, "0.001"},   {1e-4, 3, "1e-4"},    {0.0123456, 4, "0.01235"}, {9.996, 3, "10"},
                 {1.25e7, 3, "1.25e7"}, {100, 3, "100"},      {NAN, 3, "\u2013"},        {-INFINITY, 3, "\u2013"},
                 {0.5, 99, "0.5"},      {5e-324, 1, "5e-324"}};
    for (size_t i = 0; i < SV_COUNT(cases); i++) {
        sv_strbuf out = {0};
        sv_svg_text_number(&out, cases[i].x, cases[i].n_digits);
        assert_string_equal(sv_strbuf_text(&out), cases[i].text);
        sv_strbuf_free(&out);
    }
}

/* A peak among 100,000 updates is drawn, the page stays small; odd values break the line. */
static void long_and_odd_curves_are_drawn(void **state) {
    (void)state;
    enum { N = 100000 };
    double *x = sv_calloc(N, sizeof *x), *y = sv_calloc(N, sizeof *y);
    for (int i = 0; i < N; i++) x[i] = i, y[i] = 1;
    y[54321] = 5;
    y[10] = NAN, y[11] = 1e300;
    const sv_curve curve = {"each", x, y, N, false};
    sv_curve_plot plot = {
        .title = "t", .curves = &curve, .n_curves = 1, .x_last = N - 1, .line = NAN, .low = NAN, .high = NAN};
    sv_strbuf out = {0};
    sv_curve_plot_put(&out, &plot);
    assert_true(out.len < 40000);
    /* 5 is the upper end less a margin of 5 %: 10 + 266 * .2 / 4.4 */
    assert_non_null(strstr(sv_strbuf_text(&out), " 22.1"));
    assert_null(strstr(sv_strbuf_text(&out), "nan"));
    sv_strbuf_free(&out);

    static const double few_x[] = {0, 1, 2, 3}, few_y[] = {1, NAN, 100, 1000}, none_y[] = {NAN, INFINITY, 1e31, NAN},
                        same_y[] = {7, 7, 7, 7};
    const double *const all[] = {few_y, none_y, same_y};
    for (size_t k = 0; k < SV_COUNT(all); k++) {
        const sv_curve one = {"each", few_x, all[k], 4, true};
        plot = (sv_curve_plot){.title = "t",
                               .curves = &one,
                               .n_curves = 1,
                               .x_last = 3,
                               .line = 2,
                               .low = NAN,
                               .high = NAN,
                               .may_be_logarithmic = true};
        sv_curve_plot_put(&out, &plot);
        assert_false(out.failed);
        assert_null(strstr(sv_strbuf_text(&out), "nan"));
        assert_null(strstr(sv_strbuf_text(&out), "inf"));
        if (k == 0) { /* a break: the point, then a new start; levels of decades */
            assert_non_null(strstr(sv_strbuf_text(&out), ">100</text>"));
            assert_non_null(strstr(sv_strbuf_text(&out), "M812.0"));
        }
        sv_strbuf_clear(&out);
    }
    sv_strbuf_free(&out);
    free(x);
    free(y);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_become_updates_and_evaluations),
        cmocka_unit_test(heads_are_read),
        cmocka_unit_test(means_find_the_lowest_place),
        cmocka_unit_test(what_was_done_again_counts_once),
        cmocka_unit_test(what_is_no_log_is_refused_with_its_line),
        cmocka_unit_test(the_page_tells_what_to_notice),
        cmocka_unit_test(a_quiet_run_has_no_warnings),
        cmocka_unit_test(numbers_are_short),
        cmocka_unit_test(long_and_odd_curves_are_drawn),
    };
    return cmocka_run_group_tests_name("training report", tests, make_folder, remove_folder);
}
