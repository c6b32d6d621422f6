/* test_tokenizer.c - ids, texts, streams and chat renderings of the reference tokenizer; every case must be equal. */
#include "support/test.h"

#include <time.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "token/chat.h"
#include "token/tokenizer.h"
#include "token/vocabulary.h"

/* Calls check(context, object) for every line of a JSONL file; returns how many there were. */
static int each_line(const char *path, void (*check)(void *context, const json_t *line), void *context) {
    char *text;
    size_t len;
    int n = 0;
    sv_error err;
    ASSERT_OK(sv_file_read(path, (size_t)64 << 20, &text, &len, &err), err);
    for (char *line = text, *stop; line < text + len; line = stop + 1, n++) {
        stop = memchr(line, '\n', (size_t)(text + len - line));
        if (!stop) stop = text + len;
        json_t *value;
        ASSERT_OK(sv_json_parse(line, (size_t)(stop - line), path, &value, &err), err);
        check(context, value);
        json_decref(value);
    }
    free(text);
    return n;
}

static void assert_ids(const json_t *expected, const int32_t *ids, size_t n, const char *what) {
    bool equal = json_array_size(expected) == n;
    for (size_t i = 0; equal && i < n; i++) equal = json_integer_value(json_array_get(expected, i)) == ids[i];
    if (!equal) fail_msg("ids differ for: %s", what);
}

static void check_encode(void *context, const json_t *line) {
    const json_t *text = json_object_get(line, "text");
    int32_t *ids;
    size_t n;
    sv_error err;
    ASSERT_OK(sv_tokenizer_encode(context, json_string_value(text), json_string_length(text), true, &ids, &n, &err),
              err);
    char *shown = json_dumps(text, JSON_ENCODE_ANY);
    assert_ids(json_object_get(line, "ids"), ids, n, shown);
    free(shown);
    free(ids);
}

static void assert_text(const json_t *expected, const sv_strbuf *text, const json_t *line) {
    if (json_string_length(expected) == text->len &&
        memcmp(json_string_value(expected), sv_strbuf_text(text), text->len) == 0)
        return;
    char *shown = json_dumps(line, 0);
    fail_msg("text differs for: %s", shown);
}

static void check_decode(void *context, const json_t *line) {
    const json_t *list = json_object_get(line, "ids"), *stream = json_object_get(line, "stream");
    size_t n = json_array_size(list);
    int32_t *ids = calloc(n + 1, sizeof *ids);
    sv_strbuf text = {0};
    for (size_t i = 0; i < n; i++) ids[i] = (int32_t)json_integer_value(json_array_get(list, i));
    sv_tokenizer_decode(context, ids, n, false, &text);
    assert_text(json_object_get(line, "text_replace"), &text, line);
    sv_strbuf_clear(&text);
    sv_tokenizer_decode(context, ids, n, true, &text);
    assert_text(json_object_get(line, "text_hf_skip_special"), &text, line);
    sv_token_stream s = {{0}, 0};
    for (size_t i = 0; i < n; i++) {
        sv_strbuf_clear(&text);
        sv_token_stream_push(&s, context, ids[i], &text);
        assert_text(json_array_get(stream, i), &text, line);
    }
    sv_strbuf_clear(&text);
    sv_token_stream_flush(&s, &text);
    assert_text(json_object_get(line, "stream_flush"), &text, line);
    sv_strbuf_free(&text);
    free(ids);
}

static void check_chat(void *context, const json_t *line) {
    sv_chat chat;
    sv_strbuf text = {0};
    int32_t *ids;
    size_t n;
    sv_error err;
    ASSERT_OK(sv_chat_parse(json_object_get(line, "messages"), &chat, &err), err);
    ASSERT_OK(sv_chat_render(&chat, sv_json_bool(line, "add_generation_prompt", false), &text, &err), err);
    assert_text(json_object_get(line, "text"), &text, line);
    ASSERT_OK(sv_tokenizer_encode(context, sv_strbuf_text(&text), text.len, true, &ids, &n, &err), err);
    assert_ids(json_object_get(line, "ids"), ids, n, "a chat");
    free(ids);
    sv_strbuf_free(&text);
    sv_chat_free(&chat);
}

