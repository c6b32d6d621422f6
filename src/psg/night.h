/*
 * night.h - a recording made ready to draw: six channels at most, filtered, at 100 Hz, cut in 30-s epochs.
 */
#ifndef SV_PSG_NIGHT_H
#define SV_PSG_NIGHT_H

#include "psg/montage.h"

#define SV_EPOCH_S 30
#define SV_NIGHT_RATE_HZ 100
#define SV_EPOCH_SAMPLES 3000

typedef enum sv_mains { SV_MAINS_AUTO, SV_MAINS_50, SV_MAINS_60, SV_MAINS_OFF } sv_mains;

typedef struct sv_night_options {
    sv_mains mains;      /* AUTO: `detected_mains_hz`, 50 (as the published system) when that is 0 */
    double detected_mains_hz; /* from sv_quality; 0 = unknown */
    bool anti_alias;     /* low-pass before the interpolation to 100 Hz; off = as the published system */
} sv_night_options;

typedef struct sv_night {
    double *samples[SV_N_ROLES]; /* [n_epochs * 3000] microvolts; NULL for a role that is absent */
    int n_epochs;
    double *missing_share;       /* [n_epochs]: share of the epoch that lies in a gap of the recording (drawn as 0) */
    double tail_s;               /* recording left over after the last whole epoch, not staged */
    double mains_hz;             /* notch used, 0 = none */
    double rate_hz[SV_N_ROLES];  /* of the derivation before filtering; 0 when absent */
    char notes[SV_N_ROLES][160]; /* what was done to the channel beyond the ordinary ("" = nothing) */
} sv_night;

/* Reads, derives, filters and resamples the montage's roles; segments between gaps are filtered on their own and laid on
 * the recording's time line. Frees nothing on failure but its own. SV_ERR_INPUT when the recording holds no whole epoch. */
sv_status sv_night_prepare(sv_recording *recording, const sv_montage *montage, const sv_night_options *options,
                           sv_night *out, sv_error *err);
void sv_night_free(sv_night *night);

#endif
