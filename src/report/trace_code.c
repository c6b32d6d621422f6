/* trace_code.c - rounding, prediction, Rice code. */
#include "report/trace_code.h"

#include <math.h>

static void put_bits(sv_bit_writer *w, uint32_t value, int n) {
    for (int i = n - 1; i >= 0; i--) {
        w->held = w->held << 1 | (value >> i & 1);
        if (++w->n_held < 8) continue;
        char byte = (char)(unsigned char)(w->held & 255);
        sv_strbuf_append(w->out, &byte, 1);
        w->held = 0;
        w->n_held = 0;
    }
}

static int steps_of(double x, double step) {
    if (!isfinite(x)) return 0;
    double v = x / step;
    return v > SV_TRACE_MAX_STEPS ? SV_TRACE_MAX_STEPS : v < -SV_TRACE_MAX_STEPS ? -SV_TRACE_MAX_STEPS : (int)lround(v);
}

/* What is left of a sample after the prediction from the two before it, folded to a natural number. */
static uint32_t residual(int order, int x, int before, int before_that) {
    int r = order == 0 ? x : order == 1 ? x - before : x - 2 * before + before_that;
    return r >= 0 ? 2u * (uint32_t)r : 2u * (uint32_t)-r - 1;
}

typedef struct cost {
    uint64_t sum[3]; /* of the folded residuals, by order */
} cost;

static cost costs(const double *samples, int n, double step) {
    cost c = {{0}};
    int a = 0, b = 0;
    for (int i = 0; i < n; i++) {
        int x = steps_of(samples[i], step);
        for (int order = 0; order < 3; order++) c.sum[order] += residual(order, x, a, b);
        b = a;
        a = x;
    }
    return c;
}

/* The k that suits a geometric distribution of this mean: 2^k about 0.69 of it. */
static int rice_parameter(uint64_t sum, int n) {
    int k = 0;
    while (k < SV_TRACE_RAW_BITS - 1 && ((uint64_t)n << (k + 1)) * 100 < sum * 139) k++;
    return k;
}

void sv_trace_encode(sv_bit_writer *w, const double *samples, int n, double step) {
    cost c = costs(samples, n, step);
    int order = c.sum[1] < c.sum[0] ? 1 : 0;
    if (c.sum[2] < c.sum[order]) order = 2;
    int k = rice_parameter(c.sum[order], n), a = 0, b = 0;
    put_bits(w, (uint32_t)order, 2);
    put_bits(w, (uint32_t)k, 5);
    for (int i = 0; i < n; i++) {
        int x = steps_of(samples[i], step);
        uint32_t z = residual(order, x, a, b), q = z >> k;
        if (q < SV_TRACE_ESCAPE) {
            put_bits(w, ((1u << q) - 1) << 1, (int)q + 1);
            put_bits(w, z & ((1u << k) - 1), k);
        } else {
            put_bits(w, (1u << SV_TRACE_ESCAPE) - 1, SV_TRACE_ESCAPE);
            put_bits(w, z, SV_TRACE_RAW_BITS);
        }
        b = a;
        a = x;
    }
}

void sv_trace_finish(sv_bit_writer *w) {
    if (w->n_held) put_bits(w, 0, 8 - w->n_held);
}
