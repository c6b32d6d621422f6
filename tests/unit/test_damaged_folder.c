/* test_damaged_folder.c - model folders with one thing wrong: refused, and the message names the file or the tensor and
 * what is wrong with it. Each case starts from a whole folder with small random weights. */
#include "support/folder.h"

#include <dirent.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "model/model.h"
#include "model/random_model.h"

enum kind { WHOLE, SHARDED, PACKED, N_KINDS };
static const char *const kinds[] = {"whole", "sharded", "packed"};

static const char *path_of(const char *part, const char *name) {
    static char ring[4][256];
    static int next;
    char *path = ring[next++ & 3];
    snprintf(path, sizeof ring[0], "%s/%s/%s", folder, part, name);
    return path;
}

static int set_up(void **state) {
    if (make_folder(state)) return 1;
    for (int k = 0; k < N_KINDS; k++) {
        sv_random_model_options options = {.shape = sv_model_shape_find("tiny"),
                                           .dtype = k == PACKED ? SV_I32 : SV_BF16,
                                           .seed = 1,
                                           .max_shard_bytes = k == SHARDED ? 600000 : 0,
                                           .n_threads = 1};
        sv_error err;
        if (mkdir(path_of(kinds[k], ""), 0777) || sv_random_model_write(path_of(kinds[k], ""), &options, &err))
            return 1;
    }
    return mkdir(path_of("bad", ""), 0777);
}

/* Makes "bad" a copy of a whole folder. */
static void start_from(enum kind kind) {
    char command[512];
    snprintf(command, sizeof command, "rm -r %s/bad && cp -r %s/%s %s/bad", folder, folder, kinds[kind], folder);
    assert_int_equal(system(command), 0);
}

static void put_text(const char *name, const char *text, size_t len) {
    sv_error err;
    ASSERT_OK(sv_file_write(path_of("bad", name), text, len, &err), err);
}

static void check(const char *what, sv_status expected, const char *first, const char *second) {
    sv_error err = {0};
    sv_model *model = NULL;
    sv_status s = sv_model_load(path_of("bad", ""), NULL, &model, &err);
    sv_model_free(model);
    if (s != expected) fail_msg("%s: status %d, expected %d: %s", what, s, expected, err.message);
    if (strstr(err.message, first) && strstr(err.message, second)) return;
    fail_msg("%s: '%s' does not say '%s' and '%s'", what, err.message, first, second);
}

static void whole_folders_are_accepted(void **state) {
    (void)state;
    for (int k = 0; k < N_KINDS; k++) {
        sv_error err;
        sv_model *model;
        start_from((enum kind)k);
        ASSERT_OK(sv_model_load(path_of("bad", ""), NULL, &model, &err), err);
        sv_model_free(model);
    }
}

static void missing_files_are_named(void **state) {
    (void)state;
    static const struct {
        enum kind kind;
        const char *file, *first, *second;
    } cases[] = {{WHOLE, "config.json", "config.json", "cannot open"},
                 {WHOLE, "tokenizer.json", "bad", "tokenizer.json, or vocab.json and merges.txt"},
                 {WHOLE, "model.safetensors", "bad", "model.safetensors or model.safetensors.index.json"},
                 {SHARDED, "model.safetensors.index.json", "bad", "model.safetensors.index.json"},
                 {SHARDED, "model-00002-of-00003.safetensors", "model-00002-of-00003.safetensors", "cannot open"}};
    for (size_t i = 0; i < SV_COUNT(cases); i++) {
        start_from(cases[i].kind);
        assert_int_equal(unlink(path_of("bad", cases[i].file)), 0);
        check(cases[i].file, SV_ERR_INPUT, cases[i].first, cases[i].second);
    }
}

/* Sets (or, for null, removes) a member of a JSON file; keys are joined by '/'. */
static void edit(const char *file, const char *keys, const char *json) {
    sv_error err;
    json_t *top, *value, *at;
    char key[128];
    ASSERT_OK(sv_json_load(path_of("bad", file), &top, &err), err);
    ASSERT_OK(sv_json_parse(json, strlen(json), keys, &value, &err), err);
    at = top;
    for (;; keys += strlen(key) + 1) {
        snprintf(key, sizeof key, "%.*s", (int)strcspn(keys, "/"), keys);
        if (!strchr(keys, '/')) break;
        at = json_is_array(at) ? json_array_get(at, (size_t)atoi(key)) : json_object_get(at, key);
        assert_non_null(at);
    }
    if (json_is_null(value)) {
        json_object_del(at, key);
        json_decref(value);
    } else if (json_is_array(at)) {
        json_array_set_new(at, (size_t)atoi(key), value);
    } else {
        json_object_set_new(at, key, value);
    }
    ASSERT_OK(sv_json_save(path_of("bad", file), top, &err), err);
    json_decref(top);
}

