/* test_report.c - claims in the text, packed signals, the page as written, and the page in a browser when one is there.
 */
#include "support/folder.h"

#include <math.h>

#include "base/memory.h"
#include "report/html.h"
#include "report/marks.h"
#include "report/proof.h"
#include "report/report.h"
#include "report/trace_code.h"

static json_t *claims_at(const int (*places)[2], size_t n) {
    json_t *claims = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(claims, json_pack("{s:i,s:i}", "begin", places[i][0], "end", places[i][1]));
    return claims;
}

/* Pieces as "text[claims]text[claims]". */
static char *cut(const char *text, const json_t *claims) {
    sv_strbuf out = {0};
    json_t *pieces = sv_marks_cut(text, strlen(text), claims), *piece, *index;
    size_t i, k;
    assert_non_null(pieces);
    json_array_foreach(pieces, i, piece) {
        sv_strbuf_puts(&out, json_string_value(json_object_get(piece, "t")));
        sv_strbuf_puts(&out, "[");
        json_array_foreach(json_object_get(piece, "c"), k, index)
            sv_strbuf_printf(&out, "%d", (int)json_integer_value(index));
        sv_strbuf_puts(&out, "]");
    }
    json_decref(pieces);
    char *copy = strdup(sv_strbuf_text(&out));
    sv_strbuf_free(&out);
    return copy;
}

static void texts_are_cut_where_claims_end(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int places[3][2];
        size_t n;
        const char *expected;
    } cases[] = {{"no claims", {{0}}, 0, "no claims[]"},
                 {"", {{0, 1}}, 1, ""},
                 {"two spindles.", {{0, 12}}, 1, "two spindles[0].[]"},
                 {"abcdef", {{0, 4}, {2, 6}}, 2, "ab[0]cd[01]ef[1]"},
                 {"abcdef", {{2, 4}, {0, 6}}, 2, "ab[1]cd[10]ef[1]"}, /* the inner one comes last */
                 {"abcdef", {{0, 3}, {3, 6}}, 2, "abc[0]def[1]"},
                 {"abcdef", {{1, 3}, {1, 3}}, 2, "a[]bc[01]def[]"},
                 {"a\u2011b\u00b5", {{2, 5}}, 1, "a[]\u2011b[0]\u00b5[]"}, /* begins inside a character */
                 {"a\u2011b\u00b5", {{0, 6}}, 1, "a\u2011b\u00b5[0]"},     /* ends inside one */
                 {"abc", {{-1, 2}, {2, 2}, {1, 4}}, 3, "abc[]"},
                 {"abc", {{3, 1}, {0, 3}}, 2, "abc[1]"}};
    for (size_t i = 0; i < SV_COUNT(cases); i++) {
        json_t *claims = claims_at(cases[i].places, cases[i].n);
        char *found = cut(cases[i].text, claims);
        assert_string_equal(found, cases[i].expected);
        free(found);
        json_decref(claims);
    }
}

static void claims_of_other_shapes_cover_nothing(void **state) {
    (void)state;
    static const char *const claims[] = {"null",
                                         "{}",
                                         "7",
                                         "[null, 3, {}, {\"begin\": \"0\", \"end\": 2}]",
                                         "[{\"begin\": 0}, {\"begin\": 0, \"end\": 2.5}]",
                                         "[{\"begin\": 0, \"end\": 9223372036854775807}]"};
    for (size_t i = 0; i < SV_COUNT(claims); i++) {
        json_t *list = NULL;
        ASSERT_OK(sv_json_parse(claims[i], strlen(claims[i]), "claims", &list, NULL), (sv_error){0});
        char *found = cut("text", list);
        assert_string_equal(found, "text[]");
        free(found);
        json_decref(list);
    }
    json_t *many = json_array();
    for (int i = 0; i < 4 * SV_MARKS_MAX; i++)
        json_array_append_new(many, json_pack("{s:i,s:i}", "begin", i % 3, "end", 4));
    char *found = cut("text", many);
    assert_memory_equal(found, "t[", 2);
    free(found);
    json_decref(many);
}

/* The decoder of trace.js, written again. */
static int bits_at(const unsigned char *bytes, size_t *at, int n) {
    int v = 0;
    for (; n > 0; n--, (*at)++) v = v << 1 | (bytes[*at >> 3] >> (7 - (*at & 7)) & 1);
    return v;
}

static void decode(const unsigned char *bytes, size_t *at, int n, double *out) {
    int order = bits_at(bytes, at, 2), k = bits_at(bytes, at, 5), a = 0, b = 0;
    for (int i = 0; i < n; i++) {
        int q = 0;
        while (q < SV_TRACE_ESCAPE && bits_at(bytes, at, 1)) q++;
        int z = q < SV_TRACE_ESCAPE ? (q << k) + bits_at(bytes, at, k) : bits_at(bytes, at, SV_TRACE_RAW_BITS);
        int r = z & 1 ? -(z + 1) / 2 : z / 2, x = order == 0 ? r : order == 1 ? r + a : r + 2 * a - b;
        out[i] = x;
        b = a;
        a = x;
    }
}

