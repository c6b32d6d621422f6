/* butterworth.c - see butterworth.h. */
#include "psg/butterworth.h"

#include <complex.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"

#define HALF_ORDER 4

static const double pi = 3.14159265358979323846;

/* CMPLX is missing in C libraries with some compilers; the layout is the standard's. */
static double complex complex_of(double re, double im) {
    union {
        double parts[2];
        double complex z;
    } u = {{re, im}};
    return u.z;
}

/* Products of complex numbers are spelled out: the order of the roundings is part of the result. */
static double complex times(double complex x, double complex y) {
    return complex_of(creal(x) * creal(y) - cimag(x) * cimag(y), creal(x) * cimag(y) + cimag(x) * creal(y));
}

/* As vector units with a fused multiply-add square. */
static double complex square(double complex x) {
    return complex_of(fma(creal(x), creal(x), -(cimag(x) * cimag(x))), fma(creal(x), cimag(x), cimag(x) * creal(x)));
}

/* Smith's algorithm (Smith 1962). */
static double complex divide(double complex x, double complex y) {
    if (fabs(creal(y)) >= fabs(cimag(y))) {
        double ratio = cimag(y) / creal(y), scale = 1.0 / (creal(y) + cimag(y) * ratio);
        return complex_of((creal(x) + cimag(x) * ratio) * scale, (cimag(x) - creal(x) * ratio) * scale);
    }
    double ratio = creal(y) / cimag(y), scale = 1.0 / (cimag(y) + creal(y) * ratio);
    return complex_of((creal(x) * ratio + cimag(x)) * scale, (cimag(x) * ratio - creal(x)) * scale);
}

/* Multiplies the polynomial p of degree n by (1 - root / z). */
static void append_root(double complex *p, int n, double complex root) {
    p[n + 1] = 0;
    for (int k = n + 1; k >= 1; k--) {
        double complex q = p[k - 1];
        double re_sum = creal(q) * -creal(root) + creal(p[k]), im_sum = cimag(q) * -cimag(root);
        p[k] = complex_of(re_sum - im_sum, creal(q) * -cimag(root) + (cimag(q) * -creal(root) + cimag(p[k])));
    }
}

bool sv_butterworth_band_pass(double low, double high, sv_iir *out) {
    if (!(low > 0 && low < high && high < 1)) return false;
    const double fs = 2.0, fs2 = 2.0 * fs;
    double warped_low = 2 * fs * (double)tanl(pi * low / fs), warped_high = 2 * fs * (double)tanl(pi * high / fs);
    double width = warped_high - warped_low, centre = sqrt(warped_low * warped_high);

    double complex poles[2 * HALF_ORDER];
    for (int i = 0; i < HALF_ORDER; i++) {
        double m = 2 * i - HALF_ORDER + 1;
        double complex prototype = -cexp(complex_of(0, pi * m / (2 * HALF_ORDER)));
        double complex p = complex_of(creal(prototype) * width / 2, cimag(prototype) * width / 2);
        double complex root = csqrt(square(p) - centre * centre);
        poles[i] = p + root;
        poles[i + HALF_ORDER] = p - root;
    }

    double complex product = 1, a[SV_IIR_MAX_ORDER + 1] = {1};
    for (int i = 0; i < 2 * HALF_ORDER; i++) {
        product = i == 0 ? fs2 - poles[i] : times(product, fs2 - poles[i]);
        append_root(a, i, divide(fs2 + poles[i], fs2 - poles[i]));
    }
    double gain = pow(width, HALF_ORDER) * creal(divide(pow(fs2, HALF_ORDER), product));

    static const double zeros_at_both_ends[SV_IIR_MAX_ORDER + 1] = {1, 0, -4, 0, 6, 0, -4, 0, 1};
    memset(out, 0, sizeof *out);
    out->order = 2 * HALF_ORDER;
    for (int i = 0; i <= out->order; i++) {
        out->b[i] = gain * zeros_at_both_ends[i];
        out->a[i] = creal(a[i]);
    }
    sv_iir_steady_state(out);
    return true;
}

