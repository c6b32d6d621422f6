/*
 * sleepvlm.h - the public C API of libsleepvlm.
 *
 * Conventions
 *   - Fallible functions return sv_status (SV_OK is 0) and fill the sv_error that the caller passes; `err` may be NULL.
 *   - The library never prints, never exits and never asserts on input.
 *   - Times are seconds from the first sample of the recording unless a name says otherwise. Signals are microvolts.
 *   - Opaque types are created by *_open, *_load or *_new and ended by *_close or *_free, which accept NULL.
 */
#ifndef SLEEPVLM_H
#define SLEEPVLM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What went wrong, coarse enough to decide what to do next; the message says the rest. */
typedef enum sv_status {
    SV_OK = 0,
    SV_ERR_INPUT,       /* a file or a value given by the user is bad: exit status 1 */
    SV_ERR_USAGE,       /* the call or the command line is wrong: exit status 2 */
    SV_ERR_UNSUPPORTED, /* well formed, but not something this version handles: exit status 1 */
    SV_ERR_OUTPUT,      /* writing failed (full disk, no permission): exit status 3 */
    SV_ERR_MEMORY,      /* out of memory or over the memory budget: exit status 3 */
    SV_ERR_CANCELLED,   /* the caller asked to stop: exit status 130 */
    SV_ERR_INTERNAL     /* a bug in sleepvlm: exit status 3 */
} sv_status;

/* Filled by the function that failed; `message` names what was expected, what was found, where, and what to do. */
typedef struct sv_error {
    sv_status status;
    int64_t offset; /* byte offset in the file that was read, or -1 */
    char message[640];
} sv_error;

/* Sleep stages as numbered in every file of this project and of the published system. */
typedef enum sv_stage {
    SV_STAGE_W = 0,
    SV_STAGE_N1 = 1,
    SV_STAGE_N2 = 2,
    SV_STAGE_N3 = 3,
    SV_STAGE_R = 4,
    SV_N_STAGES = 5,
    SV_STAGE_NONE = -1 /* unscored, not parsed, or not known */
} sv_stage;

/* "1.2.3" of the linked library. Static storage. */
const char *sv_version(void);

/* A vision-language model in memory. Immutable: one may serve many threads and many recordings. */
typedef struct sv_model sv_model;

/* Where the network rounds. */
typedef enum sv_rounding {
    SV_ROUNDING_NONE, /* f32 throughout, whatever the weights are stored in */
    SV_ROUNDING_BF16, /* as the reference implementation does when it computes in bfloat16: for comparisons; slower */
    SV_ROUNDING_F16   /* the same in binary16 */
} sv_rounding;

/* How a model is loaded. Zero-initialise it. Strings are borrowed during the call. */
typedef struct sv_model_options {
    const char *adapter; /* PEFT folder of a LoRA adapter for this model, applied without merging; NULL = none */
    sv_rounding rounding;
} sv_model_options;

/* Loads a Hugging Face folder of a Qwen2.5-VL model (config.json, *.safetensors, tokenizer.json ...). Weights are F32,
 * BF16, F16 or W4A16 (GPTQ layout); their files stay mapped and are read where they lie, so they must not change until
 * the model is freed. options may be NULL. The caller owns *out. SV_ERR_INPUT names the file or tensor that is missing
 * or wrong. */
sv_status sv_model_load(const char *folder, const sv_model_options *options, sv_model **out, sv_error *err);
void sv_model_free(sv_model *model);

/* How a recording is staged. Zero-initialise it: every zero is the default. Strings are borrowed during the call. */
typedef struct sv_stage_options {
    const char
        *prompt_path; /* system prompt, UTF-8; NULL = prompt.txt of the adapter's folder or else of the model's */
    const char *probabilities; /* where the stage probabilities are read: "forced" (NULL; before any text), "coarse" (by
                                  a short answer to another prompt), "text" (behind the rationale) or "off" */
    const char *coarse_prompt_path; /* its system prompt; NULL = coarse_prompt.txt of the model folder */
    const char *temperature;        /* file of a fitted temperature (eval --fit-temperature), or "off"; NULL =
                                       temperature.json of the model folder when it is there */
    const char *const *channels;    /* [n_channels] "ROLE=LABEL[-REF]" */
    size_t n_channels;
    const char *montage_path;           /* file of such lines */
    const char *hypnogram_path;         /* a scorer's stages, put beside the answers */
    const char *mains;                  /* "auto" (NULL), "50", "60" or "off" */
    const char *lights_off, *lights_on; /* clock "HH:MM[:SS]" or "+SECONDS" from the start; bounds of the statistics */
    const char *cache_folder; /* where what a large model has read of the prompt is kept for the next run; NULL = not */
    size_t memory_bytes;      /* what may be allocated beside the weights; fewer epochs are then asked at a time; 0 = no
                                 limit. Results do not depend on it. */
    int n_threads;            /* 0 = one per usable core */
    bool coarse;              /* stage and rules only, no rationale (stage-first models) */
    bool constrained;         /* only answers of the trained form can be written, so that all can be read */
    bool anti_alias;          /* low-pass before 100 Hz; off = as the published system */
    bool no_audit;            /* rows without measurements and verdicts (`evidence`, `audit`): some seconds less */
    bool no_signals;          /* a report without the signals: smaller, without the enlarged traces */
    bool force;               /* replace results of another recording, model or option in the folder */
    /* Called after each epoch, from any thread but never from two at once; NULL = not. */
    void (*progress)(void *context, int n_done, int n_epochs);
    bool (*cancelled)(void *context); /* asked often, from any thread; true stops with SV_ERR_CANCELLED, resumable */
    void *context;
} sv_stage_options;

/* What a caller wants to know at once; everything is in the files. */
typedef struct sv_stage_outcome {
    int n_epochs;
    int n_resumed;           /* taken over from an interrupted run */
    int n_unparsed;          /* the model's answer held no stage */
    int n_no_signal;         /* in a gap of the recording: not asked */
    int n_uncertain;         /* the most probable stage has less than 0.6 */
    int n_contradicted;      /* a claim, a rule or the stage is contradicted by the signal */
    int n_warnings;          /* about the recording; see summary.json */
    char cache_warning[640]; /* why the cache could not be written; "" = nothing to say */
    bool was_complete;       /* the folder already held exactly this result; nothing was computed */
} sv_stage_outcome;

/* Stages one recording into `folder` (made if needed): epochs.jsonl, hypnogram.csv, hypnogram.edf, summary.json and
 * report.html, each written atomically. An interrupted run leaves epochs.jsonl.part and goes on from it when called
 * with the same recording, model and options. outcome may be NULL. Errors: SV_ERR_INPUT (recording, prompt, hypnogram),
 * SV_ERR_USAGE (an option), SV_ERR_OUTPUT (folder), SV_ERR_CANCELLED. */
sv_status sv_stage_file(const char *recording_path, const sv_model *model, const char *folder,
                        const sv_stage_options *options, sv_stage_outcome *outcome, sv_error *err);

#ifdef __cplusplus
}
#endif
#endif
