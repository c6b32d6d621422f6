/* test_tensor.c - kernels against plain double loops, for every instruction set of this machine and for odd shapes. */
#include "support/test.h"

#include <math.h>

#include "base/memory.h"
#include "tensor/attention.h"
#include "tensor/finite.h"
#include "tensor/isa.h"
#include "tensor/linear.h"
#include "tensor/pointwise.h"
#include "tensor/product.h"
#include "tensor/unpack.h"

static const char *isas[] = {"ref", "avx2", "avx512"};

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
} shapes[] = {{1, 1, 1},       {1, 192, 1024}, {1, 300, 135}, {2, 5, 31},    {3, 33, 32},
              {7, 256, 33},    {8, 257, 64},   {9, 512, 96},  {17, 80, 160}, {131, 40, 100},
              {130, 600, 200}, {3, 3420, 80},  {2, 1176, 96}, {5, 80, 3420}};

typedef struct kind { /* of weight matrix */
    const char *name;
    sv_dtype dtype;
    size_t group;
    int zero_offset;
} kind;

static const kind kinds[] = {{"f32", SV_F32, 0, 0},
                             {"bf16", SV_BF16, 0, 0},
                             {"f16", SV_F16, 0, 0},
                             {"four bits", SV_I32, 128, 1},
                             {"four bits, groups of 24, second format", SV_I32, 24, 0}};

/* A matrix of random weights that begins at an odd address, and the memory it lies in. */
static void *random_matrix(const kind *k, size_t n_out, size_t n_in, sv_matrix *out) {
    size_t n_groups = k->group ? (n_in + k->group - 1) / k->group : 0, n = n_out * n_in;
    unsigned char *memory = malloc(4 * n + 2 * n_groups * n_out + n_groups * n_out / 2 + 64);
    assert_non_null(memory);
    float *values = noise(n + n_groups * n_out, 11);
    *out = (sv_matrix){.dtype = k->dtype, .n_out = n_out, .n_in = n_in, .data = memory + 1};
    if (k->dtype != SV_I32) {
        sv_dtype_write_f32(k->dtype, values, n, memory + 1);
    } else {
        unsigned char *scales = memory + 1 + n / 2, *zeros = scales + 2 * n_groups * n_out;
        for (size_t i = 0; i < n / 2; i++) memory[1 + i] = (unsigned char)((uint32_t)(i * 2654435761U) >> 17);
        sv_dtype_write_f32(SV_F16, values, n_groups * n_out, scales);
        for (size_t i = 0; i < n_groups * n_out / 2; i++) zeros[i] = (unsigned char)(0x77 + (i % 5 ? 0 : i));
        out->scales = scales;
        out->scale_dtype = SV_F16;
        out->zeros = zeros;
        out->group = k->group;
        out->zero_offset = k->zero_offset;
    }
    free(values);
    return memory;
}

/* Every instruction set unpacks exactly what single rows say, for all types, ends and beginnings. */
static void blocks_unpack_to_the_same_numbers(void **state) {
    (void)state;
    static const size_t sizes[][2] = {{64, 256}, {96, 3424}, {40, 72}, {32, 1176}, {8, 24}, {3420, 80}};
    _Alignas(64) float panel[256 * SV_PANEL];
    for (size_t i = 0; i < SV_COUNT(isas) * SV_COUNT(kinds) * SV_COUNT(sizes); i++) {
        const kind *k = &kinds[i / SV_COUNT(sizes) % SV_COUNT(kinds)];
        size_t n_out = sizes[i % SV_COUNT(sizes)][0], n_in = sizes[i % SV_COUNT(sizes)][1];
        if (!sv_isa_use(isas[i / SV_COUNT(sizes) / SV_COUNT(kinds)])) continue;
        if (k->dtype == SV_I32 && (n_out % 8 || n_in % 8)) continue;
        sv_matrix m;
        void *memory = random_matrix(k, n_out, n_in, &m);
        float *row = noise(n_in, 1);
        size_t row_of[] = {0, n_out > 32 ? n_out / 2 / 8 * 8 : 0, n_out - SV_MIN(n_out, (size_t)32)};
        for (size_t f = 0; f < SV_COUNT(row_of); f++) {
            size_t n_rows = SV_MIN((size_t)32, n_out - row_of[f]);
            for (size_t first = 0; first < n_in; first += 256) {
                size_t n_k = SV_MIN((size_t)256, n_in - first);
                sv_unpack(&m, row_of[f], n_rows, first, n_k, panel);
                for (size_t c = 0; c < SV_PANEL; c++) {
                    if (c < n_rows) sv_matrix_read_row(&m, row_of[f] + c, row);
                    for (size_t j = 0; j < n_k; j++) {
                        assert_true(panel[j * SV_PANEL + c] == (c < n_rows ? row[first + j] : 0));
                    }
                }
            }
        }
        free(row);
        free(memory);
    }
    assert_true(sv_isa_use(NULL));
}

