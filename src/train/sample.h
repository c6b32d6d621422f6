/*
 * sample.h - what a training step reads: token ids with weights, and pictures; packed, nothing is padded.
 */
#ifndef SV_TRAIN_SAMPLE_H
#define SV_TRAIN_SAMPLE_H

#include "model/image.h"

#define SV_MAX_LOSS_WEIGHT 1e6 /* of records, heads and parts of an answer: beyond it is a slip */

typedef struct sv_train_sample {
    const int32_t *ids;   /* [n_ids]; the image token is repeated as often as its picture has cells */
    const float *weights; /* [n_ids] of each token in the loss; 0 = not supervised. Not shifted: token i is predicted
                           * from row i - 1, so that weights[0] is not read */
    size_t n_ids;
    const size_t *pictures; /* [n_pictures] in the order of the text: indices into the batch's pictures */
    size_t n_pictures;
    size_t n_prompt; /* ids before the answer */
    size_t asked;    /* the picture that the answer is about: an index into the batch's; read by heads */
    const struct sv_epoch_facts *facts; /* of the epoch asked about; NULL = heads learn nothing of it */
    double weight;                      /* of what heads learn of it; 0 = nothing */
    const char *id;                     /* names it in errors; NULL = its index does */
} sv_train_sample;

/* Everything is borrowed. A picture that several samples show is encoded once. */
typedef struct sv_train_batch {
    const sv_train_sample *samples; /* [n_samples] */
    size_t n_samples;
    const sv_patches *pictures; /* [n_pictures] */
    size_t n_pictures;
} sv_train_batch;

/* Puts "record 'ID': " or "sample INDEX: " before an error; returns its status. */
sv_status sv_sample_error_prefix(sv_error *err, const sv_train_batch *batch, size_t index);

#endif
