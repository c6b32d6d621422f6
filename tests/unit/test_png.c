/* test_png.c - PNG: every colour form, round trips, limits and broken files. The small files are fuzz/corpus/png. */
#include "support/test.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/png.h"

/* Pixel (x, y) of a 7 x 5 test file: red 30 x, green 50 y, blue 7 x y. */
typedef void expected_pixel(int x, int y, unsigned char rgba[4]);

static void set(unsigned char rgba[4], int r, int g, int b, int a) {
    rgba[0] = (unsigned char)r;
    rgba[1] = (unsigned char)g;
    rgba[2] = (unsigned char)b;
    rgba[3] = (unsigned char)a;
}

static void rgb(int x, int y, unsigned char out[4]) { set(out, 30 * x, 50 * y, 7 * x * y, 255); }
static void rgba(int x, int y, unsigned char out[4]) { set(out, 30 * x, 50 * y, 7 * x * y, 255 - 30 * x); }
static void gray(int x, int y, unsigned char out[4]) {
    (void)y;
    set(out, 30 * x, 30 * x, 30 * x, 255);
}
static void gray_alpha(int x, int y, unsigned char out[4]) { set(out, 30 * x, 30 * x, 30 * x, 50 * y); }
static void checkers(int x, int y, unsigned char out[4]) {
    int v = (x + y) % 2 == 0 ? 255 : 0;
    set(out, v, v, v, 255);
}
static void palette(int x, int y, unsigned char out[4]) {
    int i = (x + y) % 16;
    set(out, 16 * i, 255 - 16 * i, i, i == 0 ? 0 : i == 1 ? 128 : 255);
}

static void every_colour_type_becomes_rgba(void **state) {
    (void)state;
    static const struct {
        const char *name;
        expected_pixel *expected;
    } cases[] = {{"rgb.png", rgb},          {"rgba.png", rgba},      {"rgb16.png", rgb},
                 {"gray.png", gray},        {"gray1.png", checkers}, {"graya.png", gray_alpha},
                 {"palette4.png", palette}, {"interlaced.png", rgb}};
    for (size_t i = 0; i < SV_COUNT(cases); i++) {
        char path[200];
        snprintf(path, sizeof path, "fuzz/corpus/png/%s", cases[i].name);
        sv_image image;
        sv_error err;
        ASSERT_OK(sv_png_load(test_path(path), &image, &err), err);
        assert_int_equal(image.width, 7);
        assert_int_equal(image.height, 5);
        assert_int_equal(image.n_channels, 4);
        for (int k = 0; k < 35; k++) {
            unsigned char expected[4];
            cases[i].expected(k % 7, k / 7, expected);
            if (memcmp(image.pixels + 4 * k, expected, 4) != 0) fail_msg("%s: pixel %d differs", cases[i].name, k);
        }
        sv_image_free(&image);
        assert_null(image.pixels);
    }
}

static void broken_files_are_refused(void **state) {
    (void)state;
    static const char *const names[] = {"truncated.png", "bad_crc.png", "garbage", "huge_header.png"};
    for (size_t i = 0; i < SV_COUNT(names); i++) {
        char path[200];
        snprintf(path, sizeof path, "fuzz/corpus/png/%s", names[i]);
        sv_image image;
        sv_error err;
        assert_int_equal(sv_png_load(test_path(path), &image, &err), SV_ERR_INPUT);
        assert_null(image.pixels);
        assert_non_null(strstr(err.message, names[i]));
    }
    sv_image image;
    sv_error err;
    assert_int_equal(sv_png_load(test_path("no-such.png"), &image, &err), SV_ERR_INPUT);
    assert_int_equal(sv_png_decode("", 0, "empty", &image, &err), SV_ERR_INPUT);
}

static void every_truncation_is_refused(void **state) {
    (void)state;
    char *data;
    size_t len;
    sv_error err;
    ASSERT_OK(sv_file_read(test_path("fuzz/corpus/png/interlaced.png"), 10000, &data, &len, &err), err);
    for (size_t n = 0; n < len - 4; n++) { /* the checksum of the empty end chunk guards nothing */
        sv_image image;
        char *exact = malloc(n ? n : 1); /* so that a sanitizer sees a read past the end */
        assert_non_null(exact);
        memcpy(exact, data, n);
        assert_int_equal(sv_png_decode(exact, n, "cut", &image, &err), SV_ERR_INPUT);
        assert_null(image.pixels);
        free(exact);
    }
    free(data);
}

static void every_flipped_byte_of_the_pixels_is_found(void **state) {
    (void)state;
    char *data;
    size_t len;
    sv_error err;
    ASSERT_OK(sv_file_read(test_path("fuzz/corpus/png/rgb.png"), 10000, &data, &len, &err), err);
    for (size_t i = 0; i < len; i++) {
        sv_image image;
        data[i] ^= 0x40;
        assert_int_equal(sv_png_decode(data, len, "flipped", &image, &err), SV_ERR_INPUT);
        assert_null(image.pixels);
        data[i] ^= 0x40;
    }
    free(data);
}

