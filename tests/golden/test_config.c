/* test_config.c - config.json in the dialects of three transformers versions, and damaged ones. */
#include "support/folder.h"

#include <math.h>

#include "base/file.h"
#include "base/memory.h"
#include "model/config.h"

static void put(const char *name, const json_t *value) {
    sv_error err;
    ASSERT_OK(sv_json_save(in_folder(name), value, &err), err);
}

static void drop(const char *name) { unlink(in_folder(name)); }

static void assert_list(const json_t *expected, const int *found, size_t n) {
    assert_int_equal(json_array_size(expected), n);
    for (size_t i = 0; i < n; i++) assert_int_equal(json_integer_value(json_array_get(expected, i)), found[i]);
}

static void assert_config(const json_t *expected, const sv_model_config *c) {
    const sv_vision_config *v = &c->vision;
    const struct {
        const char *key;
        int found;
    } text[] = {{"hidden_size", c->text.hidden},  {"layers", c->text.n_layers},  {"heads", c->text.n_heads},
                {"kv_heads", c->text.n_kv_heads}, {"intermediate", c->text.ffn}, {"vocab", c->text.vocab}},
      vision[] = {{"depth", v->depth},      {"hidden", v->hidden},           {"heads", v->n_heads},
                  {"intermediate", v->ffn}, {"out", v->out_hidden},          {"window", v->window},
                  {"patch", v->patch},      {"temporal", v->temporal_patch}, {"merge", v->merge}},
      ids[] = {{"image_token_id", c->image_token},
               {"vision_start_token_id", c->vision_start_token},
               {"vision_end_token_id", c->vision_end_token}};
    const json_t *of_vision = json_object_get(expected, "vision"), *of_ids = json_object_get(expected, "ids");
    for (size_t i = 0; i < SV_COUNT(text); i++) assert_int_equal(sv_json_int(expected, text[i].key, -1), text[i].found);
    for (size_t i = 0; i < SV_COUNT(vision); i++)
        assert_int_equal(sv_json_int(of_vision, vision[i].key, -1), vision[i].found);
    for (size_t i = 0; i < SV_COUNT(ids); i++) assert_int_equal(sv_json_int(of_ids, ids[i].key, -1), ids[i].found);
    assert_list(json_object_get(expected, "mrope_section"), c->text.mrope_section, 3);
    assert_list(json_object_get(of_vision, "fullatt"), v->full_blocks, (size_t)v->n_full_blocks);
    assert_int_equal(sv_json_bool(expected, "tie", false), c->text.tied_embeddings);
    assert_true(fabs(sv_json_real(expected, "rope_theta", 0) - c->text.rope_theta) < 1e-6);
    assert_true(fabs(sv_json_real(expected, "rms_norm_eps", 0) - (double)c->text.rms_eps) < 1e-12);
}

static void dialects(void **state) {
    (void)state;
    const char *path = shared_path("golden/qwen25vl-tiny/config-variants/expected.json");
    SKIP_WITHOUT(path);
    static const char *const versions[] = {"as-given", "4.49.0", "4.57.6", "5.23.0"};
    json_t *all, *expected, *config;
    const char *model;
    int n = 0;
    sv_error err;
    ASSERT_OK(sv_json_load(path, &all, &err), err);
    json_object_foreach(all, model, expected) {
        for (size_t i = 0; i < SV_COUNT(versions); i++, n++) {
            char name[128];
            sv_model_config c;
            snprintf(name, sizeof name, "golden/qwen25vl-tiny/config-variants/%s.%s.json", model, versions[i]);
            ASSERT_OK(sv_json_load(shared_path(name), &config, &err), err);
            put("config.json", config);
            ASSERT_OK(sv_model_config_load(folder, &c, &err), err);
            assert_config(expected, &c);
            json_decref(config);
        }
    }
    print_message("%d configurations read as expected\n", n);
    assert_int_equal(n, 16);
    json_decref(all);
}

/* The embedded model's configuration, which is always there. */
static json_t *nano(void) {
    json_t *config;
    sv_error err;
    ASSERT_OK(sv_json_load(SV_SOURCE_DIR "/models/nano/config.json", &config, &err), err);
    return config;
}

