/* test_damaged_model.c - model folders that are wrong in one place are refused, and the message names the tensor. */
#include "support/test.h"

#include <sys/stat.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "model/model.h"

#define MODEL SV_SOURCE_DIR "/models/nano"

static const char *small_files[] = {"config.json", "generation_config.json", "preprocessor_config.json",
                                    "tokenizer.json", "tokenizer_config.json"};

typedef struct weights_file {
    json_t *header;
    char *bytes; /* the whole file */
    size_t len, data_at;
} weights_file;

static char folder[] = "/tmp/sv-damaged-XXXXXX";

static void open_weights(weights_file *w) {
    sv_error err;
    uint64_t header_len;
    ASSERT_OK(sv_file_read(MODEL "/model.safetensors", (size_t)64 << 20, &w->bytes, &w->len, &err), err);
    memcpy(&header_len, w->bytes, sizeof header_len);
    w->data_at = 8 + (size_t)header_len;
    ASSERT_OK(sv_json_parse(w->bytes + 8, (size_t)header_len, "header", &w->header, &err), err);
}

/* Writes header and data, without the last n_missing bytes, into the test folder. */
static void save_weights(weights_file *w, size_t n_missing) {
    sv_error err;
    char path[256], *text = json_dumps(w->header, JSON_COMPACT);
    uint64_t header_len = strlen(text);
    size_t n_data = w->len - w->data_at - n_missing, total = 8 + (size_t)header_len + n_data;
    char *out = malloc(total);
    assert_non_null(out);
    memcpy(out, &header_len, 8);
    memcpy(out + 8, text, (size_t)header_len);
    memcpy(out + 8 + header_len, w->bytes + w->data_at, n_data);
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    ASSERT_OK(sv_file_write(path, out, total, &err), err);
    free(out);
    free(text);
    free(w->bytes);
    json_decref(w->header);
}

static void expect_refused(sv_status status, const char *first, const char *second) {
    sv_error err;
    sv_model *model;
    assert_int_equal(sv_model_load(folder, NULL, &model, &err), status);
    assert_null(model);
    if (!strstr(err.message, first) || !strstr(err.message, second)) {
        fail_msg("'%s' does not say '%s' and '%s'", err.message, first, second);
    }
}

static void set_up_small_files(void) {
    sv_error err;
    for (size_t i = 0; i < SV_COUNT(small_files); i++) {
        char path[256], *bytes;
        size_t len;
        snprintf(path, sizeof path, MODEL "/%s", small_files[i]);
        ASSERT_OK(sv_file_read(path, (size_t)64 << 20, &bytes, &len, &err), err);
        snprintf(path, sizeof path, "%s/%s", folder, small_files[i]);
        ASSERT_OK(sv_file_write(path, bytes, len, &err), err);
        free(bytes);
    }
}

static int set_up(void **state) {
    (void)state;
    assert_non_null(mkdtemp(folder));
    set_up_small_files();
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    char path[256];
    for (size_t i = 0; i < SV_COUNT(small_files); i++) {
        snprintf(path, sizeof path, "%s/%s", folder, small_files[i]);
        unlink(path);
    }
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    unlink(path);
    return rmdir(folder);
}

static void a_copy_is_accepted(void **state) {
    (void)state;
    sv_error err;
    sv_model *model;
    weights_file w;
    open_weights(&w);
    save_weights(&w, 0);
    ASSERT_OK(sv_model_load(folder, NULL, &model, &err), err);
    assert_int_equal(sv_model_n_parameters(model), 4686848);
    sv_model_free(model);
}

static void newer_tensor_names_are_accepted(void **state) {
    (void)state;
    sv_error err;
    sv_model *model;
    weights_file w;
    open_weights(&w);
    json_t *renamed = json_object(), *entry;
    const char *name;
    json_object_foreach(w.header, name, entry) {
        char newer[256];
        if (strncmp(name, "model.", 6) == 0) {
            snprintf(newer, sizeof newer, "model.language_model.%s", name + 6);
        } else if (strncmp(name, "visual.", 7) == 0) {
            snprintf(newer, sizeof newer, "model.%s", name);
        } else {
            snprintf(newer, sizeof newer, "%s", name);
        }
        json_object_set(renamed, newer, entry);
    }
    json_decref(w.header);
    w.header = renamed;
    save_weights(&w, 0);
    ASSERT_OK(sv_model_load(folder, NULL, &model, &err), err);
    sv_model_free(model);
}

static void a_truncated_file_is_refused(void **state) {
    (void)state;
    for (size_t n_missing = 1; n_missing <= 1U << 20; n_missing <<= 20) {
        weights_file w;
        open_weights(&w);
        save_weights(&w, n_missing);
        expect_refused(SV_ERR_INPUT, "model.safetensors", "");
    }
}

