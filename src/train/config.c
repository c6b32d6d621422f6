/* config.c - keys as a table of places and types; YAML by libyaml's parser. */
#include "train/config.h"

#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/memory.h"

typedef enum type { TEXT, COUNT, REAL, FLAG, LIST } type;

typedef struct key {
    const char *name;
    type type;
    size_t offset;
    const char *text; /* default of a text, NULL = none */
    double number;    /* default of the others */
    const char *meaning;
} key;

#define TEXT_DEFAULT_TEXT(x) x
#define TEXT_DEFAULT_LIST(x) NULL
#define TEXT_DEFAULT_COUNT(x) NULL
#define TEXT_DEFAULT_REAL(x) NULL
#define TEXT_DEFAULT_FLAG(x) NULL
#define NUMBER_DEFAULT_TEXT(x) 0
#define NUMBER_DEFAULT_LIST(x) 0
#define NUMBER_DEFAULT_COUNT(x) x
#define NUMBER_DEFAULT_REAL(x) x
#define NUMBER_DEFAULT_FLAG(x) x
#define SV_KEY(name, type, standard, meaning)                                                                       \
    {#name,  type, offsetof(sv_train_config, name), TEXT_DEFAULT_##type(standard), NUMBER_DEFAULT_##type(standard), \
     meaning},
static const key keys[] = {
#include "train/config_keys.def"
};
#undef SV_KEY

static const key *find(const char *name) {
    for (size_t i = 0; i < SV_COUNT(keys); i++) {
        if (strcmp(keys[i].name, name) == 0) return &keys[i];
    }
    return NULL;
}

bool sv_train_config_has_key(const char *name) { return find(name) != NULL; }

static void *place(const sv_train_config *config, const key *k) {
    return (unsigned char *)(uintptr_t)config + k->offset;
}

static void clear_list(sv_text_list *list) {
    for (size_t i = 0; i < list->n; i++) free(list->items[i]);
    list->n = 0;
}

sv_status sv_train_config_new(sv_train_config *out, sv_error *err) {
    *out = (sv_train_config){0};
    for (size_t i = 0; i < SV_COUNT(keys); i++) {
        const key *k = &keys[i];
        void *at = place(out, k);
        if (k->type == COUNT) *(int64_t *)at = (int64_t)k->number;
        if (k->type == REAL) *(double *)at = k->number;
        if (k->type == FLAG) *(bool *)at = k->number != 0;
        if (k->type != TEXT || !k->text) continue;
        *(char **)at = sv_strndup(k->text, strlen(k->text));
        if (!*(char **)at) {
            sv_train_config_free(out);
            return sv_fail_memory(err, "configuration", 0);
        }
    }
    return SV_OK;
}

void sv_train_config_free(sv_train_config *config) {
    for (size_t i = 0; i < SV_COUNT(keys); i++) {
        void *at = place(config, &keys[i]);
        if (keys[i].type == TEXT) free(*(char **)at);
        if (keys[i].type == LIST) {
            clear_list(at);
            free(((sv_text_list *)at)->items);
        }
    }
    *config = (sv_train_config){0};
}

/* ---- values */

static bool read_flag(const char *value, bool *out) {
    static const char *const yes[] = {"true", "True", "yes", "on", "1"}, *const no[] = {"false", "False", "no", "off",
                                                                                        "0"};
    for (size_t i = 0; i < SV_COUNT(yes); i++) {
        if (strcmp(value, yes[i]) == 0) return *out = true, true;
        if (strcmp(value, no[i]) == 0) return *out = false, true;
    }
    return false;
}

static bool read_real(const char *value, double *out) {
    char *end;
    errno = 0;
    *out = strtod(value, &end);
    return end != value && *end == 0 && isfinite(*out) && *out >= 0;
}

static bool read_count(const char *value, int64_t *out) {
    double real;
    if (!read_real(value, &real) || real != floor(real) || real > 9e15) return false; /* "1e4" is one too */
    *out = (int64_t)real;
    return true;
}

