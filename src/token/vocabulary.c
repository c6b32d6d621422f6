/*
 * vocabulary.c - reading tokenizer files.
 *
 * Their strings stand for bytes: each byte is written as one printable character (Radford et al. 2019, byte-level BPE),
 * so that a JSON file can hold tokens that are not UTF-8 by themselves.
 */
#include "token/vocabulary.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"

#define MAX_ID (1 << 22)
#define MAX_ADDED 4096

const char sv_default_pattern[] =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| "
    "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

/* The byte that a character of a token stands for, -1 for none. */
static int byte_of_character(unsigned code) {
    if ((code >= 33 && code <= 126) || (code >= 161 && code <= 172) || (code >= 174 && code <= 255)) return (int)code;
    if (code < 256 || code >= 256 + 68) return -1;
    unsigned n = code - 256; /* the others follow in order: 0-32, 127-160, 173 */
    if (n <= 32) return (int)n;
    return n <= 66 ? (int)(n - 33 + 127) : 173;
}

/* The bytes of a token as written, in new memory; false when it holds another character. All characters have one or two
 * bytes. */
static bool bytes_of_token(const char *text, size_t n, char **out, size_t *out_len) {
    char *bytes = malloc(n + 1);
    size_t len = 0;
    for (size_t i = 0; bytes && i < n; i++) {
        unsigned code = (unsigned char)text[i];
        if (code >= 0xc2 && code < 0xe0 && i + 1 < n) code = (code & 31) << 6 | ((unsigned char)text[++i] & 63);
        int byte = byte_of_character(code);
        if (byte < 0) {
            free(bytes);
            return false;
        }
        bytes[len++] = (char)byte;
    }
    if (!bytes) return false;
    bytes[len] = 0;
    *out = bytes;
    *out_len = len;
    return true;
}

static sv_status set_token(sv_vocabulary *v, json_int_t id, char *bytes, size_t len, const char *name, sv_error *err) {
    if (id < 0 || id >= (json_int_t)v->n_tokens) {
        free(bytes);
        return sv_fail(err, SV_ERR_INPUT, "%s: a token has the id %lld", name, (long long)id);
    }
    sv_vocabulary_token *t = &v->tokens[id];
    if (t->bytes && (t->len != len || memcmp(t->bytes, bytes, len) != 0)) {
        free(bytes);
        return sv_fail(err, SV_ERR_INPUT, "%s: two tokens have the id %lld", name, (long long)id);
    }
    free(t->bytes);
    t->bytes = bytes;
    t->len = len;
    return SV_OK;
}

static json_int_t largest_id(const json_t *vocab, const json_t *added) {
    json_int_t largest = -1;
    const char *key;
    json_t *value;
    size_t i;
    json_object_foreach((json_t *)(uintptr_t)vocab, key, value) largest = SV_MAX(largest, json_integer_value(value));
    json_array_foreach(added, i, value) largest = SV_MAX(largest, sv_json_int(value, "id", -1));
    return largest;
}

static sv_status read_vocab(sv_vocabulary *v, const json_t *vocab, const char *name, sv_error *err) {
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)vocab, key, value) {
        char *bytes;
        size_t len;
        if (!json_is_integer(value)) return sv_fail(err, SV_ERR_INPUT, "%s: the id of '%s' is not a number", name, key);
        if (!bytes_of_token(key, strlen(key), &bytes, &len)) {
            return sv_fail(err, SV_ERR_INPUT, "%s: the token '%s' is not written in the byte-level alphabet", name,
                           key);
        }
        sv_status s = set_token(v, json_integer_value(value), bytes, len, name, err);
        if (s) return s;
    }
    /* taken before added tokens are read: one of them may have the text or the id of a byte's token */
    memset(v->id_of_byte, 0xff, sizeof v->id_of_byte);
    for (size_t i = 0; i < v->n_tokens; i++) {
        if (v->tokens[i].len == 1) v->id_of_byte[(unsigned char)v->tokens[i].bytes[0]] = (int32_t)i;
    }
    for (int b = 0; b < 256; b++) {
        if (v->id_of_byte[b] < 0)
            return sv_fail(err, SV_ERR_INPUT, "%s: there is no token for the single byte %d", name, b);
    }
    return SV_OK;
}

static int32_t id_of(const json_t *vocab, const char *text, size_t n) {
    const json_t *id = json_object_getn(vocab, text, n);
    return id ? (int32_t)json_integer_value(id) : -1;
}

