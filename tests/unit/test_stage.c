/* test_stage.c - prompt, moments, rows, journal, and the parts of the report. */
#include "support/folder.h"

#include <math.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/png.h"
#include "report/html.h"
#include "report/hypnogram_plot.h"
#include "report/small_picture.h"
#include "stage/journal.h"
#include "stage/prompt.h"
#include "stage/row.h"
#include "stage/subject.h"

static void write_text(const char *name, const char *text) {
    sv_error err;
    ASSERT_OK(sv_file_write(in_folder(name), text, strlen(text), &err), err);
}

static void moments(void **state) {
    (void)state;
    const sv_start_time start = {.known = true, .hour = 22, .minute = 30, .second = 15}, unknown = {0};
    static const struct {
        const char *text;
        double expected;
    } good[] = {{"22:30:15", 0},  {"22:31", 45}, {"23:00", 1785}, {"06:30:15", 8 * 3600},
                {"22:30", 86385}, {"+90", 90},   {"+1.5", 1.5}};
    static const char *const bad[] = {"", "25:00", "22:61", "22:30:61", "22", "22:30x", "+", "+x", "+1x", "90", "+inf"};
    double s;
    sv_error err;
    for (size_t i = 0; i < SV_COUNT(good); i++) {
        ASSERT_OK(sv_moment_parse(good[i].text, &start, "--lights-off", &s, &err), err);
        assert_true(fabs(s - good[i].expected) < 1e-9);
    }
    for (size_t i = 0; i < SV_COUNT(bad); i++) {
        assert_int_equal(sv_moment_parse(bad[i], &start, "--lights-off", &s, &err), SV_ERR_USAGE);
    }
    assert_int_equal(sv_moment_parse("23:00", &unknown, "--lights-off", &s, &err), SV_ERR_INPUT);
    ASSERT_OK(sv_moment_parse("+5", &unknown, "--lights-off", &s, &err), err);
}

static void prompts(void **state) {
    (void)state;
    sv_stage_prompt p;
    sv_error err;
    assert_int_equal(sv_stage_prompt_load(folder, NULL, &p, &err), SV_ERR_INPUT);
    assert_non_null(strstr(err.message, "--prompt"));
    write_text("prompt.txt", "Stage N\u20111.");
    ASSERT_OK(sv_stage_prompt_load(folder, NULL, &p, &err), err);
    assert_false(p.stage_first);
    assert_string_equal(p.system, "Stage N\u20111.");
    sv_stage_prompt_free(&p);
    write_text("bad.txt", "ab\xff");
    assert_int_equal(sv_stage_prompt_load(folder, in_folder("bad.txt"), &p, &err), SV_ERR_INPUT);
    assert_int_equal(err.offset, 2);
    assert_int_equal(sv_stage_prompt_load(folder, in_folder("none.txt"), &p, &err), SV_ERR_INPUT);
    write_text("sleepvlm.json", "{\"answer_order\": \"stage_first\"}");
    ASSERT_OK(sv_stage_prompt_load(folder, NULL, &p, &err), err);
    assert_true(p.stage_first);
    sv_stage_prompt_free(&p);
    write_text("sleepvlm.json", "{\"answer_order\": \"sideways\"}");
    assert_int_equal(sv_stage_prompt_load(folder, NULL, &p, &err), SV_ERR_INPUT);
}

static json_t *a_row(int epoch, int n_epochs) {
    static char output[] = "{\"sleep_stage\": \"N2\"}", text[] = "A </script> spindle.";
    static const signed char truth[8] = {0, 1, 2, 3, 4, -1, 0, 0};
    static const sv_method method = {.temperature = 1};
    sv_row_context context = {.subject = "s", .n_epochs = n_epochs, .truth = truth, .method = &method, .has_eeg = true};
    sv_finding finding = {.has_probabilities = true,
                          .probabilities = {0.1, 0.2, 0.5, 0.1, 0.1},
                          .output = output,
                          .answer = {.parsed = true, .stage = SV_STAGE_N2, .reasoning_text = text}};
    return sv_row_new(&context, epoch, &finding, 0, "00ff");
}

