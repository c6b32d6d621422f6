/*
 * detect_phasic_emg.c - twitches of the chin: bursts of 0.1 to 5 s with at least four times the amplitude of the
 * background (SINBAR group, Frauscher et al. 2012).
 */
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "evidence/detectors.h"
#include "evidence/eeg.h"

enum { STEP = 5, STEPS_S = SV_NIGHT_RATE_HZ / STEP }; /* samples a step */

typedef struct tone {
    size_t n;
    float *rms, *level; /* [n], twenty a second */
} tone;

static void fill(const sv_signals *signals, tone *c) {
    const double *x = signals->night->samples[SV_ROLE_CHIN];
    for (size_t k = 0; k < c->n; k++) {
        double sum = 0;
        for (size_t i = k * STEP; i < (k + 1) * STEP; i++) sum += x[i] * x[i];
        c->rms[k] = (float)sqrt(sum / STEP);
    }
    size_t reach = (size_t)(SV_P_twitch_around_s * STEPS_S / 2);
    for (size_t k = 0; k < c->n; k++) {
        size_t from = k > reach ? k - reach : 0, to = SV_MIN(c->n, k + reach + 1);
        /* the level changes slowly: one median for every second is enough */
        c->level[k] = k % STEPS_S && k > 0 ? c->level[k - 1] : (float)sv_quantile(c->rms + from, to - from, 0.5);
    }
}

sv_status sv_detect_phasic_emg(const sv_signals *signals, const sv_events *earlier, sv_events *found, sv_error *err) {
    (void)earlier;
    if (!(signals->roles & sv_role_bit(SV_ROLE_CHIN))) return SV_OK;
    tone c = {.n = signals->n / STEP};
    c.rms = sv_calloc(c.n, sizeof(float));
    c.level = sv_calloc(c.n, sizeof(float));
    sv_status s = c.rms && c.level ? SV_OK : sv_fail_memory(err, "chin", c.n * sizeof(float));
    if (!s) fill(signals, &c);
    for (size_t k = 0; k < c.n && !s; k++) {
        double limit = SV_P_twitch_ratio * (double)c.level[k];
        size_t from = k;
        float highest = 0;
        for (; k < c.n && (double)c.rms[k] >= (k == from ? limit : limit / 2); k++) highest = SV_MAX(highest, c.rms[k]);
        double duration_s = (double)(k - from) / STEPS_S;
        if (duration_s < SV_P_twitch_min_s || duration_s > SV_P_twitch_max_s) continue;
        s = sv_events_add(found,
                          &(sv_event){.kind = SV_EVENT_PHASIC_EMG,
                                      .roles = sv_role_bit(SV_ROLE_CHIN),
                                      .onset_s = (double)from / STEPS_S,
                                      .duration_s = duration_s,
                                      .frequency_hz = NAN,
                                      .amplitude_uv = 2 * sqrt(2) * (double)highest},
                          err);
    }
    free(c.rms);
    free(c.level);
    return s;
}
