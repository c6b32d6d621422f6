/* test_model_cost.c - parameters and work of the published model's shape against the numbers that were worked out by
 * hand (qwen25vl.md sections 1 and 10), and of every shape against the sum over its list of tensors. */
#include "support/test.h"

#include <math.h>

#include "model/memory_plan.h"
#include "model/model_cost.h"
#include "model/model_tensors.h"
#include "model/network.h"
#include "model/random_model.h"
#include "tensor/product.h"

static sv_model_config config_of(const char *name) {
    const sv_model_shape *shape = sv_model_shape_find(name);
    assert_non_null(shape);
    return (sv_model_config){.text = shape->text, .vision = shape->vision};
}

static void the_published_model_has_its_parameters(void **state) {
    (void)state;
    sv_model_config c = config_of("3b");
    sv_parameter_count n;
    sv_count_parameters(&c, &n);
    const struct {
        double counted, expected;
    } cases[] = {
        {n.layer, 77076992},  {n.layer_matrices, 77070336}, {n.layer * 36, 2774771712}, {n.embedding, 311164928},
        {n.head, 0},          {n.text, 3085938688},         {n.vision_block, 19702200}, {n.patch_embed, 1505280},
        {n.merger, 36708608}, {n.vision, 668684288},        {n.total, 3754622976}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (cases[i].counted != cases[i].expected) {
            fail_msg("case %zu: %.0f, expected %.0f", i, cases[i].counted, cases[i].expected);
        }
    }
}

/* The table gives two or three digits. */
static void near(double found, double expected, double half_digit) {
    if (fabs(found - expected) > half_digit) fail_msg("%g, expected %g", found, expected);
}

static void the_published_model_does_its_work(void **state) {
    (void)state;
    sv_model_config c = config_of("3b");
    const double tera = 1e12;
    sv_work picture = sv_work_picture(&c, 8, 16), whole = sv_work_read(&c, 0, 3140), prefix = sv_work_read(&c, 0, 2732),
            rest = sv_work_read(&c, 2732, 408), text = sv_work_write(&c, 3140, 250);
    near(sv_work_sum(picture) / tera, 0.666, 0.0005);
    near(picture.linear / tera, 0.656, 0.0005);
    near(picture.attention / tera, 0.010, 0.0005);
    near(sv_work_sum(whole) / tera, 18.88, 0.005);
    near(whole.linear / tera, 17.42, 0.005);
    near(whole.attention / tera, 1.45, 0.005);
    near(sv_work_sum(prefix) / tera, 16.26, 0.005);
    near(sv_work_sum(rest) / tera, 2.62, 0.005);
    near(rest.linear / tera, 2.26, 0.005);
    near(rest.attention / tera, 0.35, 0.005);
    near(sv_work_sum(text) / tera, 1.78, 0.005);
    near(sv_work_sum(text) / 250 / 1e9, 7.13, 0.005);
    near((sv_work_sum(picture) + sv_work_sum(rest) + sv_work_sum(text)) / tera, 5.07, 0.005);
    near((3 * sv_work_sum(picture) + sv_work_sum(whole) + sv_work_sum(text)) / tera, 22.7, 0.05);
}

/* Windows that are cut off at the edges: 7 x 11 cells in windows of 4 x 4. */
static void ragged_windows_count_what_they_hold(void **state) {
    (void)state;
    sv_model_config c = config_of("3b");
    c.vision.n_full_blocks = 0;
    double cells = (4 * 4) * (4 * 4) * 2 + (4 * 3) * (4 * 3) * 1 + (3 * 4) * (3 * 4) * 2 + (3 * 3) * (3 * 3) * 1;
    near(sv_work_picture(&c, 7, 11).attention, 4.0 * 1280 * 32 * cells * 16, 0.5);
}

static bool add_elements(void *context, const sv_model_tensor *t) {
    double n = 1, *sum = context;
    for (int i = 0; i < t->n_dims; i++) n *= (double)t->shape[i];
    if (t->role == SV_TENSOR_WORDS) n *= 8;
    if (t->role != SV_TENSOR_ZEROS && t->role != SV_TENSOR_SCALES) *sum += n;
    return true;
}

static void the_list_of_tensors_has_the_same_sum(void **state) {
    (void)state;
    for (size_t i = 0; i < sv_n_model_shapes; i++) {
        sv_model_config c = config_of(sv_model_shapes[i].name);
        sv_parameter_count n;
        sv_count_parameters(&c, &n);
        for (int group = 0; group <= 32; group += 32) {
            double sum = 0;
            sv_model_tensors_walk(&c, group, add_elements, &sum);
            if (sum != n.total) fail_msg("%s: %.0f, counted %.0f", sv_model_shapes[i].name, sum, n.total);
        }
    }
}

/* The largest sizes that config.json may have: no overflow, which UBSan would report. */
static void absurd_sizes_are_only_large(void **state) {
    (void)state;
    enum { N = 10000000 };
    sv_model_config c = {
        .text = {.hidden = N, .n_layers = N, .n_heads = N, .n_kv_heads = N, .head_dim = N, .ffn = N, .vocab = N},
        .vision = {.hidden = N,
                   .depth = N,
                   .n_heads = N,
                   .ffn = N,
                   .out_hidden = N,
                   .patch = 1024,
                   .merge = 64,
                   .window = 65536,
                   .channels = 3,
                   .temporal_patch = 2}};
    sv_parameter_count n;
    sv_count_parameters(&c, &n);
    assert_true(n.total > 1e27 && isfinite(n.total));
    assert_true(isfinite(sv_work_sum(sv_work_read(&c, N, N))));
    assert_true(isfinite(sv_work_sum(sv_work_picture(&c, 16, 16))));
    sv_memory_plan plan;
    sv_error err;
    const sv_memory_request request = {0, N, N, N, 224, 448, N, 1024, N, 0, 0};
    assert_int_not_equal(sv_memory_plan_make(&c, &request, &plan, &err), SV_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_model_has_its_parameters), cmocka_unit_test(the_published_model_does_its_work),
        cmocka_unit_test(ragged_windows_count_what_they_hold), cmocka_unit_test(the_list_of_tensors_has_the_same_sum),
        cmocka_unit_test(absurd_sizes_are_only_large)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
