/*
 * truth.h - what is known about a simulated night, and the scoring that follows from it.
 */
#ifndef SV_SIMULATE_TRUTH_H
#define SV_SIMULATE_TRUTH_H

#include "base/strbuf.h"
#include "sleep/events.h"
#include "sleep/stages.h"

/* Filled by the simulator while it makes the signals. */
typedef struct sv_sim_facts {
    int n_epochs, n_s;              /* n_s = 30 * n_epochs */
    bool alpha_generator;           /* this sleeper makes alpha */
    double n3_from_s;               /* seconds of slow waves from which this night's scorer calls N3 (about 6) */
    signed char *state;             /* [n_s] hidden state of each second: W N1 N2 N3 R */
    float *movement;                /* [n_s] 1 while the body moves */
    float *slow_wave_s;             /* [n_epochs] of slow waves, measured on the clean frontal and central signal */
    float *chin_uv;                 /* [n_epochs] rms of the chin as made */
    double chin_wake_uv, chin_r_uv; /* levels of the subject */
    sv_events events;               /* sorted; slow waves as measured on the clean signal */
} sv_sim_facts;
void sv_sim_facts_free(sv_sim_facts *facts);

typedef struct sv_truth {
    int n_epochs;
    signed char *stages; /* [n_epochs] sv_stage */
    uint16_t *rules;     /* [n_epochs] bits 1 << index in sv_rules */
} sv_truth;
void sv_truth_free(sv_truth *truth);

/* Scores the night as a careful scorer would who sees every event: stages and rules by AASM logic, also those that look
 * at the neighbours. Every epoch gets a stage and at least one rule of it. A night of no epochs is fine. SV_ERR_MEMORY.
 * docs/modules/simulate-truth.md says where the manual leaves a choice and which was taken. */
sv_status sv_truth_score(const sv_sim_facts *facts, sv_truth *out, sv_error *err);

/* A rationale of two to five sentences that is true of the epoch as seen in the channels `roles` (bits, at least one;
 * what is not there is not mentioned). Of many wordings and orders the seed chooses; the name of the epoch's stage does
 * not occur. Same arguments, same text. out is cleared first; out->failed when there is no memory. */
void sv_rationale_write(const sv_sim_facts *facts, const sv_truth *truth, int epoch, unsigned roles, uint64_t seed,
                        sv_strbuf *out);

/* {"n_epochs", "epoch_s", "stages": [..], "rules": [[ids]..], "rationales": [..], "events": [..]}. NULL without memory.
 */
json_t *sv_truth_to_json(const sv_sim_facts *facts, const sv_truth *truth, unsigned roles, uint64_t seed);

/* A truth.json read back: what sv_truth_to_json wrote, or another program in the same form. */
typedef struct sv_truth_file {
    sv_truth truth;
    char **rationales; /* [n_epochs] UTF-8; NULL when the file has none */
    sv_events events;  /* sorted */
} sv_truth_file;

/* SV_ERR_INPUT names the file, the member and the epoch: stages that are none, another length of epoch, lists that do
 * not fit each other, unknown rules. "n_epochs", "rules" and "rationales" may be missing (no rule, no text). */
sv_status sv_truth_read(const char *path, sv_truth_file *out, sv_error *err);
void sv_truth_file_free(sv_truth_file *file); /* frees and zeroes */

#endif
