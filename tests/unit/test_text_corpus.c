/* test_text_corpus.c - documents as they stand in files of text and of chats, and what is wrong with others. */
#include "support/folder.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "train/text_corpus.h"

/* Documents, each in brackets. */
static sv_status take(void *context, const char *text, size_t len, sv_error *err) {
    if (len == 4 && memcmp(text, "stop", 4) == 0) return sv_fail(err, SV_ERR_INPUT, "stopped");
    sv_strbuf_puts(context, "[");
    sv_strbuf_append(context, text, len);
    sv_strbuf_puts(context, "]");
    return SV_OK;
}

static sv_status read_file(const char *path, bool lines, bool assistant_only, sv_strbuf *out, sv_error *err) {
    sv_text_corpus corpus = {.lines = lines, .assistant_only = assistant_only, .take = take, .context = out};
    return sv_text_corpus_read(&corpus, path, err);
}

static const char *put(const char *name, const char *text, size_t len) {
    sv_error err;
    const char *path = in_folder(name);
    ASSERT_OK(sv_file_write(path, text, len, &err), err);
    return path;
}

static void check(const char *name, const char *text, size_t len, bool lines, bool assistant, const char *expected) {
    sv_strbuf found = {0};
    sv_error err;
    ASSERT_OK(read_file(put(name, text, len), lines, assistant, &found, &err), err);
    assert_string_equal(sv_strbuf_text(&found), expected);
    sv_strbuf_free(&found);
}

static void text_is_one_document_or_one_a_line(void **state) {
    (void)state;
    static const struct {
        const char *text, *whole, *lines;
    } cases[] = {{"a b\nc\n", "[a b\nc\n]", "[a b][c]"},
                 {"a\r\n\r\n\nb", "[a\r\n\r\n\nb]", "[a][b]"},
                 {"\ufeffa\n\ufeffb", "[a\n\ufeffb]", "[a][\ufeffb]"},
                 {"", "[]", ""},
                 {"\n", "[\n]", ""},
                 {"N\u20111", "[N\u20111]", "[N\u20111]"}};
    for (size_t i = 0; i < SV_COUNT(cases); i++) {
        check("a.txt", cases[i].text, strlen(cases[i].text), false, false, cases[i].whole);
        check("a.txt", cases[i].text, strlen(cases[i].text), true, false, cases[i].lines);
    }
}

/* A line that crosses the blocks in which files are read. */
static void long_lines_are_whole(void **state) {
    (void)state;
    enum { LEN = 200000 };
    sv_strbuf text = {0}, expected = {0};
    for (int i = 0; i < LEN; i++) sv_strbuf_append(&text, &"abcdefg"[i % 7], 1);
    sv_strbuf_printf(&expected, "[%s][x]", sv_strbuf_text(&text));
    sv_strbuf_puts(&text, "\nx");
    check("long.txt", sv_strbuf_text(&text), text.len, true, false, sv_strbuf_text(&expected));
    sv_strbuf_free(&text);
    sv_strbuf_free(&expected);
}

static void chats_give_their_texts(void **state) {
    (void)state;
    static const char chats[] =
        "{\"id\": 1, \"messages\": [{\"role\": \"system\", \"content\": \"rules\"}, {\"role\": \"user\", \"content\": "
        "[{\"type\": \"text\", \"text\": \"now:\"}, {\"type\": \"image\", \"image\": \"a.png\"}, {\"type\": \"text\", "
        "\"text\": \"stage?\"}]}, {\"role\": \"assistant\", \"content\": \"N\u20112\\n\"}]}\r\n"
        "\n"
        "{\"messages\": [{\"role\": \"user\", \"content\": \"\"}, {\"role\": \"assistant\", \"content\": \"W\"}]}";
    check("chats.jsonl", chats, sizeof chats - 1, false, false, "[rules][now:][stage?][N\u20112\n][][W]");
    check("CHATS.JSONL", chats, sizeof chats - 1, true, true, "[N\u20112\n][W]");
    check("chats.txt", "{\"messages\": []}", 16, false, false, "[{\"messages\": []}]");
}

static bool stop(void *context, size_t n_bytes) {
    (void)context;
    return n_bytes == 0;
}

static void errors_name_file_and_line(void **state) {
    (void)state;
    static const struct {
        const char *name, *text, *expected;
    } cases[] = {{"bad.jsonl", "{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}]}\n\n{\"messages\"",
                  "bad.jsonl: line 3: "},
                 {"bad.jsonl", "{\"messages\": []}", "line 1: expected a list of messages"},
                 {"bad.jsonl", "{\"message\": []}", "line 1: expected an object with \"messages\""},
                 {"bad.jsonl", "[1]", "line 1: expected an object with \"messages\""},
                 {"bad.jsonl", "{\"messages\": [{\"role\": 1}]}", "line 1: "},
                 {"bad.jsonl", "\"\xff\"", "line 1: "},
                 {"bad.txt", "a\nstop\nb", "bad.txt: line 2: stopped"}};
    sv_strbuf found = {0};
    sv_error err;
    for (size_t i = 0; i < SV_COUNT(cases); i++) {
        const char *path = put(cases[i].name, cases[i].text, strlen(cases[i].text));
        assert_int_equal(read_file(path, true, false, &found, &err), SV_ERR_INPUT);
        if (!strstr(err.message, cases[i].expected)) fail_msg("'%s' is not in: %s", cases[i].expected, err.message);
    }
    assert_int_equal(read_file(in_folder("missing.txt"), false, false, &found, &err), SV_ERR_INPUT);
    assert_int_equal(read_file(folder, false, false, &found, &err), SV_ERR_INPUT);
    sv_text_corpus corpus = {.take = take, .progress = stop, .context = &found};
    assert_int_equal(sv_text_corpus_read(&corpus, put("a.txt", "a", 1), &err), SV_ERR_CANCELLED);
    sv_strbuf_free(&found);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(text_is_one_document_or_one_a_line),
                                       cmocka_unit_test(long_lines_are_whole), cmocka_unit_test(chats_give_their_texts),
                                       cmocka_unit_test(errors_name_file_and_line)};
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
