/* test_base.c - status, memory, strings, files, JSON, threads, hashes. */
#include "support/test.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "base/threads.h"

static void error_keeps_the_innermost_cause(void **state) {
    (void)state;
    sv_error err;
    assert_int_equal(sv_fail_at(&err, SV_ERR_INPUT, 42, "%d bytes", 7), SV_ERR_INPUT);
    assert_int_equal(err.offset, 42);
    sv_error_prefix(&err, "%s", "night.edf");
    assert_string_equal(err.message, "night.edf: 7 bytes");
    assert_int_equal(sv_fail(NULL, SV_ERR_USAGE, "no struct to fill"), SV_ERR_USAGE);
}

static void long_errors_are_cut_not_overrun(void **state) {
    (void)state;
    sv_error err;
    char text[2000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    sv_fail(&err, SV_ERR_INPUT, "%s", text);
    for (int i = 0; i < 5; i++) sv_error_prefix(&err, "%.200s", text);
    assert_true(strlen(err.message) < sizeof err.message);
}

static void exit_codes(void **state) {
    (void)state;
    static const struct {
        sv_status status;
        int code;
    } cases[] = {{SV_OK, 0},         {SV_ERR_INPUT, 1},  {SV_ERR_UNSUPPORTED, 1}, {SV_ERR_USAGE, 2},
                 {SV_ERR_OUTPUT, 3}, {SV_ERR_MEMORY, 3}, {SV_ERR_INTERNAL, 3},    {SV_ERR_CANCELLED, 130}};
    for (size_t i = 0; i < SV_COUNT(cases); i++) assert_int_equal(sv_exit_code(cases[i].status), cases[i].code);
}

static void sizes_do_not_overflow(void **state) {
    (void)state;
    size_t out;
    assert_false(sv_mul_size(SIZE_MAX, 2, &out));
    assert_false(sv_add_size(SIZE_MAX, 1, &out));
    assert_null(sv_alloc_aligned(SIZE_MAX / 2, 4));
    assert_null(sv_calloc(SIZE_MAX / 2, 4));
    void *p = sv_alloc_aligned(3, 5);
    assert_non_null(p);
    assert_int_equal((uintptr_t)p % 64, 0);
    free(p);
}

static void strings_grow(void **state) {
    (void)state;
    sv_strbuf b = {0};
    assert_string_equal(sv_strbuf_text(&b), "");
    for (int i = 0; i < 1000; i++) sv_strbuf_printf(&b, "%03d,", i);
    assert_int_equal(b.len, 4000);
    assert_memory_equal(b.data + 3996, "999,", 5);
    sv_strbuf_append(&b, "\0z", 2);
    assert_int_equal(b.len, 4002);
    assert_false(b.failed);
    sv_strbuf_free(&b);
}

static void writing_is_atomic(void **state) {
    (void)state;
    char folder[] = "/tmp/sv-test-XXXXXX";
    assert_non_null(mkdtemp(folder));
    char *path = sv_path_join(folder, "a.txt"), *text;
    size_t len;
    sv_error err;
    sv_file_writer w;
    ASSERT_OK(sv_file_write(path, "old", 3, &err), err);
    ASSERT_OK(sv_file_writer_open(&w, path, &err), err);
    fputs("half", w.stream);
    ASSERT_OK(sv_file_read(path, 100, &text, &len, &err), err);
    assert_string_equal(text, "old");
    free(text);
    char *temporary = strdup(w.temporary);
    sv_file_writer_abort(&w);
    assert_false(sv_file_exists(temporary));
    ASSERT_OK(sv_file_write(path, "new", 3, &err), err);
    ASSERT_OK(sv_file_read(path, 100, &text, &len, &err), err);
    assert_string_equal(text, "new");
    free(text);
    assert_int_equal(sv_file_read(path, 2, &text, &len, &err), SV_ERR_INPUT);
    assert_int_equal(sv_file_read(folder, 2, &text, &len, &err), SV_ERR_INPUT);
    char *deep = sv_path_join(path, "x");
    assert_int_equal(sv_make_dirs(deep, &err), SV_ERR_OUTPUT);
    assert_int_equal(sv_file_write(deep, "x", 1, &err), SV_ERR_OUTPUT);
    unlink(path);
    rmdir(folder);
    free(deep);
    free(temporary);
    free(path);
}

static void full_disk_is_an_error(void **state) {
    (void)state;
    if (access("/dev/full", W_OK) != 0) skip();
    sv_file_writer w;
    sv_error err;
    ASSERT_OK(sv_file_writer_open(&w, "/tmp/sv-test-full", &err), err);
    fclose(w.stream);
    w.stream = fopen("/dev/full", "w");
    assert_non_null(w.stream);
    fputs("text", w.stream);
    assert_int_equal(sv_file_writer_commit(&w, &err), SV_ERR_OUTPUT);
    assert_non_null(strstr(err.message, strerror(ENOSPC)));
    assert_false(sv_file_exists("/tmp/sv-test-full"));
}

static void json_errors_have_a_place(void **state) {
    (void)state;
    sv_error err;
    json_t *value;
    assert_int_equal(sv_json_parse("{\"a\": [1,}", 10, "x.json", &value, &err), SV_ERR_INPUT);
    assert_non_null(strstr(err.message, "x.json: not valid JSON: line 1"));
    ASSERT_OK(sv_json_parse("{\"a\":1,\"a\":2,\"s\":\"\\u0000\"}", 26, "x", &value, &err), err);
    assert_int_equal(sv_json_int(value, "a", 0), 2);
    assert_int_equal(json_string_length(json_object_get(value, "s")), 1);
    assert_true(sv_json_real(value, "a", 0) == 2.0);
    json_decref(value);
}

static void add_up(void *context, int64_t item, int thread) {
    (void)thread;
    ((int64_t *)context)[item] += item;
}

static void nested(void *context, int64_t item, int thread) {
    (void)thread;
    struct {
        sv_pool *pool;
        int64_t (*sums)[50];
    } *c = context;
    sv_pool_run(c->pool, 50, add_up, c->sums[item]);
}

static void pool_runs_every_item_once(void **state) {
    (void)state;
    sv_error err;
    for (int n_threads = 1; n_threads <= 5; n_threads += 2) {
        sv_pool *pool;
        ASSERT_OK(sv_pool_new(n_threads, &pool, &err), err);
        int64_t items[1000] = {0};
        for (int round = 1; round <= 20; round++) sv_pool_run(pool, 1000, add_up, items);
        for (int64_t i = 0; i < 1000; i++) assert_int_equal(items[i], 20 * i);
        int64_t sums[40][50] = {{0}};
        struct {
            sv_pool *pool;
            int64_t (*sums)[50];
        } c = {pool, sums};
        sv_pool_run(pool, 40, nested, &c);
        for (int64_t i = 0; i < 40 * 50; i++) assert_int_equal(sums[i / 50][i % 50], i % 50);
        sv_pool_run(pool, 0, add_up, NULL);
        sv_pool_free(pool);
    }
}

static void sha256_of_the_standard(void **state) {
    (void)state;
    char hex[SV_SHA256_HEX_SIZE];
    sv_sha256_hex("abc", 3, hex); /* FIPS 180-4 example */
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(error_keeps_the_innermost_cause),
                                       cmocka_unit_test(long_errors_are_cut_not_overrun),
                                       cmocka_unit_test(exit_codes),
                                       cmocka_unit_test(sizes_do_not_overflow),
                                       cmocka_unit_test(strings_grow),
                                       cmocka_unit_test(writing_is_atomic),
                                       cmocka_unit_test(full_disk_is_an_error),
                                       cmocka_unit_test(json_errors_have_a_place),
                                       cmocka_unit_test(pool_runs_every_item_once),
                                       cmocka_unit_test(sha256_of_the_standard)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
