/*
 * butterworth.h - design of the recursive filters: Butterworth band-pass and notch, as transfer functions b, a with the
 * state that a constant input would leave behind.
 *
 * The arithmetic follows SciPy's (poles of the analogue prototype, band-pass transform, bilinear transform, expansion
 * to polynomials in the same order), because the published system filters in transfer-function form, where the
 * 8th-order recursion turns a difference in the last bit of a coefficient into up to 0.2 uV at 1000 Hz.
 */
#ifndef SV_PSG_BUTTERWORTH_H
#define SV_PSG_BUTTERWORTH_H

#include <stdbool.h>

#define SV_IIR_MAX_ORDER 8

/* y = b/a applied to x; a[0] = 1. zi: state per unit of a constant input (transposed direct form II). */
typedef struct sv_iir {
    int order;
    double b[SV_IIR_MAX_ORDER + 1], a[SV_IIR_MAX_ORDER + 1];
    double zi[SV_IIR_MAX_ORDER];
} sv_iir;

/* Butterworth band-pass of order 4 a side (8 in all); edges as a fraction of the Nyquist frequency.
 * False unless 0 < low < high < 1. */
bool sv_butterworth_band_pass(double low, double high, sv_iir *out);

/* Second-order notch at hz of quality q (Orfanidis 1996, section 11.3). False unless 0 < hz <= rate_hz / 2: at exactly
 * half the rate it degenerates to a double zero there, as in the published system. */
bool sv_notch(double hz, double q, double rate_hz, sv_iir *out);

/* Fills out->zi from b and a: the solution of the state equation at rest. */
void sv_iir_steady_state(sv_iir *out);

#endif