static sv_status add_item(sv_text_list *list, const char *item, size_t len, sv_error *err) {
    char *copy = sv_strndup(item, len);
    if (copy && sv_grow(&list->items, list->n, &list->capacity, sizeof *list->items)) {
        list->items[list->n++] = copy;
        return SV_OK;
    }
    free(copy);
    return sv_fail_memory(err, "configuration", len);
}

static sv_status set(sv_train_config *config, const key *k, const char *value, const char *where, sv_error *err) {
    static const char *const expected[] = {"a text", "a whole number, 0 or more", "a number, 0 or more",
                                           "true or false", "a list"};
    void *at = place(config, k);
    bool good = true;
    if (k->type == COUNT) good = read_count(value, at);
    if (k->type == REAL) good = read_real(value, at);
    if (k->type == FLAG) good = read_flag(value, at);
    if (!good) {
        return sv_fail(err, SV_ERR_INPUT, "%s: '%s' must be %s, found '%s'", where, k->name, expected[k->type], value);
    }
    if (k->type != TEXT) return SV_OK;
    char *copy = sv_strndup(value, strlen(value));
    if (!copy) return sv_fail_memory(err, "configuration", strlen(value));
    free(*(char **)at);
    *(char **)at = copy;
    return SV_OK;
}

sv_status sv_train_config_set(sv_train_config *config, const char *name, const char *value, const char *where,
                              sv_error *err) {
    const key *k = find(name);
    if (!k) return sv_fail(err, SV_ERR_INPUT, "%s: there is no key '%s'", where, name);
    if (k->type != LIST) return set(config, k, value, where, err);
    sv_text_list *list = place(config, k);
    sv_status s = SV_OK;
    clear_list(list);
    for (const char *item = value; *item && !s;) {
        size_t len = strcspn(item, ",");
        if (len) s = add_item(list, item, len, err);
        item += len + (item[len] != 0);
    }
    return s;
}

/* ---- the file */

typedef struct reader {
    sv_train_config *config;
    const char *path;
    yaml_parser_t parser;
    bool seen[SV_COUNT(keys)];
    sv_error *err;
} reader;

static sv_status complain(reader *r, const yaml_mark_t *at, const char *what, const char *name) {
    return sv_fail(r->err, SV_ERR_INPUT, "%s: line %zu: %s%s%s%s", r->path, at->line + 1, what, name ? " '" : "",
                   name ? name : "", name ? "'" : "");
}

static sv_status next(reader *r, yaml_event_t *event) {
    if (yaml_parser_parse(&r->parser, event)) return SV_OK;
    return sv_fail(r->err, SV_ERR_INPUT, "%s: line %zu: %s", r->path, r->parser.problem_mark.line + 1,
                   r->parser.problem ? r->parser.problem : "cannot be read");
}

static bool is_null(const yaml_event_t *e) {
    const char *value = (const char *)e->data.scalar.value;
    bool plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    return plain && (!*value || strcmp(value, "null") == 0 || strcmp(value, "~") == 0);
}

static sv_status read_list(reader *r, sv_text_list *list) {
    sv_status s = SV_OK;
    clear_list(list);
    for (bool done = false; !s && !done;) {
        yaml_event_t event;
        if ((s = next(r, &event))) return s;
        if (event.type == YAML_SCALAR_EVENT)
            s = add_item(list, (const char *)event.data.scalar.value, event.data.scalar.length, r->err);
        else if (event.type == YAML_SEQUENCE_END_EVENT)
            done = true;
        else
            s = complain(r, &event.start_mark, "expected a list of texts", NULL);
        yaml_event_delete(&event);
    }
    return s;
}

static sv_status read_value(reader *r, const key *k) {
    yaml_event_t event;
    char where[300];
    sv_status s = next(r, &event);
    if (s) return s;
    snprintf(where, sizeof where, "%.240s: line %zu", r->path, event.start_mark.line + 1);
    if (event.type == YAML_SEQUENCE_START_EVENT && k->type == LIST)
        s = read_list(r, place(r->config, k));
    else if (event.type != YAML_SCALAR_EVENT)
        s = complain(r, &event.start_mark, "expected one value for", k->name);
    else if (!is_null(&event))
        s = sv_train_config_set(r->config, k->name, (const char *)event.data.scalar.value, where, r->err);
    yaml_event_delete(&event);
    return s;
}

