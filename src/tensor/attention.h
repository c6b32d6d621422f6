/*
 * attention.h - softmax(scale q k^T) v of one head, for a block of queries over stretches of keys.
 */
#ifndef SV_TENSOR_ATTENTION_H
#define SV_TENSOR_ATTENTION_H

#include <stddef.h>

/* Keys and values of one head, packed for products (product.h): keys as the columns of B [head_dim, n], values as the
 * rows of B [n, head_dim] whose panels lie value_stride apart. */
typedef struct sv_attention_part {
    const float *keys, *values;
    size_t n, value_stride;
} sv_attention_part;

typedef struct sv_attention {
    const float *queries; /* [n_queries, head_dim], query_stride apart */
    size_t n_queries, query_stride, head_dim;
    const sv_attention_part *parts; /* [n_parts], read as one sequence of keys under one softmax; n may be 0 */
    size_t n_parts;
    size_t n_visible;    /* keys that the first query sees, >= 1 */
    size_t visible_step; /* how many more each next query sees: 1 = causal, 0 = all see the same */
    float scale;
    float *out; /* [n_queries, head_dim], out_stride apart */
    size_t out_stride;
    float *scores; /* work space of [n_queries, keys of all parts] */
} sv_attention;

void sv_attention_run(const sv_attention *attention);

#endif
