/*
 * detect_spindles.c - spindles: 11-16 Hz, 0.5 s and more, most distinct over the centre (AASM manual), in NREM context
 * (Lacourse et al. 2018).
 *
 * Two passes, as with blinks. In the first, the amplitude of a narrow band in the weighted sum of the channels
 * (spindle_pattern.h) must stand far out of its own median in the surrounding minute (levels relative to the sleeper:
 * Ferrarelli et al. 2007). From these clear ones the pattern of the night is learned: gains, frequency, size. In the
 * second, every peak is judged by the logistic sum of how far it stands out, how near it is to the usual frequency
 * (that of a sleeper hardly varies: Werth et al. 1997) and size, whether another one is about (after a spindle there is
 * none for some seconds: Antony et al. 2018), and how much it exceeds fast activity (relative power: Devuyst et al.
 * 2011). Without enough clear ones, these are all that is called.
 */
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "evidence/detectors.h"
#include "evidence/eeg.h"
#include "evidence/spindle_pattern.h"

enum { PER_S = SV_NIGHT_RATE_HZ / SV_TONE_STEP, LEVEL_STEP = 10 * PER_S, THIN = PER_S / 2 };

typedef struct peak {
    size_t at; /* position */
    int tone;
    double hz, uv, ratio;
} peak;

typedef struct search {
    const sv_signals *signals;
    sv_spindle_pattern pattern;
    size_t n, n_levels;              /* positions; levels of each tone */
    float *amplitude, *level, *best; /* [SV_TONES][n], [SV_TONES][n_levels], [n] largest ratio of a tone */
    unsigned char *tone;             /* [n] which one that is */
    unsigned char *bad, *sleep;      /* [n_s] */
    float *slow;                     /* [n_s] 0.5-8 Hz power around */
    peak *peaks;
    size_t n_peaks, capacity;
} search;

static void search_free(search *k) {
    free(k->amplitude);
    free(k->level);
    free(k->best);
    free(k->tone);
    free(k->bad);
    free(k->sleep);
    free(k->slow);
    free(k->peaks);
}

static sv_status search_new(const sv_signals *signals, search *k, sv_error *err) {
    size_t n_s = (size_t)signals->n_s;
    static const sv_role eeg[] = {SV_ROLE_C4, SV_ROLE_F4, SV_ROLE_O2};
    sv_role first = sv_signals_first(signals, eeg, 3);
    k->signals = signals;
    k->n = signals->n / SV_TONE_STEP;
    k->n_levels = k->n / LEVEL_STEP;
    k->amplitude = sv_calloc(k->n, SV_TONES * sizeof(float));
    k->level = sv_calloc(k->n_levels, SV_TONES * sizeof(float));
    k->best = sv_calloc(k->n, sizeof(float));
    k->tone = sv_calloc(k->n, 1);
    k->bad = sv_calloc(n_s, 1);
    k->sleep = sv_calloc(n_s, 1);
    k->slow = sv_calloc(n_s, sizeof(float));
    if (!k->amplitude || !k->level || !k->best || !k->tone || !k->bad || !k->sleep || !k->slow) {
        return sv_fail_memory(err, "spindles", k->n * SV_TONES * sizeof(float));
    }
    sv_eeg_power_around(signals, first, 0.5, 8, (int)(SV_P_burst_context_s / 2), k->slow);
    sv_status s = sv_eeg_mark_bad(signals, first, k->bad, err);
    if (!s) s = sv_eeg_mark_sleep(signals, first, SV_P_burst_context_s, SV_P_spindle_slow_ratio, k->sleep, err);
    for (size_t i = 0; i < n_s; i++) k->sleep[i] &= !k->bad[i];
    return s ? s : sv_spindle_pattern_open(signals, k->sleep, &k->pattern, err);
}

/* Median of each tone in the surroundings. */
static sv_status fill_levels(search *k, sv_error *err) {
    size_t n_thin = k->n / THIN, reach = (size_t)(SV_P_burst_baseline_s * PER_S / THIN / 2);
    float *thin = sv_calloc(n_thin, sizeof *thin);
    if (!thin) return sv_fail_memory(err, "spindles", n_thin * sizeof *thin);
    for (size_t f = 0; f < SV_TONES; f++) {
        for (size_t i = 0; i < n_thin; i++) thin[i] = k->amplitude[f * k->n + i * THIN];
        for (size_t i = 0; i < k->n_levels; i++) {
            size_t middle = (i * LEVEL_STEP + LEVEL_STEP / 2) / THIN;
            size_t from = middle > reach ? middle - reach : 0, to = SV_MIN(n_thin, middle + reach + 1);
            double level = sv_quantile(thin + from, to - from, 0.5);
            k->level[f * k->n_levels + i] = (float)fmax(level, SV_P_spindle_level_uv);
        }
    }
    free(thin);
    return SV_OK;
}