static sv_tokenizer *real;

/* The real vocabulary is stored compressed; gzip unpacks it into a folder of its own. */
static int load_real(void **state) {
    (void)state;
    char folder[] = "/tmp/sv-tokenizer-XXXXXX", command[2048];
    const char *packed = shared_path("golden/tokenizer/tokenizer.json.gz");
    if (access(packed, F_OK) != 0 || !mkdtemp(folder)) return 0;
    snprintf(command, sizeof command, "gzip -dc '%s' > '%s/tokenizer.json'", packed, folder);
    sv_error err;
    struct timespec a, b;
    if (system(command) == 0) {
        clock_gettime(CLOCK_MONOTONIC, &a);
        sv_status s = sv_tokenizer_load(folder, &real, &err);
        clock_gettime(CLOCK_MONOTONIC, &b);
        if (s) fail_msg("%s", err.message);
        print_message("the real vocabulary was loaded in %.0f ms\n",
                      1e3 * (double)(b.tv_sec - a.tv_sec) + 1e-6 * (double)(b.tv_nsec - a.tv_nsec));
    }
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    return system(command);
}

static int free_real(void **state) {
    (void)state;
    sv_tokenizer_free(real);
    return 0;
}

static void real_vocabulary(const char *file, void (*check)(void *, const json_t *), int at_least) {
    if (!real) {
        print_message("skip: the real vocabulary is not there\n");
        skip();
    }
    int n = each_line(shared_path(file), check, real);
    print_message("%s: %d cases equal\n", file, n);
    assert_true(n >= at_least);
}

static void encodes(void **state) {
    (void)state;
    real_vocabulary("golden/tokenizer/encode.jsonl", check_encode, 2344);
}

static void decodes(void **state) {
    (void)state;
    real_vocabulary("golden/tokenizer/decode.jsonl", check_decode, 400);
}

static void chats(void **state) {
    (void)state;
    real_vocabulary("golden/tokenizer/chat.jsonl", check_chat, 20);
}

static void tiny_in_all_forms(void **state) {
    (void)state;
    const char *folder = shared_path("golden/tokenizer/tiny"),
               *cases = shared_path("golden/tokenizer/tiny/encode.jsonl");
    SKIP_WITHOUT(cases);
    static const char *const forms[][3] = {
        {"tokenizer.json"}, {"tokenizer.old-merges.json"}, {"vocab.json", "merges.txt", "tokenizer_config.json"}};
    for (size_t f = 0; f < SV_COUNT(forms); f++) {
        char work[] = "/tmp/sv-tiny-XXXXXX", command[2048];
        sv_tokenizer *tokenizer;
        sv_error err;
        assert_non_null(mkdtemp(work));
        for (size_t i = 0; i < 3 && forms[f][i]; i++) {
            snprintf(command, sizeof command, "cp '%s/%s' '%s/%s'", folder, forms[f][i], work,
                     f < 2 ? "tokenizer.json" : forms[f][i]);
            assert_int_equal(system(command), 0);
        }
        ASSERT_OK(sv_tokenizer_load(work, &tokenizer, &err), err);
        assert_int_equal(each_line(cases, check_encode, tokenizer), 196);
        sv_tokenizer_free(tokenizer);
        snprintf(command, sizeof command, "rm -r '%s'", work);
        assert_int_equal(system(command), 0);
    }
}

