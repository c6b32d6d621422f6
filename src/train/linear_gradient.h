/*
 * linear_gradient.h - the gradients of a layer y = W x + b with its low-rank corrections (tensor/linear.h).
 */
#ifndef SV_TRAIN_LINEAR_GRADIENT_H
#define SV_TRAIN_LINEAR_GRADIENT_H

#include "tensor/gemm.h"
#include "tensor/linear.h"

/* Where gradients are added; NULL = frozen. Layouts are those of the layer's parts, in f32. */
typedef struct sv_linear_gradient {
    float *weight[SV_LINEAR_PARTS]; /* [n_out of the part, n_in] */
    float *bias;                    /* [n_out] */
    float *a[SV_LINEAR_PARTS];      /* [rank, n_in] */
    float *b[SV_LINEAR_PARTS];      /* [n_out of the part, rank] */
} sv_linear_gradient;

/* Dropout of what the low-rank corrections read (PEFT): each input is 0 with `probability`, else divided by 1 -
 * probability. Which ones is a function of key, row and column. */
typedef struct sv_dropout {
    double probability;
    uint64_t key;
} sv_dropout;

/* Work space that layers share, made for the largest of them. */
typedef struct sv_linear_space {
    sv_pool *pool;          /* may be NULL; borrowed */
    sv_precision precision; /* of the products; what lies in memory is f32 */
    float *dropped;         /* [rows, inputs]; may be NULL when there is no dropout */
    float *ddropped;        /* likewise */
    float *low_rank;        /* [rows, rank of a layer]; may be NULL without corrections */
    float *dlow_rank;       /* likewise */
    float *dense;           /* [SV_DENSE_ROWS, inputs]: frozen weights as f32 */
} sv_linear_space;

#define SV_DENSE_ROWS ((size_t)256)

/* y [n_rows, n_out] = W x + b, or += with `accumulate`; in f32 the bits of sv_linear_apply where nothing is dropped. */
void sv_linear_forward(const sv_linear *linear, const sv_dropout *dropout, const float *x, size_t x_stride,
                       size_t n_rows, float *y, bool accumulate, sv_linear_space *space);

/* Adds to the gradients, and to dx [n_rows, n_in] (rows dx_stride apart) unless NULL. dy: [n_rows, n_out]. */
void sv_linear_backward(const sv_linear *linear, const sv_linear_gradient *gradient, const sv_dropout *dropout,
                        const float *x, size_t x_stride, size_t n_rows, const float *dy, float *dx, size_t dx_stride,
                        sv_linear_space *space);

#endif
