/*
 * dataset_annotations.h - rules and rationales that experts gave to the epochs of recordings: CSV files as MASS-EX has
 * them, or the truth of a simulated night.
 */
#ifndef SV_TRAIN_DATASET_ANNOTATIONS_H
#define SV_TRAIN_DATASET_ANNOTATIONS_H

#include "train/dataset.h"

typedef struct sv_annotated_epoch {
    int epoch;
    sv_stage stage;
    uint16_t n_rules;
    const char *rules[SV_N_RULES]; /* ids, static, in the order as given */
    char *rationale;               /* NULL on the coarse track, or when there is none; owned */
    size_t order;                  /* among the subject's rows */
    signed char skip;              /* sv_skip: the row itself is no record, but it is a neighbour; -1: fine */
} sv_annotated_epoch;

typedef struct sv_annotated_subject {
    char *subject;
    bool fine;
    sv_annotated_epoch *epochs; /* [n], by epoch */
    size_t n, capacity;
} sv_annotated_subject;
void sv_annotated_subject_free(sv_annotated_subject *subject); /* frees and zeroes */

typedef struct sv_annotations {
    sv_annotated_subject *subjects;
    size_t n, capacity;
    int64_t skipped[SV_N_SKIPS]; /* rows that are not usable at all */
} sv_annotations;
void sv_annotations_free(sv_annotations *annotations); /* frees and zeroes */

/* CSV files, and folders with them, with the columns Subject, N (the epoch, from 0), Stage, applicable_rules (rules
 * with commas between), and custom_id (SUBJECT#N_STAGE) and reasoning_text if wanted: with the latter a file is of the
 * fine track. Of a subject with rows on both tracks the fine ones count. Rows that make no sense are counted by reason;
 * SV_ERR_INPUT is for a file that is no such table. */
sv_status sv_annotations_load(const char *const *paths, size_t n_paths, sv_annotations *out, sv_error *err);

/* NULL: none. */
const sv_annotated_subject *sv_annotations_find(const sv_annotations *annotations, const char *subject);

/* The truth of a simulated night in the same form. */
sv_status sv_annotations_of_truth(const sv_truth_file *truth, const char *subject, bool fine, sv_annotated_subject *out,
                                  sv_error *err);

#endif
