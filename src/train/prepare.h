/*
 * prepare.h - records as samples of token ids: the chat rendered and encoded, pictures turned into patches, and what is
 * supervised.
 */
#ifndef SV_TRAIN_PREPARE_H
#define SV_TRAIN_PREPARE_H

#include "model/model.h"
#include "token/tokenizer.h"
#include "train/emphasis.h"
#include "train/sample.h"
#include "train/source.h"

/* A batch under construction; everything in it is owned. */
typedef struct sv_prepared {
    sv_train_sample *samples;
    size_t n_samples, sample_capacity;
    sv_patches *pictures;
    uint64_t *keys; /* [n_pictures] of the records they came with */
    size_t n_pictures, picture_capacity, key_capacity;
    double weight; /* of all supervised tokens */
} sv_prepared;

/* Empties it; memory of the lists is kept. */
void sv_prepared_clear(sv_prepared *prepared);
void sv_prepared_free(sv_prepared *prepared);

typedef struct sv_preparer { /* everything is borrowed */
    const sv_model_config *config;
    const sv_tokenizer *tokenizer;
    sv_emphasis emphasis;
    bool learn_end; /* also the token that ends the answer; the published system leaves it to the base model */
} sv_preparer;

/* Adds a record and takes its facts over; a picture whose key is there already is not made again. SV_ERR_INPUT (with
 * the record's id): no answer of an assistant at the end, nothing to learn in it, pictures that the model cannot read.
 */
sv_status sv_prepared_add(sv_prepared *prepared, sv_record *record, const sv_preparer *how, sv_error *err);

/* A view of it; valid until it is changed. */
sv_train_batch sv_prepared_batch(const sv_prepared *prepared);

/* Which of ids [n] are learnt, as the published system masks: the content of the last message, which must be the
 * assistant's, without white space before it, and without its end token unless with_end. weights [n]: 1 or 0. False
 * when there is none. */
bool sv_answer_weights(const sv_tokenizer *tokenizer, const int32_t *ids, size_t n, bool with_end, float *weights);

#endif
