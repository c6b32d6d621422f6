/* test_constraint.c - answers of a given form: what the automaton takes, which tokens are permitted, and that an answer
 * is whole at any length limit whatever the logits are. */
#include "support/test.h"

#include <math.h>
#include <time.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/random.h"
#include "model/generator.h"
#include "model/sampler.h"
#include "stage/answer.h"
#include "stage/answer_form.h"

static const char *const form_names[] = {"fine", "coarse", "stage-first"};

static sv_tokenizer *tokenizer;

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

/* How many bytes of the text go on with an answer; *complete tells about the end. */
static size_t read_text(const sv_answer_schema *schema, const char *text, bool *complete) {
    sv_answer_state state;
    size_t n = 0;
    sv_answer_begin(&state);
    while (text[n] && sv_answer_step(schema, &state, (unsigned char)text[n])) n++;
    *complete = sv_answer_complete(&state);
    return n;
}

static void whole_answers_are_taken(void **state) {
    (void)state;
    static const struct {
        const char *form, *text;
    } cases[] = {
        {"fine", "{\"reasoning_text\":\"\",\"applicable_rules\":[],\"sleep_stage\":\"W\"}"},
        {"fine",
         "```json\n{\n  \"reasoning_text\": \"Spindles.\",\n  \"applicable_rules\": [\"N2.1\", \"N2.2\"],\n  "
         "\"sleep_stage\": \"N2\"\n}\n```"},
        {"fine",
         "```json\n{\n  \"reasoning_text\": \"a \\\" b \\\\ \\n \\t \\/ \\b\\f\\r \\u00e9 \\uABCD \\u0020 "
         "\\u00A0 \\ud7ff \\uE000\",\n \"applicable_rules\" : [ \"W.1\" ,\"MBM.2\" ] , \"sleep_stage\":\"R\"}"
         "\n```"},
        {"fine",
         "{\t\r\n \"reasoning_text\":\"\u00e9\u2011\U0001f634\ue000\u00a0 ~\",\"applicable_rules\":[\n]"
         ",\"sleep_stage\":\"N3\" }"},
        {"coarse", "{\"applicable_rules\":[\"R.1\"],\"sleep_stage\":\"R\"}"},
        {"stage-first",
         "```json\n{\n  \"sleep_stage\": \"R\",\n  \"applicable_rules\": [\"R.2\"],\n  "
         "\"reasoning_text\": \"Chin tone is low.\"\n}\n```"},
        {"coarse",
         "{\"applicable_rules\":[\"W.1\",\"W.2\",\"W.3\",\"N1.1\",\"N1.2\",\"N2.1\",\"N2.2\",\"N2.3\",\"N2."
         "4\",\"N3.1\",\"R.1\",\"R.2\",\"R.3\",\"MBM.1\",\"MBM.2\"],\"sleep_stage\":\"W\"}"},
    };
    for (size_t i = 0; i < SV_COUNT(cases); i++) {
        sv_answer_form form;
        sv_answer answer;
        sv_error err;
        bool complete;
        assert_true(sv_answer_form_make(cases[i].form, &form));
        size_t n = read_text(&form.schema, cases[i].text, &complete);
        if (cases[i].text[n] || !complete) fail_msg("stopped at '%s'", cases[i].text + n);
        ASSERT_OK(sv_answer_parse(cases[i].text, n, &answer, &err), err);
        assert_true(answer.parsed);
        sv_answer_free(&answer);
    }
}

