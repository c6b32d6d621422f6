/* dataset_phases.h - the two kinds of data set: their files besides the pictures, and the summary. */
#ifndef SV_TRAIN_DATASET_PHASES_H
#define SV_TRAIN_DATASET_PHASES_H

#include "train/dataset_folder.h"
#include "train/dataset_split.h"

/* used[i]: recording i can be opened. */
sv_status sv_dataset_make_wpt(sv_dataset_folder *folder, const bool *used, json_t **summary, sv_error *err);
sv_status sv_dataset_make_sft(sv_dataset_folder *folder, bool *used, json_t **summary, sv_error *err);

#endif
