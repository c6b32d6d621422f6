/* test_adapter_files.c - adapters as PEFT writes them, the scales that it would use, and every way to be wrong. */
#include "support/folder.h"

#include <math.h>

#include "base/file.h"
#include "base/memory.h"
#include "model/adapter.h"
#include "model/tensor_writer.h"

#define ROOT "base_model.model."
#define PLAIN "{\"peft_type\":\"LORA\",\"r\":2,\"lora_alpha\":8}"
#define WITH(more) "{\"peft_type\":\"LORA\",\"r\":2,\"lora_alpha\":8," more "}"
enum { MAX_TENSORS = 4, MAX_ELEMENTS = 4096 };

static void put_config(const char *text) {
    sv_error err;
    ASSERT_OK(sv_file_write(in_folder("adapter_config.json"), text, strlen(text), &err), err);
}

/* Tensors of `plans` up to the first without a name; all bytes 0 but for one element of one tensor, given as bits. */
static void put_tensors(const sv_tensor_plan *plans, int marked, size_t element, uint32_t bits) {
    static unsigned char zeros[MAX_ELEMENTS * 4];
    sv_error err;
    sv_tensor_writer *w;
    size_t n = 0;
    while (n < MAX_TENSORS && plans[n].name) n++;
    ASSERT_OK(sv_tensor_writer_open(folder, "adapter_model", plans, n, 0, &w, &err), err);
    for (size_t i = 0; i < n; i++) {
        size_t size = sv_dtype_size(plans[i].dtype), bytes = size;
        for (int k = 0; k < plans[i].n_dims; k++) bytes *= (size_t)plans[i].shape[k];
        assert_true(bytes <= sizeof zeros);
        memset(zeros, 0, bytes);
        if ((int)i == marked) memcpy(zeros + element * size, &bits, size);
        ASSERT_OK(sv_tensor_writer_put(w, zeros, bytes, &err), err);
    }
    ASSERT_OK(sv_tensor_writer_finish(w, &err), err);
    sv_tensor_writer_close(w);
}

static const sv_tensor_plan pair[MAX_TENSORS] = {
    {ROOT "model.language_model.layers.3.mlp.up_proj.lora_A.weight", SV_F32, 2, {2, 6}},
    {ROOT "model.language_model.layers.3.mlp.up_proj.lora_B.weight", SV_F32, 2, {5, 2}}};

static void both_namings_and_all_types_are_read(void **state) {
    (void)state;
    static const struct {
        const char *a, *b, *module;
        sv_dtype dtype;
        int n_dims;
        int64_t a_shape[5], b_shape[5];
        size_t n_in;
    } cases[] = {
        {ROOT "model.layers.0.self_attn.q_proj.lora_A.weight",
         ROOT "model.layers.0.self_attn.q_proj.lora_B.weight",
         "model.layers.0.self_attn.q_proj",
         SV_F16,
         2,
         {2, 7},
         {3, 2},
         7},
        {ROOT "model.language_model.layers.35.mlp.down_proj.lora_A.weight",
         ROOT "model.language_model.layers.35.mlp.down_proj.lora_B.weight",
         "model.layers.35.mlp.down_proj",
         SV_BF16,
         2,
         {2, 9},
         {3, 2},
         9},
        {ROOT "model.visual.blocks.1.mlp.gate_proj.lora_A.weight",
         ROOT "model.visual.blocks.1.mlp.gate_proj.lora_B.weight",
         "visual.blocks.1.mlp.gate_proj",
         SV_F32,
         2,
         {2, 5},
         {3, 2},
         5},
        {ROOT "visual.blocks.1.attn.qkv.lora_A.weight",
         ROOT "visual.blocks.1.attn.qkv.lora_B.weight",
         "visual.blocks.1.attn.qkv",
         SV_F32,
         2,
         {2, 5},
         {3, 2},
         5},
        {ROOT "model.visual.patch_embed.proj.lora_A.weight",
         ROOT "model.visual.patch_embed.proj.lora_B.weight",
         "visual.patch_embed.proj",
         SV_F32,
         5,
         {2, 3, 2, 4, 4},
         {3, 2, 1, 1, 1},
         96},
    };
    put_config(PLAIN);
    for (size_t i = 0; i < SV_COUNT(cases); i++) {
        sv_tensor_plan plans[MAX_TENSORS] = {{cases[i].a, cases[i].dtype, cases[i].n_dims, {0}},
                                             {cases[i].b, cases[i].dtype, cases[i].n_dims, {0}}};
        memcpy(plans[0].shape, cases[i].a_shape, sizeof cases[i].a_shape);
        memcpy(plans[1].shape, cases[i].b_shape, sizeof cases[i].b_shape);
        put_tensors(plans, -1, 0, 0);
        sv_error err;
        sv_adapter *adapter;
        ASSERT_OK(sv_adapter_open(folder, &adapter, &err), err);
        assert_int_equal(sv_adapter_count(adapter), 1);
        const sv_low_rank *p = sv_adapter_find(adapter, cases[i].module);
        assert_non_null(p);
        assert_ptr_equal(p, sv_adapter_at(adapter, 0));
        assert_null(sv_adapter_find(adapter, cases[i].a));
        assert_true(p->rank == 2 && p->n_in == cases[i].n_in && p->n_out == 3 && p->scale == 4);
        sv_adapter_close(adapter);
    }
}

