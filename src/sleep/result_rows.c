/* result_rows.c - result files, read strictly: a field that is there must make sense. */
#include "sleep/result_rows.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "sleep/agreement.h"
#include "sleep/stages.h"
#include "sleep/temperature.h"

#define MAX_BYTES ((size_t)1 << 30)

void sv_result_rows_free(sv_result_rows *rows) {
    for (int i = 0; i < rows->n_groups; i++) free(rows->groups[i]);
    free(rows->groups);
    free(rows->rows);
    json_decref(rows->group_index);
    *rows = (sv_result_rows){0};
}

static sv_status find_group(sv_result_rows *rows, const char *name, int *out, sv_error *err) {
    if (!rows->group_index) rows->group_index = json_object();
    const json_t *known = json_object_get(rows->group_index, name);
    if (known) {
        *out = (int)json_integer_value(known);
        return SV_OK;
    }
    char *copy = sv_strndup(name, strlen(name));
    if (!copy || !sv_grow(&rows->groups, (size_t)rows->n_groups, &rows->groups_capacity, sizeof *rows->groups) ||
        json_object_set_new(rows->group_index, name, json_integer(rows->n_groups)) != 0) {
        free(copy);
        return sv_fail(err, SV_ERR_INPUT, "'%.80s' cannot be used as the name of a recording", name);
    }
    rows->groups[rows->n_groups] = copy;
    *out = rows->n_groups++;
    return SV_OK;
}

static sv_status append(sv_result_rows *rows, const sv_result_row *row, sv_error *err) {
    if (!sv_grow(&rows->rows, rows->n, &rows->capacity, sizeof *row)) {
        return sv_fail_memory(err, "result rows", (rows->n + 1) * sizeof *row);
    }
    rows->rows[rows->n++] = *row;
    return SV_OK;
}

static bool absent(const json_t *v) { return !v || json_is_null(v); }

/* A stage given as a number under one key and as a name under another; they must agree. Only predictions may be -1. */
static sv_status read_stage(const json_t *row, const char *number_key, const char *name_key, signed char *out,
                            sv_error *err) {
    const json_t *number = json_object_get(row, number_key), *name = json_object_get(row, name_key);
    sv_stage named = SV_STAGE_NONE;
    const bool has_name = json_is_string(name) && json_string_length(name) > 0;
    if (!absent(number) &&
        (!json_is_integer(number) || json_integer_value(number) < -1 || json_integer_value(number) >= SV_N_STAGES)) {
        char *text = json_dumps(number, JSON_ENCODE_ANY);
        sv_status s = sv_fail(err, SV_ERR_INPUT, "expected \"%s\" to be -1..4 or null, found %.60s", number_key,
                              text ? text : "?");
        free(text);
        return s;
    }
    if (!absent(name) && !json_is_string(name)) {
        return sv_fail(err, SV_ERR_INPUT, "expected \"%s\" to be the name of a stage or null", name_key);
    }
    if (has_name && !sv_stage_from_annotation(json_string_value(name), &named) && absent(number)) {
        return sv_fail(err, SV_ERR_INPUT, "expected \"%s\" to be W, N1, N2, N3 or R, found '%.60s'", name_key,
                       json_string_value(name));
    }
    if (!absent(number) && named != SV_STAGE_NONE && json_integer_value(number) != named) {
        return sv_fail(err, SV_ERR_INPUT, "\"%s\" is %d but \"%s\" is '%.60s'", number_key,
                       (int)json_integer_value(number), name_key, json_string_value(name));
    }
    *out = (signed char)(absent(number) ? (int)named : (int)json_integer_value(number));
    return SV_OK;
}

static sv_status read_probabilities(const json_t *value, double out[SV_N_STAGES], sv_error *err) {
    double sum = 0;
    for (int s = 0; s < SV_N_STAGES; s++) out[s] = NAN;
    if (absent(value)) return SV_OK;
    for (int s = 0; s < SV_N_STAGES; s++) {
        const json_t *p = json_is_array(value) && json_array_size(value) == SV_N_STAGES
                              ? json_array_get(value, (size_t)s)
                              : json_object_get(value, sv_stage_name((sv_stage)s));
        if (!p && s == SV_STAGE_R) p = json_object_get(value, "REM");
        const double x = json_is_number(p) ? json_number_value(p) : NAN;
        if (!(x >= 0 && x <= 1 + 1e-6)) {
            return sv_fail(
                err, SV_ERR_INPUT,
                "expected \"probabilities\" to be five numbers in [0, 1] (W, N1, N2, N3, R, as a list or by name); "
                "that of %s is not",
                sv_stage_name((sv_stage)s));
        }
        out[s] = x;
        sum += x;
    }
    if (fabs(sum - 1) < 0.01) return SV_OK;
    return sv_fail(err, SV_ERR_INPUT, "expected \"probabilities\" with the sum 1, found %.4f", sum);
}