static void other_bytes_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *form, *good, *bad; /* the first byte of `bad` must be refused after `good` */
    } cases[] = {
        {"fine", "", " {"},
        {"fine", "", "["},
        {"fine", "```", "\n"},
        {"fine", "```json\n", "`"},
        {"fine", "{", "}"},
        {"fine", "{\"", "sleep_stage"},
        {"coarse", "{\"", "reasoning_text"},
        {"fine", "{\"reasoning_text\"", ",\""},
        {"fine", "{\"reasoning_text\":", "1"},
        {"fine", "{\"reasoning_text\":\"a", "\n"},
        {"fine", "{\"reasoning_text\":\"a", "\x7f"},
        {"fine", "{\"reasoning_text\":\"a", "\x80"},
        {"fine", "{\"reasoning_text\":\"a", "\xc0"},
        {"fine", "{\"reasoning_text\":\"a", "\xc1"},
        {"fine", "{\"reasoning_text\":\"a\xc2", "\x9f"}, /* a control character */
        {"fine", "{\"reasoning_text\":\"a\xe0", "\x9f"}, /* too long a form */
        {"fine", "{\"reasoning_text\":\"a\xed", "\xa0"}, /* a surrogate */
        {"fine", "{\"reasoning_text\":\"a\xf0", "\x8f"},
        {"fine", "{\"reasoning_text\":\"a\xf4", "\x90"}, /* beyond U+10FFFF */
        {"fine", "{\"reasoning_text\":\"a", "\xf5"},
        {"fine", "{\"reasoning_text\":\"a\xe2\x80", "\""},
        {"fine", "{\"reasoning_text\":\"a\\", "x"},
        {"fine", "{\"reasoning_text\":\"a\\u00", "1f"},
        {"fine", "{\"reasoning_text\":\"a\\u00", "80"},
        {"fine", "{\"reasoning_text\":\"a\\u007", "f"},
        {"fine", "{\"reasoning_text\":\"a\\ud", "8"},
        {"fine", "{\"reasoning_text\":\"a\\uD", "f"},
        {"fine", "{\"reasoning_text\":\"a\\u00e", "g"},
        {"fine", "{\"reasoning_text\":\"a\"", "}"},
        {"fine", "{\"reasoning_text\":\"a\",", "}"},
        {"coarse", "{\"applicable_rules\":[", ","},
        {"coarse", "{\"applicable_rules\":[\"N", "4"},
        {"coarse", "{\"applicable_rules\":[\"N2", "\""},
        {"coarse", "{\"applicable_rules\":[\"N2.1\"", "\""},
        {"coarse", "{\"applicable_rules\":[\"N2.1\",", "]"},
        {"coarse", "{\"applicable_rules\":[\"N2.1\",\"N2.", "1"}, /* twice */
        {"coarse", "{\"applicable_rules\":[\"N3.1\",\"N", "3"},   /* the only N3 rule */
        {"coarse", "{\"applicable_rules\":[\"W.1\",\"R.1\",\"R.2\",\"R.3\",\"", "R"},
        {"coarse", "{\"applicable_rules\":[],\"sleep_stage\":\"", "4"},
        {"coarse", "{\"applicable_rules\":[],\"sleep_stage\":\"W", "a"},
        {"coarse", "{\"applicable_rules\":[],\"sleep_stage\":\"N", "\""},
        {"coarse", "{\"applicable_rules\":[],\"sleep_stage\":\"W\"", ","},
        {"coarse", "{\"applicable_rules\":[],\"sleep_stage\":\"W\"}", "\n"},
        {"coarse", "```json\n{\"applicable_rules\":[],\"sleep_stage\":\"W\"}", " "},
        {"coarse", "```json\n{\"applicable_rules\":[],\"sleep_stage\":\"W\"}\n```", "\n"},
        {"coarse", "{            ", " "}, /* 12 spaces are enough */
        {"coarse",
         "{\"applicable_rules\":[\"W.1\",\"W.2\",\"W.3\",\"N1.1\",\"N1.2\",\"N2.1\",\"N2.2\",\"N2.3\","
         "\"N2.4\",\"N3.1\",\"R.1\",\"R.2\",\"R.3\",\"MBM.1\",\"MBM.2\"",
         ","}, /* all are used */
    };
    for (size_t i = 0; i < SV_COUNT(cases); i++) {
        sv_answer_form form;
        bool complete;
        sv_strbuf text = {0};
        assert_true(sv_answer_form_make(cases[i].form, &form));
        sv_strbuf_puts(&text, cases[i].good);
        sv_strbuf_puts(&text, cases[i].bad);
        size_t n = read_text(&form.schema, text.data, &complete);
        if (n != strlen(cases[i].good)) fail_msg("'%s': %zu bytes taken", text.data, n);
        sv_strbuf_free(&text);
    }
}

