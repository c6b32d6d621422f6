/* test_bpe_trainer.c - merges worked out by hand, merges beside a trainer that counts everything anew for each merge,
 * and tokenizers made of them: every text comes back, also by the files. */
#include "support/folder.h"

#include <utf8proc.h>

#include "base/memory.h"
#include "base/random.h"
#include "token/bpe_trainer.h"
#include "token/vocabulary.h"

static sv_piece_counter *count_texts(const char *const *texts, size_t n) {
    sv_piece_counter *c;
    sv_error err;
    ASSERT_OK(sv_piece_counter_new(&c, &err), err);
    for (size_t i = 0; i < n; i++) ASSERT_OK(sv_piece_counter_add(c, texts[i], strlen(texts[i]), &err), err);
    return c;
}

static sv_bpe_result train(const sv_piece_counter *c, size_t n_merges, uint64_t min_frequency) {
    sv_bpe_result r;
    sv_error err;
    ASSERT_OK(sv_bpe_train(c, &(sv_bpe_options){.n_merges = n_merges, .min_frequency = min_frequency}, &r, &err), err);
    return r;
}

static sv_tokenizer *tokenizer_of(const sv_bpe_result *r) {
    json_t *json;
    sv_vocabulary v;
    sv_tokenizer *t;
    sv_error err;
    ASSERT_OK(sv_tokenizer_json(r->merges, r->n_merges, &json, &err), err);
    ASSERT_OK(sv_vocabulary_from_json(json, "trained", &v, &err), err);
    ASSERT_OK(sv_tokenizer_from_vocabulary(&v, "trained", &t, &err), err);
    json_decref(json);
    return t;
}

/* The tokens that training made, in order, are `expected`. */
static void check_tokens(const char *const *texts, size_t n, uint64_t min_frequency, const char *const *expected,
                         size_t n_expected, uint64_t last_frequency, uint64_t n_tokens) {
    sv_piece_counter *c = count_texts(texts, n);
    sv_bpe_result r = train(c, 100, min_frequency);
    sv_tokenizer *t = tokenizer_of(&r);
    assert_int_equal(r.n_merges, n_expected);
    assert_int_equal(r.last_frequency, last_frequency);
    assert_int_equal(r.n_tokens, n_tokens);
    for (size_t i = 0; i < n_expected; i++) {
        size_t len;
        const char *bytes = sv_tokenizer_bytes(t, (int32_t)(SV_N_BYTE_TOKENS + i), &len);
        if (len != strlen(expected[i]) || memcmp(bytes, expected[i], len) != 0)
            fail_msg("merge %zu gives '%.*s' instead of '%s'", i, (int)len, bytes, expected[i]);
    }
    sv_tokenizer_free(t);
    sv_bpe_result_free(&r);
    sv_piece_counter_free(c);
}

/* low 5, lower 2, newest 6, widest 3: the example of Sennrich et al. without ends of words. es and st, lo and ow, ew
 * and ne and w-est, d-est and id and wi are equally frequent: the smaller left token is first. */
static const char *const sennrich[] = {"low",    "low",    "low",    "low",    "low",    "lower",  "lower",  "newest",
                                       "newest", "newest", "newest", "newest", "newest", "widest", "widest", "widest"};
static const char *const sennrich_tokens[] = {"es",     "est",  "lo",    "low",    "ew", "new",
                                              "newest", "dest", "idest", "widest", "er", "lower"};

static void the_most_frequent_pair_comes_first(void **state) {
    (void)state;
    size_t n = SV_COUNT(sennrich);
    check_tokens(sennrich, n, 0, sennrich_tokens, 12, 2, 16);
    check_tokens(sennrich, n, 2, sennrich_tokens, 12, 2, 16);
    check_tokens(sennrich, n, 3, sennrich_tokens, 10, 3, 5 + 2 * 3 + 6 + 3);        /* low-e-r */
    check_tokens(sennrich, n, 7, sennrich_tokens, 4, 7, 5 + 2 * 3 + 6 * 4 + 3 * 4); /* n-e-w-est, w-i-d-est */
    check_tokens(sennrich, n, 10, NULL, 0, 0, 5 * 3 + 2 * 5 + 9 * 6);
}

