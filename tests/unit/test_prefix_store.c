/* test_prefix_store.c - prefixes on disk: the same bits as computing, and nothing damaged or foreign is ever used. */
#include "support/test.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <utime.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/memory.h"
#include "model/network.h"
#include "model/prefix_store.h"
#include "model/store_folder.h"
#include "support/folder.h"
#include "tensor/isa.h"

#define MODEL SV_SOURCE_DIR "/models/nano"
#define KEY "0123456789abcdef"
enum { N_ROOT = 20, N_ALL = 33, N_IDS = 50 };

static sv_model *model;
static sv_workspace *workspace;
static size_t vocab;
static int32_t ids[N_IDS];
static float *expected; /* logits of the last id, without any prefix */
static sv_prefix *root, *leaf;
static sv_prefix_store *store;
static char *path; /* of the root's file */
static char *good; /* its content */
static size_t good_len;

static void read_rest(const sv_prefix *prefix, float *logits) {
    sv_error err;
    sv_session *session;
    size_t done = prefix ? sv_prefix_length(prefix) : 0;
    ASSERT_OK(sv_session_new(workspace, prefix, N_IDS, &session, &err), err);
    ASSERT_OK(sv_session_append(session, &(sv_prompt){.ids = ids + done, .n_ids = N_IDS - done}, logits, &err), err);
    sv_session_free(session);
}

static sv_prefix_store *new_store(const char *name, const char *key, uint64_t max_bytes) {
    sv_error err;
    sv_prefix_store *s;
    ASSERT_OK(sv_prefix_store_new(model, in_folder(name), key, max_bytes, &s, &err), err);
    return s;
}

static int set_up(void **state) {
    if (make_folder(state)) return 1;
    sv_error err;
    ASSERT_OK(sv_model_load(MODEL, NULL, &model, &err), err);
    vocab = (size_t)sv_model_get_config(model)->text.vocab;
    ASSERT_OK(sv_workspace_new(model, 0, NULL, &workspace, &err), err);
    for (int i = 0; i < N_IDS; i++) ids[i] = (i * 53 + 7) % 640;
    expected = sv_alloc_aligned(vocab, sizeof *expected);
    read_rest(NULL, expected);
    ASSERT_OK(sv_prefix_new(workspace, NULL, ids, N_ROOT, &root, &err), err);
    ASSERT_OK(sv_prefix_new(workspace, root, ids + N_ROOT, N_ALL - N_ROOT, &leaf, &err), err);
    store = new_store("store", KEY, 0);
    ASSERT_OK(sv_prefix_store_save(store, root, ids, N_ROOT, &err), err);
    path = sv_prefix_store_path(store, NULL, ids, N_ROOT);
    assert_non_null(path);
    ASSERT_OK(sv_file_read(path, (size_t)1 << 30, &good, &good_len, &err), err);
    return 0;
}

static int tear_down(void **state) {
    sv_prefix_free(leaf);
    sv_prefix_free(root);
    sv_prefix_store_free(store);
    free(expected);
    free(path);
    free(good);
    sv_workspace_free(workspace);
    sv_model_free(model);
    return remove_folder(state);
}

static bool loads(const sv_prefix_store *s) {
    sv_prefix *prefix;
    bool ok = sv_prefix_store_load(s, NULL, ids, N_ROOT, &prefix);
    assert_int_equal(ok, prefix != NULL);
    sv_prefix_free(prefix);
    return ok;
}

