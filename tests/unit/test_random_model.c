/* test_random_model.c - models with random weights: the same bytes on any number of threads, the spread that keeps
 * activations finite, packed weights as AutoRound has them, and folders that load and answer. */
#include "support/folder.h"

#include <math.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/memory.h"
#include "model/model_cost.h"
#include "model/random_model.h"
#include "model/safetensors.h"
#include "model/session.h"

static const char *made(const char *name) { return in_folder(name); }

static sv_status make(const char *name, sv_random_model_options options, sv_error *err) {
    if (!options.shape) options.shape = sv_model_shape_find("tiny");
    mkdir(made(name), 0777);
    return sv_random_model_write(made(name), &options, err);
}

static sv_tensor_file *make_and_open(const char *name, sv_random_model_options options) {
    sv_tensor_file *file;
    sv_error err;
    ASSERT_OK(make(name, options, &err), err);
    ASSERT_OK(sv_tensor_folder_open(made(name), &file, &err), err);
    return file;
}

static void assert_same_tensors(const sv_tensor_file *a, const sv_tensor_file *b, bool same) {
    size_t n_different = 0;
    assert_int_equal(sv_tensor_count(a), sv_tensor_count(b));
    for (size_t i = 0; i < sv_tensor_count(a); i++) {
        const sv_tensor *x = sv_tensor_at(a, i), *y = sv_tensor_at(b, i);
        assert_string_equal(x->name, y->name);
        assert_int_equal(x->n_bytes, y->n_bytes);
        n_different += memcmp(x->data, y->data, x->n_bytes) != 0;
    }
    assert_int_equal(n_different == 0, same);
}

static void bytes_depend_on_the_seed_alone(void **state) {
    (void)state;
    sv_tensor_file *one = make_and_open("one", (sv_random_model_options){.seed = 5, .n_threads = 1});
    sv_tensor_file *two = make_and_open("two", (sv_random_model_options){.seed = 5, .n_threads = 3});
    sv_tensor_file *sharded =
        make_and_open("sharded", (sv_random_model_options){.seed = 5, .n_threads = 2, .max_shard_bytes = 400000});
    sv_tensor_file *other = make_and_open("other", (sv_random_model_options){.seed = 6, .n_threads = 1});
    assert_same_tensors(one, two, true);
    assert_same_tensors(one, sharded, true);
    assert_same_tensors(one, other, false);
    assert_true(sv_tensor_n_shards(sharded) >= 3);
    sv_tensor_file_close(one);
    sv_tensor_file_close(two);
    sv_tensor_file_close(sharded);
    sv_tensor_file_close(other);
}

/* Mean and deviation of a tensor's numbers; *n_negative counts those below 0. */
static void measure(const sv_tensor_file *file, const char *name, double *mean, double *rms, size_t *n_negative) {
    const sv_tensor *t = sv_tensor_find(file, name);
    if (!t) fail_msg("no tensor %s", name);
    size_t n = t->n_bytes / sv_dtype_size(t->dtype);
    float *values = sv_alloc_aligned(n, sizeof *values);
    assert_non_null(values);
    sv_tensor_read_f32(t, 0, n, values);
    *mean = *rms = 0;
    *n_negative = 0;
    for (size_t i = 0; i < n; i++) {
        *mean += (double)values[i] / (double)n;
        *n_negative += values[i] < 0;
    }
    for (size_t i = 0; i < n; i++) *rms += ((double)values[i] - *mean) * ((double)values[i] - *mean) / (double)n;
    *rms = sqrt(*rms);
    free(values);
}

static void weights_have_their_spread(void **state) {
    (void)state;
    static const struct {
        const char *name;
        double mean, rms;
    } cases[] = {{"model.layers.0.mlp.up_proj.weight", 0, 0.0883883}, /* 1 / sqrt(128) */
                 {"model.layers.1.mlp.down_proj.weight", 0, 0.0625},
                 {"visual.patch_embed.proj.weight", 0, 0.0291606}, /* 1 / sqrt(1176) */
                 {"visual.merger.mlp.0.weight", 0, 0.0559017},
                 {"model.embed_tokens.weight", 0, 0.0883883},
                 {"model.norm.weight", 1, 0.05}};
    sv_tensor_file *file = make_and_open("spread", (sv_random_model_options){.dtype = SV_F32});
    for (size_t i = 0; i < SV_COUNT(cases); i++) {
        double mean, rms, tolerance = strstr(cases[i].name, "norm") ? 0.3 : 0.03; /* of 128 numbers, of thousands */
        size_t n_negative;
        measure(file, cases[i].name, &mean, &rms, &n_negative);
        if (fabs(mean - cases[i].mean) > tolerance * cases[i].rms || fabs(rms / cases[i].rms - 1) > tolerance)
            fail_msg("%s: mean %g, deviation %g", cases[i].name, mean, rms);
    }
    sv_tensor_file_close(file);
}