static void rows_say_what_was_found(void **state) {
    (void)state;
    json_t *row = a_row(0, 8);
    double p[SV_N_STAGES];
    assert_int_equal(sv_row_epoch(row), 0);
    assert_int_equal(sv_row_stage(row), SV_STAGE_N2);
    assert_string_equal(sv_json_text(row, "custom_id", ""), "s#0_W");
    assert_true(sv_row_has_flag(row, "uncertain"));
    assert_true(sv_row_has_flag(row, "no_preceding_epoch"));
    assert_false(sv_row_has_flag(row, "no_subsequent_epoch"));
    assert_true(sv_row_probabilities(row, p));
    assert_true(fabs(p[2] - 0.5) < 1e-9);
    assert_string_equal(sv_json_text(json_object_get(row, "image_paths"), "preceding", ""), "s/0.png");
    json_decref(row);
    row = a_row(5, 8);
    assert_string_equal(sv_json_text(row, "custom_id", ""), "s#5");
    assert_true(json_is_null(json_object_get(row, "label")));
    json_decref(row);
    sv_row_context context = {.subject = "s", .n_epochs = 3};
    row = sv_row_new_without_signal(&context, 1);
    assert_int_equal(sv_row_stage(row), SV_STAGE_NONE);
    assert_false(sv_row_probabilities(row, p));
    json_decref(row);
}

static size_t n_flags(const json_t *row) { return json_array_size(json_object_get(row, "flags")); }

/* Flags follow the verdicts of the last audit, however often a row is audited. */
static void an_audit_sets_its_flags(void **state) {
    (void)state;
    static const struct {
        const char *audit;
        bool contradicted, second_opinion;
    } cases[] = {
        {"{'claims': [{'verdict': 'contradicted'}], 'rules': [], 'stage': {'verdict': 'supported'}}", true, false},
        {"{'claims': [{'verdict': 'cannot tell'}], 'rules': [{'verdict': 'contradicted'}], 'stage': {}}", true, false},
        {"{'claims': [], 'rules': [], 'stage': {'verdict': 'contradicted', 'stage': 'W', 'book_stage': 'W'}}", true,
         false},
        {"{'claims': [], 'rules': [], 'stage': {'verdict': 'supported', 'stage': 'N1', 'book_stage': 'N2'}}", false,
         true},
        {"{'claims': [], 'rules': [], 'stage': {'verdict': 'cannot tell', 'stage': null, 'book_stage': 'N2'}}", false,
         false},
        {NULL, false, false}};
    json_t *row = a_row(0, 8);
    size_t before = n_flags(row);
    for (size_t i = 0; i < SV_COUNT(cases); i++) {
        char text[200] = "";
        for (size_t k = 0; cases[i].audit && cases[i].audit[k]; k++)
            text[k] = cases[i].audit[k] == '\'' ? '"' : cases[i].audit[k];
        for (int again = 0; again < 2; again++) {
            json_t *audit = cases[i].audit ? json_loads(text, 0, NULL) : NULL;
            assert_true(!cases[i].audit || audit);
            assert_true(sv_row_set_audit(row, audit, audit ? json_object() : NULL));
            assert_int_equal(sv_row_has_flag(row, "contradicted"), cases[i].contradicted);
            assert_int_equal(sv_row_has_flag(row, "second_opinion"), cases[i].second_opinion);
            assert_int_equal(n_flags(row), before + cases[i].contradicted + cases[i].second_opinion);
        }
    }
    assert_true(json_is_null(json_object_get(row, "audit")) && json_is_null(json_object_get(row, "evidence")));
    json_decref(row);
}