static void packed_signals_come_back(void **state) {
    (void)state;
    enum { N = 3000, SHAPES = 6 };
    static double x[SHAPES][N], back[N];
    unsigned seed = 1;
    for (int i = 0; i < N; i++) {
        seed = seed * 1664525u + 1013904223u;
        x[0][i] = 80 * sin(i / 20.0);
        x[1][i] = (double)(seed >> 16) / 65536 * 200 - 100;
        x[2][i] = 0;
        x[3][i] = i % 2 ? 1e9 : -1e9; /* clipped, and the largest residuals there are */
        x[4][i] = i % 700 == 3 ? 16000 : 0.3;
        x[5][i] = i % 5 == 0 ? NAN : i % 5 == 1 ? INFINITY : (double)i;
    }
    static const double steps[] = {0.5, 1};
    for (size_t s = 0; s < SV_COUNT(steps); s++) {
        sv_strbuf bytes = {0};
        sv_bit_writer bits = {.out = &bytes};
        for (int c = 0; c < SHAPES; c++) sv_trace_encode(&bits, x[c], N, steps[s]);
        sv_trace_finish(&bits);
        size_t at = 0;
        for (int c = 0; c < SHAPES; c++) {
            decode((const unsigned char *)bytes.data, &at, N, back);
            for (int i = 0; i < N; i++) {
                double limit = SV_TRACE_MAX_STEPS * steps[s], v = isfinite(x[c][i]) ? x[c][i] : 0;
                v = fmin(limit, fmax(-limit, v));
                assert_true(fabs(back[i] * steps[s] - v) <= steps[s] / 2 + 1e-9);
            }
        }
        assert_int_equal((at + 7) / 8, bytes.len);
        sv_strbuf_free(&bytes);
    }
}

enum { N_EPOCHS = 3 };

/* Three epochs of F4 and chin: a sine of 60 uV and one of 10. */
static void make_night(sv_night *night) {
    *night = (sv_night){.n_epochs = N_EPOCHS};
    night->missing_share = sv_calloc(N_EPOCHS, sizeof(double));
    static const sv_role roles[] = {SV_ROLE_F4, SV_ROLE_CHIN};
    for (size_t r = 0; r < SV_COUNT(roles); r++) {
        double *x = night->samples[roles[r]] = sv_calloc((size_t)N_EPOCHS * SV_EPOCH_SAMPLES, sizeof(double));
        for (int i = 0; i < N_EPOCHS * SV_EPOCH_SAMPLES; i++) x[i] = (r ? 10 : 60) * sin(i * 2 * 3.14159265 / 100);
    }
}

#define TEXT "A \\u2011 <img src=x onerror=alert(1)> spindle </script> is seen."

static json_t *parsed(const char *text) {
    json_t *value = NULL;
    sv_error err;
    ASSERT_OK(sv_json_parse(text, strlen(text), "test", &value, &err), err);
    return value;
}

static json_t *plain_row(void) {
    return parsed("{\"pred_stage\": \"N2\", \"stage\": null, \"reasoning_text\": \"" TEXT
                  "\", \"applicable_rules\": [\"N2.1\"],"
                  "\"flags\": [], \"parse_error\": null}");
}

/* "spindle" is bytes 35 to 42 of TEXT; the second claim begins inside U+2011 */
static json_t *proven_row(void) {
    json_t *row = plain_row();
    json_object_set_new(
        row, "audit",
        parsed(
            "{\"claims\": [{\"text\": \"<b>spindle\", \"begin\": 35, \"end\": 42, \"feature\": \"spindle\", "
            "\"verdict\":"
            "\"supported\", \"measured\": 1, \"unit\": \"1\", \"expected\": \"present\", \"channels\": [\"F4\", 7],"
            "\"onset_s\": 42.5, \"duration_s\": 1.5, \"reason\": \"</script><script>alert(2)</script>\"},"
            "{\"begin\": 3, \"end\": 20, \"verdict\": \"<i>\", \"measured\": \"x\", \"onset_s\": null, \"channels\": "
            "5},"
            "{\"text\": \"before\", \"verdict\": \"contradicted\", \"onset_s\": 3, \"duration_s\": 2, \"begin\": 53}],"
            "\"rules\": [{\"id\": \"N2.1\", \"verdict\": \"supported\", \"margin\": 0.5, \"reason\": \"1 spindle\"}, "
            "3],"
            "\"stage\": {\"book_stage\": \"N3\", \"book_rule\": 4, \"reason\": \"x\"}, \"score\": 1}"));
    json_object_set_new(
        row, "evidence",
        parsed(
            "{\"measurements\": {\"slow_wave_s\": 7.0, \"spindle_count\": null, \"<i>\": \"x\"}, \"events\": "
            "[{\"kind\":"
            "\"spindle\", \"channels\": [\"F4\"], \"onset_s\": 42.5, \"duration_s\": 1.5, \"frequency_hz\": 13,"
            "\"amplitude_uv\": 40}, {\"kind\": \"slow_wave\", \"channels\": [\"F4\"], \"onset_s\": 31, \"duration_s\":"
            "7, \"frequency_hz\": null, \"amplitude_uv\": null}, {\"kind\": \"<u>\", \"onset_s\": 50,"
            "\"duration_s\": 1}, {\"kind\": 4}, null]}"));
    return row;
}

