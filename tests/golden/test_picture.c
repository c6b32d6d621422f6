/* test_picture.c - pictures against those of the published renderer, pixel by pixel. */
#include "support/test.h"

#include <math.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/png.h"
#include "render/picture.h"

#define N_CHANNEL_SAMPLES SV_EPOCH_SAMPLES
#define ALL_ROLES "F4 C4 O2 LOC ROC Chin"

/* The F64 tensor `name` of a safetensors file (8 bytes header length, JSON header, data). NULL when absent. */
typedef struct signals {
    char *file;
    size_t len, data_start;
    json_t *header;
} signals;

static void signals_load(signals *s, const char *path) {
    sv_error err;
    uint64_t header_len;
    ASSERT_OK(sv_file_read(path, (size_t)64 << 20, &s->file, &s->len, &err), err);
    assert_true(s->len > sizeof header_len);
    memcpy(&header_len, s->file, sizeof header_len);
    assert_true(header_len < s->len);
    ASSERT_OK(sv_json_parse(s->file + 8, header_len, path, &s->header, &err), err);
    s->data_start = 8 + header_len;
}

static void signals_free(signals *s) {
    json_decref(s->header);
    free(s->file);
}

/* Epoch `epoch` of a tensor, copied for its alignment. */
static const double *signals_epoch(const signals *s, const char *name, int epoch, double *out) {
    const json_t *tensor = json_object_get(s->header, name);
    if (!tensor) return NULL;
    assert_string_equal(sv_json_text(tensor, "dtype", ""), "F64");
    const json_t *offsets = json_object_get(tensor, "data_offsets");
    size_t first = (size_t)json_integer_value(json_array_get(offsets, 0)) + (size_t)epoch * N_CHANNEL_SAMPLES * 8;
    assert_true(first + N_CHANNEL_SAMPLES * 8 <= (size_t)json_integer_value(json_array_get(offsets, 1)));
    assert_true(s->data_start + first + N_CHANNEL_SAMPLES * 8 <= s->len);
    memcpy(out, s->file + s->data_start + first, N_CHANNEL_SAMPLES * sizeof *out);
    return out;
}

/* Draws what `roles` names. Tensor names are prefix + role, or prefix alone when it holds no '_' (one column for all).
 */
static void draw(sv_painter *painter, const signals *s, const char *prefix, const char *roles, int epoch,
                 unsigned char *rgb) {
    static double samples[SV_N_ROLES][N_CHANNEL_SAMPLES];
    static const char *const names[SV_N_ROLES] = {"F4", "C4", "O2", "LOC", "ROC", "Chin"};
    const double *channels[SV_N_ROLES] = {NULL};
    for (int role = 0; role < SV_N_ROLES; role++) {
        char tensor[80];
        if (!strstr(roles, names[role])) continue;
        snprintf(tensor, sizeof tensor, "%s%s", prefix, strcmp(prefix, "filtered100_") == 0 ? names[role] : "");
        channels[role] = signals_epoch(s, tensor, epoch, samples[role]);
        assert_non_null(channels[role]);
    }
    sv_picture_draw(painter, channels, rgb);
}

static void compare(const char *png, const unsigned char *rgb) {
    sv_image golden;
    sv_error err;
    ASSERT_OK(sv_png_load(png, &golden, &err), err);
    assert_int_equal(golden.width, SV_PICTURE_WIDTH);
    assert_int_equal(golden.height, SV_PICTURE_HEIGHT);
    int n_pixels = SV_PICTURE_WIDTH * SV_PICTURE_HEIGHT, n_unequal = 0, largest = 0, n_far = 0;
    double sum = 0;
    for (int i = 0; i < n_pixels; i++) {
        int worst = 0;
        for (int k = 0; k < 3; k++) {
            int d = abs(golden.pixels[4 * i + k] - rgb[3 * i + k]);
            sum += d;
            worst = SV_MAX(worst, d);
        }
        assert_int_equal(golden.pixels[4 * i + 3], 255);
        n_unequal += worst > 0;
        n_far += worst > 24;
        largest = SV_MAX(largest, worst);
    }
    sv_image_free(&golden);
    print_message("%s: unequal pixels %d, largest difference %d, mean %.6f\n", strstr(png, "golden/"), n_unequal,
                  largest, sum / (3 * n_pixels));
    /* Equal on the machine where it was measured; sin and sqrt of another C library may move an edge by 1/256 pixel. */
    assert_true(sum / (3 * n_pixels) <= 0.01);
    assert_true(n_unequal <= n_pixels / 1000);
    assert_int_equal(n_far, 0);
}

