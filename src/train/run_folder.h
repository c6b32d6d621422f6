/*
 * run_folder.h - what the folder of a training run says of the run: what it was told (run.json), and its log.
 */
#ifndef SV_TRAIN_RUN_FOLDER_H
#define SV_TRAIN_RUN_FOLDER_H

#include "base/hash.h"
#include "train/config.h"

/* What follows from the records, which no key tells. */
typedef struct sv_run_plan {
    int64_t n_updates, n_warm_up;
    char records_sha256[SV_SHA256_HEX_SIZE]; /* of the file of records; "" = simulated */
    char prompt_sha256[SV_SHA256_HEX_SIZE];  /* of their system prompt; "" = none, or not one */
} sv_run_plan;

/* Makes config->output_dir where it is missing. While it has neither a checkpoint nor a line of log, writes run.json;
 * afterwards compares: SV_ERR_INPUT when a key differs that changes the run's numbers (a key that run.json does not
 * have had its default), or the plan. */
sv_status sv_run_folder_claim(const sv_train_config *config, const sv_run_plan *plan, sv_error *err);

/* Keeps of the log (path) the lines whose step is below n_done, for what came after is done again. No log is fine. */
sv_status sv_run_folder_trim_log(const char *path, int64_t n_done, sv_error *err);

#endif
