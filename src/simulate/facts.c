/* facts.c - see facts.h. */
#include "simulate/facts.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "psg/biquad.h"
#include "psg/night.h"

static const double slow_low_hz = 0.35, slow_high_hz = 3, slow_min_s = 0.45, slow_max_s = 2.2, slow_uv = 75;

/* F4 as recorded, in the band of slow waves. y: [n] */
static void slow_band(const sv_studio *studio, double *y) {
    const sv_sim_subject *s = studio->subject;
    sv_biquad f[SV_MAX_SECTIONS + 1];
    for (size_t i = 0; i < studio->n; i++) y[i] = (double)studio->x[SV_ROLE_F4][i] * studio->event_gain[SV_ROLE_F4];
    int n = sv_biquad_butterworth((int)s->high_pass_order, s->high_pass_hz, studio->rate_hz, true, f);
    for (int k = 0; k < n; k++) sv_biquad_run(&f[k], y, studio->n, false);
    sv_biquad_butterworth(2, slow_low_hz, studio->rate_hz, true, &f[0]);
    sv_biquad_butterworth(2, slow_high_hz, studio->rate_hz, false, &f[1]);
    for (int k = 0; k < 4; k++) sv_biquad_run(&f[k % 2], y, studio->n, k >= 2);
}

static sv_status note_wave(sv_studio *studio, const double *y, size_t from, size_t to, float *slow_wave_s,
                           sv_error *err) {
    static const double frontal[SV_N_ROLES] = {1};
    double low = 0, high = 0, rate = studio->rate_hz, onset_s = (double)from / rate,
           duration_s = (double)(to - from) / rate;
    signed char state = studio->course->state[from / (size_t)studio->rate_hz];
    if (duration_s < slow_min_s || duration_s > slow_max_s || state < SV_STAGE_N1 || state > SV_STAGE_N3) return SV_OK;
    for (size_t i = from; i < to; i++) {
        low = fmin(low, y[i]);
        high = fmax(high, y[i]);
    }
    if (high - low < slow_uv) return SV_OK;
    int epoch = (int)(onset_s / SV_EPOCH_S);
    double inside = fmin(duration_s, (epoch + 1) * SV_EPOCH_S - onset_s);
    slow_wave_s[epoch] += (float)inside;
    if (duration_s > inside) slow_wave_s[epoch + 1] += (float)(duration_s - inside);
    double uv = (high - low) / studio->event_gain[SV_ROLE_F4]; /* noting multiplies by the gain */
    return sv_studio_note(studio, SV_EVENT_SLOW_WAVE, onset_s, duration_s, 1 / duration_s, uv, frontal, err);
}

sv_status sv_facts_slow_waves(sv_studio *studio, float *slow_wave_s, sv_error *err) {
    double *y = sv_calloc(studio->n, sizeof *y);
    if (!y) return sv_fail_memory(err, "slow waves", studio->n * sizeof *y);
    sv_status s = SV_OK;
    size_t last = 0;
    bool begun = false;
    slow_band(studio, y);
    for (size_t i = 1; i < studio->n && !s; i++) {
        if (y[i - 1] < 0 || y[i] >= 0) continue;
        if (begun) s = note_wave(studio, y, last, i, slow_wave_s, err);
        begun = true;
        last = i;
    }
    free(y);
    return s;
}

static int compare(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Median over the seconds of an epoch of the chin's root mean square. */
static float chin_of_epoch(const sv_studio *studio, int epoch) {
    float rms[SV_EPOCH_S];
    size_t rate = (size_t)studio->rate_hz;
    for (size_t t = 0; t < SV_EPOCH_S; t++) {
        const float *x = studio->x[SV_ROLE_CHIN] + ((size_t)epoch * SV_EPOCH_S + t) * rate;
        double sum = 0;
        for (size_t i = 0; i < rate; i++) sum += (double)x[i] * (double)x[i];
        rms[t] = (float)sqrt(sum / studio->rate_hz);
    }
    qsort(rms, SV_EPOCH_S, sizeof *rms, compare);
    return rms[SV_EPOCH_S / 2];
}

/* Movements of the eyes that nobody who looks at the channels would mark: below that size, peak to peak as recorded, or
 * hidden by a movement of the body. They are in the signals, not in the truth. */
static const double least_uv[SV_N_EVENT_KINDS] = {[SV_EVENT_REM] = 30, [SV_EVENT_BLINK] = 40};

static void leave_out_unseen(sv_sim_facts *facts) {
    sv_events *events = &facts->events;
    size_t n = 0;
    for (size_t i = 0; i < events->n; i++) {
        const sv_event *e = &events->items[i];
        int middle = SV_MIN((int)(e->onset_s + e->duration_s / 2), facts->n_s - 1);
        bool unseen = e->amplitude_uv < least_uv[e->kind] || facts->movement[middle] > 0;
        if (least_uv[e->kind] <= 0 || !unseen) events->items[n++] = *e;
    }
    events->n = n;
}

sv_status sv_facts_collect(const sv_studio *studio, float *slow_wave_s, sv_events *events, sv_sim_facts *out,
                           sv_error *err) {
    const sv_sim_subject *s = studio->subject;
    size_t n_s = (size_t)studio->n_s, n_epochs = n_s / SV_EPOCH_S;
    *out = (sv_sim_facts){.n_epochs = (int)n_epochs,
                          .n_s = studio->n_s,
                          .alpha_generator = s->alpha_generator >= 0.5,
                          .n3_from_s = s->n3_from_s,
                          .state = sv_calloc(n_s, 1),
                          .movement = sv_calloc(n_s, sizeof(float)),
                          .chin_uv = sv_calloc(n_epochs, sizeof(float))};
    if (!out->state || !out->movement || !out->chin_uv) {
        sv_sim_facts_free(out);
        return sv_fail_memory(err, "truth of the night", n_s * sizeof(float));
    }
    memcpy(out->state, studio->course->state, n_s);
    for (size_t t = 0; t < n_s; t++) out->movement[t] = studio->course->movement[t];
    for (int e = 0; e < (int)n_epochs; e++) out->chin_uv[e] = chin_of_epoch(studio, e);
    double unit_uv = s->chin_uv * 1.1 * sqrt(fmin(studio->rate_hz, 280) / 100.0);
    out->chin_wake_uv = hypot(unit_uv * s->chin_levels[SV_TEXTURE_W_CLOSED], s->chin_floor_uv);
    out->chin_r_uv = hypot(unit_uv * s->chin_levels[SV_TEXTURE_R], s->chin_floor_uv);
    out->slow_wave_s = slow_wave_s;
    out->events = *events;
    *events = (sv_events){0};
    leave_out_unseen(out);
    sv_events_sort(&out->events);
    return SV_OK;
}
