/*
 * result_rows.h - the rows of a result file, as far as they are compared: ours (epochs.jsonl) and those of the
 * published system, one JSON object an epoch.
 */
#ifndef SV_SLEEP_RESULT_ROWS_H
#define SV_SLEEP_RESULT_ROWS_H

#include "base/json.h"

typedef struct sv_result_row {
    int group;                         /* index in sv_result_rows.groups */
    int64_t epoch;                     /* from 0; -1 when the row does not say */
    signed char truth, prediction;     /* sv_stage; SV_STAGE_NONE: no truth, not parsed */
    double probabilities[SV_N_STAGES]; /* all NaN when the row has none */
    double raw[SV_N_STAGES];           /* before a temperature was applied; all NaN without probabilities */
    char source[16];                   /* of the probabilities; "" when the row does not say */
    double rules_iou;                  /* NaN when the row has no true rules */
} sv_result_row;

/* Rows in the order of the files. Groups are the recordings (sub_id), in the order of appearance. */
typedef struct sv_result_rows {
    sv_result_row *rows;
    size_t n, capacity;
    char **groups;
    int n_groups;
    size_t groups_capacity;
    int64_t n_duplicates;  /* rows that replaced an earlier one of the same file and custom_id */
    int64_t n_iou_differs; /* rows whose stored rules_iou is not that of their lists */
    json_t *group_index;   /* name -> index */
} sv_result_rows;
void sv_result_rows_free(sv_result_rows *rows);

/* Appends the rows of a file: JSON objects one a line, or one JSON array of them. SV_ERR_INPUT names file and line (or
 * row) and the field that is wrong. Fields: label (0..4, null) or stage (name); pred (-1..4) or pred_stage; sub_id, or
 * the part of custom_id before '#', or the file's name; epoch, or the number after '#'; probabilities and
 * raw_probabilities ([5] or by stage name, sum 1), probability_source, temperature (takes the place of
 * raw_probabilities: it is undone); gt_applicable_rules and applicable_rules, or
 * rules_iou. Rules of an unparsed row count as an overlap of 0. */
sv_status sv_result_rows_read(const char *path, sv_result_rows *rows, sv_error *err);

/* The same for a text in memory, with a 0 at text[len]; `path` names it in errors and its recording. */
sv_status sv_result_rows_parse(const char *text, size_t len, const char *path, sv_result_rows *rows, sv_error *err);

/* Appends one row per epoch of a hypnogram that takes the place of a result. */
sv_status sv_result_rows_add_stages(sv_result_rows *rows, const char *group, const signed char *truth,
                                    const signed char *prediction, size_t n, sv_error *err);

#endif
