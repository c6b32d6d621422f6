/* resample.c - see resample.h. */
#include "psg/resample.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "psg/fft.h"

size_t sv_resampled_length(size_t n, double from_hz, double to_hz) {
    double length = rint((double)n * to_hz / from_hz);
    return length >= 0 && length < 0x1p53 ? (size_t)length : 0;
}

/* Distance of the outputs on the axis of n samples; output i lies at i times it, the last exactly at n - 1. */
static double spacing(size_t n, size_t n_out) { return n_out > 1 ? (double)(n - 1) / (double)(n_out - 1) : 0; }

static double position(size_t i, double step, size_t n, size_t n_out) {
    return i > 0 && i == n_out - 1 ? (double)(n - 1) : (double)i * step;
}

void sv_resample_linear(const double *x, size_t n, size_t stride, double *out, size_t n_out) {
    double step = spacing(n, n_out);
    for (size_t i = 0; i < n_out; i++) {
        double at = position(i, step, n, n_out);
        size_t j = SV_MIN((size_t)at, n - 1);
        double left = x[j * stride], offset = at - (double)j;
        if (offset == 0 || j == n - 1) {
            out[i] = left;
            continue;
        }
        double right = x[(j + 1) * stride];
        out[i] = (right - left) * offset + left;
    }
}

sv_status sv_resample_spectrum(const double *x, size_t n, double *out, size_t n_out, sv_error *err) {
    size_t n_shorter = SV_MIN(n, n_out), n_bins = n_shorter / 2 + 1;
    double *spectrum = sv_calloc(SV_MAX(n, n_out) / 2 + 1, 2 * sizeof *spectrum);
    if (!spectrum) return sv_fail_memory(err, "a spectrum", SV_MAX(n, n_out) * sizeof *spectrum);
    sv_status status = sv_fft_real(x, n, spectrum, err);
    if (status) goto done;
    if (n_shorter % 2 == 0 && n != n_out) {
        /* the bin at the shorter signal's Nyquist frequency stands for two */
        double factor = n_out < n ? 2 : 0.5;
        spectrum[n_shorter] *= factor;
        spectrum[n_shorter + 1] *= factor;
    }
    size_t n_all = n_out / 2 + 1;
    if (n_all > n_bins) memset(spectrum + 2 * n_bins, 0, (n_all - n_bins) * 2 * sizeof *spectrum);
    double scale = (double)n_out / (double)n;
    for (size_t i = 0; i < 2 * n_bins; i++) spectrum[i] *= scale;
    status = sv_fft_real_inverse(spectrum, n_out, out, err);
done:
    free(spectrum);
    return status;
}

/* Modified Bessel function of the first kind, order 0, by its power series. */
static double bessel_i0(double x) {
    double sum = 1, term = 1;
    for (int k = 1; term > sum * 1e-17; k++) {
        term *= x / (2 * k) * x / (2 * k);
        sum += term;
    }
    return sum;
}

/* taps[0..half]: the right half of the kernel, scaled to gain 1 at 0 Hz. Frequencies in cycles a sample. */
static void kaiser_low_pass(double cutoff, double *taps, size_t half) {
    static const double pi = 3.14159265358979323846, beta = 5.65326; /* 60 dB (Kaiser 1974) */
    double sum = 0;
    for (size_t i = 0; i <= half; i++) {
        double t = (double)i, r = t / (double)(half + 1);
        double sinc = i == 0 ? 2 * cutoff : sin(2 * pi * cutoff * t) / (pi * t);
        taps[i] = sinc * bessel_i0(beta * sqrt(1 - r * r));
        sum += i == 0 ? taps[i] : 2 * taps[i];
    }
    for (size_t i = 0; i <= half; i++) taps[i] /= sum;
}

/* Sample i of x continued oddly beyond both ends, as often as needed. */
static double extended(const double *x, ptrdiff_t n, ptrdiff_t i) {
    double offset = 0, sign = 1;
    while (i < 0 || i >= n) {
        if (n == 1) return x[0];
        double pivot = i < 0 ? x[0] : x[n - 1];
        offset += sign * 2 * pivot;
        sign = -sign;
        i = i < 0 ? -i : 2 * (n - 1) - i;
    }
    return offset + sign * x[i];
}

static double smoothed(const double *x, size_t n, size_t at, const double *taps, size_t half) {
    double sum = taps[0] * x[at];
    if (at >= half && at + half < n) {
        for (size_t k = 1; k <= half; k++) sum += taps[k] * (x[at - k] + x[at + k]);
        return sum;
    }
    for (size_t k = 1; k <= half; k++) {
        ptrdiff_t i = (ptrdiff_t)at, d = (ptrdiff_t)k;
        sum += taps[k] * (extended(x, (ptrdiff_t)n, i - d) + extended(x, (ptrdiff_t)n, i + d));
    }
    return sum;
}

sv_status sv_resample_anti_alias(const double *x, size_t n, double from_hz, double to_hz, double *out, size_t n_out,
                                 sv_error *err) {
    /* Kaiser's estimate of the length for 60 dB over a transition of a tenth of to_hz */
    double n_taps = (60 - 7.95) / (2.285 * 2 * 3.14159265358979323846 * (0.1 * to_hz / from_hz));
    if (!(n_taps < 1e7)) return sv_fail(err, SV_ERR_UNSUPPORTED, "cannot resample from %g Hz to %g Hz", from_hz, to_hz);
    size_t half = (size_t)ceil(n_taps / 2);
    double *taps = sv_calloc(half + 1, sizeof *taps);
    if (!taps) return sv_fail_memory(err, "a low-pass", half * sizeof *taps);
    kaiser_low_pass(0.45 * to_hz / from_hz, taps, half);
    double step = spacing(n, n_out);
    for (size_t i = 0; i < n_out; i++) {
        /* only the two samples that the interpolation looks at are smoothed */
        double at = position(i, step, n, n_out);
        size_t j = SV_MIN((size_t)at, n - 1);
        double pair[2] = {smoothed(x, n, j, taps, half), 0}, offset = at - (double)j;
        if (offset > 0 && j + 1 < n) pair[1] = smoothed(x, n, j + 1, taps, half);
        out[i] = offset > 0 && j + 1 < n ? (pair[1] - pair[0]) * offset + pair[0] : pair[0];
    }
    free(taps);
    return SV_OK;
}