static void a_missing_tensor_is_named(void **state) {
    (void)state;
    static const char *names[] = {"model.norm.weight", "visual.blocks.2.mlp.up_proj.bias",
                                  "model.layers.3.self_attn.k_proj.weight"};
    for (size_t i = 0; i < SV_COUNT(names); i++) {
        weights_file w;
        open_weights(&w);
        json_t *entry = json_incref(json_object_get(w.header, names[i]));
        json_object_del(w.header, names[i]);
        json_object_set_new(w.header, "something.else", entry);
        save_weights(&w, 0);
        expect_refused(SV_ERR_INPUT, names[i], "missing");
    }
}

static void a_quantised_layer_is_named(void **state) {
    (void)state;
    weights_file w;
    open_weights(&w);
    json_t *entry = json_incref(json_object_get(w.header, "model.layers.1.mlp.down_proj.weight"));
    json_object_del(w.header, "model.layers.1.mlp.down_proj.weight");
    json_object_set_new(w.header, "model.layers.1.mlp.down_proj.qweight", entry);
    save_weights(&w, 0);
    expect_refused(SV_ERR_INPUT, "'model.layers.1.mlp.down_proj' is quantised", "no quantization_config");
}

static void a_wrong_shape_or_type_is_named(void **state) {
    (void)state;
    weights_file w;
    open_weights(&w);
    json_t *entry = json_object_get(w.header, "visual.merger.mlp.0.weight");
    json_object_set_new(entry, "shape", json_pack("[i, i]", 384, 1536));
    save_weights(&w, 0);
    expect_refused(SV_ERR_INPUT, "visual.merger.mlp.0.weight", "[384, 1536], config.json asks for [768, 768]");
    open_weights(&w);
    json_object_set_new(json_object_get(w.header, "model.layers.0.mlp.gate_proj.weight"), "dtype", json_string("I16"));
    save_weights(&w, 0);
    expect_refused(SV_ERR_UNSUPPORTED, "model.layers.0.mlp.gate_proj.weight", "I16");
}

static void sizes_beyond_the_file_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *section, *key;
        int value;
    } cases[] = {{"text_config", "num_hidden_layers", 10000000},
                 {"text_config", "intermediate_size", 10000000},
                 {"text_config", "vocab_size", 9999999},
                 {"vision_config", "depth", 10000000},
                 {"vision_config", "intermediate_size", 9999999}};
    weights_file w;
    open_weights(&w);
    save_weights(&w, 0);
    for (size_t i = 0; i < SV_COUNT(cases); i++) {
        sv_error err;
        sv_model *model;
        json_t *config;
        char path[256];
        ASSERT_OK(sv_json_load(MODEL "/config.json", &config, &err), err);
        json_object_set_new(json_object_get(config, cases[i].section), cases[i].key, json_integer(cases[i].value));
        snprintf(path, sizeof path, "%s/config.json", folder);
        ASSERT_OK(sv_json_save(path, config, &err), err);
        json_decref(config);
        assert_int_equal(sv_model_load(folder, NULL, &model, &err), SV_ERR_INPUT);
        assert_non_null(strstr(err.message, "tensor '"));
    }
    set_up_small_files();
}

static void numbers_that_are_none_are_named(void **state) {
    (void)state;
    static const struct {
        const char *name, *what;
        size_t element;
        uint16_t bits;
    } cases[] = {{"model.layers.2.mlp.up_proj.weight", "NaN at element 70000", 70000, 0x7fc0},
                 {"visual.patch_embed.proj.weight", "infinity at element 5", 5, 0xff80},
                 {"model.layers.0.self_attn.q_proj.bias", "infinity at element 191", 191, 0x7f80}};
    for (size_t i = 0; i < SV_COUNT(cases); i++) {
        weights_file w;
        open_weights(&w);
        const json_t *offsets = json_object_get(json_object_get(w.header, cases[i].name), "data_offsets");
        size_t at = (size_t)json_integer_value(json_array_get(offsets, 0));
        memcpy(w.bytes + w.data_at + at + 2 * cases[i].element, &cases[i].bits, 2);
        save_weights(&w, 0);
        expect_refused(SV_ERR_INPUT, cases[i].name, cases[i].what);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_copy_is_accepted),
                                       cmocka_unit_test(newer_tensor_names_are_accepted),
                                       cmocka_unit_test(a_truncated_file_is_refused),
                                       cmocka_unit_test(a_missing_tensor_is_named),
                                       cmocka_unit_test(a_quantised_layer_is_named),
                                       cmocka_unit_test(a_wrong_shape_or_type_is_named),
                                       cmocka_unit_test(sizes_beyond_the_file_are_refused),
                                       cmocka_unit_test(numbers_that_are_none_are_named)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
