/*
 * features.h - what happens in each second of a channel: band powers and mean absolute value, the targets of the
 * published system's first training phase.
 */
#ifndef SV_PSG_FEATURES_H
#define SV_PSG_FEATURES_H

#include "base/status.h"

/* Powers in dB: 10 log10(P + 1e-12), P the trapezoid integral over the 1-Hz bins lower <= f < upper of the periodogram
 * (Hann window, mean removed, density in uV^2/Hz). */
typedef struct sv_second_features {
    double delta_db; /* 0.3-4 Hz */
    double theta_db; /* 4-8 Hz */
    double alpha_db; /* 8-13 Hz */
    double beta_db;  /* 13-30 Hz */
    double mav_uv;   /* mean absolute value */
} sv_second_features;

/* x: one second, 100 samples at 100 Hz, in microvolts. */
void sv_second_features_compute(const double *x, sv_second_features *out);

/* x [n] in microvolts at rate_hz, in place: NaN bridged by straight lines (all 0 when nothing else is there), then the
 * chain of the targets (filter.h) by Gustafsson's method with a rounding to float after each pass. The caller then
 * interpolates to 100 Hz. `is_emg` chooses the band. */
sv_status sv_features_filter(double *x, size_t n, double rate_hz, double mains_hz, bool is_emg, sv_error *err);

/* Rounds every sample to the nearest float, as the published system's arrays do. */
void sv_round_to_float(double *x, size_t n);

#endif
