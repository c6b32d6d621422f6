/*
 * signals.h - what the detectors read: the filtered night (0.3-35 Hz EEG and EOG, 10-100 Hz chin, at 100 Hz) and, made
 * from it once, a spectrum for each second.
 */
#ifndef SV_EVIDENCE_SIGNALS_H
#define SV_EVIDENCE_SIGNALS_H

#include "base/threads.h"
#include "psg/night.h"

/* 0, 0.5 ... 40 Hz */
#define SV_SPECTRUM_BINS 81
#define SV_SPECTRUM_STEP_HZ 0.5

typedef struct sv_signals {
    const sv_night *night;      /* borrowed */
    size_t n;                   /* samples of each channel, n_epochs * 3000 */
    int n_s;                    /* seconds, n_epochs * 30 */
    unsigned roles;             /* that are present, by sv_role_bit */
    float *spectra[SV_N_ROLES]; /* [n_s][SV_SPECTRUM_BINS] uV^2/Hz, one-sided, of a 2-s Hann window around the middle of
                                 * the second, mean removed (Welch 1967, one segment); NULL: absent, and for the chin */
    const signed char *stages;  /* [n_epochs] a scorer's or a result's stages, borrowed; NULL without them. A help for
                                 * levels of the night, never a condition for an event. */
    sv_pool *pool;              /* may be NULL; borrowed */
} sv_signals;

sv_status sv_signals_new(const sv_night *night, const signed char *stages, sv_pool *pool, sv_signals *out,
                         sv_error *err);
void sv_signals_free(sv_signals *signals);

/* Power in [low_hz, high_hz) of one second of a role, uV^2; NaN when the role has no spectra. */
double sv_signals_power(const sv_signals *signals, sv_role role, int second, double low_hz, double high_hz);

/* The first role of the list that is present; SV_N_ROLES when none is. */
sv_role sv_signals_first(const sv_signals *signals, const sv_role *roles, int n_roles);

/* x [n] at 100 Hz through a Butterworth band-pass of `order` (1-8) an edge, forward and backward (zero phase, twice the
 * order in all), as second-order sections in double; low_hz <= 0: low-pass; high_hz >= 50: high-pass. out: [n], may not
 * overlap x. SV_ERR_INTERNAL for edges that cross. */
sv_status sv_band_pass(const double *x, size_t n, int order, double low_hz, double high_hz, float *out, sv_error *err);

/* Root mean square, and mean, over `width` samples around each; shorter at the ends. out: [n], not x. */
void sv_moving_rms(const float *x, size_t n, size_t width, float *out);
void sv_moving_mean(const float *x, size_t n, size_t width, float *out);

/* The value below which `share` (0..1) of x [n] lies, by nearest rank; NaN entries are left out; NaN when none is left.
 * Sorts a copy: NaN also when there is no memory for it. */
double sv_quantile(const float *x, size_t n, double share);

#endif
