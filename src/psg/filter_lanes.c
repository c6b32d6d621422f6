/*
 * filter_lanes.c - the recursion of filter.c on four signals in lock-step. One signal is a serial chain of dependent
 * operations; four fill the vector unit. The operations on each lane are those of filter.c in the same order.
 */
#include <string.h>

#include "base/memory.h"
#include "psg/filter.h"

typedef double lanes __attribute__((vector_size(SV_FILTER_LANES * sizeof(double)), aligned(sizeof(double)), may_alias));

typedef struct lanes_iir {
    int order;
    bool even_only; /* every second b is 0, as of a Butterworth band-pass: adding it would change no sum */
    lanes b[SV_IIR_MAX_ORDER + 1], a[SV_IIR_MAX_ORDER + 1], zi[SV_IIR_MAX_ORDER];
} lanes_iir;

/* Runs n samples from x on, to lower addresses when stride is -1. Order and even_only are constants wherever this is
 * inlined. */
static inline __attribute__((always_inline)) void run(const lanes_iir *f, const int order, const bool even_only,
                                                      lanes *state, lanes *x, size_t n, ptrdiff_t stride) {
    lanes z[SV_IIR_MAX_ORDER];
    for (int k = 0; k < order; k++) z[k] = state[k];
    for (size_t i = 0; i < n; i++, x += stride) {
        lanes v = *x, y = z[0] + f->b[0] * v;
#pragma GCC unroll 8
        for (int k = 0; k < order - 1; k++) {
            lanes sum = z[k + 1];
            if (!even_only || k % 2) sum += v * f->b[k + 1];
            z[k] = sum - y * f->a[k + 1];
        }
        z[order - 1] = v * f->b[order] - y * f->a[order];
        *x = y;
    }
    for (int k = 0; k < order; k++) state[k] = z[k];
}

typedef void run_function(const lanes_iir *f, lanes *state, lanes *x, size_t n, ptrdiff_t stride);

static inline __attribute__((always_inline)) void run_any(const lanes_iir *f, lanes *state, lanes *x, size_t n,
                                                          ptrdiff_t stride) {
    if (f->order == 8 && f->even_only) {
        run(f, 8, true, state, x, n, stride);
    } else if (f->order == 2) {
        run(f, 2, false, state, x, n, stride);
    } else {
        run(f, f->order, false, state, x, n, stride);
    }
}

static void run_baseline(const lanes_iir *f, lanes *state, lanes *x, size_t n, ptrdiff_t stride) {
    run_any(f, state, x, n, stride);
}

#if defined(__x86_64__)
/* AVX2 alone, without FMA: the roundings stay the same */
__attribute__((target("avx2"))) static void run_avx2(const lanes_iir *f, lanes *state, lanes *x, size_t n,
                                                     ptrdiff_t stride) {
    run_any(f, state, x, n, stride);
}
#endif

static run_function *best_run(void) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) return run_avx2;
#endif
    return run_baseline;
}

static void gather(const sv_iir *const f[SV_FILTER_LANES], lanes_iir *out) {
    memset(out, 0, sizeof *out);
    out->order = f[0]->order;
    out->even_only = true;
    for (int l = 0; l < SV_FILTER_LANES; l++) {
        for (int k = 0; k <= out->order; k++) {
            out->b[k][l] = f[l]->b[k];
            out->a[k][l] = f[l]->a[k];
            out->even_only &= k % 2 == 0 || f[l]->b[k] == 0;
        }
        for (int k = 0; k < out->order; k++) out->zi[k][l] = f[l]->zi[k];
    }
}

static void start(const lanes_iir *f, lanes *z, const lanes *first) {
    for (int k = 0; k < f->order; k++) z[k] = f->zi[k] * *first;
}

bool sv_filtfilt_lanes(const sv_iir *const filters[SV_FILTER_LANES], double *samples, size_t n) {
    size_t pad = sv_iir_pad(filters[0]);
    if (n <= pad) return false;
    run_function *run_some = best_run();
    lanes_iir f;
    gather(filters, &f);
    lanes *x = (lanes *)samples, z[SV_IIR_MAX_ORDER], head[SV_FILTER_MAX_PAD], tail[SV_FILTER_MAX_PAD];
    for (size_t i = 0; i < pad; i++) {
        head[i] = 2 * x[0] - x[pad - i];
        tail[i] = 2 * x[n - 1] - x[n - 2 - i];
    }
    start(&f, z, head);
    run_some(&f, z, head, pad, 1);
    run_some(&f, z, x, n, 1);
    run_some(&f, z, tail, pad, 1);

    start(&f, z, &tail[pad - 1]);
    run_some(&f, z, &tail[pad - 1], pad, -1);
    run_some(&f, z, &x[n - 1], n, -1);
    return true;
}
