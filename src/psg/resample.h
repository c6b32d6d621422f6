/*
 * resample.h - from one rate to another: linear interpolation (the published system's way to 100 Hz), through the
 * spectrum (MNE's way to one common rate), and a low-pass against aliasing.
 */
#ifndef SV_PSG_RESAMPLE_H
#define SV_PSG_RESAMPLE_H

#include <stddef.h>

#include "base/status.h"

/* round(n * to_hz / from_hz), half to even. */
size_t sv_resampled_length(size_t n, double from_hz, double to_hz);

/* out[i], i in [0, n_out): x at n_out points spread evenly from the first sample to the last (the first alone when
 * n_out is 1), on straight lines between samples. x: n samples, `stride` apart. The roundings are numpy.interp's over
 * numpy.linspace. n >= 1. */
void sv_resample_linear(const double *x, size_t n, size_t stride, double *out, size_t n_out);

/* x [n] to out [n_out] of the same duration: the spectrum cut or filled with zeros, as mne.filter.resample with npad=0.
 * Any lengths >= 1. */
sv_status sv_resample_spectrum(const double *x, size_t n, double *out, size_t n_out, sv_error *err);

/* As sv_resample_linear, after a zero-phase low-pass (Kaiser window, 60 dB): passes up to 0.4 of to_hz, stops at half
 * of it. The ends are extended oddly. */
sv_status sv_resample_anti_alias(const double *x, size_t n, double from_hz, double to_hz, double *out, size_t n_out,
                                 sv_error *err);

#endif
