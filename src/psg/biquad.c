/* biquad.c - see biquad.h. */
#include "psg/biquad.h"

#include <math.h>

static const double pi = 3.14159265358979323846;

static sv_biquad second_order(double k, double q, bool high_pass) {
    double norm = 1 / (1 + k / q + k * k), gain = high_pass ? norm : k * k * norm;
    return (sv_biquad){.b = {gain, high_pass ? -2 * gain : 2 * gain, gain},
                       .a = {2 * (k * k - 1) * norm, (1 - k / q + k * k) * norm}};
}

static sv_biquad first_order(double k, bool high_pass) {
    double norm = 1 / (1 + k), gain = high_pass ? norm : k * norm;
    return (sv_biquad){.b = {gain, high_pass ? -gain : gain, 0}, .a = {(k - 1) * norm, 0}};
}

int sv_biquad_butterworth(int order, double hz, double rate_hz, bool high_pass, sv_biquad out[SV_MAX_SECTIONS]) {
    if (order < 1 || order > 2 * SV_MAX_SECTIONS || !(hz > 0) || !(hz < rate_hz / 2)) return 0;
    double k = tan(pi * hz / rate_hz);
    int n = 0;
    for (int pair = 0; pair < order / 2; pair++) {
        double q = 1 / (2 * sin(pi * (2 * pair + 1) / (2.0 * order)));
        out[n++] = second_order(k, q, high_pass);
    }
    if (order % 2) out[n++] = first_order(k, high_pass);
    return n;
}

void sv_biquad_run(const sv_biquad *f, double *x, size_t n, bool backwards) {
    double first = backwards ? x[n - 1] : x[0];
    double rest = first * (f->b[0] + f->b[1] + f->b[2]) / (1 + f->a[0] + f->a[1]);
    double z1 = f->b[2] * first - f->a[1] * rest, z0 = f->b[1] * first - f->a[0] * rest + z1;
    for (size_t i = 0; i < n; i++) {
        double *at = backwards ? x + n - 1 - i : x + i, in = *at, y = f->b[0] * in + z0;
        z0 = f->b[1] * in - f->a[0] * y + z1;
        z1 = f->b[2] * in - f->a[1] * y;
        *at = y;
    }
}
