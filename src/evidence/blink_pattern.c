/* blink_pattern.c - see blink_pattern.h. */
#include "evidence/blink_pattern.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "evidence/detectors.h"
#include "evidence/spatial.h"

enum { MAX = SV_BLINK_CHANNELS, STRIDE = 7 };
static const double ridge_uv2 = 4, excess_uv = 300; /* keeps the covariance invertible, and artefacts out of it */

static void heights_at(const sv_blink_pattern *p, size_t i, double h[MAX]) {
    for (int c = 0; c < p->n_channels; c++) h[c] = sv_blink_height(p->channels[c], i);
}

/* Medians over the blinks. scratch: [n_tops] */
static void learn_gains(sv_blink_pattern *p, const size_t *tops, size_t n_tops, float *scratch) {
    for (int c = p->n_channels - 1; c >= 0; c--) {
        for (size_t k = 0; k < n_tops; k++) {
            double first = sv_blink_height(p->channels[0], tops[k]), own = sv_blink_height(p->channels[c], tops[k]);
            scratch[k] = (float)(c ? own / first : first);
        }
        p->gains[c] = sv_quantile(scratch, n_tops, 0.5);
    }
    p->usual_uv = p->gains[0];
    p->gains[0] = 1;
}

/* Samples of the background: near the blinks, awake, no artefact. Returns how many; at: [n / STRIDE + 1] */
static size_t background(const sv_blink_pattern *p, size_t n, const size_t *tops, size_t n_tops,
                         const unsigned char *sleep, size_t *at) {
    size_t reach = (size_t)(SV_P_blink_seed_reach_s * SV_NIGHT_RATE_HZ), count = 0, k = 0;
    for (size_t i = SV_BLINK_REACH; i + SV_BLINK_REACH < n; i += STRIDE) {
        double h[MAX], largest = 0;
        while (k < n_tops && tops[k] + reach < i) k++;
        if (k == n_tops) break;
        if (tops[k] > i + reach || (sleep && sleep[i / SV_NIGHT_RATE_HZ])) continue;
        heights_at(p, i, h);
        for (int c = 0; c < p->n_channels; c++) largest = fmax(largest, fabs(h[c]));
        if (largest < excess_uv) at[count++] = i;
    }
    return count;
}

static void covariance(const sv_blink_pattern *p, const size_t *at, size_t n, double s[MAX][MAX]) {
    double h[MAX], mean[MAX] = {0};
    memset(s, 0, sizeof(double[MAX][MAX]));
    for (size_t k = 0; k < n; k++) {
        heights_at(p, at[k], h);
        for (int a = 0; a < p->n_channels; a++) {
            mean[a] += h[a] / (double)n;
            for (int b = 0; b < p->n_channels; b++) s[a][b] += h[a] * h[b] / (double)n;
        }
    }
    for (int a = 0; a < p->n_channels; a++) {
        for (int b = 0; b < p->n_channels; b++) s[a][b] -= mean[a] * mean[b] - (a == b ? ridge_uv2 : 0);
    }
}

/* x' S^-1 y */
static double product(const sv_blink_pattern *p, const double x[MAX], const double y[MAX]) {
    double sum = 0;
    for (int a = 0; a < p->n_channels; a++) {
        for (int b = 0; b < p->n_channels; b++) sum += x[a] * p->inverse[a][b] * y[b];
    }
    return sum;
}

static void learn_weights(sv_blink_pattern *p, const size_t *at, size_t n, float *scratch) {
    double s[MAX][MAX], h[MAX];
    covariance(p, at, n, s);
    sv_spatial_invert(p->n_channels, s, p->inverse);
    sv_spatial_weights(p->n_channels, p->inverse, p->gains, p->weights);
    for (size_t k = 0; k < n; k++) {
        double sum = 0;
        heights_at(p, at[k], h);
        for (int a = 0; a < p->n_channels; a++) sum += p->weights[a] * h[a];
        scratch[k] = (float)fabs(sum);
    }
    p->noise_uv = sv_quantile(scratch, n, 0.5) / 0.6745; /* of a normal distribution */
}

sv_status sv_blink_pattern_learn(const float *const channels[SV_BLINK_CHANNELS], size_t n, const size_t *tops,
                                 size_t n_tops, const unsigned char *sleep, sv_blink_pattern *out, sv_error *err) {
    *out = (sv_blink_pattern){0};
    if ((double)n_tops < SV_P_blink_seeds) return SV_OK;
    size_t most = SV_MAX(n / STRIDE + 1, n_tops);
    size_t *at = sv_calloc(most, sizeof *at);
    float *scratch = sv_calloc(most, sizeof *scratch);
    sv_status s = at && scratch ? SV_OK : sv_fail_memory(err, "blinks", most * sizeof *at);
    if (!s) {
        for (int c = 0; c < MAX; c++) {
            if (channels[c]) out->channels[out->n_channels++] = channels[c];
        }
        learn_gains(out, tops, n_tops, scratch);
        size_t count = background(out, n, tops, n_tops, sleep, at);
        learn_weights(out, at, count, scratch);
    }
    free(at);
    free(scratch);
    return s;
}

void sv_blink_pattern_sum(const sv_blink_pattern *pattern, size_t n, float *out) {
    for (size_t i = 0; i < n; i++) {
        double sum = 0;
        for (int c = 0; c < pattern->n_channels; c++) sum += pattern->weights[c] * (double)pattern->channels[c][i];
        out[i] = (float)sum;
    }
}

double sv_blink_pattern_likeness(const sv_blink_pattern *pattern, size_t i) {
    double h[MAX];
    heights_at(pattern, i, h);
    double own = product(pattern, h, h), norm = product(pattern, pattern->gains, pattern->gains);
    return own > 0 && norm > 0 ? product(pattern, pattern->gains, h) / sqrt(own * norm) : 0;
}
