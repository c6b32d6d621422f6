/*
 * eyes.h - the eye channels as the eye detectors read them.
 *
 * Of LOC and ROC, both against a mastoid, horizontal movements are out of phase, and what the EEG leaks into them is in
 * phase. A channel whose poles were swapped would turn this round; the leak tells.
 */
#ifndef SV_EVIDENCE_EYES_H
#define SV_EVIDENCE_EYES_H

#include "evidence/signals.h"

typedef struct sv_eyes {
    size_t n;
    int n_eyes;          /* 0, 1 or 2 */
    float *eyes[2];      /* [n] below eye_high_hz, LOC first; of the n_eyes that are there */
    sv_role roles[2];    /* of them */
    float *front;        /* [n] F4, else C4, likewise; NULL without */
    double front_weight; /* what a blink there is expected to have of its size in F4: 1, or less for C4 */
} sv_eyes;

/* Everything absent gives n_eyes = 0. */
sv_status sv_eyes_new(const sv_signals *signals, sv_eyes *out, sv_error *err);
void sv_eyes_free(sv_eyes *eyes);

/* Mean over the `width` samples after each sample less that over those before: how much the channel jumps there.
 * out: [n], not x. */
sv_status sv_eye_steps(const float *x, size_t n, size_t width, float *out, sv_error *err);

#endif
