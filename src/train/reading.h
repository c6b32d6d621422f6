/*
 * reading.h - the texts of a batch through the decoder: packed rows, the loss of the answers, and back.
 */
#ifndef SV_TRAIN_READING_H
#define SV_TRAIN_READING_H

#include "train/sample.h"
#include "train/sight.h"

#define SV_LOSS_ROWS ((size_t)128) /* rows whose logits are held at a time */

typedef struct sv_reading {
    sv_trainee *t;
    sv_pool *pool;
    sv_tower tower;
    bool share_prefix;
    sv_linear_space head_space;
    float *dense; /* of head_space */
    size_t n_rows, n_supervised;
    size_t n_shared;        /* tokens that all samples begin with, once in front of all */
    sv_row_range *segments; /* [samples + 1] */
    size_t longest;
    sv_packed packed;
    const sv_packed **layers; /* [n_layers] */
    float *cosines, *sines;
    float *dx;       /* [n_rows, D] */
    size_t *prompts; /* [samples]: the row of the last token before the answer */
    size_t *rows;    /* [n_supervised]: the row that predicts */
    int32_t *ids;    /* [n_supervised]: what it should predict */
    float *weights;
    float *chosen, *normed, *dnormed, *dchosen, *logits; /* [SV_LOSS_ROWS, D or V] */
    double *losses;                                      /* [SV_LOSS_ROWS] */
    float *storage;
    size_t capacity, supervised_capacity, sample_capacity;
} sv_reading;

/* As sv_sight_new. share_prefix: tokens that all samples of a batch begin with get rows once. */
sv_status sv_reading_new(sv_trainee *trainee, bool recompute, bool share_prefix, sv_precision precision, sv_pool *pool,
                         sv_reading *out, sv_error *err);
void sv_reading_free(sv_reading *reading);

/* Takes the samples of a batch. SV_ERR_INPUT: ids beyond the vocabulary, marks that do not fit the pictures (names the
 * sample); SV_ERR_MEMORY. */
sv_status sv_reading_plan(sv_reading *reading, const sv_train_batch *batch, sv_error *err);

/* Rows from the table of embeddings and from what was seen, through the tower. */
void sv_reading_run(sv_reading *reading, const sv_train_batch *batch, const sv_sight *sight, uint64_t step, bool drops);

/* Adds up the weighted losses of the answers and their weights; unless scale is 0 also the gradients of scale times
 * them, to dx (zeroed by the caller) and the head's. */
void sv_reading_lose(sv_reading *reading, double scale, double *sum, double *weight);

/* Rows [n] (SV_LOSS_ROWS at most) of what the tower gave through its last norm: reading->normed; and the way back of
 * reading->dnormed to dx. */
void sv_reading_choose(sv_reading *reading, const size_t *rows, size_t n);
void sv_reading_choose_backward(sv_reading *reading, const size_t *rows, size_t n);

/* From dx to the tower's gradients, the table's, and sight->dembeddings, which are added to. */
void sv_reading_backward(sv_reading *reading, const sv_train_batch *batch, sv_sight *sight);

#endif
