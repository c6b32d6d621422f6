/* fuzz_csv.c - any bytes as a table: no fault, and fields that lie in the text. */
#include <stdlib.h>
#include <string.h>

#include "base/csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    sv_csv csv;
    sv_error err;
    if (sv_csv_parse((const char *)data, size, "input", &csv, &err)) return 0;
    size_t length = 0;
    for (size_t i = 0; i < csv.n_rows * csv.n_columns; i++) length += strlen(csv.fields[i]) + 1;
    if (length > size + 1) abort();
    sv_csv_free(&csv);
    return 0;
}
