/*
 * quality.h - what may be wrong with the channels that will be used, looked for before anything is staged.
 */
#ifndef SV_PSG_QUALITY_H
#define SV_PSG_QUALITY_H

#include "psg/montage.h"

typedef enum sv_quality_kind {
    SV_QUALITY_RATE_LOW,
    SV_QUALITY_GAIN,
    SV_QUALITY_FLAT,
    SV_QUALITY_CLIPPED,
    SV_QUALITY_POLARITY,
    SV_QUALITY_MAINS,
    SV_QUALITY_SWAPPED,
    SV_QUALITY_LEAD_OFF,
    SV_QUALITY_GAP,
    SV_QUALITY_OTHER
} sv_quality_kind;

/* "rate" "gain" "flat" "clipped" "polarity" "mains" "swapped" "lead-off" "gap" "other" */
const char *sv_quality_kind_name(sv_quality_kind kind);

typedef struct sv_quality_warning {
    sv_quality_kind kind;
    int role;                   /* sv_role, or -1 for the whole recording */
    double onset_s, duration_s; /* where; duration 0 = everywhere */
    char text[256];             /* one sentence with the measured value and what to do */
} sv_quality_warning;

typedef struct sv_quality {
    int n_warnings;
    sv_quality_warning *warnings;    /* owned */
    double mains_hz;                 /* 50 or 60 when that line stands out, else 0 */
    double rms_uv[SV_N_ROLES];       /* of the raw derivation, median of 30-s windows; NaN when absent */
    double amplitude_uv[SV_N_ROLES]; /* the same of the median standard deviation of 1-s pieces: without drifts */
    double flat_share[SV_N_ROLES];   /* share of 1-s windows without change; NaN when absent */
} sv_quality;

/* Reads the used channels in pieces (a bounded sample of windows over the night). */
sv_status sv_quality_check(sv_recording *recording, const sv_montage *montage, sv_quality *out, sv_error *err);
void sv_quality_free(sv_quality *quality);

#endif
