/* test_byte_bpe.c - the corners of added tokens, on a small tokenizer; ids by the reference implementation. */
#include "base/file.h"
#include "base/json.h"
#include "support/test.h"
#include "token/vocabulary.h"

static sv_tokenizer *with_added(json_t *good, json_t *added) {
    json_t *top = json_deep_copy(good);
    sv_vocabulary v;
    sv_tokenizer *t;
    sv_error err;
    json_object_set(top, "added_tokens", added);
    ASSERT_OK(sv_vocabulary_from_json(top, "tokenizer.json", &v, &err), err);
    ASSERT_OK(sv_tokenizer_from_vocabulary(&v, "tokenizer.json", &t, &err), err);
    json_decref(top);
    return t;
}

static void check_ids(const sv_tokenizer *t, const json_t *line, int number) {
    const json_t *text = json_object_get(line, "text"), *expected = json_object_get(line, "ids");
    int32_t *ids;
    size_t n;
    sv_error err;
    ASSERT_OK(sv_tokenizer_encode(t, json_string_value(text), json_string_length(text), true, &ids, &n, &err), err);
    bool equal = n == json_array_size(expected);
    for (size_t i = 0; equal && i < n; i++) equal = ids[i] == json_integer_value(json_array_get(expected, i));
    if (!equal) fail_msg("cases.jsonl: line %d", number);
    free(ids);
}

static void ids_are_those_of_the_reference(void **state) {
    (void)state;
    json_t *good;
    sv_tokenizer *t = NULL;
    char *text;
    size_t len;
    sv_error err;
    int number = 1;
    ASSERT_OK(sv_json_load(test_path("data/byte_bpe/tokenizer.json"), &good, &err), err);
    ASSERT_OK(sv_file_read(test_path("data/byte_bpe/cases.jsonl"), 1 << 20, &text, &len, &err), err);
    for (char *at = text, *stop; (stop = memchr(at, '\n', (size_t)(text + len - at))); at = stop + 1, number++) {
        json_t *line;
        ASSERT_OK(sv_json_parse(at, (size_t)(stop - at), "cases.jsonl", &line, &err), err);
        json_t *added = json_object_get(line, "added_tokens");
        if (added) {
            sv_tokenizer_free(t);
            t = with_added(good, added);
        } else {
            check_ids(t, line, number);
        }
        json_decref(line);
    }
    assert_int_equal(number - 1, 5 * 61);
    sv_tokenizer_free(t);
    json_decref(good);
    free(text);
}

/* An added token that has a byte's id must not take the byte away from ordinary text. */
static void a_byte_keeps_its_token(void **state) {
    (void)state;
    json_t *good, *added;
    sv_error err;
    static const char list[] =
        "[{\"id\": 97, \"content\": \"a\"}, {\"id\": 300, \"content\": \"bb\", \"special\": true}]";
    ASSERT_OK(sv_json_load(test_path("data/byte_bpe/tokenizer.json"), &good, &err), err);
    ASSERT_OK(sv_json_parse(list, sizeof list - 1, "list", &added, &err), err);
    sv_tokenizer *t = with_added(good, added);
    static const int32_t expected[2][3] = {{97, 98, 98}, {97, 300, 0}};
    for (int special = 0; special <= 1; special++) {
        int32_t *ids;
        size_t n;
        ASSERT_OK(sv_tokenizer_encode(t, "abb", 3, special, &ids, &n, &err), err);
        assert_int_equal(n, special ? 2 : 3);
        assert_memory_equal(ids, expected[special], n * sizeof *ids);
        free(ids);
    }
    assert_int_equal(sv_tokenizer_special(t, "bb"), 300);
    assert_int_equal(sv_tokenizer_special(t, "b"), -1);
    sv_tokenizer_free(t);
    json_decref(added);
    json_decref(good);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(ids_are_those_of_the_reference),
                                       cmocka_unit_test(a_byte_keeps_its_token)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
