/*
 * bursts.h - stretches in which one band of the EEG stands out: theta bursts, sawtooth trains.
 *
 * The root mean square of the band must exceed its own median in the surrounding minute by a factor (thresholds
 * relative to the sleeper's level: Ferrarelli et al. 2007) and make up a share of a wider band (relative power: Devuyst
 * et al. 2011).
 */
#ifndef SV_EVIDENCE_BURSTS_H
#define SV_EVIDENCE_BURSTS_H

#include "evidence/evidence.h"

typedef struct sv_burst_kind {
    sv_event_kind kind;
    double pass_low_hz, pass_high_hz; /* of the filter */
    double low_hz, high_hz;           /* of the mean frequency, by zero crossings */
    double window_s;                  /* of the root mean squares */
    double ratio;                     /* over the level */
    double rms_uv;                    /* the least */
    double wide_low_hz, wide_high_hz, share;
    double min_s, max_s;
    double slow_ratio_min, slow_ratio_max; /* log10 of 0.5-8 over 16-30 Hz power around: the state of sleep */
} sv_burst_kind;

/* Finds them in F4 and C4 (O2 when there is neither) and joins what overlaps. */
sv_status sv_bursts_find(const sv_signals *signals, const sv_burst_kind *kind, sv_events *found, sv_error *err);

#endif
