/*
 * draw.h - random numbers of a simulated night. Each purpose has a stream of its own, so that the noise of a channel
 * does not depend on how many spindles there were, and no result on the order of work.
 */
#ifndef SV_SIMULATE_DRAW_H
#define SV_SIMULATE_DRAW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum sv_draw_purpose {
    SV_DRAW_SUBJECT,
    SV_DRAW_COURSE,
    SV_DRAW_DEPTH,
    SV_DRAW_EYELIDS,
    SV_DRAW_AROUSALS,
    SV_DRAW_TEXTURES,
    SV_DRAW_BACKGROUND,
    SV_DRAW_ALPHA,
    SV_DRAW_SPINDLES,
    SV_DRAW_K_COMPLEXES,
    SV_DRAW_SLOW_WAVES,
    SV_DRAW_N1_WAVES,
    SV_DRAW_BLINKS,
    SV_DRAW_SACCADES,
    SV_DRAW_REMS,
    SV_DRAW_SLOW_EYES,
    SV_DRAW_EYE_GAINS,
    SV_DRAW_TENSION,
    SV_DRAW_MUSCLE,
    SV_DRAW_SWAY,
    SV_DRAW_MOVEMENT,
    SV_DRAW_DRIFT,
    SV_DRAW_CHIN,
    SV_DRAW_ECG,
    SV_DRAW_SWEAT,
    SV_DRAW_POPS,
    SV_DRAW_FLOOR,
    SV_DRAW_RECORDER,
    SV_DRAW_REFERENCES,
    SV_DRAW_RATIONALES,
    SV_N_DRAW_PURPOSES
} sv_draw_purpose;

/* Nights with different seeds below 2^58 share no stream. */
typedef struct sv_draw {
    uint64_t seed, block;
    uint32_t words[4];
    int n_left;     /* words not yet used */
    bool has_spare; /* of the pair that Box and Muller's method makes */
    double spare;
} sv_draw;

sv_draw sv_draw_stream(uint64_t night_seed, sv_draw_purpose purpose);

double sv_draw_unit(sv_draw *d); /* [0, 1) */
double sv_draw_uniform(sv_draw *d, double low, double high);
bool sv_draw_chance(sv_draw *d, double probability);
double sv_draw_sign(sv_draw *d); /* -1 or 1 */
double sv_draw_normal(sv_draw *d, double mean, double sd);
double sv_draw_log_normal(sv_draw *d, double median, double sigma);

/* Ornstein-Uhlenbeck process on a grid of one step, in its stationary state: exponential memory of tau steps. */
void sv_draw_wander(sv_draw *d, double tau, double sd, float *out, size_t n);

#endif
