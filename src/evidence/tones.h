/*
 * tones.h - amplitude and phase of single frequencies through the spindle band, ten times a second: the short-time
 * Fourier transform with a Hann window about as long as a spindle (a matched filter for the spindle's shape; Turin
 * 1960).
 */
#ifndef SV_EVIDENCE_TONES_H
#define SV_EVIDENCE_TONES_H

#include "psg/night.h"

#define SV_TONES 12
#define SV_TONE_FIRST_HZ 10.5
#define SV_TONE_APART_HZ 0.5
#define SV_TONE_STEP (SV_NIGHT_RATE_HZ / 10) /* samples from one position to the next */
#define SV_TONE_REACH 60                     /* samples of the window before and after its middle */
#define SV_TONE_LANES 16

typedef struct sv_tones {
    float cosine[SV_TONES][SV_TONE_REACH + SV_TONE_LANES], sine[SV_TONES][SV_TONE_REACH + SV_TONE_LANES];
} sv_tones;

void sv_tones_fill(sv_tones *tones);

/* Of x around `at`, with SV_TONE_REACH samples on both sides: z = real and imaginary part, |z| the amplitude (half of
 * peak to peak) of a sine of that frequency. */
void sv_tone(const sv_tones *tones, int tone, const float *at, float z[2]);

#endif
