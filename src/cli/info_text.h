/*
 * info_text.h - small parts for printing what files say: safe text, times, aligned tables, JSON values.
 */
#ifndef SV_CLI_INFO_TEXT_H
#define SV_CLI_INFO_TEXT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/strbuf.h"

/* Appends `text` with control characters and broken UTF-8 as '?', so that a file cannot steer the terminal. Returns the
 * columns it takes. */
int sv_info_put_safe(sv_strbuf *out, const char *text);

/* Appends "7:59:30" or, with a fraction, "0:00:12.250". */
void sv_info_put_time(sv_strbuf *out, double seconds);

/* A table whose columns become as wide as their content. `align` has an 'l' or 'r' a column; `header` its titles,
 * joined by '|'. */
typedef struct sv_info_table {
    const char *align;
    size_t n_cells, capacity;
    char **cells; /* owned; the header is the first row */
    bool failed;
} sv_info_table;
void sv_info_table_start(sv_info_table *table, const char *header, const char *align);
void sv_info_table_cell(sv_info_table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));
void sv_info_table_end(sv_info_table *table, sv_strbuf *out); /* appends and frees */

/* JSON values: text with broken UTF-8 repaired; null for a number that is not finite. */
json_t *sv_info_text(const char *text);
json_t *sv_info_number(double value);

/* Sets a member, taking `value`; *ok becomes false when there is no memory. */
void sv_info_set(json_t *object, const char *key, json_t *value, bool *ok);

#endif
