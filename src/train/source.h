/*
 * source.h - records to train on, by number: pictures in memory, the conversation about them, and what is known of the
 * epoch. From the files of `sleepvlm dataset`, from recordings, or from nights that are simulated when they are needed.
 *
 * Record i of a source is the same whenever and however often it is asked for, so that a run can be resumed at any i.
 */
#ifndef SV_TRAIN_SOURCE_H
#define SV_TRAIN_SOURCE_H

#include "base/png.h"
#include "base/threads.h"
#include "psg/features.h"
#include "psg/night.h"
#include "simulate/subject.h"
#include "sleep/events.h"
#include "sleep/stages.h"
#include "token/chat.h"

typedef enum sv_record_kind {
    SV_RECORD_WPT,   /* one picture; the answer has band powers and amplitude of each second */
    SV_RECORD_FINE,  /* the epoch between its neighbours; rationale, rules, stage */
    SV_RECORD_COARSE /* the same without rationale */
} sv_record_kind;

#define SV_RECORD_MAX_IMAGES 3

/* What is known of the epoch that a record asks about, as far as the source knows it. */
typedef struct sv_epoch_facts {
    sv_stage stage;   /* SV_STAGE_NONE: not known */
    uint16_t rules;   /* bits 1 << index in sv_rules */
    char *rationale;  /* UTF-8; NULL: none; owned */
    unsigned roles;   /* channels in the picture, by sv_role_bit; 0: not known */
    bool has_seconds; /* of the channels in `roles`; of the chin only mav_uv */
    sv_second_features seconds[SV_N_ROLES][SV_EPOCH_S];
    bool has_events; /* simulated nights know all of theirs: those that touch the epoch, */
    sv_events
        events; /* onset from the epoch's start (negative when earlier); in channels of `roles`, others left out */
} sv_epoch_facts;

typedef struct sv_record {
    char *id;     /* "SUBJECT#EPOCH_STAGE", with WPT "SUBSET_SUBJECT#EPOCH" */
    sv_chat chat; /* system, user, assistant; the last message is the answer, which alone is learnt */
    int n_images;
    sv_image images[SV_RECORD_MAX_IMAGES];     /* RGB, in the order of the chat's image parts */
    uint64_t image_keys[SV_RECORD_MAX_IMAGES]; /* within one source equal keys mean equal pictures: encode once */
    double weight;                             /* of all its tokens in the loss; JSONL: the member "weight", else 1 */
    sv_epoch_facts facts;
} sv_record;
void sv_epoch_facts_free(sv_epoch_facts *facts); /* frees and zeroes */
void sv_record_free(sv_record *record);          /* frees and zeroes; a zeroed one may be freed */

/* All zero is fine: WPT records with our prompts, in the order of the files. Texts, pool and profile are borrowed for
 * as long as the source lives. */
typedef struct sv_source_options {
    sv_record_kind kind;  /* JSONL files say themselves */
    bool stage_first;     /* answers of FINE and COARSE in the order stage, rules, rationale; the published system's is
                             the reverse */
    const char *system;   /* NULL: sv_dataset_prompt(kind) */
    const char *question; /* before the picture of WPT; NULL: ours, "": none */
    bool no_pictures;     /* images without pixels: for a tokenizer's training */
    bool with_seconds;    /* also FINE and COARSE get facts.seconds (recordings, simulated: a second filtering) */
    bool vary;            /* channels of each run drawn: 35 % one EEG, 20 % any subset with an EEG, 45 % all there are;
                             gains exp(N(0, 0.06)) by channel. Not for JSONL, whose pictures are drawn. */
    bool shuffle;         /* see sv_source_get */
    int run;              /* neighbouring epochs that stay together and look alike under `vary`; 0: 1 */
    int window;           /* nights in memory, among which is shuffled; 0: 4. A night of 8 h takes 140 MB */
    int repeat;           /* with `shuffle`: how often a window's records come, newly mixed and varied, before the next
                             nights are prepared (simulating one takes 7 ms an epoch); 0: 1 */
    uint64_t seed;        /* of order, channels, gains and wordings */
    sv_pool *pool;        /* prepares nights in parallel; NULL: one by one */
    bool (*stop)(void);   /* asked now and then while nights are prepared; true: SV_ERR_CANCELLED. May be NULL */
} sv_source_options;

typedef struct sv_source sv_source;

/* A file of records in the published system's form; pictures at paths relative to image_root. The whole file is looked
 * through once. Facts come from ids and answers. */
sv_status sv_source_open_jsonl(const char *path, const char *image_root, const sv_source_options *options,
                               sv_source **out, sv_error *err);

/* Recordings and folders of them, as `sleepvlm dataset` takes them; FINE and COARSE need simulated nights (truth.json).
 * Each night is prepared once to count its records. */
sv_status sv_source_open_recordings(const char *const *paths, int n_paths, const sv_source_options *options,
                                    sv_source **out, sv_error *err);

typedef struct sv_sim_range {
    uint64_t first_seed; /* night k has first_seed + k: another sleeper each */
    int64_t n_nights;    /* 1 to 1,000,000 */
    double hours;        /* of each */
    int rate_hz;         /* at which they are made and filtered */
    const sv_sim_profile *profile;
} sv_sim_range;
sv_status sv_source_open_simulated(const sv_sim_range *range, const sv_source_options *options, sv_source **out,
                                   sv_error *err);
void sv_source_close(sv_source *source);

/* Records of one pass, repetitions counted. */
int64_t sv_source_n(const sv_source *source);

/* The system prompt that all records have, in new memory (free); NULL when they have none or not the same. Reads the
 * whole file of records: SV_ERR_INPUT names the line that is no record. */
sv_status sv_source_find_system(sv_source *source, char **out, sv_error *err);

/* Record i of an endless sequence of passes (i / n is the pass). Without `shuffle`: the order of the files, every pass
 * alike. With it: nights in an order drawn for each pass, `window` of them at a time, their runs mixed; JSONL: all
 * lines mixed. One thread at a time. *out: freed by sv_record_free, also after a failure. */
sv_status sv_source_get(sv_source *source, uint64_t i, sv_record *out, sv_error *err);

#endif
