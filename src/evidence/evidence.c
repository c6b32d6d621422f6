/* evidence.c - runs the detectors and the measurements over a night. */
#include "evidence/evidence.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "evidence/detectors.h"

const sv_measurement_info sv_measurement_infos[SV_N_MEASUREMENTS] = {
#define SV_MEASUREMENT(name, unit, meaning, subject, before, scale, decimals, after) \
    {#name, unit, meaning, subject, before, after, scale, decimals},
#include "evidence/measurements.def"
#undef SV_MEASUREMENT
};

const sv_band_info sv_bands[SV_N_BANDS] = {
    {"delta", 0.5, 4}, {"theta", 4, 8}, {"alpha", 8, 12}, {"sigma", 11, 16}, {"beta", 16, 30}};

typedef struct listed_detector {
    int round;
    sv_detector *detect;
} listed_detector;

static const listed_detector detectors[] = {
#define SV_DETECTOR(round, function) {round, function},
#define SV_MEASURE(function)
#include "evidence/detectors.def"
#undef SV_DETECTOR
#undef SV_MEASURE
    {0, NULL} /* of no round */
};

static sv_measure *const measures[] = {
#define SV_DETECTOR(round, function)
#define SV_MEASURE(function) function,
#include "evidence/detectors.def"
#undef SV_DETECTOR
#undef SV_MEASURE
    NULL};

typedef struct detection {
    const sv_signals *signals;
    const sv_events *earlier;
    int round;
    sv_events found[SV_COUNT(detectors)];
    sv_status statuses[SV_COUNT(detectors)];
    sv_error errors[SV_COUNT(detectors)];
} detection;

static void run_detector(void *context, int64_t item, int thread) {
    (void)thread;
    detection *d = context;
    if (detectors[item].round != d->round) return;
    d->statuses[item] = detectors[item].detect(d->signals, d->earlier, &d->found[item], &d->errors[item]);
}

/* All detectors of a round at once; what they found joins `events`. */
static sv_status run_round(const sv_signals *signals, int round, sv_events *events, sv_error *err) {
    detection *d = sv_calloc(1, sizeof *d);
    if (!d) return sv_fail_memory(err, "detection", sizeof *d);
    d->signals = signals;
    d->earlier = events;
    d->round = round;
    sv_pool_run(signals->pool, SV_COUNT(detectors), run_detector, d);
    sv_status s = SV_OK;
    for (size_t i = 0; i < SV_COUNT(detectors); i++) {
        if (!s && d->statuses[i]) {
            s = d->statuses[i];
            if (err) *err = d->errors[i];
        }
        if (!s) s = sv_events_append(events, &d->found[i], err);
        sv_events_free(&d->found[i]);
    }
    sv_events_sort(events);
    free(d);
    return s;
}

static void forget(sv_evidence *evidence) {
    for (int e = 0; e < evidence->n_epochs; e++) {
        sv_epoch_evidence *epoch = &evidence->epochs[e];
        for (int m = 0; m < SV_N_MEASUREMENTS; m++) epoch->values[m] = NAN;
        for (int r = 0; r < SV_N_ROLES; r++) {
            epoch->slow_wave_s[r] = NAN;
            for (int b = 0; b < SV_N_BANDS; b++) epoch->band_uv2[r][b] = NAN;
        }
    }
    evidence->levels = (sv_night_levels){NAN, NAN, NAN, NAN, false};
}

sv_status sv_evidence_measure(const sv_night *night, const signed char *stages, sv_pool *pool, sv_evidence *out,
                              sv_error *err) {
    sv_signals signals;
    *out = (sv_evidence){0};
    sv_status s = sv_signals_new(night, stages, pool, &signals, err);
    if (s) return s;
    out->roles = signals.roles;
    out->epochs = sv_calloc((size_t)night->n_epochs, sizeof *out->epochs);
    if (!out->epochs) s = sv_fail_memory(err, "measurements", (size_t)night->n_epochs * sizeof *out->epochs);
    if (!s) {
        out->n_epochs = night->n_epochs;
        forget(out);
    }
    for (int round = 1; !s && round <= 3; round++) s = run_round(&signals, round, &out->events, err);
    for (size_t i = 0; !s && measures[i]; i++) s = measures[i](&signals, out, err);
    sv_signals_free(&signals);
    if (s) sv_evidence_free(out);
    return s;
}

void sv_evidence_free(sv_evidence *evidence) {
    sv_events_free(&evidence->events);
    free(evidence->epochs);
    *evidence = (sv_evidence){0};
}

double sv_evidence_value(const sv_evidence *evidence, int epoch, sv_measurement measurement) {
    if (epoch < 0 || epoch >= evidence->n_epochs) return NAN;
    return evidence->epochs[epoch].values[measurement];
}

/* ---- which channels a measurement needs */

enum {
    EEG = 1u << SV_ROLE_F4 | 1u << SV_ROLE_C4 | 1u << SV_ROLE_O2,
    FRONTAL_CENTRAL = 1u << SV_ROLE_F4 | 1u << SV_ROLE_C4,
    EOG = 1u << SV_ROLE_LOC | 1u << SV_ROLE_ROC,
    CHIN = 1u << SV_ROLE_CHIN
};

static const struct {
    sv_measurement first, last;  /* of a run of measurements */
    unsigned any_of, and_any_of; /* 0: nothing else */
    const char *lacking;
} needs[] = {
    {SV_M_alpha_occipital_ratio, SV_M_alpha_occipital_ratio, 1u << SV_ROLE_O2, FRONTAL_CENTRAL,
     "needs O2 and F4 or C4"},
    {SV_M_alpha_share, SV_M_slow_wave_max_uv, EEG, 0, "needs an EEG channel (F4, C4 or O2)"},
    {SV_M_vertex_wave_count, SV_M_vertex_wave_count, 1u << SV_ROLE_C4, 0, "needs C4"},
    {SV_M_sawtooth_s, SV_M_sawtooth_s, FRONTAL_CENTRAL, 0, "needs C4 or F4"},
    {SV_M_blink_count, SV_M_blink_count, EOG, FRONTAL_CENTRAL, "needs LOC or ROC, and F4 or C4"},
    {SV_M_rem_count, SV_M_sem_s, 1u << SV_ROLE_LOC, 1u << SV_ROLE_ROC, "needs LOC and ROC"},
    {SV_M_chin_uv, SV_M_phasic_emg_count, CHIN, 0, "needs the chin EMG"},
    {SV_M_arousal_count, SV_M_unusable_share, EEG, 0, "needs an EEG channel (F4, C4 or O2)"},
};

const char *sv_measurement_say(sv_measurement measurement, double value, char *out, size_t size) {
    const sv_measurement_info *m = &sv_measurement_infos[measurement];
    if (isnan(value)) {
        snprintf(out, size, "%s cannot be measured", m->subject);
    } else {
        double step = pow(10, -m->decimals), rounded = round(m->scale * value / step) * step;
        snprintf(out, size, "%s%.*f%s", m->before, m->decimals, rounded + 0.0, m->after); /* no "-0" */
    }
    return out;
}

const char *sv_evidence_lacking(const sv_evidence *evidence, sv_measurement measurement) {
    for (size_t i = 0; i < SV_COUNT(needs); i++) {
        if (measurement < needs[i].first || measurement > needs[i].last) continue;
        bool there =
            (evidence->roles & needs[i].any_of) && (!needs[i].and_any_of || (evidence->roles & needs[i].and_any_of));
        return there ? "" : needs[i].lacking;
    }
    return "";
}

/* ---- JSON */

json_t *sv_evidence_epoch_to_json(const sv_evidence *evidence, int epoch) {
    json_t *values = json_object(), *events = json_array();
    double from_s = (double)epoch * SV_EPOCH_S, to_s = from_s + SV_EPOCH_S;
    for (int m = 0; m < SV_N_MEASUREMENTS; m++) {
        double value = sv_evidence_value(evidence, epoch, (sv_measurement)m);
        json_object_set_new(values, sv_measurement_infos[m].name,
                            isfinite(value) ? json_real(round(value * 1000) / 1000) : json_null());
    }
    size_t first = sv_events_first_from(&evidence->events, from_s - SV_EVENT_MAX_S);
    for (size_t i = first; i < evidence->events.n && evidence->events.items[i].onset_s < to_s; i++) {
        const sv_event *e = &evidence->events.items[i];
        if (sv_event_overlap_s(e, from_s, to_s) > 0) json_array_append_new(events, sv_event_to_json(e));
    }
    return json_pack("{s:o,s:o}", "measurements", values, "events", events);
}
