/* test_image.c - the image processor against Pillow, torchvision and transformers; pictures as chats name them. */
#include "support/tensors.h"

#include <sodium.h>

#include "base/file.h"
#include "base/json.h"
#include "model/image.h"
#include "model/resize.h"

static sv_model_config processor(int patch) {
    sv_model_config c = {.vision = {.patch = patch, .merge = 2, .channels = 3},
                         .min_pixels = 3136,
                         .max_pixels = 1003520,
                         .image_mean = {0.48145466f, 0.4578275f, 0.40821073f},
                         .image_std = {0.26862954f, 0.26130258f, 0.27577711f}};
    return c;
}

static void smart_resize(void **state) {
    (void)state;
    const char *path = shared_path("golden/image-processor/smart_resize.jsonl");
    SKIP_WITHOUT(path);
    char *text;
    size_t len;
    int n = 0;
    sv_error err;
    ASSERT_OK(sv_file_read(path, 1 << 20, &text, &len, &err), err);
    for (char *line = text, *stop; (stop = strchr(line, '\n')); line = stop + 1, n++) {
        json_t *row;
        int h = 0, w = 0;
        ASSERT_OK(sv_json_parse(line, (size_t)(stop - line), path, &row, &err), err);
        const json_t *expected = json_object_get(row, "out_hw");
        sv_status s =
            sv_smart_resize((int)sv_json_int(row, "h", 0), (int)sv_json_int(row, "w", 0), 28,
                            sv_json_int(row, "min_pixels", 0), sv_json_int(row, "max_pixels", 0), &h, &w, &err);
        if (json_is_null(expected)) {
            assert_int_equal(s, SV_ERR_INPUT);
        } else if (s || h != json_integer_value(json_array_get(expected, 0)) ||
                   w != json_integer_value(json_array_get(expected, 1))) {
            fail_msg("%.*s gives %d x %d", (int)(stop - line), line, h, w);
        }
        json_decref(row);
    }
    print_message("smart_resize: %d cases equal\n", n);
    assert_int_equal(n, 186);
    free(text);
}

/* The rows that the golden file keeps, and the sums of all, against ours. */
static void compare(const sv_tensor_file *golden_file, const char *name, const char *form, const sv_patches *p,
                    double *worst) {
    char key[96];
    size_t n, n_kept = (size_t)p->row_size;
    snprintf(key, sizeof key, "%s.rows", name);
    int32_t *rows = golden_i32(golden_file, key, &n);
    snprintf(key, sizeof key, "%s.%s", name, form);
    float *values = golden_f32(golden_file, key);
    for (size_t i = 0; i < n; i++)
        note_difference(p->rows + (size_t)rows[i] * n_kept, values + i * n_kept, n_kept, worst);
    snprintf(key, sizeof key, "%s.row_sums_%s_f64", name, form);
    const sv_tensor *sums = golden(golden_file, key);
    assert_int_equal(golden_count(sums), p->grid_h * p->grid_w);
    for (size_t r = 0; r < golden_count(sums); r++) {
        double expected, sum = 0;
        memcpy(&expected, (const char *)sums->data + 8 * r, sizeof expected);
        for (size_t k = 0; k < n_kept; k++) sum += p->rows[r * n_kept + k];
        assert_true(fabs(2 * sum - expected) < 1e-3); /* two equal frames */
    }
    free(values);
    free(rows);
}