/* Expected values by PEFT 0.21.2's rule: the first entry whose name is the module's or follows a dot in it, under the
 * name that the module has in the file. */
static void scales_are_those_of_peft(void **state) {
    (void)state;
    static const struct {
        const char *config;
        double scale;
    } cases[] = {
        {PLAIN, 4},
        {"{\"peft_type\":\"LORA\",\"r\":2,\"lora_alpha\":2.5}", 1.25},
        {WITH("\"use_rslora\":true"), 5.656854249492381},
        {WITH("\"alpha_pattern\":{\"up_proj\":6}"), 3},
        {WITH("\"alpha_pattern\":{\"p_proj\":6}"), 4},
        {WITH("\"alpha_pattern\":{\"mlp.up_proj\":6,\"up_proj\":2}"), 3},
        {WITH("\"alpha_pattern\":{\"up_proj\":2,\"mlp.up_proj\":6}"), 1},
        {WITH("\"alpha_pattern\":{\"layers.4.mlp.up_proj\":6}"), 4},
        {WITH("\"alpha_pattern\":{\"language_model.layers.3.mlp.up_proj\":6}"), 3},
        {WITH("\"alpha_pattern\":{\"model.language_model.layers.3.mlp.up_proj\":6}"), 3},
        {WITH("\"alpha_pattern\":{\"^model.language_model.layers.3.mlp.up_proj\":6}"), 3},
        {WITH("\"alpha_pattern\":{\"^layers.3.mlp.up_proj\":6}"), 4},
        {"{\"peft_type\":\"LORA\",\"r\":16,\"lora_alpha\":8,\"rank_pattern\":{\"up_proj\":2}}", 4},
        {"{\"peft_type\":\"LORA\",\"r\":16,\"lora_alpha\":8,\"rank_pattern\":{\"mlp.up_proj\":2,\"up_proj\":4},"
         "\"alpha_pattern\":{\"up_proj\":1}}",
         0.5},
        {WITH("\"init_lora_weights\":\"gaussian\",\"bias\":\"none\",\"modules_to_save\":[],\"use_dora\":false"), 4},
        {WITH("\"init_lora_weights\":false,\"layer_replication\":null,\"a_key_of_tomorrow\":[1]"), 4},
    };
    put_tensors(pair, -1, 0, 0);
    for (size_t i = 0; i < SV_COUNT(cases); i++) {
        sv_error err;
        sv_adapter *adapter;
        put_config(cases[i].config);
        ASSERT_OK(sv_adapter_open(folder, &adapter, &err), err);
        double scale = (double)sv_adapter_at(adapter, 0)->scale;
        if (fabs(scale - cases[i].scale) > 1e-6) fail_msg("%s: scale %g", cases[i].config, scale);
        sv_adapter_close(adapter);
    }
}

static void expect_refusal(sv_status status, const char *text, const char *what) {
    sv_error err;
    sv_adapter *adapter;
    sv_status s = sv_adapter_open(folder, &adapter, &err);
    if (!s) fail_msg("accepted: %s", what);
    assert_null(adapter);
    if (s != status || !strstr(err.message, text)) fail_msg("%s: status %d, %s", what, (int)s, err.message);
}

