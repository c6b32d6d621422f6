/* test_gemm.c - C += op(A) op(B) against a plain loop in double, for all transpositions, odd shapes and strides and
 * every instruction set; the same bits for any number of threads. Tolerance: k units of rounding of the sum of
 * magnitudes. With operands rounded to bfloat16 the same of the rounded ones, whose products are exact. */
#include "support/test.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "tensor/bf16_dot.h"
#include "tensor/dtype.h"
#include "tensor/gemm.h"
#include "tensor/isa.h"

enum { MARGIN = 3 }; /* floats between the rows */

static const struct shape {
    size_t m, n, k;
} shapes[] = {{1, 1, 1},   {1, 33, 7},    {3, 5, 2},     {4, 4, 4},      {31, 65, 17}, {9, 32, 257}, {257, 3, 31},
              {2, 300, 5}, {130, 70, 90}, {260, 34, 11}, {67, 259, 513}, {5, 1, 600},  {8, 64, 0},   {0, 3, 3}};

static float *noise(size_t n, uint32_t seed) {
    float *values = sv_alloc_aligned(n + 1, sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525U + 1013904223U;
        values[i] = (float)(seed >> 8) / (float)(1 << 23) - 1;
    }
    return values;
}

static double at(sv_precision precision, const sv_operand *o, size_t row, size_t column) {
    float x = o->transposed ? o->data[column * o->stride + row] : o->data[row * o->stride + column];
    return (double)(precision == SV_PRECISION_BF16 ? sv_bf16_to_f32(sv_bf16_from_f32(x)) : x);
}

/* c: what it should have become from `before`; what lies between the rows must not have changed. */
static void check(sv_precision precision, const struct shape *s, const sv_operand *a, const sv_operand *b,
                  const float *before, const float *c, size_t stride) {
    for (size_t i = 0; i < s->m; i++) {
        for (size_t j = 0; j < s->n; j++) {
            double sum = (double)before[i * stride + j], size = fabs(sum);
            for (size_t k = 0; k < s->k; k++) {
                sum += at(precision, a, i, k) * at(precision, b, k, j);
                size += fabs(at(precision, a, i, k) * at(precision, b, k, j));
            }
            if (!(fabs(sum - (double)c[i * stride + j]) <= ((double)s->k + 1) * FLT_EPSILON * size))
                fail_msg("%s, precision %d: %zu x %zu x %zu, transposed %d %d: [%zu][%zu] is %g, not %g",
                         sv_isa_name(sv_isa_current()), precision, s->m, s->n, s->k, a->transposed, b->transposed, i, j,
                         (double)c[i * stride + j], sum);
        }
        assert_memory_equal(c + i * stride + s->n, before + i * stride + s->n, MARGIN * sizeof *c);
    }
}

static void run_case(sv_precision precision, const struct shape *s, bool a_transposed, bool b_transposed,
                     sv_pool *const pools[2]) {
    size_t a_stride = (a_transposed ? s->m : s->k) + MARGIN, b_stride = (b_transposed ? s->k : s->n) + MARGIN;
    size_t stride = s->n + MARGIN, size = s->m * stride;
    float *x = noise((a_transposed ? s->k : s->m) * a_stride, 1),
          *y = noise((b_transposed ? s->n : s->k) * b_stride, 2);
    float *before = noise(size, 3), *alone = noise(size, 3), *shared = noise(size, 3);
    const sv_operand a = {x, a_stride, a_transposed}, b = {y, b_stride, b_transposed};
    sv_gemm_in(precision, s->m, s->n, s->k, a, b, alone, stride, NULL);
    check(precision, s, &a, &b, before, alone, stride);
    for (int i = 0; i < 2; i++) {
        memcpy(shared, before, size * sizeof *shared);
        sv_gemm_in(precision, s->m, s->n, s->k, a, b, shared, stride, pools[i]);
        assert_memory_equal(alone, shared, size * sizeof *shared);
    }
    free(x);
    free(y);
    free(before);
    free(alone);
    free(shared);
}

static void products(void **state) {
    (void)state;
    sv_pool *pools[2];
    sv_error err;
    for (int i = 0; i < 2; i++) ASSERT_OK(sv_pool_new(2 + i, &pools[i], &err), err);
    for (int isa = 0; isa < SV_N_ISAS; isa++) {
        if (!sv_isa_available((sv_isa)isa)) continue;
        assert_true(sv_isa_use(sv_isa_name((sv_isa)isa)));
        for (size_t i = 0; i < SV_COUNT(shapes); i++) {
            for (int t = 0; t < 8; t++)
                run_case(t & 4 ? SV_PRECISION_BF16 : SV_PRECISION_F32, &shapes[i], t & 1, t & 2, pools);
        }
    }
    assert_true(sv_isa_use(NULL));
    if (!sv_bf16_dot_available()) print_message("skip: this machine has no instruction for bfloat16\n");
    for (int i = 0; i < 2; i++) sv_pool_free(pools[i]);
}

/* Numbers that bfloat16 has, sums that f32 has: the same bits in both precisions, on every instruction set. */
static void small_numbers_are_exact(void **state) {
    (void)state;
    enum { M = 19, N = 70, K = 301 };
    float *x = noise(M * K, 1), *y = noise(K * N, 2), *f32 = noise(M * N, 3), *bf16 = noise(M * N, 3);
    for (size_t i = 0; i < M * K; i++) x[i] = rintf(x[i] * 100);
    for (size_t i = 0; i < K * N; i++) y[i] = rintf(y[i] * 100) / 8;
    for (int isa = 0; isa < SV_N_ISAS; isa++) {
        if (!sv_isa_available((sv_isa)isa)) continue;
        assert_true(sv_isa_use(sv_isa_name((sv_isa)isa)));
        memset(f32, 0, M * N * sizeof *f32);
        memset(bf16, 0, M * N * sizeof *bf16);
        sv_gemm(M, N, K, (sv_operand){x, K, false}, (sv_operand){y, N, false}, f32, N, NULL);
        sv_gemm_in(SV_PRECISION_BF16, M, N, K, (sv_operand){x, K, false}, (sv_operand){y, N, false}, bf16, N, NULL);
        assert_memory_equal(f32, bf16, M * N * sizeof *f32);
    }
    assert_true(sv_isa_use(NULL));
    free(x);
    free(y);
    free(f32);
    free(bf16);
}

/* Pairs hold what sv_bf16_from_f32 gives, also of what is no number. */
static void pairs_are_rounded(void **state) {
    (void)state;
    enum { N = 4099 };
    uint32_t pairs[N / 2 + 1], bits = 1;
    float numbers[N];
    for (size_t i = 0; i < N; i++) {
        bits = bits * 1664525U + 1013904223U;
        uint32_t special[] = {0, 0x80000000, 0x7F800000, 0xFF800001, 0x7FFFFFFF, 0x3F808000, 0x3F818000, 0x7F7FFFFF, 1};
        uint32_t value = i < SV_COUNT(special) ? special[i] : bits;
        memcpy(&numbers[i], &value, sizeof value);
    }
    sv_bf16_pairs(numbers, N, pairs);
    for (size_t i = 0; i < N; i++) assert_int_equal(pairs[i / 2] >> i % 2 * 16 & 0xFFFF, sv_bf16_from_f32(numbers[i]));
    assert_int_equal(pairs[N / 2] >> 16, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(products), cmocka_unit_test(small_numbers_are_exact),
                                       cmocka_unit_test(pairs_are_rounded)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
