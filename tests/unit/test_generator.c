/* test_generator.c - answers dictated token by token: where they end, what is shown, what is kept. */
#include "support/test.h"

#include <math.h>
#include <utf8proc.h>

#include "base/memory.h"
#include "base/random.h"
#include "model/generator.h"

enum { VOCAB = 300, END = 276 }; /* the tokenizer has 280 ids: 20 padding rows */

static sv_tokenizer *tokenizer;
static const sv_model_config config = {
    .text = {.vocab = VOCAB}, .n_eos = 2, .eos = {END, 275}, .repetition_penalty = 1.05F};

static int load(void **state) {
    (void)state;
    sv_error err;
    return sv_tokenizer_load(test_path("data/byte_bpe"), &tokenizer, &err) != SV_OK;
}

static int unload(void **state) {
    (void)state;
    sv_tokenizer_free(tokenizer);
    return 0;
}

/* What on_text was given. */
typedef struct shown {
    sv_strbuf text;
    int n_pieces;
    size_t refuse_after; /* bytes; 0 = never */
} shown;

static bool keep_text(void *context, const char *text, size_t len) {
    shown *s = context;
    assert_true(len > 0);
    assert_true(utf8proc_decompose((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)len, NULL, 0, 0) >= 0);
    sv_strbuf_append(&s->text, text, len);
    s->n_pieces++;
    return !s->refuse_after || s->text.len < s->refuse_after;
}

/* Dictates `ids`, then the end token; returns how many steps were made. */
static size_t dictate(const sv_generate_options *options, const int32_t *ids, size_t n, sv_status expected,
                      sv_generation *out) {
    sv_error err;
    sv_generator *g;
    ASSERT_OK(sv_generator_new(&config, tokenizer, options, NULL, 0, &g, &err), err);
    size_t n_steps = 0;
    sv_status status = SV_OK;
    for (int32_t next = 0; status == SV_OK && next >= 0;) {
        float logits[VOCAB] = {0};
        int32_t id = n_steps < n ? ids[n_steps] : END;
        logits[id] = 50;
        for (int32_t pad = 280; pad < VOCAB; pad++) logits[pad] = 60; /* never chosen */
        status = sv_generator_step(g, logits, &next, &err);
        n_steps++;
        if (status == SV_OK && next >= 0) assert_int_equal(next, id);
        if (next < 0 && status == SV_OK) { /* it stays ended */
            ASSERT_OK(sv_generator_step(g, logits, &next, &err), err);
            assert_int_equal(next, -1);
        }
    }
    assert_int_equal(status, expected);
    ASSERT_OK(sv_generator_finish(g, out, &err), err);
    sv_generator_free(g);
    return n_steps;
}

static void answers_end_where_they_should(void **state) {
    (void)state;
    static const char *const full_stop[] = {"."}, *const word[] = {"END"}, *const two[] = {"cd", "bcde"},
                             *const same[] = {"ab", "a"}, *const wide[] = {"\u2011x", "\xc3\xa9"},
                             *const long_one[] = {"aaaaaaab"};
    static const struct {
        const char *what, *text;
        const char *const *stop;
        size_t n_stop, max_tokens;
        const char *expected;
        int stop_string;
        bool stopped;
    } cases[] = {
        {"the end token", "hello", NULL, 0, 100, "hello", -1, true},
        {"the length limit", "hello", NULL, 0, 3, "hel", -1, false},
        {"the limit with nothing after it", "hello", NULL, 0, 5, "hello", -1, false},
        {"nothing at all", "", NULL, 0, 5, "", -1, true},
        {"a stop string of one token", "one. two", full_stop, 1, 100, "one", 0, true},
        {"at the beginning", ".x", full_stop, 1, 100, "", 0, true},
        {"of several tokens", "at the END of", word, 1, 100, "at the ", 0, true},
        {"begun and not ended", "at the EN", word, 1, 100, "at the EN", -1, true},
        {"begun and given up", "ENEND.", word, 1, 100, "EN", 0, true},
        {"begun at the limit", "at EN", word, 1, 5, "at EN", -1, false},
        {"two, of which the one that is whole first wins", "abcdef", two, 2, 100, "ab", 0, true},
        {"two at the same place: the one that is whole first", "xab", same, 2, 100, "x", 1, true},
        {"with wide characters", "say \u2011y\u2011x.", wide, 2, 100, "say \u2011y", 0, true},
        {"a wide character", "caf\u00e9s", wide, 2, 100, "caf", 1, true},
        {"over tokens of several letters", "aaaaaaaaaaaaaaaaaaaaaab", long_one, 1, 100, "aaaaaaaaaaaaaaa", 0, true},
    };
    for (size_t i = 0; i < SV_COUNT(cases); i++) {
        sv_error err;
        int32_t *ids;
        size_t n;
        sv_generation g;
        shown s = {0};
        ASSERT_OK(sv_tokenizer_encode(tokenizer, cases[i].text, strlen(cases[i].text), false, &ids, &n, &err), err);
        sv_generate_options options = {.max_tokens = cases[i].max_tokens,
                                       .repetition_penalty = 1,
                                       .stop = cases[i].stop,
                                       .n_stop = cases[i].n_stop,
                                       .on_text = keep_text,
                                       .context = &s};
        dictate(&options, ids, n, SV_OK, &g);
        if (strcmp(g.text, cases[i].expected) != 0) fail_msg("%s: '%s'", cases[i].what, g.text);
        if (strcmp(sv_strbuf_text(&s.text), cases[i].expected) != 0)
            fail_msg("%s: shown '%s'", cases[i].what, sv_strbuf_text(&s.text));
        assert_int_equal(g.text_len, strlen(cases[i].expected));
        assert_int_equal(g.stop_string, cases[i].stop_string);
        assert_int_equal(g.stopped, cases[i].stopped);
        assert_true(g.n_ids <= SV_MIN(n, cases[i].max_tokens));
        assert_memory_equal(g.ids, ids, g.n_ids * sizeof *ids);
        sv_generation_free(&g);
        sv_strbuf_free(&s.text);
        free(ids);
    }
}

