/* measure_eeg.c - what the EEG shows epoch by epoch: shares and frequencies of rhythms, powers, counts of elements. */
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "evidence/detectors.h"
#include "evidence/eeg.h"
#include "evidence/seconds.h"

static const sv_role central_first[] = {SV_ROLE_C4, SV_ROLE_F4, SV_ROLE_O2},
                     frontal_first[] = {SV_ROLE_F4, SV_ROLE_C4, SV_ROLE_O2};

typedef struct work {
    const sv_signals *signals;
    sv_evidence *evidence;
    sv_role central, frontal;
    float *range;         /* [n_s] peak to peak of the central EEG */
    unsigned char *alpha; /* [n_s] */
    unsigned char *bad;   /* [n_s] */
    float *slow;          /* [n] 0.35-3 Hz of the frontal EEG */
} work;

/* Mean power of an epoch's readable seconds. */
static double epoch_power(const work *w, sv_role role, int epoch, double low_hz, double high_hz) {
    double sum = 0;
    for (int t = epoch * SV_EPOCH_S; t < (epoch + 1) * SV_EPOCH_S; t++) {
        sum += sv_signals_power(w->signals, role, t, low_hz, high_hz);
    }
    return sum / SV_EPOCH_S;
}

/* Mean frequency of the power in 2-12 Hz, over the seconds without slow waves or large artefacts: what a scorer calls
 * the background. */
static double background_hz(const work *w, int epoch) {
    double power = 0, moment = 0;
    for (int t = epoch * SV_EPOCH_S; t < (epoch + 1) * SV_EPOCH_S; t++) {
        const float *spectrum = w->signals->spectra[w->central] + (size_t)t * SV_SPECTRUM_BINS;
        if (w->bad[t]) continue;
        for (int b = (int)(2 / SV_SPECTRUM_STEP_HZ); b <= (int)(12 / SV_SPECTRUM_STEP_HZ); b++) {
            power += (double)spectrum[b];
            moment += (double)spectrum[b] * b * SV_SPECTRUM_STEP_HZ;
        }
    }
    return power > 0 ? moment / power : NAN;
}

static void measure_powers(const work *w, int epoch) {
    static const sv_measurement relative[SV_N_BANDS] = {SV_M_delta_relative, SV_M_theta_relative, SV_M_alpha_relative,
                                                        SV_M_sigma_relative, SV_M_beta_relative};
    sv_epoch_evidence *e = &w->evidence->epochs[epoch];
    for (int r = 0; r < SV_ROLE_CHIN; r++) {
        if (!(w->signals->roles & sv_role_bit((sv_role)r))) continue;
        for (int b = 0; b < SV_N_BANDS; b++) {
            e->band_uv2[r][b] = (float)epoch_power(w, (sv_role)r, epoch, sv_bands[b].low_hz, sv_bands[b].high_hz);
        }
    }
    double all = epoch_power(w, w->central, epoch, 0.5, 30);
    for (int b = 0; b < SV_N_BANDS; b++) {
        if (all > 0) e->values[relative[b]] = (double)e->band_uv2[w->central][b] / all;
    }
    e->values[SV_M_background_hz] = background_hz(w, epoch);
    sv_role front = w->signals->roles & sv_role_bit(SV_ROLE_F4) ? SV_ROLE_F4 : SV_ROLE_C4;
    if ((w->signals->roles & sv_role_bit(SV_ROLE_O2)) && (w->signals->roles & sv_role_bit(front))) {
        double there = (double)e->band_uv2[front][SV_ALPHA];
        if (there > 0) e->values[SV_M_alpha_occipital_ratio] = (double)e->band_uv2[SV_ROLE_O2][SV_ALPHA] / there;
    }
}