static void journal_goes_on(void **state) {
    (void)state;
    sv_journal *j;
    sv_error err;
    ASSERT_OK(sv_journal_open(folder, "print-1", 4, false, &j, &err), err);
    ASSERT_OK(sv_journal_add(j, a_row(2, 4), &err), err);
    ASSERT_OK(sv_journal_add(j, a_row(0, 4), &err), err);
    sv_journal_close(j);

    /* a line cut short by a kill, as if it had been the third row */
    FILE *f = fopen(in_folder("epochs.jsonl.part"), "ab");
    fputs("{\"epoch\": 1, \"custom", f);
    fclose(f);
    ASSERT_OK(sv_journal_open(folder, "print-1", 4, false, &j, &err), err);
    assert_int_equal(sv_journal_n_rows(j), 2);
    assert_non_null(sv_journal_row(j, 2));
    assert_null(sv_journal_row(j, 1));
    ASSERT_OK(sv_journal_add(j, a_row(1, 4), &err), err);
    sv_journal_close(j);

    assert_int_equal(sv_journal_open(folder, "print-2", 4, false, &j, &err), SV_ERR_INPUT);
    assert_non_null(strstr(err.message, "--force"));
    ASSERT_OK(sv_journal_open(folder, "print-1", 4, false, &j, &err), err);
    assert_int_equal(sv_journal_n_rows(j), 3);
    json_t *rows = sv_journal_rows(j);
    assert_int_equal(json_array_size(rows), 3);
    for (int i = 0; i < 3; i++) assert_int_equal(sv_row_epoch(json_array_get(rows, (size_t)i)), i);
    json_decref(rows);
    sv_journal_close(j);

    ASSERT_OK(sv_journal_open(folder, "print-2", 4, true, &j, &err), err);
    assert_int_equal(sv_journal_n_rows(j), 0);
    sv_journal_remove(j);
    sv_journal_close(j);
    assert_false(sv_file_exists(in_folder("epochs.jsonl.part")));
}

static void only_one_run_has_the_journal(void **state) {
    (void)state;
    sv_journal *first, *second;
    sv_error err;
    ASSERT_OK(sv_journal_open(folder, "p", 4, false, &first, &err), err);
    ASSERT_OK(sv_journal_add(first, a_row(2, 4), &err), err);
    assert_int_equal(sv_journal_open(folder, "p", 4, true, &second, &err), SV_ERR_INPUT);
    assert_non_null(strstr(err.message, "another run"));
    sv_journal_close(first);
    ASSERT_OK(sv_journal_open(folder, "p", 4, false, &second, &err), err);
    assert_int_equal(sv_journal_n_rows(second), 1);
    sv_journal_remove(second);
    sv_journal_close(second);
}

static void foreign_bytes_become_utf8(void **state) {
    (void)state;
    static const struct {
        const char *text, *expected;
    } cases[] = {{"", ""},
                 {"n\xc3\xa4"
                  "cht",
                  "n\xc3\xa4"
                  "cht"},
                 {"n\xe4"
                  "cht",
                  "n\ufffd"
                  "cht"},
                 {"\xed\xa0\x80", "\ufffd\ufffd\ufffd"},
                 {"x\xe2\x80", "x\ufffd\ufffd"}};
    for (size_t i = 0; i < SV_COUNT(cases); i++) {
        json_t *string = sv_json_string(cases[i].text);
        assert_non_null(string);
        assert_string_equal(json_string_value(string), cases[i].expected);
        json_decref(string);
    }
}

