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
    const json_t *summary; /* summary.json */
    const json_t *rows;    /* epochs.jsonl as an array, by epoch */
    const sv_night *night; /* the pictures are drawn from it */
} sv_report_input;

/* Writes the report atomically. `pool` (may be NULL) shares out the drawing; the file does not depend on it. */
sv_status sv_report_write(const char *path, const sv_report_input *input, sv_pool *pool, sv_error *err);

#endif