static void configurations_are_refused_by_name(void **state) {
    (void)state;
    static const struct {
        const char *config, *text;
        sv_status status;
    } cases[] = {
        {"{", "adapter_config.json", SV_ERR_INPUT},
        {"[]", "peft_type", SV_ERR_UNSUPPORTED},
        {"{\"peft_type\":\"IA3\"}", "IA3", SV_ERR_UNSUPPORTED},
        {WITH("\"use_dora\":true"), "use_dora", SV_ERR_UNSUPPORTED},
        {WITH("\"use_qalora\":true"), "use_qalora", SV_ERR_UNSUPPORTED},
        {WITH("\"bias\":\"lora_only\""), "bias", SV_ERR_UNSUPPORTED},
        {WITH("\"lora_bias\":true"), "lora_bias", SV_ERR_UNSUPPORTED},
        {WITH("\"fan_in_fan_out\":true"), "fan_in_fan_out", SV_ERR_UNSUPPORTED},
        {WITH("\"modules_to_save\":[\"lm_head\"]"), "modules_to_save", SV_ERR_UNSUPPORTED},
        {WITH("\"layer_replication\":[[0,2]]"), "layer_replication", SV_ERR_UNSUPPORTED},
        {WITH("\"trainable_token_indices\":[5]"), "trainable_token_indices", SV_ERR_UNSUPPORTED},
        {WITH("\"target_parameters\":[\"w\"]"), "target_parameters", SV_ERR_UNSUPPORTED},
        {WITH("\"alora_invocation_tokens\":[1]"), "alora_invocation_tokens", SV_ERR_UNSUPPORTED},
        {WITH("\"arrow_config\":{\"top_k\":3}"), "arrow_config", SV_ERR_UNSUPPORTED},
        {WITH("\"init_lora_weights\":\"pissa_niter_4\""), "pissa_niter_4", SV_ERR_UNSUPPORTED},
        {WITH("\"init_lora_weights\":\"olora\""), "olora", SV_ERR_UNSUPPORTED},
        {WITH("\"init_lora_weights\":{}"), "init_lora_weights", SV_ERR_UNSUPPORTED},
        {WITH("\"rank_pattern\":{\".*up_proj\":2}"), ".*up_proj", SV_ERR_UNSUPPORTED},
        {WITH("\"alpha_pattern\":{\"(up|down)_proj\":2}"), "alpha_pattern", SV_ERR_UNSUPPORTED},
        {WITH("\"alpha_pattern\":{\"up_proj\":\"2\"}"), "alpha_pattern", SV_ERR_INPUT},
        {WITH("\"rank_pattern\":{\"up_proj\":4}"), "rank 2", SV_ERR_INPUT},
        {"{\"peft_type\":\"LORA\",\"lora_alpha\":8}", "number as r", SV_ERR_INPUT},
        {"{\"peft_type\":\"LORA\",\"r\":2}", "number as lora_alpha", SV_ERR_INPUT},
        {"{\"peft_type\":\"LORA\",\"r\":0,\"lora_alpha\":8}", "rank 2", SV_ERR_INPUT},
        {"{\"peft_type\":\"LORA\",\"r\":2,\"lora_alpha\":1e300}", "lora_alpha", SV_ERR_INPUT},
    };
    put_tensors(pair, -1, 0, 0);
    for (size_t i = 0; i < SV_COUNT(cases); i++) {
        put_config(cases[i].config);
        expect_refusal(cases[i].status, cases[i].text, cases[i].config);
    }
}

