/* test_synthetic_tokenizer.c - tokenizers made by rule load, know every text, and have the ids they should. */
#include "support/folder.h"

#include "token/synthetic.h"
#include "token/tokenizer.h"

static sv_tokenizer *make(int n_tokens) {
    sv_tokenizer *t;
    sv_error err;
    ASSERT_OK(sv_synthetic_tokenizer_write(folder, n_tokens, &err), err);
    ASSERT_OK(sv_tokenizer_load(folder, &t, &err), err);
    return t;
}

static size_t count(const sv_tokenizer *t, const char *text, bool parse_special) {
    int32_t *ids;
    size_t n;
    sv_error err;
    sv_strbuf back = {0};
    ASSERT_OK(sv_tokenizer_encode(t, text, strlen(text), parse_special, &ids, &n, &err), err);
    sv_tokenizer_decode(t, ids, n, false, &back);
    assert_string_equal(sv_strbuf_text(&back), text);
    sv_strbuf_free(&back);
    free(ids);
    return n;
}

static void ids_are_where_they_belong(void **state) {
    (void)state;
    static const int sizes[] = {256, 257, 490, 958, 20000, 151643};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        sv_tokenizer *t = make(sizes[i]);
        size_t len;
        assert_int_equal(sv_tokenizer_n_ids(t), sizes[i] + SV_N_ADDED_TOKENS);
        assert_int_equal(sv_tokenizer_special(t, "<|endoftext|>"), sizes[i]);
        assert_int_equal(sv_tokenizer_special(t, "<|im_end|>"), sizes[i] + 2);
        assert_int_equal(sv_tokenizer_special(t, "<|image_pad|>"), sizes[i] + 12);
        assert_int_equal(sv_tokenizer_special(t, "<|file_sep|>"), sizes[i] + 21);
        assert_memory_equal(sv_tokenizer_bytes(t, 0, &len), "!", 1);
        for (int id = 0; id < sizes[i]; id++) {
            sv_tokenizer_bytes(t, id, &len);
            if (len == 0) fail_msg("id %d of %d has no bytes", id, sizes[i]);
        }
        sv_tokenizer_free(t);
    }
}

static void texts_come_back(void **state) {
    (void)state;
    sv_tokenizer *t = make(151643);
    assert_int_equal(count(t, " a", false), 1);
    assert_int_equal(count(t, " a a a", false), 3);
    assert_int_equal(count(t, "ab", false), 1);
    assert_int_equal(count(t, "<|im_start|>user\n<|image_pad|>", true), 5);
    count(t, "Stage N2: \"K-complexes\" \\ \xc3\xa4\xe2\x80\x91\xf0\x9f\x98\xb4 0.5\r\n\t1", false);
    size_t n = count(
        t, "alpha rhythm gives way to low amplitude mixed frequency activity for more than half of the epoch", false);
    assert_in_range(n, 17, 45);
    sv_tokenizer_free(t);
}

static void sizes_out_of_range_are_refused(void **state) {
    (void)state;
    sv_error err;
    assert_int_equal(sv_synthetic_tokenizer_write(folder, 255, &err), SV_ERR_USAGE);
    assert_int_equal(sv_synthetic_tokenizer_write(folder, SV_SYNTHETIC_MAX + 1, &err), SV_ERR_USAGE);
    assert_int_equal(sv_synthetic_tokenizer_write("/no/such/folder", 300, &err), SV_ERR_OUTPUT);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(ids_are_where_they_belong), cmocka_unit_test(texts_come_back),
                                       cmocka_unit_test(sizes_out_of_range_are_refused)};
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
