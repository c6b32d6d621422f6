/*
 * scoring.h - what a scorer's file says, before it is laid on 30-s epochs. Inside src/sleep only.
 */
#ifndef SV_SLEEP_SCORING_H
#define SV_SLEEP_SCORING_H

#include "sleep/hypnogram.h"

typedef struct sv_scored {
    double onset_s, duration_s; /* duration <= 0: until the next entry, 30 s for the last */
    sv_stage stage;
} sv_scored;

typedef struct sv_scoring {
    sv_scored *items; /* [n], in the order of the file; owned */
    size_t n, capacity;
    const char *note;
} sv_scoring;

sv_status sv_scoring_add(sv_scoring *scoring, double onset_s, double duration_s, sv_stage stage, sv_error *err);
void sv_scoring_free(sv_scoring *scoring);

/* Lays the entries, moved by shift_s, on epochs from time 0. Sorts them by onset. See sv_hypnogram_load. */
sv_status sv_scoring_to_hypnogram(sv_scoring *scoring, double shift_s, int n_epochs, const char *name,
                                  sv_hypnogram *out, sv_error *err);

/* Collects the annotations of `scored` that are stages. *shift_s: what to add to their onsets to count from the start
 * of `recording`, by absolute time when both starts are known, else 0 (with a note when the two are not the same). */
sv_status sv_scoring_read_annotations(const sv_recording_info *scored, const sv_recording_info *recording,
                                      sv_scoring *out, double *shift_s, sv_error *err);

/* Readers of text; `text` ends with a 0 at text[len] and is changed. */
sv_status sv_scoring_read_xml(char *text, size_t len, const char *name, sv_scoring *out, sv_error *err);
sv_status sv_scoring_read_lines(char *text, const char *name, sv_scoring *out, sv_error *err);

/* A stage of the R&K number in XML files (0..6, 9); false for others. */
bool sv_stage_from_rk_number(long number, sv_stage *out);

#endif
