/*
 * training_log.h - what a training run wrote down: the folder of `sleepvlm train`, also while the run goes on.
 */
#ifndef SV_REPORT_TRAINING_LOG_H
#define SV_REPORT_TRAINING_LOG_H

#include "base/json.h"

/* One update; NaN where the log gives no number. */
typedef struct sv_logged_update {
    int64_t step;
    double loss, gradient_norm, learning_rate, tokens;
} sv_logged_update;

/* One evaluation, after the update `step`; NaN = not given, or undefined. */
typedef struct sv_logged_evaluation {
    int64_t step;
    double kappa, accuracy;            /* means over the nights */
    double kappa_pooled, f1_pooled[5]; /* of all epochs together; by stage */
} sv_logged_evaluation;

/* A linear head that was trained along; NaN where an update says nothing of it. */
typedef struct sv_logged_head {
    char *name;
    double *losses, *accuracies; /* [n_updates] */
    size_t loss_capacity, accuracy_capacity;
} sv_logged_head;

enum { SV_MAX_LOGGED_HEADS = 16 };

typedef struct sv_training_log {
    sv_logged_update *updates; /* [n_updates], steps rise */
    size_t n_updates, update_capacity;
    sv_logged_evaluation *evaluations; /* [n_evaluations], likewise */
    size_t n_evaluations, evaluation_capacity;
    sv_logged_head heads[SV_MAX_LOGGED_HEADS]; /* [n_heads]; more are passed over */
    size_t n_heads;
    size_t n_missing; /* updates between the first and the last that have no line */
    bool cut;         /* the last line is not whole: the run is writing, or was killed while it wrote */
    json_t *run;      /* run.json: what the run was told; NULL = not there */
} sv_training_log;

/* Reads RUN/log.jsonl and RUN/run.json, or only the log when `path` is a file. Of lines with the same step, or a step
 * that was passed before, the last ones count: a run that went on from a checkpoint does those updates again. Zeroed
 * after an error. SV_ERR_INPUT: no log there, a line (its number is told) that is no such object, no update at all. */
sv_status sv_training_log_load(const char *path, sv_training_log *out, sv_error *err);
void sv_training_log_free(sv_training_log *log);

/* Mean losses of the first and of the last updates (a twentieth of them, 1 to 100), which single batches do not sway.
 */
typedef struct sv_training_progress {
    size_t n_mean; /* updates that a mean is over */
    double first_loss, last_loss;
    double lowest_loss;               /* of all means over n_mean updates in a row; NaN = no loss is finite */
    int64_t lowest_step;              /* the middle of them */
    double tokens;                    /* sum */
    const sv_logged_evaluation *best; /* first with the highest kappa; NULL = no kappa */
} sv_training_progress;

sv_training_progress sv_training_log_progress(const sv_training_log *log);

#endif