/* Random ids, with and without stop strings: what was shown is the text, and both are the decoded ids. */
static void shown_text_is_the_decoded_text(void **state) {
    (void)state;
    static const char *const stop[] = {"\u00e9", "aaaa", "N"};
    for (uint64_t round = 0; round < 300; round++) {
        enum { N = 40 };
        int32_t ids[N];
        for (uint64_t i = 0; i < N; i++) ids[i] = (int32_t)(sv_random_unit(round, i) * 280);
        sv_generation g;
        shown s = {0};
        sv_strbuf whole = {0};
        bool with_stop = round % 2;
        sv_generate_options options = {.max_tokens = N,
                                       .repetition_penalty = 1,
                                       .ignore_eos = true,
                                       .stop = stop,
                                       .n_stop = with_stop ? SV_COUNT(stop) : 0,
                                       .on_text = keep_text,
                                       .context = &s};
        dictate(&options, ids, N, SV_OK, &g);
        sv_tokenizer_decode(tokenizer, g.ids, g.n_ids, true, &whole);
        assert_int_equal(g.text_len, s.text.len);
        assert_memory_equal(g.text, sv_strbuf_text(&s.text), g.text_len);
        if (g.stop_string < 0) assert_int_equal(g.text_len, whole.len);
        assert_memory_equal(g.text, sv_strbuf_text(&whole), g.text_len);
        if (g.stop_string >= 0) {
            size_t len = strlen(stop[g.stop_string]);
            assert_memory_equal(whole.data + g.text_len, stop[g.stop_string], len);
        }
        sv_generation_free(&g);
        sv_strbuf_free(&s.text);
        sv_strbuf_free(&whole);
    }
}

static void characters_are_never_split(void **state) {
    (void)state;
    static const char text[] = "\xf0\x9f\x98\xb4 \xe2\x80\x91 \xc3\xa9 \xe7\x9d\xa1";
    sv_error err;
    int32_t ids[sizeof text];
    size_t n = 0;
    for (const char *c = text; *c; c++) { /* a token for each byte */
        for (int32_t id = 0; id < 256; id++) {
            size_t len;
            const char *bytes = sv_tokenizer_bytes(tokenizer, id, &len);
            if (len == 1 && *bytes == *c) ids[n++] = id;
        }
    }
    assert_int_equal(n, strlen(text));
    shown s = {0};
    sv_generation g;
    sv_generate_options options = {
        .max_tokens = 100, .repetition_penalty = 1, .on_text = keep_text, .context = &s}; /* it checks each piece */
    dictate(&options, ids, n, SV_OK, &g);
    assert_string_equal(sv_strbuf_text(&s.text), text);
    assert_int_equal(s.n_pieces, 7);
    sv_generation_free(&g);
    sv_strbuf_clear(&s.text);
    options.max_tokens = 3; /* breaks off inside the first character */
    dictate(&options, ids, n, SV_OK, &g);
    assert_string_equal(g.text, "\ufffd");
    assert_string_equal(sv_strbuf_text(&s.text), "\ufffd");
    sv_generation_free(&g);
    sv_strbuf_free(&s.text);
    (void)err;
}

