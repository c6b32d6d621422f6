/*
 * evidence.h - what the signals of a night show: events, and measurements of each epoch. No stage is decided here.
 */
#ifndef SV_EVIDENCE_EVIDENCE_H
#define SV_EVIDENCE_EVIDENCE_H

#include "evidence/signals.h"
#include "sleep/events.h"

typedef enum sv_measurement {
#define SV_MEASUREMENT(name, unit, meaning, subject, before, scale, decimals, after) SV_M_##name,
#include "evidence/measurements.def"
#undef SV_MEASUREMENT
    SV_N_MEASUREMENTS
} sv_measurement;

typedef struct sv_measurement_info {
    const char *name, *unit, *meaning;
    const char *subject;        /* what cannot be measured when it is NaN: "slow waves" */
    const char *before, *after; /* of the value in words */
    double scale;               /* of the value in words */
    int decimals;
} sv_measurement_info;
extern const sv_measurement_info sv_measurement_infos[SV_N_MEASUREMENTS];

typedef enum sv_band { SV_DELTA, SV_THETA, SV_ALPHA, SV_SIGMA, SV_BETA, SV_N_BANDS } sv_band;
typedef struct sv_band_info {
    const char *name;
    double low_hz, high_hz;
} sv_band_info;
extern const sv_band_info sv_bands[SV_N_BANDS];

typedef struct sv_epoch_evidence {
    double values[SV_N_MEASUREMENTS];       /* NaN: could not be measured */
    float band_uv2[SV_N_ROLES][SV_N_BANDS]; /* mean power; NaN for absent roles and the chin */
    float slow_wave_s[SV_N_ROLES];          /* by channel (EEG and EOG); NaN likewise */
} sv_epoch_evidence;

/* Levels of the whole night that single epochs are compared with. NaN when unknown. */
typedef struct sv_night_levels {
    double chin_low_uv, chin_wake_uv; /* ends of the scale of chin_level */
    double alpha_hz;                  /* of the sleeper */
    double background_wake_hz;        /* background_hz of quiet wakefulness */
    bool alpha_generator;             /* does this sleeper make alpha? */
} sv_night_levels;

typedef struct sv_evidence {
    int n_epochs;
    unsigned roles;            /* channels that were there */
    sv_events events;          /* sorted */
    sv_epoch_evidence *epochs; /* [n_epochs] */
    sv_night_levels levels;
} sv_evidence;

/* Measures a night. stages: see sv_signals, may be NULL. The result does not depend on the number of threads. Errors:
 * SV_ERR_MEMORY. */
sv_status sv_evidence_measure(const sv_night *night, const signed char *stages, sv_pool *pool, sv_evidence *out,
                              sv_error *err);
void sv_evidence_free(sv_evidence *evidence); /* frees and zeroes */

/* A value of an epoch; NaN also for an epoch outside the night. */
double sv_evidence_value(const sv_evidence *evidence, int epoch, sv_measurement measurement);

/* "alpha fills 12 % of the epoch", "slow waves cannot be measured" for NaN. Returns out. */
const char *sv_measurement_say(sv_measurement measurement, double value, char *out, size_t size);

/* Why a measurement is NaN in this night: "needs LOC and ROC", or "" when its channels are there. Static. */
const char *sv_evidence_lacking(const sv_evidence *evidence, sv_measurement measurement);

/* {measurements: {name: value or null}, events: [...]} of one epoch (events that reach into it), as in rows and
 * `evidence
 * --json`. NULL without memory. */
json_t *sv_evidence_epoch_to_json(const sv_evidence *evidence, int epoch);

#endif