static void overlapping_pairs_are_replaced_from_the_left(void **state) {
    (void)state;
    static const char *const four[] = {"aaaa"}, *const five[] = {"aaaaa"}, *const mixed[] = {"abab", "bab"};
    static const char *const of_four[] = {"aa", "aaaa"}, *const of_five[] = {"aa", "aaa", "aaaaa"};
    static const char *const of_mixed[] = {"ab", "abab", "bab"};
    check_tokens(four, 1, 1, of_four, 2, 1, 1);
    check_tokens(four, 1, 2, of_four, 1, 3, 2); /* "aa" stands in it three times, "aaaa" once */
    check_tokens(five, 1, 1, of_five, 3, 1, 1); /* aa-a before aa-aa: the smaller right token */
    /* ab 3, ba 2; then ab-ab and b-ab once each, and "b" is the smaller left token */
    const char *const b_first[] = {of_mixed[0], of_mixed[2], of_mixed[1]};
    check_tokens(mixed, 2, 1, b_first, 3, 1, 2);
}

static void what_is_counted_is_what_a_tokenizer_cuts(void **state) {
    (void)state;
    static const char *const texts[] = {"ab<|im_end|>ab<tool_call>", "", "e\xcc\x81 12 ab", "<|image_pad|>"};
    static const struct {
        const char *bytes;
        uint64_t count;
    } expected[] = {{"ab", 2}, {"\xc3\xa9", 1}, {" ", 1}, {"1", 1}, {"2", 1}, {" ab", 1}};
    sv_piece_counter *c = count_texts(texts, SV_COUNT(texts));
    sv_corpus_size size = sv_piece_counter_size(c);
    assert_int_equal(sv_piece_counter_n(c), SV_COUNT(expected));
    for (size_t i = 0; i < SV_COUNT(expected); i++) {
        sv_piece p = sv_piece_counter_get(c, i);
        assert_int_equal(p.len, strlen(expected[i].bytes));
        assert_memory_equal(p.bytes, expected[i].bytes, p.len);
        assert_int_equal(p.count, expected[i].count);
    }
    assert_int_equal(size.n_documents, 4);
    assert_int_equal(size.n_bytes, 25 + 9 + 13);
    assert_int_equal(size.n_characters, 25 + 8 + 13);
    assert_int_equal(size.n_pieces, 7);
    assert_int_equal(size.n_piece_bytes, 4 + 2 + 1 + 2 + 3);
    sv_piece_counter_free(c);
}

/* The same merges by the definition alone. */
static size_t train_slowly(const sv_piece_counter *c, size_t n_merges, uint64_t min_frequency, sv_token_pair *merges) {
    enum { MOST = 512 };
    size_t n_rows = sv_piece_counter_n(c), done;
    int32_t(*rows)[MOST] = sv_calloc(n_rows, sizeof *rows);
    size_t *len = sv_calloc(n_rows, sizeof *len), n_ids = SV_N_BYTE_TOKENS + n_merges;
    uint64_t *table = sv_calloc(n_ids * n_ids, sizeof *table);
    assert_true(rows && len && table);
    for (size_t i = 0; i < n_rows; i++) {
        sv_piece p = sv_piece_counter_get(c, i);
        assert_in_range(p.len, 1, MOST);
        for (size_t k = 0; k < p.len; k++) rows[i][len[i]++] = sv_byte_token((unsigned char)p.bytes[k]);
    }
    for (done = 0; done < n_merges; done++) {
        size_t best = 0;
        memset(table, 0, n_ids * n_ids * sizeof *table);
        for (size_t i = 0; i < n_rows; i++) {
            for (size_t k = 0; k + 1 < len[i]; k++)
                table[(size_t)rows[i][k] * n_ids + (size_t)rows[i][k + 1]] += sv_piece_counter_get(c, i).count;
        }
        for (size_t k = 0; k < n_ids * n_ids; k++) best = table[k] > table[best] ? k : best;
        if (table[best] == 0 || table[best] < min_frequency) break;
        merges[done] = (sv_token_pair){(int32_t)(best / n_ids), (int32_t)(best % n_ids)};
        for (size_t i = 0; i < n_rows; i++) {
            size_t kept = 0;
            for (size_t k = 0; k < len[i]; k++) {
                bool here = k + 1 < len[i] && rows[i][k] == merges[done].left && rows[i][k + 1] == merges[done].right;
                rows[i][kept++] = here ? (int32_t)(SV_N_BYTE_TOKENS + done) : rows[i][k];
                k += here;
            }
            len[i] = kept;
        }
    }
    free(table);
    free(len);
    free(rows);
    return done;
}

/* Letters, spaces, marks, line ends, a hyphen that does not break, characters of two to four bytes; few of them in
 * low-numbered texts, so that ties and runs abound. */
