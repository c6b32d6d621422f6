/*
 * info_model.h - the part of `sleepvlm info` that describes model folders. Headers and small files are read, the
 * weights are not.
 */
#ifndef SV_CLI_INFO_MODEL_H
#define SV_CLI_INFO_MODEL_H

#include <jansson.h>

#include "base/strbuf.h"
#include "model/memory_plan.h"
#include "model/model_cost.h"
#include "model/quantised.h"
#include "model/speed_probe.h"
#include "stage/prompt_length.h"

typedef struct sv_model_report_options {
    const char *prompt_path; /* NULL = prompt.txt of the folder */
    bool probe;              /* measure this machine for the estimate: about 2 s */
    int n_threads;           /* 0 = one per core */
} sv_model_report_options;

/* Weights of one type. */
typedef struct sv_dtype_share {
    size_t n_tensors;
    double bytes;
} sv_dtype_share;

/* Seconds, from the work and the speeds of sv_speed_probe. */
typedef struct sv_time_estimate {
    double picture, question, answer; /* of one epoch; a picture is encoded once for its three uses */
    double prefix;                    /* once for a night */
    double epoch;                     /* picture + question + answer */
    double epoch_in_batch;            /* when SV_PROBE_BATCH answers are written together */
} sv_time_estimate;

typedef struct sv_model_report {
    const char *path; /* borrowed */
    sv_model_config config;
    sv_quantisation quantisation;
    sv_parameter_count parameters;
    size_t n_tensors, n_files;
    sv_dtype_share shares[SV_BOOL + 1]; /* by sv_dtype */
    double weight_bytes;
    sv_tokenizer *tokenizer; /* owned; NULL when it could not be read */
    int n_added, n_special;
    json_t *generation; /* owned: generation_config.json, or NULL */
    bool has_prompt;    /* else the length of the published system prompt is assumed */
    bool has_chat_template;
    sv_stage_prompt prompt; /* owned */
    sv_prompt_length length;
    sv_work work_picture, work_question, work_answer, work_prefix;
    sv_memory_plan memory; /* for SV_PROBE_BATCH questions at a time */
    bool probed;
    sv_machine_speed speed;
    sv_time_estimate time;
    sv_strbuf problems; /* owned: lines; what keeps the model from being used */
} sv_model_report;

/* Fails only when config.json cannot be used; what else is wrong becomes a problem of the report. */
sv_status sv_model_report_make(const char *folder, const sv_model_report_options *options, sv_model_report *out,
                               sv_error *err);
void sv_model_report_free(sv_model_report *report);

/* For people. Text from files is made safe for a terminal. */
void sv_model_report_text(const sv_model_report *report, sv_strbuf *out);

/* For programs; NULL when there is no memory. */
json_t *sv_model_report_json(const sv_model_report *report);

#endif
