/*
 * dataset_night.h - a night to train on: its filtered signals, and what is known of each epoch.
 */
#ifndef SV_TRAIN_DATASET_NIGHT_H
#define SV_TRAIN_DATASET_NIGHT_H

#include "simulate/simulate.h"
#include "train/dataset_inputs.h"
#include "train/dataset_record.h"

/* How recordings become nights: as the published system does when all is zero but mains, SV_MAINS_50. */
typedef struct sv_dataset_filters {
    sv_night_options night; /* mains, anti_alias and pool count */
    const sv_channel_choice *choices;
    size_t n_choices;
    bool without_stages; /* take no scorer's stages: the recording from its start, as for the published system's first
                            phase */
} sv_dataset_filters;

typedef enum sv_skip {
#define SV_SKIP(name, words) SV_SKIP_##name,
#include "train/dataset_skips.def"
#undef SV_SKIP
    SV_N_SKIPS
} sv_skip;
enum { SV_NO_SKIP = -1 };

typedef struct sv_labelled_night {
    int n_epochs;
    unsigned roles;            /* channels there are, by sv_role_bit */
    sv_night signals;          /* by the renderer's chain */
    signed char *stages;       /* [n_epochs] sv_stage */
    bool labelled;             /* any of them is known */
    sv_epoch_seconds *seconds; /* [n_epochs]; NULL when not asked for */
    bool has_truth;            /* rules, rationales and events below: */
    sv_truth_file truth;       /* of a truth.json; of a night made in memory without rationales, which are written when
                                  the channels are known, from: */
    sv_sim_facts facts;        /* n_epochs 0: read from a file */
    uint64_t sim_seed;
} sv_labelled_night;
void sv_labelled_night_free(sv_labelled_night *night); /* frees and zeroes */

/* Opens, checks and filters. Stages come from input->truth, input->scoring, or annotations of the recording, in this
 * order; of a scorer's the scored pieces are kept and joined, as sv_scored_pieces_load cuts them. SV_ERR_INPUT names
 * the file. */
sv_status sv_labelled_night_open(const sv_dataset_input *input, const sv_dataset_filters *filters, bool with_seconds,
                                 sv_labelled_night *out, sv_error *err);

/* The same of a night that is made now. `stop` may be NULL. */
sv_status sv_labelled_night_simulate(const sv_sim_options *options, bool with_seconds, bool (*stop)(void),
                                     sv_labelled_night *out, sv_error *err);

/* May this epoch be asked about in a record of WPT, or why not; `any_channels`: also with fewer than 4. */
int sv_labelled_night_wpt_skip(const sv_labelled_night *night, int epoch, bool any_channels);

/* Can this be opened at all: is it an EDF, are there channels? Reads no signal. */
sv_status sv_dataset_input_check(const sv_dataset_input *input, const sv_dataset_filters *filters, sv_error *err);

#endif
