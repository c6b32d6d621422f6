/*
 * detect_k_complexes.c - K-complexes: a sharp negative wave followed at once by a positive one that stands out from
 * what is around it (AASM manual). Candidates are troughs with the crest after them (half-wave rules: Bremer, Smith,
 * Karacan 1970); they must resemble a model wave (matched filter: Woertz et al. 2004) and be no part of a train of slow
 * waves.
 */
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "evidence/detectors.h"
#include "evidence/eeg.h"

enum { BEFORE = 60, AFTER = 130, MODEL = BEFORE + AFTER, REACH = 600, APART = 60, MODELS = 3 };

typedef struct candidate {
    size_t trough, crest;
    float uv;
} candidate;

typedef struct search {
    unsigned roles;
    float *x;                   /* [n] mean of the channels, band-passed */
    unsigned char *bad, *sleep; /* [n_s] */
    candidate *candidates;
    size_t n, capacity;
    float models[MODELS][MODEL]; /* mean 0, norm 1; short, medium, long */
} search;

static double bell(double t, double sigma) { return exp(-0.5 * (t / sigma) * (t / sigma)); }

/* Negative wave of some 0.2 s at half depth, positive one of 0.35 s a third of a second later. */
static void make_models(search *k) {
    static const double stretch[MODELS] = {0.85, 1.05, 1.25};
    for (int m = 0; m < MODELS; m++) {
        double mean = 0, norm = 0, y[MODEL];
        for (int i = 0; i < MODEL; i++) {
            double t = (i - BEFORE) / (double)SV_NIGHT_RATE_HZ / stretch[m];
            y[i] = -bell(t, 0.085) + 0.86 * bell(t - 0.36, 0.15);
            mean += y[i] / MODEL;
        }
        for (int i = 0; i < MODEL; i++) norm += (y[i] - mean) * (y[i] - mean);
        for (int i = 0; i < MODEL; i++) k->models[m][i] = (float)((y[i] - mean) / sqrt(norm));
    }
}

/* Largest correlation with the models; x: MODEL samples. */
static double likeness(const search *k, const float *x) {
    double mean = 0, norm = 0, best = -1;
    for (int i = 0; i < MODEL; i++) mean += (double)x[i] / MODEL;
    for (int i = 0; i < MODEL; i++) norm += ((double)x[i] - mean) * ((double)x[i] - mean);
    for (int m = 0; m < MODELS; m++) {
        double dot = 0;
        for (int i = 0; i < MODEL; i++) dot += (double)k->models[m][i] * (double)x[i];
        best = fmax(best, norm > 0 ? dot / sqrt(norm) : 0);
    }
    return best;
}

static sv_status find_candidates(search *k, size_t n, sv_error *err) {
    size_t from = (size_t)(SV_P_k_complex_fall_min_s * SV_NIGHT_RATE_HZ),
           to = (size_t)(SV_P_k_complex_fall_max_s * SV_NIGHT_RATE_HZ);
    for (size_t i = 1; i + to < n; i++) {
        if (k->x[i] >= 0 || k->x[i] >= k->x[i - 1] || k->x[i] > k->x[i + 1]) continue;
        size_t crest = i + from;
        for (size_t j = i + from; j < i + to; j++) crest = k->x[j] > k->x[crest] ? j : crest;
        float uv = k->x[crest] - k->x[i];
        if ((double)uv < SV_P_k_complex_uv / 2) continue;
        if (!sv_grow(&k->candidates, k->n, &k->capacity, sizeof *k->candidates)) {
            return sv_fail_memory(err, "K-complexes", k->n * sizeof *k->candidates);
        }
        k->candidates[k->n++] = (candidate){i, crest, uv};
    }
    return SV_OK;
}

/* Size of the second largest other candidate near the i-th. */
static double rival(const search *k, size_t i) {
    const candidate *own = &k->candidates[i];
    double first = 0, second = 0;
    size_t from = i;
    while (from > 0 && k->candidates[from - 1].trough + REACH > own->trough) from--;
    for (size_t j = from; j < k->n && k->candidates[j].trough < own->trough + REACH; j++) {
        size_t a = k->candidates[j].trough, distance = a > own->trough ? a - own->trough : own->trough - a;
        double uv = (double)k->candidates[j].uv;
        if (distance <= APART) continue;
        second = fmax(second, fmin(first, uv));
        first = fmax(first, uv);
    }
    return second;
}

