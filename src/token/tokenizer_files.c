/*
 * tokenizer_files.c - tokens are written in the alphabet that has a printable character for each byte (Radford et al.
 * 2019), so that the files are text whatever the tokens are.
 */
#include "token/tokenizer_files.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
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

/* Bytes that are not printable have the characters from U+0100 on, in their order: 0-32, 127-160, 173. */
enum { FIRST_SPARE = 256, N_SPARE = 68 };

static unsigned character_of(unsigned byte) {
    if (byte <= 32) return FIRST_SPARE + byte;
    if (byte >= 127 && byte <= 160) return FIRST_SPARE + byte - 127 + 33;
    return byte == 173 ? FIRST_SPARE + N_SPARE - 1 : byte;
}

/* Printable bytes keep their order, the others follow. */
int32_t sv_byte_token(unsigned char byte) {
    unsigned code = character_of(byte);
    if (code >= FIRST_SPARE) return (int32_t)(code - N_SPARE);
    int n_before = code < 127 ? 33 : code < 173 ? 33 + 34 : N_SPARE; /* bytes below it that are not printable */
    return (int32_t)code - n_before;
}

unsigned char sv_token_byte(int32_t id) {
    unsigned byte = 0;
    while (byte < 255 && sv_byte_token((unsigned char)byte) != id) byte++;
    return (unsigned char)byte;
}

static size_t put_character(sv_strbuf *out, unsigned byte) {
    unsigned code = character_of(byte);
    const char two[] = {(char)(0xc0 | code >> 6), (char)(0x80 | (code & 63))}, one = (char)code;
    sv_strbuf_append(out, code < 128 ? &one : two, code < 128 ? 1 : 2);
    return code < 128 ? 1 : 2;
}

/* What each token is written as, one after the other. */
typedef struct spelling {
    size_t n_tokens;
    size_t *begin; /* [n_tokens + 1] */
    sv_strbuf text;
} spelling;

static void spell_free(spelling *s) {
    free(s->begin);
    sv_strbuf_free(&s->text);
}

static void spell_part(spelling *s, int32_t id) {
    size_t begin = s->begin[id], len = s->begin[id + 1] - begin;
    char *copy = sv_strndup(sv_strbuf_text(&s->text) + begin, len); /* the buffer may move while it grows */
    if (copy) sv_strbuf_append(&s->text, copy, len);
    s->text.failed |= !copy;
    free(copy);
}

static sv_status spell(const sv_token_pair *merges, size_t n_merges, spelling *s, sv_error *err) {
    *s = (spelling){.n_tokens = SV_N_BYTE_TOKENS + n_merges};
    s->begin = sv_calloc(s->n_tokens + 1, sizeof *s->begin);
    if (!s->begin) return sv_fail_memory(err, "tokens", s->n_tokens * sizeof *s->begin);
    for (size_t id = 0; id < s->n_tokens && !s->text.failed; id++) {
        s->begin[id] = s->text.len;
        if (id < SV_N_BYTE_TOKENS) {
            put_character(&s->text, sv_token_byte((int32_t)id));
        } else {
            spell_part(s, merges[id - SV_N_BYTE_TOKENS].left);
            spell_part(s, merges[id - SV_N_BYTE_TOKENS].right);
        }
        s->begin[id + 1] = s->text.len;
    }
    return s->text.failed ? sv_fail_memory(err, "tokens", s->text.len) : SV_OK;
}

static json_t *vocab_json(const spelling *s) {
    json_t *vocab = json_object();
    for (size_t id = 0; id < s->n_tokens; id++) {
        const char *text = sv_strbuf_text(&s->text) + s->begin[id];
        if (json_object_setn_new(vocab, text, s->begin[id + 1] - s->begin[id], json_integer((json_int_t)id))) {
            json_decref(vocab);
            return NULL;
        }
    }
    return vocab;
}