static void tensors_are_refused_by_name(void **state) {
    (void)state;
#define X ROOT "model.layers.0.mlp.up_proj"
#define NEWER ROOT "model.language_model.layers.0.mlp.up_proj"
    static const struct {
        const char *text;
        sv_status status;
        sv_tensor_plan plans[MAX_TENSORS];
    } cases[] = {
        {"half lora_A", SV_ERR_INPUT, {{X ".lora_A.weight", SV_F32, 2, {2, 6}}}},
        {"half lora_B", SV_ERR_INPUT, {{X ".lora_B.weight", SV_F32, 2, {6, 2}}}},
        {"do not fit",
         SV_ERR_INPUT,
         {{X ".lora_A.weight", SV_F32, 2, {2, 6}}, {X ".lora_B.weight", SV_F32, 2, {6, 3}}}},
        {"do not fit",
         SV_ERR_INPUT,
         {{X ".lora_A.weight", SV_F32, 2, {2, 6}}, {X ".lora_B.weight", SV_F32, 5, {6, 2, 1, 1, 1}}}},
        {"do not fit",
         SV_ERR_INPUT,
         {{X ".lora_A.weight", SV_F32, 5, {2, 3, 2, 2, 2}}, {X ".lora_B.weight", SV_F32, 5, {6, 2, 1, 1, 2}}}},
        {"do not fit",
         SV_ERR_INPUT,
         {{X ".lora_A.weight", SV_F32, 2, {2, 0}}, {X ".lora_B.weight", SV_F32, 2, {6, 2}}}},
        {"do not fit",
         SV_ERR_INPUT,
         {{X ".lora_A.weight", SV_F32, 2, {0, 6}}, {X ".lora_B.weight", SV_F32, 2, {6, 0}}}},
        {"3 dimensions",
         SV_ERR_INPUT,
         {{X ".lora_A.weight", SV_F32, 3, {2, 6, 1}}, {X ".lora_B.weight", SV_F32, 3, {6, 2, 1}}}},
        {"I32", SV_ERR_UNSUPPORTED, {{X ".lora_A.weight", SV_I32, 2, {2, 6}}, {X ".lora_B.weight", SV_F32, 2, {6, 2}}}},
        {"lora_magnitude_vector", SV_ERR_UNSUPPORTED, {{X ".lora_magnitude_vector", SV_F32, 1, {6}}}},
        {"lora_embedding_A", SV_ERR_UNSUPPORTED, {{ROOT "model.embed_tokens.lora_embedding_A", SV_F32, 2, {2, 6}}}},
        {"model.layers.0", SV_ERR_UNSUPPORTED, {{"model.layers.0.mlp.up_proj.lora_A.weight", SV_F32, 2, {2, 6}}}},
        {"expected names like", SV_ERR_UNSUPPORTED, {{"base_model.model..lora_A.weigh", SV_F32, 2, {2, 6}}}},
        {"expected names like", SV_ERR_UNSUPPORTED, {{".lora_A.weight", SV_F32, 2, {2, 6}}}},
        {"gives already",
         SV_ERR_INPUT,
         {{X ".lora_A.weight", SV_F32, 2, {2, 6}},
          {X ".lora_B.weight", SV_F32, 2, {6, 2}},
          {NEWER ".lora_A.weight", SV_F32, 2, {2, 6}},
          {NEWER ".lora_B.weight", SV_F32, 2, {6, 2}}}},
    };
    put_config(PLAIN);
    for (size_t i = 0; i < SV_COUNT(cases); i++) {
        put_tensors(cases[i].plans, -1, 0, 0);
        expect_refusal(cases[i].status, cases[i].text, cases[i].plans[0].name);
    }
#undef X
#undef NEWER
}

static void not_a_number_is_named(void **state) {
    (void)state;
    static const struct {
        sv_dtype dtype;
        uint32_t bits;
    } cases[] = {{SV_F32, 0x7fc00000}, {SV_F32, 0xff800000}, {SV_F16, 0x7e00}, {SV_F16, 0x7c00}, {SV_BF16, 0xffc0}};
    put_config(PLAIN);
    for (size_t i = 0; i < SV_COUNT(cases); i++) {
        sv_tensor_plan plans[MAX_TENSORS];
        memcpy(plans, pair, sizeof plans);
        plans[0].dtype = plans[1].dtype = cases[i].dtype;
        put_tensors(plans, 1, 7, cases[i].bits);
        expect_refusal(SV_ERR_INPUT, "up_proj.lora_B.weight' holds NaN or infinity at element 7", "NaN");
    }
}

static void missing_files_are_named(void **state) {
    (void)state;
    put_config(PLAIN);
    put_tensors(pair, -1, 0, 0);
    assert_int_equal(unlink(in_folder("adapter_model.safetensors")), 0);
    expect_refusal(SV_ERR_INPUT, "adapter_model.safetensors", "no tensors");
    put_tensors(pair, -1, 0, 0);
    assert_int_equal(truncate(in_folder("adapter_model.safetensors"), 300), 0);
    expect_refusal(SV_ERR_INPUT, "adapter_model.safetensors", "cut");
    put_tensors(pair, -1, 0, 0);
    assert_int_equal(unlink(in_folder("adapter_config.json")), 0);
    expect_refusal(SV_ERR_INPUT, "adapter_config.json", "no configuration");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(both_namings_and_all_types_are_read),
                                       cmocka_unit_test(scales_are_those_of_peft),
                                       cmocka_unit_test(configurations_are_refused_by_name),
                                       cmocka_unit_test(tensors_are_refused_by_name),
                                       cmocka_unit_test(not_a_number_is_named),
                                       cmocka_unit_test(missing_files_are_named)};
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
