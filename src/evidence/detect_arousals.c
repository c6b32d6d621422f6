/*
 * detect_arousals.c - arousals: an abrupt shift of the EEG to alpha, or to frequencies above 16 Hz, for 3 s or more
 * after at least 10 s of sleep; where the EEG is that of R a rise of the chin's tone must go with it (AASM manual).
 * Power against the ten seconds before: after De Carli et al. 1999.
 */
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "evidence/detectors.h"
#include "evidence/eeg.h"
#include "evidence/seconds.h"

typedef struct search {
    int n_s;
    float *fast, *chin; /* [n_s]; chin NULL: absent */
    unsigned char *sleep, *marks;
} search;

/* Median over the seconds [t - 20, t - 2). */
static double before(const float *x, int t) {
    int from = SV_MAX(0, t - 20);
    return sv_quantile(x + from, (size_t)SV_MAX(0, t - 2 - from), 0.5);
}

static bool slept(const search *a, int t) {
    for (int i = t - 10; i < t; i++) {
        if (i < 0 || !a->sleep[i]) return false;
    }
    return true;
}

/* Does the shift that could begin at t last? Returns its length in seconds, 0 for none. */
static int shift_at(const search *a, int t) {
    double usual = before(a->fast, t), tone = a->chin ? before(a->chin, t) : NAN;
    double ratio = a->chin ? SV_P_arousal_ratio : SV_P_arousal_alone_ratio;
    int n = 0, risen = 0;
    for (int i = t; i < a->n_s && n < SV_P_arousal_max_s; i++, n++) {
        bool faster = (double)a->fast[i] > ratio * usual;
        bool tenser = a->chin && (double)a->chin[i] >= SV_P_arousal_chin_ratio * tone;
        if (!faster && !tenser) break;
        risen += tenser;
        if (!faster && n == 0) return 0;
    }
    if (n < SV_P_arousal_min_s) return 0;
    return !a->chin || risen >= n * SV_P_arousal_chin_share ? n : 0;
}

/* What a movement hides for the most part cannot be read, and a movement is a change of its own. */
static bool hidden(const sv_events *earlier, int t, int n) {
    return sv_events_cover_s(earlier, SV_EVENT_BODY_MOVEMENT, 0, t, t + n) > SV_P_arousal_movement_share * n;
}

static sv_status measure(const sv_signals *signals, sv_role role, search *a, sv_error *err) {
    for (int t = 0; t < a->n_s; t++) {
        a->fast[t] = (float)(sv_signals_power(signals, role, t, 8, 12) + sv_signals_power(signals, role, t, 16, 30));
    }
    if (a->chin) sv_seconds_rms(signals, SV_ROLE_CHIN, a->chin);
    return sv_eeg_mark_sleep(signals, role, SV_P_arousal_context_s, SV_P_arousal_slow_ratio, a->sleep, err);
}

sv_status sv_detect_arousals(const sv_signals *signals, const sv_events *earlier, sv_events *found, sv_error *err) {
    static const sv_role roles[] = {SV_ROLE_C4, SV_ROLE_O2, SV_ROLE_F4};
    const sv_role role = sv_signals_first(signals, roles, 3);
    size_t n_s = (size_t)signals->n_s;
    bool chin = signals->roles & sv_role_bit(SV_ROLE_CHIN);
    if (role == SV_N_ROLES) return SV_OK;
    search a = {.n_s = signals->n_s,
                .fast = sv_calloc(n_s, sizeof(float)),
                .chin = chin ? sv_calloc(n_s, sizeof(float)) : NULL,
                .sleep = sv_calloc(n_s, 1),
                .marks = sv_calloc(n_s, 1)};
    sv_status s = SV_OK;
    if (!a.fast || (chin && !a.chin) || !a.sleep || !a.marks) {
        s = sv_fail_memory(err, "arousals", n_s * sizeof(float));
    } else {
        s = measure(signals, role, &a, err);
    }
    for (int t = 12; t < a.n_s && !s; t++) {
        int n = slept(&a, t) ? shift_at(&a, t) : 0;
        for (int i = t; i < t + n && !hidden(earlier, t, n); i++) a.marks[i] = 1;
        t += n ? n + 5 : 0;
    }
    if (!s) {
        unsigned seen = sv_role_bit(role) | (chin ? sv_role_bit(SV_ROLE_CHIN) : 0);
        s = sv_seconds_add_runs(a.marks, a.n_s, 0, (int)SV_P_arousal_min_s, SV_EVENT_AROUSAL, seen, found, err);
    }
    free(a.fast);
    free(a.chin);
    free(a.sleep);
    free(a.marks);
    return s;
}