/* A layer of up to three parts of different types, with and without low-rank corrections. */
static void layers_equal_plain_sums(void **state) {
    (void)state;
    sv_pool *pool;
    sv_error err;
    ASSERT_OK(sv_pool_new(3, &pool, &err), err);
    for (size_t i = 0; i < SV_COUNT(isas) * SV_COUNT(shapes); i++) {
        if (!sv_isa_use(isas[i / SV_COUNT(shapes)])) continue;
        struct shape s = shapes[i % SV_COUNT(shapes)];
        size_t stride = s.n_in + 3, rank = i % 3 ? 2 * i : 0;
        sv_linear layer = {.n_in = s.n_in, .n_parts = 1 + i % 3};
        void *memory[3 * SV_LINEAR_PARTS] = {0};
        for (size_t p = 0; p < layer.n_parts; p++) {
            sv_linear_part *part = &layer.parts[p];
            size_t n_out = s.n_out + 5 * p;
            memory[3 * p] = random_matrix(&kinds[(i + p) % 3], n_out, s.n_in, &part->weight);
            if (rank && p != 1) {
                memory[3 * p + 1] = random_matrix(&kinds[0], rank, s.n_in, &part->a);
                memory[3 * p + 2] = random_matrix(&kinds[1], n_out, rank, &part->b);
                part->scale = 0.5F;
            }
            layer.n_out += n_out;
        }
        float *x = noise(s.n_rows * stride, 1), *bias = noise(layer.n_out, 3), *w = noise(SV_MAX(s.n_in, rank), 2);
        float *y = noise(s.n_rows * layer.n_out + 1, 4), *before = noise(s.n_rows * layer.n_out + 1, 4);
        float *low_rank = noise(s.n_rows * sv_linear_rank(&layer) + 1, 9);
        layer.bias = bias;
        sv_linear_apply(&layer, x, stride, s.n_rows, y, true, low_rank, i % 2 ? pool : NULL);
        for (size_t r = 0; r < s.n_rows; r++) {
            for (size_t c = 0; c < layer.n_out; c++) {
                double sum = (double)bias[c] + (double)before[r * layer.n_out + c], size = 1;
                size_t p = 0, at = c;
                while (at >= layer.parts[p].weight.n_out) at -= layer.parts[p++].weight.n_out;
                sv_matrix_read_row(&layer.parts[p].weight, at, w);
                for (size_t k = 0; k < s.n_in; k++) {
                    double term = (double)x[r * stride + k] * (double)w[k];
                    sum += term;
                    size += fabs(term);
                }
                for (size_t q = 0; q < layer.parts[p].a.n_out; q++) {
                    double inner = 0, b;
                    sv_matrix_read_row(&layer.parts[p].b, at, w);
                    b = (double)w[q];
                    sv_matrix_read_row(&layer.parts[p].a, q, w);
                    for (size_t k = 0; k < s.n_in; k++) inner += (double)x[r * stride + k] * (double)w[k];
                    sum += 0.5 * b * inner;
                    size += fabs(b * inner) + (double)s.n_in;
                }
                assert_true(fabs(sum - (double)y[r * layer.n_out + c]) <= 1e-6 * size);
            }
        }
        assert_true(y[s.n_rows * layer.n_out] == before[s.n_rows * layer.n_out]); /* nothing behind the last row */
        /* a row alone gives the same bits */
        float *alone = noise(layer.n_out, 5), *together = noise(s.n_rows * layer.n_out, 6);
        sv_linear_apply(&layer, x, stride, s.n_rows, together, false, low_rank, NULL);
        sv_linear_apply(&layer, x + (s.n_rows - 1) * stride, stride, 1, alone, false, low_rank, pool);
        assert_memory_equal(alone, together + (s.n_rows - 1) * layer.n_out, layer.n_out * sizeof *alone);
        free(x), free(w), free(bias), free(y), free(before), free(alone), free(together), free(low_rank);
        for (size_t p = 0; p < SV_COUNT(memory); p++) free(memory[p]);
    }
    assert_true(sv_isa_use(NULL));
    assert_false(sv_isa_use("none such"));
    print_message("instruction set in use: %s\n", sv_isa_name(sv_isa_current()));
    sv_pool_free(pool);
}

