/* tower.h - blocks one after another with the memory of a batch: what vision and text have in common. */
#ifndef SV_TRAIN_TOWER_H
#define SV_TRAIN_TOWER_H

#include "train/block.h"
#include "train/trainee.h"

typedef struct sv_tower {
    sv_block *blocks; /* [n_blocks], owned */
    size_t n_blocks;
    bool recompute;
    sv_tape *tapes; /* [n_blocks], or one that serves all with recompute; owned */
    float **inputs; /* [n_blocks + 1]: the input of each, then the output of the last; owned */
    sv_block_space space;
    size_t max_inputs, max_rank;       /* of all linear layers */
    size_t capacity, segment_capacity; /* rows that there is room for */
    float *storage, *attention_storage;
} sv_tower;

/* Blocks are filled by the caller. SV_ERR_MEMORY. */
sv_status sv_tower_new(size_t n_blocks, bool recompute, sv_pool *pool, sv_tower *out, sv_error *err);
void sv_tower_free(sv_tower *tower);

/* A linear layer that works in the tower's space. */
void sv_tower_note_linear(sv_tower *tower, const sv_linear *linear);

/* Where a block's norms, layers (qkv, output, gate_up, down) and gradients are; its sizes are set by the caller. */
void sv_tower_set_layers(sv_tower *tower, size_t block, const float *norm1, const float *norm2,
                         const sv_linear *const layers[SV_BLOCK_LINEARS], const sv_block_gradients *gradients);

/* What the pass `step` drops in this tower (any number that the others have not). */
void sv_tower_set_dropout(sv_tower *tower, const sv_trainee *trainee, uint64_t step, uint64_t number, bool on);

/* Makes room for n_rows, in segments of longest rows at most. With dropout also for what it drops. */
sv_status sv_tower_reserve(sv_tower *tower, size_t n_rows, size_t longest, bool dropout, sv_error *err);

/* inputs[0] has been filled: fills the others. packed[i]: of block i. */
void sv_tower_forward(sv_tower *tower, const sv_packed *const *packed);

/* dout: the gradient by inputs[n_blocks] becomes that by inputs[0]. */
void sv_tower_backward(sv_tower *tower, const sv_packed *const *packed, float *dout);

#endif