static void bad_schemas_are_refused(void **state) {
    (void)state;
    static const char *const twice[] = {"a", "b", "a"}, *const quoted[] = {"a\"b"}, *const empty[] = {""},
                             *const latin[] = {"\xe9"};
    static char endless[SV_MAX_ANSWER_NAME_BYTES + 2];
    memset(endless, 'x', sizeof endless - 1);
    const sv_answer_schema cases[] = {
        {.n_items = 0},
        {.n_items = SV_MAX_ANSWER_ITEMS + 1},
        {{{"", SV_ANSWER_TEXT, NULL, 0}}, 1},
        {{{endless, SV_ANSWER_TEXT, NULL, 0}}, 1},
        {{{"a\nb", SV_ANSWER_TEXT, NULL, 0}}, 1},
        {{{"a", SV_ANSWER_TEXT, NULL, 0}, {"a", SV_ANSWER_TEXT, NULL, 0}}, 2},
        {{{"a", SV_ANSWER_LIST, twice, 0}}, 1},
        {{{"a", SV_ANSWER_LIST, twice, SV_MAX_ANSWER_NAMES + 1}}, 1},
        {{{"a", SV_ANSWER_LIST, twice, 3}}, 1},
        {{{"a", SV_ANSWER_ONE, quoted, 1}}, 1},
        {{{"a", SV_ANSWER_ONE, empty, 1}}, 1},
        {{{"a", SV_ANSWER_ONE, latin, 1}}, 1},
    };
    for (size_t i = 0; i < SV_COUNT(cases); i++) {
        sv_error err;
        sv_constraint *c;
        assert_int_equal(sv_constraint_new(&cases[i], tokenizer, &c, &err), SV_ERR_USAGE);
        assert_null(c);
    }
    sv_answer_form form;
    assert_false(sv_answer_form_make("finer", &form));
}

/* The permitted ids of a state, found by trying each token by itself. */
static void check_permitted(const sv_constraint *c, const sv_answer_schema *schema, const sv_tokenizer *t,
                            const sv_answer_state *state, size_t n_left) {
    size_t n_words = sv_constraint_n_words(c), n = 0;
    uint64_t *scratch = sv_calloc(n_words, sizeof *scratch);
    bool limited, expected = false;
    const uint64_t *permitted = sv_constraint_permitted(c, state, n_left, scratch, &limited);
    for (int32_t id = 0; id < sv_tokenizer_n_ids(t); id++) {
        size_t len;
        const char *bytes = sv_tokenizer_bytes(t, id, &len);
        char *name = sv_strndup(bytes, len);
        sv_answer_state after = *state;
        bool fits = len > 0 && sv_tokenizer_special(t, name) != id;
        for (size_t i = 0; fits && i < len; i++) fits = sv_answer_step(schema, &after, (unsigned char)bytes[i]);
        if (fits && sv_constraint_n_needed(c, &after) > n_left - 1) {
            fits = false;
            expected = true;
        }
        if (fits != (permitted[id / 64] >> (id % 64) & 1)) fail_msg("token '%s' with %zu left: %d", name, n_left, fits);
        free(name);
        n += fits;
    }
    if (!sv_answer_complete(state)) assert_true(n > 0);
    assert_int_equal(limited, expected);
    free(scratch);
}

static void permitted_tokens_are_those_that_go_on(void **state) {
    (void)state;
    int n_sets = 0;
    for (size_t f = 0; f < SV_COUNT(form_names); f++) {
        sv_error err;
        sv_answer_form form;
        sv_constraint *c;
        sv_answer_form_make(form_names[f], &form);
        ASSERT_OK(sv_constraint_new(&form.schema, tokenizer, &c, &err), err);
        for (uint64_t round = 0; round < 4; round++) { /* along random answers */
            sv_answer_state s;
            sv_answer_begin(&s);
            for (uint64_t i = 0; i < 120 && !sv_answer_complete(&s); i++) {
                size_t needed = sv_constraint_n_needed(c, &s);
                check_permitted(c, &form.schema, tokenizer, &s, 1000);
                check_permitted(c, &form.schema, tokenizer, &s, needed);
                check_permitted(c, &form.schema, tokenizer, &s, needed + round);
                n_sets += 3;
                for (uint64_t k = 0; k < 2000; k++) { /* a random byte that fits, else the shortest way */
                    unsigned char byte = (unsigned char)(sv_random_unit(round, i * 2000 + k) * 256);
                    if (sv_answer_step(&form.schema, &s, byte)) break;
                    if (k == 1999)
                        sv_answer_step(&form.schema, &s, (unsigned char)sv_answer_shortest(&form.schema, &s));
                }
            }
        }
        sv_constraint_free(c);
    }
    print_message("%d sets compared\n", n_sets);
}