static void processors_and_ends(void **state) {
    (void)state;
    sv_model_config c;
    sv_error err;
    json_t *config = nano();
    put("config.json", config);
    ASSERT_OK(sv_model_config_load(folder, &c, &err), err);
    assert_int_equal(c.n_eos, 1); /* of config.json */
    assert_int_equal(c.eos[0], 649);
    assert_int_equal(c.min_pixels, 3136);
    assert_true(!c.do_sample && c.temperature == 1 && c.top_p == 1 && c.top_k == 0 && c.repetition_penalty == 1);
    json_t *processor =
        json_pack("{s:{s:{s:i,s:i}}}", "image_processor", "size", "shortest_edge", 100, "longest_edge", 5000);
    put("processor_config.json", processor); /* transformers 5 */
    json_t *generation = json_pack("{s:[i,i],s:f,s:b,s:f,s:f,s:i}", "eos_token_id", 1, 2, "repetition_penalty", 1.05,
                                   "do_sample", 1, "temperature", 1e-6, "top_p", 0.001, "top_k", 1);
    put("generation_config.json", generation);
    ASSERT_OK(sv_model_config_load(folder, &c, &err), err);
    assert_int_equal(c.min_pixels, 100);
    assert_int_equal(c.max_pixels, 5000);
    assert_int_equal(c.n_eos, 2);
    assert_true(fabsf(c.repetition_penalty - 1.05f) < 1e-6f);
    assert_true(c.do_sample && fabsf(c.temperature - 1e-6f) < 1e-9f && fabsf(c.top_p - 0.001f) < 1e-6f);
    assert_int_equal(c.top_k, 1);
    json_t *older = json_pack("{s:i,s:i}", "min_pixels", 7, "max_pixels", 70000);
    put("preprocessor_config.json", older); /* wins */
    ASSERT_OK(sv_model_config_load(folder, &c, &err), err);
    assert_int_equal(c.min_pixels, 7);
    static const struct {
        const char *file, *json, *expected;
    } bad[] = {{"preprocessor_config.json", "{\"patch_size\": 14}", "patch_size"},
               {"preprocessor_config.json", "{\"min_pixels\": 9, \"max_pixels\": 3}", "min_pixels"},
               {"preprocessor_config.json", "{\"image_std\": [0, 1, 1]}", "image_std"},
               {"preprocessor_config.json", "[]", "object"},
               {"generation_config.json", "{\"eos_token_id\": 99999}", "eos_token_id"},
               {"generation_config.json", "{\"eos_token_id\": [1,2,3,4,5,6,7,8,9]}", "at most"},
               {"generation_config.json", "{\"repetition_penalty\": 0}", "repetition_penalty"},
               {"generation_config.json", "{\"temperature\": -1}", "temperature"},
               {"generation_config.json", "{\"top_p\": 1.5}", "top_p"},
               {"generation_config.json", "{\"top_k\": -2}", "top_k"}};
    for (size_t i = 0; i < SV_COUNT(bad); i++) {
        json_t *value;
        ASSERT_OK(sv_json_parse(bad[i].json, strlen(bad[i].json), "case", &value, &err), err);
        put(bad[i].file, value);
        assert_int_equal(sv_model_config_load(folder, &c, &err), SV_ERR_INPUT);
        if (!strstr(err.message, bad[i].expected)) fail_msg("case %zu: %s", i, err.message);
        json_decref(value);
        put("preprocessor_config.json", older);
        put("generation_config.json", generation);
    }
    drop("preprocessor_config.json");
    drop("processor_config.json");
    drop("generation_config.json");
    json_decref(older);
    json_decref(processor);
    json_decref(generation);
    json_decref(config);
}

/* One version's rope stands inside, another's wrong default at the top, each under its own key. */
static void nested_rope_wins_in_any_spelling(void **state) {
    (void)state;
    json_t *config = nano(), *text = json_object_get(config, "text_config");
    json_t *wrong =
        json_pack("{s:s,s:f,s:[i,i,i]}", "rope_type", "default", "rope_theta", 77.0, "mrope_section", 10, 11, 11);
    sv_model_config c;
    sv_error err;
    json_object_set(text, "rope_scaling", json_object_get(text, "rope_parameters"));
    json_object_del(text, "rope_parameters");
    json_object_set_new(config, "rope_parameters", wrong);
    put("config.json", config);
    ASSERT_OK(sv_model_config_load(folder, &c, &err), err);
    assert_true(fabs(c.text.rope_theta - 10000) < 1e-6);
    assert_int_equal(c.text.mrope_section[0], 8);
    json_decref(config);
}

