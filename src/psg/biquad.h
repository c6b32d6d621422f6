/*
 * biquad.h - recursive filters as chains of sections of first and second order: Butterworth of any order, low-pass and
 * high-pass, by the bilinear transform (Oppenheim and Schafer, Discrete-Time Signal Processing, section 7.1).
 *
 * For filters that need not equal the published system's to the last bit; those are in butterworth.h.
 */
#ifndef SV_PSG_BIQUAD_H
#define SV_PSG_BIQUAD_H

#include <stdbool.h>
#include <stddef.h>

typedef struct sv_biquad {
    double b[3], a[2]; /* a[0] = 1 is left out */
} sv_biquad;

#define SV_MAX_SECTIONS 4

/* Sections of a Butterworth filter with its edge (-3 dB) at hz. Returns their number, (order + 1) / 2; 0 unless
 * 1 <= order <= 8 and 0 < hz < rate_hz / 2. */
int sv_biquad_butterworth(int order, double hz, double rate_hz, bool high_pass, sv_biquad out[SV_MAX_SECTIONS]);

/* Over x [n], n >= 1, in place, forwards or backwards, from the state that the first sample would have left behind if
 * it had lasted forever. */
void sv_biquad_run(const sv_biquad *f, double *x, size_t n, bool backwards);

#endif
