/*
 * fuzz_model_folder.c - the small files of a model folder: sizes, generation, processor, quantisation, the program's
 * own card, the tokenizer in parts, the index of shards.
 *
 * An input is made of sections "@a\n...", "@b\n..." where the letter is the place of a file in the table below. A
 * section is the file, or, when it begins with P, JSON that is laid over the good file, so that changes reach behind
 * the checks of the whole.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "model/config.h"
#include "model/quantised.h"
#include "stage/prompt.h"
#include "token/vocabulary.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char vision[] =
    "\"vision_config\": {\"depth\": 2, \"fullatt_block_indexes\": [1], \"hidden_size\": 80, \"in_chans\": 3, "
    "\"intermediate_size\": 108, \"num_heads\": 4, \"out_hidden_size\": 128, \"patch_size\": 14, "
    "\"spatial_merge_size\": "
    "2, \"temporal_patch_size\": 2, \"window_size\": 112}";

static struct {
    const char *name, *good; /* NULL = not there */
    bool changed;
} files[] = {
    {"config.json",
     "{\"model_type\": \"qwen2_5_vl\", \"image_token_id\": 502, \"vision_start_token_id\": 499, "
     "\"vision_end_token_id\": 500, \"eos_token_id\": 492, \"hidden_size\": 128, \"intermediate_size\": 256, "
     "\"num_attention_heads\": 4, \"num_hidden_layers\": 2, \"num_key_value_heads\": 2, \"rope_theta\": 1e6, "
     "\"vocab_size\": 576, \"rope_scaling\": {\"type\": \"mrope\", \"mrope_section\": [4, 6, 6]}, "
     "\"quantization_config\": {\"quant_method\": \"auto-round\", \"packing_format\": \"auto_round:auto_gptq\", "
     "\"bits\": 4, \"group_size\": 32}, ",
     true},
    {"generation_config.json", "{\"eos_token_id\": [492, 490], \"repetition_penalty\": 1.05}", true},
    {"preprocessor_config.json",
     "{\"min_pixels\": 3136, \"max_pixels\": 1003520, \"patch_size\": 14, \"image_mean\": [0.5, 0.5, 0.5]}", true},
    {"processor_config.json", NULL, true},
    {"quantization_config.json", "{\"quant_method\": \"gptq\", \"bits\": 4}", true},
    {"sleepvlm.json", "{\"answer_order\": \"stage_first\", \"warning\": \"w\"}", true},
    {"prompt.txt", "Stage the target epoch.", true},
    {"vocab.json", NULL, true},
    {"merges.txt", "#version: 0.2\na b\nb b\n", true},
    {"tokenizer_config.json", "{\"added_tokens_decoder\": {\"300\": {\"content\": \"<|im_end|>\", \"special\": true}}}",
     true},
    {"model.safetensors.index.json", "{\"weight_map\": {\"a\": \"1.safetensors\", \"b\": \"2.safetensors\"}}", true},
};

static char folder[] = "/tmp/sv-fuzz-folder-XXXXXX";
static char *whole_config, *whole_vocabulary;

static void remove_folder(void) {
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", folder);
    if (system(command) != 0) perror(folder);
    free(whole_config);
    free(whole_vocabulary);
}

static void put(const char *name, const char *data, size_t size) {
    char path[96];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(data, 1, size, f) != size || fclose(f) != 0) abort();
}

static void put_shard(const char *name, const char *tensor) {
    char text[128];
    int n = snprintf(text + 8, sizeof text - 8, "{\"%s\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}x",
                     tensor);
    uint64_t header = (uint64_t)n - 1;
    memcpy(text, &header, 8);
    put(name, text, 8 + (size_t)n);
}

/* All 256 bytes in the byte-level alphabet, "ab" and "bb": taken from a tokenizer that the tests have. */
static void make_vocabulary(void) {
    json_t *top, *all, *some = json_object(), *id;
    const char *token;
    sv_error err;
    if (sv_json_load(SV_SOURCE_DIR "/tests/data/byte_bpe/tokenizer.json", &top, &err)) abort();
    all = json_object_get(json_object_get(top, "model"), "vocab");
    json_object_foreach(all, token, id) {
        if (json_integer_value(id) < 256) json_object_set(some, token, id);
    }
    json_object_set_new(some, "ab", json_integer(256));
    json_object_set_new(some, "bb", json_integer(257));
    whole_vocabulary = json_dumps(some, JSON_COMPACT);
    json_decref(some);
    json_decref(top);
}

