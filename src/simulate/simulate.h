/*
 * simulate.h - whole nights of polysomnography of which everything is known.
 *
 * A sleeper is drawn, then the course of the night second by second, then its signals: a background that follows the
 * course, the discrete events, eyes, muscle, movements, disturbances, the recorder. docs/simulator.md says how real it
 * is, measured.
 */
#ifndef SV_SIMULATE_SIMULATE_H
#define SV_SIMULATE_SIMULATE_H

#include "simulate/subject.h"
#include "simulate/truth.h"

/* Whole numbers of samples fit in the frames of the spectrum and in a second. */
#define SV_SIM_MIN_RATE_HZ 100
#define SV_SIM_MAX_RATE_HZ 512
#define SV_SIM_MAX_HOURS 24
/* Beyond it streams of random numbers would be used twice. */
#define SV_SIM_MAX_SEED ((UINT64_C(1) << 58) - 1)

typedef struct sv_sim_options {
    uint64_t seed;
    double hours; /* rounded to whole epochs, at least one */
    int rate_hz;
    const sv_sim_profile *profile; /* NULL: any adult; borrowed */
} sv_sim_options;

typedef struct sv_sim_night {
    int rate_hz, n_epochs;
    size_t n;                   /* samples of a channel */
    float *samples[SV_N_ROLES]; /* [n] uV, by role: F4-M1 C4-M1 O2-M1 LOC-M1 ROC-M1 chin */
    sv_sim_subject subject;
    sv_sim_facts facts;
    sv_truth truth;
} sv_sim_night;

/* Whole epochs in a night of so many hours: at least one. */
int sv_sim_n_epochs(double hours);

/* Called between the parts of the work with the share that is done; false: the night is given up, SV_ERR_CANCELLED. */
typedef bool sv_sim_progress(void *context, double share);

/* Makes the night of a seed. Same options, same samples to the last bit; runs in the caller's thread. SV_ERR_USAGE for
 * options outside the limits above, SV_ERR_MEMORY. */
sv_status sv_simulate_night(const sv_sim_options *options, sv_sim_progress *progress, void *context, sv_sim_night *out,
                            sv_error *err);
void sv_sim_night_free(sv_sim_night *night); /* frees and zeroes */

#endif
