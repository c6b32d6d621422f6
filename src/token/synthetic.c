/*
 * synthetic.c - tokens are the 256 bytes, then all strings of an optional space and small letters in order of length,
 * each merged from the string without its last letter and that letter.
 */
#include "token/synthetic.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "token/vocabulary.h"

static const struct {
    const char *content;
    bool special;
} added_tokens[SV_N_ADDED_TOKENS] = {
    {"<|endoftext|>", true},      {"<|im_start|>", true},     {"<|im_end|>", true},      {"<|object_ref_start|>", true},
    {"<|object_ref_end|>", true}, {"<|box_start|>", true},    {"<|box_end|>", true},     {"<|quad_start|>", true},
    {"<|quad_end|>", true},       {"<|vision_start|>", true}, {"<|vision_end|>", true},  {"<|vision_pad|>", true},
    {"<|image_pad|>", true},      {"<|video_pad|>", true},    {"<tool_call>", false},    {"</tool_call>", false},
    {"<|fim_prefix|>", false},    {"<|fim_middle|>", false},  {"<|fim_suffix|>", false}, {"<|fim_pad|>", false},
    {"<|repo_name|>", false},     {"<|file_sep|>", false}};

/* Messages with text, or with a list of texts and pictures; a system block first. */
static const char chat_template[] =
    "{%- if messages[0].role != 'system' -%}\n"
    "{{- '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' -}}\n"
    "{%- endif -%}\n"
    "{%- for message in messages -%}\n"
    "{{- '<|im_start|>' + message.role + '\\n' -}}\n"
    "{%- if message.content is string -%}\n"
    "{{- message.content -}}\n"
    "{%- else -%}\n"
    "{%- for part in message.content -%}\n"
    "{{- part.text if part.type == 'text' else '<|vision_start|><|image_pad|><|vision_end|>' -}}\n"
    "{%- endfor -%}\n"
    "{%- endif -%}\n"
    "{{- '<|im_end|>\\n' -}}\n"
    "{%- endfor -%}\n"
    "{%- if add_generation_prompt -%}\n"
    "{{- '<|im_start|>assistant\\n' -}}\n"
    "{%- endif -%}\n";

/* The character that stands for a byte in the files: itself when it is printable, else one from U+0100 on. */
static unsigned character_of(unsigned byte) {
    if (byte <= 32) return 256 + byte;
    if (byte >= 127 && byte <= 160) return 256 + byte - 127 + 33;
    return byte == 173 ? 256 + 67 : byte;
}

static void put_character(sv_strbuf *out, unsigned byte) {
    unsigned code = character_of(byte);
    const char two[] = {(char)(0xc0 | code >> 6), (char)(0x80 | (code & 63))}, one = (char)code;
    sv_strbuf_append(out, code < 128 ? &one : two, code < 128 ? 1 : 2);
}

/* Single bytes in the order of their characters, as in Qwen2's vocabulary ("!" is 0). */
static void put_bytes(sv_strbuf *vocab) {
    int id = 0;
    for (unsigned code = 0; code < 256 + 68; code++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            if (character_of(byte) != code) continue;
            sv_strbuf_puts(vocab, id ? ", \"" : "\"");
            if (byte == '"' || byte == '\\') sv_strbuf_puts(vocab, "\\");
            put_character(vocab, byte);
            sv_strbuf_printf(vocab, "\": %d", id++);
        }
    }
}

/* The strings of `len` characters: digit 0 of the first character is the space, 1 to 26 are letters. Returns the next
 * free id. */
static int put_strings(sv_strbuf *vocab, sv_strbuf *merges, int len, int id, int n_tokens) {
    int n = 27;
    for (int i = 1; i < len; i++) n *= 26;
    for (int k = 0; k < n && id < n_tokens; k++, id++) {
        char letters[8];
        int rest = k;
        for (int i = len - 1; i > 0; i--, rest /= 26) letters[i] = (char)('a' + rest % 26);
        letters[0] = (char)(rest ? 'a' + rest - 1 : ' ');
        sv_strbuf_puts(vocab, ", \"");
        sv_strbuf_puts(merges, merges->len ? ", \"" : "\"");
        for (int i = 0; i < len; i++) {
            if (i == len - 1) sv_strbuf_puts(merges, " ");
            put_character(vocab, (unsigned char)letters[i]);
            put_character(merges, (unsigned char)letters[i]);
        }
        sv_strbuf_printf(vocab, "\": %d", id);
        sv_strbuf_puts(merges, "\"");
    }
    return id;
}

