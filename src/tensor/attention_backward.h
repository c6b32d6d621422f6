/*
 * attention_backward.h - gradients of softmax(scale q k^T) v for all query heads of one key head over one stretch of
 * tokens.
 */
#ifndef SV_TENSOR_ATTENTION_BACKWARD_H
#define SV_TENSOR_ATTENTION_BACKWARD_H

#include <stdbool.h>
#include <stddef.h>

typedef struct sv_attention_gradient {
    size_t n, head_dim, group; /* tokens; query heads that share the key head */
    bool causal;               /* a token sees itself and what stands before it; else all see all */
    float scale;
    const float *queries, *keys, *values; /* first token; heads of the group lie head_dim apart, tokens `stride` */
    size_t stride;
    const float *dout; /* [n, group * head_dim], tokens out_stride apart */
    size_t out_stride;
    float *dqueries, *dkeys, *dvalues; /* added to; laid out as queries, keys, values, tokens `stride` apart */
    /* Keys and values that all tokens see before their own, the group's key head alone, `stride` apart; n_prefix 0 =
     * none. Their gradients are added to. */
    size_t n_prefix;
    const float *prefix_keys, *prefix_values;
    float *dprefix_keys, *dprefix_values;
    float *work; /* [sv_attention_gradient_work] */
} sv_attention_gradient;

/* Floats of work space for n tokens, a prefix counted. */
size_t sv_attention_gradient_work(size_t n);

/* Recomputes the probabilities (Dao et al. 2022 keep none either), a block of queries at a time. Runs in the calling
 * thread. */
void sv_attention_backward(const sv_attention_gradient *gradient);

#endif
