/*
 * training.h - a whole run: records in, updates, checkpoints, a log, what was trained out.
 *
 * OUTPUT/run.json      what the run was told, and what follows from its records (run_folder.h)
 * OUTPUT/log.jsonl     an object for each update: step, loss, grad_norm, lr, tokens;
 *                      for each evaluation: step, kappa, accuracy (means over the nights), kappa_pooled,
 *                      accuracy_pooled, f1_pooled by stage, n_epochs (of all epochs together)
 * OUTPUT/prompt.txt    sft: the system prompt of all records, with which nights are staged; best and final carry it,
 *                      too. Not there when records differ: the model's own is taken, and a warning says so
 * OUTPUT/checkpoint-N  the state after N updates (checkpoint.h)
 * OUTPUT/best          what was trained, at its best kappa (the mean over the nights)
 * OUTPUT/final         what was trained, at the end: a PEFT adapter or a model folder
 *
 * A run that was stopped in any way goes on from its newest whole checkpoint and gives the very numbers of one that was
 * not, on a CPU with the same vector instructions.
 */
#ifndef SV_TRAIN_TRAINING_H
#define SV_TRAIN_TRAINING_H

#include "sleep/agreement.h"
#include "train/config.h"
#include "train/pass.h"
#include "train/source.h"

typedef struct sv_training_news {
    int64_t n_done, n_updates;
    double loss, learning_rate; /* of the last update */
    double kappa;               /* of the last evaluation; NaN = none yet */
} sv_training_news;

/* How well the network stages nights; NaN = not defined. */
typedef struct sv_training_score {
    double kappa, accuracy; /* means over the nights */
    sv_agreement pooled;    /* of the epochs of all nights; an answer that cannot be read counts as wrong */
} sv_training_score;

typedef struct sv_training_options {
    const sv_train_config *config; /* borrowed */
    sv_record_kind kind;           /* WPT, or FINE for both kinds of answers */
    int n_threads;                 /* 0 = one per usable core; the numbers do not depend on it */
    void (*news)(void *context, const sv_training_news *news); /* after each update; NULL = none */
    void (*warn)(void *context, const char *message); /* what should be known, the run goes on; NULL = not said */
    /* Of the network as it is now, with that system prompt (a file; NULL = the model's own); NULL, or config without
     * eval_nights: none is computed. */
    sv_status (*evaluate)(void *context, const sv_model *network, const char *prompt_path, const char *output,
                          sv_training_score *score, sv_error *err);
    bool (*cancelled)(void); /* NULL = never; true: a checkpoint is written, then SV_ERR_CANCELLED */
    void *context;
} sv_training_options;

typedef struct sv_training_outcome {
    int64_t n_updates, n_resumed; /* in all; of them done by an earlier run */
    double first_loss, last_loss; /* of this run's updates; NaN = there were none */
    double best_kappa;            /* NaN = not evaluated */
    bool was_complete;
    size_t n_trained, n_parameters; /* numbers that change, of the base */
} sv_training_outcome;

/* SV_ERR_INPUT: files, records, an output folder that holds another run; SV_ERR_USAGE: keys that are missing or exclude
 * each other; SV_ERR_OUTPUT: the disk. */
sv_status sv_training_run(const sv_training_options *options, sv_training_outcome *outcome, sv_error *err);

#endif
