/*
 * fit_temperature.h - `eval --fit-temperature`: one number that makes the probabilities of results honest.
 */
#ifndef SV_CLI_FIT_TEMPERATURE_H
#define SV_CLI_FIT_TEMPERATURE_H

#include "sleep/result_rows.h"
#include "sleep/temperature.h"

/* What the rows of a result were made with, from the summary.json of its folder; of a file of rows it is not known.
 * SV_ERR_INPUT when it is not that of the `first` result. */
sv_status sv_fit_note_origin(const char *result, bool is_folder, bool first, sv_temperature *origin, sv_error *err);

/* Fits on all rows that have a truth and probabilities, writes the file, and describes what it did: *out (new) with
 * temperature, n_epochs, n_recordings, n_without_probabilities, n_truth_at_zero (no temperature changes those), and
 * log_loss, ece, brier before, after, and - with several recordings - left_out: each recording judged by a temperature
 * fitted on the others; null with left_out_undetermined (a recording) where the others determine none. SV_ERR_INPUT
 * when there is nothing to fit, the epochs determine no temperature, or the rows have probabilities of several kinds.
 */
sv_status sv_fit_temperature(const sv_result_rows *rows, const sv_temperature *origin, const char *path, json_t **out,
                             sv_error *err);

/* The same for people. */
void sv_fit_print(const json_t *fit, const char *path);

#endif
