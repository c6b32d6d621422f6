/*
 * spindle_pattern.h - how the spindles of a sleeper spread over the channels, how fast and how large they are, and the
 * weighted sum of the channels in which they stand out most (spatial.h). The EEG of a night has several sources of
 * 11-16 Hz; what is alike in the eyes' channels, where spindles hardly reach, is subtracted by that.
 */
#ifndef SV_EVIDENCE_SPINDLE_PATTERN_H
#define SV_EVIDENCE_SPINDLE_PATTERN_H

#include "evidence/signals.h"
#include "evidence/spatial.h"
#include "evidence/tones.h"

typedef struct sv_spindle_seed {
    size_t position; /* in steps of SV_TONE_STEP samples */
    int tone;
    double hz, uv; /* in the weighted sum, half of peak to peak */
} sv_spindle_seed;

typedef struct sv_spindle_pattern {
    sv_tones tones;
    int n_channels;
    sv_role roles[SV_SPATIAL_MAX]; /* the first is what amplitudes refer to */
    const double *samples[SV_SPATIAL_MAX];
    double gains[SV_SPATIAL_MAX]; /* the first is 1 */
    double inverse[SV_TONES][SV_SPATIAL_MAX][SV_SPATIAL_MAX], weights[SV_TONES][SV_SPATIAL_MAX];
    double usual_hz[2], usual_uv; /* of the seeds; the second frequency is that of the first where there is no other */
} sv_spindle_pattern;

/* From the EEG and EOG channels there are, with the gains of the literature (Andrillon et al. 2011: largest over the
 * centre) and the night's own covariance in the seconds marked as sleep [n_s]. SV_ERR_MEMORY. */
sv_status sv_spindle_pattern_open(const sv_signals *signals, const unsigned char *sleep, sv_spindle_pattern *out,
                                  sv_error *err);

/* Gains, weights, frequency and size from clear spindles, n >= 1. SV_ERR_MEMORY. */
sv_status sv_spindle_pattern_learn(sv_spindle_pattern *pattern, const sv_spindle_seed *seeds, size_t n, sv_error *err);

/* Amplitudes of the weighted sum, in uV of the first channel: out[tone * (n / SV_TONE_STEP) + position], 0 where the
 * night has no full window. n: samples of the night, whole epochs. */
void sv_spindle_pattern_amplitudes(const sv_spindle_pattern *pattern, size_t n, float *out);

#endif
