/* csv.c - one pass over a copy of the text; fields are unquoted in place, where they can only become shorter. */
#include "base/csv.h"

#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/utf8.h"

#define MAX_BYTES ((size_t)1 << 30)

typedef struct reader {
    char *p, *end;
    char *
        field_end; /* of the field read last: its final 0 goes there once the byte after the field has been looked at */
    int64_t line;
    const char *name;
    sv_csv *out;
    size_t n_fields, fields_capacity, rows_capacity;
    sv_error *err;
} reader;

static sv_status wrong(const reader *r, int64_t line, const char *what) {
    return sv_fail(r->err, SV_ERR_INPUT, "%s: line %lld: %s", r->name, (long long)line, what);
}

static bool at_line_end(const reader *r) {
    return r->p == r->end || *r->p == '\n' || (*r->p == '\r' && r->p + 1 < r->end && r->p[1] == '\n');
}

static void pass_line_end(reader *r) {
    if (r->p < r->end && *r->p == '\r') r->p++;
    if (r->p < r->end) r->p++;
    r->line++;
}

/* From behind the opening quote to behind the closing one. */
static sv_status unquote(reader *r) {
    int64_t first_line = r->line;
    char *w = r->p;
    while (r->p < r->end) {
        if (*r->p == '"') {
            if (r->p + 1 == r->end || r->p[1] != '"') {
                r->p++;
                r->field_end = w;
                return SV_OK;
            }
            r->p++;
        }
        if (*r->p == '\n') r->line++;
        *w++ = *r->p++;
    }
    return wrong(r, first_line, "a quoted field begins here and never ends");
}

static sv_status read_field(reader *r) {
    char *field = r->p;
    sv_status s = SV_OK;
    if (r->p < r->end && *r->p == '"') {
        field = ++r->p;
        s = unquote(r);
        if (!s && !at_line_end(r) && *r->p != ',') s = wrong(r, r->line, "text after a closing quote");
    } else {
        while (!at_line_end(r) && !strchr(",\"\r", *r->p)) r->p++;
        r->field_end = r->p;
        if (!at_line_end(r) && *r->p == '"') s = wrong(r, r->line, "a quote inside a field that has none around it");
        if (!at_line_end(r) && *r->p == '\r') s = wrong(r, r->line, "a carriage return without a line feed");
    }
    if (s) return s;
    if (!sv_grow(&r->out->fields, r->n_fields, &r->fields_capacity, sizeof *r->out->fields)) {
        return sv_fail_memory(r->err, r->name, r->n_fields * sizeof(char *));
    }
    r->out->fields[r->n_fields++] = field;
    return SV_OK;
}

static sv_status read_row(reader *r) {
    size_t n = 0;
    sv_csv *out = r->out;
    if (!sv_grow(&out->lines, out->n_rows, &r->rows_capacity, sizeof *out->lines)) {
        return sv_fail_memory(r->err, r->name, out->n_rows * sizeof *out->lines);
    }
    out->lines[out->n_rows] = r->line;
    for (bool more = true; more; n++) {
        sv_status s = read_field(r);
        if (s) return s;
        more = r->p < r->end && *r->p == ',';
        if (more)
            r->p++;
        else
            pass_line_end(r);
        *r->field_end = 0;
    }
    if (out->n_rows == 0) out->n_columns = n;
    if (n != out->n_columns) {
        return sv_fail(r->err, SV_ERR_INPUT, "%s: line %lld: %zu fields, the first row has %zu", r->name,
                       (long long)out->lines[out->n_rows], n, out->n_columns);
    }
    out->n_rows++;
    return SV_OK;
}

sv_status sv_csv_parse(const char *text, size_t len, const char *name, sv_csv *out, sv_error *err) {
    static const char mark[] = "\xEF\xBB\xBF";
    *out = (sv_csv){0};
    if (len && memchr(text, 0, len)) return sv_fail(err, SV_ERR_INPUT, "%s: holds a 0 byte: not a table of text", name);
    sv_status s = sv_utf8_check(text, len, name, err);
    if (s) return s;
    char *copy = out->text = sv_strndup(len ? text : "", len);
    if (!copy) return sv_fail_memory(err, name, len);
    reader r = {.p = copy, .end = copy + len, .line = 1, .name = name, .out = out, .err = err};
    if (len >= 3 && memcmp(copy, mark, 3) == 0) r.p += 3;
    while (r.p < r.end && !s) {
        if (at_line_end(&r))
            pass_line_end(&r);
        else
            s = read_row(&r);
    }
    if (!s && out->n_rows == 0) s = sv_fail(err, SV_ERR_INPUT, "%s: expected a table, found an empty file", name);
    if (s) sv_csv_free(out);
    return s;
}

sv_status sv_csv_load(const char *path, sv_csv *out, sv_error *err) {
    char *text;
    size_t len;
    *out = (sv_csv){0};
    sv_status s = sv_file_read(path, MAX_BYTES, &text, &len, err);
    if (s) return s;
    s = sv_csv_parse(text, len, path, out, err);
    free(text);
    return s;
}

int sv_csv_column(const sv_csv *csv, const char *name) {
    for (size_t c = 0; c < csv->n_columns; c++) {
        if (strcmp(csv->fields[c], name) == 0) return (int)c;
    }
    return -1;
}

void sv_csv_free(sv_csv *csv) {
    free(csv->fields);
    free(csv->lines);
    free(csv->text);
    *csv = (sv_csv){0};
}