static void prepare(void) {
    size_t room = strlen(files[0].good) + sizeof vision + 8;
    if (!mkdtemp(folder)) abort();
    atexit(remove_folder);
    make_vocabulary();
    whole_config = malloc(room);
    if (!whole_config || !whole_vocabulary) abort();
    snprintf(whole_config, room, "%s%s}", files[0].good, vision);
    files[0].good = whole_config;
    files[7].good = whole_vocabulary;
    put_shard("1.safetensors", "a");
    put_shard("2.safetensors", "b");
}

static void restore(size_t i) {
    char path[96];
    if (!files[i].changed) return;
    files[i].changed = false;
    if (files[i].good) {
        put(files[i].name, files[i].good, strlen(files[i].good));
    } else {
        snprintf(path, sizeof path, "%s/%s", folder, files[i].name);
        (void)remove(path);
    }
}

static void change(size_t i, const char *text, size_t len) {
    json_t *patch = NULL, *good = NULL;
    sv_error err;
    files[i].changed = true;
    if (len && text[0] == 'P' && files[i].good &&
        sv_json_parse(files[i].good, strlen(files[i].good), "good", &good, &err) == SV_OK &&
        sv_json_parse(text + 1, len - 1, "patch", &patch, &err) == SV_OK && json_is_object(patch)) {
        json_object_update_recursive(good, patch);
        char *merged = json_dumps(good, JSON_COMPACT);
        if (merged) put(files[i].name, merged, strlen(merged));
        free(merged);
    } else {
        put(files[i].name, text, len);
    }
    json_decref(patch);
    json_decref(good);
}

/* What is accepted must hold together. */
static void load_all(void) {
    sv_model_config c;
    sv_quantisation q;
    sv_stage_prompt prompt;
    sv_vocabulary v;
    sv_tensor_file *f;
    sv_error err = {0};
    if (sv_model_config_load(folder, &c, &err) == SV_OK) {
        if (c.text.n_heads % c.text.n_kv_heads || c.vision.hidden % c.vision.n_heads || c.n_eos < 0 || c.n_eos > 8 ||
            c.min_pixels < 1 || c.max_pixels < c.min_pixels || !(c.repetition_penalty > 0))
            abort();
        for (int i = 0; i < c.n_eos; i++) {
            if (c.eos[i] < 0 || c.eos[i] >= c.text.vocab) abort();
        }
    } else if (!strstr(err.message, folder)) {
        abort(); /* an error names the file */
    }
    if (sv_quantisation_load(folder, &q, &err) == SV_OK && q.method[0] && q.group < 0) abort();
    if (sv_stage_prompt_load(folder, NULL, &prompt, &err) == SV_OK) sv_stage_prompt_free(&prompt);
    if (sv_vocabulary_load(folder, &v, &err) == SV_OK) {
        if (v.n_tokens < 256) abort();
        sv_vocabulary_free(&v);
    }
    if (sv_tensor_folder_open(folder, &f, &err) == SV_OK) {
        for (size_t i = 0; i < sv_tensor_count(f); i++) {
            if (*(const char *)sv_tensor_at(f, i)->data != 'x') abort();
        }
        sv_tensor_file_close(f);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static bool ready;
    if (!ready) prepare();
    ready = true;
    for (size_t i = 0; i < SV_COUNT(files); i++) restore(i);
    const char *text = (const char *)data, *end = text + size;
    while (end - text >= 3 && text[0] == '@') {
        size_t file = (size_t)(unsigned char)text[1] - 'a';
        text += 3;
        const char *stop = text;
        while (stop < end && !(stop[0] == '@' && stop > text && stop[-1] == '\n')) stop++;
        if (file < SV_COUNT(files)) change(file, text, (size_t)(stop - text));
        text = stop;
    }
    load_all();
    return 0;
}
