/*
 * blink_pattern.h - how the blinks of a night spread over its channels, and the weighted sum of the channels in which
 * they stand out most from what else is there: the spatial matched filter S^-1 g of the pattern g and the background's
 * covariance S (Van Veen et al. 1997, as a beamformer; Kay 1998, as a detector). It turns a glance's pattern, alpha and
 * drift down by itself, whatever the montage.
 */
#ifndef SV_EVIDENCE_BLINK_PATTERN_H
#define SV_EVIDENCE_BLINK_PATTERN_H

#include "evidence/evidence.h"
#include "evidence/spatial.h"

#define SV_BLINK_CHANNELS SV_SPATIAL_MAX
#define SV_BLINK_REACH 28 /* samples from the top to the feet of a pulse */

typedef struct sv_blink_pattern {
    int n_channels; /* 0: too few blinks to learn from */
    const float *channels[SV_BLINK_CHANNELS];
    double gains[SV_BLINK_CHANNELS]; /* heights over that in the first channel */
    double inverse[SV_BLINK_CHANNELS][SV_BLINK_CHANNELS], weights[SV_BLINK_CHANNELS]; /* weights . gains = 1 */
    double usual_uv, noise_uv; /* median height of the blinks; of the background in the sum, as a standard deviation */
} sv_blink_pattern;

/* Of the top at i over the mean of the feet; SV_BLINK_REACH samples are needed on both sides. */
static inline double sv_blink_height(const float *x, size_t i) {
    return (double)x[i] - ((double)x[i - SV_BLINK_REACH] + (double)x[i + SV_BLINK_REACH]) / 2;
}

/* Learns from the blinks whose tops lie at tops [n_tops], ascending. channels: [n] each, band-passed, NULL where
 * absent, the first one present; borrowed by the pattern. sleep: seconds that are no background, NULL when unknown. Too
 * few tops are no error: n_channels is 0. SV_ERR_MEMORY. */
sv_status sv_blink_pattern_learn(const float *const channels[SV_BLINK_CHANNELS], size_t n, const size_t *tops,
                                 size_t n_tops, const unsigned char *sleep, sv_blink_pattern *out, sv_error *err);

/* The weighted sum of the channels; a blink is as high in it as in the first channel. out: [n] */
void sv_blink_pattern_sum(const sv_blink_pattern *pattern, size_t n, float *out);

/* Cosine between the heights at i and the pattern, in the metric of the background's covariance. */
double sv_blink_pattern_likeness(const sv_blink_pattern *pattern, size_t i);

#endif
