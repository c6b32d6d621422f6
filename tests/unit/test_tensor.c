/* test_tensor.c - kernels against plain double loops, for every instruction set of this machine and for odd shapes. */
#include "support/test.h"

#include <math.h>

#include "base/memory.h"
#include "tensor/attention.h"
#include "tensor/pointwise.h"
#include "tensor/product.h"

static const char *isas[] = {"generic", "avx2", "avx512"};

static float *noise(size_t n, uint32_t seed) {
    float *values = sv_alloc_aligned(n, sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525U + 1013904223U;
        values[i] = (float)(seed >> 8) / (float)(1 << 23) - 1;
    }
    return values;
}

static const struct shape {
    size_t n_rows, n_in, n_out;
} shapes[] = {{1, 1, 1},    {1, 192, 1024}, {1, 300, 135}, {2, 5, 31},     {3, 33, 32},    {7, 256, 33},
              {8, 257, 64}, {9, 512, 96},   {17, 80, 160}, {131, 40, 100}, {130, 600, 200}};

static void layers_equal_plain_sums(void **state) {
    (void)state;
    sv_pool *pool;
    sv_error err;
    ASSERT_OK(sv_pool_new(3, &pool, &err), err);
    for (size_t i = 0; i < SV_COUNT(isas) * SV_COUNT(shapes); i++) {
        if (!sv_product_use(isas[i / SV_COUNT(shapes)])) continue;
        struct shape s = shapes[i % SV_COUNT(shapes)];
        size_t stride = s.n_in + 3;
        float *x = noise(s.n_rows * stride, 1), *w = noise(s.n_out * s.n_in, 2), *bias = noise(s.n_out, 3);
        float *panels = sv_alloc_aligned(sv_panel_round(s.n_out) * s.n_in, sizeof *panels);
        float *y = noise(s.n_rows * s.n_out + 1, 4), *before = noise(s.n_rows * s.n_out + 1, 4);
        memset(panels, 0, sv_panel_round(s.n_out) * s.n_in * sizeof *panels);
        sv_pack_transposed(w, s.n_in, s.n_out, s.n_in, 0, panels);
        sv_linear layer = {panels, bias, s.n_in, s.n_out};
        sv_linear_apply(&layer, x, stride, s.n_rows, y, true, i % 2 ? pool : NULL);
        for (size_t r = 0; r < s.n_rows; r++) {
            for (size_t c = 0; c < s.n_out; c++) {
                double sum = (double)bias[c] + (double)before[r * s.n_out + c], size = 1;
                for (size_t k = 0; k < s.n_in; k++) {
                    double term = (double)x[r * stride + k] * (double)w[c * s.n_in + k];
                    sum += term;
                    size += fabs(term);
                }
                assert_true(fabs(sum - (double)y[r * s.n_out + c]) <= 1e-6 * size);
            }
        }
        assert_true(y[s.n_rows * s.n_out] == before[s.n_rows * s.n_out]); /* nothing written behind the last row */
        /* a row alone gives the same bits */
        float *alone = noise(s.n_out, 5), *together = noise(s.n_rows * s.n_out, 6);
        sv_linear_apply(&layer, x, stride, s.n_rows, together, false, NULL);
        sv_linear_apply(&layer, x + (s.n_rows - 1) * stride, stride, 1, alone, false, pool);
        assert_memory_equal(alone, together + (s.n_rows - 1) * s.n_out, s.n_out * sizeof *alone);
        free(x), free(w), free(bias), free(panels), free(y), free(before), free(alone), free(together);
    }
    assert_true(sv_product_use(NULL));
    assert_false(sv_product_use("none such"));
    print_message("instruction set in use: %s\n", sv_product_isa());
    sv_pool_free(pool);
}

static void exponential_is_close(void **state) {
    (void)state;
    double worst = 0;
    for (float x = -86.9F; x < 86.9F; x += 0.0037F) {
        float y;
        sv_exp_n(&x, 1, &y);
        worst = fmax(worst, fabs((double)y / exp((double)x) - 1));
    }
    print_message("exp: largest relative error %.1e\n", worst);
    assert_true(worst <= 2.4e-7);
    float extremes[] = {-1000, 1000, 0}, out[3];
    sv_exp_n(extremes, 3, out);
    assert_true(out[0] >= 0 && out[0] < 1e-37F && out[1] > 1e37F && isfinite(out[1]) && out[2] == 1);
}

