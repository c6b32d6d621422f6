/*
 * detect_artefacts.c - stretches in which a channel cannot be read: no signal, values no brain makes, electrode pops
 * (a jump that falls back slowly, in one channel alone), sweat (slow sway for long).
 */
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "evidence/detectors.h"
#include "evidence/eeg.h"
#include "evidence/seconds.h"

/* ---- electrode pops */

enum { STEP = 3, BEFORE = 10, REACH = 300, MARGIN = 40, LATE = 30, APART = 20 }; /* samples */

static double mean(const double *x, size_t from, size_t to) {
    double sum = 0;
    for (size_t i = from; i < to; i++) sum += x[i];
    return sum / (double)(to - from);
}

/* How far x jumps in the 30 ms up to i. */
static double jump(const double *x, size_t i) { return x[i] - x[i - STEP]; }

static bool elsewhere(const sv_signals *signals, sv_role role, size_t i, double uv) {
    for (int r = 0; r < SV_ROLE_CHIN; r++) {
        if (r == (int)role || !(signals->roles & sv_role_bit((sv_role)r))) continue;
        for (size_t j = i - 2; j <= i + 2; j++) {
            if (fabs(jump(signals->night->samples[r], j)) > SV_P_pop_elsewhere * uv) return true;
        }
    }
    return false;
}

/* Is a jump of that size unusual around i, the jump itself left out? */
static bool unusual(const double *x, size_t n, size_t i, double uv) {
    float around[2 * REACH];
    size_t k = 0, from = i > REACH + STEP ? i - REACH : STEP, to = SV_MIN(n, i + REACH);
    for (size_t j = from; j < to; j++) {
        if (j + BEFORE < i || j > i + BEFORE) around[k++] = (float)fabs(jump(x, j));
    }
    return uv >= SV_P_pop_ratio * sv_quantile(around, k, 0.9);
}

/* Seconds in which what jumped at i has fallen to a twentieth; 0 when it does not fall as a charge does. */
static double fall_s(const double *x, size_t i) {
    double uv = jump(x, i), level = mean(x, i - STEP - BEFORE, i - STEP);
    double early = (mean(x, i + 3, i + 8) - level) / uv, late = (mean(x, i + 23, i + 28) - level) / uv;
    if (early < SV_P_pop_left || early > SV_P_pop_left_max || late > SV_P_pop_fall_max * early) return 0;
    double rate = log(early / fmax(late, 0.13 * early)) / 0.2; /* 1/s; below that the filters' undershoot rules */
    return fmin(3 / rate, 1.5);
}

/* Pops: an electrode's contact jumps and the charge leaks away: one channel, at once up and slowly down. */
static sv_status pops(const sv_signals *signals, sv_role role, sv_events *found, sv_error *err) {
    const double *x = signals->night->samples[role];
    sv_status s = SV_OK;
    for (size_t i = MARGIN; i + LATE < signals->n && !s; i++) {
        double uv = fabs(jump(x, i)), duration_s;
        if (uv < SV_P_pop_uv || uv < fabs(jump(x, i - 1)) || uv <= fabs(jump(x, i + 1))) continue;
        if (elsewhere(signals, role, i, uv) || (duration_s = fall_s(x, i)) <= 0) continue;
        if (!unusual(x, signals->n, i, uv)) continue;
        s = sv_events_add(found,
                          &(sv_event){.kind = SV_EVENT_ARTEFACT,
                                      .roles = sv_role_bit(role),
                                      .onset_s = (double)(i - 2) / SV_NIGHT_RATE_HZ,
                                      .duration_s = duration_s,
                                      .frequency_hz = NAN,
                                      .amplitude_uv = uv},
                          err);
        i += APART;
    }
    return s;
}

/* ---- what cannot be read */

static sv_status unreadable(const sv_signals *signals, sv_role role, unsigned char *marks, float *scratch,
                            sv_events *found, sv_error *err) {
    sv_seconds_range(signals, role, scratch);
    for (int t = 0; t < signals->n_s; t++) {
        marks[t] = (double)scratch[t] < (role == SV_ROLE_CHIN ? SV_P_flat_chin_uv : SV_P_flat_uv) ||
                   (double)scratch[t] > SV_P_implausible_uv;
    }
    return sv_seconds_add_runs(marks, signals->n_s, 1, 1, SV_EVENT_ARTEFACT, sv_role_bit(role), found, err);
}

/* Sway below 0.75 Hz, far above what the channel has while it is dry, for SV_P_sweat_min_s. */
static sv_status sweat(const sv_signals *signals, sv_role role, unsigned char *marks, float *sway, float *smooth,
                       sv_events *found, sv_error *err) {
    int n_s = signals->n_s;
    for (int t = 0; t < n_s; t++) sway[t] = (float)sv_signals_power(signals, role, t, 0.25, 0.75);
    sv_seconds_level(sway, n_s, 10, smooth);
    double limit = fmax(SV_P_sweat_ratio * sv_quantile(smooth, (size_t)n_s, SV_P_sweat_dry_share), SV_P_sweat_uv2);
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
        if (!s && r != SV_ROLE_CHIN) s = pops(signals, (sv_role)r, found, err);
        if (!s && r != SV_ROLE_CHIN) s = sweat(signals, (sv_role)r, marks, a, b, found, err);
    }
    free(marks);
    free(a);
    free(b);
    return s;
}