/* Low amplitude and mixed frequencies: neither alpha nor a large wave in the second. */
static void measure_seconds(const work *w, int epoch) {
    sv_epoch_evidence *e = &w->evidence->epochs[epoch];
    int n = 0, lamf = 0, theta = 0, alpha = 0;
    for (int t = epoch * SV_EPOCH_S; t < (epoch + 1) * SV_EPOCH_S; t++) {
        double slow = sv_signals_power(w->signals, w->central, t, 2, 4);
        double middle = sv_signals_power(w->signals, w->central, t, 4, 7);
        double fast = sv_signals_power(w->signals, w->central, t, 8, 12);
        alpha += w->alpha[t];
        if (w->bad[t]) continue;
        n++;
        lamf += !w->alpha[t] && (double)w->range[t] <= SV_P_lamf_uv;
        theta += middle > slow && middle > fast;
    }
    if (n > 0) {
        e->values[SV_M_lamf_share] = (double)lamf / SV_EPOCH_S;
        e->values[SV_M_theta_share] = (double)theta / SV_EPOCH_S;
        e->values[SV_M_eeg_uv] = sv_quantile(w->range + epoch * SV_EPOCH_S, SV_EPOCH_S, 0.5);
    }
    e->values[SV_M_alpha_share] = (double)alpha / SV_EPOCH_S;
}

static double mean_frequency(const sv_events *events, sv_event_kind kind, double from_s, double to_s) {
    double sum = 0, weight = 0;
    for (size_t i = sv_events_first_from(events, from_s - SV_EVENT_MAX_S);
         i < events->n && events->items[i].onset_s < to_s; i++) {
        const sv_event *event = &events->items[i];
        double inside = sv_event_overlap_s(event, from_s, to_s);
        if (event->kind != kind || !(inside > 0) || isnan(event->frequency_hz)) continue;
        sum += inside * event->frequency_hz;
        weight += inside;
    }
    return weight > 0 ? sum / weight : NAN;
}

static void measure_events(const work *w, int epoch) {
    const sv_events *all = &w->evidence->events;
    sv_epoch_evidence *e = &w->evidence->epochs[epoch];
    double from_s = (double)epoch * SV_EPOCH_S, to_s = from_s + SV_EPOCH_S;
    e->values[SV_M_alpha_hz] = mean_frequency(all, SV_EVENT_ALPHA, from_s, to_s);
    e->values[SV_M_spindle_count] = sv_events_count(all, SV_EVENT_SPINDLE, 0, from_s, to_s);
    e->values[SV_M_spindle_s] = sv_events_cover_s(all, SV_EVENT_SPINDLE, 0, from_s, to_s);
    e->values[SV_M_k_complex_count] = sv_events_count(all, SV_EVENT_K_COMPLEX, 0, from_s, to_s);
    e->values[SV_M_slow_wave_count] = sv_events_count(all, SV_EVENT_SLOW_WAVE, 0, from_s, to_s);
    e->values[SV_M_slow_wave_s] = sv_events_cover_s(all, SV_EVENT_SLOW_WAVE, 0, from_s, to_s);
    if (w->signals->roles & sv_role_bit(SV_ROLE_C4)) {
        e->values[SV_M_vertex_wave_count] = sv_events_count(all, SV_EVENT_VERTEX_WAVE, 0, from_s, to_s);
    }
    if (w->signals->roles & (sv_role_bit(SV_ROLE_C4) | sv_role_bit(SV_ROLE_F4))) {
        e->values[SV_M_sawtooth_s] = sv_events_cover_s(all, SV_EVENT_SAWTOOTH, 0, from_s, to_s);
    }
}

/* Largest wave of the slow band in each epoch, also below 75 uV. */
static sv_status measure_largest(const work *w, sv_error *err) {
    sv_waves waves = {0};
    sv_status s = sv_waves_find(w->slow, w->signals->n, 0.45, 2.2, &waves, err);
    for (int e = 0; e < w->evidence->n_epochs; e++) w->evidence->epochs[e].values[SV_M_slow_wave_max_uv] = 0;
    for (size_t i = 0; i < waves.n && !s; i++) {
        size_t middle = (waves.items[i].from + waves.items[i].to) / 2;
        double *largest = &w->evidence->epochs[middle / SV_EPOCH_SAMPLES].values[SV_M_slow_wave_max_uv];
        if (!w->bad[middle / SV_NIGHT_RATE_HZ]) *largest = fmax(*largest, (double)sv_wave_uv(&waves.items[i]));
    }
    free(waves.items);
    return s;
}

