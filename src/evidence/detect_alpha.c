/*
 * detect_alpha.c - alpha rhythm, second by second: the band around 7.5-13 Hz makes up most of the power above 4 Hz and
 * forms a peak over its neighbours (AASM manual: 8-13 Hz, occipital, with closed eyes). Runs of such seconds are
 * events.
 */
#include <math.h>

#include "base/memory.h"
#include "evidence/detectors.h"
#include "evidence/eeg.h"

/* Frequency of the largest line of a second between the limits. */
static double peak_hz(const sv_signals *signals, sv_role role, int second) {
    const float *spectrum = signals->spectra[role] + (size_t)second * SV_SPECTRUM_BINS;
    int from = (int)(SV_P_alpha_low_hz / SV_SPECTRUM_STEP_HZ), to = (int)(SV_P_alpha_high_hz / SV_SPECTRUM_STEP_HZ),
        best = from;
    for (int i = from; i <= to; i++) best = spectrum[i] > spectrum[best] ? i : best;
    return best * SV_SPECTRUM_STEP_HZ;
}

static bool has_alpha(const sv_signals *signals, sv_role role, int second) {
    double hz = peak_hz(signals, role, second);
    double peak = sv_signals_power(signals, role, second, hz - 1, hz + 1.5);
    double wide = sv_signals_power(signals, role, second, 4, 20);
    double below = sv_signals_power(signals, role, second, 4, 6.5);
    return peak >= SV_P_alpha_uv2 && peak >= SV_P_alpha_share * wide && peak >= SV_P_alpha_theta_ratio * below &&
           hz > SV_P_alpha_low_hz && hz < SV_P_alpha_high_hz;
}

static sv_status add_run(const sv_signals *signals, sv_role role, int from, int to, sv_events *found, sv_error *err) {
    double hz = 0, power = 0;
    for (int s = from; s < to; s++) {
        hz += peak_hz(signals, role, s);
        power = fmax(power, sv_signals_power(signals, role, s, SV_P_alpha_low_hz, SV_P_alpha_high_hz));
    }
    return sv_events_add(found,
                         &(sv_event){.kind = SV_EVENT_ALPHA,
                                     .roles = sv_role_bit(role),
                                     .onset_s = from,
                                     .duration_s = to - from,
                                     .frequency_hz = hz / (to - from),
                                     .amplitude_uv = 2 * sqrt(2 * power)},
                         err);
}

sv_status sv_detect_alpha(const sv_signals *signals, const sv_events *earlier, sv_events *found, sv_error *err) {
    static const sv_role roles[] = {SV_ROLE_O2, SV_ROLE_C4, SV_ROLE_F4};
    sv_role role = sv_signals_first(signals, roles, 3);
    (void)earlier;
    if (role == SV_N_ROLES) return SV_OK;
    unsigned char *bad = sv_calloc((size_t)signals->n_s, 1);
    if (!bad) return sv_fail_memory(err, "marks of seconds", (size_t)signals->n_s);
    sv_status s = sv_eeg_mark_bad(signals, role, bad, err);
    int from = -1; /* of a run */
    for (int t = 0; t <= signals->n_s && !s; t++) {
        bool on = t < signals->n_s && !bad[t] && has_alpha(signals, role, t);
        if (on && from < 0) from = t;
        if (on || from < 0) continue;
        s = add_run(signals, role, from, t, found, err);
        from = -1;
    }
    free(bad);
    return s;
}
