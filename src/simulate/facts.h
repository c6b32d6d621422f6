/* facts.h - what is remembered of a night that was made: the ground of its truth (truth.h). */
#ifndef SV_SIMULATE_FACTS_H
#define SV_SIMULATE_FACTS_H

#include "simulate/studio.h"
#include "simulate/truth.h"

/* Finds the slow waves in F4 as it is before eyes, muscle, movement and disturbances are added, as the recorder will
 * show it: band-pass 0.35-3 Hz without phase shift, whole waves between downward zero crossings, 0.45 to 2.2 s long, 75
 * uV peak to peak or more. Notes those in N1, N2 and N3 and fills slow_wave_s [n_epochs]. */
sv_status sv_facts_slow_waves(sv_studio *studio, float *slow_wave_s, sv_error *err);

/* Copies the course and measures the chin. Takes `events` and slow_wave_s over when it succeeds. */
sv_status sv_facts_collect(const sv_studio *studio, float *slow_wave_s, sv_events *events, sv_sim_facts *out,
                           sv_error *err);

#endif
