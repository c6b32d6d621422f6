/*
 * quality_rules.h - from measured windows to warnings; knows no files.
 */
#ifndef SV_PSG_QUALITY_RULES_H
#define SV_PSG_QUALITY_RULES_H

#include "psg/quality.h"
#include "psg/window.h"

/* Measures of the same stretches of time on every role. */
typedef struct sv_quality_table {
    int n_windows;
    double *onset_s, *duration_s;      /* [n_windows] */
    sv_window *windows[SV_N_ROLES];    /* [n_windows]; NULL for a role that is absent */
    double *clipped_share[SV_N_ROLES]; /* [n_windows]; NULL likewise */
} sv_quality_table;

/* Applies every rule. `out` is filled as by sv_quality_check; the caller frees it also after an error. Rules, each with
 * its limits in quality_rules.c: rate, gain, flat, clipped, mains, lead off, polarity, swapped channels, gaps, and two
 * of no kind of their own (a rectified EMG, the same signal in two roles). */
sv_status sv_quality_judge(const sv_recording_info *info, const sv_montage *montage, const sv_quality_table *table,
                           sv_quality *out, sv_error *err);

#endif