typedef struct edit_case {
    const char *file, *keys, *json;
    sv_status status;
    const char *first, *second;
} edit_case;

static void run_edits(enum kind kind, const edit_case *cases, size_t n) {
    for (size_t i = 0; i < n; i++) {
        char what[256];
        start_from(kind);
        edit(cases[i].file, cases[i].keys, cases[i].json);
        snprintf(what, sizeof what, "%s %s %s", cases[i].file, cases[i].keys, cases[i].json);
        check(what, cases[i].status, cases[i].first, cases[i].second);
    }
}

static void configurations_that_do_not_fit_are_named(void **state) {
    (void)state;
    static const edit_case cases[] = {
        {"config.json", "model_type", "\"qwen2_vl\"", SV_ERR_UNSUPPORTED, "config.json", "qwen2_vl"},
        {"config.json", "hidden_size", "null", SV_ERR_INPUT, "config.json: hidden_size", "found nothing"},
        {"config.json", "num_hidden_layers", "null", SV_ERR_INPUT, "config.json: num_hidden_layers", "nothing"},
        {"config.json", "intermediate_size", "null", SV_ERR_INPUT, "config.json: intermediate_size", "nothing"},
        {"config.json", "vocab_size", "null", SV_ERR_INPUT, "config.json: vocab_size", "nothing"},
        {"config.json", "rope_theta", "null", SV_ERR_INPUT, "config.json", "rope_theta"},
        {"config.json", "rope_scaling", "null", SV_ERR_INPUT, "config.json", "mrope_section"},
        {"config.json", "vision_config", "null", SV_ERR_INPUT, "config.json", "vision_config"},
        {"config.json", "image_token_id", "null", SV_ERR_INPUT, "config.json", "image_token_id"},
        {"config.json", "num_hidden_layers", "3", SV_ERR_INPUT, "model.layers.2.", "missing"},
        {"config.json", "num_hidden_layers", "10000000", SV_ERR_INPUT, "10000000 layers", "missing"},
        {"config.json", "vision_config/depth", "10000000", SV_ERR_INPUT, "10000000 of vision", "missing"},
        {"config.json", "intermediate_size", "9999992", SV_ERR_INPUT, "mlp.", "config.json asks for"},
        {"config.json", "vocab_size", "10000000", SV_ERR_INPUT, "embed_tokens", "[10000000, 128]"},
        {"config.json", "num_hidden_layers", "4294967298", SV_ERR_INPUT, "config.json", "num_hidden_layers"},
        {"config.json", "hidden_size", "128.5", SV_ERR_INPUT, "config.json", "hidden_size"},
        {"config.json", "hidden_size", "\"128\"", SV_ERR_INPUT, "config.json", "hidden_size"},
        {"config.json", "num_attention_heads", "0", SV_ERR_INPUT, "config.json", "num_attention_heads"},
        {"config.json", "head_dim", "10000000", SV_ERR_INPUT, "config.json", "head_dim"},
        {"config.json", "tie_word_embeddings", "false", SV_ERR_INPUT, "lm_head.weight", "missing"},
        {"generation_config.json", "eos_token_id", "[576]", SV_ERR_INPUT, "generation_config.json", "eos_token_id"},
        {"generation_config.json", "repetition_penalty", "-1", SV_ERR_INPUT, "generation_config.json", "repetition"},
        {"preprocessor_config.json", "min_pixels", "0", SV_ERR_INPUT, "preprocessor_config.json", "min_pixels"},
        {"preprocessor_config.json", "patch_size", "28", SV_ERR_INPUT, "preprocessor_config.json", "patch_size"},
        {"preprocessor_config.json", "image_std", "[0, 1, 1]", SV_ERR_INPUT, "preprocessor_config.json", "image_std"},
    };
    run_edits(WHOLE, cases, SV_COUNT(cases));
}

