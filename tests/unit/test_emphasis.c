/* test_emphasis.c - where the values of an answer are, and that the tokens that touch them get their weights. */
#include "support/folder.h"

#include <sys/stat.h>

#include "base/memory.h"
#include "model/model.h"
#include "model/random_model.h"
#include "train/emphasis.h"

static void check(const char *answer, sv_answer_value value, const char *expected) {
    size_t len = expected ? strlen(expected) : 0;
    if (value.end - value.begin != len || (len && memcmp(answer + value.begin, expected, len) != 0))
        fail_msg("'%s': expected '%s', found %zu to %zu", answer, expected ? expected : "nothing", value.begin,
                 value.end);
}

static void values_are_found(void **state) {
    (void)state;
    static const struct {
        const char *answer, *stage, *rules, *rationale;
    } cases[] = {{"{\"sleep_stage\": \"N2\", \"applicable_rules\": [\"N2.1\", \"N2.2\"]}", "\"N2\"",
                  "[\"N2.1\", \"N2.2\"]", NULL},
                 {"```json\n{\n  \"reasoning_text\": \"a \\\"spindle\\\", {sic}\",\n  \"applicable_rules\": [],\n  "
                  "\"sleep_stage\": \"W\"\n}\n```",
                  "\"W\"", "[]", "\"a \\\"spindle\\\", {sic}\""},
                 {"{\"other\": {\"sleep_stage\": \"N1\"}, \"sleep_stage\":\"R\"}", "\"R\"", NULL, NULL},
                 {"{\"reasoning_text\": \"\\\"sleep_stage\\\": \\\"N1\\\"\"}", NULL, NULL,
                  "\"\\\"sleep_stage\\\": \\\"N1\\\"\""},
                 {"{\"sleep_stage\": \"N", "\"N", NULL, NULL}, /* cut off */
                 {"{\"sleep_stage\" \"N\"}", NULL, NULL, NULL},
                 {"{\"sleep_stage\"", NULL, NULL, NULL},
                 {"{\"a\\", NULL, NULL, NULL},
                 {"{sleep_stage: N2}", NULL, NULL, NULL},
                 {"N2", NULL, NULL, NULL},
                 {"", NULL, NULL, NULL}};
    for (size_t i = 0; i < SV_COUNT(cases); i++) {
        sv_answer_values v = sv_answer_find_values(cases[i].answer, strlen(cases[i].answer));
        check(cases[i].answer, v.stage, cases[i].stage);
        check(cases[i].answer, v.rules, cases[i].rules);
        check(cases[i].answer, v.rationale, cases[i].rationale);
    }
}

static void tokens_are_weighed(void **state) {
    (void)state;
    static const char prompt[] = "\"sleep_stage\": \"W\" ", /* as an example: not learnt, not weighed */
        answer[] =
            "{\"sleep_stage\": \"N2\", \"applicable_rules\": [\"N2.1\"], \"reasoning_text\": \"calm \xe2\x80\x93 "
            "slow\"}";
    const sv_random_model_options options = {.shape = sv_model_shape_find("tiny"), .dtype = SV_F32, .seed = 5};
    const sv_emphasis emphasis = {.stage = 6, .rules = 3, .rationale = 0.5};
    sv_error err;
    sv_model *model;
    int32_t *before, *ids;
    size_t n_before, n, at = 0, n_weighed = 0;
    assert_int_equal(mkdir(in_folder("model"), 0777), 0);
    ASSERT_OK(sv_random_model_write(in_folder("model"), &options, &err), err);
    ASSERT_OK(sv_model_load(in_folder("model"), NULL, &model, &err), err);
    const sv_tokenizer *tokenizer = sv_model_get_tokenizer(model);
    ASSERT_OK(sv_tokenizer_encode(tokenizer, prompt, strlen(prompt), true, &before, &n_before, &err), err);
    ASSERT_OK(sv_tokenizer_encode(tokenizer, answer, strlen(answer), true, &ids, &n, &err), err);
    int32_t *all = sv_calloc(n_before + n, sizeof *all);
    float *weights = sv_calloc(n_before + n, sizeof *weights);
    assert_true(all && weights);
    memcpy(all, before, n_before * sizeof *all);
    memcpy(all + n_before, ids, n * sizeof *all);
    for (size_t i = 0; i < n; i++) weights[n_before + i] = 1;
    ASSERT_OK(sv_emphasis_apply(&emphasis, tokenizer, all, n_before + n, weights, &err), err);
    for (size_t i = 0; i < n_before; i++) assert_float_equal(weights[i], 0, 0);
    for (size_t i = 0; i < n; i++) {
        static const struct {
            const char *text;
            float weight;
        } parts[] = {{"\"N2\"", 6}, {"[\"N2.1\"]", 3}, {"\"calm \xe2\x80\x93 slow\"", 0.5F}};
        float expected = 1;
        size_t len;
        (void)sv_tokenizer_bytes(tokenizer, ids[i], &len);
        for (size_t k = 0; k < SV_COUNT(parts); k++) {
            size_t begin = (size_t)(strstr(answer, parts[k].text) - answer), end = begin + strlen(parts[k].text);
            if (at < end && at + len > begin) expected = parts[k].weight;
        }
        assert_float_equal(weights[n_before + i], expected, 0);
        n_weighed += expected != 1;
        at += len;
    }
    assert_int_equal(at, strlen(answer));
    assert_true(n_weighed > 5);
    free(before);
    free(ids);
    free(all);
    free(weights);
    sv_model_free(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(values_are_found), cmocka_unit_test(tokens_are_weighed)};
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
