/*
 * report.h - one self-contained HTML file about a staged night, that opens offline.
 */
#ifndef SV_REPORT_REPORT_H
#define SV_REPORT_REPORT_H

#include "base/json.h"
#include "base/png.h"
#include "base/threads.h"
#include "psg/night.h"

typedef struct sv_report_input {
    const json_t *summary; /* summary.json; `triage`, also inside `audit`, becomes the list of epochs to look at */
    const json_t *rows; /* epochs.jsonl as an array, by epoch; `audit` and `evidence` are shown where a row has them */
    const sv_night *night; /* the pictures are drawn from it */
    bool no_signals;       /* leaves the signals out: no traces, a smaller file */
} sv_report_input;

/* Writes the report atomically. `pool` (may be NULL) shares out the drawing; the file does not depend on it. */
sv_status sv_report_write(const char *path, const sv_report_input *input, sv_pool *pool, sv_error *err);

#endif
