/*
 * dataset.h - the folder of a data set: pictures, targets, records, and who is for training and who for validation.
 *
 * FOLDER/images/SUBJECT/EPOCH[_STAGE].png   the pictures, as `render` writes them
 * FOLDER/band_power/SUBJECT.json            WPT: the targets, as `features` writes them
 * FOLDER/{wpt,sft}_{train,val}.jsonl        the records; pictures relative to FOLDER
 * FOLDER/subjects.json, split.json (SFT)    the split, in the published system's form
 * FOLDER/dataset.json                       what it was made from and the counts; written last
 * FOLDER/job.json                           while it is not complete: what is being made
 */
#ifndef SV_TRAIN_DATASET_H
#define SV_TRAIN_DATASET_H

#include "base/json.h"
#include "train/dataset_night.h"

const char *sv_skip_name(sv_skip skip);
const char *sv_skip_words(sv_skip skip);

typedef struct sv_dataset_job {
    bool sft; /* else WPT */
    const sv_dataset_inputs *inputs;
    sv_dataset_filters filters;
    const char *folder;
    const char *prompts[3]; /* system prompts, by sv_record_kind */
    const char *question;   /* of WPT; "": none */
    uint64_t seed;
    double split;                   /* share of the subjects for training, 0 to 1 */
    const char *const *annotations; /* [n_annotations] CSV files and folders of them */
    size_t n_annotations;
    const char *split_path; /* the published system's split.json; NULL: drawn */
    bool sim_coarse;        /* simulated nights on the coarse track */
    bool stage_first;
    bool force;         /* go on when the folder holds something else */
    bool (*stop)(void); /* asked now and then */
    void (*progress)(void *context, const char *subject, int64_t n_done, int64_t n_all); /* pictures of a subject */
    void (*note)(void *context, const char *text); /* something that was left out, a sentence */
    void *context;
} sv_dataset_job;

/* Makes the folder, or goes on with the same job in it. Each file appears whole or not at all. A recording that cannot
 * be read is noted and left out. *summary: {"phase", "folder", "complete_before", "subjects": {"train", "val"},
 * "records": {"train", "val"}, "pictures": {"drawn", "kept"}, "skipped": {name: count}}; the caller's.
 * SV_ERR_CANCELLED when stopped: the same job goes on later. SV_ERR_OUTPUT when the folder holds something else. */
sv_status sv_dataset_make(const sv_dataset_job *job, json_t **summary, sv_error *err);

#endif
