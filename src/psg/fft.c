/* fft.c - see fft.h. Complex numbers are pairs; the inverse is the forward transform between two conjugations. */
#include "psg/fft.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"

#define MAX_RADIX 31
#define MAX_FACTORS 64

static const double pi = 3.14159265358979323846;

typedef struct complex_pair {
    double re, im;
} complex_pair;

static complex_pair times(complex_pair a, complex_pair b) {
    return (complex_pair){a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}
static complex_pair plus(complex_pair a, complex_pair b) { return (complex_pair){a.re + b.re, a.im + b.im}; }
static complex_pair minus(complex_pair a, complex_pair b) { return (complex_pair){a.re - b.re, a.im - b.im}; }

/* Splits n in factors of 4, 2, 3, 5, 7 ...; false when one exceeds MAX_RADIX. */
static bool factorise(size_t n, size_t *factors, int *n_factors) {
    *n_factors = 0;
    for (size_t p = 4; n > 1;) {
        if (n % p == 0) {
            factors[(*n_factors)++] = p;
            n /= p;
        } else {
            p = p == 4 ? 2 : p == 2 ? 3 : p + 2;
            if (p > MAX_RADIX) return false;
        }
    }
    return true;
}

typedef struct fft_plan {
    size_t n;
    size_t factors[MAX_FACTORS];
    const complex_pair *roots; /* [n], exp(-2 pi i k / n) */
} fft_plan;

static void butterflies_2(const fft_plan *plan, complex_pair *x, size_t m, size_t stride) {
    for (size_t j = 0; j < m; j++) {
        complex_pair odd = times(x[j + m], plan->roots[j * stride]);
        x[j + m] = minus(x[j], odd);
        x[j] = plus(x[j], odd);
    }
}

static void butterflies_4(const fft_plan *plan, complex_pair *x, size_t m, size_t stride) {
    const complex_pair *w = plan->roots;
    for (size_t j = 0; j < m; j++) {
        complex_pair a = x[j], b = times(x[j + m], w[j * stride]), c = times(x[j + 2 * m], w[2 * j * stride]),
                     d = times(x[j + 3 * m], w[3 * j * stride]);
        complex_pair ac = plus(a, c), a_c = minus(a, c), bd = plus(b, d), b_d = minus(b, d);
        x[j] = plus(ac, bd);
        x[j + m] = (complex_pair){a_c.re + b_d.im, a_c.im - b_d.re};
        x[j + 2 * m] = minus(ac, bd);
        x[j + 3 * m] = (complex_pair){a_c.re - b_d.im, a_c.im + b_d.re};
    }
}

static void butterflies_any(const fft_plan *plan, complex_pair *x, size_t p, size_t m, size_t stride) {
    complex_pair in[MAX_RADIX];
    for (size_t j = 0; j < m; j++) {
        for (size_t k = 0; k < p; k++) in[k] = times(x[j + k * m], plan->roots[j * k * stride]);
        for (size_t q = 0; q < p; q++) {
            complex_pair sum = in[0];
            for (size_t k = 1; k < p; k++) sum = plus(sum, times(in[k], plan->roots[q * k % p * m * stride]));
            x[j + q * m] = sum;
        }
    }
}

/* out [n / stride]: the transform of every stride-th value of in. Recursion as deep as there are factors. */
static void transform(const fft_plan *plan, const size_t *factor, const complex_pair *in, complex_pair *out,
                      size_t stride) {
    size_t n = plan->n / stride;
    if (n == 1) {
        *out = *in;
        return;
    }
    size_t p = *factor, m = n / p;
    for (size_t k = 0; k < p; k++) transform(plan, factor + 1, in + k * stride, out + k * m, stride * p);
    if (p == 4) {
        butterflies_4(plan, out, m, stride);
    } else if (p == 2) {
        butterflies_2(plan, out, m, stride);
    } else {
        butterflies_any(plan, out, p, m, stride);
    }
}

static complex_pair root_of_unity(size_t k, size_t n) {
    double angle = -2 * pi * ((double)k / (double)n);
    return (complex_pair){cos(angle), sin(angle)};
}

/* out [n] = transform of in [n], for a length of small factors. */
static sv_status fft_smooth(const complex_pair *in, size_t n, complex_pair *out, sv_error *err) {
    fft_plan plan = {.n = n};
    int n_factors;
    if (!factorise(n, plan.factors, &n_factors)) return sv_fail(err, SV_ERR_INTERNAL, "no small factors in %zu", n);
    complex_pair *roots = sv_calloc(n, sizeof *roots);
    if (!roots) return sv_fail_memory(err, "a Fourier transform", n * sizeof *roots);
    for (size_t k = 0; k < n; k++) roots[k] = root_of_unity(k, n);
    plan.roots = roots;
    transform(&plan, plan.factors, in, out, 1);
    free(roots);
    return SV_OK;
}

static void conjugate(complex_pair *x, size_t n) {
    for (size_t i = 0; i < n; i++) x[i].im = -x[i].im;
}

/* Any length as a convolution with a chirp: k t = (k^2 + t^2 - (k - t)^2) / 2. */
static sv_status fft_bluestein(const complex_pair *in, size_t n, complex_pair *out, sv_error *err) {
    size_t m = 1;
    while (m < 2 * n - 1) m *= 2;
    complex_pair *chirp = sv_calloc(n, sizeof *chirp), *a = sv_calloc(m, sizeof *a), *b = sv_calloc(m, sizeof *b),
                 *fa = sv_calloc(m, sizeof *fa), *fb = sv_calloc(m, sizeof *fb);
    sv_status status = SV_ERR_MEMORY;
    if (!chirp || !a || !b || !fa || !fb) {
        sv_fail_memory(err, "a Fourier transform", 4 * m * sizeof *a);
        goto done;
    }
    for (size_t k = 0; k < n; k++) {
        /* k^2 mod 2n stays exact and keeps the angle small */
        chirp[k] = root_of_unity((size_t)((unsigned __int128)k * k % (2 * n)), 2 * n);
        a[k] = times(in[k], chirp[k]);
        b[k] = b[k ? m - k : 0] = (complex_pair){chirp[k].re, -chirp[k].im};
    }
    status = fft_smooth(a, m, fa, err);
    if (!status) status = fft_smooth(b, m, fb, err);
    if (status) goto done;
    for (size_t k = 0; k < m; k++) fa[k] = times(fa[k], fb[k]);
    conjugate(fa, m);
    status = fft_smooth(fa, m, a, err);
    for (size_t k = 0; k < n && !status; k++) {
        complex_pair sum = {a[k].re / (double)m, -a[k].im / (double)m};
        out[k] = times(sum, chirp[k]);
    }
done:
    free(chirp);
    free(a);
    free(b);
    free(fa);
    free(fb);
    return status;
}

static sv_status fft(const complex_pair *in, size_t n, complex_pair *out, sv_error *err) {
    size_t factors[MAX_FACTORS];
    int n_factors;
    return factorise(n, factors, &n_factors) ? fft_smooth(in, n, out, err) : fft_bluestein(in, n, out, err);
}

static sv_status check_length(size_t n, sv_error *err) {
    if (n >= 1 && n <= (size_t)1 << 40) return SV_OK;
    return sv_fail(err, SV_ERR_UNSUPPORTED, "a Fourier transform of %zu samples is not possible", n);
}

sv_status sv_fft_real(const double *x, size_t n, double *spectrum, sv_error *err) {
    sv_status status = check_length(n, err);
    if (status) return status;
    /* an even length is packed in half as many complex numbers */
    bool packed = n % 2 == 0;
    size_t m = packed ? n / 2 : n;
    complex_pair *in = sv_calloc(m, sizeof *in), *out = sv_calloc(m, sizeof *out);
    if (!in || !out) {
        status = sv_fail_memory(err, "a Fourier transform", 2 * m * sizeof *in);
        goto done;
    }
    for (size_t i = 0; i < m; i++) {
        in[i] = packed ? (complex_pair){x[2 * i], x[2 * i + 1]} : (complex_pair){x[i], 0};
    }
    status = fft(in, m, out, err);
    for (size_t k = 0; k <= n / 2 && !status; k++) {
        complex_pair bin = out[k % m];
        if (packed) {
            complex_pair mirrored = out[(m - k % m) % m];
            complex_pair even = {(bin.re + mirrored.re) / 2, (bin.im - mirrored.im) / 2};
            complex_pair odd = {(bin.im + mirrored.im) / 2, (mirrored.re - bin.re) / 2};
            bin = plus(even, times(odd, root_of_unity(k, n)));
        }
        spectrum[2 * k] = bin.re;
        spectrum[2 * k + 1] = bin.im;
    }
done:
    free(in);
    free(out);
    return status;
}

sv_status sv_fft_real_inverse(const double *spectrum, size_t n, double *x, sv_error *err) {
    sv_status status = check_length(n, err);
    if (status) return status;
    bool packed = n % 2 == 0;
    size_t m = packed ? n / 2 : n;
    complex_pair *in = sv_calloc(m, sizeof *in), *out = sv_calloc(m, sizeof *out);
    if (!in || !out) {
        status = sv_fail_memory(err, "a Fourier transform", 2 * m * sizeof *in);
        goto done;
    }
    for (size_t k = 0; k < m; k++) {
        size_t mirror = packed ? m - k : n - k;
        bool own = packed || k <= n / 2;
        complex_pair bin = {spectrum[2 * (own ? k : mirror)], (own ? 1 : -1) * spectrum[2 * (own ? k : mirror) + 1]};
        if (k == 0) bin.im = 0;
        if (packed) {
            complex_pair other = {spectrum[2 * mirror], mirror == m ? 0 : -spectrum[2 * mirror + 1]};
            complex_pair w = root_of_unity(k, n);
            complex_pair even = plus(bin, other), odd = times(minus(bin, other), (complex_pair){w.re, -w.im});
            bin = (complex_pair){even.re - odd.im, even.im + odd.re};
        }
        in[k] = (complex_pair){bin.re, -bin.im};
    }
    status = fft(in, m, out, err);
    for (size_t i = 0; i < m && !status; i++) {
        if (packed) {
            x[2 * i] = out[i].re / (double)n;
            x[2 * i + 1] = -out[i].im / (double)n;
        } else {
            x[i] = out[i].re / (double)n;
        }
    }
done:
    free(in);
    free(out);
    return status;
}