static void foreign_tokenizers_are_named(void **state) {
    (void)state;
    static const edit_case cases[] = {
        {"tokenizer.json", "added_tokens/21/id", "576", SV_ERR_INPUT, "577 ids", "vocab_size 576"},
        {"tokenizer.json", "added_tokens/2/content", "\"<|end|>\"", SV_ERR_INPUT, "<|im_end|>", "tokenizer"},
        {"tokenizer.json", "added_tokens/12/content", "\"<image>\"", SV_ERR_INPUT, "<|image_pad|>",
         "put the tokenizer"},
        {"config.json", "image_token_id", "503", SV_ERR_INPUT, "<|image_pad|>", "config.json 503"},
        {"config.json", "vision_start_token_id", "7", SV_ERR_INPUT, "<|vision_start|>", "id 499, config.json 7"},
        {"tokenizer.json", "added_tokens/0/id", "-5", SV_ERR_INPUT, "tokenizer.json", "-5"},
        {"tokenizer.json", "added_tokens/0/id", "3", SV_ERR_INPUT, "tokenizer.json", "id 3"},
        {"tokenizer.json", "added_tokens/0/id", "99999999", SV_ERR_INPUT, "tokenizer.json", "99999999"},
        {"tokenizer.json", "model/vocab/a", "null", SV_ERR_INPUT, "tokenizer.json", "byte 97"},
        {"tokenizer.json", "model/merges/0", "\"qq qq\"", SV_ERR_INPUT, "tokenizer.json", "merge 0"},
        {"tokenizer.json", "model/type", "\"Unigram\"", SV_ERR_UNSUPPORTED, "tokenizer.json", "Unigram"},
    };
    run_edits(WHOLE, cases, SV_COUNT(cases));
}

static void broken_json_is_named(void **state) {
    (void)state;
    static const char *const files[] = {"config.json", "generation_config.json", "preprocessor_config.json",
                                        "tokenizer.json"};
    enum { DEEP = 200000 };
    char *deep = malloc(DEEP);
    assert_non_null(deep);
    memset(deep, '[', DEEP);
    const struct {
        const char *text;
        size_t len;
        const char *says;
    } contents[] = {{"", 0, "JSON"},       {"{\"model_type\": ", 15, "JSON"}, {"{\"a\": 1} x", 10, "JSON"},
                    {deep, DEEP, "depth"}, {"\xff\xfe{}", 4, "JSON"},         {"[]", 2, ""},
                    {"3", 1, ""}};
    for (size_t f = 0; f < SV_COUNT(files); f++) {
        start_from(WHOLE);
        for (size_t i = 0; i < SV_COUNT(contents); i++) {
            put_text(files[f], contents[i].text, contents[i].len);
            check(files[f], SV_ERR_INPUT, files[f], contents[i].says);
        }
    }
    free(deep);
}

/* The header of the weights, changed and put back before the same data. */
static void edit_header(const char *tensor, const char *key, const char *json, const char *renamed) {
    sv_error err;
    char *bytes;
    size_t len;
    uint64_t header_len;
    json_t *header, *value, *entry;
    const char *path = path_of("bad", "model.safetensors");
    ASSERT_OK(sv_file_read(path, (size_t)1 << 24, &bytes, &len, &err), err);
    memcpy(&header_len, bytes, 8);
    ASSERT_OK(sv_json_parse(bytes + 8, (size_t)header_len, "header", &header, &err), err);
    entry = json_incref(json_object_get(header, tensor));
    assert_non_null(entry);
    if (key) {
        ASSERT_OK(sv_json_parse(json, strlen(json), "case", &value, &err), err);
        json_object_set_new(entry, key, value);
    }
    if (renamed) {
        json_object_del(header, tensor);
        json_object_set(header, renamed, entry);
    }
    json_decref(entry);
    char *text = json_dumps(header, JSON_COMPACT);
    json_decref(header);
    uint64_t new_len = strlen(text);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    fwrite(&new_len, 8, 1, f);
    fwrite(text, 1, (size_t)new_len, f);
    fwrite(bytes + 8 + header_len, 1, len - 8 - (size_t)header_len, f);
    assert_int_equal(fclose(f), 0);
    free(text);
    free(bytes);
}

