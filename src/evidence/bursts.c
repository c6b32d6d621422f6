/* bursts.c - see bursts.h. */
#include "evidence/bursts.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "evidence/detectors.h"
#include "evidence/eeg.h"

typedef struct channel {
    const sv_burst_kind *kind;
    sv_role role;
    float *band;  /* [n] band-passed */
    float *rms;   /* [n] of it */
    float *broad; /* [n] rms of the wide band */
    float *level; /* [n_levels] median of rms in the surroundings, twice a second */
    size_t n_levels;
    float *slow, *fast; /* [n_s] powers around */
    unsigned char *bad; /* [n_s] */
} channel;

enum { LEVEL_STEP = SV_NIGHT_RATE_HZ / 2 };

static void channel_free(channel *c) {
    free(c->band);
    free(c->rms);
    free(c->broad);
    free(c->level);
    free(c->slow);
    free(c->fast);
    free(c->bad);
}

/* Root mean square of a band over a window; NULL without memory. */
static float *band_rms(const sv_signals *signals, sv_role role, double low_hz, double high_hz, size_t window,
                       sv_error *err) {
    float *band = sv_eeg_band(signals, role, 4, low_hz, high_hz, err),
          *out = band ? sv_calloc(signals->n, sizeof *out) : NULL;
    if (band && !out) sv_fail_memory(err, "bursts", signals->n * sizeof *out);
    if (out) sv_moving_rms(band, signals->n, window, out);
    free(band);
    return out;
}

static void fill_levels(const channel *c, float *thin) {
    size_t reach = (size_t)(SV_P_burst_baseline_s * SV_NIGHT_RATE_HZ / LEVEL_STEP / 2);
    for (size_t i = 0; i < c->n_levels; i++) thin[i] = c->rms[i * LEVEL_STEP];
    for (size_t i = 0; i < c->n_levels; i++) {
        size_t from = i > reach ? i - reach : 0, to = SV_MIN(c->n_levels, i + reach + 1);
        c->level[i] = (float)sv_quantile(thin + from, to - from, 0.5);
    }
}

static sv_status channel_new(const sv_signals *signals, sv_role role, const sv_burst_kind *kind, channel *c,
                             sv_error *err) {
    size_t n_s = (size_t)signals->n_s, window = (size_t)(kind->window_s * SV_NIGHT_RATE_HZ);
    *c = (channel){.kind = kind, .role = role, .n_levels = signals->n / LEVEL_STEP};
    c->band = sv_eeg_band(signals, role, 4, kind->pass_low_hz, kind->pass_high_hz, err);
    if (!c->band) return SV_ERR_MEMORY;
    c->broad = band_rms(signals, role, kind->wide_low_hz, kind->wide_high_hz, window, err);
    if (!c->broad) return SV_ERR_MEMORY;
    c->rms = sv_calloc(signals->n, sizeof(float));
    c->level = sv_calloc(c->n_levels, sizeof(float));
    c->slow = sv_calloc(n_s, sizeof(float));
    c->fast = sv_calloc(n_s, sizeof(float));
    c->bad = sv_calloc(n_s, 1);
    float *thin = sv_calloc(c->n_levels, sizeof(float));
    if (!c->rms || !c->level || !c->slow || !c->fast || !c->bad || !thin) {
        free(thin);
        return sv_fail_memory(err, "bursts", signals->n * sizeof(float));
    }
    sv_moving_rms(c->band, signals->n, window, c->rms);
    fill_levels(c, thin);
    free(thin);
    int reach = (int)(SV_P_burst_context_s / 2);
    sv_eeg_power_around(signals, role, 0.5, 8, reach, c->slow);
    sv_eeg_power_around(signals, role, 16, 30, reach, c->fast);
    return sv_eeg_mark_bad(signals, role, c->bad, err);
}

static bool is_core(const channel *c, size_t i) {
    const sv_burst_kind *kind = c->kind;
    double rms = (double)c->rms[i];
    size_t level = SV_MIN(i / LEVEL_STEP, c->n_levels - 1);
    return rms > kind->rms_uv && rms > kind->ratio * (double)c->level[level] && rms > kind->share * (double)c->broad[i];
}

/* A core grows to where the amplitude has fallen to a share of its peak. */
static void grow(const float *rms, size_t n, size_t *from, size_t *to) {
    float peak = 0;
    for (size_t i = *from; i < *to; i++) peak = SV_MAX(peak, rms[i]);
    float limit = peak * (float)SV_P_burst_edge;
    while (*from > 0 && rms[*from - 1] > limit) (*from)--;
    while (*to < n && rms[*to] > limit) (*to)++;
}

static bool context_fits(const channel *c, size_t from, size_t to, int n_s) {
    int second = SV_MIN((int)((from + to) / 2 / SV_NIGHT_RATE_HZ), n_s - 1);
    double ratio = log10(fmax((double)c->slow[second], 1e-6) / fmax((double)c->fast[second], 1e-6));
    return !c->bad[second] && ratio >= c->kind->slow_ratio_min && ratio <= c->kind->slow_ratio_max;
}

/* The stretch of core samples from `from` on, over gaps that are short. */
static size_t end_of_core(const channel *c, size_t n, size_t from) {
    size_t gap = (size_t)(SV_P_burst_gap_s * SV_NIGHT_RATE_HZ), last = from;
    for (size_t i = from + 1; i < n && i <= last + gap; i++) {
        if (is_core(c, i)) last = i;
    }
    return last + 1;
}

static sv_status find_in_channel(const sv_signals *signals, const channel *c, sv_events *found, sv_error *err) {
    const sv_burst_kind *kind = c->kind;
    sv_status s = SV_OK;
    size_t done = 0;
    for (size_t i = 0; i < signals->n && !s; i++) {
        if (!is_core(c, i)) continue;
        size_t from = i, to = end_of_core(c, signals->n, i);
        i = to;
        grow(c->rms, signals->n, &from, &to);
        from = SV_MAX(from, done);
        double duration_s = to > from ? (double)(to - from) / SV_NIGHT_RATE_HZ : 0;
        if (duration_s < kind->min_s || duration_s > kind->max_s) continue;
        double hz = sv_eeg_frequency(c->band, from, to);
        if (!(hz >= kind->low_hz && hz <= kind->high_hz)) continue;
        if (!context_fits(c, from, to, signals->n_s)) continue;
        done = to;
        s = sv_events_add(found,
                          &(sv_event){.kind = kind->kind,
                                      .roles = sv_role_bit(c->role),
                                      .onset_s = (double)from / SV_NIGHT_RATE_HZ,
                                      .duration_s = duration_s,
                                      .frequency_hz = hz,
                                      .amplitude_uv = sv_eeg_range(c->band, from, to)},
                          err);
    }
    return s;
}

sv_status sv_bursts_find(const sv_signals *signals, const sv_burst_kind *kind, sv_events *found, sv_error *err) {
    static const sv_role roles[] = {SV_ROLE_F4, SV_ROLE_C4, SV_ROLE_O2};
    sv_status s = SV_OK;
    size_t first = found->n;
    bool seen = false;
    for (size_t i = 0; !s && signals->n && i < SV_COUNT(roles); i++) {
        if (!(signals->roles & sv_role_bit(roles[i])) || (roles[i] == SV_ROLE_O2 && seen)) continue;
        channel c;
        seen = true;
        s = channel_new(signals, roles[i], kind, &c, err);
        if (!s) s = find_in_channel(signals, &c, found, err);
        channel_free(&c);
    }
    if (!s) sv_eeg_merge_channels(found, first);
    return s;
}
