/*
 * heads.h - linear heads that are trained along with a small model and thrown away: they tell its vision tower, or its
 * last token before the answer, directly what there is to see, long before answers in words could (nano-recipe.md 4;
 * auxiliary heads on intermediate layers: Lee et al., arXiv 1409.5185).
 *
 * A head is y = W x + b of rows x of one place:
 *   columns  the cells above each other of the asked epoch's picture, [cells_h * D]: a piece of the 30 s
 *   picture  their mean over the columns, [cells_h * D]
 *   prompt   what the text tower gives, after its last norm, at the last token before the answer, [D]
 * and learns one target (targets.h) of that time. Heads on pictures learn nothing of samples that have none.
 */
#ifndef SV_TRAIN_HEADS_H
#define SV_TRAIN_HEADS_H

#include "base/strbuf.h"
#include "train/sample.h"
#include "train/targets.h"
#include "train/trainee.h"

typedef enum sv_place {
#define SV_PLACE(name, text, meaning) SV_PLACE_##name,
#include "train/heads.def"
#undef SV_PLACE
    SV_N_PLACES
} sv_place;

enum { SV_MAX_HEADS = SV_N_PLACES * SV_N_TARGETS };

typedef struct sv_head {
    const char *name; /* "columns.bands" */
    sv_place place;
    sv_target target;
    double weight; /* of its mean loss in what is minimised */
    size_t n_in, n_out;
    float *weights, *bias, *dweights, *dbias; /* [n_out, n_in], [n_out]: parameters of the trainee */
} sv_head;

typedef struct sv_head_loss {
    double sum;    /* over the known values, each times its sample's weight */
    double weight; /* of the known values */
    double right;  /* weight of the right ones, where one of several is chosen */
} sv_head_loss;

typedef struct sv_heads {
    sv_head items[SV_MAX_HEADS];
    size_t n;
    int cells_h, cells_w; /* of every picture */
    int merge;            /* patches along a cell's side */
    size_t width;         /* D */
    sv_pool *pool;
    float *columns, *dcolumns;   /* [n_samples * cells_w, cells_h * D]; zero for samples without a picture */
    float *pictures, *dpictures; /* [n_samples, cells_h * D] */
    float *outputs, *doutputs;   /* [n_samples * cells_w, SV_TARGET_MAX] */
    float *storage;
    size_t capacity; /* samples */
} sv_heads;

/* Reads "PLACE.TARGET" or "PLACE.TARGET=WEIGHT" [n] and adds their parameters to the trainee
 * ("heads.PLACE.TARGET.weight", ".bias"): W begins uniform within 1 / sqrt(inputs), b at 0. Pictures are those of the
 * renderer as the trainee's network sees them. SV_ERR_USAGE: names, weights. pool may be NULL; it and the trainee are
 * borrowed. */
sv_status sv_heads_new(const char *const *specs, size_t n, sv_trainee *trainee, sv_pool *pool, sv_heads **out,
                       sv_error *err);
void sv_heads_free(sv_heads *heads);

/* "PLACE.TARGET" with all places and targets, for help. */
void sv_heads_describe(sv_strbuf *out);

bool sv_heads_read(const sv_heads *heads, sv_place place); /* does one of them? heads may be NULL */

/* Adds to weights [heads->n] those of the values that the batch's facts say. */
void sv_heads_weigh(const sv_heads *heads, const sv_train_batch *batch, double *weights);

/* The heads on pictures. embeddings [cells of all pictures, D], first_cell [n_pictures]. Adds to losses [heads->n], and
 * with scales [heads->n] (NULL = forwards only) the gradients of the sum of scale * loss to the heads' and to
 * dembeddings (NULL = the tower is frozen). SV_ERR_INPUT: a picture of another size (names the sample). */
sv_status sv_heads_see(sv_heads *heads, const sv_train_batch *batch, const size_t *first_cell, const float *embeddings,
                       const double *scales, sv_head_loss *losses, float *dembeddings, sv_error *err);

/* The same of the heads on prompts. x, dx: [n_samples, D]; dx is added to. */
sv_status sv_heads_listen(sv_heads *heads, const sv_train_batch *batch, const float *x, const double *scales,
                          sv_head_loss *losses, float *dx, sv_error *err);

#endif