typedef struct header_case {
    const char *tensor, *key, *json, *renamed;
    sv_status status;
    const char *first, *second;
} header_case;

static void run_headers(enum kind kind, const header_case *cases, size_t n) {
    for (size_t i = 0; i < n; i++) {
        char what[256];
        start_from(kind);
        edit_header(cases[i].tensor, cases[i].key, cases[i].json, cases[i].renamed);
        snprintf(what, sizeof what, "%s %s", cases[i].tensor, cases[i].key ? cases[i].json : cases[i].renamed);
        check(what, cases[i].status, cases[i].first, cases[i].second);
    }
}

#define UP "model.layers.1.mlp.up_proj"
#define NORM "model.norm.weight"

static void headers_that_lie_are_named(void **state) {
    (void)state;
    static const header_case cases[] = {
        {UP ".weight", NULL, NULL, "x", SV_ERR_INPUT, UP ".weight", "missing"},
        {NORM, NULL, NULL, "model.Norm.weight", SV_ERR_INPUT, NORM, "missing"},
        {UP ".weight", "shape", "[128, 256]", NULL, SV_ERR_INPUT, UP ".weight", "[256, 128]"},
        {UP ".weight", "shape", "[32768]", NULL, SV_ERR_INPUT, UP ".weight", "[32768]"},
        {NORM, "shape", "[128, 1]", NULL, SV_ERR_INPUT, NORM, "[128, 1]"},
        {NORM, "shape", "[]", NULL, SV_ERR_INPUT, NORM, "2 bytes"},
        {NORM, "shape", "[0]", NULL, SV_ERR_INPUT, NORM, "0 bytes"},
        {NORM, "shape", "[-128]", NULL, SV_ERR_INPUT, NORM, "shape"},
        {NORM, "shape", "[128, 9223372036854775807, 4]", NULL, SV_ERR_INPUT, NORM, "shape"},
        {NORM, "shape", "[1,1,1,1,1,1,1,1,128]", NULL, SV_ERR_INPUT, NORM, "shape"},
        {NORM, "shape", "128", NULL, SV_ERR_INPUT, NORM, "shape"},
        {NORM, "dtype", "\"F32\"", NULL, SV_ERR_INPUT, NORM, "512 bytes"},
        {NORM, "dtype", "\"I16\"", NULL, SV_ERR_UNSUPPORTED, NORM, "I16"},
        {UP ".weight", "dtype", "\"I16\"", NULL, SV_ERR_UNSUPPORTED, UP ".weight", "I16"},
        {NORM, "dtype", "\"F8_E4M3\"", NULL, SV_ERR_UNSUPPORTED, NORM, "F8_E4M3"},
        {NORM, "dtype", "null", NULL, SV_ERR_UNSUPPORTED, NORM, "(none)"},
        {NORM, "data_offsets", "[0, 256]", NULL, SV_ERR_INPUT, "overlap", "model.safetensors"},
        {NORM, "data_offsets", "[2000000, 2000256]", NULL, SV_ERR_INPUT, NORM, "cut short"},
        {NORM, "data_offsets", "[256, 0]", NULL, SV_ERR_INPUT, NORM, "bytes 256 to 0"},
        {NORM, "data_offsets", "[-256, 0]", NULL, SV_ERR_INPUT, NORM, "model.safetensors"},
        {NORM, "data_offsets", "[0]", NULL, SV_ERR_INPUT, NORM, "model.safetensors"},
        {NORM, "data_offsets", "[9223372036854775807, 9223372036854775807]", NULL, SV_ERR_INPUT, NORM, "cut short"},
    };
    run_headers(WHOLE, cases, SV_COUNT(cases));
}

static void an_unneeded_empty_tensor_does_no_harm(void **state) {
    (void)state;
    static const char text[] = "{\"empty\":{\"dtype\":\"F32\",\"shape\":[0,4],\"data_offsets\":[0,0]},";
    sv_error err;
    char *bytes;
    size_t len;
    uint64_t header_len, extra = sizeof text - 2; /* in the place of "{" */
    sv_model *model;
    start_from(WHOLE);
    const char *path = path_of("bad", "model.safetensors");
    ASSERT_OK(sv_file_read(path, (size_t)1 << 24, &bytes, &len, &err), err);
    memcpy(&header_len, bytes, 8);
    header_len += extra;
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    fwrite(&header_len, 8, 1, f);
    fwrite(text, 1, sizeof text - 1, f);
    fwrite(bytes + 9, 1, len - 9, f);
    assert_int_equal(fclose(f), 0);
    free(bytes);
    ASSERT_OK(sv_model_load(path_of("bad", ""), NULL, &model, &err), err);
    sv_model_free(model);
}

