/* test_tensor_writer.c - what is written is read back, in one file and in shards; what fails leaves nothing. */
#include "support/folder.h"
#include "support/tensors.h"

#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>

#include "model/tensor_writer.h"

static const sv_tensor_plan plans[] = {{"b.weight", SV_F32, 2, {3, 5}},
                                       {"empty", SV_BF16, 1, {0}},
                                       {"a.bias", SV_F16, 1, {7}},
                                       {"scalar", SV_I32, 0, {0}},
                                       {"c.weight", SV_BF16, 3, {2, 3, 4}}};
enum { TOTAL = 60 + 0 + 14 + 4 + 48 };

static unsigned char data[TOTAL];

static void write_all(uint64_t limit, size_t step) {
    sv_error err;
    sv_tensor_writer *w;
    for (size_t i = 0; i < TOTAL; i++) data[i] = (unsigned char)(i * 7 + 1);
    ASSERT_OK(sv_tensor_writer_open(folder, "model", plans, SV_COUNT(plans), limit, &w, &err), err);
    for (size_t i = 0; i < TOTAL; i += step) {
        ASSERT_OK(sv_tensor_writer_put(w, data + i, SV_MIN(step, TOTAL - i), &err), err);
    }
    ASSERT_OK(sv_tensor_writer_finish(w, &err), err);
    sv_tensor_writer_close(w);
}

static size_t n_files(void) {
    struct dirent *entry;
    size_t n = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    while ((entry = readdir(dir))) n += entry->d_name[0] != '.';
    closedir(dir);
    return n;
}

static void empty_folder(void) {
    struct dirent *entry;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    while ((entry = readdir(dir))) {
        if (entry->d_name[0] != '.') assert_int_equal(unlink(in_folder(entry->d_name)), 0);
    }
    closedir(dir);
}

static void expect_back(void) {
    sv_error err;
    sv_tensor_file *file;
    ASSERT_OK(sv_tensor_folder_open(folder, &file, &err), err);
    assert_int_equal(sv_tensor_count(file), SV_COUNT(plans));
    size_t at = 0;
    for (size_t i = 0; i < SV_COUNT(plans); i++) {
        const sv_tensor *t = golden(file, plans[i].name);
        assert_int_equal(t->dtype, plans[i].dtype);
        assert_int_equal(t->n_dims, plans[i].n_dims);
        assert_memory_equal(t->shape, plans[i].shape, (size_t)t->n_dims * sizeof *t->shape);
        if (t->n_bytes) assert_memory_equal(t->data, data + at, t->n_bytes);
        assert_int_equal((uintptr_t)t->data % 2, 0);
        at += t->n_bytes;
    }
    sv_tensor_file_close(file);
}

static void files_and_shards_are_read_back(void **state) {
    (void)state;
    static const struct {
        uint64_t limit;
        size_t step, n_files; /* with the index */
    } cases[] = {{0, TOTAL, 1}, {1000, 3, 1}, {80, 11, 3}, {1, 1, 6}, {60, TOTAL, 4}};
    for (size_t i = 0; i < SV_COUNT(cases); i++) {
        write_all(cases[i].limit, cases[i].step);
        assert_int_equal(n_files(), cases[i].n_files);
        expect_back();
        empty_folder();
    }
}

static void too_little_and_too_much_are_refused(void **state) {
    (void)state;
    sv_error err;
    sv_tensor_writer *w;
    ASSERT_OK(sv_tensor_writer_open(folder, "model", plans, SV_COUNT(plans), 80, &w, &err), err);
    ASSERT_OK(sv_tensor_writer_put(w, data, TOTAL - 1, &err), err);
    assert_int_equal(sv_tensor_writer_finish(w, &err), SV_ERR_INTERNAL);
    assert_int_equal(sv_tensor_writer_put(w, data, 2, &err), SV_ERR_INTERNAL);
    sv_tensor_writer_close(w);
    assert_int_equal(n_files(), 0);
    const sv_tensor_plan twice[] = {{"a", SV_F32, 1, {1}}, {"a", SV_F32, 1, {1}}}, negative = {"n", SV_F32, 1, {-1}};
    assert_int_equal(sv_tensor_writer_open(folder, "model", twice, 2, 0, &w, &err), SV_ERR_INTERNAL);
    assert_int_equal(sv_tensor_writer_open(folder, "model", &negative, 1, 0, &w, &err), SV_ERR_USAGE);
    assert_int_equal(sv_tensor_writer_open(folder, "model", NULL, 0, 0, &w, &err), SV_ERR_USAGE);
    assert_int_equal(sv_tensor_writer_open("/nowhere/at/all", "model", plans, 1, 0, &w, &err), SV_ERR_OUTPUT);
    assert_int_equal(n_files(), 0);
}

/* A limit on file sizes stands for a full disk. */
static void a_full_disk_leaves_nothing(void **state) {
    (void)state;
    sv_error err;
    sv_tensor_writer *w;
    struct rlimit before, small;
    const sv_tensor_plan big = {"big", SV_U8, 1, {1 << 20}};
    unsigned char *bytes = calloc(1, 1 << 20);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 100000;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    ASSERT_OK(sv_tensor_writer_open(folder, "model", &big, 1, 0, &w, &err), err);
    sv_status s = sv_tensor_writer_put(w, bytes, 1 << 20, &err);
    if (!s) s = sv_tensor_writer_finish(w, &err);
    sv_tensor_writer_close(w);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(s, SV_ERR_OUTPUT);
    assert_non_null(strstr(err.message, "model.safetensors"));
    assert_int_equal(n_files(), 0);
    free(bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(files_and_shards_are_read_back),
                                       cmocka_unit_test(too_little_and_too_much_are_refused),
                                       cmocka_unit_test(a_full_disk_leaves_nothing)};
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
