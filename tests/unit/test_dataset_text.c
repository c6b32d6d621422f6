/* test_dataset_text.c - the small parts under `dataset`: tables, JSON text, Python's random numbers. */
#include "support/test.h"

#include "base/csv.h"
#include "base/json.h"
#include "base/json_text.h"
#include "base/memory.h"
#include "base/mersenne.h"

static void parse(const char *text, sv_csv *csv) {
    sv_error err;
    ASSERT_OK(sv_csv_parse(text, strlen(text), "t.csv", csv, &err), err);
}

static void table_with_everything(void **state) {
    (void)state;
    sv_csv csv;
    parse(
        "\xEF\xBB\xBFid,\"the text\",n\r\n"
        "a,\"he said \"\"N2\"\", then\r\nwent, on\",1\r\n"
        "\r\n"
        ",\"\",\n"
        "\"b\",x y,\"3\"",
        &csv);
    assert_int_equal(csv.n_rows, 4);
    assert_int_equal(csv.n_columns, 3);
    assert_int_equal(sv_csv_column(&csv, "the text"), 1);
    assert_int_equal(sv_csv_column(&csv, "id"), 0); /* the byte order mark is no part of it */
    assert_int_equal(sv_csv_column(&csv, "none"), -1);
    assert_string_equal(sv_csv_field(&csv, 1, 1), "he said \"N2\", then\r\nwent, on");
    assert_string_equal(sv_csv_field(&csv, 1, 2), "1");
    for (int c = 0; c < 3; c++) assert_string_equal(sv_csv_field(&csv, 2, c), "");
    assert_string_equal(sv_csv_field(&csv, 3, 0), "b");
    assert_string_equal(sv_csv_field(&csv, 3, 1), "x y");
    assert_string_equal(sv_csv_field(&csv, 3, 2), "3");
    const int64_t lines[] = {1, 2, 5, 6};
    assert_memory_equal(csv.lines, lines, sizeof lines);
    sv_csv_free(&csv);
}

static void tables_that_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *text, *problem;
    } cases[] = {{"", "empty"},
                 {"\r\n\n", "empty"},
                 {"a,b\n1\n", "line 2: 1 fields, the first row has 2"},
                 {"a\n1,2\n", "line 2: 2 fields, the first row has 1"},
                 {"a\n\"x\n\ny", "line 2: a quoted field begins here and never ends"},
                 {"a\n\"x\"y\n", "line 2: text after a closing quote"},
                 {"a\nx\"y\n", "line 2: a quote inside"},
                 {"a\nx\ry\n", "line 2: a carriage return"},
                 {"a\n\xFF\n", "not UTF-8"}};
    for (size_t i = 0; i < SV_COUNT(cases); i++) {
        sv_csv csv;
        sv_error err;
        assert_int_equal(sv_csv_parse(cases[i].text, strlen(cases[i].text), "t.csv", &csv, &err), SV_ERR_INPUT);
        if (!strstr(err.message, cases[i].problem)) fail_msg("'%s' has not '%s'", err.message, cases[i].problem);
        assert_null(csv.text);
    }
    sv_csv csv;
    sv_error err;
    assert_int_equal(sv_csv_parse("a\0b", 3, "t.csv", &csv, &err), SV_ERR_INPUT);
}

static void json_as_python_writes_it(void **state) {
    (void)state;
    sv_strbuf out = {0};
    /* json.dumps('a"b\\/\n\r\t\b\f\x01\x1f\x7f\u2011\x00z', ensure_ascii=False) */
    static const char text[] = "a\"b\\/\n\r\t\b\f\x01\x1f\x7f\u2011\0z";
    sv_json_put_text(&out, text, sizeof text - 1);
    assert_string_equal(out.data, "\"a\\\"b\\\\/\\n\\r\\t\\b\\f\\u0001\\u001f\x7f\u2011\\u0000z\"");
    json_t *back;
    sv_error err;
    ASSERT_OK(sv_json_parse(out.data, out.len, "text", &back, &err), err);
    assert_int_equal(json_string_length(back), sizeof text - 1);
    assert_memory_equal(json_string_value(back), text, sizeof text - 1);
    json_decref(back);
    sv_strbuf_free(&out);
}

/* Expected numbers: python3 (3.11), `r = random.Random(SEED); r.getrandbits(32)`, `r.randrange(n)`, `r.shuffle(l)`. */
static void random_words(void **state) {
    (void)state;
    static const struct {
        uint64_t seed;
        uint32_t words[3];
    } cases[] = {{UINT64_C(0), {3626764237u, 1654615998u, 3255389356u}},
                 {UINT64_C(1), {577090037u, 2444712010u, 3639700191u}},
                 {UINT64_C(42), {2746317213u, 478163327u, 107420369u}},
                 {UINT64_C(4294967295), {2728839433u, 2661025012u, 872737089u}},
                 {UINT64_C(4294967296), {485306839u, 1508871100u, 1794561286u}},
                 {UINT64_C(123456789012345), {2896848117u, 946991832u, 1255537387u}},
                 {UINT64_C(18446744073709551615), {93740670u, 1068495656u, 1452108352u}}};
    for (size_t i = 0; i < SV_COUNT(cases); i++) {
        sv_mersenne m;
        sv_mersenne_seed(&m, cases[i].seed);
        for (int k = 0; k < 3; k++) assert_int_equal(sv_mersenne_word(&m), cases[i].words[k]);
    }
}

static void random_shuffles(void **state) {
    (void)state;
    static const size_t twenty[] = {19, 5, 14, 4, 9, 13, 15, 18, 6, 12, 17, 10, 1, 11, 2, 16, 7, 8, 0, 3};
    sv_mersenne m;
    size_t items[2000];
    sv_mersenne_seed(&m, 42);
    for (size_t i = 0; i < 20; i++) items[i] = i;
    sv_mersenne_shuffle(&m, items, 20);
    assert_memory_equal(items, twenty, sizeof twenty);
    /* beyond the first 624 words; the sum of i * item is a fingerprint of the order */
    for (size_t i = 0; i < 2000; i++) items[i] = i;
    sv_mersenne_shuffle(&m, items, 2000);
    uint64_t sum = 0, expected = 1973694696;
    for (size_t i = 0; i < 2000; i++) sum += i * items[i];
    assert_int_equal(sum, expected);
    sv_mersenne_shuffle(&m, items, 0);
    sv_mersenne_shuffle(&m, items, 1);
    for (int i = 0; i < 100; i++) assert_int_equal(sv_mersenne_below(&m, 1), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_with_everything), cmocka_unit_test(tables_that_are_refused),
        cmocka_unit_test(json_as_python_writes_it), cmocka_unit_test(random_words), cmocka_unit_test(random_shuffles)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
