/* attention.c - scores, mask, softmax, weighted sum. */
#include "tensor/attention.h"

#include <string.h>

#include "base/memory.h"
#include "tensor/pointwise.h"
#include "tensor/product.h"

void sv_attention_run(const sv_attention *a) {
    size_t n_keys = 0;
    for (size_t p = 0; p < a->n_parts; p++) n_keys += a->parts[p].n;
    memset(a->scores, 0, a->n_queries * n_keys * sizeof *a->scores);
    size_t first = 0;
    for (size_t p = 0; p < a->n_parts; first += a->parts[p++].n) {
        sv_product(a->queries, a->query_stride, a->n_queries, a->parts[p].keys, SV_PANEL * a->head_dim, a->head_dim,
                   a->parts[p].n, a->scores + first, n_keys);
    }
    for (size_t q = 0; q < a->n_queries; q++) {
        float *row = a->scores + q * n_keys;
        size_t n = SV_MIN(n_keys, a->n_visible + q * a->visible_step);
        sv_softmax(row, n, a->scale);
        memset(row + n, 0, (n_keys - n) * sizeof *row);
        memset(a->out + q * a->out_stride, 0, a->head_dim * sizeof *a->out);
    }
    first = 0;
    for (size_t p = 0; p < a->n_parts; first += a->parts[p++].n) {
        sv_product(a->scores + first, n_keys, a->n_queries, a->parts[p].values, a->parts[p].value_stride, a->parts[p].n,
                   a->head_dim, a->out, a->out_stride);
    }
}
