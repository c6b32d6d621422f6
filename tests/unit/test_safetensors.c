/* test_safetensors.c - good files of every kind, and every way in which a file can lie. */
#include "support/folder.h"

#include <math.h>

#include "base/file.h"
#include "base/memory.h"
#include "model/safetensors.h"

/* A file of this header and n_data bytes counting from 0. */
static void put(const char *name, const char *header, size_t n_data) {
    unsigned char file[4096];
    size_t len = strlen(header), n = 0;
    sv_error err;
    for (int i = 0; i < 8; i++) file[n++] = (unsigned char)((uint64_t)len >> 8 * i);
    memcpy(file + n, header, len);
    n += len;
    for (size_t i = 0; i < n_data; i++) file[n++] = (unsigned char)i;
    ASSERT_OK(sv_file_write(in_folder(name), file, n, &err), err);
}

static void values_of_every_type(void **state) {
    (void)state;
    /* bytes 00 01 02 ... : the tensors lie at odd offsets on purpose */
    put("a.safetensors",
        "{\"__metadata__\":{\"format\":\"pt\"},\"pad\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
        "\"f32\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[1,9]},\"f64\":{\"dtype\":\"F64\",\"shape\":[1,1],"
        "\"data_offsets\":[9,17]},"
        "\"f16\":{\"dtype\":\"F16\",\"shape\":[3],\"data_offsets\":[17,23]},\"bf16\":{\"dtype\":\"BF16\",\"shape\":[2],"
        "\"data_offsets\":[23,27]},"
        "\"empty\":{\"dtype\":\"F32\",\"shape\":[0,4],\"data_offsets\":[27,27]},\"scalar\":{\"dtype\":\"I64\","
        "\"shape\":[],\"data_offsets\":[27,35]}}",
        35);
    sv_tensor_file *f;
    sv_error err;
    float out[3];
    unsigned char bytes[40];
    for (int i = 0; i < 40; i++) bytes[i] = (unsigned char)i;
    ASSERT_OK(sv_tensor_file_open(in_folder("a.safetensors"), &f, &err), err);
    assert_int_equal(sv_tensor_count(f), 7);
    assert_null(sv_tensor_find(f, "__metadata__"));
    const sv_tensor *t = sv_tensor_find(f, "f32");
    float expected[2];
    memcpy(expected, bytes + 1, 8);
    sv_tensor_read_f32(t, 0, 2, out);
    assert_memory_equal(out, expected, 8);
    sv_tensor_read_f32(t, 1, 1, out);
    assert_memory_equal(out, expected + 1, 4);
    double wide;
    memcpy(&wide, bytes + 9, 8);
    sv_tensor_read_f32(sv_tensor_find(f, "f64"), 0, 1, out);
    assert_true(out[0] == (float)wide);
    uint32_t up = (uint32_t)(bytes[23] | bytes[24] << 8) << 16;
    memcpy(expected, &up, 4);
    sv_tensor_read_f32(sv_tensor_find(f, "bf16"), 0, 1, out);
    assert_memory_equal(out, expected, 4);
    assert_int_equal(sv_tensor_find(f, "scalar")->n_dims, 0);
    assert_int_equal(sv_tensor_find(f, "empty")->n_bytes, 0);
    assert_string_equal(sv_dtype_name(sv_tensor_find(f, "bf16")->dtype), "BF16");
    sv_tensor_file_close(f);
}

static void half_precision_is_exact(void **state) {
    (void)state;
    static const struct {
        uint16_t bits;
        double value;
    } cases[] = {{0x0000, 0},        {0x3c00, 1},        {0xc000, -2},
                 {0x7bff, 65504},    {0x0001, 0x1p-24},  {0x03ff, 1023 * 0x1p-24},
                 {0x0400, 0x1p-14},  {0x8001, -0x1p-24}, {0x3555, 0x1.554p-2},
                 {0x7c00, INFINITY}, {0xfc00, -INFINITY}};
    for (size_t i = 0; i < SV_COUNT(cases); i++) {
        sv_tensor t = {.dtype = SV_F16, .n_dims = 1, .shape = {1}, .data = &cases[i].bits, .n_bytes = 2};
        float out;
        sv_tensor_read_f32(&t, 0, 1, &out);
        assert_true((double)out == cases[i].value);
    }
    uint16_t nan_bits = 0x7e01, zero = 0x8000;
    sv_tensor t = {.dtype = SV_F16, .data = &nan_bits, .n_bytes = 2};
    float out;
    sv_tensor_read_f32(&t, 0, 1, &out);
    assert_true(isnan(out));
    t.data = &zero;
    sv_tensor_read_f32(&t, 0, 1, &out);
    assert_true(out == 0 && signbit(out));
}

