/*
 * studio.h - a simulated night while it is being made: the signals so far, and the means by which every part of the
 * simulator adds to them.
 */
#ifndef SV_SIMULATE_STUDIO_H
#define SV_SIMULATE_STUDIO_H

#include "simulate/course.h"
#include "simulate/draw.h"

typedef struct sv_studio {
    uint64_t seed;
    const sv_sim_subject *subject;
    const sv_sim_course *course;
    int rate_hz, n_s;
    size_t n;                      /* n_s * rate_hz */
    float *x[SV_N_ROLES];          /* [n], uV */
    float *eyes;                   /* [n] rotation of both eyes, as a potential in uV; positive: LOC up, ROC down */
    float *chin_level;             /* [n_s] what the muscle does to the chin's tone */
    float *muscle;                 /* [n_s] what it does to the EEG */
    sv_events *events;             /* the truth so far */
    double event_gain[SV_N_ROLES]; /* what the recorder makes of a microvolt: truth is told as recorded */
} sv_studio;

/* ---- times at which things happen */

/* Does one happen in second t, at `rate` a second? If so *at_s is when. At most one a second. */
bool sv_studio_happens(sv_draw *d, double rate, int t, double *at_s);

/* ---- adding */

/* Adds gains[c] * wave [n] to the channels from at_s on; what lies outside the night is left out. */
void sv_studio_add(sv_studio *studio, double at_s, const float *wave, size_t n, const double gains[SV_N_ROLES]);

/* Notes an event in the truth. uv: its peak-to-peak size before gains. Its channels are those with at least half of the
 * largest gain; amplitude is that of the largest one, as recorded. NAN for a size or frequency that it has not. */
sv_status sv_studio_note(sv_studio *studio, sv_event_kind kind, double onset_s, double duration_s, double frequency_hz,
                         double uv, const double gains[SV_N_ROLES], sv_error *err);

/* Value between the middles of seconds, of x [n_s], at sample i. */
static inline double sv_studio_between(const sv_studio *studio, const float *x, size_t i) {
    double t = ((double)i + 0.5) / studio->rate_hz - 0.5;
    int first = t <= 0 ? 0 : (int)t;
    if (first >= studio->n_s - 1) return (double)x[studio->n_s - 1];
    double part = t <= 0 ? 0 : t - first;
    return (double)x[first] + part * ((double)x[first + 1] - (double)x[first]);
}

/* ---- parts of the simulator, in the order in which they run */
typedef sv_status sv_studio_part(sv_studio *studio, sv_error *err);
sv_studio_part sv_studio_background; /* spectra by stage and depth */
sv_studio_part sv_studio_alpha;
sv_studio_part sv_studio_spindles_and_k_complexes;
sv_studio_part sv_studio_slow_waves;
sv_studio_part sv_studio_n1_waves; /* vertex waves, theta bursts */
sv_studio_part sv_studio_eyes;     /* blinks, saccades, REMs with sawtooth waves, slow eye movements */
sv_studio_part sv_studio_muscle;   /* in EEG and EOG; sets chin_level */
sv_studio_part sv_studio_movement; /* of the body; drift of electrodes in wakefulness */
sv_studio_part sv_studio_chin;
sv_studio_part sv_studio_disturbances; /* ECG, sweat, pops, amplifier noise, mains */
sv_studio_part sv_studio_recorder;     /* gains, the amplifier's filters */

#endif
