/*
 * pass.h - a batch through the network and back: loss and gradients.
 */
#ifndef SV_TRAIN_PASS_H
#define SV_TRAIN_PASS_H

#include "train/sample.h"
#include "train/trainee.h"

typedef struct sv_pass sv_pass; /* keeps its memory from batch to batch; one thread at a time */

typedef struct sv_pass_options {
    bool recompute; /* keep only each block's input and run it again on the way back: a quarter of the memory, a third
                     * more time, the same bits */
    bool share_prefix; /* tokens that all samples of a batch begin with are computed once and their gradients summed:
                        * the same gradients but for rounding, and with dropout one draw for all samples */
} sv_pass_options;

/* Borrows trainee and pool (may be NULL). */
sv_status sv_pass_new(sv_trainee *trainee, const sv_pass_options *options, sv_pool *pool, sv_pass **out, sv_error *err);
void sv_pass_free(sv_pass *pass);

typedef struct sv_pass_loss {
    double sum, weight; /* of weight times negative log-likelihood (nats), and of the weights */
    size_t n_tokens;    /* rows of the batch */
    size_t n_supervised;
} sv_pass_loss;

/* Adds to the trainee's gradients those of scale * loss->sum; 0 = forwards only. `step` chooses what dropout drops; it
 * applies only when scale is not 0. Same batch, same bits for any number of threads. SV_ERR_INPUT: ids beyond the
 * vocabulary, image tokens that do not fit the pictures (names the sample); SV_ERR_MEMORY. */
sv_status sv_pass_run(sv_pass *pass, const sv_train_batch *batch, double scale, uint64_t step, sv_pass_loss *loss,
                      sv_error *err);

/* Pictures alone, for heads on the vision tower: embeddings [cells of all pictures, D], in the pass's memory until the
 * next call; then the way back from their gradients (same shape; are changed). */
sv_status sv_pass_see(sv_pass *pass, const sv_patches *pictures, size_t n_pictures, const float **embeddings,
                      size_t *n_cells, sv_error *err);
void sv_pass_see_backward(sv_pass *pass, float *dembeddings);

#endif