static void hostile_journals_are_survived(void **state) {
    (void)state;
    static const char *const texts[] = {
        "{\"fingerprint\":\"p\"}\n{\"epoch\":9}\n{\"epoch\":-1}\n[]\n\n{\"epoch\":1}\n{\"epoch\":1}\nnull\n",
        "{\"fingerprint\":\"p\"}\n{\"epoch\":1}"};
    static const int expected[] = {1, 0};
    sv_journal *j;
    sv_error err;
    for (size_t i = 0; i < SV_COUNT(texts); i++) {
        write_text("epochs.jsonl.part", texts[i]);
        ASSERT_OK(sv_journal_open(folder, "p", 3, false, &j, &err), err);
        assert_int_equal(sv_journal_n_rows(j), expected[i]);
        sv_journal_remove(j);
        sv_journal_close(j);
    }
    write_text("epochs.jsonl.part", "{\"fingerp"); /* killed while the first line was written */
    ASSERT_OK(sv_journal_open(folder, "p", 3, false, &j, &err), err);
    sv_journal_remove(j);
    sv_journal_close(j);
}

static void pages_cannot_be_broken_out_of(void **state) {
    (void)state;
    sv_strbuf b = {0};
    sv_html_text(&b, "<a href=\"x\" b='y'>&");
    assert_string_equal(b.data, "&lt;a href=&quot;x&quot; b=&#39;y&#39;&gt;&amp;");
    sv_strbuf_clear(&b);
    json_t *row = a_row(1, 4);
    assert_true(sv_html_json(&b, row));
    assert_null(strchr(b.data, '<'));
    assert_non_null(strstr(b.data, "\\u003c/script>"));
    json_decref(row);
    sv_strbuf_free(&b);
}

static void small_pictures_stay_close(void **state) {
    (void)state;
    enum { W = 64, H = 48 };
    unsigned char rgb[W * H * 3], *png;
    size_t len;
    sv_image image;
    sv_error err;
    /* two colour axes: at most 64 colours at eight levels; three axes: more than 256 */
    for (int axes = 2; axes <= 3; axes++) {
        for (int i = 0; i < W * H; i++) {
            rgb[3 * i] = (unsigned char)(i % 256);
            rgb[3 * i + 1] = (unsigned char)((i * 7) % 256);
            rgb[3 * i + 2] = (unsigned char)(axes == 3 ? (i * 37) % 253 : 0);
        }
        ASSERT_OK(sv_small_picture_encode(rgb, W, H, &png, &len, &err), err);
        ASSERT_OK(sv_png_decode(png, len, "small", &image, &err), err);
        int limit = axes == 2 ? 19 : 43, worst = 0;
        for (int i = 0; i < W * H * 3; i++) {
            int pixel = image.pixels[i / 3 * image.n_channels + i % 3];
            worst = SV_MAX(worst, abs(pixel - rgb[i]));
        }
        assert_true(worst <= limit);
        sv_image_free(&image);
        free(png);
    }
}

static void plots_have_every_epoch(void **state) {
    (void)state;
    json_t *rows = json_array();
    for (int i = 0; i < 8; i++) json_array_append_new(rows, a_row(i, 8));
    sv_strbuf b = {0};
    sv_hypnogram_plot(&b, rows, 82800);
    assert_non_null(strstr(b.data, "</svg>"));
    assert_null(strstr(b.data, "nan"));
    int n_rectangles = 0;
    for (const char *at = strstr(b.data, "class=\"fN2\""); *at != '>'; at++) n_rectangles += *at == 'z';
    assert_int_equal(n_rectangles, 8);
    sv_strbuf_free(&b);
    json_decref(rows);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(moments),
                                       cmocka_unit_test(prompts),
                                       cmocka_unit_test(rows_say_what_was_found),
                                       cmocka_unit_test(an_audit_sets_its_flags),
                                       cmocka_unit_test(journal_goes_on),
                                       cmocka_unit_test(only_one_run_has_the_journal),
                                       cmocka_unit_test(foreign_bytes_become_utf8),
                                       cmocka_unit_test(hostile_journals_are_survived),
                                       cmocka_unit_test(pages_cannot_be_broken_out_of),
                                       cmocka_unit_test(small_pictures_stay_close),
                                       cmocka_unit_test(plots_have_every_epoch)};
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