/* Rows of 4 decimals are equal to what they were rounded from. */
static const double iou_rounding = 1e-3;

/* True rules copied from a table are one text; sv_rules_iou, as the published code, splits only the answer's side. */
static json_t *as_list(const json_t *rules) {
    if (!json_is_string(rules)) return json_incref((json_t *)(uintptr_t)rules);
    json_t *list = json_array();
    const char *text = json_string_value(rules);
    for (bool more = true; more;) {
        const size_t n = strcspn(text, ",");
        if (strspn(text, " \t") < n) json_array_append_new(list, json_stringn(text, n));
        more = text[n] == ',';
        text += n + 1;
    }
    return list;
}

static sv_status read_iou(const json_t *row, sv_result_row *out, sv_result_rows *rows, sv_error *err) {
    const json_t *truth = json_object_get(row, "gt_applicable_rules"), *stored = json_object_get(row, "rules_iou");
    out->rules_iou = json_is_number(stored) ? json_number_value(stored) : NAN;
    if (!absent(stored) && !(out->rules_iou >= 0 && out->rules_iou <= 1)) {
        return sv_fail(err, SV_ERR_INPUT, "expected \"rules_iou\" to be a number in [0, 1] or null");
    }
    if (!absent(truth)) {
        json_t *list = as_list(truth);
        const double iou = sv_rules_iou(json_object_get(row, "applicable_rules"), list);
        json_decref(list);
        if (isnan(iou)) return sv_fail_memory(err, "rules", 0);
        const bool parsed = out->prediction != SV_STAGE_NONE;
        rows->n_iou_differs += parsed && !isnan(out->rules_iou) && fabs(iou - out->rules_iou) > iou_rounding;
        out->rules_iou = iou;
    }
    if (out->prediction == SV_STAGE_NONE && !isnan(out->rules_iou)) out->rules_iou = 0;
    return SV_OK;
}

/* `fallback` names the recording when the row does not. */
static sv_status read_name(const json_t *row, const char *fallback, sv_result_rows *rows, sv_result_row *out,
                           sv_error *err) {
    const json_t *sub_id = json_object_get(row, "sub_id");
    const char *custom_id = sv_json_text(row, "custom_id", "");
    const char *hash = strrchr(custom_id, '#');
    char name[256];
    if (json_is_string(sub_id)) {
        snprintf(name, sizeof name, "%s", json_string_value(sub_id));
    } else if (json_is_integer(sub_id)) {
        snprintf(name, sizeof name, "%lld", (long long)json_integer_value(sub_id));
    } else {
        snprintf(name, sizeof name, "%.*s", hash ? (int)SV_MIN((size_t)(hash - custom_id), sizeof name - 1) : 0,
                 custom_id);
    }
    out->epoch = sv_json_int(row, "epoch", -1);
    if (out->epoch < 0 && hash && hash[1] >= '0' && hash[1] <= '9') out->epoch = strtoll(hash + 1, NULL, 10);
    return find_group(rows, *name ? name : fallback, &out->group, err);
}

/* Whose probabilities they are, and what they were before a temperature. */
static sv_status complete_probabilities(const json_t *value, sv_result_row *row, sv_error *err) {
    const char *source = sv_json_text(value, "probability_source", "");
    const json_t *temperature = json_object_get(value, "temperature");
    if (strlen(source) >= sizeof row->source) {
        return sv_fail(err, SV_ERR_INPUT, "expected \"probability_source\" of at most %zu bytes, found '%.40s...'",
                       sizeof row->source - 1, source);
    }
    snprintf(row->source, sizeof row->source, "%s", source);
    if (isnan(row->probabilities[0]) || !isnan(row->raw[0])) return SV_OK;
    memcpy(row->raw, row->probabilities, sizeof row->raw);
    if (absent(temperature)) return SV_OK;
    const double t = json_is_number(temperature) ? json_number_value(temperature) : NAN;
    if (!(t >= SV_TEMPERATURE_LEAST && t <= SV_TEMPERATURE_MOST)) {
        return sv_fail(err, SV_ERR_INPUT, "expected \"temperature\" to be a number from %g to %g or null",
                       SV_TEMPERATURE_LEAST, SV_TEMPERATURE_MOST);
    }
    sv_temperature_apply(1 / t, row->raw);
    return SV_OK;
}

