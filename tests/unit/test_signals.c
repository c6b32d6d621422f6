/* test_signals.c - spectra, filters and quantiles that the detectors share, against plain computations. */
#include "support/test.h"

#include <math.h>

#include "base/memory.h"
#include "base/random.h"
#include "evidence/signals.h"
#include "psg/fft.h"
#include "sleep/events.h"

static const double pi = 3.14159265358979323846;
enum { EPOCHS = 2, N = EPOCHS * SV_EPOCH_SAMPLES };

static double noise(uint64_t seed, uint64_t i) { return sv_random_unit(seed, i) * 100 - 50; }

static sv_night night_of(double *f4, double *chin) {
    sv_night night = {.n_epochs = EPOCHS};
    night.samples[SV_ROLE_F4] = f4;
    night.samples[SV_ROLE_CHIN] = chin;
    return night;
}

static void spectra_equal_the_fft(void **state) {
    (void)state;
    static double x[N], chin[N];
    sv_error err;
    sv_signals signals;
    sv_pool *pool;
    for (int i = 0; i < N; i++) x[i] = noise(1, (uint64_t)i) + 20;
    sv_night night = night_of(x, chin);
    ASSERT_OK(sv_pool_new(3, &pool, &err), err);
    ASSERT_OK(sv_signals_new(&night, NULL, pool, &signals, &err), err);
    assert_int_equal(signals.roles, sv_role_bit(SV_ROLE_F4) | sv_role_bit(SV_ROLE_CHIN));
    assert_null(signals.spectra[SV_ROLE_CHIN]);
    for (int s = 0; s < signals.n_s; s++) {
        int first = SV_MAX(0, SV_MIN(s * 100 - 50, N - 200));
        double w[200], out[202], mean = 0, squares = 0;
        for (int i = 0; i < 200; i++) mean += x[first + i] / 200;
        for (int i = 0; i < 200; i++) {
            double h = 0.5 - 0.5 * cos(2 * pi * i / 200);
            squares += h * h;
            w[i] = (x[first + i] - mean) * h;
        }
        ASSERT_OK(sv_fft_real(w, 200, out, &err), err);
        for (int b = 0; b < SV_SPECTRUM_BINS; b++) {
            double power = (out[2 * b] * out[2 * b] + out[2 * b + 1] * out[2 * b + 1]) / (100 * squares);
            if (b) power *= 2;
            double got = (double)signals.spectra[SV_ROLE_F4][s * SV_SPECTRUM_BINS + b];
            assert_true(fabs(got - power) < 1e-4 * power + 1e-4);
        }
    }
    assert_true(isnan(sv_signals_power(&signals, SV_ROLE_CHIN, 0, 1, 2)));
    assert_true(isnan(sv_signals_power(&signals, SV_ROLE_F4, signals.n_s, 1, 2)));
    sv_signals_free(&signals);
    sv_pool_free(pool);
}

/* Parseval: a sine of amplitude a has the power a^2/2, all of it near its frequency. */
static void power_of_a_sine(void **state) {
    (void)state;
    static double x[N];
    sv_error err;
    sv_signals signals;
    for (int i = 0; i < N; i++) x[i] = 30 * sin(2 * pi * 10 * i / 100);
    sv_night night = night_of(x, NULL);
    ASSERT_OK(sv_signals_new(&night, NULL, NULL, &signals, &err), err);
    for (int s = 0; s < signals.n_s; s++) {
        assert_true(fabs(sv_signals_power(&signals, SV_ROLE_F4, s, 8, 12.5) - 450) < 1);
        assert_true(sv_signals_power(&signals, SV_ROLE_F4, s, 13, 30) < 0.1);
    }
    sv_signals_free(&signals);
}

static double gain_at(double hz, double low_hz, double high_hz) {
    static double x[N];
    static float y[N];
    sv_error err;
    double in = 0, out = 0;
    for (int i = 0; i < N; i++) x[i] = sin(2 * pi * hz * i / 100);
    ASSERT_OK(sv_band_pass(x, N, low_hz, high_hz, y, &err), err);
    for (int i = N / 4; i < 3 * N / 4; i++) {
        in += x[i] * x[i];
        out += x[i] * (double)y[i]; /* the part in phase: also shows that there is no delay */
    }
    return out / in;
}