bool sv_notch(double hz, double q, double rate_hz, sv_iir *out) {
    double w0 = 2 * hz / rate_hz;
    if (!(w0 > 0 && w0 <= 1)) return false;
    double beta = tan(w0 / q * pi / 2.0), gain = 1.0 / (1.0 + beta);
    double cosine = cos(w0 * pi);
    memset(out, 0, sizeof *out);
    out->order = 2;
    out->b[0] = out->b[2] = gain;
    out->b[1] = gain * (-2.0 * cosine);
    out->a[0] = 1;
    out->a[1] = -2.0 * gain * cosine;
    out->a[2] = 2.0 * gain - 1.0;
    sv_iir_steady_state(out);
    return true;
}

/* The sum of l[k] * column[k] over [first, end), rounded once a term. */
static double fused_dot(const double *l, const double *column, int first, int end) {
    double sum = 0;
    for (int k = first; k < end; k++) sum = fma(l[k], column[k], sum);
    return sum;
}

/* One column of the elimination: what the columns to the left subtract from it. The grouping in fours, except in the
 * last n mod 4 rows, is that of the vector code that computed the reference (BLAS for AVX-512). */
static void eliminate_column(double m[][SV_IIR_MAX_ORDER], int n, int j) {
    double column[SV_IIR_MAX_ORDER];
    for (int i = 0; i < j; i++) {
        if (i > 0) m[i][j] -= fused_dot(m[i], column, 0, i);
        column[i] = m[i][j];
    }
    int n_rows_in_fours = (n - j) & ~3, n_columns_in_fours = j & ~3;
    for (int i = j; i < n; i++) {
        if (i - j >= n_rows_in_fours) {
            m[i][j] -= fused_dot(m[i], column, 0, j);
            continue;
        }
        for (int k = 0; k < n_columns_in_fours; k += 4) m[i][j] -= fused_dot(m[i], column, k, k + 4);
        for (int k = n_columns_in_fours; k < j; k++) m[i][j] -= m[i][k] * column[k];
    }
}

/* Solves m x = x by elimination with row exchange, in place. */
static void solve(double m[][SV_IIR_MAX_ORDER], double *x, int n) {
    for (int j = 0; j < n; j++) {
        eliminate_column(m, n, j);
        int pivot = j;
        for (int i = j + 1; i < n; i++) {
            if (fabs(m[i][j]) > fabs(m[pivot][j])) pivot = i;
        }
        for (int k = 0; k < n && pivot != j; k++) {
            double kept = m[j][k];
            m[j][k] = m[pivot][k];
            m[pivot][k] = kept;
        }
        double kept = x[j];
        x[j] = x[pivot];
        x[pivot] = kept;
        double reciprocal = 1.0 / m[j][j];
        for (int i = j + 1; i < n; i++) m[i][j] *= reciprocal;
    }
    for (int i = 0; i < n; i++) {
        for (int k = 0; k < i; k++) x[i] = fma(-m[i][k], x[k], x[i]);
    }
    for (int i = n - 1; i >= 0; i--) {
        for (int k = n - 1; k > i; k--) x[i] = fma(-m[i][k], x[k], x[i]);
        x[i] /= m[i][i];
    }
}

void sv_iir_steady_state(sv_iir *out) {
    /* the state z at rest satisfies z[i] = z[i+1] - a[i+1] z[0] + (b[i+1] - a[i+1] b[0]) */
    double m[SV_IIR_MAX_ORDER][SV_IIR_MAX_ORDER] = {{0}};
    int n = out->order;
    for (int i = 0; i < n; i++) {
        m[i][i] = 1;
        m[i][0] += out->a[i + 1];
        if (i + 1 < n) m[i][i + 1] = -1;
        out->zi[i] = out->b[i + 1] - out->a[i + 1] * out->b[0];
    }
    solve(m, out->zi, n);
}