static void processor_cases(void **state) {
    (void)state;
    const char *path = shared_path("golden/image-processor/pixel_values.safetensors");
    SKIP_WITHOUT(path);
    /* with a resize we follow Pillow (the training path, and the slow processor); torchvision differs by up to 21
     * levels */
    static const struct {
        const char *name, *form;
    } cases[] = {{"exact_448x224_rgba", "torchvision"},
                 {"exact_112x84_noise", "torchvision"},
                 {"gray_84x56", "torchvision"},
                 {"rgba_half_84x56", "torchvision"},
                 {"down_100x70", "pil"},
                 {"up_40x30_noise", "pil"},
                 {"odd_229x113", "pil"},
                 {"palette_90x60", "pil"},
                 {"big_1100x1000", "pil"}};
    sv_model_config config = processor(14);
    sv_tensor_file *file;
    sv_error err;
    ASSERT_OK(sv_tensor_file_open(path, &file, &err), err);
    for (size_t i = 0; i < SV_COUNT(cases); i++) {
        char name[96];
        sv_image image;
        sv_patches patches;
        double worst = 0;
        snprintf(name, sizeof name, "golden/image-processor/%s.png", cases[i].name);
        ASSERT_OK(sv_png_load(shared_path(name), &image, &err), err);
        ASSERT_OK(sv_image_to_patches(&config, &image, &patches, &err), err);
        compare(file, cases[i].name, cases[i].form, &patches, &worst);
        print_message("%-20s %-11s %.1e\n", cases[i].name, cases[i].form, worst);
        assert_true(worst <= 1e-6);
        sv_patches_free(&patches);
        sv_image_free(&image);
    }
    sv_tensor_file_close(file);
}

static void resizing_is_pillows(void **state) {
    (void)state;
    const char *path = shared_path("golden/image-processor/pixel_values.safetensors");
    SKIP_WITHOUT(path);
    static const char *const names[] = {"down_100x70", "odd_229x113", "palette_90x60", "up_40x30_noise"};
    sv_tensor_file *file;
    sv_error err;
    ASSERT_OK(sv_tensor_file_open(path, &file, &err), err);
    for (size_t i = 0; i < SV_COUNT(names); i++) {
        char name[96];
        sv_image image;
        unsigned char *resized;
        snprintf(name, sizeof name, "golden/image-processor/%s.png", names[i]);
        ASSERT_OK(sv_png_load(shared_path(name), &image, &err), err);
        size_t n = (size_t)image.width * (size_t)image.height;
        unsigned char *rgb = malloc(3 * n);
        for (size_t k = 0; k < n; k++) memcpy(rgb + 3 * k, image.pixels + (size_t)image.n_channels * k, 3);
        snprintf(name, sizeof name, "%s.pil_resized_u8", names[i]);
        const sv_tensor *t = golden(file, name);
        ASSERT_OK(sv_resize_bicubic(rgb, image.height, image.width, (int)t->shape[0], (int)t->shape[1], &resized, &err),
                  err);
        if (memcmp(resized, t->data, t->n_bytes) != 0) fail_msg("%s differs", names[i]);
        free(resized);
        free(rgb);
        sv_image_free(&image);
    }
    sv_tensor_file_close(file);
}

/* Translucent pixels are laid on white, as transformers 5.23 and the published training do (4.57 does not). */
static void translucent_pixels_are_laid_on_white(void **state) {
    (void)state;
    unsigned char pixels[28 * 28 * 4 * 4];
    sv_model_config config = processor(14);
    config.min_pixels = 1;
    sv_error err;
    for (size_t i = 0; i < sizeof pixels; i += 4)
        memcpy(pixels + i, (unsigned char[]){100, 0, 255, (unsigned char)(i % 3 ? 51 : 255)}, 4);
    sv_image image = {.width = 56, .height = 56, .n_channels = 4, .pixels = pixels};
    sv_patches p;
    ASSERT_OK(sv_image_to_patches(&config, &image, &p, &err), err);
    /* 100 at 20 % over white: 224; the first pixel is opaque, the second translucent */
    float opaque = ((float)100 / 255 - config.image_mean[0]) / config.image_std[0];
    float laid = ((float)224 / 255 - config.image_mean[0]) / config.image_std[0];
    assert_true(fabsf(p.rows[0] - opaque) < 1e-6f);
    assert_true(fabsf(p.rows[1] - laid) < 1e-6f);
    sv_patches_free(&p);
}

