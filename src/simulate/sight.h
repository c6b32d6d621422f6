/* sight.h - what a scorer who sees every event sees in one epoch of a simulated night. */
#ifndef SV_SIMULATE_SIGHT_H
#define SV_SIMULATE_SIGHT_H

#include "simulate/truth.h"

typedef struct sv_sim_sight {
    int state_s[SV_N_STAGES]; /* seconds in each hidden state */
    double alpha_s, sem_s, sawtooth_s, movement_s, slow_wave_s, artefact_s;
    int spindles, k_complexes, vertex_waves, blinks, rems, sems, twitches, arousals, slow_waves;
    double spindle_hz;           /* mean; NaN without */
    double spindle_at_s, k_at_s; /* middle of the first one, in the epoch; NaN without */
    double arousal_at_s;         /* onset of the first one; NaN without */
    double slow_wave_uv;         /* of the largest; NaN without */
    double last_trigger_s[2];    /* onset of the last spindle or K-complex without arousal in each half; NaN */
    double chin_level;           /* 0 the level of R, 1 that of quiet wakefulness */
} sv_sim_sight;

/* Counts are of events whose middle lies in the epoch (events.h). */
void sv_sim_look(const sv_sim_facts *facts, int epoch, sv_sim_sight *out);

#endif
