/* test_answer.c - answers as models write them: where the published parser takes one we agree; beyond it a table of our
 * own. */
#include "support/test.h"

#include <time.h>

#include "base/file.h"
#include "base/memory.h"
#include "sleep/stages.h"
#include "stage/answer.h"

static bool same_rules(const json_t *golden, const json_t *ours) {
    json_t *expected = json_array(), *item;
    size_t i;
    json_array_foreach(golden, i, item) {
        const char *text = json_is_string(item) ? json_string_value(item) : NULL;
        while (text && *text == ' ') text++;
        if (text) json_array_append_new(expected, json_stringn(text, strcspn(text, " ")));
    }
    bool same = json_is_array(golden) ? json_equal(expected, ours) : true; /* texts and numbers: see our own table */
    json_decref(expected);
    return same;
}

static void agrees_with_the_published_parser(void **state) {
    (void)state;
    const char *path = shared_path("golden/metrics/answer_parser.jsonl");
    SKIP_WITHOUT(path);
    char *text;
    size_t len;
    sv_error err;
    int n = 0, n_ok = 0, n_more = 0;
    ASSERT_OK(sv_file_read(path, 1 << 24, &text, &len, &err), err);
    for (char *line = text, *stop; (stop = memchr(line, '\n', (size_t)(text + len - line))); line = stop + 1, n++) {
        json_t *row;
        sv_answer a;
        ASSERT_OK(sv_json_parse(line, (size_t)(stop - line), path, &row, &err), err);
        const json_t *raw = json_object_get(row, "text");
        ASSERT_OK(sv_answer_parse(json_string_value(raw), json_string_length(raw), &a, &err), err);
        bool ok = sv_json_bool(row, "ok", false);
        n_ok += ok;
        n_more += !ok && a.parsed;
        if (ok) {
            const char *name = sv_json_text(row, "name", "?");
            if (!a.parsed || strcmp(sv_stage_name(a.stage), sv_json_text(row, "sleep_stage", "")) != 0)
                fail_msg("%s: stage", name);
            const json_t *reason = json_object_get(row, "reasoning_text");
            if (json_is_string(reason) && strcmp(json_string_value(reason), a.reasoning_text) != 0) {
                fail_msg("%s: '%s' is not '%s'", name, a.reasoning_text, json_string_value(reason));
            }
            if (!same_rules(json_object_get(row, "applicable_rules"), a.rules)) fail_msg("%s: rules", name);
        } else {
            assert_true(a.parsed == (a.problem == NULL));
        }
        sv_answer_free(&a);
        json_decref(row);
    }
    print_message("%d answers: %d that the published parser takes are equal; of its %d failures %d more are read\n", n,
                  n_ok, n - n_ok, n_more);
    assert_int_equal(n, 134);
    free(text);
}

static void reads_more_and_never_guesses(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int stage;
        const char *rules;
    } cases[] = {{"{\"sleep_stage\": \"REM\"}", 4, ""},
                 {"{\"sleep_stage\": \"wake\"}", 0, ""},
                 {"{\"sleep_stage\": \"N2\", \"reasoning_text\": \"cut off he", 2, ""},
                 {"```json\n{\"sleep_stage\": \"N3\", \"applicable_rules\": [\"N3.1\"", 3, "N3.1"},
                 {"```json\n{\"sleep_stage\": \"N3\", \"applicable_rules\": [\"N3.1\"], \"reasoning_text\": \"Slow wav",
                  3, "N3.1"},
                 {"<think>{N1}</think>{\"sleep_stage\": \"R\"}", 4, ""},
                 {"{\"note\": 1} {\"sleep_stage\": \"R\"}", 4, ""},
                 {"{\"a\": {\"b\": \"}\"}, \"sleep_stage\": \"W\"}", 0, ""},
                 {"{\"reasoning_text\": \"a\nb\tc\", \"sleep_stage\": \"N1\"}", 1, ""},
                 {"{\"applicable_rules\": \" N2.1, N2.2 ,\", \"sleep_stage\": \"N2\"}", 2, "N2.1 N2.2"},
                 {"{\"sleep_stage\": \"N2\xff\"}", -1, ""},
                 {"{\"sleep_stage\": \"N2 or N3\"}", -1, ""},
                 {"{\"sleep_stage\": \"N4\"}", -1, ""},
                 {"{\"sleep_stage\": 2}", -1, ""},
                 {"{\"sleep_stage\": \"N", -1, ""},
                 {"{\"answer\": {\"sleep_stage\": \"N2\"}}", 2, ""},
                 {"{\"alternatives\": [{\"sleep_stage\": \"N1\"}], \"sleep_stage\": \"unsure\"}", -1, ""},
                 {"{\"alternatives\": [{\"sleep_stage\": \"N1\"}], \"sleep_st", -1, ""},
                 {"a set {a, b and {\"sleep_stage\": \"N2\"}", 2, ""},
                 {"The stage is N2.", -1, ""},
                 {"", -1, ""},
                 {"{{{{{{", -1, ""},
                 {"{\"stage\": \"N2\"}", -1, ""}};
    for (size_t i = 0; i < SV_COUNT(cases); i++) {
        sv_answer a;
        sv_error err;
        ASSERT_OK(sv_answer_parse(cases[i].text, strlen(cases[i].text), &a, &err), err);
        if ((int)a.stage != cases[i].stage || a.parsed != (cases[i].stage >= 0))
            fail_msg("case %zu: stage %d", i, a.stage);
        char rules[100] = "";
        for (size_t k = 0; k < json_array_size(a.rules); k++) {
            snprintf(rules + strlen(rules), sizeof rules - strlen(rules), "%s%s", k ? " " : "",
                     json_string_value(json_array_get(a.rules, k)));
        }
        assert_string_equal(rules, cases[i].rules);
        assert_true(a.parsed == (a.problem == NULL));
        assert_non_null(a.reasoning_text);
        sv_answer_free(&a);
    }
}

/* A model that repeats itself: each brace and comma is a place to try, and trying all pairs took minutes. */
static void repetition_takes_linear_time(void **state) {
    (void)state;
    static const char *const units[] = {"{\"a\":1,", "{\"sleep_stage\":[1,2,3,4,",
                                        "{\"a\":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,"};
    enum { LEN = 40000 };
    char *text = malloc(LEN);
    for (size_t u = 0; u < SV_COUNT(units); u++) {
        sv_answer a;
        sv_error err;
        for (size_t i = 0; i < LEN; i++) text[i] = units[u][i % strlen(units[u])];
        clock_t begin = clock();
        ASSERT_OK(sv_answer_parse(text, LEN, &a, &err), err);
        double seconds = (double)(clock() - begin) / CLOCKS_PER_SEC;
        assert_false(a.parsed);
        if (seconds > 15) fail_msg("%s...: %.1f s", units[u], seconds); /* 0.1 to 0.6 s is usual, 5 with sanitizers */
        sv_answer_free(&a);
    }
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(agrees_with_the_published_parser),
                                       cmocka_unit_test(reads_more_and_never_guesses),
                                       cmocka_unit_test(repetition_takes_linear_time)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
