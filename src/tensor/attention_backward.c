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

static void backward_block(const sv_attention_gradient *g, size_t head, size_t first, size_t n_rows) {
    size_t n_keys = g->causal ? first + n_rows : g->n, d = g->head_dim;
    float *p = g->work, *dp = p + QUERY_ROWS * g->n;
    const sv_operand keys = {g->keys, g->stride, false}, keys_t = {g->keys, g->stride, true};
    const sv_operand values_t = {g->values, g->stride, true};
    const sv_operand queries = {g->queries + first * g->stride + head * d, g->stride, false};
    const sv_operand dout = {g->dout + first * g->out_stride + head * d, g->out_stride, false};
    memset(p, 0, n_rows * n_keys * sizeof *p);
    memset(dp, 0, n_rows * n_keys * sizeof *dp);
    sv_gemm(n_rows, n_keys, d, queries, keys_t, p, n_keys, NULL);
    sv_gemm(n_rows, n_keys, d, dout, values_t, dp, n_keys, NULL);
    for (size_t r = 0; r < n_rows; r++) {
        size_t seen = g->causal ? first + r + 1 : n_keys;
        float *row = p + r * n_keys, *drow = dp + r * n_keys;
        sv_softmax(row, seen, g->scale);
        memset(row + seen, 0, (n_keys - seen) * sizeof *row);
        memset(drow + seen, 0, (n_keys - seen) * sizeof *drow);
        softmax_backward(row, drow, seen, g->scale);
    }
    sv_gemm(n_keys, d, n_rows, (sv_operand){p, n_keys, true}, dout, g->dvalues, g->stride, NULL);
    sv_gemm(n_rows, d, n_keys, (sv_operand){dp, n_keys, false}, keys, g->dqueries + first * g->stride + head * d,
            g->stride, NULL);
    sv_gemm(n_keys, d, n_rows, (sv_operand){dp, n_keys, true}, queries, g->dkeys, g->stride, NULL);
}

void sv_attention_backward(const sv_attention_gradient *g) {
    for (size_t head = 0; head < g->group; head++) {
        for (size_t first = 0; first < g->n; first += QUERY_ROWS)
            backward_block(g, head, first, SV_MIN(QUERY_ROWS, g->n - first));
    }
}