static void doubled_and_cut_headers_are_refused(void **state) {
    (void)state;
    sv_error err;
    char *bytes;
    size_t len;
    start_from(WHOLE);
    ASSERT_OK(sv_file_read(path_of("bad", "model.safetensors"), (size_t)1 << 24, &bytes, &len, &err), err);
    put_text("model.safetensors", bytes, len - 1);
    check("cut", SV_ERR_INPUT, "model.safetensors", "cut short");
    put_text("model.safetensors", bytes, 4096);
    check("cut in the header", SV_ERR_INPUT, "model.safetensors", "not a safetensors file");
    put_text("model.safetensors", bytes, 5);
    check("cut in the length", SV_ERR_INPUT, "model.safetensors", "too few");
    put_text("model.safetensors", bytes, 0);
    check("empty", SV_ERR_INPUT, "model.safetensors", "empty");
    char *name = strstr(bytes + 8, "\"" UP ".weight\"");
    assert_non_null(name);
    memcpy(name, "\"model.layers.0.mlp.up_proj", strlen("\"" UP)); /* now it is there twice */
    put_text("model.safetensors", bytes, len);
    check("doubled", SV_ERR_INPUT, "model.safetensors", "\"model.layers.0.mlp.up_proj.weight\" is there twice");
    free(bytes);
}

static void indices_that_lie_are_named(void **state) {
    (void)state;
#define INDEX "model.safetensors.index.json"
#define FIRST "model-00001-of-00003.safetensors"
    static const edit_case cases[] = {
        {INDEX, "weight_map", "null", SV_ERR_INPUT, INDEX, "weight_map"},
        {INDEX, "weight_map/" NORM, "\"other.safetensors\"", SV_ERR_INPUT, "other.safetensors", "cannot open"},
        {INDEX, "weight_map/" NORM, "\"../good/model.safetensors\"", SV_ERR_INPUT, "../good", "same folder"},
        {INDEX, "weight_map/" NORM, "\"/etc/passwd\"", SV_ERR_INPUT, "/etc/passwd", "same folder"},
        {INDEX, "weight_map/" NORM, "\"\"", SV_ERR_INPUT, "index", "same folder"},
        {INDEX, "weight_map/" NORM, "\"config.json\"", SV_ERR_INPUT, "config.json", "not a safetensors file"},
        {INDEX, "weight_map/" NORM, "\"" FIRST "\"", SV_ERR_INPUT, NORM, FIRST},
        {INDEX, "weight_map/" NORM, "1", SV_ERR_INPUT, NORM, "not a name"},
        {INDEX, "weight_map/ghost", "\"" FIRST "\"", SV_ERR_INPUT, "ghost", FIRST},
        {INDEX, "weight_map", "{}", SV_ERR_INPUT, "0 tensors in all", "missing"},
    };
    run_edits(SHARDED, cases, SV_COUNT(cases));
}

/* Overwrites bytes of a tensor. */
static void poke(const char *tensor, size_t at, const void *value, size_t n) {
    sv_error err;
    char *bytes;
    size_t len;
    uint64_t header_len;
    json_t *header;
    ASSERT_OK(sv_file_read(path_of("bad", "model.safetensors"), (size_t)1 << 24, &bytes, &len, &err), err);
    memcpy(&header_len, bytes, 8);
    ASSERT_OK(sv_json_parse(bytes + 8, (size_t)header_len, "header", &header, &err), err);
    const json_t *offsets = json_object_get(json_object_get(header, tensor), "data_offsets");
    assert_non_null(offsets);
    memcpy(bytes + 8 + header_len + json_integer_value(json_array_get(offsets, 0)) + at, value, n);
    put_text("model.safetensors", bytes, len);
    json_decref(header);
    free(bytes);
}

