/* info_text.c - safe text, times, tables. */
#include "cli/info_text.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <utf8proc.h>

#include "base/memory.h"

int sv_info_put_safe(sv_strbuf *out, const char *text) {
    const utf8proc_uint8_t *p = (const utf8proc_uint8_t *)text;
    int columns = 0;
    while (*p) {
        utf8proc_int32_t code;
        utf8proc_ssize_t n = utf8proc_iterate(p, -1, &code);
        utf8proc_category_t category = n > 0 ? utf8proc_category(code) : UTF8PROC_CATEGORY_CC;
        /* besides controls, the invisible ones that turn the direction of writing */
        if (category == UTF8PROC_CATEGORY_CC || category == UTF8PROC_CATEGORY_CF) {
            sv_strbuf_puts(out, "?");
            columns++;
        } else {
            sv_strbuf_append(out, (const char *)p, (size_t)n);
            columns += utf8proc_charwidth(code);
        }
        p += n > 0 ? n : 1;
    }
    return columns;
}

void sv_info_put_time(sv_strbuf *out, double seconds) {
    if (!(seconds >= 0 && seconds < 1e12)) {
        sv_strbuf_printf(out, "%g s", seconds);
        return;
    }
    long long ms = llround(seconds * 1000), s = ms / 1000;
    sv_strbuf_printf(out, "%lld:%02lld:%02lld", s / 3600, s / 60 % 60, s % 60);
    if (ms % 1000) sv_strbuf_printf(out, ".%03lld", ms % 1000);
}

void sv_info_table_cell(sv_info_table *table, const char *format, ...) {
    va_list args;
    char fixed[512];
    va_start(args, format);
    int n = vsnprintf(fixed, sizeof fixed, format, args);
    va_end(args);
    if (n < 0 || !sv_grow(&table->cells, table->n_cells, &table->capacity, sizeof *table->cells)) {
        table->failed = true;
        return;
    }
    char *cell = sv_strndup(fixed, strlen(fixed));
    if (cell) table->cells[table->n_cells++] = cell;
    table->failed |= !cell;
}

void sv_info_table_start(sv_info_table *table, const char *header, const char *align) {
    *table = (sv_info_table){.align = align};
    for (;;) {
        size_t n = strcspn(header, "|");
        sv_info_table_cell(table, "%.*s", (int)n, header);
        if (!header[n]) break;
        header += n + 1;
    }
}

static int columns_of(const char *text) {
    sv_strbuf scratch = {0};
    int columns = sv_info_put_safe(&scratch, text);
    sv_strbuf_free(&scratch);
    return columns;
}

static void put_cell(sv_strbuf *out, const char *text, int width, bool right, bool last) {
    int padding = SV_MAX(0, width - columns_of(text));
    if (right) sv_strbuf_printf(out, "%*s", padding, "");
    sv_info_put_safe(out, text);
    if (last) {
        while (out->len > 0 && out->data[out->len - 1] == ' ') out->data[--out->len] = 0;
        sv_strbuf_puts(out, "\n");
    } else {
        sv_strbuf_printf(out, "%*s  ", right ? 0 : padding, "");
    }
}

void sv_info_table_end(sv_info_table *table, sv_strbuf *out) {
    enum { MAX_COLUMNS = 8 };
    int width[MAX_COLUMNS] = {0};
    size_t n_columns = SV_MIN(strlen(table->align), (size_t)MAX_COLUMNS);
    out->failed |= table->failed;
    for (size_t i = 0; i < table->n_cells; i++) {
        width[i % n_columns] = SV_MAX(width[i % n_columns], columns_of(table->cells[i]));
    }
    sv_strbuf_puts(out, "\n");
    for (size_t i = 0; i < table->n_cells; i++) {
        size_t column = i % n_columns;
        if (column == 0) sv_strbuf_puts(out, "  ");
        put_cell(out, table->cells[i], width[column], table->align[column] == 'r', column == n_columns - 1);
    }
    for (size_t i = 0; i < table->n_cells; i++) free(table->cells[i]);
    free(table->cells);
    *table = (sv_info_table){0};
}

json_t *sv_info_text(const char *text) {
    json_t *value = json_string(text);
    if (value) return value;
    sv_strbuf safe = {0};
    sv_info_put_safe(&safe, text);
    value = json_string(sv_strbuf_text(&safe));
    sv_strbuf_free(&safe);
    return value;
}

json_t *sv_info_number(double value) { return isfinite(value) ? json_real(value) : json_null(); }

void sv_info_set(json_t *object, const char *key, json_t *value, bool *ok) {
    if (json_object_set_new(object, key, value)) *ok = false;
}