static size_t random_text(uint64_t seed, size_t max_len, char *out) {
    static const char *const alphabet[] = {"a",
                                           "b",
                                           "c",
                                           "aa",
                                           " ",
                                           "e\xcc\x81",
                                           "\n",
                                           "1",
                                           ". ",
                                           "\u2011",
                                           "\xc3\xa9",
                                           "A\xcc\x8a",
                                           "\t",
                                           "'s",
                                           "\r\n",
                                           "\xf0\x9f\x98\xb4",
                                           "\xce\xb1",
                                           "  ",
                                           "K",
                                           "-",
                                           "\xed\x95\x9c",
                                           "<",
                                           "<|im_end|>",
                                           "stage"};
    size_t n_symbols = 2 + (size_t)(seed % (SV_COUNT(alphabet) - 1)), len = 0;
    size_t n = (size_t)(sv_random_unit(seed, 0) * (double)max_len);
    for (size_t i = 0; i < n; i++) {
        const char *s = alphabet[(size_t)(sv_random_unit(seed, i + 1) * (double)n_symbols)];
        memcpy(out + len, s, strlen(s) + 1);
        len += strlen(s);
    }
    out[len] = 0;
    return len;
}

static void merges_are_those_of_the_definition(void **state) {
    (void)state;
    enum { N_TRIALS = 60, N_MERGES = 40, MAX_SYMBOLS = 40 };
    size_t n_learned = 0;
    for (uint64_t trial = 0; trial < N_TRIALS; trial++) {
        sv_piece_counter *c = count_texts(NULL, 0);
        sv_token_pair slow[N_MERGES];
        char text[MAX_SYMBOLS * 12];
        sv_error err;
        for (uint64_t k = 0; k < 12; k++) {
            size_t len = random_text(trial + 1000 * k * (SV_N_ADDED_TOKENS + 1), MAX_SYMBOLS, text);
            ASSERT_OK(sv_piece_counter_add(c, text, len, &err), err);
        }
        sv_bpe_result r = train(c, N_MERGES, trial % 4);
        size_t n = train_slowly(c, N_MERGES, trial % 4, slow);
        assert_int_equal(r.n_merges, n);
        for (size_t i = 0; i < n; i++) {
            if (r.merges[i].left != slow[i].left || r.merges[i].right != slow[i].right)
                fail_msg("trial %d, merge %zu: another pair", (int)trial, i);
        }
        n_learned += n;
        sv_bpe_result_free(&r);
        sv_piece_counter_free(c);
    }
    assert_true(n_learned > N_TRIALS * N_MERGES / 2);
}

static const char *const sentences[] = {
    "The EEG shows low amplitude mixed frequency activity; alpha rhythm takes less than half of the epoch.",
    "Two K\u2011complexes and a spindle of 0.8 s in C4\u2011M1: stage N2.",
    "Slow waves of 82 \xc2\xb5V take 12 s of the epoch, more than 20 %. Chin tone is low.\n"};

static void texts_come_back_normalised(void **state) {
    (void)state;
    enum { N_TEXTS = 400, MAX_SYMBOLS = 200 };
    static char text[MAX_SYMBOLS * 12];
    sv_piece_counter *c = count_texts(sentences, SV_COUNT(sentences));
    sv_bpe_result r = train(c, 60, 2);
    sv_tokenizer *made = tokenizer_of(&r), *read;
    sv_error err;
    ASSERT_OK(sv_tokenizer_files_write(folder, r.merges, r.n_merges, &err), err);
    ASSERT_OK(sv_tokenizer_load(folder, &read, &err), err);
    assert_int_equal(sv_tokenizer_n_ids(read), SV_N_BYTE_TOKENS + r.n_merges + SV_N_ADDED_TOKENS);
    assert_int_equal(sv_tokenizer_special(read, "<|endoftext|>"), SV_N_BYTE_TOKENS + r.n_merges);
    for (uint64_t trial = 0; trial < N_TEXTS; trial++) {
        size_t len = random_text(trial, MAX_SYMBOLS, text), n[2];
        int32_t *ids[2];
        sv_strbuf back = {0};
        bool parse = trial % 2;
        ASSERT_OK(sv_tokenizer_encode(made, text, len, parse, &ids[0], &n[0], &err), err);
        ASSERT_OK(sv_tokenizer_encode(read, text, len, parse, &ids[1], &n[1], &err), err);
        assert_int_equal(n[0], n[1]);
        assert_memory_equal(ids[0], ids[1], n[0] * sizeof *ids[0]);
        sv_tokenizer_decode(read, ids[0], n[0], false, &back);
        char *nfc = (char *)utf8proc_NFC((const utf8proc_uint8_t *)text);
        assert_string_equal(sv_strbuf_text(&back), nfc);
        free(nfc);
        free(ids[0]);
        free(ids[1]);
        sv_strbuf_free(&back);
    }
    sv_tokenizer_free(made);
    sv_tokenizer_free(read);
    sv_bpe_result_free(&r);
    sv_piece_counter_free(c);
}