static void band_pass_gains(void **state) {
    (void)state;
    static const struct {
        double hz, low_hz, high_hz, gain;
    } cases[] = {{0.5, 0.5, 2, 0.5}, {2, 0.5, 2, 0.5}, {1, 0.3, 4, 0.98},   {13, 11, 16, 0.45},
                 {0.1, 11, 16, 0},   {30, 0.5, 2, 0},  {1, 0, 4, 0.996},    {20, 0, 4, 0.001},
                 {30, 20, 50, 0.9},  {2, 20, 50, 0.0}, {0.02, 0.3, 35, 0.0}};
    for (size_t i = 0; i < SV_COUNT(cases); i++) {
        double gain = gain_at(cases[i].hz, cases[i].low_hz, cases[i].high_hz);
        if (fabs(gain - cases[i].gain) > 0.06) fail_msg("case %zu: gain %.4f", i, gain);
    }
    float y[1];
    double x[1] = {5};
    sv_error err;
    assert_int_equal(sv_band_pass(x, 1, 4, 2, y, &err), SV_ERR_INTERNAL);
    ASSERT_OK(sv_band_pass(x, 1, 1, 2, y, &err), err); /* one sample: nothing to extend */
    ASSERT_OK(sv_band_pass(x, 0, 1, 2, y, &err), err);
}

static void constant_stays_or_vanishes(void **state) {
    (void)state;
    static double x[500];
    static float y[500];
    sv_error err;
    for (int i = 0; i < 500; i++) x[i] = 70;
    ASSERT_OK(sv_band_pass(x, 500, 0, 4, y, &err), err);
    for (int i = 0; i < 500; i++) assert_true(fabs((double)y[i] - 70) < 1e-4);
    ASSERT_OK(sv_band_pass(x, 500, 0.5, 4, y, &err), err);
    for (int i = 0; i < 500; i++) assert_true(fabs((double)y[i]) < 1e-4);
}

static void moving_windows(void **state) {
    (void)state;
    static const size_t widths[] = {1, 2, 7, 50, 2000};
    float x[333], mean[333], rms[333];
    for (int i = 0; i < 333; i++) x[i] = (float)noise(2, (uint64_t)i);
    for (size_t w = 0; w < SV_COUNT(widths); w++) {
        sv_moving_mean(x, 333, widths[w], mean);
        sv_moving_rms(x, 333, widths[w], rms);
        for (int i = 0; i < 333; i++) {
            double sum = 0, squares = 0, n = 0;
            for (int k = i - (int)(widths[w] / 2); k < i + (int)(widths[w] - widths[w] / 2); k++) {
                if (k < 0 || k >= 333) continue;
                sum += (double)x[k];
                squares += (double)x[k] * (double)x[k];
                n++;
            }
            assert_true(fabs(sum / n - (double)mean[i]) < 1e-3);
            assert_true(fabs(sqrt(squares / n) - (double)rms[i]) < 1e-3);
        }
    }
}

static int by_value(const void *a, const void *b) {
    return (*(const float *)a > *(const float *)b) - (*(const float *)a < *(const float *)b);
}

static void quantiles_equal_sorting(void **state) {
    (void)state;
    for (size_t n = 1; n < 60; n++) {
        for (int levels = 1; levels < 12; levels += 5) { /* few levels: many equal values */
            float x[60], sorted[60];
            for (size_t i = 0; i < n; i++) sorted[i] = x[i] = (float)(int)(sv_random_unit(n, i) * levels);
            qsort(sorted, n, sizeof *sorted, by_value);
            for (size_t k = 0; k < n; k++) {
                double share = n > 1 ? (double)k / (double)(n - 1) : 0;
                assert_true(sv_quantile(x, n, share) == (double)sorted[k]);
            }
        }
    }
    const float with_nan[] = {NAN, 3, NAN, 1, 2};
    assert_true(sv_quantile(with_nan, 5, 0.5) == 2);
    assert_true(isnan(sv_quantile(with_nan, 1, 0.5)) && isnan(sv_quantile(with_nan, 0, 0.5)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spectra_equal_the_fft), cmocka_unit_test(power_of_a_sine),
        cmocka_unit_test(band_pass_gains),       cmocka_unit_test(constant_stays_or_vanishes),
        cmocka_unit_test(moving_windows),        cmocka_unit_test(quantiles_equal_sorting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
