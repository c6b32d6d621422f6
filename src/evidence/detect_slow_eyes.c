/*
 * detect_slow_eyes.c - slow rolling eye movements: sinusoidal, conjugate, slower than half a second in their first
 * deflection (AASM manual). The slow part of LOC and ROC goes in opposite directions, for some seconds (Magosso et al.
 * 2006: slow power of LOC less ROC against the rest).
 */
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "evidence/detectors.h"
#include "evidence/eeg.h"

typedef struct pair {
    float *loc, *roc; /* [n] slow band */
    float *fast;      /* [n] rms of LOC less ROC above it */
} pair;

static void pair_free(pair *p) {
    free(p->loc);
    free(p->roc);
    free(p->fast);
}

static sv_status pair_new(const sv_signals *signals, pair *p, sv_error *err) {
    const double *loc = signals->night->samples[SV_ROLE_LOC], *roc = signals->night->samples[SV_ROLE_ROC];
    size_t n = signals->n;
    double *apart = sv_calloc(n, sizeof *apart);
    float *quick = sv_calloc(n, sizeof *quick);
    p->loc = sv_eeg_band(signals, SV_ROLE_LOC, 2, SV_P_sem_low_hz, SV_P_sem_high_hz, err);
    p->roc = sv_eeg_band(signals, SV_ROLE_ROC, 2, SV_P_sem_low_hz, SV_P_sem_high_hz, err);
    p->fast = sv_calloc(n, sizeof *p->fast);
    bool ok = apart && quick && p->loc && p->roc && p->fast;
    sv_status s = ok ? SV_OK : sv_fail_memory(err, "slow eye movements", n * sizeof *apart);
    for (size_t i = 0; ok && i < n; i++) apart[i] = loc[i] - roc[i];
    if (!s) s = sv_band_pass(apart, n, 2, SV_P_sem_fast_low_hz, SV_P_sem_fast_high_hz, quick, err);
    if (!s) sv_moving_rms(quick, n, (size_t)(SV_P_sem_window_s * SV_NIGHT_RATE_HZ), p->fast);
    free(apart);
    free(quick);
    return s;
}

/* Do the eyes roll in the window around second t? */
static bool rolls(const pair *p, size_t n, int t) {
    size_t half = (size_t)(SV_P_sem_window_s * SV_NIGHT_RATE_HZ / 2),
           middle = (size_t)t * SV_NIGHT_RATE_HZ + SV_NIGHT_RATE_HZ / 2;
    size_t from = middle > half ? middle - half : 0, to = SV_MIN(n, middle + half);
    double ll = 0, rr = 0, lr = 0, dd = 0;
    for (size_t i = from; i < to; i++) {
        double l = (double)p->loc[i], r = (double)p->roc[i];
        ll += l * l;
        rr += r * r;
        lr += l * r;
        dd += (l - r) * (l - r);
    }
    double rms = sqrt(dd / (double)SV_MAX(to - from, (size_t)1)), alike = ll > 0 && rr > 0 ? lr / sqrt(ll * rr) : 0;
    return rms >= SV_P_sem_uv && alike <= SV_P_sem_r && rms >= SV_P_sem_ratio * (double)p->fast[SV_MIN(middle, n - 1)];
}

sv_status sv_detect_slow_eye_movements(const sv_signals *signals, const sv_events *earlier, sv_events *found,
                                       sv_error *err) {
    pair p = {0};
    (void)earlier;
    if (!(signals->roles & sv_role_bit(SV_ROLE_LOC)) || !(signals->roles & sv_role_bit(SV_ROLE_ROC))) return SV_OK;
    sv_status s = pair_new(signals, &p, err);
    int from = -1;
    for (int t = 0; t <= signals->n_s && !s; t++) {
        bool on = t < signals->n_s && rolls(&p, signals->n, t);
        if (on && from < 0) from = t;
        if (on || from < 0) continue;
        if (t - from >= SV_P_sem_min_s) {
            size_t a = (size_t)from * SV_NIGHT_RATE_HZ, b = (size_t)t * SV_NIGHT_RATE_HZ;
            s = sv_events_add(found,
                              &(sv_event){.kind = SV_EVENT_SEM,
                                          .roles = sv_role_bit(SV_ROLE_LOC) | sv_role_bit(SV_ROLE_ROC),
                                          .onset_s = from,
                                          .duration_s = t - from,
                                          .frequency_hz = sv_eeg_frequency(p.loc, a, b),
                                          .amplitude_uv = sv_eeg_range(p.loc, a, b)},
                              err);
        }
        from = -1;
    }
    pair_free(&p);
    return s;
}