static json_t *merges_json(const spelling *s, const sv_token_pair *merges, size_t n_merges) {
    json_t *list = json_array();
    sv_strbuf line = {0};
    const char *text = sv_strbuf_text(&s->text);
    bool fine = list != NULL;
    for (size_t k = 0; k < n_merges && fine; k++) {
        const int32_t parts[] = {merges[k].left, merges[k].right};
        sv_strbuf_clear(&line);
        for (int i = 0; i < 2; i++) {
            if (i) sv_strbuf_puts(&line, " ");
            sv_strbuf_append(&line, text + s->begin[parts[i]], s->begin[parts[i] + 1] - s->begin[parts[i]]);
        }
        fine = !line.failed && json_array_append_new(list, json_stringn(sv_strbuf_text(&line), line.len)) == 0;
    }
    sv_strbuf_free(&line);
    if (fine) return list;
    json_decref(list);
    return NULL;
}

static json_t *added_entry(int i) {
    return json_pack("{s:s,s:b,s:b,s:b,s:b,s:b}", "content", added_tokens[i].content, "single_word", 0, "lstrip", 0,
                     "rstrip", 0, "normalized", 0, "special", added_tokens[i].special);
}

static json_t *added_json(size_t n_tokens) {
    json_t *list = json_array();
    for (int i = 0; i < SV_N_ADDED_TOKENS; i++) {
        json_t *entry = json_pack("{s:I}", "id", (json_int_t)n_tokens + i);
        json_object_update_new(entry, added_entry(i));
        json_array_append_new(list, entry);
    }
    return list;
}

/* Takes vocab and merges; NULL when there is no memory (also when one of them is NULL). */
static json_t *whole_json(json_t *vocab, json_t *merges, size_t n_tokens) {
    json_t *model = json_pack("{s:s,s:n,s:n,s:b,s:b,s:o,s:o}", "type", "BPE", "dropout", "unk_token", "byte_fallback",
                              0, "ignore_merges", 0, "vocab", vocab, "merges", merges);
    json_t *split = json_pack("{s:s,s:{s:s},s:s,s:b}", "type", "Split", "pattern", "Regex", sv_default_pattern,
                              "behavior", "Isolated", "invert", 0);
    json_t *bytes =
        json_pack("{s:s,s:b,s:b,s:b}", "type", "ByteLevel", "add_prefix_space", 0, "trim_offsets", 0, "use_regex", 0);
    json_t *top =
        json_pack("{s:s,s:n,s:n,s:o,s:{s:s},s:{s:s,s:[o,O]},s:n,s:O,s:o}", "version", "1.0", "truncation", "padding",
                  "added_tokens", added_json(n_tokens), "normalizer", "type", "NFC", "pre_tokenizer", "type",
                  "Sequence", "pretokenizers", split, bytes, "post_processor", "decoder", bytes, "model", model);
    json_decref(bytes);
    return top;
}

sv_status sv_tokenizer_json(const sv_token_pair *merges, size_t n_merges, json_t **out, sv_error *err) {
    spelling s;
    *out = NULL;
    if (n_merges > SV_MAX_BPE_TOKENS - SV_N_BYTE_TOKENS) {
        return sv_fail(err, SV_ERR_USAGE, "a tokenizer has at most %d tokens, not %zu", SV_MAX_BPE_TOKENS,
                       SV_N_BYTE_TOKENS + n_merges);
    }
    sv_status status = spell(merges, n_merges, &s, err);
    if (!status) {
        *out = whole_json(vocab_json(&s), merges_json(&s, merges, n_merges), s.n_tokens);
        if (!*out) status = sv_fail_memory(err, "tokenizer", s.text.len);
    }
    spell_free(&s);
    return status;
}

static json_t *config_json(size_t n_tokens) {
    json_t *decoder = json_object();
    for (int i = 0; i < SV_N_ADDED_TOKENS; i++) {
        char id[24];
        snprintf(id, sizeof id, "%zu", n_tokens + (size_t)i);
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

sv_status sv_tokenizer_files_write(const char *folder, const sv_token_pair *merges, size_t n_merges, sv_error *err) {
    json_t *tokenizer, *config;
    sv_status s = sv_tokenizer_json(merges, n_merges, &tokenizer, err);
    if (s) return s;
    config = config_json(SV_N_BYTE_TOKENS + n_merges);
    s = save(folder, "tokenizer.json", tokenizer, err);
    if (!s) s = save(folder, "tokenizer_config.json", config, err);
    json_decref(tokenizer);
    json_decref(config);
    return s;
}
