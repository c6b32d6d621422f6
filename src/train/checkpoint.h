/*
 * checkpoint.h - the state of a run on disk: OUTPUT/checkpoint-N, where N is the number of updates done. A folder
 * appears whole or not at all; with an adapter it is one that PEFT reads, too.
 */
#ifndef SV_TRAIN_CHECKPOINT_H
#define SV_TRAIN_CHECKPOINT_H

#include "train/adamw.h"

/* Writes values, moments and `loop` (an object of the training loop's own; borrowed), then removes all but the newest
 * `keep` checkpoints of the folder (0 = none is removed); what a killed process left half-written goes first. One
 * process at a time may write to the folder. SV_ERR_OUTPUT when the disk is full: the others stay. */
sv_status sv_checkpoint_save(const char *output, const sv_trainee *trainee, const sv_adamw *optimizer,
                             const json_t *loop, int64_t keep, sv_error *err);

/* Is there any, whole or not? */
bool sv_checkpoint_exists(const char *output);

/* The newest checkpoint of the folder that is whole into trainee and optimizer, bit by bit; *loop: a new reference.
 * Without any *loop is NULL and nothing changes. A newer one that is damaged (cut short, a bit turned: SHA-256 of all
 * numbers and of the loop's state) is passed over: *passed_over then says which is taken and what was wrong, its status
 * is SV_OK otherwise. Neither may be NULL. SV_ERR_INPUT: none can be read, or they are of another run (parameters or
 * shapes differ). */
sv_status sv_checkpoint_load(const char *output, sv_trainee *trainee, sv_adamw *optimizer, json_t **loop,
                             sv_error *passed_over, sv_error *err);

#endif