static sv_status read_row(const json_t *value, const char *fallback, json_t *seen, sv_result_rows *rows,
                          sv_error *err) {
    sv_result_row row;
    if (!json_is_object(value)) return sv_fail(err, SV_ERR_INPUT, "expected a JSON object, one for each epoch");
    if (!json_object_get(value, "pred") && !json_object_get(value, "pred_stage")) {
        return sv_fail(err, SV_ERR_INPUT, "expected a result row with \"pred\" or \"pred_stage\"; it has neither");
    }
    sv_status s = read_stage(value, "label", "stage", &row.truth, err);
    if (!s) s = read_stage(value, "pred", "pred_stage", &row.prediction, err);
    if (!s) s = read_probabilities(json_object_get(value, "probabilities"), row.probabilities, err);
    if (!s) s = read_probabilities(json_object_get(value, "raw_probabilities"), row.raw, err);
    if (!s) s = complete_probabilities(value, &row, err);
    if (!s) s = read_name(value, fallback, rows, &row, err);
    if (!s) s = read_iou(value, &row, rows, err);
    if (s) return s;

    const char *custom_id = sv_json_text(value, "custom_id", NULL);
    const json_t *earlier = custom_id ? json_object_get(seen, custom_id) : NULL;
    if (earlier) {
        rows->rows[json_integer_value(earlier)] = row;
        rows->n_duplicates++;
        return SV_OK;
    }
    if (custom_id && json_object_set_new(seen, custom_id, json_integer((json_int_t)rows->n)) != 0) {
        return sv_fail_memory(err, "row names", strlen(custom_id));
    }
    return append(rows, &row, err);
}

static sv_status read_array(const char *text, size_t len, const char *path, const char *fallback, json_t *seen,
                            sv_result_rows *rows, sv_error *err) {
    json_t *array;
    sv_status s = sv_json_parse(text, len, path, &array, err);
    for (size_t i = 0; !s && i < json_array_size(array); i++) {
        s = read_row(json_array_get(array, i), fallback, seen, rows, err);
        if (s) sv_error_prefix(err, "%s: row %zu", path, i + 1);
    }
    json_decref(array);
    return s;
}

static sv_status read_lines(const char *text, size_t len, const char *path, const char *fallback, json_t *seen,
                            sv_result_rows *rows, sv_error *err) {
    sv_status s = SV_OK;
    size_t line = 1;
    for (size_t at = 0; !s && at < len; line++) {
        const char *end = memchr(text + at, '\n', len - at);
        const size_t n = (end ? (size_t)(end - text) : len) - at;
        json_t *value;
        if (strspn(text + at, " \t\r") < n) {
            json_error_t problem;
            value = json_loadb(text + at, n, JSON_ALLOW_NUL | JSON_DECODE_ANY, &problem);
            s = value ? read_row(value, fallback, seen, rows, err)
                      : sv_fail_at(err, SV_ERR_INPUT, (int64_t)at + problem.position, "not valid JSON%s: %s",
                                   end ? "" : " (the last line: is the file cut?)", problem.text);
            json_decref(value);
            if (s) sv_error_prefix(err, "%s:%zu", path, line);
        }
        at += n + 1;
    }
    return s;
}

/* "nights/a/epochs.jsonl" -> "a", "nights/a.jsonl" -> "a" */
static char *name_of(const char *path) {
    const char *name = sv_path_name(path), *end = strrchr(name, '.');
    if (strcmp(name, "epochs.jsonl") == 0 && name - path > 1) {
        end = name - 1;
        for (name = end; name > path && name[-1] != '/';) name--;
    }
    return sv_strndup(name, end && end > name ? (size_t)(end - name) : strlen(name));
}

sv_status sv_result_rows_parse(const char *text, size_t len, const char *path, sv_result_rows *rows, sv_error *err) {
    sv_status s;
    char *fallback = name_of(path);
    json_t *seen = json_object();
    const size_t before = rows->n;
    if (!fallback || !seen) {
        s = sv_fail_memory(err, path, 64);
    } else {
        s = text[strspn(text, " \t\r\n")] == '[' ? read_array(text, len, path, fallback, seen, rows, err)
                                                 : read_lines(text, len, path, fallback, seen, rows, err);
    }
    if (!s && rows->n == before) s = sv_fail(err, SV_ERR_INPUT, "%s: there are no rows in it", path);
    json_decref(seen);
    free(fallback);
    return s;
}

sv_status sv_result_rows_read(const char *path, sv_result_rows *rows, sv_error *err) {
    char *text;
    size_t len;
    sv_status s = sv_file_read(path, MAX_BYTES, &text, &len, err);
    if (s) return s;
    s = sv_result_rows_parse(text, len, path, rows, err);
    free(text);
    return s;
}

sv_status sv_result_rows_add_stages(sv_result_rows *rows, const char *group, const signed char *truth,
                                    const signed char *prediction, size_t n, sv_error *err) {
    sv_result_row row = {.rules_iou = NAN};
    for (int k = 0; k < SV_N_STAGES; k++) row.probabilities[k] = row.raw[k] = NAN;
    sv_status s = find_group(rows, group, &row.group, err);
    for (size_t i = 0; !s && i < n; i++) {
        row.epoch = (int64_t)i;
        row.truth = truth[i];
        row.prediction = prediction[i];
        s = append(rows, &row, err);
    }
    return s;
}
