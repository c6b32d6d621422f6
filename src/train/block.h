/*
 * block.h - one block of either tower, forwards and backwards: norm, attention, norm, SwiGLU, each on a residual. The
 * kernels and their order are the engine's (model/decoder.c, model/vision.c).
 */
#ifndef SV_TRAIN_BLOCK_H
#define SV_TRAIN_BLOCK_H

#include "train/linear_gradient.h"

enum { SV_BLOCK_LINEARS = 4 }; /* qkv, output, gate_up, down */

typedef struct sv_block {
    const float *norm1, *norm2; /* [hidden] */
    const sv_linear *qkv, *output, *gate_up, *down;
    float *dnorm1, *dnorm2; /* NULL = frozen */
    const sv_linear_gradient *dqkv, *doutput, *dgate_up, *ddown;
    sv_dropout dropout[SV_BLOCK_LINEARS]; /* in the order of the layers above */
    float eps;
    size_t hidden, ffn, n_heads, n_kv_heads, head_dim;
    bool causal;
} sv_block;

/* Rows that see each other: one sample of text, one window or picture of patches. */
typedef struct sv_row_range {
    size_t first, n;
} sv_row_range;

/* Packed rows of a batch and where they stand. */
typedef struct sv_packed {
    size_t n_rows;
    size_t n_shared; /* rows of the first segment that all others see before their own; 0 = none */
    const sv_row_range *segments;
    size_t n_segments;
    const float *cosines, *sines; /* [n_rows, head_dim / 2] */
} sv_packed;

/* What the backward pass needs of a forward one. [n_rows, ...] */
typedef struct sv_tape {
    float *x;        /* hidden: the block's input */
    float *normed1;  /* hidden */
    float *qkv;      /* (heads + 2 kv heads) head_dim, rotated */
    float *attended; /* heads * head_dim */
    float *middle;   /* hidden: between attention and SwiGLU */
    float *normed2;  /* hidden */
    float *gate_up;  /* 2 ffn, before the gate */
} sv_tape;

/* Gradients on their way. [n_rows, ...] */
typedef struct sv_block_space {
    sv_linear_space linear;
    float *act, *dact; /* ffn */
    float *dgate_up;   /* 2 ffn */
    float *dnormed;    /* hidden */
    float *dattended;  /* heads * head_dim */
    float *dqkv;       /* (heads + 2 kv heads) head_dim */
    float *attention;  /* [threads, attention_size] */
    size_t attention_size;
} sv_block_space;

/* Floats of attention work a thread needs for segments of n rows at most, shared rows counted. */
size_t sv_block_attention_size(size_t n, size_t head_dim);

/* Fills the tape from tape->x; out [n_rows, hidden], which may be another block's tape->x but not this one's. */
void sv_block_forward(const sv_block *block, const sv_packed *rows, const sv_tape *tape, float *out,
                      sv_block_space *space);

/* dout [n_rows, hidden]: the gradient by the output becomes that by the input. */
void sv_block_backward(const sv_block *block, const sv_packed *rows, const sv_tape *tape, float *dout,
                       sv_block_space *space);

#endif
