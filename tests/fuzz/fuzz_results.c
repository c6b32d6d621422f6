/* fuzz_results.c - result rows: no input may crash, and rows that are taken must be measurable. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sleep/evaluation.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
    sv_result_rows rows = {0};
    sv_evaluation e;
    sv_error err;
    char *text = malloc(size + 1);
    if (!text) return 0;
    memcpy(text, data, size);
    text[size] = 0;
    if (sv_result_rows_parse(text, size, "nights/fuzz/epochs.jsonl", &rows, &err) == SV_OK) {
        if (sv_evaluation_compute(&rows, -1, &e, &err) != SV_OK) abort();
        if (e.n_rows != (int64_t)rows.n || e.agreement[SV_UNPARSED_IS_ERROR].n + e.n_without_truth != e.n_rows) abort();
        for (int k = 0; k < SV_N_CONVENTIONS; k++) {
            if (e.agreement[k].n && !(e.agreement[k].accuracy >= 0 && e.agreement[k].accuracy <= 1)) abort();
        }
        json_t *json = sv_evaluation_to_json(&e);
        if (!json) abort();
        json_decref(json);
    }
    sv_result_rows_free(&rows);
    free(text);
    return 0;
}