/* From any state the shortest completion completes, and no state needs more than the bound. */
static void completions_complete(void **state) {
    (void)state;
    for (size_t f = 0; f < SV_COUNT(form_names); f++) {
        sv_answer_form form;
        sv_answer_form_make(form_names[f], &form);
        size_t bound = sv_answer_longest_completion(&form.schema);
        for (uint64_t round = 0; round < 300; round++) {
            sv_answer_state s, copy;
            sv_answer_begin(&s);
            for (uint64_t i = 0; i < 3000 && !sv_answer_complete(&s); i++) {
                unsigned char byte = (unsigned char)(sv_random_unit(1000 + round, i) * 256);
                bool shortest = i % 50 == 0;
                if (shortest) byte = (unsigned char)sv_answer_shortest(&form.schema, &s);
                if (!sv_answer_step(&form.schema, &s, byte)) {
                    assert_false(shortest);
                    continue;
                }
                size_t n = 0;
                copy = s;
                for (int next; (next = sv_answer_shortest(&form.schema, &copy)) >= 0; n++) {
                    assert_true(sv_answer_step(&form.schema, &copy, (unsigned char)next));
                }
                assert_true(sv_answer_complete(&copy) && n <= bound);
            }
        }
    }
}

/* What an answer must be: JSON with exactly these keys in this order, one of the stages, different known rules. */
static void check_answer(const sv_answer_form *form, const char *text, size_t len) {
    static const char open[] = "```json\n", close[] = "\n```";
    sv_error err;
    json_t *root, *value;
    const char *key;
    sv_answer answer;
    ASSERT_OK(sv_answer_parse(text, len, &answer, &err), err);
    assert_true(answer.parsed);
    sv_answer_free(&answer);
    if (strncmp(text, open, strlen(open)) == 0) {
        text += strlen(open);
        len -= strlen(open) + strlen(close);
        assert_memory_equal(text + len, close, strlen(close));
    }
    ASSERT_OK(sv_json_parse_unique(text, len, "answer", &root, &err), err);
    assert_int_equal(json_object_size(root), form->schema.n_items);
    size_t i = 0, k;
    json_object_foreach(root, key, value) {
        const sv_answer_item *item = &form->schema.items[i++];
        assert_string_equal(key, item->key);
        if (item->kind == SV_ANSWER_LIST) {
            json_t *name;
            uint64_t used = 0;
            json_array_foreach(value, k, name) {
                const sv_rule *rule = sv_rule_find(json_string_value(name));
                assert_non_null(rule);
                uint64_t bit = (uint64_t)1 << (rule - sv_rules);
                assert_false(used & bit);
                used |= bit;
            }
        } else {
            assert_true(json_is_string(value));
        }
        if (item->kind == SV_ANSWER_ONE) {
            bool known = false;
            for (k = 0; k < item->n_names; k++) known |= strcmp(item->names[k], json_string_value(value)) == 0;
            assert_true(known);
        }
    }
    json_decref(root);
}

/* Random logits; `taste` makes some tokens likely, so that answers go different ways. */
static void imagine(uint64_t seed, uint64_t step, const sv_tokenizer *t, int n_ids, int taste, float *logits) {
    for (int32_t id = 0; id < n_ids; id++) {
        size_t len;
        const char *bytes = sv_tokenizer_bytes(t, id, &len);
        logits[id] = 6 * (float)sv_random_unit(seed, step * 1000003 + (uint64_t)id);
        if (taste == 1 && len && memchr("\"{}[],:`\n ", bytes[0], 10)) logits[id] += 5; /* ends soon */
        if (taste == 2) logits[id] += (float)len;                                       /* long tokens */
        if (taste == 3 && len && (unsigned char)bytes[0] >= 0x80) logits[id] += 4;      /* broken characters */
        if (taste == 4 && len && bytes[0] == '\\') logits[id] += 5;                     /* escapes */
        if (taste == 5) logits[id] = -INFINITY;                                         /* nothing at all */
    }
}

typedef struct tally {
    int n_answers, n_at_limit, n_hurried; /* hurried: made to end by the limit */
    size_t least;
    double seconds;
    size_t n_steps;
} tally;

