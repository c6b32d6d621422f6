/*
 * course.h - the course of a simulated night, second by second: the hidden state, how deep NREM sleep is, whether the
 * eyes are open, arousals and movements of the body.
 */
#ifndef SV_SIMULATE_COURSE_H
#define SV_SIMULATE_COURSE_H

#include "simulate/subject.h"
#include "sleep/events.h"

typedef struct sv_sim_course {
    int n_s;
    signed char *state;            /* [n_s] sv_stage */
    float *depth;                  /* [n_s] of NREM sleep: 0 light to 1 deep; 0 elsewhere */
    bool *eyes_open;               /* [n_s] */
    bool *arousal;                 /* [n_s] */
    bool *movement;                /* [n_s] */
    float *texture[SV_N_TEXTURES]; /* [n_s] weights of the spectral templates, sum 1 */
} sv_sim_course;

/* Makes a night of n_epochs; arousals and movements are also put into `events`. SV_ERR_MEMORY. */
sv_status sv_sim_course_make(uint64_t seed, const sv_sim_subject *subject, int n_epochs, sv_sim_course *out,
                             sv_events *events, sv_error *err);
void sv_sim_course_free(sv_sim_course *course);

/* x [n] smoothed by a Hann window of `width` (odd) steps, ends repeated. out: not x. */
void sv_sim_smooth(const float *x, size_t n, int width, float *out);

#endif
