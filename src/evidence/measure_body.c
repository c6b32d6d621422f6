/* measure_body.c - eyes, chin, arousals, movements and readability, epoch by epoch. */
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "evidence/detectors.h"
#include "evidence/eeg.h"
#include "evidence/seconds.h"

/* Counts or seconds of a kind into a measurement of every epoch. */
static void count(sv_evidence *evidence, sv_event_kind kind, sv_measurement measurement) {
    for (int e = 0; e < evidence->n_epochs; e++) {
        double from_s = (double)e * SV_EPOCH_S;
        evidence->epochs[e].values[measurement] =
            sv_events_count(&evidence->events, kind, 0, from_s, from_s + SV_EPOCH_S);
    }
}
static void cover(sv_evidence *evidence, sv_event_kind kind, sv_measurement measurement) {
    for (int e = 0; e < evidence->n_epochs; e++) {
        double from_s = (double)e * SV_EPOCH_S;
        evidence->epochs[e].values[measurement] =
            sv_events_cover_s(&evidence->events, kind, 0, from_s, from_s + SV_EPOCH_S);
    }
}

sv_status sv_measure_eyes(const sv_signals *signals, sv_evidence *evidence, sv_error *err) {
    (void)signals;
    (void)err;
    if (!sv_evidence_lacking(evidence, SV_M_blink_count)[0]) {
        count(evidence, SV_EVENT_BLINK, SV_M_blink_count);
    }
    if (!sv_evidence_lacking(evidence, SV_M_rem_count)[0]) {
        count(evidence, SV_EVENT_REM, SV_M_rem_count);
        count(evidence, SV_EVENT_SEM, SV_M_sem_count);
        cover(evidence, SV_EVENT_SEM, SV_M_sem_s);
    }
    return SV_OK;
}

/* Root mean square of an epoch's seconds that hold neither twitch nor movement nor arousal; of all when none is left.
 */
static double tone_of_epoch(const sv_evidence *evidence, const float *rms, int epoch) {
    static const sv_event_kind kinds[] = {SV_EVENT_PHASIC_EMG, SV_EVENT_BODY_MOVEMENT, SV_EVENT_AROUSAL};
    double quiet = 0, all = 0;
    int n = 0;
    for (int t = epoch * SV_EPOCH_S; t < (epoch + 1) * SV_EPOCH_S; t++) {
        double square = (double)rms[t] * (double)rms[t], disturbed = 0;
        for (size_t k = 0; k < SV_COUNT(kinds); k++) {
            disturbed += sv_events_cover_s(&evidence->events, kinds[k], 0, t, t + 1);
        }
        all += square;
        if (disturbed > 0) continue;
        quiet += square;
        n++;
    }
    return n > 0 ? sqrt(quiet / n) : sqrt(all / SV_EPOCH_S);
}

sv_status sv_measure_chin(const sv_signals *signals, sv_evidence *evidence, sv_error *err) {
    size_t n = (size_t)evidence->n_epochs, n_wake = 0;
    if (!(signals->roles & sv_role_bit(SV_ROLE_CHIN))) return SV_OK;
    float *rms = sv_calloc((size_t)signals->n_s, sizeof *rms), *tone = sv_calloc(n, sizeof *tone),
          *wake = sv_calloc(n, sizeof *wake);
    sv_status s = rms && tone && wake ? SV_OK : sv_fail_memory(err, "chin", (size_t)signals->n_s * sizeof *rms);
    if (!s) {
        sv_seconds_rms(signals, SV_ROLE_CHIN, rms);
        for (size_t e = 0; e < n; e++) {
            tone[e] = (float)tone_of_epoch(evidence, rms, (int)e);
            if (signals->stages && signals->stages[e] == SV_STAGE_W) wake[n_wake++] = tone[e];
        }
        double low = sv_quantile(tone, n, SV_P_chin_low_share);
        double high = n_wake >= 5 ? sv_quantile(wake, n_wake, 0.5) : sv_quantile(tone, n, SV_P_chin_wake_share);
        evidence->levels.chin_low_uv = low;
        evidence->levels.chin_wake_uv = high;
        for (size_t e = 0; e < n; e++) {
            evidence->epochs[e].values[SV_M_chin_uv] = (double)tone[e];
            /* on a scale of ratios, as the eye sees the width of a trace; unknown where the night has one level only */
            if (high > SV_P_chin_scale * low && low > 0) {
                evidence->epochs[e].values[SV_M_chin_level] = log((double)tone[e] / low) / log(high / low);
            }
        }
        count(evidence, SV_EVENT_PHASIC_EMG, SV_M_phasic_emg_count);
    }
    free(rms);
    free(tone);
    free(wake);
    return s;
}

/* Seconds of each epoch in which no EEG channel can be read. */
static sv_status measure_unusable(const sv_signals *signals, sv_evidence *evidence, sv_error *err) {
    size_t n_s = (size_t)signals->n_s;
    unsigned char *bad = sv_calloc(n_s, 1), *all = sv_calloc(n_s, 1);
    sv_status s = bad && all ? SV_OK : sv_fail_memory(err, "marks of seconds", n_s);
    bool any = false;
    for (int r = SV_ROLE_F4; r <= SV_ROLE_O2 && !s; r++) {
        if (!(signals->roles & sv_role_bit((sv_role)r))) continue;
        s = sv_eeg_mark_bad(signals, (sv_role)r, bad, err);
        for (size_t t = 0; t < n_s; t++) all[t] = any ? all[t] && bad[t] : bad[t];
        any = true;
    }
    for (int e = 0; e < evidence->n_epochs && !s && any; e++) {
        int n = 0;
        for (int t = e * SV_EPOCH_S; t < (e + 1) * SV_EPOCH_S; t++) n += all[t];
        evidence->epochs[e].values[SV_M_unusable_share] = (double)n / SV_EPOCH_S;
    }
    free(bad);
    free(all);
    return s;
}

sv_status sv_measure_quality(const sv_signals *signals, sv_evidence *evidence, sv_error *err) {
    const unsigned eeg = sv_role_bit(SV_ROLE_F4) | sv_role_bit(SV_ROLE_C4) | sv_role_bit(SV_ROLE_O2);
    if (signals->roles & eeg) {
        for (int e = 0; e < evidence->n_epochs; e++) {
            double from_s = (double)e * SV_EPOCH_S;
            int n = 0; /* by onset: an arousal belongs to the epoch in which it begins */
            for (size_t i = sv_events_first_from(&evidence->events, from_s);
                 i < evidence->events.n && evidence->events.items[i].onset_s < from_s + SV_EPOCH_S; i++) {
                n += evidence->events.items[i].kind == SV_EVENT_AROUSAL;
            }
            evidence->epochs[e].values[SV_M_arousal_count] = n;
        }
        cover(evidence, SV_EVENT_AROUSAL, SV_M_arousal_s);
        cover(evidence, SV_EVENT_BODY_MOVEMENT, SV_M_movement_s);
    }
    return measure_unusable(signals, evidence, err);
}
