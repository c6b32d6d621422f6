/*
 * detect_artefacts.c - stretches in which a channel cannot be read: no signal, values no brain makes, electrode pops
 * (a jump within two samples that falls back slowly), sweat (slow sway for long).
 */
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "evidence/detectors.h"
#include "evidence/eeg.h"
#include "evidence/seconds.h"

static bool has_pop(const sv_signals *signals, sv_role role, int second) {
    const double *x = signals->night->samples[role] + (size_t)second * SV_NIGHT_RATE_HZ;
    double limit = role == SV_ROLE_CHIN ? INFINITY : SV_P_pop_uv; /* a chin's waves are that steep */
    for (int i = second ? 0 : 2; i < SV_NIGHT_RATE_HZ; i++) {
        if (fabs(x[i] - x[i - 2]) >= limit) return true;
    }
    return false;
}

static sv_status unreadable(const sv_signals *signals, sv_role role, unsigned char *marks, float *scratch,
                            sv_events *found, sv_error *err) {
    sv_seconds_range(signals, role, scratch);
    for (int t = 0; t < signals->n_s; t++) {
        marks[t] = (double)scratch[t] < (role == SV_ROLE_CHIN ? SV_P_flat_chin_uv : SV_P_flat_uv) ||
                   (double)scratch[t] > SV_P_implausible_uv || has_pop(signals, role, t);
    }
    return sv_seconds_add_runs(marks, signals->n_s, 1, 1, SV_EVENT_ARTEFACT, sv_role_bit(role), found, err);
}

/* Sway below 0.6 Hz, far above what the channel has on most of the night, for SV_P_sweat_min_s. */
static sv_status sweat(const sv_signals *signals, sv_role role, unsigned char *marks, float *sway, float *smooth,
                       sv_events *found, sv_error *err) {
    int n_s = signals->n_s;
    for (int t = 0; t < n_s; t++) sway[t] = (float)sv_signals_power(signals, role, t, 0.25, 0.75);
    sv_seconds_level(sway, n_s, 10, smooth);
    double limit = fmax(SV_P_sweat_ratio * sv_quantile(smooth, (size_t)n_s, 0.5), SV_P_sweat_uv2);
    for (int t = 0; t < n_s; t++) {
        double delta = sv_signals_power(signals, role, t, 1, 4);
        marks[t] = (double)smooth[t] >= limit && (double)smooth[t] >= SV_P_sweat_share * delta;
    }
    return sv_seconds_add_runs(marks, n_s, 5, (int)SV_P_sweat_min_s, SV_EVENT_ARTEFACT, sv_role_bit(role), found, err);
}

sv_status sv_detect_artefacts(const sv_signals *signals, const sv_events *earlier, sv_events *found, sv_error *err) {
    size_t n_s = (size_t)signals->n_s;
    unsigned char *marks = sv_calloc(n_s, 1);
    float *a = sv_calloc(n_s, sizeof *a), *b = sv_calloc(n_s, sizeof *b);
    sv_status s = marks && a && b ? SV_OK : sv_fail_memory(err, "artefacts", n_s * sizeof *a);
    (void)earlier;
    for (int r = 0; r < SV_N_ROLES && !s; r++) {
        if (!(signals->roles & sv_role_bit((sv_role)r))) continue;
        s = unreadable(signals, (sv_role)r, marks, a, found, err);
        if (!s && r != SV_ROLE_CHIN) s = sweat(signals, (sv_role)r, marks, a, b, found, err);
    }
    free(marks);
    free(a);
    free(b);
    return s;
}