static void round_trips(void **state) {
    (void)state;
    for (int trial = 0; trial < 12; trial++) {
        int n_channels = trial % 2 ? 3 : 4, width = 1 + 37 * trial, height = trial == 11 ? 2000 : 40 - trial;
        size_t n_pixels = (size_t)width * (size_t)height;
        sv_image image = {.width = width, .height = height, .n_channels = n_channels};
        image.pixels = malloc(n_pixels * (size_t)n_channels);
        assert_non_null(image.pixels);
        unsigned seed = 1;
        for (size_t i = 0; i < n_pixels * (size_t)n_channels; i++) {
            image.pixels[i] = (unsigned char)((seed = seed * 1103515245u + 12345u) >> 24);
        }
        sv_image back;
        sv_error err;
        unsigned char *png;
        size_t len;
        sv_png_options options = {.level = 1 + trial % 9, .rgba_out = trial % 3 == 0};
        ASSERT_OK(sv_png_encode(&image, &options, &png, &len, &err), err);
        assert_int_equal(png[25], n_channels == 4 || options.rgba_out ? 6 : 2); /* colour type in IHDR */
        ASSERT_OK(sv_png_decode(png, len, "again", &back, &err), err);
        assert_int_equal(back.width, width);
        assert_int_equal(back.height, height);
        for (size_t i = 0; i < n_pixels; i++) {
            assert_memory_equal(back.pixels + 4 * i, image.pixels + (size_t)n_channels * i, (size_t)n_channels);
            if (n_channels == 3) assert_int_equal(back.pixels[4 * i + 3], 255);
        }
        free(png);
        sv_image_free(&back);
        sv_image_free(&image);
    }
}

static void impossible_pictures_are_not_written(void **state) {
    (void)state;
    unsigned char pixel[4] = {0}, *png;
    size_t len;
    sv_error err;
    const sv_png_options fast = {.level = 1}, bad_level = {.level = 10};
    assert_int_equal(sv_png_encode(&(sv_image){0, 1, 4, pixel}, &fast, &png, &len, &err), SV_ERR_USAGE);
    assert_int_equal(sv_png_encode(&(sv_image){1, 1, 2, pixel}, &fast, &png, &len, &err), SV_ERR_USAGE);
    assert_int_equal(sv_png_encode(&(sv_image){1, 1, 4, pixel}, &bad_level, &png, &len, &err), SV_ERR_USAGE);
    assert_null(png);
}

/* FNV-1a over the decoded bytes, as Pillow 13 decodes the same file to RGBA. */
static void golden_files_decode_as_pillow_does(void **state) {
    (void)state;
    static const struct {
        const char *path;
        int width, height;
        uint64_t hash;
    } cases[] = {{"golden/image-processor/exact_448x224_rgba.png", 448, 224, 0x35cf2e1559d2c840u},
                 {"golden/image-processor/gray_84x56.png", 84, 56, 0xca6bf7ec7a085c43u},
                 {"golden/image-processor/odd_229x113.png", 229, 113, 0xccbd8ed1dc47a298u},
                 {"golden/image-processor/palette_90x60.png", 90, 60, 0x56450b9f9d4c628du},
                 {"golden/image-processor/rgba_half_84x56.png", 84, 56, 0xc0e08683223474b9u}};
    SKIP_WITHOUT(shared_path("golden/image-processor/index.json"));
    for (size_t i = 0; i < SV_COUNT(cases); i++) {
        sv_image image;
        sv_error err;
        ASSERT_OK(sv_png_load(shared_path(cases[i].path), &image, &err), err);
        assert_int_equal(image.width, cases[i].width);
        assert_int_equal(image.height, cases[i].height);
        uint64_t hash = 0xcbf29ce484222325u;
        for (size_t k = 0; k < 4 * (size_t)(image.width * image.height); k++) {
            hash = (hash ^ image.pixels[k]) * 0x100000001b3u;
        }
        if (hash != cases[i].hash) fail_msg("%s: the pixels differ", cases[i].path);
        sv_image_free(&image);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_colour_type_becomes_rgba),
                                       cmocka_unit_test(broken_files_are_refused),
                                       cmocka_unit_test(every_truncation_is_refused),
                                       cmocka_unit_test(every_flipped_byte_of_the_pixels_is_found),
                                       cmocka_unit_test(round_trips),
                                       cmocka_unit_test(impossible_pictures_are_not_written),
                                       cmocka_unit_test(golden_files_decode_as_pillow_does)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