static bool is_k_complex(const search *k, size_t n, size_t i) {
    const candidate *c = &k->candidates[i];
    double uv = (double)c->uv;
    if (uv < SV_P_k_complex_uv || c->trough < 200 || c->crest + 210 > n || c->trough + AFTER > n) return false;
    size_t second = c->trough / SV_NIGHT_RATE_HZ;
    if (k->bad[second] || k->bad[c->crest / SV_NIGHT_RATE_HZ] || !k->sleep[second]) return false;
    return sv_eeg_range(k->x, c->trough - 200, c->trough - 40) <= SV_P_k_complex_before * uv &&
           sv_eeg_range(k->x, c->crest + 50, c->crest + 210) <= SV_P_k_complex_after * uv &&
           rival(k, i) <= SV_P_k_complex_rival * uv &&
           likeness(k, k->x + c->trough - BEFORE) >= SV_P_k_complex_likeness;
}

static sv_event event_of(const search *k, size_t n, const candidate *c) {
    size_t from = c->trough, to = c->crest;
    while (from > 0 && k->x[from] < 0) from--;
    while (to < n && k->x[to] > 0) to++;
    double duration_s = (double)(to - from) / SV_NIGHT_RATE_HZ;
    return (sv_event){.kind = SV_EVENT_K_COMPLEX,
                      .roles = k->roles,
                      .onset_s = (double)from / SV_NIGHT_RATE_HZ,
                      .duration_s = duration_s,
                      .frequency_hz = 1 / duration_s,
                      .amplitude_uv = (double)c->uv};
}

/* In slow wave sleep every wave could be one, and none stands out. */
static bool among_slow_waves(const sv_events *earlier, double from_s, double to_s) {
    double reach_s = SV_P_k_complex_context_s / 2;
    double others_s = sv_events_cover_s(earlier, SV_EVENT_SLOW_WAVE, 0, from_s - reach_s, from_s) +
                      sv_events_cover_s(earlier, SV_EVENT_SLOW_WAVE, 0, to_s, to_s + reach_s);
    return others_s > SV_P_k_complex_slow_waves * 2 * reach_s;
}

static void search_free(search *k) {
    free(k->x);
    free(k->bad);
    free(k->sleep);
    free(k->candidates);
}

/* Mean of F4 and C4, or O2 alone: K-complexes are seen in all, most noise is not. */
static sv_status search_new(const sv_signals *signals, search *k, sv_error *err) {
    static const sv_role roles[] = {SV_ROLE_F4, SV_ROLE_C4, SV_ROLE_O2};
    size_t n_s = (size_t)signals->n_s;
    sv_role first = sv_signals_first(signals, roles, 3);
    int n = 0;
    k->x = sv_calloc(signals->n, sizeof *k->x);
    k->bad = sv_calloc(n_s, 1);
    k->sleep = sv_calloc(n_s, 1);
    if (!k->x || !k->bad || !k->sleep) return sv_fail_memory(err, "K-complexes", signals->n * sizeof *k->x);
    for (size_t r = 0; r < SV_COUNT(roles); r++) {
        if (!(signals->roles & sv_role_bit(roles[r])) || (roles[r] == SV_ROLE_O2 && n)) continue;
        float *band = sv_eeg_band(signals, roles[r], 2, SV_P_k_complex_low_hz, SV_P_k_complex_high_hz, err);
        if (!band) return SV_ERR_MEMORY;
        for (size_t i = 0; i < signals->n; i++) k->x[i] += band[i];
        free(band);
        k->roles |= sv_role_bit(roles[r]);
        n++;
    }
    for (size_t i = 0; i < signals->n; i++) k->x[i] /= (float)n;
    sv_status s = sv_eeg_mark_bad(signals, first, k->bad, err);
    if (s) return s;
    return sv_eeg_mark_sleep(signals, first, SV_P_k_complex_context_s, SV_P_k_complex_slow_ratio, k->sleep, err);
}

sv_status sv_detect_k_complexes(const sv_signals *signals, const sv_events *earlier, sv_events *found, sv_error *err) {
    const unsigned eeg = sv_role_bit(SV_ROLE_F4) | sv_role_bit(SV_ROLE_C4) | sv_role_bit(SV_ROLE_O2);
    search k = {0};
    if (!(signals->roles & eeg) || signals->n == 0) return SV_OK;
    sv_status s = search_new(signals, &k, err);
    size_t free_from = 0;
    make_models(&k);
    if (!s) s = find_candidates(&k, signals->n, err);
    for (size_t i = 0; i < k.n && !s; i++) {
        if (k.candidates[i].trough < free_from || !is_k_complex(&k, signals->n, i)) continue;
        sv_event event = event_of(&k, signals->n, &k.candidates[i]);
        free_from = k.candidates[i].crest;
        double end_s = event.onset_s + event.duration_s;
        if (sv_events_cover_s(earlier, SV_EVENT_BODY_MOVEMENT, 0, event.onset_s, end_s) > 0) continue;
        if (among_slow_waves(earlier, event.onset_s, end_s)) continue;
        s = sv_events_add(found, &event, err);
    }
    search_free(&k);
    return s;
}
