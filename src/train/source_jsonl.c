/* source_jsonl.c - records from a file of them, pictures from the disk. */
#include <math.h>
#include <string.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/memory.h"
#include "stage/answer.h"
#include "train/sample.h"
#include "train/source_kind.h"

typedef struct lines {
    sv_map map;
    char *path, *image_root;
    bool no_pictures;
    size_t n, capacity;
    size_t *begins;   /* [n] offsets of lines that are not blank */
    int64_t *numbers; /* [n] from 1 */
    int64_t first[2];
} lines;

static void free_lines(void *self) {
    lines *s = self;
    sv_map_close(&s->map);
    free(s->path);
    free(s->image_root);
    free(s->begins);
    free(s->numbers);
    free(s);
}

static size_t line_length(const lines *s, size_t begin) {
    const unsigned char *text = s->map.data + begin, *end = memchr(text, '\n', s->map.len - begin);
    return end ? (size_t)(end - text) : s->map.len - begin;
}

static sv_status find_lines(lines *s, sv_error *err) {
    size_t numbers_capacity = 0;
    int64_t number = 1;
    for (size_t begin = 0, len; begin < s->map.len; begin += len + 1, number++) {
        len = line_length(s, begin);
        size_t blanks = 0;
        while (blanks < len && strchr(" \t\r", s->map.data[begin + blanks])) blanks++;
        if (blanks == len) continue;
        if (!sv_grow(&s->begins, s->n, &s->capacity, sizeof *s->begins) ||
            !sv_grow(&s->numbers, s->n, &numbers_capacity, sizeof *s->numbers)) {
            return sv_fail_memory(err, "lines", s->n * sizeof *s->begins);
        }
        s->begins[s->n] = begin;
        s->numbers[s->n++] = number;
    }
    return SV_OK;
}

/* ---- pictures */

static void drop_alpha(sv_image *image) {
    size_t n = (size_t)image->width * (size_t)image->height;
    for (size_t i = 0; i < n && image->n_channels == 4; i++) {
        memmove(image->pixels + 3 * i, image->pixels + 4 * i, 3);
    }
    image->n_channels = 3;
}

static sv_status load_picture(const lines *s, const char *path, sv_record *out, sv_error *err) {
    unsigned char digest[SV_DIGEST_SIZE];
    if (out->n_images == SV_RECORD_MAX_IMAGES) {
        return sv_fail(err, SV_ERR_UNSUPPORTED, "more than %d pictures", SV_RECORD_MAX_IMAGES);
    }
    int k = out->n_images++;
    sv_digest(&(sv_bytes){path, strlen(path)}, 1, digest);
    memcpy(&out->image_keys[k], digest, sizeof out->image_keys[k]);
    if (s->no_pictures) return SV_OK;
    char *joined = path[0] == '/' ? sv_strndup(path, strlen(path)) : sv_path_join(s->image_root, path);
    if (!joined) return sv_fail_memory(err, "a path", strlen(path));
    sv_status status = sv_png_load(joined, &out->images[k], err);
    if (!status) drop_alpha(&out->images[k]);
    free(joined);
    return status;
}

static sv_status load_pictures(const lines *s, sv_record *out, sv_error *err) {
    for (size_t i = 0; i < out->chat.n_messages; i++) {
        const sv_chat_message *m = &out->chat.messages[i];
        for (size_t k = 0; k < m->n_parts; k++) {
            if (!m->parts[k].is_image) continue;
            sv_status status = load_picture(s, m->parts[k].text, out, err);
            if (status) return status;
        }
    }
    return SV_OK;
}

/* ---- what the answer says */

static bool read_second(const json_t *values, int role, sv_second_features *out) {
    double x[5] = {0};
    size_t n = role == SV_ROLE_CHIN ? 1 : 5;
    if (!json_is_array(values) || json_array_size(values) != n) return false;
    for (size_t i = 0; i < n; i++) {
        const json_t *value = json_array_get(values, i);
        if (!json_is_number(value)) return false;
        x[i] = json_number_value(value);
    }
    *out = n == 1 ? (sv_second_features){.mav_uv = x[0]} : (sv_second_features){x[0], x[1], x[2], x[3], x[4]};
    return true;
}

static bool read_channel(const json_t *root, const char *name, int role, sv_epoch_facts *out) {
    const json_t *seconds = json_object_get(root, name);
    if (!json_is_array(seconds) || json_array_size(seconds) != SV_EPOCH_S) return false;
    for (size_t t = 0; t < SV_EPOCH_S; t++) {
        if (!read_second(json_array_get(seconds, t), role, &out->seconds[role][t])) return false;
    }
    return true;
}

/* The answer of WPT; anything else leaves the facts as they are. */
static void read_seconds(const char *answer, sv_epoch_facts *out) {
    const char *begin = strchr(answer, '{'), *end = strrchr(answer, '}');
    json_t *root = NULL;
    sv_error other;
    if (!begin || !end || end < begin || sv_json_parse(begin, (size_t)(end - begin) + 1, "answer", &root, &other)) {
        return;
    }
    for (int r = 0; r < SV_N_ROLES; r++) {
        if (read_channel(root, sv_answer_channel_name((sv_role)r), r, out)) out->roles |= sv_role_bit((sv_role)r);
    }
    out->has_seconds = out->roles != 0;
    json_decref(root);
}

static void read_rules(const json_t *ids, sv_epoch_facts *out) {
    for (size_t i = 0; i < json_array_size(ids); i++) {
        const char *id = json_string_value(json_array_get(ids, i));
        const sv_rule *rule = id ? sv_rule_find(id) : NULL;
        if (rule) out->rules |= (uint16_t)(1u << (rule - sv_rules));
    }
}