static void fill_best(search *k) {
    for (size_t i = 0; i < k->n; i++) {
        size_t level = SV_MIN(i / LEVEL_STEP, k->n_levels - 1);
        k->best[i] = -1;
        for (size_t f = 0; f < SV_TONES; f++) {
            float ratio = k->amplitude[f * k->n + i] / k->level[f * k->n_levels + level];
            if (ratio <= k->best[i]) continue;
            k->best[i] = ratio;
            k->tone[i] = (unsigned char)f;
        }
    }
}

/* Top of the parabola through three neighbouring tones. */
static double frequency_at(const search *k, size_t at, int tone) {
    double offset = 0;
    if (tone > 0 && tone + 1 < SV_TONES) {
        const float *a = k->amplitude + (size_t)tone * k->n + at;
        double below = log((double)*(a - k->n) + 1e-6), own = log((double)*a + 1e-6),
               above = log((double)*(a + k->n) + 1e-6), bend = below - 2 * own + above;
        if (bend < 0) offset = fmax(-1, fmin(1, (below - above) / (2 * bend)));
    }
    return SV_TONE_FIRST_HZ + SV_TONE_APART_HZ * (tone + offset);
}

/* Largest ratio from reach_s before to reach_s after, but for what is nearer than apart_s. */
static double largest_around(const search *k, size_t at, double apart_s, double reach_s) {
    size_t apart = (size_t)(apart_s * PER_S), reach = (size_t)(reach_s * PER_S);
    size_t from = at > reach ? at - reach : 0, to = SV_MIN(k->n, at + reach + 1);
    float largest = 0;
    for (size_t i = from; i < to; i++) {
        if (i + apart < at || i > at + apart) largest = SV_MAX(largest, k->best[i]);
    }
    return (double)largest;
}

/* Neither the flank of alpha nor hidden among slow waves. */
static bool is_distinct(const search *k, const peak *p) {
    int second = SV_MIN((int)(p->at / PER_S), k->signals->n_s - 1);
    double alpha = sqrt(sv_signals_power(k->signals, k->pattern.roles[0], second, 8, 10.5));
    return p->uv >= SV_P_spindle_alpha_ratio * alpha &&
           p->uv >= SV_P_spindle_visible_ratio * sqrt((double)k->slow[second]);
}

static sv_status find_peaks(search *k, double least, sv_error *err) {
    k->n_peaks = 0;
    for (size_t i = 0; i < k->n; i++) {
        size_t second = SV_MIN(i / PER_S, (size_t)k->signals->n_s - 1);
        if ((double)k->best[i] < least || !k->sleep[second]) continue;
        if (largest_around(k, i, 0, SV_P_spindle_apart_s) > (double)k->best[i]) continue;
        int tone = k->tone[i];
        peak p = {.at = i,
                  .tone = tone,
                  .hz = frequency_at(k, i, tone),
                  .uv = (double)k->amplitude[(size_t)tone * k->n + i],
                  .ratio = (double)k->best[i]};
        if (p.uv < SV_P_spindle_uv || p.hz < SV_P_spindle_low_hz || tone + 1 == SV_TONES || !is_distinct(k, &p))
            continue;
        if (!sv_grow(&k->peaks, k->n_peaks, &k->capacity, sizeof p)) {
            return sv_fail_memory(err, "spindles", k->n_peaks * sizeof p);
        }
        k->peaks[k->n_peaks++] = p;
    }
    return SV_OK;
}

/* Peaks of the ratio with the weights there are. */
static sv_status run_pass(search *k, double least, sv_error *err) {
    sv_spindle_pattern_amplitudes(&k->pattern, k->signals->n, k->amplitude);
    sv_status s = fill_levels(k, err);
    if (s) return s;
    fill_best(k);
    return find_peaks(k, least, err);
}

static sv_status learn(search *k, sv_error *err) {
    sv_spindle_seed *seeds = sv_calloc(k->n_peaks, sizeof *seeds);
    if (!seeds) return sv_fail_memory(err, "spindles", k->n_peaks * sizeof *seeds);
    for (size_t i = 0; i < k->n_peaks; i++) {
        const peak *p = &k->peaks[i];
        seeds[i] = (sv_spindle_seed){p->at, p->tone, p->hz, p->uv};
    }
    sv_status s = sv_spindle_pattern_learn(&k->pattern, seeds, k->n_peaks, err);
    free(seeds);
    return s;
}

