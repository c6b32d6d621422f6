/*
 * timeline.h - the derivations of a recording at one common rate, in stretches that are filtered as a whole: a stretch
 * is a segment between gaps, or the kept pieces joined.
 *
 * Signals slower than the fastest one used are brought to its rate through the spectrum of the whole segment, as MNE's
 * reader does, before two signals are subtracted.
 */
#ifndef SV_PSG_TIMELINE_H
#define SV_PSG_TIMELINE_H

#include "psg/montage.h"

/* A part of the recording, in seconds from its start. */
typedef struct sv_piece {
    double onset_s, duration_s;
} sv_piece;

/* Samples [first, first + n) of a segment, at the common rate, and where they go in their stretch; samples of a stretch
 * that no part covers are 0. */
typedef struct sv_timeline_part {
    int segment;
    int64_t first, n, to;
} sv_timeline_part;

typedef struct sv_stretch {
    double start_s; /* on the time line of the output: of the recording, or of the joined pieces */
    int64_t n;      /* samples at the common rate */
    int first_part, n_parts;
} sv_stretch;

typedef struct sv_timeline {
    sv_recording *recording;
    const sv_montage *montage;
    double rate_hz;
    int samples_per_record; /* at that rate */
    int n_stretches, n_parts;
    sv_stretch *stretches;
    sv_timeline_part *parts;
    int *piece_epochs; /* [n_pieces] whole epochs kept of each piece; NULL without pieces */
    struct {
        int signal, segment;
        double *samples;
    } resampled; /* the last signal brought to the common rate */
} sv_timeline;

/* Borrows recording and montage (and calls no function of them later than its own life). SV_ERR_INPUT when the montage
 * fills no role, or the recording or the pieces hold no sample. */
sv_status sv_timeline_init(sv_recording *recording, const sv_montage *montage, const sv_piece *pieces, int n_pieces,
                           double epoch_s, sv_timeline *out, sv_error *err);
void sv_timeline_deinit(sv_timeline *timeline);

/* True when a signal of the role is brought to the common rate. Such a role is read best in one call: what was computed
 * for a segment is kept only until another signal is read. */
bool sv_timeline_is_resampled(const sv_timeline *timeline, sv_role role);

/* Samples [first, first + n) of a role in a stretch, in microvolts: sample first + i to out[i * stride]. */
sv_status sv_timeline_read(sv_timeline *timeline, sv_role role, int stretch, int64_t first, int64_t n, double *out,
                           size_t stride, sv_error *err);

#endif
