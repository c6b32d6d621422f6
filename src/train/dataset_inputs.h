/*
 * dataset_inputs.h - which nights a data set is made of: recordings and what was scored of them, found by their names.
 */
#ifndef SV_TRAIN_DATASET_INPUTS_H
#define SV_TRAIN_DATASET_INPUTS_H

#include "base/status.h"

typedef struct sv_dataset_input {
    char *recording;
    char *scoring;   /* "SUBJECT Base.edf" beside "SUBJECT PSG.edf"; NULL: none. May then be in the recording itself */
    bool wants_base; /* the name is "SUBJECT PSG.edf", but there is no Base file */
    char *truth;     /* truth.json beside a simulated night; NULL: none */
    char *subject;   /* sv_subject_name */
    char subset[8];  /* the split is made inside it: "SS1" ... "SS5" of MASS (subject 01-0N-....), "sim", else "own" */
} sv_dataset_input;

typedef struct sv_dataset_inputs {
    sv_dataset_input *items; /* by subset, then subject */
    size_t n, capacity;
} sv_dataset_inputs;
void sv_dataset_inputs_free(sv_dataset_inputs *inputs); /* frees and zeroes */

/* Every path is a recording or a folder, which is searched at most 4 deep for EDF and BDF files that are not Base
 * files. SV_ERR_INPUT: a path that is not there, a folder without recordings, two recordings of one subject. */
sv_status sv_dataset_inputs_find(const char *const *paths, size_t n_paths, sv_dataset_inputs *out, sv_error *err);

/* The regular files below a folder, at most 4 deep, whose names end in one of `endings` (any case), sorted; or the path
 * itself when it is a file. *out: [*n_out], each and the list freed with free. */
sv_status sv_find_files(const char *path, const char *const *endings, size_t n_endings, char ***out, size_t *n_out,
                        sv_error *err);

#endif