static json_t *summary(void) {
    return parsed(
        "{\"subject\": \"<s>\", \"counts\": {\"epochs\": 3}, \"warnings\": [], \"provenance\": {}, \"triage\":"
        "[{\"epoch\": 1, \"weight\": 2, \"reasons\": [\"low <probability>\", 3, \"the book says N3\"]},"
        "{\"epoch\": 99, \"reasons\": []}, {\"epoch\": -1}, 4, {\"epoch\": 0, \"reasons\": \"x\"}]}");
}

/* The page's text, freed by free; also left at in_folder("report.html"). */
static char *write_report(json_t *rows, json_t *night_summary, bool no_signals) {
    sv_night night;
    sv_error err;
    make_night(&night);
    sv_report_input in = {.summary = night_summary, .rows = rows, .night = &night, .no_signals = no_signals};
    ASSERT_OK(sv_report_write(in_folder("report.html"), &in, NULL, &err), err);
    sv_night_free(&night);
    json_decref(rows);
    json_decref(night_summary);
    FILE *f = fopen(in_folder("report.html"), "rb");
    assert_non_null(f);
    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    size_t n = (size_t)ftell(f);
    char *text = calloc(n + 1, 1);
    rewind(f);
    assert_int_equal(fread(text, 1, n, f), n);
    fclose(f);
    return text;
}

static json_t *three_rows(bool proven) {
    json_t *rows = json_array();
    json_array_append_new(rows, plain_row());
    json_array_append_new(rows, proven ? proven_row() : plain_row());
    json_array_append_new(rows, plain_row());
    return rows;
}

static void pages_hold_proof_and_no_foreign_markup(void **state) {
    (void)state;
    char *page = write_report(three_rows(true), summary(), false);
    static const char *const expected[] = {"<a href=\"#1\">Epoch 1, ",
                                           "low &lt;probability&gt;; the book says N3",
                                           "<a href=\"#0\">Epoch 0, ",
                                           "id=\"s0\">",
                                           "id=\"s2\">",
                                           "1 supported</b>",
                                           "1 contradicted</b>",
                                           "In 1 epochs"};
    static const char *const forbidden[] = {"<img src=x", "<script>alert", "<i>",     "<u>",      "<b>spindle",
                                            "Epoch 99",   "<probability>", "http://", "https://", "{{"};
    for (size_t i = 0; i < SV_COUNT(expected); i++) {
        if (!strstr(page, expected[i])) fail_msg("the page lacks '%s'", expected[i]);
    }
    for (size_t i = 0; i < SV_COUNT(forbidden); i++) {
        char *at = strstr(page, forbidden[i]);
        if (at && strncmp(at, "http://www.w3.org/", 18) != 0) fail_msg("the page holds '%.60s'", at);
    }
    free(page);
}

static void rows_without_proof_give_the_old_page(void **state) {
    (void)state;
    char *page = write_report(three_rows(false), parsed("{\"counts\": {\"epochs\": 3}}"), true);
    static const char *const forbidden[] = {"Check by measurement", "id=\"s0\"", "\"claims\":[", "\"events\":[",
                                            "\"book\":{"};
    for (size_t i = 0; i < SV_COUNT(forbidden); i++) {
        if (strstr(page, forbidden[i])) fail_msg("the page holds '%s'", forbidden[i]);
    }
    assert_non_null(strstr(page, "\"audited\":false"));
    assert_non_null(strstr(page, "id=\"p2\">"));
    free(page);
}

/* The page's document after its script has run, opened at an address; skips without Chromium. errors: what the console
 * said. */
