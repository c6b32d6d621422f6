/* test_filter_properties.c - what must hold of the filters and the resampling whatever the input. */
#include <math.h>

#include "base/memory.h"
#include "psg/features.h"
#include "psg/fft.h"
#include "psg/filter.h"
#include "psg/filter_bench.h"
#include "psg/resample.h"
#include "support/test.h"

static const double pi = 3.14159265358979323846;

/* Repeatable noise in [-100, 100). */
static void fill_noise(double *x, size_t n, uint32_t seed) {
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525 + 1013904223;
        x[i] = (double)(seed >> 8) / 0x1p24 * 200 - 100;
    }
}

static void filters_are_linear(void **state) {
    (void)state;
    enum { n = 4001 };
    static double a[n], b[n], sum[n];
    sv_filter_chain chain;
    sv_filter_chain_picture(SV_BAND_EEG, 200, 50, &chain);
    assert_int_equal(chain.n_stages, 2);
    fill_noise(a, n, 1);
    fill_noise(b, n, 2);
    for (int i = 0; i < n; i++) sum[i] = 2 * a[i] - 3 * b[i];
    sv_filter_chain_run(&chain, a, n);
    sv_filter_chain_run(&chain, b, n);
    sv_filter_chain_run(&chain, sum, n);
    for (int i = 0; i < n; i++) assert_true(fabs(sum[i] - (2 * a[i] - 3 * b[i])) < 1e-3);
}

/* Amplitude and phase of the part at hz, over the middle of x. */
static void measure(const double *x, size_t n, double rate, double hz, double *amplitude, double *phase) {
    double re = 0, im = 0;
    size_t period = (size_t)rate, first = n / 4 / period * period, end = first + n / 2 / period * period;
    for (size_t i = first; i < end; i++) {
        re += x[i] * cos(2 * pi * hz * (double)i / rate);
        im += x[i] * sin(2 * pi * hz * (double)i / rate);
    }
    *amplitude = 2 * hypot(re, im) / (double)(end - first);
    *phase = atan2(im, re);
}

static void pass_and_stop_without_delay(void **state) {
    (void)state;
    static const struct {
        sv_filter_band band;
        double hz, least, most;
    } cases[] = {{SV_BAND_EEG, 10, 0.999, 1.001}, {SV_BAND_EEG, 1, 0.999, 1.001}, {SV_BAND_EEG, 35, 0.45, 0.55},
                 {SV_BAND_EEG, 50, 0, 1e-3},      {SV_BAND_EEG, 80, 0, 1e-3},     {SV_BAND_EMG, 30, 0.99, 1.01},
                 {SV_BAND_EMG, 2, 0, 1e-3},       {SV_BAND_EMG, 50, 0, 1e-2},     {SV_BAND_EMG, 80, 0.9, 1.01}};
    enum { rate = 256, n = 60 * rate };
    static double x[n];
    for (size_t c = 0; c < SV_COUNT(cases); c++) {
        for (int i = 0; i < n; i++) x[i] = 40 * cos(2 * pi * cases[c].hz * i / rate);
        sv_filter_chain chain;
        sv_filter_chain_picture(cases[c].band, rate, 50, &chain);
        sv_filter_chain_run(&chain, x, n);
        double amplitude, phase;
        measure(x, n, rate, cases[c].hz, &amplitude, &phase);
        assert_true(amplitude / 40 >= cases[c].least && amplitude / 40 <= cases[c].most);
        if (cases[c].least > 0) assert_true(fabs(phase) < 1e-3);
    }
}

static void constants_vanish(void **state) {
    (void)state;
    enum { n = 3000 };
    static double x[n];
    static const double rates[] = {100, 128, 199.8, 256, 512};
    for (size_t r = 0; r < SV_COUNT(rates); r++) {
        for (int i = 0; i < n; i++) x[i] = 1000;
        sv_filter_chain chain;
        sv_filter_chain_picture(SV_BAND_EEG, rates[r], 50, &chain);
        sv_filter_chain_run(&chain, x, n);
        /* what the rounding of the 8th-order recursion leaves of 1000 uV */
        for (int i = 0; i < n; i++) assert_true(fabs(x[i]) < 0.1);
    }
}