static void nano_round_trips(void **state) {
    (void)state;
    sv_tokenizer *t;
    sv_error err;
    ASSERT_OK(sv_tokenizer_load(SV_SOURCE_DIR "/models/nano", &t, &err), err);
    static const char text[] = "Preceding epoch N\u20111: <|im_start|> \xc3\xa9 \0 13 Hz\r\n\r\n  x";
    for (int special = 0; special <= 1; special++) {
        int32_t *ids;
        size_t n;
        sv_strbuf back = {0};
        ASSERT_OK(sv_tokenizer_encode(t, text, sizeof text - 1, special, &ids, &n, &err), err);
        sv_tokenizer_decode(t, ids, n, false, &back);
        assert_int_equal(back.len, sizeof text - 1);
        assert_memory_equal(back.data, text, back.len);
        int32_t start = sv_tokenizer_special(t, "<|im_start|>");
        bool found = false;
        for (size_t i = 0; i < n; i++) found |= ids[i] == start;
        assert_int_equal(found, special);
        sv_strbuf_free(&back);
        free(ids);
    }
    int32_t *ids;
    size_t n;
    assert_int_equal(sv_tokenizer_encode(t, "ab\xff", 3, true, &ids, &n, &err), SV_ERR_INPUT);
    assert_int_equal(err.offset, 2);
    /* a word of 200,000 letters must not take quadratic time */
    char *word = malloc(200000);
    memset(word, 'e', 200000);
    ASSERT_OK(sv_tokenizer_encode(t, word, 200000, true, &ids, &n, &err), err);
    free(ids);
    free(word);
    sv_tokenizer_free(t);
}

/* Each damage to a good file is refused, and the message names what is wrong. */
static void damaged_vocabularies_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *path, *json, *expected;
    } cases[] = {{"model.type", "\"WordPiece\"", "WordPiece"},
                 {"model.byte_fallback", "true", "byte_fallback"},
                 {"model.merges", "[\"a\"]", "merge 0"},
                 {"model.merges", "[\"a zzzzzz\"]", "lacks"},
                 {"model.merges", "null", "merges"},
                 {"model.vocab", "{\"a\": 0}", "single byte"},
                 {"model.vocab", "{\"a\": 99999999}", "largest token id"},
                 {"model.vocab", "{\"a b\": 1}", "alphabet"},
                 {"model.vocab", "{\"a\": \"x\"}", "not a number"},
                 {"added_tokens", "[{\"id\": 3, \"content\": \"<x>\"}]", "two tokens"},
                 {"added_tokens", "[{\"id\": 700, \"content\": \"<x>\", \"lstrip\": true}]", "lstrip"},
                 {"added_tokens", "[{\"id\": 700, \"content\": \"a\"}]", "in the vocabulary"},
                 {"normalizer", "{\"type\": \"Lowercase\"}", "Lowercase"},
                 {"pre_tokenizer", "{\"type\": \"Whitespace\"}", "Whitespace"}};
    for (size_t i = 0; i < SV_COUNT(cases); i++) {
        json_t *top, *value, *object;
        sv_vocabulary v;
        sv_error err;
        ASSERT_OK(sv_json_load(SV_SOURCE_DIR "/models/nano/tokenizer.json", &top, &err), err);
        ASSERT_OK(sv_json_parse(cases[i].json, strlen(cases[i].json), "case", &value, &err), err);
        const char *dot = strchr(cases[i].path, '.');
        object = dot ? json_object_get(top, "model") : top;
        json_object_set_new(object, dot ? dot + 1 : cases[i].path, value);
        assert_int_not_equal(sv_vocabulary_from_json(top, "t.json", &v, &err), SV_OK);
        if (!strstr(err.message, cases[i].expected)) fail_msg("case %zu: %s", i, err.message);
        json_decref(top);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(encodes),
                                       cmocka_unit_test(decodes),
                                       cmocka_unit_test(chats),
                                       cmocka_unit_test(tiny_in_all_forms),
                                       cmocka_unit_test(nano_round_trips),
                                       cmocka_unit_test(damaged_vocabularies_are_refused)};
    return cmocka_run_group_tests(tests, load_real, free_real);
}