static bool stop_at_three(void *context, int32_t id) {
    (void)id;
    return ++*(int *)context < 3;
}

static void callbacks_can_stop(void **state) {
    (void)state;
    static const int32_t ids[] = {64, 65, 66, 67, 68, 69};
    int count = 0;
    sv_generation g;
    sv_generate_options options = {
        .max_tokens = 100, .repetition_penalty = 1, .on_token = stop_at_three, .context = &count};
    assert_int_equal(dictate(&options, ids, SV_COUNT(ids), SV_ERR_CANCELLED, &g), 3);
    assert_int_equal(g.n_ids, 3);
    assert_int_equal(strlen(g.text), 3);
    assert_false(g.stopped);
    sv_generation_free(&g);
    shown s = {.refuse_after = 2};
    options = (sv_generate_options){.max_tokens = 100, .repetition_penalty = 1, .on_text = keep_text, .context = &s};
    dictate(&options, ids, SV_COUNT(ids), SV_ERR_CANCELLED, &g);
    assert_int_equal(g.n_ids, 2);
    sv_generation_free(&g);
    sv_strbuf_free(&s.text);
}

static void log_probabilities_are_before_penalty_and_temperature(void **state) {
    (void)state;
    sv_error err;
    sv_generator *g;
    sv_generation made;
    float logits[VOCAB];
    static const int32_t history[] = {11, 12, 299}; /* 299 is a padding row: no harm */
    for (uint64_t i = 0; i < VOCAB; i++) logits[i] = 3 * (float)sv_random_unit(1, i);
    logits[10] = 5.5F;
    logits[11] = 6; /* 5.45 after the penalty */
    logits[299] = 7;
    double sum = 0;
    for (int i = 0; i < VOCAB; i++) sum += exp((double)logits[i]);
    sv_generate_options options = {.max_tokens = 1, .repetition_penalty = 1.1F, .n_top_logprobs = 3};
    ASSERT_OK(sv_generator_new(&config, tokenizer, &options, history, 3, &g, &err), err);
    int32_t next;
    ASSERT_OK(sv_generator_step(g, logits, &next, &err), err);
    assert_int_equal(next, -1); /* one token was asked for: nothing need be read */
    ASSERT_OK(sv_generator_finish(g, &made, &err), err);
    assert_int_equal(made.n_ids, 1);
    assert_int_equal(made.ids[0], 10);
    assert_true(fabs(made.logprobs[0] - (5.5 - log(sum))) < 1e-6);
    assert_int_equal(made.top_ids[0], 11);
    assert_int_equal(made.top_ids[1], 10);
    assert_true(fabs(made.top_logprobs[0] - (6 - log(sum))) < 1e-6);
    sv_generation_free(&made);
    sv_generator_free(g);
}

/* Logits as a network might give them: a function of what has been written. */
static void imagine(const int32_t *ids, size_t n, float *logits) {
    uint64_t seed = 0;
    for (size_t i = 0; i < n; i++) seed = seed * 31 + (uint64_t)ids[i] + 1;
    for (uint64_t i = 0; i < VOCAB; i++) logits[i] = 4 * (float)sv_random_unit(seed, i);
}

typedef struct sequence {
    sv_generator *g;
    int32_t ids[64];
    size_t n;
    bool ended;
} sequence;

static void advance(sequence *s) {
    sv_error err;
    float logits[VOCAB];
    int32_t next;
    imagine(s->ids, s->n, logits);
    ASSERT_OK(sv_generator_step(s->g, logits, &next, &err), err);
    s->ended = next < 0;
    if (!s->ended) s->ids[s->n++] = next;
}

static sequence begin(uint64_t seed) {
    sv_error err;
    sequence s = {0};
    sv_generate_options options = {
        .max_tokens = 60, .temperature = 0.9F, .top_p = 0.9F, .top_k = 50, .repetition_penalty = 1.05F, .seed = seed};
    ASSERT_OK(sv_generator_new(&config, tokenizer, &options, NULL, 0, &s.g, &err), err);
    return s;
}

