/* montage_choice.c - overrides: ROLE=LABEL[-REF] from the command line or a montage file. */
#include "psg/montage_choice.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/memory.h"

enum { MAX_FILE_BYTES = 64 << 10, MAX_LIST_BYTES = 330 };

typedef struct span {
    const char *text;
    size_t len;
} span;

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

static span trim(span s) {
    while (s.len > 0 && is_blank(s.text[0])) s = (span){s.text + 1, s.len - 1};
    while (s.len > 0 && is_blank(s.text[s.len - 1])) s.len--;
    return s;
}

/* "role = label" -> choice; quotes around the label are taken off, so that it can hold '#' or blanks at the ends. */
static sv_status parse_choice(span line, sv_channel_choice *out, sv_error *err) {
    const char *equals = memchr(line.text, '=', line.len);
    char name[16];
    span role = trim((span){line.text, equals ? (size_t)(equals - line.text) : 0});
    if (!equals || role.len == 0 || role.len >= sizeof name) {
        return sv_fail(err, SV_ERR_USAGE, "expected ROLE=LABEL or ROLE=LABEL-REFERENCE, found '%.*s'",
                       (int)SV_MIN(line.len, (size_t)80), line.text);
    }
    memcpy(name, role.text, role.len);
    name[role.len] = 0;
    if (!sv_role_from_name(name, &out->role)) {
        return sv_fail(err, SV_ERR_USAGE, "'%s' is not a role; the roles are F4, C4, O2, LOC, ROC and Chin", name);
    }
    span label = trim((span){equals + 1, line.len - (size_t)(equals + 1 - line.text)});
    if (label.len >= 2 && label.text[0] == '"' && label.text[label.len - 1] == '"') {
        label = (span){label.text + 1, label.len - 2};
    }
    if (label.len >= sizeof out->label) {
        return sv_fail(err, SV_ERR_USAGE, "the label for %s has %zu bytes; at most %zu are possible", name, label.len,
                       sizeof out->label - 1);
    }
    memcpy(out->label, label.text, label.len);
    out->label[label.len] = 0;
    return SV_OK;
}

sv_status sv_channel_choice_parse(const char *text, sv_channel_choice *out, sv_error *err) {
    return parse_choice((span){text, strlen(text)}, out, err);
}

/* The line without its comment: from a '#' at the start or after a blank, outside quotes. */
static span without_comment(span line) {
    bool quoted = false;
    for (size_t i = 0; i < line.len; i++) {
        if (line.text[i] == '"') quoted = !quoted;
        if (line.text[i] == '#' && !quoted && (i == 0 || is_blank(line.text[i - 1]))) line.len = i;
    }
    return line;
}

static sv_status parse_file(const char *path, span text, sv_channel_choice **choices, size_t *n, sv_error *err) {
    size_t capacity = 0;
    for (int number = 1; text.len > 0; number++) {
        const char *end = memchr(text.text, '\n', text.len);
        size_t len = end ? (size_t)(end - text.text) : text.len;
        span line = trim(without_comment((span){text.text, len}));
        size_t step = end ? len + 1 : len;
        text = (span){text.text + step, text.len - step};
        if (line.len == 0) continue;
        if (!sv_grow(choices, *n, &capacity, sizeof **choices)) {
            return sv_fail_memory(err, "the montage file", (*n + 1) * sizeof **choices);
        }
        if (parse_choice(line, &(*choices)[*n], err)) {
            sv_error_prefix(err, "%s, line %d", path, number);
            if (err) err->status = SV_ERR_INPUT;
            return SV_ERR_INPUT;
        }
        (*n)++;
    }
    return SV_OK;
}

sv_status sv_montage_file_load(const char *path, sv_channel_choice **out, size_t *n_out, sv_error *err) {
    char *text;
    size_t len;
    *out = NULL;
    *n_out = 0;
    sv_status status = sv_file_read(path, MAX_FILE_BYTES, &text, &len, err);
    if (status) return status;
    size_t bom = len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    status = parse_file(path, (span){text + bom, len - bom}, out, n_out, err);
    free(text);
    if (status) {
        free(*out);
        *out = NULL;
        *n_out = 0;
    }
    return status;
}

