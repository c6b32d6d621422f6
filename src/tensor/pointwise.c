/* pointwise.c - loops over rows, written so that a compiler can turn them into vector code without reordering sums. */
#include "tensor/pointwise.h"

#include <math.h>
#include <string.h>

#include "base/clones.h"
#include "base/memory.h"

#define LANES ((size_t)16) /* partial sums per reduction: fixed, so that every instruction set adds in one order */
#define ROWS_PER_ITEM ((size_t)16)
#define SHARED_WORK ((size_t)1 << 16) /* elements from which waking other threads pays */

/* e^x = 2^k e^r, |r| <= ln(2)/2: k by adding 1.5 * 2^23, r in two steps (Cody and Waite 1980), e^r by its series to r^7
 */
static inline float exponential(float x) {
    x = x < -87.0F ? -87.0F : x;
    x = x > 87.0F ? 87.0F : x;
    float shifted = x * 1.44269504F + 12582912.0F;
    float k = shifted - 12582912.0F;
    float r = (x - k * 0.693359375F) + k * 2.12194440e-4F;
    float p = 1.0F / 5040;
    p = p * r + 1.0F / 720;
    p = p * r + 1.0F / 120;
    p = p * r + 1.0F / 24;
    p = p * r + 1.0F / 6;
    p = p * r + 0.5F;
    p = p * r + 1;
    p = p * r + 1;
    union {
        float value;
        int32_t bits;
    } scaled = {p};
    scaled.bits += (int32_t)k * (1 << 23);
    return scaled.value;
}

void sv_exp_clones(const float *x, size_t n, float *out);
void sv_rms_norm_clones(const float *restrict x, const float *restrict weight, float eps, size_t n,
                        float *restrict out);
void sv_swiglu_clones(float *restrict gate, const float *restrict up, size_t n);
void sv_softmax_clones(float *row, size_t n, float scale);

SV_CLONES void sv_exp_clones(const float *x, size_t n, float *out) {
    for (size_t i = 0; i < n; i++) out[i] = exponential(x[i]);
}

void sv_exp_n(const float *x, size_t n, float *out) { sv_exp_clones(x, n, out); }

SV_CLONES void sv_rms_norm_clones(const float *restrict x, const float *restrict weight, float eps, size_t n,
                                  float *restrict out) {
    float sums[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        for (size_t j = 0; j < LANES; j++) sums[j] += x[i + j] * x[i + j];
    }
    for (size_t j = 0; i < n; i++, j++) sums[j] += x[i] * x[i];
    float total = 0;
    for (size_t j = 0; j < LANES; j++) total += sums[j];
    float scale = 1 / sqrtf(total / (float)n + eps);
    for (i = 0; i < n; i++) out[i] = x[i] * scale * weight[i];
}

SV_CLONES void sv_swiglu_clones(float *restrict gate, const float *restrict up, size_t n) {
    for (size_t i = 0; i < n; i++) gate[i] = gate[i] / (1 + exponential(-gate[i])) * up[i];
}

SV_CLONES void sv_softmax_clones(float *row, size_t n, float scale) {
    float lanes[LANES];
    for (size_t i = 0; i < n; i++) row[i] *= scale;
    size_t i = 0;
    for (size_t j = 0; j < LANES; j++) lanes[j] = row[0];
    for (; i + LANES <= n; i += LANES) {
        for (size_t j = 0; j < LANES; j++) lanes[j] = row[i + j] > lanes[j] ? row[i + j] : lanes[j];
    }
    for (size_t j = 0; i < n; i++, j++) lanes[j] = row[i] > lanes[j] ? row[i] : lanes[j];
    float top = lanes[0];
    for (size_t j = 1; j < LANES; j++) top = lanes[j] > top ? lanes[j] : top;

    memset(lanes, 0, sizeof lanes);
    for (i = 0; i < n; i++) row[i] = exponential(row[i] - top);
    for (i = 0; i + LANES <= n; i += LANES) {
        for (size_t j = 0; j < LANES; j++) lanes[j] += row[i + j];
    }
    for (size_t j = 0; i < n; i++, j++) lanes[j] += row[i];
    float total = 0;
    for (size_t j = 0; j < LANES; j++) total += lanes[j];
    float inverse = 1 / total;
    for (i = 0; i < n; i++) row[i] *= inverse;
}

void sv_softmax(float *row, size_t n, float scale) { sv_softmax_clones(row, n, scale); }

double sv_log_sum_exp(const float *row, size_t n) {
    float top = row[0];
    for (size_t i = 1; i < n; i++) top = row[i] > top ? row[i] : top;
    double sum = 0;
    float block[256];
    for (size_t i = 0; i < n; i += SV_COUNT(block)) {
        size_t m = SV_MIN(SV_COUNT(block), n - i);
        for (size_t j = 0; j < m; j++) block[j] = row[i + j] - top;
        sv_exp_n(block, m, block);
        for (size_t j = 0; j < m; j++) sum += (double)block[j];
    }
    return (double)top + log(sum);
}

typedef struct rows_job {
    const float *x, *weight;
    float *rows;
    float eps;
    size_t n_rows, n;
} rows_job;

static void norm_rows(void *context, int64_t item, int thread) {
    (void)thread;
    const rows_job *job = context;
    size_t first = (size_t)item * ROWS_PER_ITEM, end = SV_MIN(first + ROWS_PER_ITEM, job->n_rows);
    for (size_t r = first; r < end; r++) {
        sv_rms_norm_clones(job->x + r * job->n, job->weight, job->eps, job->n, job->rows + r * job->n);
    }
}

static void swiglu_rows(void *context, int64_t item, int thread) {
    (void)thread;
    const rows_job *job = context;
    size_t first = (size_t)item * ROWS_PER_ITEM, end = SV_MIN(first + ROWS_PER_ITEM, job->n_rows);
    for (size_t r = first; r < end; r++) {
        float *row = job->rows + r * 2 * job->n;
        sv_swiglu_clones(row, row + job->n, job->n);
    }
}

static void gelu_rows(void *context, int64_t item, int thread) {
    (void)thread;
    const rows_job *job = context;
    size_t first = (size_t)item * ROWS_PER_ITEM, end = SV_MIN(first + ROWS_PER_ITEM, job->n_rows);
    for (size_t i = first * job->n; i < end * job->n; i++) {
        job->rows[i] = job->rows[i] * 0.5F * (1 + erff(job->rows[i] * 0.70710678F));
    }
}

static void over_rows(rows_job *job, sv_pool_work *work, sv_pool *pool) {
    if (job->n_rows * job->n < SHARED_WORK) pool = NULL;
    sv_pool_run(pool, (int64_t)((job->n_rows + ROWS_PER_ITEM - 1) / ROWS_PER_ITEM), work, job);
}

void sv_rms_norm(const float *x, const float *weight, float eps, size_t n_rows, size_t n, float *out, sv_pool *pool) {
    over_rows(&(rows_job){x, weight, out, eps, n_rows, n}, norm_rows, pool);
}

void sv_swiglu(float *rows, size_t n_rows, size_t n, sv_pool *pool) {
    over_rows(&(rows_job){.rows = rows, .n_rows = n_rows, .n = n}, swiglu_rows, pool);
}

void sv_gelu(float *rows, size_t n_rows, size_t n, sv_pool *pool) {
    over_rows(&(rows_job){.rows = rows, .n_rows = n_rows, .n = n}, gelu_rows, pool);
}