static void packed_weights_are_as_autoround_has_them(void **state) {
    (void)state;
    sv_tensor_file *file = make_and_open("packed", (sv_random_model_options){.dtype = SV_I32, .seed = 3});
    double mean, rms;
    size_t n_negative;
    measure(file, "model.layers.0.mlp.up_proj.scales", &mean, &rms, &n_negative);
    assert_in_range(n_negative, 90, 166);    /* of 256 */
    assert_true(rms > 0.015 && rms < 0.024); /* 1 / sqrt(128) / 4.637 and a little */
    const sv_tensor *zeros = sv_tensor_find(file, "model.layers.0.mlp.up_proj.qzeros");
    const sv_tensor *words = sv_tensor_find(file, "model.layers.0.mlp.up_proj.qweight");
    assert_int_equal(zeros->dtype, SV_I32);
    assert_int_equal(words->shape[0], 16);
    assert_int_equal(words->shape[1], 256);
    size_t n_of[16] = {0};
    for (size_t i = 0; i < zeros->n_bytes; i++) assert_int_equal(((const unsigned char *)zeros->data)[i], 0x77);
    for (size_t i = 0; i < words->n_bytes; i++) {
        n_of[((const unsigned char *)words->data)[i] & 15]++;
        n_of[((const unsigned char *)words->data)[i] >> 4]++;
    }
    for (int q = 0; q < 16; q++) assert_in_range(n_of[q], 1850, 2250); /* 2048 +- 4.6 deviations */
    assert_int_equal(sv_tensor_find(file, "model.norm.weight")->dtype, SV_F16);
    sv_tensor_file_close(file);
}

static void every_type_loads_and_answers(void **state) {
    (void)state;
    static const sv_dtype dtypes[] = {SV_BF16, SV_F16, SV_F32, SV_I32};
    static const char *const shapes[] = {"tiny", "nano"};
    for (size_t k = 0; k < SV_COUNT(shapes) * SV_COUNT(dtypes); k++) {
        const sv_model_shape *shape = sv_model_shape_find(shapes[k / SV_COUNT(dtypes)]);
        sv_random_model_options options = {.shape = shape, .dtype = dtypes[k % SV_COUNT(dtypes)], .seed = k};
        sv_model_config config = {.text = shape->text, .vision = shape->vision};
        sv_parameter_count count;
        sv_error err;
        sv_model *model;
        sv_workspace *workspace;
        sv_session *session;
        char name[32];
        snprintf(name, sizeof name, "model%zu", k);
        ASSERT_OK(make(name, options, &err), err);
        ASSERT_OK(sv_model_load(made(name), NULL, &model, &err), err);
        sv_count_parameters(&config, &count);
        assert_true((double)sv_model_n_parameters(model) == count.total);
        ASSERT_OK(sv_workspace_new(model, 0, NULL, &workspace, &err), err);
        ASSERT_OK(sv_session_new(workspace, NULL, 16, &session, &err), err);
        const int32_t ids[] = {5, 100, 3, 255, 0, 17};
        float *logits = sv_calloc((size_t)shape->text.vocab, sizeof *logits);
        ASSERT_OK(sv_session_append(session, &(sv_prompt){.ids = ids, .n_ids = SV_COUNT(ids)}, logits, &err), err);
        double sum = 0, squares = 0;
        for (int i = 0; i < shape->text.vocab; i++) {
            sum += (double)logits[i];
            squares += (double)logits[i] * (double)logits[i];
        }
        double spread = sqrt(squares / shape->text.vocab);
        if (!isfinite(sum) || spread < 0.3 || spread > 3) fail_msg("%s: logits spread by %g", name, spread);
        free(logits);
        sv_session_free(session);
        sv_workspace_free(workspace);
        sv_model_free(model);
    }
}

static bool stop_at_once(void *context, uint64_t n_done, uint64_t n_bytes) {
    (void)context;
    assert_true(n_done > 0 && n_done <= n_bytes);
    return false;
}

static void bad_wishes_are_refused(void **state) {
    (void)state;
    sv_error err;
    assert_null(sv_model_shape_find("13b"));
    assert_int_equal(make("stopped", (sv_random_model_options){.progress = stop_at_once}, &err), SV_ERR_CANCELLED);
    assert_false(sv_file_exists(in_folder("stopped/model.safetensors")));
    const char *no_tokenizer = in_folder("spread/none");
    assert_int_equal(make("a", (sv_random_model_options){.tokenizer_folder = no_tokenizer}, &err), SV_ERR_INPUT);
    /* 655 ids do not go into 576 rows */
    const char *large = SV_SOURCE_DIR "/models/nano";
    assert_int_equal(make("b", (sv_random_model_options){.tokenizer_folder = large}, &err), SV_ERR_INPUT);
    assert_non_null(strstr(err.message, "655 ids"));
    assert_non_null(strstr(err.message, large));
}

static void a_tokenizer_may_be_copied(void **state) {
    (void)state;
    sv_error err;
    sv_model *model;
    sv_random_model_options options = {.shape = sv_model_shape_find("nano"),
                                       .tokenizer_folder = SV_SOURCE_DIR "/models/nano"};
    ASSERT_OK(make("copied", options, &err), err);
    ASSERT_OK(sv_model_load(made("copied"), NULL, &model, &err), err);
    assert_int_equal(sv_model_get_config(model)->image_token, 653);
    assert_int_equal(sv_model_get_config(model)->eos[0], 649);
    sv_model_free(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(bytes_depend_on_the_seed_alone),
                                       cmocka_unit_test(weights_have_their_spread),
                                       cmocka_unit_test(packed_weights_are_as_autoround_has_them),
                                       cmocka_unit_test(every_type_loads_and_answers),
                                       cmocka_unit_test(bad_wishes_are_refused),
                                       cmocka_unit_test(a_tokenizer_may_be_copied)};
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
