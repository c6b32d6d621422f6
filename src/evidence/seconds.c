/* seconds.c - see seconds.h. */
#include "evidence/seconds.h"

#include <math.h>

#include "base/memory.h"

void sv_seconds_rms(const sv_signals *signals, sv_role role, float *out) {
    for (int t = 0; t < signals->n_s; t++) {
        const double *x = signals->night->samples[role] + (size_t)t * SV_NIGHT_RATE_HZ;
        double sum = 0;
        for (int i = 0; i < SV_NIGHT_RATE_HZ; i++) sum += x[i] * x[i];
        out[t] = (float)sqrt(sum / SV_NIGHT_RATE_HZ);
    }
}

void sv_seconds_range(const sv_signals *signals, sv_role role, float *out) {
    for (int t = 0; t < signals->n_s; t++) {
        const double *x = signals->night->samples[role] + (size_t)t * SV_NIGHT_RATE_HZ;
        double low = x[0], high = x[0];
        for (int i = 1; i < SV_NIGHT_RATE_HZ; i++) {
            low = fmin(low, x[i]);
            high = fmax(high, x[i]);
        }
        out[t] = (float)(high - low);
    }
}

void sv_seconds_level(const float *x, int n, int reach, float *out) {
    for (int t = 0; t < n; t++) {
        int from = SV_MAX(0, t - reach), to = SV_MIN(n, t + reach + 1);
        out[t] = (float)sv_quantile(x + from, (size_t)(to - from), 0.5);
    }
}

sv_status sv_seconds_add_runs(const unsigned char *marks, int n_s, int gap, int min_s, sv_event_kind kind,
                              unsigned roles, sv_events *found, sv_error *err) {
    sv_status s = SV_OK;
    int from = -1, last = -1;
    for (int t = 0; t <= n_s && !s; t++) {
        bool on = t < n_s && marks[t];
        if (on && from < 0) from = t;
        if (on) last = t;
        if (from < 0 || (t < n_s && t - last <= gap)) continue;
        if (last + 1 - from >= min_s) {
            s = sv_events_add(found,
                              &(sv_event){.kind = kind,
                                          .roles = roles,
                                          .onset_s = from,
                                          .duration_s = last + 1 - from,
                                          .frequency_hz = NAN,
                                          .amplitude_uv = NAN},
                              err);
        }
        from = -1;
    }
    return s;
}
