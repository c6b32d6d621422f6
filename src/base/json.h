/*
 * json.h - JSON files by Jansson, with our errors and limits.
 */
#ifndef SV_BASE_JSON_H
#define SV_BASE_JSON_H

#include <jansson.h>

#include "base/status.h"

/* Largest JSON text that is read (a real tokenizer.json has 11 MB). */
#define SV_JSON_MAX_BYTES ((size_t)256 << 20)

/* How reals are written: what was rounded to a few digits looks so (0.9559, not 0.95589999999999997). */
#define SV_JSON_REALS JSON_REAL_PRECISION(12)

/* Parses `len` bytes; strings may hold U+0000; of a doubled key the last wins; any value may be at the top.
 * `name` is what the error calls the text. The caller owns *out (json_decref). */
sv_status sv_json_parse(const char *text, size_t len, const char *name, json_t **out, sv_error *err);
/* The same, but a doubled key is an error: for texts where the first meaning must not be hidden by a second. */
sv_status sv_json_parse_unique(const char *text, size_t len, const char *name, json_t **out, sv_error *err);
sv_status sv_json_load(const char *path, json_t **out, sv_error *err);

/* Writes `value` to `path` atomically, indented by two, keys in the order they were set, with a final newline. */
sv_status sv_json_save(const char *path, const json_t *value, sv_error *err);

/* A new JSON string from text of unknown origin (a file name): what is not UTF-8 becomes U+FFFD. NULL without memory.
 */
json_t *sv_json_string(const char *text);

/* Members of an object, with a default when the key is absent, null or of another type. */
int64_t sv_json_int(const json_t *object, const char *key, int64_t fallback);
double sv_json_real(const json_t *object, const char *key, double fallback); /* accepts integers */
bool sv_json_bool(const json_t *object, const char *key, bool fallback);
const char *sv_json_text(const json_t *object, const char *key, const char *fallback); /* borrowed */

#endif
