/*
 * dataset_split.h - which subjects are for training and which for validation.
 */
#ifndef SV_TRAIN_DATASET_SPLIT_H
#define SV_TRAIN_DATASET_SPLIT_H

#include "base/json.h"
#include "train/dataset_inputs.h"

typedef struct sv_dataset_split {
    size_t *train, *val; /* indices into the inputs, in the order of the records */
    size_t n_train, n_val;
} sv_dataset_split;
void sv_dataset_split_free(sv_dataset_split *split); /* frees and zeroes */

/* As the published system: of each subset, in the order of the inputs, the subjects (those with used[i]) are shuffled
 * as Python's random.Random(seed) would, one generator for all; the first int(n * share) are for training. */
sv_status sv_dataset_split_draw(const sv_dataset_inputs *inputs, const bool *used, uint64_t seed, double share,
                                sv_dataset_split *out, sv_error *err);

/* By a split.json: {"fine_train_subjects", "coarse_train_subjects", "val_subjects": [subjects]}; others are in neither.
 * SV_ERR_INPUT: not of that form, or a subject in two lists. */
sv_status sv_dataset_split_read(const char *path, const sv_dataset_inputs *inputs, const bool *used,
                                sv_dataset_split *out, sv_error *err);

/* The published system's subjects.json of WPT. NULL without memory. */
json_t *sv_dataset_split_to_json(const sv_dataset_split *split, const sv_dataset_inputs *inputs, uint64_t seed,
                                 double share);

#endif