/* [{"id", "content", "special", ...}] */
static sv_status read_added(sv_vocabulary *v, const json_t *vocab, const json_t *added, const char *name,
                            sv_error *err) {
    size_t i;
    json_t *entry;
    if (json_array_size(added) > MAX_ADDED)
        return sv_fail(err, SV_ERR_INPUT, "%s: more than %d added tokens", name, MAX_ADDED);
    v->added = sv_calloc(json_array_size(added), sizeof *v->added);
    if (!v->added) return sv_fail_memory(err, "added tokens", 0);
    json_array_foreach(added, i, entry) {
        const char *content = sv_json_text(entry, "content", "");
        json_int_t id = sv_json_int(entry, "id", -1);
        static const char *const unsupported[] = {"single_word", "lstrip", "rstrip"};
        for (size_t k = 0; k < SV_COUNT(unsupported); k++) {
            if (!sv_json_bool(entry, unsupported[k], false)) continue;
            return sv_fail(err, SV_ERR_UNSUPPORTED, "%s: added token '%s' has %s, which is not supported", name,
                           content, unsupported[k]);
        }
        size_t len = json_string_length(json_object_get(entry, "content"));
        if (!len) return sv_fail(err, SV_ERR_INPUT, "%s: added token %zu has no content", name, i);
        int32_t known = id_of(vocab, content, len);
        if (known >= 0 && known != id) {
            return sv_fail(err, SV_ERR_INPUT, "%s: added token '%s' has the id %lld, but %d in the vocabulary", name,
                           content, (long long)id, known);
        }
        char *copy = sv_strndup(content, len);
        if (!copy) return sv_fail_memory(err, "added token", len);
        sv_status s = set_token(v, id, copy, len, name, err);
        if (s) return s;
        v->tokens[id].added = true;
        v->tokens[id].special = sv_json_bool(entry, "special", false);
        v->tokens[id].normalised = sv_json_bool(entry, "normalized", false);
        v->added[v->n_added++] = (int32_t)id;
    }
    /* the longest first: insertion sort, there are a few dozen */
    for (size_t k = 1; k < v->n_added; k++) {
        for (size_t j = k; j && v->tokens[v->added[j]].len > v->tokens[v->added[j - 1]].len; j--) {
            int32_t swap = v->added[j];
            v->added[j] = v->added[j - 1];
            v->added[j - 1] = swap;
        }
    }
    return SV_OK;
}

static sv_status add_merge(sv_vocabulary *v, const json_t *vocab, const char *left, size_t n_left, const char *right,
                           size_t n_right, sv_strbuf *joined, const char *name, sv_error *err) {
    sv_strbuf_clear(joined);
    sv_strbuf_append(joined, left, n_left);
    sv_strbuf_append(joined, right, n_right);
    if (joined->failed) return sv_fail_memory(err, "merge", n_left + n_right);
    sv_merge m = {id_of(vocab, left, n_left), id_of(vocab, right, n_right),
                  id_of(vocab, sv_strbuf_text(joined), joined->len), (int32_t)v->n_merges};
    if (m.left < 0 || m.right < 0 || m.merged < 0) {
        return sv_fail(err, SV_ERR_INPUT, "%s: merge %zu, '%.*s' and '%.*s', names a token that the vocabulary lacks",
                       name, v->n_merges, (int)n_left, left, (int)n_right, right);
    }
    v->merges[v->n_merges++] = m;
    return SV_OK;
}

/* "left right" or ["left", "right"] */
static sv_status read_merge(sv_vocabulary *v, const json_t *vocab, const json_t *entry, sv_strbuf *joined,
                            const char *name, sv_error *err) {
    const json_t *left = json_array_get(entry, 0), *right = json_array_get(entry, 1);
    if (json_is_string(entry)) {
        const char *text = json_string_value(entry), *space = strchr(text, ' ');
        if (space) {
            return add_merge(v, vocab, text, (size_t)(space - text), space + 1, strlen(space + 1), joined, name, err);
        }
    } else if (json_is_string(left) && json_is_string(right)) {
        return add_merge(v, vocab, json_string_value(left), json_string_length(left), json_string_value(right),
                         json_string_length(right), joined, name, err);
    }
    return sv_fail(err, SV_ERR_INPUT, "%s: merge %zu is neither \"a b\" nor [\"a\", \"b\"]", name, v->n_merges);
}