static void answers_do_not_depend_on_their_neighbours(void **state) {
    (void)state;
    enum { N = 7 };
    sequence alone[N], together[N];
    for (uint64_t i = 0; i < N; i++) {
        for (alone[i] = begin(i); !alone[i].ended;) advance(&alone[i]);
        sv_generator_free(alone[i].g);
    }
    for (uint64_t i = 0; i < N; i++) together[i] = begin(i);
    for (uint64_t turn = 0; turn < 1500; turn++) { /* in any order */
        sequence *s = &together[(int)(sv_random_unit(77, turn) * N)];
        if (!s->ended) advance(s);
    }
    for (int i = 0; i < N; i++) {
        assert_true(together[i].ended);
        assert_int_equal(together[i].n, alone[i].n);
        assert_memory_equal(together[i].ids, alone[i].ids, alone[i].n * sizeof *alone[i].ids);
        if (i) assert_true(memcmp(alone[i].ids, alone[0].ids, 4 * sizeof *alone[i].ids) != 0);
        sv_generator_free(together[i].g);
    }
}

static void defaults_are_those_of_the_model(void **state) {
    (void)state;
    sv_model_config published = {
        .do_sample = true, .temperature = 1e-6F, .top_p = 0.001F, .top_k = 1, .repetition_penalty = 1.05F};
    sv_generate_options o = sv_generate_defaults(&published, 7);
    assert_true(o.max_tokens == 7 && o.temperature < 1e-5F && o.top_k == 1 && o.repetition_penalty > 1.04F);
    published.do_sample = false;
    published.temperature = 0.7F;
    assert_true(sv_generate_defaults(&published, 7).temperature == 0);
}

static void bad_options_are_refused(void **state) {
    (void)state;
    static const char *const empty[] = {"x", ""};
    static const int32_t far[] = {VOCAB}, negative[] = {-1};
    static const struct {
        sv_generate_options options;
        const int32_t *history;
        sv_status expected;
        const char *word;
    } cases[] = {
        {{.max_tokens = 1}, NULL, SV_ERR_USAGE, "repetition"},
        {{.max_tokens = 1, .repetition_penalty = 1, .n_top_logprobs = 281}, NULL, SV_ERR_USAGE, "281"},
        {{.max_tokens = 1, .repetition_penalty = 1, .n_top_logprobs = -1}, NULL, SV_ERR_USAGE, "-1"},
        {{.max_tokens = 1, .repetition_penalty = 1, .stop = empty, .n_stop = 2}, NULL, SV_ERR_USAGE, "stop string 2"},
        {{.max_tokens = 1, .repetition_penalty = 1, .temperature = NAN}, NULL, SV_ERR_USAGE, "temperature"},
        {{.max_tokens = SIZE_MAX / 2, .repetition_penalty = 1}, NULL, SV_ERR_MEMORY, "memory"},
        {{.max_tokens = 1, .repetition_penalty = 1}, far, SV_ERR_INPUT, "300"},
        {{.max_tokens = 1, .repetition_penalty = 1}, negative, SV_ERR_INPUT, "-1"}};
    for (size_t i = 0; i < SV_COUNT(cases); i++) {
        sv_error err;
        sv_generator *g;
        assert_int_equal(sv_generator_new(&config, tokenizer, &cases[i].options, cases[i].history,
                                          cases[i].history != NULL, &g, &err),
                         cases[i].expected);
        assert_null(g);
        if (!strstr(err.message, cases[i].word)) fail_msg("%s", err.message);
    }
}

static void logits_without_numbers_are_an_error(void **state) {
    (void)state;
    sv_error err;
    sv_generator *g;
    float logits[VOCAB];
    for (int i = 0; i < VOCAB; i++) logits[i] = NAN;
    for (int sampled = 0; sampled < 2; sampled++) {
        sv_generate_options options = {.max_tokens = 5, .repetition_penalty = 1, .temperature = (float)sampled};
        ASSERT_OK(sv_generator_new(&config, tokenizer, &options, NULL, 0, &g, &err), err);
        int32_t next;
        assert_int_equal(sv_generator_step(g, logits, &next, &err), SV_ERR_INTERNAL);
        sv_generator_free(g);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_end_where_they_should),
        cmocka_unit_test(shown_text_is_the_decoded_text),
        cmocka_unit_test(characters_are_never_split),
        cmocka_unit_test(callbacks_can_stop),
        cmocka_unit_test(log_probabilities_are_before_penalty_and_temperature),
        cmocka_unit_test(answers_do_not_depend_on_their_neighbours),
        cmocka_unit_test(defaults_are_those_of_the_model),
        cmocka_unit_test(bad_options_are_refused),
        cmocka_unit_test(logits_without_numbers_are_an_error),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
