/*
 * dataset_folder.h - a data set's folder while it is filled: what it is for, its pictures, its files.
 */
#ifndef SV_TRAIN_DATASET_FOLDER_H
#define SV_TRAIN_DATASET_FOLDER_H

#include "base/file.h"
#include "train/dataset.h"

typedef struct sv_dataset_folder {
    const sv_dataset_job *job;
    bool keep_pictures; /* those that are there are of this job */
    int64_t n_drawn, n_kept;
    int64_t skipped[SV_N_SKIPS];
} sv_dataset_folder;

/* Makes the folder and writes job.json. When the folder holds this very job complete, *summary is its summary and there
 * is nothing to do; else NULL. SV_ERR_OUTPUT when it holds anything else and not job->force. */
sv_status sv_dataset_folder_open(const sv_dataset_job *job, sv_dataset_folder *out, json_t **summary, sv_error *err);

/* Writes dataset.json; the folder is complete. Takes a reference to summary. */
sv_status sv_dataset_folder_finish(const sv_dataset_folder *folder, const json_t *summary, sv_error *err);

/* Draws all epochs of the night that need a picture (`wanted`, NULL: all) into images/SUBJECT. */
sv_status sv_dataset_draw(sv_dataset_folder *folder, const sv_labelled_night *night, const char *subject,
                          const bool *wanted, sv_error *err);

/* "images/SUBJECT/12_N2.png" in new memory, NULL when there is none. */
char *sv_dataset_picture_path(const char *subject, int epoch, sv_stage stage);

/* FOLDER/NAME in new memory. NULL and an error without memory. */
char *sv_dataset_path(const sv_dataset_job *job, const char *name, sv_error *err);

void sv_dataset_note(const sv_dataset_job *job, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Opens the file of records "wpt_train.jsonl"; appends one record to it. */
sv_status sv_dataset_records_open(const sv_dataset_job *job, const char *part, sv_file_writer *out, sv_error *err);
sv_status sv_dataset_records_add(sv_file_writer *w, const char *id, const sv_chat_texts *texts, sv_error *err);

/* The summary of sv_dataset_make. */
json_t *sv_dataset_summary(const sv_dataset_folder *folder, size_t n_train_subjects, size_t n_val_subjects,
                           int64_t n_train, int64_t n_val);

/* A failure of one recording that does not end the job: it is noted and counted, and *status becomes SV_OK. */
void sv_dataset_forgive(sv_dataset_folder *folder, sv_status *status, const sv_error *err);

#endif
