/*
 * noise.h - Gaussian noise with a spectrum that may change with time: frames of 4 s every 2 s, each of independent
 * spectral lines of the wanted power, under square-root Hann windows whose squares add up to one.
 */
#ifndef SV_SIMULATE_NOISE_H
#define SV_SIMULATE_NOISE_H

#include "simulate/studio.h"

enum { SV_FRAME_S = 4, SV_HOP_S = 2 };

/* Lines of a frame: 0, 0.25 ... rate_hz / 2 Hz. */
static inline int sv_noise_n_lines(int rate_hz) { return SV_FRAME_S * rate_hz / 2 + 1; }
static inline int sv_noise_n_frames(int n_s) { return n_s / SV_HOP_S + 1; }
#define SV_LINE_HZ (1.0 / SV_FRAME_S)

/* Standard deviation of the real and of the imaginary part of a line for a one-sided density in uV^2/Hz. */
double sv_noise_line_sd(double density, int rate_hz);

typedef struct sv_noise {
    int rate_hz, n_lines;
    double *lines;  /* [n_lines][2]: fill, then call sv_noise_frame */
    double *frame;  /* [4 rate_hz], scratch */
    double *window; /* [4 rate_hz] */
} sv_noise;
sv_status sv_noise_open(int rate_hz, sv_noise *out, sv_error *err);
void sv_noise_close(sv_noise *noise);

/* Adds the frame made of `lines` to x [n]; frame k begins at second 2 k - 2. */
sv_status sv_noise_frame(sv_noise *noise, int k, float *x, size_t n, sv_error *err);

/* A stationary noise of standard deviation 1 with a power density proportional to shape(hz, context), into out [n].
 * Frames in which envelope [n_s] is 0 throughout are left at 0; NULL: everywhere. */
typedef double sv_noise_shape(double hz, const void *context);
sv_status sv_noise_fill(const sv_studio *studio, sv_draw *d, sv_noise_shape *shape, const void *context,
                        const float *envelope, float *out, sv_error *err);

#endif