static void numbers_that_are_none_are_named(void **state) {
    (void)state;
    static const struct {
        enum kind kind;
        const char *tensor;
        size_t element;
        uint16_t bits;
        const char *says;
    } cases[] = {{WHOLE, UP ".weight", 32767, 0x7fc0, "NaN"},
                 {WHOLE, "visual.patch_embed.proj.weight", 0, 0xff80, "infinity"},
                 {WHOLE, "model.embed_tokens.weight", 73727, 0xffff, "NaN"},
                 {WHOLE, "model.layers.0.self_attn.v_proj.bias", 3, 0x7f80, "infinity"},
                 {WHOLE, NORM, 127, 0x7f81, "NaN"},
                 {PACKED, "visual.merger.mlp.2.weight", 9, 0x7e00, "NaN"},
                 {PACKED, UP ".scales", 255, 0xfc00, "infinity"},
                 {PACKED, "model.layers.0.self_attn.q_proj.scales", 0, 0x7c01, "NaN"}};
    for (size_t i = 0; i < SV_COUNT(cases); i++) {
        start_from(cases[i].kind);
        poke(cases[i].tensor, 2 * cases[i].element, &cases[i].bits, 2);
        check(cases[i].tensor, SV_ERR_INPUT, cases[i].tensor, cases[i].says);
    }
}

static void packed_weights_that_do_not_fit_are_named(void **state) {
    (void)state;
#define QUANT "quantization_config"
    static const edit_case configs[] = {
        {"config.json", QUANT "/bits", "8", SV_ERR_UNSUPPORTED, "config.json", "8 bits"},
        {"config.json", QUANT "/bits", "null", SV_ERR_UNSUPPORTED, "config.json", "0 bits"},
        {"config.json", QUANT "/group_size", "0", SV_ERR_INPUT, "config.json", "group_size"},
        {"config.json", QUANT "/group_size", "64", SV_ERR_INPUT, ".scales", "[2, "},
        {"config.json", QUANT "/quant_method", "\"awq\"", SV_ERR_UNSUPPORTED, "config.json", "awq"},
        {"config.json", QUANT "/packing_format", "\"auto_round:auto_awq\"", SV_ERR_UNSUPPORTED, "config.json", "awq"},
        {"config.json", QUANT "/extra_config", "{\"model.layers.0.mlp.up_proj\": {\"bits\": 2}}", SV_ERR_UNSUPPORTED,
         "model.layers.0.mlp.up_proj", "2 bits"},
    };
    static const header_case headers[] = {
        {UP ".qzeros", NULL, NULL, "x", SV_ERR_INPUT, UP ".qzeros", "missing"},
        {UP ".scales", NULL, NULL, "x", SV_ERR_INPUT, UP ".scales", "missing"},
        {UP ".qweight", NULL, NULL, "x", SV_ERR_INPUT, UP ".weight", "missing"},
        {UP ".qweight", "shape", "[256, 16]", NULL, SV_ERR_INPUT, UP ".qweight", "[16, 256]"},
        {UP ".qweight", "dtype", "\"F32\"", NULL, SV_ERR_INPUT, UP ".qweight", "F32"},
        {UP ".scales", "dtype", "\"I16\"", NULL, SV_ERR_INPUT, UP ".scales", "I16"},
    };
    run_edits(PACKED, configs, SV_COUNT(configs));
    run_headers(PACKED, headers, SV_COUNT(headers));
    start_from(PACKED);
    edit("config.json", QUANT, "null");
    unlink(path_of("bad", "quantization_config.json"));
    check("no quantization_config", SV_ERR_INPUT, "model.layers.0.", "no quantization_config");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(whole_folders_are_accepted),
                                       cmocka_unit_test(missing_files_are_named),
                                       cmocka_unit_test(configurations_that_do_not_fit_are_named),
                                       cmocka_unit_test(foreign_tokenizers_are_named),
                                       cmocka_unit_test(broken_json_is_named),
                                       cmocka_unit_test(headers_that_lie_are_named),
                                       cmocka_unit_test(an_unneeded_empty_tensor_does_no_harm),
                                       cmocka_unit_test(doubled_and_cut_headers_are_refused),
                                       cmocka_unit_test(indices_that_lie_are_named),
                                       cmocka_unit_test(numbers_that_are_none_are_named),
                                       cmocka_unit_test(packed_weights_that_do_not_fit_are_named)};
    return cmocka_run_group_tests(tests, set_up, remove_folder);
}