static void write_answer(const sv_tokenizer *t, const sv_answer_form *form, const sv_constraint *c, size_t max_tokens,
                         uint64_t seed, tally *counts) {
    int n_ids = sv_tokenizer_n_ids(t), taste = (int)(seed % 6);
    const sv_model_config config = {
        .text = {.vocab = n_ids + 8}, .n_eos = 1, .eos = {sv_tokenizer_special(t, "<|im_end|>")}};
    sv_generate_options options = {.max_tokens = max_tokens,
                                   .temperature = seed % 2 ? 0.8F : 0,
                                   .top_p = seed % 3 ? 0.9F : 1,
                                   .repetition_penalty = seed % 5 ? 1 : 1.05F,
                                   .seed = seed,
                                   .constraint = c};
    sv_error err;
    sv_generator *g;
    sv_generation made;
    float *logits = sv_calloc((size_t)n_ids + 8, sizeof *logits);
    ASSERT_OK(sv_generator_new(&config, t, &options, NULL, 0, &g, &err), err);
    for (int32_t next = 0; next >= 0;) {
        imagine(seed, counts->n_steps, t, n_ids, taste, logits);
        clock_t begin = clock();
        ASSERT_OK(sv_generator_step(g, logits, &next, &err), err);
        counts->seconds += (double)(clock() - begin) / CLOCKS_PER_SEC;
        counts->n_steps++;
    }
    ASSERT_OK(sv_generator_finish(g, &made, &err), err);
    assert_true(made.n_ids <= max_tokens);
    check_answer(form, made.text, made.text_len);
    counts->n_answers++;
    counts->n_hurried += !made.stopped;
    counts->n_at_limit += made.n_ids == max_tokens;
    sv_generation_free(&made);
    sv_generator_free(g);
    free(logits);
}

static void check_form(const sv_tokenizer *t, const char *name, uint64_t n_rounds, size_t longest, tally *counts) {
    sv_error err;
    sv_answer_form form;
    sv_constraint *c;
    sv_answer_state begin;
    assert_true(sv_answer_form_make(name, &form));
    ASSERT_OK(sv_constraint_new(&form.schema, t, &c, &err), err);
    sv_answer_begin(&begin);
    counts->least = sv_constraint_n_needed(c, &begin);
    for (uint64_t i = 0; i < n_rounds; i++) {
        size_t extra = (size_t)(sv_random_unit(3, i) * 60) * (i % 3);
        write_answer(t, &form, c, counts->least + extra, i, counts);
    }
    write_answer(t, &form, c, longest, n_rounds, counts);
    sv_generator *g;
    sv_generate_options tight = {.max_tokens = counts->least - 1, .repetition_penalty = 1, .constraint = c};
    const sv_model_config config = {.text = {.vocab = sv_tokenizer_n_ids(t)}};
    assert_int_equal(sv_generator_new(&config, t, &tight, NULL, 0, &g, &err), SV_ERR_USAGE);
    assert_non_null(strstr(err.message, "needs"));
    sv_constraint_free(c);
}

static void answers_are_always_whole(void **state) {
    (void)state;
    for (size_t f = 0; f < SV_COUNT(form_names); f++) {
        tally counts = {0};
        check_form(tokenizer, form_names[f], 180, 600, &counts);
        print_message("%-18s %d answers, %d at the limit, %d hurried; at least %zu tokens\n", form_names[f],
                      counts.n_answers, counts.n_at_limit, counts.n_hurried, counts.least);
        assert_true(counts.n_hurried > 20 && counts.n_hurried < counts.n_answers);
    }
}

