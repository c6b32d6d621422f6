/*
 * window.h - what can be measured on one stretch (about 30 s) of one raw channel; the ground of the quality checks.
 */
#ifndef SV_PSG_WINDOW_H
#define SV_PSG_WINDOW_H

#include <stdbool.h>
#include <stddef.h>

enum { SV_WINDOW_SLOW_RATE_HZ = 10, SV_WINDOW_MAX_SLOW = 300, SV_N_LINES = 2 };

/* Frequencies of the mains that are looked for: 50 and 60 Hz. */
extern const double sv_line_hz[SV_N_LINES];

typedef struct sv_window {
    double min_uv, max_uv, mean_uv;
    double rms_uv;                 /* about the mean */
    double amplitude_uv;           /* median of the standard deviations of the 1-s pieces: drifts do not count */
    int n_seconds, n_flat_seconds; /* whole seconds; those in which every sample is the same */
    double line_uv[SV_N_LINES];    /* rms of the mains line; NaN when the rate is too low to see it */
    double line_ratio[SV_N_LINES]; /* power at the line over the mean power 2.5 and 3.5 Hz beside it; NaN likewise */
    double fast_ratio; /* mean power at 22, 27, ... 42 Hz over that at 1, 2, 3, 4 Hz: EEG well below 0.1, EMG above */
    int n_slow;
    float slow_uv[SV_WINDOW_MAX_SLOW]; /* at 10 Hz, about 0.3 to 4 Hz: eye movements and slow waves */
    double slow_rms_uv;
} sv_window;

/* Measures x[n] (microvolts) sampled at rate_hz (> 0). n >= 2. Spectra are Welch averages over 2-s Hann segments by the
 * Goertzel recursion (Goertzel 1958); rates of 512 Hz and more are first averaged down. Allocates; false when there is
 * no memory. */
bool sv_window_measure(const double *x, size_t n, double rate_hz, sv_window *out);

/* How much of x[n] stands at an extreme. limit_low and limit_high are the ends of the converter's range and step its
 * resolution, in the unit of x. A sample counts when it lies within half a step of a limit, or in a plateau: four or
 * more equal samples at the highest or lowest value, which comes back in at least three plateaus. */
double sv_window_clipped_share(const double *x, size_t n, double limit_low, double limit_high, double step);

/* Pearson's correlation of the slow courses; NaN when one of them does not move or the lengths differ. */
double sv_window_correlation(const sv_window *a, const sv_window *b);

#endif