static sv_status read_answer(const sv_chat_part *text, sv_epoch_facts *out, sv_error *err) {
    sv_answer answer;
    sv_status status = sv_answer_parse(text->text, text->text_len, &answer, err);
    if (status) return status;
    if (answer.parsed) {
        out->stage = answer.stage;
        read_rules(answer.rules, out);
        if (answer.reasoning_text[0]) {
            out->rationale = answer.reasoning_text;
            answer.reasoning_text = NULL;
        }
    } else {
        read_seconds(text->text, out);
    }
    sv_answer_free(&answer);
    return SV_OK;
}

/* ---- a record */

static sv_status read_weight(const json_t *weight, sv_record *out, sv_error *err) {
    if (!weight) return SV_OK;
    out->weight = json_is_number(weight) ? json_number_value(weight) : NAN;
    if (out->weight >= 0 && out->weight <= SV_MAX_LOSS_WEIGHT) return SV_OK;
    return sv_fail(err, SV_ERR_INPUT, "expected a number from 0 to %g as 'weight', found %s", SV_MAX_LOSS_WEIGHT,
                   json_is_number(weight) ? "another" : "something else");
}

static sv_status read_record(const lines *s, const json_t *root, sv_record *out, sv_error *err) {
    const char *id = sv_json_text(root, "id", "");
    out->facts.stage = SV_STAGE_NONE;
    if (!(out->id = sv_strndup(id, strlen(id)))) return sv_fail_memory(err, "a record", strlen(id));
    sv_status status = read_weight(json_object_get(root, "weight"), out, err);
    if (status) return status;
    status = sv_chat_parse(json_object_get(root, "messages"), &out->chat, err);
    if (status) return status;
    const sv_chat_message *last = &out->chat.messages[out->chat.n_messages - 1];
    if (strcmp(last->role, "assistant") != 0 || last->n_parts != 1 || last->parts[0].is_image) {
        return sv_fail(err, SV_ERR_INPUT,
                       "the last message is not a text of the assistant's: there is nothing to learn");
    }
    status = load_pictures(s, out, err);
    return status ? status : read_answer(&last->parts[0], &out->facts, err);
}

static sv_status parse_line(const lines *s, size_t record, json_t **out, sv_error *err) {
    size_t begin = s->begins[record];
    return sv_json_parse((const char *)s->map.data + begin, line_length(s, begin), "record", out, err);
}

static sv_status get(void *self, const sv_source_place *place, sv_record *out, sv_error *err) {
    const lines *s = self;
    json_t *root = NULL;
    sv_status status = parse_line(s, (size_t)place->record, &root, err);
    if (!status) status = read_record(s, root, out, err);
    json_decref(root);
    if (status) sv_error_prefix(err, "%s: line %lld", s->path, (long long)s->numbers[place->record]);
    return status;
}

/* Its system prompt is that in *common (NULL: it is the first one to be seen). */
static sv_status compare_system(const lines *s, size_t record, char **common, bool *is_same, sv_error *err) {
    json_t *root = NULL;
    sv_chat chat = {0};
    sv_status status = parse_line(s, record, &root, err);
    if (!status) status = sv_chat_parse(json_object_get(root, "messages"), &chat, err);
    if (!status) {
        const sv_chat_message *m = &chat.messages[0];
        const sv_chat_part *text = m->parts;
        *is_same = strcmp(m->role, "system") == 0 && m->n_parts == 1 && !text->is_image &&
                   strlen(text->text) == text->text_len && (!*common || strcmp(*common, text->text) == 0);
        if (*is_same && !*common && !(*common = sv_strndup(text->text, text->text_len)))
            status = sv_fail_memory(err, "prompt", text->text_len);
    }
    sv_chat_free(&chat);
    json_decref(root);
    return status ? sv_error_prefix(err, "%s: line %lld", s->path, (long long)s->numbers[record]) : SV_OK;
}

static sv_status find_system(void *self, char **out, sv_error *err) {
    const lines *s = self;
    sv_status status = SV_OK;
    bool is_same = true;
    *out = NULL;
    for (size_t i = 0; i < s->n && is_same && !status; i++) status = compare_system(s, i, out, &is_same, err);
    if (!status && is_same) return SV_OK;
    free(*out);
    *out = NULL;
    return status;
}

static const sv_source_kind kind_of_lines = {.get = get, .find_system = find_system, .free = free_lines};

sv_status sv_source_open_jsonl(const char *path, const char *image_root, const sv_source_options *options,
                               sv_source **out, sv_error *err) {
    *out = NULL;
    lines *s = sv_calloc(1, sizeof *s);
    if (!s) return sv_fail_memory(err, "a source", sizeof *s);
    s->no_pictures = options->no_pictures;
    s->path = sv_strndup(path, strlen(path));
    s->image_root = sv_strndup(image_root, strlen(image_root));
    sv_status status = s->path && s->image_root ? SV_OK : sv_fail_memory(err, "a source", strlen(path));
    if (!status) status = sv_map_open(path, &s->map, err);
    if (!status) status = find_lines(s, err);
    if (!status && s->n > INT32_MAX) status = sv_fail(err, SV_ERR_UNSUPPORTED, "%s: more than 2^31 lines", path);
    if (!status && s->n == 0) status = sv_fail(err, SV_ERR_INPUT, "%s: expected records, found an empty file", path);
    if (status) {
        free_lines(s);
        return status;
    }
    s->first[1] = (int64_t)s->n;
    return sv_source_new(&kind_of_lines, s, s->first, 1, options, out, err);
}