/* An answer as models write it, in the tokens in which its text is encoded: the form must not stand in its way. */
static void check_natural_tokens(const sv_tokenizer *t) {
    static const char *const texts[][2] = {
        {"fine",
         "```json\n{\n  \"reasoning_text\": \"Alpha (8\u201313 Hz) fills > 50 % of the epoch; \\\"blinks\\\" are "
         "seen.\\nChin tone is high.\",\n  \"applicable_rules\": [\"W.1\", \"W.2\"],\n  \"sleep_stage\": "
         "\"W\"\n}\n```"},
        {"fine", "{\"reasoning_text\": \"\", \"applicable_rules\": [], \"sleep_stage\": \"N3\"}"},
        {"coarse",
         "```json\n{\n    \"applicable_rules\": [\n        \"MBM.1\",\n        \"N2.1\"\n    ],\n    "
         "\"sleep_stage\": \"N2\"\n}\n```"},
        {"stage-first",
         "```json\n{\n  \"sleep_stage\": \"R\",\n  \"applicable_rules\": [\"R.2\"],\n  "
         "\"reasoning_text\": \"Chin tone is low.\"\n}\n```"}};
    for (size_t i = 0; i < SV_COUNT(texts); i++) {
        sv_error err;
        sv_answer_form form;
        sv_constraint *c;
        sv_answer_state s;
        int32_t *ids;
        size_t n;
        bool limited;
        sv_answer_form_make(texts[i][0], &form);
        ASSERT_OK(sv_constraint_new(&form.schema, t, &c, &err), err);
        ASSERT_OK(sv_tokenizer_encode(t, texts[i][1], strlen(texts[i][1]), true, &ids, &n, &err), err);
        uint64_t *scratch = sv_calloc(sv_constraint_n_words(c), sizeof *scratch);
        sv_answer_begin(&s);
        for (size_t k = 0; k < n; k++) {
            size_t len;
            const char *bytes = sv_tokenizer_bytes(t, ids[k], &len);
            const uint64_t *set = sv_constraint_permitted(c, &s, 1000, scratch, &limited);
            if (!(set[ids[k] / 64] >> (ids[k] % 64) & 1))
                fail_msg("token %zu '%.*s' of %s", k, (int)len, bytes, texts[i][1]);
            assert_true(sv_constraint_read(c, &s, bytes, len));
        }
        assert_true(sv_answer_complete(&s));
        free(scratch);
        free(ids);
        sv_constraint_free(c);
    }
}

static void natural_tokens_are_permitted(void **state) {
    (void)state;
    check_natural_tokens(tokenizer);
}

static void a_begun_answer_is_gone_on_with(void **state) {
    (void)state;
    static const char begun[] = "```json\n{\n  \"sleep_stage\": \"N2";
    sv_error err;
    sv_answer_form form;
    sv_constraint *c;
    sv_generator *g;
    sv_generation made;
    float logits[300] = {0};
    const sv_model_config config = {.text = {.vocab = 300}};
    assert_true(sv_answer_form_make("stage-first", &form));
    ASSERT_OK(sv_constraint_new(&form.schema, tokenizer, &c, &err), err);
    sv_generate_options options = {.max_tokens = 60, .repetition_penalty = 1, .constraint = c, .begun = begun};
    ASSERT_OK(sv_generator_new(&config, tokenizer, &options, NULL, 0, &g, &err), err);
    for (int32_t next = 0; next >= 0;) ASSERT_OK(sv_generator_step(g, logits, &next, &err), err);
    ASSERT_OK(sv_generator_finish(g, &made, &err), err);
    sv_strbuf whole = {0};
    sv_strbuf_puts(&whole, begun);
    sv_strbuf_append(&whole, made.text, made.text_len);
    check_answer(&form, whole.data, whole.len);
    sv_strbuf_free(&whole);
    sv_generation_free(&made);
    sv_generator_free(g);
    options.begun = "{\"reasoning";
    assert_int_equal(sv_generator_new(&config, tokenizer, &options, NULL, 0, &g, &err), SV_ERR_USAGE);
    options.begun = "{\"sleep_stage\":\"W\",\"applicable_rules\":[],\"reasoning_text\":\"\"}"; /* whole already */
    ASSERT_OK(sv_generator_new(&config, tokenizer, &options, NULL, 0, &g, &err), err);
    int32_t next;
    ASSERT_OK(sv_generator_step(g, logits, &next, &err), err);
    assert_int_equal(next, -1);
    ASSERT_OK(sv_generator_finish(g, &made, &err), err);
    assert_true(made.stopped && made.n_ids == 0);
    sv_generation_free(&made);
    sv_generator_free(g);
    sv_constraint_free(c);
}

static double milliseconds(clock_t begin, int n) { return 1e3 * (double)(clock() - begin) / CLOCKS_PER_SEC / n; }

