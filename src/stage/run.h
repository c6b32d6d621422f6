/*
 * run.h - the staging of one recording: prepare, ask about every epoch, write the result folder.
 *
 *   sv_run_open   recording, channels, filters, prompt; finds out what an earlier run has left
 *   sv_run_ask    draws, embeds and asks in parallel; every row is on disk at once (journal.h)
 *   sv_run_write  epochs.jsonl, hypnogram.csv, hypnogram.edf; takes the summary of an earlier result away first
 *   sv_run_finish summary.json, which marks the folder as complete, and the end of the journal
 */
#ifndef SV_STAGE_RUN_H
#define SV_STAGE_RUN_H

#include "render/picture.h"
#include "stage/desk.h"
#include "stage/journal.h"
#include "stage/subject.h"

typedef struct sv_run {
    const sv_model *model;
    const char *folder;
    sv_stage_options options; /* strings are the caller's */
    sv_subject subject;
    sv_stage_prompt prompt;
    sv_method method;
    sv_pool *pool;
    sv_journal *journal;
    char fingerprint[SV_SHA256_HEX_SIZE]; /* of all that the rows depend on */
    json_t *provenance;                   /* what the fingerprint was made of */
    json_t *rows;                         /* array by epoch, after sv_run_ask */
    json_t *summary;                      /* after sv_run_ask */
    sv_stage_outcome outcome;
} sv_run;

/* outcome.was_complete says that nothing is left to do. */
sv_status sv_run_open(const char *recording_path, const sv_model *model, const char *folder,
                      const sv_stage_options *options, sv_run *out, sv_error *err);
sv_status sv_run_ask(sv_run *run, sv_error *err);
sv_status sv_run_write(const sv_run *run, sv_error *err);
sv_status sv_run_finish(sv_run *run, sv_error *err);
void sv_run_close(sv_run *run);

#endif