static void one_nan_spoils_the_picture_but_not_the_targets(void **state) {
    (void)state;
    enum { n = 2000 };
    static double x[n];
    sv_error err;
    sv_filter_chain chain;
    sv_filter_chain_picture(SV_BAND_EEG, 200, 50, &chain);
    fill_noise(x, n, 3);
    x[1000] = NAN;
    sv_filter_chain_run(&chain, x, n);
    for (int i = 0; i < n; i++) assert_true(isnan(x[i]));
    fill_noise(x, n, 3);
    x[0] = x[1] = x[1000] = x[n - 1] = NAN;
    ASSERT_OK(sv_features_filter(x, n, 200, 50, false, &err), err);
    for (int i = 0; i < n; i++) assert_true(isfinite(x[i]) && fabs(x[i]) < 200);
    for (int i = 0; i < n; i++) x[i] = NAN;
    ASSERT_OK(sv_features_filter(x, n, 200, 50, false, &err), err);
    for (int i = 0; i < n; i++) assert_true(x[i] == 0);
}

static void gustafsson_is_the_same_backwards(void **state) {
    (void)state;
    static const size_t lengths[] = {17, 100, 1001, 20000};
    sv_error err;
    for (size_t c = 0; c < SV_COUNT(lengths); c++) {
        size_t n = lengths[c];
        double *x = calloc(n, sizeof *x), *y = calloc(n, sizeof *y);
        sv_filter_chain chain;
        sv_filter_chain_targets(SV_BAND_EMG, 256, 50, &chain);
        fill_noise(x, n, 4);
        for (size_t i = 0; i < n; i++) y[i] = x[n - 1 - i];
        ASSERT_OK(sv_filtfilt_gustafsson(&chain.stages[0], x, n, &err), err);
        ASSERT_OK(sv_filtfilt_gustafsson(&chain.stages[0], y, n, &err), err);
        for (size_t i = 0; i < n; i++) assert_true(fabs(x[i] - y[n - 1 - i]) < 1e-5);
        free(x);
        free(y);
    }
}

static void designs_refuse_what_cannot_be(void **state) {
    (void)state;
    sv_iir f;
    assert_false(sv_butterworth_band_pass(0, 0.5, &f));
    assert_false(sv_butterworth_band_pass(0.5, 0.5, &f));
    assert_false(sv_butterworth_band_pass(0.5, 1, &f));
    assert_false(sv_butterworth_band_pass(NAN, 0.5, &f));
    assert_false(sv_notch(0, 20, 256, &f));
    assert_false(sv_notch(50, 20, 99.9, &f));
    assert_true(sv_notch(50, 20, 100, &f));
    sv_filter_chain chain;
    sv_filter_chain_picture(SV_BAND_EMG, 20, 50, &chain); /* 10 Hz is its Nyquist frequency: the edges meet */
    assert_int_equal(chain.n_stages, 0);
    sv_filter_chain_picture(SV_BAND_EEG, 256, 0, &chain);
    assert_int_equal(chain.n_stages, 1);
    sv_filter_chain_picture(SV_BAND_EEG, 256, 60, &chain);
    assert_int_equal(chain.n_stages, 2);
}

static void lines_hit_both_ends(void **state) {
    (void)state;
    static const double x[] = {5, 7, -1, 4};
    double out[7];
    sv_resample_linear(x, 4, 1, out, 7);
    static const double expected[] = {5, 6, 7, 3, -1, 1.5, 4};
    for (int i = 0; i < 7; i++) assert_true(out[i] == expected[i]);
    sv_resample_linear(x, 4, 1, out, 1);
    assert_true(out[0] == 5);
    sv_resample_linear(x, 1, 1, out, 3);
    for (int i = 0; i < 3; i++) assert_true(out[i] == 5);
    sv_resample_linear(x, 2, 2, out, 2);
    assert_true(out[0] == 5 && out[1] == -1);
    assert_int_equal(sv_resampled_length(5, 200, 100), 2); /* 2.5: half to even */
    assert_int_equal(sv_resampled_length(7, 200, 100), 4); /* 3.5 */
}

static void transforms_equal_the_sum(void **state) {
    (void)state;
    static const size_t lengths[] = {1, 2, 3, 4, 5, 6, 7, 16, 30, 37, 74, 97, 100, 128, 211, 256, 465, 961, 1000};
    sv_error err;
    for (size_t c = 0; c < SV_COUNT(lengths); c++) {
        size_t n = lengths[c];
        double x[1000], back[1000], spectrum[1002];
        fill_noise(x, n, (uint32_t)n);
        ASSERT_OK(sv_fft_real(x, n, spectrum, &err), err);
        for (size_t k = 0; k <= n / 2; k++) {
            double re = 0, im = 0;
            for (size_t t = 0; t < n; t++) {
                double angle = 2 * pi * (double)(k * t % n) / (double)n;
                re += x[t] * cos(angle);
                im -= x[t] * sin(angle);
            }
            assert_true(hypot(spectrum[2 * k] - re, spectrum[2 * k + 1] - im) < 1e-10 * (double)n);
        }
        ASSERT_OK(sv_fft_real_inverse(spectrum, n, back, &err), err);
        for (size_t t = 0; t < n; t++) assert_true(fabs(back[t] - x[t]) < 1e-11);
    }
    double x[2] = {0}, spectrum[4];
    assert_int_equal(sv_fft_real(x, 0, spectrum, &err), SV_ERR_UNSUPPORTED);
}

