/* features.c - see features.h. */
#include "psg/features.h"

#include <math.h>

#include "base/memory.h"
#include "psg/filter.h"
#include "psg/resample.h"

#define RATE 100
#define N_BINS 30 /* 0..29 Hz: nothing above is asked for */

static const double pi = 3.14159265358979323846;

void sv_round_to_float(double *x, size_t n) {
    for (size_t i = 0; i < n; i++) x[i] = (double)(float)x[i];
}

/* Power spectral density at the bins 0..N_BINS-1 Hz. One second at 100 Hz needs no fast transform. */
static void periodogram(const double *x, double *density) {
    double windowed[RATE], mean = 0, window_power = 0;
    for (int t = 0; t < RATE; t++) mean += x[t] / RATE;
    double cosine[RATE], sine[RATE];
    for (int t = 0; t < RATE; t++) {
        cosine[t] = cos(2 * pi * t / RATE);
        sine[t] = sin(2 * pi * t / RATE);
        double w = 0.5 - 0.5 * cosine[t];
        windowed[t] = (x[t] - mean) * w;
        window_power += w * w;
    }
    for (int k = 0; k < N_BINS; k++) {
        double re = 0, im = 0;
        for (int t = 0; t < RATE; t++) {
            re += windowed[t] * cosine[k * t % RATE];
            im += windowed[t] * sine[k * t % RATE];
        }
        density[k] = (k ? 2 : 1) * (re * re + im * im) / (RATE * window_power);
    }
}

static double band_db(const double *density, int first, int last) {
    double power = 0;
    for (int k = first; k < last; k++) power += (density[k] + density[k + 1]) / 2;
    return 10 * log10(power + 1e-12);
}

void sv_second_features_compute(const double *x, sv_second_features *out) {
    double density[N_BINS];
    periodogram(x, density);
    out->delta_db = band_db(density, 1, 3);
    out->theta_db = band_db(density, 4, 7);
    out->alpha_db = band_db(density, 8, 12);
    out->beta_db = band_db(density, 13, 29);
    double sum = 0;
    for (int t = 0; t < RATE; t++) sum += fabs(x[t]);
    out->mav_uv = sum / RATE;
}

/* Replaces NaN by straight lines between the neighbours that are numbers, and by the nearest one at the ends. */
static void bridge_nan(double *x, size_t n) {
    size_t last = n; /* index of the last number seen */
    for (size_t i = 0; i < n; i++) {
        if (isnan(x[i])) continue;
        size_t first = last == n ? 0 : last + 1;
        for (size_t k = first; k < i; k++) {
            double slope = last == n ? 0 : (x[i] - x[last]) / (double)(i - last);
            x[k] = last == n ? x[i] : slope * (double)(k - last) + x[last];
        }
        last = i;
    }
    for (size_t k = last == n ? 0 : last + 1; k < n; k++) x[k] = last == n ? 0 : x[last];
}

sv_status sv_features_filter(double *x, size_t n, double rate_hz, double mains_hz, bool is_emg, sv_error *err) {
    sv_filter_chain chain;
    sv_filter_chain_targets(is_emg ? SV_BAND_EMG : SV_BAND_EEG, rate_hz, mains_hz, &chain);
    bridge_nan(x, n);
    for (int i = 0; i < chain.n_stages; i++) {
        sv_status status = sv_filtfilt_gustafsson(&chain.stages[i], x, n, err);
        if (status) return status;
        sv_round_to_float(x, n);
    }
    return SV_OK;
}