/* All 65536 numbers of both types, and rounding to them at every tie and beside it. */
static void sixteen_bits_round_to_even(void **state) {
    (void)state;
    for (uint32_t h = 0; h < 65536; h++) {
        float b = sv_bf16_to_f32((uint16_t)h), f = sv_f16_to_f32((uint16_t)h);
        if (!isnan(b)) assert_int_equal(sv_bf16_from_f32(b), h);
        if (!isnan(f)) assert_int_equal(sv_f16_from_f32(f), h);
        float both[2];
        uint16_t half = (uint16_t)h;
        sv_dtype_read_f32(SV_F16, &half, 0, 1, &both[0]);
        sv_dtype_read_f32(SV_BF16, &half, 0, 1, &both[1]);
        assert_memory_equal(&both[0], &f, sizeof f);
        assert_memory_equal(&both[1], &b, sizeof b);
        if (isnan(b)) assert_true(isnan(sv_bf16_to_f32(sv_bf16_from_f32(b))));
        if (isnan(f)) assert_true(isnan(sv_f16_to_f32(sv_f16_from_f32(f))));
        if ((h & 0x7fff) >= 0x7bff) continue; /* the next one is not finite in binary16 */
        float next = sv_f16_to_f32((uint16_t)(h + 1)), middle = f / 2 + next / 2;
        assert_int_equal(sv_f16_from_f32(middle), h & 1 ? h + 1 : h);
        assert_int_equal(sv_f16_from_f32(nextafterf(middle, f)), h);
        assert_int_equal(sv_f16_from_f32(nextafterf(middle, next)), h + 1);
        next = sv_bf16_to_f32((uint16_t)(h + 1)), middle = b / 2 + next / 2;
        if (fabsf(b) < 1e-36F) continue; /* halves of the smallest are not exact */
        assert_int_equal(sv_bf16_from_f32(middle), h & 1 ? h + 1 : h);
        assert_int_equal(sv_bf16_from_f32(nextafterf(middle, b)), h);
        assert_int_equal(sv_bf16_from_f32(nextafterf(middle, next)), h + 1);
    }
    assert_int_equal(sv_f16_from_f32(65519.99F), 0x7bff);
    assert_int_equal(sv_f16_from_f32(65520), 0x7c00);
    assert_int_equal(sv_f16_from_f32(-1e30F), 0xfc00);
    assert_int_equal(sv_bf16_from_f32(3.4e38F), 0x7f80);
}