/* Seconds of slow waves in every channel by itself. */
static sv_status measure_channels(const work *w, sv_error *err) {
    sv_status s = SV_OK;
    for (int r = 0; r < SV_ROLE_CHIN && !s; r++) {
        sv_waves waves = {0};
        if (!(w->signals->roles & sv_role_bit((sv_role)r))) continue;
        s = sv_slow_waves_find(w->signals, (sv_role)r, SV_P_slow_wave_uv, &waves, err);
        for (int e = 0; e < w->evidence->n_epochs; e++) w->evidence->epochs[e].slow_wave_s[r] = 0;
        for (size_t i = 0; i < waves.n && !s; i++) {
            size_t epoch = (waves.items[i].from + waves.items[i].to) / 2 / SV_EPOCH_SAMPLES;
            w->evidence->epochs[epoch].slow_wave_s[r] +=
                (float)(waves.items[i].to - waves.items[i].from) / SV_NIGHT_RATE_HZ;
        }
        free(waves.items);
    }
    return s;
}

/* ---- levels of the night */

static void mark_alpha(const work *w) {
    for (size_t i = 0; i < w->evidence->events.n; i++) {
        const sv_event *e = &w->evidence->events.items[i];
        if (e->kind != SV_EVENT_ALPHA) continue;
        for (int t = (int)e->onset_s; t < (int)(e->onset_s + e->duration_s) && t < w->signals->n_s; t++)
            w->alpha[t] = 1;
    }
}

static sv_status measure_night(const work *w, sv_error *err) {
    size_t n = (size_t)w->evidence->n_epochs, n_wake = 0;
    float *hz = sv_calloc(n, sizeof *hz), *wake = sv_calloc(n, sizeof *wake);
    sv_night_levels *levels = &w->evidence->levels;
    int n_alpha = 0;
    if (!hz || !wake) {
        free(hz);
        free(wake);
        return sv_fail_memory(err, "levels of the night", n * sizeof *hz);
    }
    for (size_t e = 0; e < n; e++) {
        hz[e] = (float)w->evidence->epochs[e].values[SV_M_background_hz];
        n_alpha += w->evidence->epochs[e].values[SV_M_alpha_share] >= SV_P_alpha_generator_share;
        if (w->signals->stages && w->signals->stages[e] == SV_STAGE_W) wake[n_wake++] = hz[e];
    }
    levels->alpha_hz = mean_frequency(&w->evidence->events, SV_EVENT_ALPHA, 0, w->signals->n_s);
    levels->alpha_generator = n_alpha >= (int)SV_P_alpha_generator_epochs;
    levels->background_wake_hz =
        n_wake >= 5 ? sv_quantile(wake, n_wake, 0.5) : sv_quantile(hz, n, SV_P_background_wake_share);
    free(hz);
    free(wake);
    return SV_OK;
}

static sv_status open_work(work *w, sv_error *err) {
    size_t n_s = (size_t)w->signals->n_s;
    w->range = sv_calloc(n_s, sizeof *w->range);
    w->alpha = sv_calloc(n_s, 1);
    w->bad = sv_calloc(n_s, 1);
    if (!w->range || !w->alpha || !w->bad) return sv_fail_memory(err, "measurements", n_s * sizeof *w->range);
    w->slow = sv_eeg_band(w->signals, w->frontal, 2, SV_P_slow_wave_pass_low_hz, SV_P_slow_wave_pass_high_hz, err);
    if (!w->slow) return SV_ERR_MEMORY;
    sv_seconds_range(w->signals, w->central, w->range);
    mark_alpha(w);
    return sv_eeg_mark_bad(w->signals, w->central, w->bad, err);
}

sv_status sv_measure_eeg(const sv_signals *signals, sv_evidence *evidence, sv_error *err) {
    work w = {.signals = signals,
              .evidence = evidence,
              .central = sv_signals_first(signals, central_first, 3),
              .frontal = sv_signals_first(signals, frontal_first, 3)};
    if (w.central == SV_N_ROLES) return SV_OK;
    sv_status s = open_work(&w, err);
    for (int e = 0; e < evidence->n_epochs && !s; e++) {
        measure_powers(&w, e);
        measure_seconds(&w, e);
        measure_events(&w, e);
    }
    if (!s) s = measure_largest(&w, err);
    if (!s) s = measure_channels(&w, err);
    if (!s) s = measure_night(&w, err);
    free(w.range);
    free(w.alpha);
    free(w.bad);
    free(w.slow);
    return s;
}
