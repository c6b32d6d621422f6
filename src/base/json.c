/* json.c - Jansson with our errors. */
#include "base/json.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/utf8.h"

/* The string that ends at or before `at`: Jansson does not say which key is doubled. Inexact for keys with quotes. */
static const char *key_before(const char *text, size_t at, int *len) {
    *len = 0;
    while (at > 0 && text[at - 1] != '"') at--;
    size_t end = at ? at - 1 : 0, begin = end;
    while (begin > 0 && text[begin - 1] != '"') begin--;
    *len = (int)SV_MIN(end - begin, (size_t)200);
    return text + begin;
}

static sv_status parse(const char *text, size_t len, size_t flags, const char *name, json_t **out, sv_error *err) {
    json_error_t problem;
    *out = json_loadb(text, len, JSON_ALLOW_NUL | JSON_DECODE_ANY | flags, &problem);
    if (*out) return SV_OK;
    if (json_error_code(&problem) == json_error_duplicate_key && problem.position >= 0) {
        int n;
        const char *key = key_before(text, SV_MIN((size_t)problem.position, len), &n);
        return sv_fail_at(err, SV_ERR_INPUT, problem.position, "%s: the key \"%.*s\" is there twice", name, n, key);
    }
    return sv_fail_at(err, SV_ERR_INPUT, problem.position, "%s: not valid JSON: line %d, column %d: %s", name,
                      problem.line, problem.column, problem.text);
}

sv_status sv_json_parse(const char *text, size_t len, const char *name, json_t **out, sv_error *err) {
    return parse(text, len, 0, name, out, err);
}

sv_status sv_json_parse_unique(const char *text, size_t len, const char *name, json_t **out, sv_error *err) {
    return parse(text, len, JSON_REJECT_DUPLICATES, name, out, err);
}

sv_status sv_json_load(const char *path, json_t **out, sv_error *err) {
    char *text;
    size_t len;
    *out = NULL;
    sv_status s = sv_file_read(path, SV_JSON_MAX_BYTES, &text, &len, err);
    if (s) return s;
    s = sv_json_parse(text, len, path, out, err);
    free(text);
    return s;
}

sv_status sv_json_save(const char *path, const json_t *value, sv_error *err) {
    sv_file_writer w;
    sv_status s = sv_file_writer_open(&w, path, err);
    if (s) return s;
    if (json_dumpf(value, w.stream, JSON_INDENT(2) | JSON_ENCODE_ANY | SV_JSON_REALS) != 0 ||
        fputc('\n', w.stream) == EOF) {
        s = sv_fail_errno(err, SV_ERR_OUTPUT, "%s: cannot write", path);
        sv_file_writer_abort(&w);
        return s;
    }
    return sv_file_writer_commit(&w, err);
}

json_t *sv_json_string(const char *text) {
    char *repaired = sv_utf8_copy(text, strlen(text));
    json_t *string = repaired ? json_string(repaired) : NULL;
    free(repaired);
    return string;
}

int64_t sv_json_int(const json_t *object, const char *key, int64_t fallback) {
    const json_t *v = json_object_get(object, key);
    return json_is_integer(v) ? json_integer_value(v) : fallback;
}

double sv_json_real(const json_t *object, const char *key, double fallback) {
    const json_t *v = json_object_get(object, key);
    return json_is_number(v) ? json_number_value(v) : fallback;
}

bool sv_json_bool(const json_t *object, const char *key, bool fallback) {
    const json_t *v = json_object_get(object, key);
    return json_is_boolean(v) ? json_boolean_value(v) : fallback;
}

const char *sv_json_text(const json_t *object, const char *key, const char *fallback) {
    const json_t *v = json_object_get(object, key);
    return json_is_string(v) ? json_string_value(v) : fallback;
}
