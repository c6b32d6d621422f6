/* eeg.c - what the detectors of EEG elements share. */
#include "evidence/eeg.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "evidence/detectors.h"

float *sv_eeg_band(const sv_signals *signals, sv_role role, int order, double low_hz, double high_hz, sv_error *err) {
    float *out = sv_calloc(signals->n, sizeof *out);
    if (!out) {
        sv_fail_memory(err, "filtered channel", signals->n * sizeof *out);
        return NULL;
    }
    if (sv_band_pass(signals->night->samples[role], signals->n, order, low_hz, high_hz, out, err)) {
        free(out);
        return NULL;
    }
    return out;
}

void sv_eeg_power_around(const sv_signals *signals, sv_role role, double low_hz, double high_hz, int reach_s,
                         float *out) {
    int n = signals->n_s, from = 0, to = 0;
    double sum = 0;
    for (int s = 0; s < n; s++) {
        for (; to < SV_MIN(n, s + reach_s + 1); to++) sum += sv_signals_power(signals, role, to, low_hz, high_hz);
        for (; from < s - reach_s; from++) sum -= sv_signals_power(signals, role, from, low_hz, high_hz);
        out[s] = (float)fmax(sum / SV_MAX(to - from, 1), 0);
    }
}

static double night_range_of_second(const sv_signals *signals, sv_role role, int second) {
    const double *x = signals->night->samples[role] + (size_t)second * SV_NIGHT_RATE_HZ;
    double low = x[0], high = x[0];
    for (int i = 1; i < SV_NIGHT_RATE_HZ; i++) {
        low = fmin(low, x[i]);
        high = fmax(high, x[i]);
    }
    return high - low;
}

sv_status sv_eeg_mark_bad(const sv_signals *signals, sv_role role, unsigned char *bad, sv_error *err) {
    size_t n_s = (size_t)signals->n_s;
    float *muscle = sv_calloc(n_s, sizeof *muscle);
    if (!muscle) return sv_fail_memory(err, "muscle power", n_s * sizeof *muscle);
    for (size_t s = 0; s < n_s; s++) {
        double range = night_range_of_second(signals, role, (int)s);
        bad[s] = range < SV_P_flat_uv || range > SV_P_implausible_uv;
        muscle[s] = bad[s] ? NAN : (float)sv_signals_power(signals, role, (int)s, 20, 35);
    }
    double usual = sv_quantile(muscle, n_s, 0.5);
    double limit = fmax(usual * SV_P_muscle_ratio, SV_P_muscle_uv2);
    for (size_t s = 0; s < n_s; s++) bad[s] |= (double)muscle[s] > limit;
    free(muscle);
    return SV_OK;
}

sv_status sv_eeg_mark_sleep(const sv_signals *signals, sv_role role, double context_s, double ratio, unsigned char *out,
                            sv_error *err) {
    size_t n_s = (size_t)signals->n_s;
    float *slow = sv_calloc(n_s, sizeof *slow), *fast = sv_calloc(n_s, sizeof *fast);
    double factor = pow(10, ratio);
    bool ok = slow && fast;
    if (ok) {
        sv_eeg_power_around(signals, role, 0.5, 8, (int)(context_s / 2), slow);
        sv_eeg_power_around(signals, role, 16, 30, (int)(context_s / 2), fast);
    }
    for (size_t s = 0; ok && s < n_s; s++) out[s] = (double)slow[s] >= factor * (double)fast[s];
    free(slow);
    free(fast);
    return ok ? SV_OK : sv_fail_memory(err, "context of sleep", n_s * sizeof *slow);
}

sv_status sv_waves_find(const float *x, size_t n, double min_s, double max_s, sv_waves *out, sv_error *err) {
    size_t shortest = (size_t)(min_s * SV_NIGHT_RATE_HZ), longest = (size_t)(max_s * SV_NIGHT_RATE_HZ);
    bool inside = false;
    sv_wave wave = {0};
    for (size_t i = 1; i < n; i++) {
        bool down = x[i - 1] >= 0 && x[i] < 0;
        if (down && inside && i - wave.from >= shortest && i - wave.from <= longest) {
            wave.to = i;
            if (!sv_grow(&out->items, out->n, &out->capacity, sizeof wave)) {
                return sv_fail_memory(err, "waves", out->n * sizeof wave);
            }
            out->items[out->n++] = wave;
        }
        if (down) {
            wave = (sv_wave){.from = i, .trough = i, .crest = i, .low_uv = x[i], .high_uv = x[i]};
            inside = true;
        }
        if (x[i] < wave.low_uv) {
            wave.low_uv = x[i];
            wave.trough = i;
        }
        if (x[i] > wave.high_uv) {
            wave.high_uv = x[i];
            wave.crest = i;
        }
    }
    return SV_OK;
}

static int by_onset(const void *a, const void *b) {
    const sv_event *x = a, *y = b;
    if (x->onset_s != y->onset_s) return x->onset_s < y->onset_s ? -1 : 1;
    return (x->roles > y->roles) - (x->roles < y->roles);
}

void sv_eeg_merge_channels(sv_events *found, size_t from) {
    if (found->n <= from) return;
    sv_event *items = found->items;
    qsort(items + from, found->n - from, sizeof *items, by_onset);
    size_t last = from;
    for (size_t i = from + 1; i < found->n; i++) {
        double end = items[last].onset_s + items[last].duration_s;
        if (items[i].onset_s >= end) {
            items[++last] = items[i];
            continue;
        }
        items[last].duration_s = fmax(end, items[i].onset_s + items[i].duration_s) - items[last].onset_s;
        items[last].roles |= items[i].roles;
        if (items[i].amplitude_uv > items[last].amplitude_uv) {
            items[last].amplitude_uv = items[i].amplitude_uv;
            items[last].frequency_hz = items[i].frequency_hz;
        }
    }
    found->n = last + 1;
}

double sv_eeg_frequency(const float *x, size_t from, size_t to) {
    double first = NAN, last = NAN;
    int n = 0;
    for (size_t i = from + 1; i < to; i++) {
        if ((x[i - 1] < 0) == (x[i] < 0)) continue;
        double at = (double)(i - 1) + (double)x[i - 1] / (double)(x[i - 1] - x[i]);
        if (n++ == 0) first = at;
        last = at;
    }
    return n < 2 || last <= first ? NAN : (n - 1) * SV_NIGHT_RATE_HZ / (2 * (last - first));
}

double sv_eeg_range(const float *x, size_t from, size_t to) {
    if (from >= to) return 0;
    float low = x[from], high = x[from];
    for (size_t i = from; i < to; i++) {
        low = SV_MIN(low, x[i]);
        high = SV_MAX(high, x[i]);
    }
    return (double)(high - low);
}