void sv_labels_list(const sv_recording_info *info, sv_strbuf *out) {
    size_t start = out->len;
    int n_listed = 0, n_left = 0, n_others = 0;
    for (int i = 0; i < info->n_signals; i++) {
        const sv_signal *signal = &info->signals[i];
        if (!(signal->uv_per_unit > 0) && !sv_signal_unit_missing(signal)) {
            n_others++;
        } else if (n_left > 0 || out->len - start + strlen(signal->label) + 4 > MAX_LIST_BYTES) {
            n_left++;
        } else {
            sv_strbuf_printf(out, "%s'%s'", n_listed++ ? ", " : "", signal->label);
        }
    }
    if (n_left > 0) sv_strbuf_printf(out, " and %d more", n_left);
    if (n_others > 0) sv_strbuf_printf(out, "%s%d that are not voltages", n_listed ? " and " : "", n_others);
    if (info->n_signals == 0) sv_strbuf_puts(out, "no signals");
}

static int find_label(const sv_recording_info *info, span label, bool any_case) {
    for (int i = 0; i < info->n_signals; i++) {
        const char *text = info->signals[i].label;
        if (strlen(text) != label.len) continue;
        bool same = any_case ? strncasecmp(text, label.text, label.len) == 0 : memcmp(text, label.text, label.len) == 0;
        if (same) return i;
    }
    return -1;
}

static int find_either_case(const sv_recording_info *info, span label) {
    int i = find_label(info, label, false);
    return i >= 0 ? i : find_label(info, label, true);
}

static bool find_channels(const sv_recording_info *info, span wanted, int *plus, int *minus) {
    *minus = -1;
    *plus = find_either_case(info, wanted);
    if (*plus >= 0) return true;
    for (size_t i = 1; i + 1 < wanted.len; i++) {
        if (wanted.text[i] != '-') continue;
        *plus = find_either_case(info, trim((span){wanted.text, i}));
        *minus = find_either_case(info, trim((span){wanted.text + i + 1, wanted.len - i - 1}));
        if (*plus >= 0 && *minus >= 0) return true;
    }
    return false;
}

static sv_status check_voltage(const sv_recording_info *info, const sv_channel_choice *choice, int i, sv_error *err) {
    const sv_signal *signal = &info->signals[i];
    if (signal->uv_per_unit > 0 || sv_signal_unit_missing(signal)) return SV_OK;
    return sv_fail(err, SV_ERR_INPUT,
                   "--channel %s=%s: '%s' is in '%s', which is not a voltage; choose another channel",
                   sv_role_name(choice->role), choice->label, signal->label, signal->unit);
}

static sv_status fail_unknown(const sv_recording_info *info, const sv_channel_choice *choice, sv_error *err) {
    sv_strbuf list = {0};
    sv_labels_list(info, &list);
    sv_status status = sv_fail(err, SV_ERR_INPUT, "--channel %s=%s: there is no such channel; the file has: %s",
                               sv_role_name(choice->role), choice->label, sv_strbuf_text(&list));
    sv_strbuf_free(&list);
    return status;
}

sv_status sv_channel_choice_resolve(const sv_channel_choice *choice, const sv_recording_info *info, sv_derivation *out,
                                    sv_error *err) {
    *out = (sv_derivation){.plus = -1, .minus = -1, .by_user = true};
    span wanted = trim((span){choice->label, strlen(choice->label)});
    if (wanted.len == 0) {
        snprintf(out->reason, sizeof out->reason, "Switched off by the user.");
        return SV_OK;
    }
    int plus, minus;
    if (!find_channels(info, wanted, &plus, &minus)) return fail_unknown(info, choice, err);
    sv_status status = check_voltage(info, choice, plus, err);
    if (!status && minus >= 0) status = check_voltage(info, choice, minus, err);
    if (status) return status;
    if (minus >= 0 && info->signals[plus].rate_hz != info->signals[minus].rate_hz) {
        return sv_fail(err, SV_ERR_INPUT, "--channel %s=%s: '%s' has %g Hz but '%s' has %g Hz; both must have one rate",
                       sv_role_name(choice->role), choice->label, info->signals[plus].label,
                       info->signals[plus].rate_hz, info->signals[minus].label, info->signals[minus].rate_hz);
    }
    out->present = true;
    out->plus = plus;
    out->minus = minus;
    snprintf(out->name, sizeof out->name, "%.*s", (int)wanted.len, wanted.text);
    return SV_OK;
}