static sv_status read_merges(sv_vocabulary *v, const json_t *vocab, const json_t *merges, const char *name,
                             sv_error *err) {
    sv_strbuf joined = {0};
    sv_status s = SV_OK;
    size_t i;
    json_t *entry;
    v->merges = sv_calloc(json_array_size(merges), sizeof *v->merges);
    if (!v->merges) return sv_fail_memory(err, "merges", json_array_size(merges) * sizeof *v->merges);
    json_array_foreach(merges, i, entry) {
        if ((s = read_merge(v, vocab, entry, &joined, name, err))) break;
    }
    sv_strbuf_free(&joined);
    return s;
}

/* vocab: object; added: array of objects; merges: array. */
static sv_status fill(sv_vocabulary *v, const json_t *vocab, const json_t *added, const json_t *merges,
                      const char *pattern, const char *name, sv_error *err) {
    if (!json_is_object(vocab) || !json_is_array(merges)) {
        return sv_fail(err, SV_ERR_INPUT, "%s: expected a vocabulary and a list of merges", name);
    }
    json_int_t largest = largest_id(vocab, added);
    if (largest < 0 || largest >= MAX_ID) {
        return sv_fail(err, SV_ERR_INPUT, "%s: the largest token id is %lld, expected less than %d", name,
                       (long long)largest, MAX_ID);
    }
    v->n_tokens = (size_t)largest + 1;
    v->tokens = sv_calloc(v->n_tokens, sizeof *v->tokens);
    v->pattern = sv_strndup(pattern, strlen(pattern));
    if (!v->tokens || !v->pattern) return sv_fail_memory(err, name, v->n_tokens * sizeof *v->tokens);
    sv_status s = read_vocab(v, vocab, name, err);
    if (!s) s = read_added(v, vocab, added, name, err);
    return s ? s : read_merges(v, vocab, merges, name, err);
}

static sv_status unsupported(const char *name, const char *what, const char *found, sv_error *err) {
    return sv_fail(err, SV_ERR_UNSUPPORTED, "%s: %s '%s' is not supported: expected a byte-level BPE as of Qwen2", name,
                   what, found);
}

/* The one Split pattern among the pre-tokenisers; the byte-level step after it must not split by itself. */
static sv_status read_pattern(const json_t *pre, const char *name, const char **pattern, sv_error *err) {
    const json_t *list = json_object_get(pre, "pretokenizers");
    size_t n = json_is_array(list) ? json_array_size(list) : 1;
    for (size_t i = 0; json_is_object(pre) && i < n; i++) {
        const json_t *step = json_is_array(list) ? json_array_get(list, i) : pre;
        const char *type = sv_json_text(step, "type", "?");
        if (strcmp(type, "Split") == 0) {
            *pattern = sv_json_text(json_object_get(step, "pattern"), "Regex", "");
            bool isolated =
                strcmp(sv_json_text(step, "behavior", ""), "Isolated") == 0 && !sv_json_bool(step, "invert", false);
            if (!isolated || !(*pattern)[0]) return unsupported(name, "this form of the pre-tokeniser", type, err);
        } else if (strcmp(type, "ByteLevel") == 0) {
            if (sv_json_bool(step, "add_prefix_space", true))
                return unsupported(name, "pre-tokeniser option", "add_prefix_space", err);
            if (sv_json_bool(step, "use_regex", true))
                return unsupported(name, "pre-tokeniser option", "use_regex", err);
        } else {
            return unsupported(name, "pre-tokeniser", type, err);
        }
    }
    return SV_OK;
}

sv_status sv_vocabulary_from_json(const json_t *top, const char *name, sv_vocabulary *out, sv_error *err) {
    *out = (sv_vocabulary){0};
    const json_t *model = json_object_get(top, "model"), *normalizer = json_object_get(top, "normalizer");
    const char *type = sv_json_text(model, "type", "BPE"), *pattern = sv_default_pattern;
    if (!json_is_object(model)) return sv_fail(err, SV_ERR_INPUT, "%s: expected an object \"model\"", name);
    if (strcmp(type, "BPE") != 0) return unsupported(name, "the model", type, err);
    static const char *const flags[] = {"byte_fallback", "ignore_merges"};
    for (size_t i = 0; i < SV_COUNT(flags); i++) {
        if (sv_json_bool(model, flags[i], false)) return unsupported(name, "the option", flags[i], err);
    }
    const char *norm = sv_json_text(normalizer, "type", "NFC");
    if (strcmp(norm, "NFC") != 0) return unsupported(name, "the normaliser", norm, err);
    sv_status s = read_pattern(json_object_get(top, "pre_tokenizer"), name, &pattern, err);
    if (!s) {
        s = fill(out, json_object_get(model, "vocab"), json_object_get(top, "added_tokens"),
                 json_object_get(model, "merges"), pattern, name, err);
    }
    if (s) sv_vocabulary_free(out);
    return s;
}

