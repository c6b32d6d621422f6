/*
 * config.h - what a training run is told: a YAML file with the published system's keys and ours, and overrides.
 */
#ifndef SV_TRAIN_CONFIG_H
#define SV_TRAIN_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"
#include "base/strbuf.h"

typedef struct sv_text_list {
    char **items;
    size_t n, capacity;
} sv_text_list;

typedef struct sv_train_config {
#define SV_TYPE_TEXT char *
#define SV_TYPE_COUNT int64_t
#define SV_TYPE_REAL double
#define SV_TYPE_FLAG bool
#define SV_TYPE_LIST sv_text_list
#define SV_KEY(name, type, standard, meaning) SV_TYPE_##type name;
#include "train/config_keys.def"
#undef SV_KEY
} sv_train_config;

/* Everything at its default. */
sv_status sv_train_config_new(sv_train_config *out, sv_error *err);
void sv_train_config_free(sv_train_config *config); /* frees and zeroes */

/* Reads the file: one mapping of keys to scalars or, for lists, sequences of scalars; null leaves the default.
 * SV_ERR_INPUT names the line: no YAML, unknown or doubled keys, values of the wrong type. */
sv_status sv_train_config_load(sv_train_config *config, const char *path, sv_error *err);

/* One key from text, as the command line gives it; lists are separated by commas. `where` begins the error. */
sv_status sv_train_config_set(sv_train_config *config, const char *key, const char *value, const char *where,
                              sv_error *err);

bool sv_train_config_has_key(const char *key);

/* All keys with their values, as the run writes them down. NULL without memory. */
json_t *sv_train_config_to_json(const sv_train_config *config);

/* Appends the keys with defaults and meanings, a line each, for help. */
void sv_train_config_describe(sv_strbuf *out);

#endif