static void softmax_and_log_sum_exp(void **state) {
    (void)state;
    for (size_t n = 1; n <= 600; n += 37) {
        float *x = noise(n, (uint32_t)n), *p = noise(n, (uint32_t)n);
        double sum = 0;
        for (size_t i = 0; i < n; i++) sum += exp((double)x[i] * 0.5);
        sv_softmax(p, n, 0.5F);
        for (size_t i = 0; i < n; i++) assert_true(fabs((double)p[i] - exp((double)x[i] * 0.5) / sum) <= 5e-7);
        sum = 0;
        for (size_t i = 0; i < n; i++) sum += exp((double)x[i]);
        assert_true(fabs(sv_log_sum_exp(x, n) - log(sum)) <= 1e-6);
        free(x), free(p);
    }
}

static void norm_and_gates(void **state) {
    (void)state;
    enum { ROWS = 19, N = 45 };
    float *x = noise((size_t)ROWS * 2 * N, 7), *gates = noise((size_t)ROWS * 2 * N, 7), *w = noise(N, 8),
          *y = noise((size_t)ROWS * N, 9);
    sv_rms_norm(x, w, 1e-6F, ROWS, N, y, NULL);
    sv_swiglu(gates, ROWS, N, NULL);
    for (size_t r = 0; r < ROWS; r++) {
        double squares = 0;
        for (size_t i = 0; i < N; i++) squares += (double)x[r * N + i] * (double)x[r * N + i];
        for (size_t i = 0; i < N; i++) {
            double expected = (double)x[r * N + i] / sqrt(squares / N + 1e-6) * (double)w[i];
            assert_true(fabs(expected - (double)y[r * N + i]) <= 1e-6);
            double gate = (double)x[r * 2 * N + i], up = (double)x[r * 2 * N + N + i];
            assert_true(fabs(gate / (1 + exp(-gate)) * up - (double)gates[r * 2 * N + i]) <= 1e-6);
        }
    }
    float *gelu = noise((size_t)ROWS * N, 7);
    sv_gelu(gelu, ROWS, N, NULL);
    for (size_t i = 0; i < (size_t)ROWS * N; i++) {
        double v = (double)x[i];
        assert_true(fabs(v * 0.5 * (1 + erf(v / sqrt(2.0))) - (double)gelu[i]) <= 1e-6);
    }
    free(x), free(gates), free(w), free(y), free(gelu);
}

/* Causal attention over a prefix and own keys, against double loops. */
static void attention_reads_two_parts(void **state) {
    (void)state;
    enum { QUERIES = 5, DIM = 20, PREFIX = 37, OWN = 40, KEYS = PREFIX + OWN };
    float *q = noise((size_t)QUERIES * DIM, 1), *k = noise((size_t)KEYS * DIM, 2), *v = noise((size_t)KEYS * DIM, 3);
    float *keys[2], *values[2], out[QUERIES * DIM], *scores = noise((size_t)QUERIES * KEYS, 4);
    sv_attention a = {.queries = q,
                      .n_queries = QUERIES,
                      .query_stride = DIM,
                      .head_dim = DIM,
                      .n_visible = KEYS - QUERIES + 1,
                      .visible_step = 1,
                      .scale = 0.7F,
                      .out = out,
                      .out_stride = DIM,
                      .scores = scores};
    for (size_t p = 0; p < 2; p++) {
        size_t n = p ? OWN : PREFIX, first = p ? PREFIX : 0;
        keys[p] = noise(sv_panel_round(n) * DIM, 5);
        values[p] = noise(n * sv_panel_round(DIM), 6);
        sv_pack_transposed(k + first * DIM, DIM, n, DIM, 0, keys[p]);
        sv_pack_rows(v + first * DIM, DIM, n, DIM, 0, values[p], n * SV_PANEL);
        a.parts[p] = (sv_attention_part){keys[p], values[p], n, n * SV_PANEL};
    }
    sv_attention_run(&a);
    for (size_t i = 0; i < QUERIES; i++) {
        size_t visible = KEYS - QUERIES + 1 + i;
        double weights[KEYS], sum = 0;
        for (size_t j = 0; j < visible; j++) {
            double dot = 0;
            for (size_t d = 0; d < DIM; d++) dot += (double)q[i * DIM + d] * (double)k[j * DIM + d];
            sum += weights[j] = exp(0.7 * dot);
        }
        for (size_t d = 0; d < DIM; d++) {
            double expected = 0;
            for (size_t j = 0; j < visible; j++) expected += weights[j] / sum * (double)v[j * DIM + d];
            assert_true(fabs(expected - (double)out[i * DIM + d]) <= 1e-6);
        }
    }
    for (size_t p = 0; p < 2; p++) free(keys[p]), free(values[p]);
    free(q), free(k), free(v), free(scores);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(layers_equal_plain_sums),
                                       cmocka_unit_test(exponential_is_close),
                                       cmocka_unit_test(softmax_and_log_sum_exp), cmocka_unit_test(norm_and_gates),
                                       cmocka_unit_test(attention_reads_two_parts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
