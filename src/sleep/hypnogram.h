/*
 * hypnogram.h - a night's stages, one per 30-s epoch, read from the files that scorers use and written as CSV and EDF+.
 */
#ifndef SV_SLEEP_HYPNOGRAM_H
#define SV_SLEEP_HYPNOGRAM_H

#include "psg/recording.h"

typedef struct sv_hypnogram {
    int n_epochs;
    signed char *stages; /* [n_epochs], sv_stage; owned */
} sv_hypnogram;
void sv_hypnogram_free(sv_hypnogram *hypnogram);

/* Reads EDF+ annotations (R&K or AASM names, any multiple of 30 s or 20 s per entry), NSRR/Profusion XML, our own
 * hypnogram.csv, or a list of stages one a line. For EDF+ files with a start time, and a recording whose start is known,
 * epochs are placed by absolute time; otherwise epoch 0 is the first scored one. n_epochs pads (unscored) or cuts; 0 keeps. */
sv_status sv_hypnogram_load(const char *path, const sv_recording_info *recording, int n_epochs, sv_hypnogram *out,
                            sv_error *err);

/* The stages as EDF+ annotations "Sleep stage W|N1|N2|N3|R|?" of 30 s with the recording's start; written by EDFlib,
 * atomically. start may be NULL (unknown). */
sv_status sv_hypnogram_write_edf(const char *path, const signed char *stages, int n_epochs, const sv_start_time *start,
                                 sv_error *err);

#endif
