/*
 * pass.h - a batch through the network and back: loss and gradients.
 */
#ifndef SV_TRAIN_PASS_H
#define SV_TRAIN_PASS_H

#include "train/heads.h"

typedef struct sv_pass sv_pass; /* keeps its memory from batch to batch; one thread at a time */

typedef struct sv_pass_options {
    bool recompute; /* keep only each block's input and run it again on the way back: a quarter of the memory, a third
                     * more time, the same bits */
    bool share_prefix; /* tokens that all samples of a batch begin with are computed once and their gradients summed:
                        * the same gradients but for rounding, and with dropout one draw for all samples */
    sv_precision precision; /* of the products of linear layers; all else is f32 */
    sv_heads *heads;        /* trained along; NULL = none; borrowed */
} sv_pass_options;

/* Borrows trainee and pool (may be NULL). */
sv_status sv_pass_new(sv_trainee *trainee, const sv_pass_options *options, sv_pool *pool, sv_pass **out, sv_error *err);
void sv_pass_free(sv_pass *pass);

/* What is minimised: the sum of these times the sums of losses. */
typedef struct sv_pass_scales {
    double answers; /* 0: answers are not learnt; without heads on prompts the text tower does not run */
    double heads[SV_MAX_HEADS];
} sv_pass_scales;

typedef struct sv_pass_loss {
    double sum, weight; /* of weight times negative log-likelihood (nats), and of the weights */
    size_t n_tokens;    /* rows of the batch; cells of its pictures when no text is read */
    size_t n_supervised;
    sv_head_loss heads[SV_MAX_HEADS];
} sv_pass_loss;

/* Adds to the trainee's gradients those of what the scales say; NULL = forwards only. `step` chooses what dropout
 * drops, which it does not forwards only. Same batch, same bits for any number of threads. SV_ERR_INPUT: ids beyond the
 * vocabulary, image tokens that do not fit the pictures (names the sample), pictures that heads cannot read;
 * SV_ERR_MEMORY. */
sv_status sv_pass_run(sv_pass *pass, const sv_train_batch *batch, const sv_pass_scales *scales, uint64_t step,
                      sv_pass_loss *loss, sv_error *err);

#endif