static void damage_is_found_wherever_it_is(void **state) {
    (void)state;
    enum { N = 9001 };
    static const sv_dtype dtypes[] = {SV_F32, SV_BF16, SV_F16};
    float *values = noise(N, 3);
    unsigned char *memory = malloc(4 * N + 1);
    static const size_t places[] = {0, 1, 4095, 4096, 8192, N - 1};
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    for (size_t d = 0; d < SV_COUNT(dtypes); d++) {
        sv_dtype_write_f32(dtypes[d], values, N, memory + 1);
        assert_int_equal(sv_first_not_finite(dtypes[d], memory + 1, N), N);
        for (size_t i = SV_COUNT(places); i-- > 0;) { /* from the end: the first is the newest */
            sv_dtype_write_f32(dtypes[d], &bad[i % 3], 1, memory + 1 + places[i] * sv_dtype_size(dtypes[d]));
            assert_int_equal(sv_first_not_finite(dtypes[d], memory + 1, N), places[i]);
        }
    }
    assert_int_equal(sv_first_not_finite(SV_F32, memory, 0), 0);
    free(values);
    free(memory);
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

static void norm_and_gates_of(size_t n_rows, size_t n) {
    float *x = noise(n_rows * 2 * n, 7), *gates = noise(n_rows * 2 * n, 7), *w = noise(n, 8), *y = noise(n_rows * n, 9);
    sv_rms_norm(x, w, 1e-6F, n_rows, n, y, NULL);
    sv_swiglu(gates, n_rows, n, NULL);
    for (size_t r = 0; r < n_rows; r++) {
        double squares = 0;
        for (size_t i = 0; i < n; i++) squares += (double)x[r * n + i] * (double)x[r * n + i];
        for (size_t i = 0; i < n; i++) {
            double expected = (double)x[r * n + i] / sqrt(squares / (double)n + 1e-6) * (double)w[i];
            assert_true(fabs(expected - (double)y[r * n + i]) <= 1e-6);
            double gate = (double)x[r * 2 * n + i], up = (double)x[r * 2 * n + n + i];
            assert_true(fabs(gate / (1 + exp(-gate)) * up - (double)gates[r * 2 * n + i]) <= 1e-6);
        }
    }
    float *gelu = noise(n_rows * n, 7);
    sv_gelu(gelu, n_rows, n, NULL);
    for (size_t i = 0; i < n_rows * n; i++) {
        double v = (double)x[i];
        assert_true(fabs(v * 0.5 * (1 + erf(v / sqrt(2.0))) - (double)gelu[i]) <= 1e-6);
    }
    free(x), free(gates), free(w), free(y), free(gelu);
}

static void norm_and_gates(void **state) {
    (void)state;
    enum { ROWS = 19 };
    static const size_t sizes[] = {45, 80, 1176, 3420};
    for (size_t k = 0; k < SV_COUNT(sizes); k++) norm_and_gates_of(ROWS, sizes[k]);
}

/* Causal attention over a prefix and own keys, against double loops. */
static void attend_with(size_t dim) {
    enum { QUERIES = 5, PREFIX = 37, OWN = 40, KEYS = PREFIX + OWN };
    float *q = noise((size_t)QUERIES * dim, 1), *k = noise((size_t)KEYS * dim, 2), *v = noise((size_t)KEYS * dim, 3);
    sv_attention_part parts[2];
    float *keys[2], *values[2], *out = noise(QUERIES * dim, 9), *scores = noise((size_t)QUERIES * KEYS, 4);
    sv_attention a = {.queries = q,
                      .n_queries = QUERIES,
                      .query_stride = dim,
                      .head_dim = dim,
                      .n_visible = KEYS - QUERIES + 1,
                      .visible_step = 1,
                      .scale = 0.7F,
                      .out = out,
                      .out_stride = dim,
                      .scores = scores,
                      .parts = parts,
                      .n_parts = 2};
    for (size_t p = 0; p < 2; p++) {
        size_t n = p ? OWN : PREFIX, first = p ? PREFIX : 0;
        keys[p] = noise(sv_panel_round(n) * dim, 5);
        values[p] = noise(n * sv_panel_round(dim), 6);
        sv_pack_transposed(k + first * dim, dim, n, dim, 0, keys[p]);
        sv_pack_rows(v + first * dim, dim, n, dim, 0, values[p], n * SV_PANEL);
        parts[p] = (sv_attention_part){keys[p], values[p], n, n * SV_PANEL};
    }
    sv_attention_run(&a);
    for (size_t i = 0; i < QUERIES; i++) {
        size_t visible = KEYS - QUERIES + 1 + i;
        double weights[KEYS], sum = 0;
        for (size_t j = 0; j < visible; j++) {
            double dot = 0;
            for (size_t d = 0; d < dim; d++) dot += (double)q[i * dim + d] * (double)k[j * dim + d];
            sum += weights[j] = exp(0.7 * dot);
        }
        for (size_t d = 0; d < dim; d++) {
            double expected = 0;
            for (size_t j = 0; j < visible; j++) expected += weights[j] / sum * (double)v[j * dim + d];
            assert_true(fabs(expected - (double)out[i * dim + d]) <= 1e-6);
        }
    }
    for (size_t p = 0; p < 2; p++) free(keys[p]), free(values[p]);
    free(out), free(q), free(k), free(v), free(scores);
}

static void attention_reads_two_parts(void **state) {
    (void)state;
    attend_with(20);
    attend_with(80);
    attend_with(128);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(blocks_unpack_to_the_same_numbers),
                                       cmocka_unit_test(sixteen_bits_round_to_even),
                                       cmocka_unit_test(damage_is_found_wherever_it_is),
                                       cmocka_unit_test(layers_equal_plain_sums),
                                       cmocka_unit_test(exponential_is_close),
                                       cmocka_unit_test(softmax_and_log_sum_exp),
                                       cmocka_unit_test(norm_and_gates),
                                       cmocka_unit_test(attention_reads_two_parts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