static char *in_browser(const char *address) {
    if (system("command -v chromium >/dev/null 2>&1") != 0) {
        print_message("skip: chromium is not installed\n");
        skip();
    }
    char command[1024];
    snprintf(command, sizeof command,
             "chromium --headless --no-sandbox --disable-gpu --user-data-dir='%s/profile' --enable-logging=stderr "
             "--virtual-time-budget=3000 --dump-dom 'file://%s%s' >'%s/dom' 2>'%s/console'",
             folder, in_folder("report.html"), address, folder, folder);
    assert_int_equal(system(command), 0);
    snprintf(command, sizeof command, "! grep ':CONSOLE' '%s/console'", folder);
    assert_int_equal(system(command), 0);
    FILE *f = fopen(in_folder("dom"), "rb");
    static char text[4 << 20];
    assert_non_null(f);
    text[fread(text, 1, sizeof text - 1, f)] = 0;
    fclose(f);
    return text;
}

static void check_dom(const char *dom, const char *const *expected, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (!strstr(dom, expected[i])) fail_msg("the browser's page lacks '%s'", expected[i]);
    }
}

static void a_claim_opens_its_place(void **state) {
    (void)state;
    free(write_report(three_rows(true), summary(), false));
    static const char *const own[] = {"id=\"span\" class=\"span supported\" data-from-s=\"12.50\" data-to-s=\"14.00\"",
                                      "class=\"here\"",
                                      "F4, from -60 to 60 microvolts",
                                      "Chin, from -10 to 10 microvolts",
                                      "7.0 s of 30 s in F4: ≥ 6 s",
                                      "data-kind=\"spindle\"",
                                      "margin +50 %",
                                      "another stage",
                                      "aria-label=\"spindle: supported, measured 1: &lt;/script&gt;",
                                      "class=\"claim supported ends now\""};
    check_dom(in_browser("#1c0"), own, SV_COUNT(own));
    static const char *const whole[] = {
        "id=\"span\" class=\"span unknown whole\" data-from-s=\"0.00\" data-to-s=\"30.00\""};
    check_dom(in_browser("#e1c1"), whole, SV_COUNT(whole));
    static const char *const neighbour[] = {
        "id=\"span\" class=\"span contradicted\" data-from-s=\"3.00\" data-to-s=\"5.00\"", "shown: epoch 0",
        "Epoch 1 of 0"};
    check_dom(in_browser("#1c2"), neighbour, SV_COUNT(neighbour));
}

static void a_click_opens_the_place(void **state) {
    (void)state;
    char *page = write_report(three_rows(true), summary(), false);
    FILE *f = fopen(in_folder("report.html"), "wb");
    char *end = strstr(page, "</body>");
    assert_non_null(f);
    assert_non_null(end);
    fwrite(page, 1, (size_t)(end - page), f);
    fputs(
        "<script>addEventListener('load', () => { const key = k => document.body.dispatchEvent(new "
        "KeyboardEvent('keydown', "
        "{ key: k, bubbles: true })); key('ArrowRight'); document.querySelector('#text .supported').click();"
        "document.body.dataset.clicked = document.getElementById('span').dataset.fromS; key('Escape');"
        "document.body.dataset.left = String(document.getElementById('span') === null); key('c');"
        "document.body.dataset.contra = location.hash; document.querySelector('#text .claim').dispatchEvent(new "
        "KeyboardEvent('keydown', { key: 'Enter', bubbles: true })); document.body.dataset.entered = location.hash; "
        "document.querySelector('#kinds button[data-kind=spindle]').click(); document.body.dataset.hidden = "
        "document.querySelectorAll('.event[data-kind=spindle]').length; });</script></body></html>",
        f);
    fclose(f);
    free(page);
    static const char *const expected[] = {"data-clicked=\"12.50\"", "data-left=\"true\"", "data-contra=\"#1c2\"",
                                           "data-entered=\"#1c1\"", "data-hidden=\"0\""};
    check_dom(in_browser("#0"), expected, SV_COUNT(expected));
}

static void old_rows_and_no_signals_show_the_picture(void **state) {
    (void)state;
    free(write_report(three_rows(false), parsed("{\"counts\": {\"epochs\": 3}}"), true));
    const char *dom = in_browser("#1c0");
    static const char *const expected[] = {"id=\"trace-box\" hidden=\"\"", "Epoch 1 of 0", "&lt;img src=x onerror",
                                           "id=\"claims-box\" hidden=\"\""};
    check_dom(dom, expected, SV_COUNT(expected));
    assert_null(strstr(dom, "id=\"span\""));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_cut_where_claims_end),
        cmocka_unit_test(claims_of_other_shapes_cover_nothing),
        cmocka_unit_test(packed_signals_come_back),
        cmocka_unit_test(pages_hold_proof_and_no_foreign_markup),
        cmocka_unit_test(rows_without_proof_give_the_old_page),
        cmocka_unit_test(a_claim_opens_its_place),
        cmocka_unit_test(a_click_opens_the_place),
        cmocka_unit_test(old_rows_and_no_signals_show_the_picture),
    };
    return cmocka_run_group_tests_name("report", tests, make_folder, remove_folder);
}