static json_t *added_entry(int i) {
    return json_pack("{s:s,s:b,s:b,s:b,s:b,s:b}", "content", added_tokens[i].content, "single_word", 0, "lstrip", 0,
                     "rstrip", 0, "normalized", 0, "special", added_tokens[i].special);
}

static json_t *tokenizer_json(int n_tokens, const sv_strbuf *vocab, const sv_strbuf *merges, sv_error *err) {
    sv_strbuf text = {0};
    json_t *model = NULL, *added = json_array();
    sv_strbuf_printf(&text,
                     "{\"type\": \"BPE\", \"dropout\": null, \"unk_token\": null, \"byte_fallback\": false, "
                     "\"ignore_merges\": false, \"vocab\": {%s}, \"merges\": [%s]}",
                     sv_strbuf_text(vocab), sv_strbuf_text(merges));
    if (text.failed || vocab->failed || merges->failed || !added) {
        sv_fail_memory(err, "tokenizer", text.len);
    } else {
        sv_json_parse(text.data, text.len, "tokenizer", &model, err);
    }
    sv_strbuf_free(&text);
    if (!model) {
        json_decref(added);
        return NULL;
    }
    for (int i = 0; i < SV_N_ADDED_TOKENS; i++) {
        json_t *entry = json_pack("{s:i}", "id", n_tokens + i);
        json_object_update_new(entry, added_entry(i));
        json_array_append_new(added, entry);
    }
    json_t *split = json_pack("{s:s,s:{s:s},s:s,s:b}", "type", "Split", "pattern", "Regex", sv_default_pattern,
                              "behavior", "Isolated", "invert", 0);
    json_t *bytes =
        json_pack("{s:s,s:b,s:b,s:b}", "type", "ByteLevel", "add_prefix_space", 0, "trim_offsets", 0, "use_regex", 0);
    json_t *top =
        json_pack("{s:s,s:n,s:n,s:o,s:{s:s},s:{s:s,s:[o,O]},s:n,s:O,s:o}", "version", "1.0", "truncation", "padding",
                  "added_tokens", added, "normalizer", "type", "NFC", "pre_tokenizer", "type", "Sequence",
                  "pretokenizers", split, bytes, "post_processor", "decoder", bytes, "model", model);
    json_decref(bytes);
    if (!top) sv_fail_memory(err, "tokenizer", vocab->len);
    return top;
}

static json_t *config_json(int n_tokens) {
    json_t *decoder = json_object();
    for (int i = 0; i < SV_N_ADDED_TOKENS; i++) {
        char id[16];
        snprintf(id, sizeof id, "%d", n_tokens + i);
        json_object_set_new(decoder, id, added_entry(i));
    }
    return json_pack("{s:b,s:o,s:n,s:s,s:b,s:s,s:s,s:i,s:s,s:s,s:n}", "add_prefix_space", 0, "added_tokens_decoder",
                     decoder, "bos_token", "chat_template", chat_template, "clean_up_tokenization_spaces", 0,
                     "eos_token", "<|im_end|>", "errors", "replace", "model_max_length", 131072, "pad_token",
                     "<|endoftext|>", "tokenizer_class", "Qwen2Tokenizer", "unk_token");
}

static sv_status save(const char *folder, const char *name, const json_t *value, sv_error *err) {
    char *path = sv_path_join(folder, name);
    sv_status s = path && value ? sv_json_save(path, value, err) : sv_fail_memory(err, name, strlen(folder));
    free(path);
    return s;
}

sv_status sv_synthetic_tokenizer_write(const char *folder, int n_tokens, sv_error *err) {
    sv_strbuf vocab = {0}, merges = {0};
    int id = 256;
    if (n_tokens < SV_SYNTHETIC_MIN || n_tokens > SV_SYNTHETIC_MAX) {
        return sv_fail(err, SV_ERR_USAGE, "a synthetic tokenizer has %d to %d tokens, not %d", SV_SYNTHETIC_MIN,
                       SV_SYNTHETIC_MAX, n_tokens);
    }
    put_bytes(&vocab);
    for (int len = 2; id < n_tokens; len++) id = put_strings(&vocab, &merges, len, id, n_tokens);
    json_t *tokenizer = tokenizer_json(n_tokens, &vocab, &merges, err), *config = config_json(n_tokens);
    sv_status s = tokenizer ? save(folder, "tokenizer.json", tokenizer, err) : SV_ERR_MEMORY;
    if (!s) s = save(folder, "tokenizer_config.json", config, err);
    json_decref(tokenizer);
    json_decref(config);
    sv_strbuf_free(&vocab);
    sv_strbuf_free(&merges);
    return s;
}
