/* studio.c - see studio.h. */
#include "simulate/studio.h"

#include <math.h>

#include "base/memory.h"

bool sv_studio_happens(sv_draw *d, double rate, int t, double *at_s) {
    double u = sv_draw_unit(d), within = sv_draw_unit(d);
    *at_s = t + within;
    return u < rate;
}

void sv_studio_add(sv_studio *studio, double at_s, const float *wave, size_t n, const double gains[SV_N_ROLES]) {
    int64_t first = (int64_t)floor(at_s * studio->rate_hz);
    for (int c = 0; c < SV_N_ROLES; c++) {
        if (gains[c] == 0) continue;
        float *x = studio->x[c], gain = (float)gains[c];
        for (size_t i = 0; i < n; i++) {
            int64_t at = first + (int64_t)i;
            if (at >= 0 && at < (int64_t)studio->n) x[at] += gain * wave[i];
        }
    }
}

sv_status sv_studio_note(sv_studio *studio, sv_event_kind kind, double onset_s, double duration_s, double frequency_hz,
                         double uv, const double gains[SV_N_ROLES], sv_error *err) {
    double largest = 0, recorded = 0;
    unsigned roles = 0;
    for (int c = 0; c < SV_N_ROLES; c++) {
        largest = fmax(largest, fabs(gains[c]));
        recorded = fmax(recorded, fabs(gains[c]) * studio->event_gain[c]);
    }
    for (int c = 0; c < SV_N_ROLES; c++) {
        if (fabs(gains[c]) >= 0.5 * largest) roles |= sv_role_bit((sv_role)c);
    }
    double from_s = fmax(onset_s, 0), to_s = fmin(onset_s + duration_s, studio->n_s);
    if (to_s <= from_s) return SV_OK;
    return sv_events_add(studio->events,
                         &(sv_event){.kind = kind,
                                     .roles = roles,
                                     .onset_s = from_s,
                                     .duration_s = to_s - from_s,
                                     .frequency_hz = frequency_hz,
                                     .amplitude_uv = uv * recorded},
                         err);
}
