/*
 * output.h - the result folder's files, each written atomically.
 */
#ifndef SV_STAGE_OUTPUT_H
#define SV_STAGE_OUTPUT_H

#include "base/json.h"
#include "stage/prompt.h"
#include "stage/subject.h"

/* One compact object a line. */
sv_status sv_output_rows(const char *path, const json_t *rows, sv_error *err);

/* epoch,onset_s,duration_s,clock,stage,truth,W,N1,N2,N3,R,flags with a header line; RFC 4180, probabilities empty for
 * epochs that were not asked. */
sv_status sv_output_hypnogram_csv(const char *path, const json_t *rows, const sv_start_time *start, sv_error *err);

/* False when hypnogram.edf has to be written without the start: EDF holds the years 1985 to 2084. */
bool sv_output_start_fits_edf(const sv_start_time *start);

/* The stages of rows: [n_rows], new memory; NULL when there is none. */
signed char *sv_output_stages(const json_t *rows);

/* summary.json as an object: provenance, counts, statistics, agreement with the scorer, warnings, and the audit's
 * summary (NULL: not audited; the reference stays the caller's). */
sv_status sv_output_summary(const sv_subject *subject, const sv_stage_prompt *prompt, const json_t *provenance,
                            const char *fingerprint, const json_t *rows, json_t *audit, json_t **out, sv_error *err);

#endif
