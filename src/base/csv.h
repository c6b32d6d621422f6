/*
 * csv.h - tables of comma-separated values: RFC 4180, strictly.
 *
 * Fields in double quotes may hold commas, line ends and doubled quotes. Lines end in LF or CRLF; a byte order mark and
 * empty lines are passed over. Every row has as many fields as the first.
 */
#ifndef SV_BASE_CSV_H
#define SV_BASE_CSV_H

#include "base/status.h"

typedef struct sv_csv {
    size_t n_rows, n_columns; /* the first row too, which usually names the columns */
    char **fields;            /* [n_rows, n_columns] UTF-8, without the quotes around them */
    int64_t *lines;           /* [n_rows] line of the file on which a row begins, from 1 */
    char *text;               /* what the fields point into */
} sv_csv;
void sv_csv_free(sv_csv *csv); /* frees and zeroes */

/* SV_ERR_INPUT names the file and the line: a quote that is never closed, text after a closing quote, a quote inside a
 * field without quotes, a row of another length, a 0 byte, text that is not UTF-8, no row at all. */
sv_status sv_csv_parse(const char *text, size_t len, const char *name, sv_csv *out, sv_error *err);
sv_status sv_csv_load(const char *path, sv_csv *out, sv_error *err);

/* The column that the first row calls so; -1: none. */
int sv_csv_column(const sv_csv *csv, const char *name);

static inline const char *sv_csv_field(const sv_csv *csv, size_t row, int column) {
    return csv->fields[row * csv->n_columns + (size_t)column];
}

#endif