/* Logit of its being a spindle. */
static double score_of(const search *k, const peak *p) {
    const double *usual_hz = k->pattern.usual_hz;
    double apart_hz = fmin(fmin(fabs(p->hz - usual_hz[0]), fabs(p->hz - usual_hz[1])), SV_P_spindle_apart_hz);
    double rival = largest_around(k, p->at, SV_P_spindle_rival_from_s, SV_P_spindle_rival_to_s);
    int second = SV_MIN((int)(p->at / PER_S), k->signals->n_s - 1);
    double fast = sqrt(fmax(sv_signals_power(k->signals, k->pattern.roles[0], second, 16.5, 30), 0.01));
    return SV_P_spindle_weight_0 + SV_P_spindle_weight_ratio * log(p->ratio) +
           SV_P_spindle_weight_size * log(p->uv / k->pattern.usual_uv) + SV_P_spindle_weight_hz * apart_hz * apart_hz +
           SV_P_spindle_weight_alone * log(p->ratio / fmax(rival, 1)) + SV_P_spindle_weight_fast * log(p->uv / fast);
}

static sv_status add_event(const search *k, const peak *p, float *const bands[], sv_events *found, sv_error *err) {
    const float *a = k->amplitude + (size_t)p->tone * k->n;
    size_t from = p->at, to = p->at, reach = (size_t)(SV_P_spindle_max_s * PER_S / 2);
    double limit = SV_P_spindle_edge * p->uv, largest = 0;
    while (from > 0 && from + reach > p->at && (double)a[from - 1] > limit) from--;
    while (to + 1 < k->n && to < p->at + reach && (double)a[to + 1] > limit) to++;
    sv_event event = {.kind = SV_EVENT_SPINDLE,
                      .onset_s = (double)from / PER_S,
                      .duration_s = (double)(to - from) / PER_S,
                      .frequency_hz = p->hz};
    if (event.duration_s < SV_P_spindle_min_s) return SV_OK;
    double range[SV_SPATIAL_MAX] = {0};
    for (int c = 0; c < k->pattern.n_channels; c++) {
        if (!bands[c]) continue;
        range[c] = sv_eeg_range(bands[c], from * SV_TONE_STEP, to * SV_TONE_STEP);
        largest = fmax(largest, range[c]);
    }
    for (int c = 0; c < k->pattern.n_channels; c++) {
        if (bands[c] && range[c] >= SV_P_spindle_seen_share * largest) event.roles |= sv_role_bit(k->pattern.roles[c]);
    }
    event.amplitude_uv = largest;
    return sv_events_add(found, &event, err);
}

/* Amplitudes are measured in the band-passed EEG. */
static sv_status call(const search *k, bool learned, sv_events *found, sv_error *err) {
    float *bands[SV_SPATIAL_MAX] = {NULL};
    sv_status s = SV_OK;
    for (int c = 0; c < k->pattern.n_channels && !s; c++) {
        if (k->pattern.roles[c] >= SV_ROLE_LOC) continue;
        bands[c] = sv_eeg_band(k->signals, k->pattern.roles[c], 4, SV_P_spindle_pass_low_hz, SV_P_spindle_high_hz, err);
        if (!bands[c]) s = SV_ERR_MEMORY;
    }
    for (size_t i = 0; i < k->n_peaks && !s; i++) {
        if (learned && score_of(k, &k->peaks[i]) < 0) continue;
        s = add_event(k, &k->peaks[i], bands, found, err);
    }
    for (int c = 0; c < SV_SPATIAL_MAX; c++) free(bands[c]);
    return s;
}

sv_status sv_detect_spindles(const sv_signals *signals, const sv_events *earlier, sv_events *found, sv_error *err) {
    const unsigned eeg = sv_role_bit(SV_ROLE_F4) | sv_role_bit(SV_ROLE_C4) | sv_role_bit(SV_ROLE_O2);
    search k = {0};
    (void)earlier;
    if (!(signals->roles & eeg) || signals->n == 0) return SV_OK;
    sv_status s = search_new(signals, &k, err);
    if (!s) s = run_pass(&k, SV_P_spindle_clear_ratio, err);
    bool learned = (double)k.n_peaks >= SV_P_spindle_seeds;
    if (!s && learned) s = learn(&k, err);
    if (!s && learned) s = run_pass(&k, SV_P_spindle_ratio, err);
    if (!s) s = call(&k, learned, found, err);
    search_free(&k);
    return s;
}
