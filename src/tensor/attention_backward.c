/* attention_backward.c - with P = softmax(scale q k^T): dv = P^T do; dP = do v^T; dS = scale P (dP - rowsum(P dP));
 * dq = dS k; dk = dS^T q. */
#include "tensor/attention_backward.h"

#include <string.h>

#include "base/memory.h"
#include "tensor/gemm.h"
#include "tensor/pointwise.h"

#define QUERY_ROWS ((size_t)64)

size_t sv_attention_gradient_work(size_t n) { return 2 * QUERY_ROWS * n; }

/* p: probabilities, dp: gradients by them; becomes the gradients by the scores. */
static void softmax_backward(const float *p, float *dp, size_t n, float scale) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)p[i] * (double)dp[i];
    for (size_t i = 0; i < n; i++) dp[i] = scale * p[i] * (dp[i] - (float)sum);
}

/* A stretch of keys: what queries see of it, and where its gradients go. */
typedef struct part {
    const float *keys, *values;
    float *dkeys, *dvalues;
    size_t n, column; /* of the scores */
} part;

static void backward_block(const sv_attention_gradient *g, size_t head, size_t first, size_t n_rows) {
    size_t n_own = g->causal ? first + n_rows : g->n, n_keys = g->n_prefix + n_own, d = g->head_dim;
    float *p = g->work, *dp = p + QUERY_ROWS * (g->n_prefix + g->n);
    const part parts[] = {{g->prefix_keys, g->prefix_values, g->dprefix_keys, g->dprefix_values, g->n_prefix, 0},
                          {g->keys, g->values, g->dkeys, g->dvalues, n_own, g->n_prefix}};
    const sv_operand queries = {g->queries + first * g->stride + head * d, g->stride, false};
    const sv_operand dout = {g->dout + first * g->out_stride + head * d, g->out_stride, false};
    float *dqueries = g->dqueries + first * g->stride + head * d;
    memset(p, 0, n_rows * n_keys * sizeof *p);
    memset(dp, 0, n_rows * n_keys * sizeof *dp);
    for (size_t i = 0; i < SV_COUNT(parts); i++) {
        const part *k = &parts[i];
        sv_gemm(n_rows, k->n, d, queries, (sv_operand){k->keys, g->stride, true}, p + k->column, n_keys, NULL);
        sv_gemm(n_rows, k->n, d, dout, (sv_operand){k->values, g->stride, true}, dp + k->column, n_keys, NULL);
    }
    for (size_t r = 0; r < n_rows; r++) {
        size_t seen = g->causal ? g->n_prefix + first + r + 1 : n_keys;
        float *row = p + r * n_keys, *drow = dp + r * n_keys;
        sv_softmax(row, seen, g->scale);
        memset(row + seen, 0, (n_keys - seen) * sizeof *row);
        memset(drow + seen, 0, (n_keys - seen) * sizeof *drow);
        softmax_backward(row, drow, seen, g->scale);
    }
    for (size_t i = 0; i < SV_COUNT(parts); i++) {
        const part *k = &parts[i];
        const sv_operand scores = {dp + k->column, n_keys, false}, scores_t = {dp + k->column, n_keys, true};
        sv_gemm(k->n, d, n_rows, (sv_operand){p + k->column, n_keys, true}, dout, k->dvalues, g->stride, NULL);
        sv_gemm(n_rows, d, k->n, scores, (sv_operand){k->keys, g->stride, false}, dqueries, g->stride, NULL);
        sv_gemm(k->n, d, n_rows, scores_t, queries, k->dkeys, g->stride, NULL);
    }
}

void sv_attention_backward(const sv_attention_gradient *g) {
    for (size_t head = 0; head < g->group; head++) {
        for (size_t first = 0; first < g->n; first += QUERY_ROWS)
            backward_block(g, head, first, SV_MIN(QUERY_ROWS, g->n - first));
    }
}