static void spectrum_resampling_keeps_tones(void **state) {
    (void)state;
    static const size_t lengths[][2] = {{640, 1280}, {640, 320}, {641, 1282}, {639, 1000}, {640, 640}, {1, 3}};
    sv_error err;
    for (size_t c = 0; c < SV_COUNT(lengths); c++) {
        size_t n = lengths[c][0], n_out = lengths[c][1];
        double x[1500], out[1500];
        for (size_t i = 0; i < n; i++) x[i] = 3 + 10 * cos(2 * pi * 20 * (double)i / (double)n);
        if (n == 1) x[0] = 3;
        ASSERT_OK(sv_resample_spectrum(x, n, out, n_out, &err), err);
        for (size_t i = 0; i < n_out; i++) {
            double expected = n == 1 ? 3 : 3 + 10 * cos(2 * pi * 20 * (double)i / (double)n_out);
            assert_true(fabs(out[i] - expected) < 1e-10);
        }
    }
}

static void anti_alias_stops_what_would_fold(void **state) {
    (void)state;
    static const struct {
        double hz, least, most;
    } cases[] = {{5, 0.98, 1.01}, {30, 0.9, 1.01}, {55, 0, 0.002}, {80, 0, 0.002}};
    enum { rate = 256, n = 30 * rate, n_out = 3000 };
    static double x[n], out[n_out];
    sv_error err;
    for (size_t c = 0; c < SV_COUNT(cases); c++) {
        for (int i = 0; i < n; i++) x[i] = 50 * cos(2 * pi * cases[c].hz * i / rate);
        ASSERT_OK(sv_resample_anti_alias(x, n, rate, 100, out, n_out, &err), err);
        double peak = 0;
        for (int i = 200; i < n_out - 200; i++) peak = fmax(peak, fabs(out[i]));
        assert_true(peak / 50 >= cases[c].least && peak / 50 <= cases[c].most);
    }
    x[0] = 7;
    ASSERT_OK(sv_resample_anti_alias(x, 1, rate, 100, out, 1, &err), err);
    assert_true(fabs(out[0] - 7) < 1e-9);
}

static void powers_of_known_signals(void **state) {
    (void)state;
    double x[100];
    sv_second_features f;
    memset(x, 0, sizeof x);
    sv_second_features_compute(x, &f);
    assert_true(fabs(f.delta_db + 120) < 1e-9 && fabs(f.beta_db + 120) < 1e-9 && f.mav_uv == 0);
    /* 20 uV at 10 Hz: power 200 uV^2; of the three bins under the Hann window all lie in the alpha band */
    for (int i = 0; i < 100; i++) x[i] = 20 * sin(2 * pi * 10 * i / 100);
    sv_second_features_compute(x, &f);
    assert_true(fabs(f.alpha_db - 10 * log10(200)) < 1e-6);
    assert_true(f.delta_db < -60 && f.beta_db < -60);
    /* mean of the absolute sine at tenths of its period */
    assert_true(fabs(f.mav_uv - 20 * 0.4 * (sin(pi / 5) + sin(2 * pi / 5))) < 1e-9);
}

static void bench_measures(void **state) {
    (void)state;
    sv_filter_speed speed = {0};
    sv_error err;
    ASSERT_OK(sv_filter_bench(256, 0.05, &speed, &err), err);
    assert_true(speed.single_s > 0 && speed.lanes_s > 0 && speed.interpolation_s > 0);
    assert_int_equal(sv_filter_bench(256, NAN, &speed, &err), SV_ERR_USAGE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filters_are_linear),
        cmocka_unit_test(pass_and_stop_without_delay),
        cmocka_unit_test(constants_vanish),
        cmocka_unit_test(one_nan_spoils_the_picture_but_not_the_targets),
        cmocka_unit_test(gustafsson_is_the_same_backwards),
        cmocka_unit_test(designs_refuse_what_cannot_be),
        cmocka_unit_test(lines_hit_both_ends),
        cmocka_unit_test(transforms_equal_the_sum),
        cmocka_unit_test(spectrum_resampling_keeps_tones),
        cmocka_unit_test(anti_alias_stops_what_would_fold),
        cmocka_unit_test(powers_of_known_signals),
        cmocka_unit_test(bench_measures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
