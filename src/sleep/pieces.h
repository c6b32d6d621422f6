/*
 * pieces.h - the scored pieces of a recording, as the published system cuts labelled nights: every entry of the scorer
 * with a known stage, from its own onset, which need not lie on a 30-s grid counted from the start.
 */
#ifndef SV_SLEEP_PIECES_H
#define SV_SLEEP_PIECES_H

#include "psg/timeline.h"

typedef struct sv_scored_pieces {
    int n;
    sv_piece *pieces;    /* [n], for sv_night_options.pieces; owned */
    signed char *stages; /* [n], sv_stage, never SV_STAGE_NONE; owned */
    const char *note;    /* a sentence about what had to be assumed, static; NULL when nothing had to */
} sv_scored_pieces;
void sv_scored_pieces_free(sv_scored_pieces *pieces); /* frees and zeroes */

/* EDF+ files: their annotations that are stages, in the order of onset as stored, placed as by sv_hypnogram_load; an
 * entry shorter than 30 s keeps no epoch. Other files: the scored epochs of sv_hypnogram_load. SV_ERR_INPUT when
 * nothing is scored. */
sv_status sv_scored_pieces_load(const char *path, const sv_recording_info *recording, sv_scored_pieces *out,
                                sv_error *err);

#endif