static void lies_are_refused(void **state) {
    (void)state;
#define T(dtype, shape, offsets) "{\"w\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}}"
    static const struct {
        const char *header;
        size_t n_data;
        const char *expected;
    } cases[] = {{"{", 0, "JSON"},
                 {"[]", 0, "object"},
                 {"{\"w\":3}", 0, "w"},
                 {T("F8", "[1]", "[0,1]"), 1, "F8"},
                 {T("F32", "[2]", "[0,4]"), 8, "need 8"},
                 {T("F32", "[2]", "[0,8]"), 7, "cut short"},
                 {T("F32", "[2]", "[8,0]"), 8, "tensor w"},
                 {T("F32", "[2]", "[-8,0]"), 8, "tensor w"},
                 {T("F32", "[2]", "[0]"), 8, "tensor w"},
                 {T("F32", "[2]", "[0,1e300]"), 8, "tensor w"},
                 {T("F32", "[-2]", "[0,8]"), 8, "shape"},
                 {T("F32", "[2.0]", "[0,8]"), 8, "shape"},
                 {T("F32", "2", "[0,8]"), 8, "shape"},
                 {T("U8", "[1,1,1,1,1,1,1,1,1]", "[0,1]"), 1, "shape"},
                 {T("F32", "[4611686018427387904,4]", "[0,0]"), 0, "shape"},
                 {T("F32", "[9223372036854775807]", "[0,0]"), 0, "shape"},
                 {"{\"v\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},\"w\":{\"dtype\":\"U8\",\"shape\":[4]"
                  ",\"data_offsets\":[3,7]}}",
                  8, "overlap"},
                 {"{\"w\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},\"w\":{\"dtype\":\"U8\",\"shape\":[2]"
                  ",\"data_offsets\":[1,3]}}",
                  3, "\"w\" is there twice"}};
    for (size_t i = 0; i < SV_COUNT(cases); i++) {
        sv_tensor_file *f;
        sv_error err;
        put("bad.safetensors", cases[i].header, cases[i].n_data);
        sv_status s = sv_tensor_file_open(in_folder("bad.safetensors"), &f, &err);
        assert_true(s == SV_ERR_INPUT || s == SV_ERR_UNSUPPORTED);
        assert_null(f);
        if (!strstr(err.message, cases[i].expected)) fail_msg("case %zu: %s", i, err.message);
    }
}

static void a_file_may_hold_no_tensor(void **state) {
    (void)state;
    static const char *const headers[] = {"{}", "{\"__metadata__\":{\"format\":\"pt\"}}"};
    for (size_t i = 0; i < SV_COUNT(headers); i++) {
        sv_tensor_file *f;
        sv_error err;
        put("empty.safetensors", headers[i], 0);
        ASSERT_OK(sv_tensor_file_open(in_folder("empty.safetensors"), &f, &err), err);
        assert_int_equal(sv_tensor_count(f), 0);
        assert_null(sv_tensor_find(f, "w"));
        sv_tensor_file_close(f);
    }
}

static void every_truncation_is_refused(void **state) {
    (void)state;
    static const char header[] = "{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}";
    size_t whole = 8 + strlen(header) + 8;
    for (size_t n = 0; n < whole; n++) {
        sv_tensor_file *f;
        sv_error err;
        put("cut.safetensors", header, 8);
        assert_int_equal(truncate(in_folder("cut.safetensors"), (off_t)n), 0);
        assert_int_equal(sv_tensor_file_open(in_folder("cut.safetensors"), &f, &err), SV_ERR_INPUT);
    }
    unsigned char huge[16] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, '{', '}'};
    sv_tensor_file *f;
    sv_error err;
    ASSERT_OK(sv_file_write(in_folder("huge.safetensors"), huge, sizeof huge, &err), err);
    assert_int_equal(sv_tensor_file_open(in_folder("huge.safetensors"), &f, &err), SV_ERR_INPUT);
    assert_int_equal(sv_tensor_file_open(in_folder("none.safetensors"), &f, &err), SV_ERR_INPUT);
}

static void shards(void **state) {
    (void)state;
#define U8(name) "{\"" name "\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}"
    static const struct {
        const char *index, *expected;
    } cases[] = {{"{\"weight_map\":{\"a\":\"1.safetensors\",\"b\":\"2.safetensors\"}}", NULL},
                 {"{\"weight_map\":{\"a\":\"1.safetensors\",\"c\":\"2.safetensors\"}}", "c"},
                 {"{\"weight_map\":{\"a\":\"1.safetensors\",\"b\":\"3.safetensors\"}}", "3.safetensors"},
                 {"{\"weight_map\":{\"a\":\"../1.safetensors\"}}", "same folder"},
                 {"{\"weight_map\":{\"a\":\".safetensors\"}}", "same folder"},
                 {"{\"weight_map\":{\"a\":7}}", "not a name"},
                 {"{\"weight_map\":{\"a\":\"2.safetensors\",\"b\":\"1.safetensors\"}}", "not in its shard"},
                 {"{}", "weight_map"},
                 {"{\"weight_map\":{\"a\":\"1.safetensors\",\"b\":\"2.safetensors\",\"a2\":\"twin.safetensors\"}}",
                  "two places"}};
    put("1.safetensors", U8("a"), 1);
    put("2.safetensors", U8("b"), 1);
    put("twin.safetensors", U8("a"), 1);
    for (size_t i = 0; i < SV_COUNT(cases); i++) {
        sv_tensor_file *f;
        sv_error err;
        ASSERT_OK(
            sv_file_write(in_folder("model.safetensors.index.json"), cases[i].index, strlen(cases[i].index), &err),
            err);
        sv_status s = sv_tensor_folder_open(folder, &f, &err);
        assert_int_equal(s == SV_OK, cases[i].expected == NULL);
        if (s && !strstr(err.message, cases[i].expected)) fail_msg("case %zu: %s", i, err.message);
        if (!s) assert_int_equal(sv_tensor_count(f), 2);
        sv_tensor_file_close(f);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(values_of_every_type),
                                       cmocka_unit_test(half_precision_is_exact),
                                       cmocka_unit_test(lies_are_refused),
                                       cmocka_unit_test(a_file_may_hold_no_tensor),
                                       cmocka_unit_test(every_truncation_is_refused),
                                       cmocka_unit_test(shards)};
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
