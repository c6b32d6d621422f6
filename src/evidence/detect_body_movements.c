/*
 * detect_body_movements.c - body movements: for seconds, large slow swings in several channels at once, with muscle in
 * the EEG and, where there is a chin, a burst of its tone (AASM manual: movement and muscle artefact that obscure the
 * EEG).
 */
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "evidence/detectors.h"
#include "evidence/seconds.h"

typedef struct body {
    int n_s, n_channels;
    float *x, *level;     /* [n_s], scratch */
    int *large;           /* [n_s]: channels with a range far above what is usual around */
    int *tense;           /* [n_s]: channels with muscle far above what is usual around */
    unsigned char *burst; /* [n_s]: of the chin */
    unsigned char *marks;
} body;

static void look_at_head(const sv_signals *signals, sv_role role, body *b) {
    int reach = (int)SV_P_movement_around_s;
    sv_seconds_range(signals, role, b->x);
    sv_seconds_level(b->x, b->n_s, reach, b->level);
    for (int t = 0; t < b->n_s; t++) {
        b->large[t] +=
            (double)b->x[t] >= SV_P_movement_uv && (double)b->x[t] >= SV_P_movement_ratio * (double)b->level[t];
    }
    for (int t = 0; t < b->n_s; t++) b->x[t] = (float)sv_signals_power(signals, role, t, 20, 35);
    sv_seconds_level(b->x, b->n_s, reach, b->level);
    for (int t = 0; t < b->n_s; t++) {
        b->tense[t] += (double)b->x[t] >= SV_P_movement_muscle_ratio * (double)b->level[t];
    }
    b->n_channels++;
}

static void look_at_chin(const sv_signals *signals, body *b) {
    sv_seconds_rms(signals, SV_ROLE_CHIN, b->x);
    sv_seconds_level(b->x, b->n_s, (int)SV_P_movement_around_s, b->level);
    for (int t = 0; t < b->n_s; t++) {
        b->burst[t] = (double)b->x[t] >= SV_P_movement_chin_ratio * (double)b->level[t];
    }
}

static void decide(const sv_signals *signals, body *b) {
    bool chin = signals->roles & sv_role_bit(SV_ROLE_CHIN);
    for (int t = 0; t < b->n_s; t++) {
        int half = SV_MAX(1, b->n_channels / 2);
        bool muscle = b->tense[t] >= half || (chin && b->burst[t]);
        b->marks[t] = b->large[t] >= half && muscle;
    }
}

sv_status sv_detect_body_movements(const sv_signals *signals, const sv_events *earlier, sv_events *found,
                                   sv_error *err) {
    size_t n_s = (size_t)signals->n_s;
    body b = {.n_s = signals->n_s,
              .x = sv_calloc(n_s, sizeof(float)),
              .level = sv_calloc(n_s, sizeof(float)),
              .large = sv_calloc(n_s, sizeof(int)),
              .tense = sv_calloc(n_s, sizeof(int)),
              .burst = sv_calloc(n_s, 1),
              .marks = sv_calloc(n_s, 1)};
    sv_status s = SV_OK;
    (void)earlier;
    if (!b.x || !b.level || !b.large || !b.tense || !b.burst || !b.marks) {
        s = sv_fail_memory(err, "body movements", n_s * sizeof(float));
    } else {
        for (int r = 0; r < SV_ROLE_CHIN; r++) {
            if (signals->roles & sv_role_bit((sv_role)r)) look_at_head(signals, (sv_role)r, &b);
        }
        if (signals->roles & sv_role_bit(SV_ROLE_CHIN)) look_at_chin(signals, &b);
        if (b.n_channels) decide(signals, &b);
        s = sv_seconds_add_runs(b.marks, b.n_s, 1, (int)SV_P_movement_min_s, SV_EVENT_BODY_MOVEMENT, signals->roles,
                                found, err);
    }
    free(b.x);
    free(b.level);
    free(b.large);
    free(b.tense);
    free(b.burst);
    free(b.marks);
    return s;
}