/* One key and its value; *done at the end of the mapping. */
static sv_status read_pair(reader *r, bool *done) {
    yaml_event_t event;
    sv_status s = next(r, &event);
    if (s) return s;
    const key *k = NULL;
    if (event.type == YAML_MAPPING_END_EVENT) {
        *done = true;
    } else if (event.type != YAML_SCALAR_EVENT) {
        s = complain(r, &event.start_mark, "expected KEY: VALUE", NULL);
    } else if (!(k = find((const char *)event.data.scalar.value))) {
        s = complain(r, &event.start_mark, "there is no key", (const char *)event.data.scalar.value);
    } else if (r->seen[k - keys]) {
        s = complain(r, &event.start_mark, "doubled key", k->name);
    }
    yaml_event_delete(&event);
    if (s || !k) return s;
    r->seen[k - keys] = true;
    return read_value(r, k);
}

static sv_status read_file(reader *r) {
    sv_status s = SV_OK;
    for (bool in_mapping = false, done = false; !s && !done;) {
        yaml_event_t event;
        if (in_mapping) {
            s = read_pair(r, &done);
            continue;
        }
        if ((s = next(r, &event))) return s;
        in_mapping = event.type == YAML_MAPPING_START_EVENT;
        done = event.type == YAML_STREAM_END_EVENT;
        if (event.type == YAML_SCALAR_EVENT || event.type == YAML_SEQUENCE_START_EVENT)
            s = complain(r, &event.start_mark, "expected KEY: VALUE", NULL);
        yaml_event_delete(&event);
    }
    return s;
}

sv_status sv_train_config_load(sv_train_config *config, const char *path, sv_error *err) {
    reader r = {.config = config, .path = path, .err = err};
    FILE *file = fopen(path, "rb");
    if (!file) return sv_fail_errno(err, SV_ERR_INPUT, "%s: cannot open", path);
    if (!yaml_parser_initialize(&r.parser)) {
        fclose(file);
        return sv_fail_memory(err, "YAML", 0);
    }
    yaml_parser_set_input_file(&r.parser, file);
    sv_status s = read_file(&r);
    yaml_parser_delete(&r.parser);
    fclose(file);
    return s;
}

/* ---- out */

static json_t *value_to_json(const sv_train_config *config, const key *k) {
    const void *at = place(config, k);
    const sv_text_list *list = at;
    const char *text;
    json_t *items;
    switch (k->type) {
        case TEXT: text = *(char *const *)at; return text ? json_string(text) : json_null();
        case COUNT: return json_integer(*(const int64_t *)at);
        case REAL: return json_real(*(const double *)at);
        case FLAG: return json_boolean(*(const bool *)at);
        default:
            items = json_array();
            for (size_t i = 0; i < list->n; i++) json_array_append_new(items, json_string(list->items[i]));
            return items;
    }
}

json_t *sv_train_config_to_json(const sv_train_config *config) {
    json_t *out = json_object();
    for (size_t i = 0; i < SV_COUNT(keys); i++) json_object_set_new(out, keys[i].name, value_to_json(config, &keys[i]));
    return out;
}

void sv_train_config_describe(sv_strbuf *out) {
    for (size_t i = 0; i < SV_COUNT(keys); i++) {
        const key *k = &keys[i];
        sv_strbuf_printf(out, "  %-28s %s", k->name, k->meaning);
        if (k->type == TEXT && k->text) sv_strbuf_printf(out, " (%s)", k->text);
        if (k->type == COUNT || k->type == REAL) sv_strbuf_printf(out, " (%g)", k->number);
        if (k->type == FLAG) sv_strbuf_printf(out, " (%s)", k->number != 0 ? "true" : "false");
        sv_strbuf_puts(out, "\n");
    }
}