/* merges.txt as the array that tokenizer.json has. */
static sv_status load_merges_text(const char *path, json_t **out, sv_error *err) {
    char *text;
    size_t len;
    sv_status s = sv_file_read(path, SV_JSON_MAX_BYTES, &text, &len, err);
    if (s) return s;
    *out = json_array();
    bool first = true;
    for (char *line = text, *stop; *line; line = stop, first = false) {
        stop = line + strcspn(line, "\n");
        size_t n = (size_t)(stop - line);
        if (n && line[n - 1] == '\r') n--;
        if (*stop) stop++;
        if (n == 0 || (first && strncmp(line, "#version", 8) == 0)) continue;
        if (json_array_append_new(*out, json_stringn(line, n)) == 0) continue;
        s = sv_fail(err, SV_ERR_INPUT, "%s: a line is not UTF-8", path);
        break;
    }
    free(text);
    return s;
}

/* added_tokens_decoder {"ID": {...}} of tokenizer_config.json as the array that tokenizer.json has. */
static json_t *added_from_config(const json_t *config) {
    json_t *list = json_array(), *entry;
    const char *id;
    json_object_foreach(json_object_get(config, "added_tokens_decoder"), id, entry) {
        json_t *copy = json_deep_copy(entry);
        json_object_set_new(copy, "id", json_integer(strtoll(id, NULL, 10)));
        json_array_append_new(list, copy);
    }
    return list;
}

static sv_status load_parts(const char *folder, const char *vocab_path, sv_vocabulary *out, sv_error *err) {
    char *merges_path = sv_path_join(folder, "merges.txt"),
         *config_path = sv_path_join(folder, "tokenizer_config.json");
    json_t *vocab = NULL, *merges = NULL, *config = NULL, *added = NULL;
    sv_status s = merges_path && config_path ? SV_OK : sv_fail_memory(err, "path", strlen(folder));
    if (!s) s = sv_json_load(vocab_path, &vocab, err);
    if (!s) s = load_merges_text(merges_path, &merges, err);
    if (!s && sv_file_exists(config_path)) s = sv_json_load(config_path, &config, err);
    if (!s) {
        added = added_from_config(config);
        s = fill(out, vocab, added, merges, sv_default_pattern, vocab_path, err);
    }
    json_decref(vocab);
    json_decref(merges);
    json_decref(config);
    json_decref(added);
    free(merges_path);
    free(config_path);
    if (s) sv_vocabulary_free(out);
    return s;
}

sv_status sv_vocabulary_load(const char *folder, sv_vocabulary *out, sv_error *err) {
    char *whole = sv_path_join(folder, "tokenizer.json"), *vocab = sv_path_join(folder, "vocab.json");
    json_t *top = NULL;
    sv_status s;
    *out = (sv_vocabulary){0};
    if (!whole || !vocab) {
        s = sv_fail_memory(err, "path", strlen(folder));
    } else if (sv_file_exists(whole)) {
        s = sv_json_load(whole, &top, err);
        if (!s) s = sv_vocabulary_from_json(top, whole, out, err);
    } else if (sv_file_exists(vocab)) {
        s = load_parts(folder, vocab, out, err);
    } else {
        s = sv_fail(err, SV_ERR_INPUT, "%s: expected tokenizer.json, or vocab.json and merges.txt; found neither",
                    folder);
    }
    json_decref(top);
    free(whole);
    free(vocab);
    return s;
}

void sv_vocabulary_free(sv_vocabulary *v) {
    for (size_t i = 0; v->tokens && i < v->n_tokens; i++) free(v->tokens[i].bytes);
    free(v->tokens);
    free(v->merges);
    free(v->added);
    free(v->pattern);
    *v = (sv_vocabulary){0};
}
