/* spindle_pattern.c - see spindle_pattern.h. */
#include "evidence/spindle_pattern.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "evidence/detectors.h"

_Static_assert(SV_TONE_REACH <= SV_NIGHT_RATE_HZ, "the background is sampled from the second second on");

enum { MAX = SV_SPATIAL_MAX, REACH = SV_TONE_REACH, BLOCK = SV_EPOCH_SAMPLES };
static const double ridge_uv2 = 0.25; /* of an amplifier; a channel without signal gets no weight */

/* The centre sees most of a spindle, the eyes a little of the front. */
static const struct {
    sv_role role;
    double gain;
} usual[MAX] = {{SV_ROLE_C4, 1}, {SV_ROLE_F4, 0.7}, {SV_ROLE_O2, 0.4}, {SV_ROLE_LOC, 0.15}, {SV_ROLE_ROC, 0.15}};

static void tone_of_channel(const sv_spindle_pattern *p, int channel, int tone, size_t sample, float z[2]) {
    float x[2 * REACH + 1];
    const double *from = p->samples[channel] + sample - REACH;
    for (int i = 0; i <= 2 * REACH; i++) x[i] = (float)from[i];
    sv_tone(&p->tones, tone, x + REACH, z);
}

/* Covariance of the channels' real and imaginary parts where the first channel is no louder than most of the time. */
static void learn_background(sv_spindle_pattern *p, int tone, const size_t *samples, size_t n, float (*z)[MAX][2],
                             float *energy) {
    double s[MAX][MAX] = {{0}};
    size_t quiet = 0;
    for (size_t k = 0; k < n; k++) {
        for (int c = 0; c < p->n_channels; c++) tone_of_channel(p, c, tone, samples[k], z[k][c]);
        energy[k] = z[k][0][0] * z[k][0][0] + z[k][0][1] * z[k][0][1];
    }
    double limit = sv_quantile(energy, n, SV_P_spindle_quiet_share);
    for (size_t k = 0; k < n; k++) {
        if ((double)energy[k] > limit) continue;
        quiet++;
        for (int a = 0; a < p->n_channels; a++) {
            for (int b = 0; b < p->n_channels; b++)
                s[a][b] += (double)(z[k][a][0] * z[k][b][0] + z[k][a][1] * z[k][b][1]);
        }
    }
    for (int a = 0; a < p->n_channels; a++) {
        for (int b = 0; b < p->n_channels; b++) s[a][b] = s[a][b] / (double)SV_MAX(quiet, 1) + (a == b ? ridge_uv2 : 0);
    }
    sv_spatial_invert(p->n_channels, s, p->inverse[tone]);
    sv_spatial_weights(p->n_channels, p->inverse[tone], p->gains, p->weights[tone]);
}

sv_status sv_spindle_pattern_open(const sv_signals *signals, const unsigned char *sleep, sv_spindle_pattern *out,
                                  sv_error *err) {
    *out = (sv_spindle_pattern){0};
    sv_tones_fill(&out->tones);
    for (size_t i = 0; i < SV_COUNT(usual); i++) {
        if (!(signals->roles & sv_role_bit(usual[i].role))) continue;
        int c = out->n_channels++;
        out->roles[c] = usual[i].role;
        out->samples[c] = signals->night->samples[usual[i].role];
        out->gains[c] = usual[i].gain;
    }
    for (int c = out->n_channels - 1; c >= 0; c--) out->gains[c] /= out->gains[0];
    size_t n_s = (size_t)signals->n_s, n = 0;
    size_t *samples = sv_calloc(n_s, sizeof *samples);
    float(*z)[MAX][2] = sv_calloc(n_s, sizeof *z), *energy = sv_calloc(n_s, sizeof *energy);
    bool ok = samples && z && energy;
    for (size_t t = 1; ok && t + 1 < n_s; t++) {
        if (sleep[t]) samples[n++] = t * SV_NIGHT_RATE_HZ;
    }
    for (int f = 0; ok && f < SV_TONES; f++) learn_background(out, f, samples, n, z, energy);
    free(samples);
    free(z);
    free(energy);
    return ok ? SV_OK : sv_fail_memory(err, "spindles", n_s * sizeof *z);
}

