/*
 * filter.h - zero-phase filtering of whole signals, as the published system does it.
 *
 * All recursions are transposed direct form II in double, one fixed order of operations and no fused multiply-add:
 *     y = z[0] + b[0] x;   z[k] = (z[k+1] + b[k+1] x) - a[k+1] y;   z[last] = b[order] x - a[order] y
 * so that results are equal to the last bit whichever of the paths below computes them.
 */
#ifndef SV_PSG_FILTER_H
#define SV_PSG_FILTER_H

#include <stddef.h>

#include "base/status.h"
#include "psg/butterworth.h"

/* Samples of odd extension at each end; signals of this length or shorter are left as they are. */
#define SV_FILTER_MAX_PAD (3 * (SV_IIR_MAX_ORDER + 1))
static inline size_t sv_iir_pad(const sv_iir *f) { return 3 * ((size_t)f->order + 1); }

/* The filter once over x [n] from a zero state, in place; backwards in time when `reverse`. */
void sv_lfilter(const sv_iir *f, double *x, size_t n, bool reverse);

/* Forward and backward over x [n], in place, with odd extension and steady-state initial conditions. Returns false, and
 * leaves x alone, when n <= sv_iir_pad(f). A NaN spoils the whole signal: the caller looks for it. */
bool sv_filtfilt(const sv_iir *f, double *x, size_t n);

/* The same for SV_FILTER_LANES signals in lock-step: x is [n][SV_FILTER_LANES], lane l is filtered by *f[l]; all of one
 * order. Equal to sv_filtfilt of each lane to the last bit. */
#define SV_FILTER_LANES 4
bool sv_filtfilt_lanes(const sv_iir *const f[SV_FILTER_LANES], double *x, size_t n);

/* Forward and backward over x [n], in place, with the initial states that make the order of the two passes irrelevant
 * (Gustafsson 1996, "Determining the initial states in forward-backward filtering"). The end corrections reach as far
 * as the impulse response is above 1e-18 of its peak. */
sv_status sv_filtfilt_gustafsson(const sv_iir *f, double *x, size_t n, sv_error *err);

/* What a channel passes through: at most a band-pass and a notch. */
typedef enum sv_filter_band { SV_BAND_EEG /* 0.3-35 Hz, also EOG */, SV_BAND_EMG /* 10-100 Hz */ } sv_filter_band;
typedef struct sv_filter_chain {
    int n_stages;
    sv_iir stages[2];
} sv_filter_chain;

/* The renderer's chain: edges limited to [0.001, 0.999] of Nyquist, no band-pass when they cross; notch of quality 20
 * at mains_hz (0 = none), left out when it lies above Nyquist. */
void sv_filter_chain_picture(sv_filter_band band, double rate_hz, double mains_hz, sv_filter_chain *out);

/* The chain of the per-second targets: an upper edge at or above Nyquist becomes 0.99 of it; no notch when mains_hz is
 * at or above Nyquist. */
void sv_filter_chain_targets(sv_filter_band band, double rate_hz, double mains_hz, sv_filter_chain *out);

/* x [n] through every stage by sv_filtfilt; returns how many stages acted (a signal too short for one skips it). */
int sv_filter_chain_run(const sv_filter_chain *chain, double *x, size_t n);

#endif