static void patches_are_in_cell_order(void **state) {
    (void)state;
    const char *path = shared_path("golden/qwen25vl-tiny/pictures/pixels.safetensors");
    SKIP_WITHOUT(path);
    static const char *const pictures[][2] = {{"p0", "u8_p0"}, {"ragged_308x196", "u8_ragged"}};
    sv_model_config config = processor(14);
    sv_tensor_file *file;
    sv_error err;
    double worst = 0;
    ASSERT_OK(sv_tensor_file_open(path, &file, &err), err);
    float *lut = golden_f32(file, "lut"), *ragged = golden_f32(file, "pixel_values_ragged_rows0_63");
    for (size_t i = 0; i < 2; i++) {
        char name[96];
        sv_image image;
        sv_patches p;
        snprintf(name, sizeof name, "golden/qwen25vl-tiny/pictures/%s.png", pictures[i][0]);
        ASSERT_OK(sv_png_load(shared_path(name), &image, &err), err);
        ASSERT_OK(sv_image_to_patches(&config, &image, &p, &err), err);
        const sv_tensor *bytes = golden(file, pictures[i][1]);
        assert_int_equal(golden_count(bytes), p.grid_h * p.grid_w * p.row_size);
        for (size_t k = 0; k < golden_count(bytes); k++) {
            float expected = lut[k % 588 / 196 * 256 + ((const unsigned char *)bytes->data)[k]];
            note_difference(&p.rows[k], &expected, 1, &worst);
        }
        for (size_t r = 0; i == 1 && r < 64; r++) {
            for (size_t c = 0; c < 3; c++)
                note_difference(p.rows + r * 588 + c * 196, ragged + r * 1176 + c * 392, 196, &worst);
        }
        sv_patches_free(&p);
        sv_image_free(&image);
    }
    print_message("pixel values: largest difference %.1e\n", worst);
    assert_true(worst <= 1e-6);
    free(lut);
    free(ragged);
    sv_tensor_file_close(file);
}

static void pictures_are_fetched(void **state) {
    (void)state;
    char folder[] = "/tmp/sv-fetch-XXXXXX", path[64], url[4096], *text = url;
    unsigned char pixels[4 * 4 * 3] = {1, 2, 3}, *png;
    size_t len;
    sv_image image = {.width = 4, .height = 4, .n_channels = 3, .pixels = pixels}, back;
    sv_error err;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/a.png", folder);
    ASSERT_OK(sv_png_encode(&image, &(sv_png_options){.level = 1}, &png, &len, &err), err);
    ASSERT_OK(sv_file_write(path, png, len, &err), err);
    text += sprintf(text, "data:image/png;base64,");
    sodium_bin2base64(text, 3000, png, len, sodium_base64_VARIANT_ORIGINAL);
    memmove(text + 21, text + 20, strlen(text + 20) + 1);
    text[20] = '\n'; /* line breaks are tolerated */
    char file_url[80];
    snprintf(file_url, sizeof file_url, "file://%s", path);
    const char *good[][2] = {{path, NULL}, {path, "/nowhere"}, {"a.png", folder}, {file_url, NULL}, {url, NULL}};
    for (size_t i = 0; i < SV_COUNT(good); i++) {
        ASSERT_OK(sv_image_fetch(good[i][0], good[i][1], &back, &err), err);
        assert_int_equal(back.pixels[1], 2);
        sv_image_free(&back);
    }
    static const char *const bad[][2] = {{"none.png", "cannot open"},
                                         {"http://example.org/a.png", "network"},
                                         {"data:image/png,xyz", "base64"},
                                         {"data:image/png;base64,@@@@", "not base64"},
                                         {"data:image/jpeg;base64,/9j/4AAQSkZJRgABAQ==", "JPEG"},
                                         {"data:image/gif;base64,R0lGODlhAQABAAAAACw=", "GIF"},
                                         {"data:image/png;base64,", ""}};
    for (size_t i = 0; i < SV_COUNT(bad); i++) {
        assert_int_not_equal(sv_image_fetch(bad[i][0], folder, &back, &err), SV_OK);
        if (!strstr(err.message, bad[i][1])) fail_msg("%s: %s", bad[i][0], err.message);
        assert_null(back.pixels);
    }
    unlink(path);
    rmdir(folder);
    free(png);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(smart_resize),
                                       cmocka_unit_test(processor_cases),
                                       cmocka_unit_test(resizing_is_pillows),
                                       cmocka_unit_test(translucent_pixels_are_laid_on_white),
                                       cmocka_unit_test(patches_are_in_cell_order),
                                       cmocka_unit_test(pictures_are_fetched)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