typedef struct golden {
    const char *signals, *prefix, *roles, *png;
    int epoch;
} golden;

#define FILTERED(name, roles, png, epoch) \
    { "golden/dsp/" name ".safetensors", "filtered100_", roles, "golden/render/" png, epoch }
#define ISOLATED(name, roles) \
    { "golden/render/isolated/signals.safetensors", name, roles, "golden/render/isolated/" name ".png", 0 }

static const golden goldens[] = {
    FILTERED("syn512", ALL_ROLES, "syn512/0_W.png", 0),
    FILTERED("syn512", ALL_ROLES, "syn512/1_N2.png", 1),
    FILTERED("syn256_bad", ALL_ROLES, "syn256_bad/0.png", 0),
    FILTERED("syn256_bad", ALL_ROLES, "syn256_bad/1.png", 1),
    FILTERED("syn100", ALL_ROLES, "syn100/0.png", 0),
    FILTERED("syn100", ALL_ROLES, "syn100/1.png", 1),
    FILTERED("nox", ALL_ROLES, "nox/0.png", 0),
    FILTERED("nox", ALL_ROLES, "nox/1.png", 1),
    FILTERED("dynamo", "C4", "dynamo/0_W.png", 0),
    FILTERED("dynamo", "C4", "dynamo/1_N2.png", 1),
    FILTERED("dynamo", "C4", "dynamo/2_R.png", 2),
    FILTERED("syn512", "Chin", "subsets/n1.png", 1),
    FILTERED("syn512", "F4 O2", "subsets/n2.png", 1),
    FILTERED("syn512", "C4 ROC Chin", "subsets/n3.png", 1),
    FILTERED("syn512", "F4 C4 LOC Chin", "subsets/n4.png", 1),
    FILTERED("syn512", "C4 O2 LOC ROC Chin", "subsets/n5.png", 1),
    ISOLATED("sine1hz", ALL_ROLES),
    ISOLATED("sine13hz", ALL_ROLES),
    ISOLATED("nan_gap", ALL_ROLES),
    ISOLATED("zeros", ALL_ROLES),
    ISOLATED("blank", ALL_ROLES),
    ISOLATED("huge", "F4 Chin"),
    ISOLATED("slope", "LOC"),
    ISOLATED("step", "C4"),
};

static void pictures_equal_the_published_ones(void **state) {
    (void)state;
    SKIP_WITHOUT(shared_path("golden/render/syn512/0_W.png"));
    sv_painter *painter;
    sv_error err;
    ASSERT_OK(sv_painter_new(&painter, &err), err);
    unsigned char *rgb = malloc(SV_PICTURE_BYTES);
    assert_non_null(rgb);
    for (size_t i = 0; i < SV_COUNT(goldens); i++) {
        const golden *g = &goldens[i];
        signals s;
        signals_load(&s, shared_path(g->signals));
        draw(painter, &s, g->prefix, g->roles, g->epoch, rgb);
        compare(shared_path(g->png), rgb);
        signals_free(&s);
    }
    free(rgb);
    sv_painter_free(painter);
}

static void empty_grids_equal_the_published_ones(void **state) {
    (void)state;
    SKIP_WITHOUT(shared_path("golden/render/isolated/grid_n1.png"));
    static double nothing[N_CHANNEL_SAMPLES];
    for (int i = 0; i < N_CHANNEL_SAMPLES; i++) nothing[i] = NAN;
    sv_painter *painter;
    sv_error err;
    ASSERT_OK(sv_painter_new(&painter, &err), err);
    unsigned char *rgb = malloc(SV_PICTURE_BYTES);
    assert_non_null(rgb);
    static const int n_bands[] = {1, 3, 6};
    for (size_t i = 0; i < SV_COUNT(n_bands); i++) {
        const double *channels[SV_N_ROLES] = {NULL};
        for (int role = 0; role < n_bands[i]; role++) channels[role] = nothing;
        sv_picture_draw(painter, channels, rgb);
        char png[80];
        snprintf(png, sizeof png, "golden/render/isolated/grid_n%d.png", n_bands[i]);
        compare(shared_path(png), rgb);
    }
    free(rgb);
    sv_painter_free(painter);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(pictures_equal_the_published_ones),
                                       cmocka_unit_test(empty_grids_equal_the_published_ones)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