/* What a step costs, printed for docs/modules/generation.md. */
static void print_costs(const sv_tokenizer *t) {
    static const char *const begun[] = {"",
                                        "```json\n{\n  ",
                                        "{\"reasoning_text\": \"abc",
                                        "{\"reasoning_text\": \"abc\\",
                                        "{\"reasoning_text\":\"\",\"applicable_rules\": [\"N",
                                        "{\"reasoning_text\":\"\",\"applicable_rules\": [\"W.1\""};
    enum { N = 10 };
    sv_error err;
    sv_answer_form form;
    sv_constraint *c;
    clock_t begin = clock();
    sv_answer_form_make("fine", &form);
    ASSERT_OK(sv_constraint_new(&form.schema, t, &c, &err), err);
    print_message("a constraint: %.0f ms\n", milliseconds(begin, 1));
    uint64_t *scratch = sv_calloc(sv_constraint_n_words(c), sizeof *scratch);
    for (size_t i = 0; i < SV_COUNT(begun); i++) {
        sv_answer_state s;
        bool limited;
        double ms[2];
        sv_answer_begin(&s);
        assert_true(sv_constraint_read(c, &s, begun[i], strlen(begun[i])));
        size_t n_left[] = {100000, sv_constraint_n_needed(c, &s)};
        for (int near = 0; near < 2; near++) {
            begin = clock();
            for (int k = 0; k < N; k++) sv_constraint_permitted(c, &s, n_left[near], scratch, &limited);
            ms[near] = milliseconds(begin, N);
        }
        print_message("permitted %.3f ms, at the limit %.3f ms, after %s\n", ms[0], ms[1], begun[i]);
    }
    free(scratch);
    sv_constraint_free(c);
    static const sv_sampling settings[] = {
        {.repetition_penalty = 1.05F},
        {.temperature = 1, .repetition_penalty = 1.05F},
        {.temperature = 0.7F, .top_k = 20, .top_p = 0.8F, .repetition_penalty = 1.05F},
        {.temperature = 1, .top_p = 0.99F, .repetition_penalty = 1.05F}};
    int n_ids = sv_tokenizer_n_ids(t);
    float *logits = sv_calloc((size_t)n_ids, sizeof *logits);
    for (int i = 0; i < n_ids; i++) { /* about normal, of standard deviation 2.8 */
        for (uint64_t k = 0; k < 6; k++) logits[i] += 4 * (float)sv_random_unit(k, (uint64_t)i);
    }
    for (size_t i = 0; i < SV_COUNT(settings); i++) {
        sv_sampler *s;
        ASSERT_OK(sv_sampler_new(&settings[i], n_ids, &s, &err), err);
        begin = clock();
        for (uint64_t k = 0; k < N; k++) sv_sampler_choose(s, logits, NULL, k);
        print_message("temperature %.1f, top-k %d, top-p %.2f: %.3f ms\n", (double)settings[i].temperature,
                      settings[i].top_k, (double)settings[i].top_p, milliseconds(begin, N));
        sv_sampler_free(s);
    }
    free(logits);
}

/* 151,643 tokens, many of them over several elements of an answer. */
static void the_real_vocabulary(void **state) {
    (void)state;
    SKIP_WITHOUT(shared_path("golden/tokenizer/tokenizer.json.gz"));
    char folder[] = "/tmp/sv-test-XXXXXX", command[2300];
    sv_error err;
    sv_tokenizer *t;
    assert_non_null(mkdtemp(folder));
    snprintf(command, sizeof command, "gzip -dc '%s' >%s/tokenizer.json",
             shared_path("golden/tokenizer/tokenizer.json.gz"), folder);
    assert_int_equal(system(command), 0);
    ASSERT_OK(sv_tokenizer_load(folder, &t, &err), err);
    snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
    check_natural_tokens(t);
    print_costs(t);
    for (size_t f = 0; f < SV_COUNT(form_names); f++) {
        tally counts = {0};
        check_form(t, form_names[f], 5, 70, &counts);
        print_message(
            "%-18s %d answers, %d at the limit, %d hurried; at least %zu tokens; %.2f ms a step with the choice\n",
            form_names[f], counts.n_answers, counts.n_at_limit, counts.n_hurried, counts.least,
            1e3 * counts.seconds / (double)counts.n_steps);
    }
    sv_tokenizer_free(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_answers_are_taken),
        cmocka_unit_test(other_bytes_are_refused),
        cmocka_unit_test(bad_schemas_are_refused),
        cmocka_unit_test(completions_complete),
        cmocka_unit_test(permitted_tokens_are_those_that_go_on),
        cmocka_unit_test(answers_are_always_whole),
        cmocka_unit_test(natural_tokens_are_permitted),
        cmocka_unit_test(a_begun_answer_is_gone_on_with),
        cmocka_unit_test(the_real_vocabulary),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
