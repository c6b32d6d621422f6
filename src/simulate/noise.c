/* noise.c - see noise.h. */
#include "simulate/noise.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "psg/fft.h"

static const double pi = 3.14159265358979323846;

double sv_noise_line_sd(double density, int rate_hz) {
    /* a line of the transform of L samples carries 2 |Z|^2 / L^2 uV^2 over 1 / 4 Hz */
    double length = SV_FRAME_S * rate_hz;
    return sqrt(fmax(density, 0) * SV_LINE_HZ / 4) * length;
}

sv_status sv_noise_open(int rate_hz, sv_noise *out, sv_error *err) {
    size_t length = (size_t)(SV_FRAME_S * rate_hz);
    *out = (sv_noise){.rate_hz = rate_hz, .n_lines = sv_noise_n_lines(rate_hz)};
    out->lines = sv_calloc((size_t)out->n_lines, 2 * sizeof(double));
    out->frame = sv_calloc(length, sizeof(double));
    out->window = sv_calloc(length, sizeof(double));
    if (!out->lines || !out->frame || !out->window) {
        sv_noise_close(out);
        return sv_fail_memory(err, "frame of noise", length * sizeof(double));
    }
    for (size_t i = 0; i < length; i++) out->window[i] = sin(pi * ((double)i + 0.5) / (double)length);
    return SV_OK;
}

void sv_noise_close(sv_noise *noise) {
    free(noise->lines);
    free(noise->frame);
    free(noise->window);
    *noise = (sv_noise){0};
}

sv_status sv_noise_frame(sv_noise *noise, int k, float *x, size_t n, sv_error *err) {
    int64_t length = SV_FRAME_S * noise->rate_hz, first = ((int64_t)k * SV_HOP_S - SV_HOP_S) * noise->rate_hz;
    sv_status s = sv_fft_real_inverse(noise->lines, (size_t)length, noise->frame, err);
    if (s) return s;
    int64_t from = SV_MAX(first, 0), to = SV_MIN(first + length, (int64_t)n);
    for (int64_t i = from; i < to; i++) x[i] += (float)(noise->frame[i - first] * noise->window[i - first]);
    return SV_OK;
}

static bool silent(const float *envelope, int n_s, int k) {
    for (int t = k * SV_HOP_S - SV_HOP_S - 1; envelope && t <= k * SV_HOP_S + SV_HOP_S; t++) {
        if (t >= 0 && t < n_s && envelope[t] != 0) return false;
    }
    return envelope != NULL;
}

sv_status sv_noise_fill(const sv_studio *studio, sv_draw *d, sv_noise_shape *shape, const void *context,
                        const float *envelope, float *out, sv_error *err) {
    sv_noise noise;
    sv_status s = sv_noise_open(studio->rate_hz, &noise, err);
    double *sd = s ? NULL : sv_calloc((size_t)noise.n_lines, sizeof *sd), power = 0;
    if (!s && !sd) s = sv_fail_memory(err, "spectrum", (size_t)noise.n_lines * sizeof *sd);
    for (int i = 1; !s && i < noise.n_lines; i++) {
        double density = shape(i * SV_LINE_HZ, context);
        if (density < 1e-7) density = 0; /* no line is drawn where there is nothing to hear */
        power += density * SV_LINE_HZ;
        sd[i] = sv_noise_line_sd(density, studio->rate_hz);
    }
    memset(out, 0, studio->n * sizeof *out);
    double scale = 1 / sqrt(fmax(power, 1e-12));
    for (int k = 0; k < sv_noise_n_frames(studio->n_s) && !s; k++) {
        if (silent(envelope, studio->n_s, k)) continue;
        for (int i = 0; i < noise.n_lines; i++) {
            noise.lines[2 * i] = sd[i] > 0 ? sv_draw_normal(d, 0, sd[i] * scale) : 0;
            noise.lines[2 * i + 1] = sd[i] > 0 ? sv_draw_normal(d, 0, sd[i] * scale) : 0;
        }
        s = sv_noise_frame(&noise, k, out, studio->n, err);
    }
    free(sd);
    sv_noise_close(&noise);
    return s;
}