/* Median over the seeds of what is in phase with the first channel, mixed with the usual: few seeds say little. */
static void learn_gain(sv_spindle_pattern *p, int channel, const sv_spindle_seed *seeds, size_t n, float *scratch) {
    for (size_t k = 0; k < n; k++) {
        float first[2], own[2];
        size_t sample = seeds[k].position * SV_TONE_STEP;
        tone_of_channel(p, 0, seeds[k].tone, sample, first);
        tone_of_channel(p, channel, seeds[k].tone, sample, own);
        float norm = first[0] * first[0] + first[1] * first[1];
        scratch[k] = norm > 0 ? (first[0] * own[0] + first[1] * own[1]) / norm : NAN;
    }
    double gain = sv_quantile(scratch, n, 0.5);
    if (isfinite(gain)) p->gains[channel] += SV_P_spindle_gain_trust * (gain - p->gains[channel]);
}

/* Median frequency of the seeds within reach of a tone; NaN without any. */
static double frequency_near(const sv_spindle_seed *seeds, size_t n, int tone, float *scratch) {
    double hz = SV_TONE_FIRST_HZ + tone * SV_TONE_APART_HZ;
    for (size_t k = 0; k < n; k++)
        scratch[k] = fabs(seeds[k].hz - hz) <= SV_P_spindle_cluster_hz ? (float)seeds[k].hz : NAN;
    return sv_quantile(scratch, n, 0.5);
}

/* Where most seeds are; and where else many are, with fewer between. */
static void learn_frequencies(sv_spindle_pattern *p, const sv_spindle_seed *seeds, size_t n, float *scratch) {
    double count[SV_TONES] = {0};
    int top = 0, other = -1;
    for (size_t k = 0; k < n; k++) {
        for (int f = 0; f < SV_TONES; f++)
            count[f] += fabs(seeds[k].hz - SV_TONE_FIRST_HZ - f * SV_TONE_APART_HZ) <= SV_TONE_APART_HZ;
    }
    for (int f = 1; f < SV_TONES; f++) top = count[f] > count[top] ? f : top;
    for (int f = 1; f + 1 < SV_TONES; f++) {
        bool crest = count[f] >= count[f - 1] && count[f] >= count[f + 1] && abs(f - top) * SV_TONE_APART_HZ > 1;
        if (!crest || count[f] < SV_P_spindle_second_share * count[top]) continue;
        if (other < 0 || count[f] > count[other]) other = f;
    }
    p->usual_hz[0] = p->usual_hz[1] = frequency_near(seeds, n, top, scratch);
    if (other >= 0) p->usual_hz[1] = frequency_near(seeds, n, other, scratch);
}

sv_status sv_spindle_pattern_learn(sv_spindle_pattern *p, const sv_spindle_seed *seeds, size_t n, sv_error *err) {
    float *scratch = sv_calloc(n, sizeof *scratch);
    if (!scratch) return sv_fail_memory(err, "spindles", n * sizeof *scratch);
    for (int c = 1; c < p->n_channels; c++) learn_gain(p, c, seeds, n, scratch);
    learn_frequencies(p, seeds, n, scratch);
    for (size_t k = 0; k < n; k++) scratch[k] = (float)seeds[k].uv;
    p->usual_uv = sv_quantile(scratch, n, 0.5);
    for (int f = 0; f < SV_TONES; f++) sv_spatial_weights(p->n_channels, p->inverse[f], p->gains, p->weights[f]);
    free(scratch);
    return SV_OK;
}

/* x [BLOCK + 2 REACH]: the weighted sum from REACH samples before `first` on, 0 beyond the night. */
static void weighted_sum(const sv_spindle_pattern *p, int tone, size_t n, size_t first, float *x) {
    size_t from = first >= REACH ? 0 : REACH - first, to = SV_MIN((size_t)(BLOCK + 2 * REACH), n + REACH - first);
    memset(x, 0, sizeof(float) * (BLOCK + 2 * REACH));
    for (int c = 0; c < p->n_channels; c++) {
        const double *samples = p->samples[c] + first;
        float weight = (float)p->weights[tone][c];
        for (size_t i = from; i < to; i++) x[i] += weight * (float)samples[(ptrdiff_t)i - REACH];
    }
}

void sv_spindle_pattern_amplitudes(const sv_spindle_pattern *p, size_t n, float *out) {
    float x[BLOCK + 2 * REACH], z[2];
    size_t n_positions = n / SV_TONE_STEP;
    for (size_t first = 0; first + BLOCK <= n; first += BLOCK) {
        for (int f = 0; f < SV_TONES; f++) {
            weighted_sum(p, f, n, first, x);
            for (size_t i = 0; i < BLOCK; i += SV_TONE_STEP) {
                size_t at = first + i;
                bool whole = at >= REACH && at + REACH < n;
                if (whole) sv_tone(&p->tones, f, x + REACH + i, z);
                out[(size_t)f * n_positions + at / SV_TONE_STEP] = whole ? sqrtf(z[0] * z[0] + z[1] * z[1]) : 0;
            }
        }
    }
}
