/* sight.h - what a scorer who sees every event sees in one epoch of a simulated night. */
#ifndef SV_SIMULATE_SIGHT_H
#define SV_SIMULATE_SIGHT_H

#include "simulate/truth.h"

typedef struct sv_sim_sight {
    int state_s[SV_N_STAGES]; /* seconds in each hidden state */
    double alpha_s, theta_s, sem_s, sawtooth_s, movement_s, slow_wave_s, artefact_s;
    int n[SV_N_EVENT_KINDS];           /* arousals by onset, all others by their middle */
    int k_linked;                      /* K-complexes that belong to an arousal */
    double alpha_hz, spindle_hz;       /* means; NaN without */
    double spindle_at_s, k_at_s;       /* middle of the first one, in the epoch; NaN without */
    double arousal_at_s;               /* onset of the first one; NaN without */
    double slow_wave_uv, k_uv;         /* of the largest; NaN without */
    double chin_level;                 /* 0 the level of R, 1 that of quiet wakefulness */
    unsigned in_all[SV_N_EVENT_KINDS]; /* channels that show every event of the kind that touches the epoch */
} sv_sim_sight;

/* What is seen in the channels `roles` (0: in any). slow_wave_s and chin_level are those of the night whatever the
 * channels. */
void sv_sim_look(const sv_sim_facts *facts, int epoch, unsigned roles, sv_sim_sight *out);

/* The last spindle, or K-complex that belongs to no arousal, whose middle lies in [from_s, to_s), in any of `roles` (0:
 * any channel). NULL when there is none. Points into facts. */
const sv_event *sv_sim_last_trigger(const sv_sim_facts *facts, unsigned roles, double from_s, double to_s);

/* The last arousal that begins in [from_s, to_s); NULL when there is none. Points into facts. */
const sv_event *sv_sim_last_arousal(const sv_sim_facts *facts, double from_s, double to_s);

#endif