/* The trained tokenizer encodes the text as training left it; a character of three bytes is one token by then. */
static void training_counts_the_tokens_of_its_text(void **state) {
    (void)state;
    sv_piece_counter *c = count_texts(sentences, SV_COUNT(sentences));
    for (size_t n_merges = 0; n_merges <= 60; n_merges += 60) {
        sv_bpe_result r = train(c, n_merges, 1);
        sv_tokenizer *t = tokenizer_of(&r);
        sv_error err;
        size_t total = 0, n;
        int32_t *ids;
        for (size_t i = 0; i < SV_COUNT(sentences); i++) {
            ASSERT_OK(sv_tokenizer_encode(t, sentences[i], strlen(sentences[i]), false, &ids, &n, &err), err);
            total += n;
            free(ids);
        }
        assert_int_equal(total, r.n_tokens);
        ASSERT_OK(sv_tokenizer_encode(t, "\u2011", 3, false, &ids, &n, &err), err);
        assert_int_equal(n, n_merges == 0 ? 3 : 1);
        free(ids);
        sv_tokenizer_free(t);
        sv_bpe_result_free(&r);
    }
    sv_piece_counter_free(c);
}

static bool stop_at_five(void *context, size_t n_done, size_t n_all) {
    (void)n_all;
    *(size_t *)context = n_done;
    return n_done < 5;
}

static void errors_are_told(void **state) {
    (void)state;
    sv_piece_counter *c = count_texts(sennrich, SV_COUNT(sennrich));
    sv_bpe_result r;
    sv_error err;
    size_t n_done = 0;
    assert_int_equal(sv_piece_counter_add(c, "ab\xff", 3, &err), SV_ERR_INPUT);
    assert_int_equal(err.offset, 2);
    assert_non_null(strstr(err.message, "offset 2"));
    sv_bpe_options options = {.n_merges = SV_MAX_BPE_TOKENS - SV_N_BYTE_TOKENS + 1};
    assert_int_equal(sv_bpe_train(c, &options, &r, &err), SV_ERR_USAGE);
    assert_null(r.merges);
    options = (sv_bpe_options){.n_merges = 10, .progress = stop_at_five, .context = &n_done};
    assert_int_equal(sv_bpe_train(c, &options, &r, &err), SV_ERR_CANCELLED);
    assert_null(r.merges);
    assert_int_equal(n_done, 5);
    sv_piece_counter_free(c);
    c = count_texts(NULL, 0);
    r = train(c, 10, 1);
    assert_int_equal(r.n_merges, 0);
    assert_int_equal(r.n_tokens, 0);
    sv_bpe_result_free(&r);
    sv_piece_counter_free(c);
    assert_int_equal(sv_tokenizer_files_write("/no/such/folder", NULL, 0, &err), SV_ERR_OUTPUT);
}

static void bytes_have_the_tokens_of_their_characters(void **state) {
    (void)state;
    sv_bpe_result none = {0};
    sv_tokenizer *t = tokenizer_of(&none);
    for (int byte = 0; byte < 256; byte++) {
        int32_t id = sv_byte_token((unsigned char)byte);
        size_t len;
        const char *bytes = sv_tokenizer_bytes(t, id, &len);
        assert_int_equal(len, 1);
        assert_int_equal((unsigned char)bytes[0], byte);
        assert_int_equal(sv_token_byte(id), byte);
    }
    assert_int_equal(sv_byte_token('!'), 0);
    assert_int_equal(sv_byte_token(173), 255);
    sv_tokenizer_free(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_most_frequent_pair_comes_first),
                                       cmocka_unit_test(overlapping_pairs_are_replaced_from_the_left),
                                       cmocka_unit_test(what_is_counted_is_what_a_tokenizer_cuts),
                                       cmocka_unit_test(merges_are_those_of_the_definition),
                                       cmocka_unit_test(texts_come_back_normalised),
                                       cmocka_unit_test(training_counts_the_tokens_of_its_text),
                                       cmocka_unit_test(errors_are_told),
                                       cmocka_unit_test(bytes_have_the_tokens_of_their_characters)};
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
