/*
 * hypnogram.h - a night's stages, one per 30-s epoch, read from the files that scorers use and written as EDF+.
 */
#ifndef SV_SLEEP_HYPNOGRAM_H
#define SV_SLEEP_HYPNOGRAM_H

#include "psg/recording.h"

#define SV_EPOCH_S 30
#define SV_MAX_EPOCHS 100000 /* 34 days; a file that claims more is refused */

typedef struct sv_hypnogram {
    int n_epochs;
    signed char *stages;   /* [n_epochs], sv_stage; owned */
    double first_scored_s; /* start of the first entry with a stage, from epoch 0's start; not a multiple of 30 when the
                            * scorer's epochs lie between ours. NaN when nothing is scored */
    double last_scored_s; /* end of the last entry with a stage, likewise; it may lie beyond the epochs. NaN likewise */
    double page_s;        /* 30 or 20 when every entry is a multiple of it, else 0 */
    const char *note;     /* a sentence about what had to be assumed, static; NULL when nothing had to */
} sv_hypnogram;
void sv_hypnogram_free(sv_hypnogram *hypnogram); /* frees and zeroes */

/* Reads, told apart by content: EDF+ annotations (R&K or AASM names), XML of Compumedics Profusion or NSRR, a CSV file
 * (comma, semicolon or tab) with a column `stage` (also `onset_s`, `duration_s`), or a list with one stage a line.
 *
 * Placement. EDF+: by absolute time when both starts are known (1985-01-01 00:00:00 is how EDF writes "unknown");
 * else onset 0 is the recording's start; without a recording (NULL) epoch 0 starts with the first scored entry. Other
 * files count from the recording's start. n_epochs pads with SV_STAGE_NONE or cuts; 0 keeps the file's length.
 *
 * Entries that do not lie on our 30-s grid (20-s pages, a scorer who started between): an epoch takes the stage that
 * fills most of it, the lower stage number when two fill the same, and none when at most half of it is covered. So of
 * three 20-s pages the first and the third decide.
 *
 * Numbers: with a 5 or a 6, or beside names (W, R), they are R&K: 0 W, 1-4, 5 R, 6 movement; otherwise YASA's 0 W, 1
 * N1, 2 N2, 3 N3, 4 R (a note says so). Negative ones and 9 are unscored. Profusion and NSRR files are always R&K.
 *
 * SV_ERR_INPUT with the line where a text is not a stage, when there are no stages, or none falls on the recording. */
sv_status sv_hypnogram_load(const char *path, const sv_recording_info *recording, int n_epochs, sv_hypnogram *out,
                            sv_error *err);

/* The same for text in memory (all but EDF+). `name` is what errors call it. */
sv_status sv_hypnogram_parse(const char *text, size_t len, const char *name, int n_epochs, sv_hypnogram *out,
                             sv_error *err);

/* The same for annotations that are in memory: those of `scored`, on the time of `recording` (may be NULL or `scored`
 * itself). */
sv_status sv_hypnogram_from_annotations(const sv_recording_info *scored, const sv_recording_info *recording,
                                        int n_epochs, sv_hypnogram *out, sv_error *err);

/* True when the file begins as EDF or BDF does. False also when it cannot be read. */
bool sv_is_edf_file(const char *path);

/* The stages as EDF+ annotations "Sleep stage W|N1|N2|N3|R|?" of 30 s with the recording's start; written by EDFlib,
 * read back, and only then renamed into place. start may be NULL (unknown). SV_ERR_INPUT for a year outside 1985..2084,
 * which EDF cannot hold. Safe from several threads. */
sv_status sv_hypnogram_write_edf(const char *path, const signed char *stages, int n_epochs, const sv_start_time *start,
                                 sv_error *err);

#endif
