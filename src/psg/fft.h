/*
 * fft.h - the discrete Fourier transform of real signals of any length, in double.
 *
 * Packaged libraries under a permissive licence offer single precision only (KissFFT in Debian); long recordings need
 * more. Method: Cooley-Tukey with radices 4, 2 and small primes; a length with a larger prime factor goes through a
 * convolution (Bluestein 1970).
 */
#ifndef SV_PSG_FFT_H
#define SV_PSG_FFT_H

#include <stddef.h>

#include "base/status.h"

/* spectrum: [n/2 + 1] pairs (re, im) of sum_t x[t] exp(-2 pi i k t / n). n >= 1. */
sv_status sv_fft_real(const double *x, size_t n, double *spectrum, sv_error *err);

/* The inverse, with the factor 1/n; imaginary parts of bin 0 and (n even) of bin n/2 are ignored. */
sv_status sv_fft_real_inverse(const double *spectrum, size_t n, double *x, sv_error *err);

#endif
