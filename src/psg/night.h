/*
 * night.h - a recording made ready to draw: six channels at most, filtered, at 100 Hz, cut in 30-s epochs.
 */
#ifndef SV_PSG_NIGHT_H
#define SV_PSG_NIGHT_H

#include "base/threads.h"
#include "psg/montage.h"
#include "psg/timeline.h"

#define SV_EPOCH_S 30
#define SV_NIGHT_RATE_HZ 100
#define SV_EPOCH_SAMPLES 3000

typedef enum sv_mains { SV_MAINS_AUTO, SV_MAINS_50, SV_MAINS_60, SV_MAINS_OFF } sv_mains;

/* Reads "auto", "50", "60" or "off"; false for anything else. */
bool sv_mains_from_name(const char *name, sv_mains *out);

/* Which of the published system's two filter chains (filter.h). */
typedef enum sv_night_purpose {
    SV_NIGHT_PICTURE, /* odd extension at the ends: the renderer, and everything that is shown */
    SV_NIGHT_TARGETS  /* Gustafsson's method, samples rounded to float: the per-second targets (features.h) */
} sv_night_purpose;

/* All zero = as the published system does it. */
typedef struct sv_night_options {
    sv_mains mains;           /* AUTO: `detected_mains_hz`, 50 (as the published system) when that is 0 */
    double detected_mains_hz; /* from sv_quality; 0 = unknown */
    bool anti_alias;          /* low-pass before the interpolation to 100 Hz; off = as the published system */
    sv_night_purpose purpose;
    /* Kept pieces, joined before filtering as the published system does with labelled recordings: of each, whole 30-s
     * epochs from its onset as far as the recording reaches. None (n_pieces 0): the recording from its start, segments
     * between gaps filtered on their own. Borrowed. */
    const sv_piece *pieces;
    int n_pieces;
    sv_pool *pool; /* filters channels in parallel; NULL = one thread, with half the memory. Borrowed. */
} sv_night_options;

typedef struct sv_night {
    double *samples[SV_N_ROLES]; /* [n_epochs * 3000] microvolts; NULL for a role that is absent */
    int n_epochs;
    double *missing_share;       /* [n_epochs]: share of the epoch that lies in a gap of the recording (drawn as 0) */
    int *piece_of_epoch;         /* [n_epochs]: index into options.pieces; NULL without pieces */
    double tail_s;               /* recording left over after the last whole epoch, not staged */
    double mains_hz;             /* notch used, 0 = none */
    double common_rate_hz;       /* at which all channels were filtered: the highest of the used signals */
    double rate_hz[SV_N_ROLES];  /* of the derivation before filtering; 0 when absent */
    char notes[SV_N_ROLES][160]; /* what was done to the channel beyond the ordinary ("" = nothing) */
} sv_night;

/* Reads, derives, filters and resamples the montage's roles; segments between gaps are filtered on their own and laid
 * on the recording's time line. Frees nothing on failure but its own. SV_ERR_INPUT when the recording holds no whole
 * epoch. Memory beyond the result: up to four channels at the common rate (one when they would take more than 1 GiB).
 */
sv_status sv_night_prepare(sv_recording *recording, const sv_montage *montage, const sv_night_options *options,
                           sv_night *out, sv_error *err);
void sv_night_free(sv_night *night);

#endif