static void put(const void *data, size_t len) {
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

static void put_byte(size_t at, char byte) {
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    assert_int_equal(fseek(f, (long)at, SEEK_SET), 0);
    assert_int_equal(fputc((unsigned char)byte, f), (unsigned char)byte);
    assert_int_equal(fclose(f), 0);
}

static void bits_are_those_of_computing(void **state) {
    (void)state;
    sv_error err;
    sv_prefix *one, *two;
    float *logits = sv_alloc_aligned(vocab, sizeof *logits);
    put(good, good_len);
    ASSERT_OK(sv_prefix_store_save(store, leaf, ids, N_ALL, &err), err);
    assert_true(sv_prefix_store_load(store, NULL, ids, N_ROOT, &one));
    assert_true(sv_prefix_store_load(store, one, ids, N_ALL, &two));
    assert_int_equal(sv_prefix_length(two), N_ALL);
    assert_int_equal(two->next_position, leaf->next_position);
    assert_int_equal(two->depth, 2);
    read_rest(two, logits);
    assert_memory_equal(logits, expected, vocab * sizeof *logits);
    read_rest(one, logits);
    assert_memory_equal(logits, expected, vocab * sizeof *logits);
    sv_prefix_free(two);
    sv_prefix_free(one);
    free(logits);
    struct stat st;
    char *leaf_path = sv_prefix_store_path(store, root, ids, N_ALL);
    assert_int_equal(stat(leaf_path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    free(leaf_path);
}

static void only_the_same_prefix_is_found(void **state) {
    (void)state;
    sv_prefix *none;
    put(good, good_len);
    assert_true(loads(store));
    assert_false(sv_prefix_store_load(store, NULL, ids, N_ROOT - 1, &none));
    assert_false(sv_prefix_store_load(store, NULL, ids, N_ROOT + 1, &none));
    assert_false(sv_prefix_store_load(store, root, ids, N_ROOT, &none)); /* nothing of its own */
    ids[3] ^= 1;
    assert_false(loads(store));
    ids[3] ^= 1;
    sv_prefix_store *other = new_store("store", KEY "0", 0);
    assert_false(loads(other));
    sv_prefix_store_free(other);
    const char *isa = sv_isa_name(sv_isa_current());
    if (strcmp(isa, "ref") != 0) {
        assert_true(sv_isa_use("ref"));
        assert_false(loads(store));
        assert_true(sv_isa_use(isa));
    }
    sv_error err;
    sv_model *rounded;
    sv_prefix_store *of_rounded;
    ASSERT_OK(sv_model_load(MODEL, &(sv_model_options){.rounding = SV_ROUNDING_BF16}, &rounded, &err), err);
    ASSERT_OK(sv_prefix_store_new(rounded, in_folder("store"), KEY, 0, &of_rounded, &err), err);
    assert_false(loads(of_rounded));
    assert_int_equal(sv_prefix_store_save(of_rounded, root, ids, N_ROOT, &err), SV_ERR_USAGE);
    assert_int_equal(sv_prefix_store_save(store, root, ids, N_ROOT + 1, &err), SV_ERR_USAGE);
    sv_prefix_store_free(of_rounded);
    sv_model_free(rounded);
    assert_true(loads(store));
}

/* Bytes of the key's text: it ends where the ids begin. */
static size_t text_len(void) {
    for (size_t i = 0; i + sizeof ids[0] * N_ROOT < good_len; i++) {
        if (memcmp(good + i, ids, sizeof ids[0] * N_ROOT) == 0) return i;
    }
    fail();
    return 0;
}

static void every_damaged_file_is_refused(void **state) {
    (void)state;
    size_t text = text_len(), n_ids = text + N_ROOT * sizeof *ids, payload = good_len - SV_DIGEST_SIZE;
    const struct {
        const char *what;
        size_t from, to, step;
    } regions[] = {
        {"text", 0, text, 1},
        {"ids", text, n_ids, 1},
        {"first keys", n_ids, n_ids + 64, 1},
        {"keys and values", n_ids + 64, payload, 251},
        {"last values", payload - 64, payload, 1},
        {"digest", payload, good_len, 1},
    };
    put(good, good_len);
    for (size_t r = 0; r < SV_COUNT(regions); r++) {
        for (size_t at = regions[r].from; at < regions[r].to; at += regions[r].step) {
            put_byte(at, (char)(good[at] ^ (1 << (at % 8))));
            if (loads(store)) fail_msg("a flipped bit in byte %zu (%s) was not seen", at, regions[r].what);
            put_byte(at, good[at]);
        }
    }
    assert_true(loads(store));
    assert_int_equal(truncate(path, (off_t)good_len + 64), 0);
    assert_false(loads(store));
    for (size_t len = good_len - 1; len; len = len > 64 ? (len - 1) / 64 * 64 : len - 1) {
        assert_int_equal(truncate(path, (off_t)len), 0);
        if (loads(store)) fail_msg("a file of %zu of %zu bytes was used", len, good_len);
    }
    put(good, 0);
    assert_false(loads(store));
    put(good, good_len);
    assert_true(loads(store));
}

/* A whole and sound file that belongs to something else, under the name of ours. */
static void foreign_files_are_refused(void **state) {
    (void)state;
    static const char *const edits[][2] = {
        {"format 1", "format 2"}, {"version ", "Version "},     {"model " KEY, "model 1" KEY},
        {"D 192", "D 193"},       {"rounding n", "rounding N"}, {"tokens 0 to 20", "tokens 1 to 21"},
    };
    for (size_t i = 0; i < SV_COUNT(edits); i++) {
        char *bytes = malloc(good_len), *found = NULL;
        assert_non_null(bytes);
        memcpy(bytes, good, good_len);
        size_t n = strlen(edits[i][0]);
        for (size_t at = 0; !found && at + n < good_len; at++) {
            if (memcmp(bytes + at, edits[i][0], n) == 0) found = bytes + at;
        }
        assert_non_null(found);
        memcpy(found, edits[i][1], n);
        size_t body = good_len - SV_DIGEST_SIZE;
        sv_digest(&(sv_bytes){bytes, body}, 1, (unsigned char *)bytes + body);
        put(bytes, good_len);
        if (loads(store)) fail_msg("a file with '%s' was used", edits[i][1]);
        free(bytes);
    }
    sv_error err;
    sv_prefix_store *other = new_store("other", "another model", 0);
    char *other_path = sv_prefix_store_path(other, NULL, ids, N_ROOT);
    ASSERT_OK(sv_prefix_store_save(other, root, ids, N_ROOT, &err), err);
    assert_int_equal(rename(other_path, path), 0);
    assert_false(loads(store));
    free(other_path);
    sv_prefix_store_free(other);
}

static void what_is_no_file_of_the_user_is_refused(void **state) {
    (void)state;
    sv_error err;
    unlink(path);
    assert_false(loads(store));
    assert_int_equal(mkdir(path, 0700), 0);
    assert_false(loads(store));
    assert_int_equal(sv_prefix_store_save(store, root, ids, N_ROOT, &err), SV_ERR_OUTPUT);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_false(loads(store));
    unlink(path);
    assert_int_equal(symlink(path, path), 0);
    assert_false(loads(store));
    ASSERT_OK(sv_prefix_store_save(store, root, ids, N_ROOT, &err), err); /* replaces the link */
    assert_true(loads(store));
    if (geteuid() == 0) {
        assert_int_equal(chown(path, 12345, (gid_t)-1), 0);
        assert_false(loads(store));
        assert_int_equal(chown(path, 0, (gid_t)-1), 0);
    }
}

static void a_failed_write_leaves_the_old_file(void **state) {
    (void)state;
    sv_error err;
    struct rlimit old, low;
    put(good, good_len);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    low = old;
    low.rlim_cur = 10000;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    sv_status status = sv_prefix_store_save(store, root, ids, N_ROOT, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    signal(SIGXFSZ, handler);
    assert_int_equal(status, SV_ERR_OUTPUT);
    assert_non_null(strstr(err.message, "cannot write"));
    assert_true(loads(store));
}

static void set_age(const char *file, int seconds) {
    time_t then = time(NULL) - seconds;
    assert_int_equal(utime(file, &(struct utimbuf){then, then}), 0);
}

static void the_folder_keeps_its_size(void **state) {
    (void)state;
    sv_error err;
    sv_prefix *prefixes[3];
    char *paths[3], *stray[3];
    sv_prefix_store *small = new_store("small", KEY, 2 * good_len + 100);
    for (int i = 0; i < 3; i++) {
        int32_t own[N_ROOT];
        memcpy(own, ids, sizeof own);
        own[0] += i;
        ASSERT_OK(sv_prefix_new(workspace, NULL, own, N_ROOT, &prefixes[i], &err), err);
        ASSERT_OK(sv_prefix_store_save(small, prefixes[i], own, N_ROOT, &err), err);
        paths[i] = sv_prefix_store_path(small, NULL, own, N_ROOT);
        if (i == 0) set_age(paths[0], 100);
        if (i != 1) continue;
        set_age(paths[1], 50);
        sv_prefix *used; /* 0 is older, but in use: 1 goes */
        assert_true(sv_prefix_store_load(small, NULL, ids, N_ROOT, &used));
        sv_prefix_free(used);
        const char *names[3] = {"other.prefix", ".4321.part", ".5.part"};
        for (int k = 0; k < 3; k++) {
            char name[400];
            snprintf(name, sizeof name, "%s%s", k ? paths[0] : in_folder("small/"), names[k]);
            stray[k] = sv_strndup(name, strlen(name));
            ASSERT_OK(sv_file_write(stray[k], good, good_len, &err), err);
            if (k < 2) set_age(stray[k], 3 * 24 * 3600);
        }
    }
    assert_true(sv_file_exists(paths[0]) && !sv_file_exists(paths[1]) && sv_file_exists(paths[2]));
    assert_true(sv_file_exists(stray[0]) && !sv_file_exists(stray[1]) && sv_file_exists(stray[2]));
    sv_prefix_store *tiny = new_store("small", KEY, good_len - 1);
    assert_int_equal(sv_prefix_store_save(tiny, root, ids, N_ROOT, &err), SV_ERR_OUTPUT);
    assert_non_null(strstr(err.message, "larger than the whole store"));
    assert_true(sv_file_exists(paths[0]));
    sv_prefix_store_free(tiny);
    sv_prefix_store_free(small);
    for (int i = 0; i < 3; i++) {
        sv_prefix_free(prefixes[i]);
        free(paths[i]);
        free(stray[i]);
    }
}

static void the_default_folder_is_the_users(void **state) {
    (void)state;
    static const struct {
        const char *xdg, *home, *folder;
    } cases[] = {{"/x/cache", "/h", "/x/cache/sleepvlm"},
                 {"", "/h", "/h/.cache/sleepvlm"},
                 {"relative", "/h", "/h/.cache/sleepvlm"},
                 {NULL, "/h/", "/h/.cache/sleepvlm"},
                 {NULL, NULL, NULL}};
    for (size_t i = 0; i < SV_COUNT(cases); i++) {
        cases[i].xdg ? setenv("XDG_CACHE_HOME", cases[i].xdg, 1) : unsetenv("XDG_CACHE_HOME");
        cases[i].home ? setenv("HOME", cases[i].home, 1) : unsetenv("HOME");
        char *found = sv_prefix_store_default_folder();
        if (cases[i].folder)
            assert_string_equal(found, cases[i].folder);
        else
            assert_null(found);
        free(found);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bits_are_those_of_computing),
        cmocka_unit_test(only_the_same_prefix_is_found),
        cmocka_unit_test(every_damaged_file_is_refused),
        cmocka_unit_test(foreign_files_are_refused),
        cmocka_unit_test(what_is_no_file_of_the_user_is_refused),
        cmocka_unit_test(a_failed_write_leaves_the_old_file),
        cmocka_unit_test(the_folder_keeps_its_size),
        cmocka_unit_test(the_default_folder_is_the_users),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
