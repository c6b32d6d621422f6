/*
 * eeg.h - what the detectors of EEG elements share.
 */
#ifndef SV_EVIDENCE_EEG_H
#define SV_EVIDENCE_EEG_H

#include "evidence/evidence.h"

/* Band-passed copy of a role's channel, [signals->n], freed by free. NULL without memory (`err` is filled). */
float *sv_eeg_band(const sv_signals *signals, sv_role role, int order, double low_hz, double high_hz, sv_error *err);

/* Mean spectrum power of a role in [low_hz, high_hz) over the seconds within reach_s of each; out: [n_s]. */
void sv_eeg_power_around(const sv_signals *signals, sv_role role, double low_hz, double high_hz, int reach_s,
                         float *out);

/* Marks the seconds of a channel whose waves cannot be told from muscle, movement or a missing signal: power in 20-35
 * Hz far above the night's, a range beyond what a brain makes, or no change at all. bad: [n_s], set to 0 or 1. */
sv_status sv_eeg_mark_bad(const sv_signals *signals, sv_role role, unsigned char *bad, sv_error *err);

/* Marks the seconds whose surroundings (half of context_s on both sides) have at least 10^ratio times as much power in
 * 0.5-8 Hz as in 16-30 Hz, as sleep has (Lacourse et al. 2018). out: [n_s], 0 or 1. */
sv_status sv_eeg_mark_sleep(const sv_signals *signals, sv_role role, double context_s, double ratio, unsigned char *out,
                            sv_error *err);

/* One wave of a band-passed signal: from a down-going zero crossing to the next, with its trough and its crest. */
typedef struct sv_wave {
    size_t from, trough, crest, to; /* samples */
    float low_uv, high_uv;
} sv_wave;
typedef struct sv_waves {
    sv_wave *items;
    size_t n, capacity;
} sv_waves;
static inline float sv_wave_uv(const sv_wave *w) { return w->high_uv - w->low_uv; }

/* All waves of x [n] that last min_s to max_s, in order; free items. SV_ERR_MEMORY. */
sv_status sv_waves_find(const float *x, size_t n, double min_s, double max_s, sv_waves *out, sv_error *err);

/* The slow waves of one channel that have min_uv peak to peak or more and no bad second; free items. SV_ERR_MEMORY. */
sv_status sv_slow_waves_find(const sv_signals *signals, sv_role role, double min_uv, sv_waves *out, sv_error *err);

/* Joins events of found->items[from ..] that overlap in time: what several channels show is one event. It has all
 * their roles, their joint time, and frequency and amplitude of the largest. The list is sorted. */
void sv_eeg_merge_channels(sv_events *found, size_t from);

/* Mean frequency of x [from, to) by its zero crossings; NaN with fewer than two. */
double sv_eeg_frequency(const float *x, size_t from, size_t to);

/* Largest minus smallest value of x [from, to). */
double sv_eeg_range(const float *x, size_t from, size_t to);

#endif