static void a_mean_may_be_zero(void **state) {
    (void)state;
    json_t *config = nano(),
           *processor = json_pack("{s:[i,i,i],s:[i,i,i]}", "image_mean", 0, 0, 0, "image_std", 1, 1, 1);
    sv_model_config c;
    sv_error err;
    put("config.json", config);
    put("preprocessor_config.json", processor);
    ASSERT_OK(sv_model_config_load(folder, &c, &err), err);
    assert_true(fabsf(c.image_mean[2]) < 1e-9f && fabsf(c.image_std[2] - 1) < 1e-9f);
    drop("preprocessor_config.json");
    json_decref(processor);
    json_decref(config);
}

static void damaged_configurations_are_refused(void **state) {
    (void)state;
    /* "top", "text" or "vision", then the key; JSON null takes the key away */
    static const struct {
        const char *part, *key, *json, *expected;
    } cases[] = {{"top", "model_type", "\"llama\"", "model_type"},
                 {"top", "vision_config", "null", "vision_config"},
                 {"top", "image_token_id", "704", "image_token_id"},
                 {"top", "image_token_id", "null", "image_token_id"},
                 {"text", "hidden_size", "null", "hidden_size"},
                 {"text", "hidden_size", "-1", "hidden_size"},
                 {"text", "hidden_size", "\"192\"", "hidden_size"},
                 {"text", "hidden_size", "193", "num_attention_heads"},
                 {"text", "num_hidden_layers", "1e9", "num_hidden_layers"},
                 {"text", "num_hidden_layers", "100000000000", "num_hidden_layers"},
                 {"text", "num_key_value_heads", "2", "num_key_value_heads"},
                 {"text", "vocab_size", "0", "vocab_size"},
                 {"text", "hidden_act", "\"gelu\"", "gelu"},
                 {"text", "use_sliding_window", "true", "sliding"},
                 {"text", "rms_norm_eps", "0", "rms_norm_eps"},
                 {"text", "rope_parameters",
                  "{\"rope_type\": \"yarn\", \"rope_theta\": 1e4, \"mrope_section\": [8,12,12]}", "yarn"},
                 {"text", "rope_parameters", "{\"rope_theta\": 1e4, \"mrope_section\": [8,12,13]}", "mrope_section"},
                 {"text", "rope_parameters", "{\"rope_theta\": 1e4, \"mrope_section\": [8,12]}", "mrope_section"},
                 {"text", "rope_parameters", "{\"rope_theta\": -1, \"mrope_section\": [8,12,12]}", "rope_theta"},
                 {"vision", "num_heads", "5", "num_heads"},
                 {"vision", "out_hidden_size", "128", "out_hidden_size"},
                 {"vision", "window_size", "100", "window_size"},
                 {"vision", "in_channels", "4", "in_channels"},
                 {"vision", "temporal_patch_size", "1", "temporal_patch_size"},
                 {"vision", "fullatt_block_indexes", "[3]", "fullatt"},
                 {"vision", "fullatt_block_indexes", "7", "fullatt"},
                 {"vision", "patch_size", "2000", "window_size"}};
    for (size_t i = 0; i < SV_COUNT(cases); i++) {
        json_t *config = nano(), *value, *part = config;
        sv_model_config c;
        sv_error err;
        if (strcmp(cases[i].part, "text") == 0) part = json_object_get(config, "text_config");
        if (strcmp(cases[i].part, "vision") == 0) part = json_object_get(config, "vision_config");
        ASSERT_OK(sv_json_parse(cases[i].json, strlen(cases[i].json), "case", &value, &err), err);
        json_object_set_new(part, cases[i].key, value);
        put("config.json", config);
        assert_int_not_equal(sv_model_config_load(folder, &c, &err), SV_OK);
        if (!strstr(err.message, cases[i].expected)) fail_msg("case %zu, %s: %s", i, cases[i].key, err.message);
        json_decref(config);
    }
    drop("config.json");
    sv_model_config c;
    sv_error err;
    assert_int_equal(sv_model_config_load(folder, &c, &err), SV_ERR_INPUT);
    assert_non_null(strstr(err.message, "config.json"));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(dialects), cmocka_unit_test(processors_and_ends),
                                       cmocka_unit_test(nested_rope_wins_in_any_spelling),
                                       cmocka_unit_test(a_mean_may_be_zero),
                                       cmocka_unit_test(damaged_configurations_are_refused)};
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
