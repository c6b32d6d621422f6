/*
 * sight.h - the pictures of a batch through the vision tower, and back.
 */
#ifndef SV_TRAIN_SIGHT_H
#define SV_TRAIN_SIGHT_H

#include "model/image.h"
#include "train/tower.h"

/* Where the patches of a batch stand: windows, whole pictures, and the way back to the file's order. */
typedef struct sv_sight {
    sv_trainee *t;
    sv_pool *pool;
    sv_tower tower;
    size_t n_patches, n_cells, n_pictures;
    size_t *first_cell; /* [n_pictures] */
    size_t *place;      /* [n_cells]: cell of the batch, in the picture's own order, that stands here in window order */
    sv_row_range *windows, *pictures;
    size_t n_windows, longest;
    sv_packed windowed, whole;
    const sv_packed **packed; /* [depth] */
    float *pixels;            /* [n_patches, row_size], window order */
    float *cosines, *sines;
    float *normed;                              /* [n_patches, Dv] = [n_cells, cell] */
    float *hidden, *activated;                  /* [n_cells, cell] */
    float *merged;                              /* [n_cells, D], window order */
    float *embeddings, *dembeddings;            /* [n_cells, D], the pictures' order */
    float *dmerged, *dactivated, *dnormed, *dx; /* gradients */
    float *storage;
    size_t capacity, index_capacity;
} sv_sight;

/* Borrows trainee and pool (may be NULL). Frees nothing when it fails: sv_sight_free does. */
sv_status sv_sight_new(sv_trainee *trainee, bool recompute, sv_precision precision, sv_pool *pool, sv_sight *out,
                       sv_error *err);
void sv_sight_free(sv_sight *sight);

/* Takes the pictures of a batch; memory grows to the largest. SV_ERR_INPUT: patches of another size; SV_ERR_MEMORY. */
sv_status sv_sight_plan(sv_sight *sight, const sv_patches *pictures, size_t n_pictures, sv_error *err);

/* Fills embeddings. step, drops: see sv_tower_set_dropout. */
void sv_sight_run(sv_sight *sight, uint64_t step, bool drops);

/* Adds to the trainee's gradients those that follow from dembeddings, which is changed. */
void sv_sight_backward(sv_sight *sight);

#endif
