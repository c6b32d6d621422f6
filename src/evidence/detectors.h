/*
 * detectors.h - one function a kind of event. Each appends what it finds to `found` (in any order) and reads nothing
 * but its arguments. A channel it needs that is absent: nothing is found. Parameters are in parameters.def, each with
 * its source.
 *
 * Three rounds: those of the second and third also see the sorted events of the earlier ones. detectors.def lists who
 * runs when.
 */
#ifndef SV_EVIDENCE_DETECTORS_H
#define SV_EVIDENCE_DETECTORS_H

#include "evidence/evidence.h"

typedef sv_status sv_detector(const sv_signals *signals, const sv_events *earlier, sv_events *found, sv_error *err);

/* first round; earlier is empty */
sv_detector sv_detect_alpha, sv_detect_spindles, sv_detect_slow_waves, sv_detect_slow_eye_movements,
    sv_detect_body_movements, sv_detect_artefacts, sv_detect_phasic_emg;
/* second round */
sv_detector sv_detect_theta, sv_detect_k_complexes, sv_detect_vertex_waves, sv_detect_sawtooth, sv_detect_blinks,
    sv_detect_arousals;
/* third round */
sv_detector sv_detect_rapid_eye_movements;

/* Measurements of all epochs from signals and events; each fills its own fields of epochs and levels. */
typedef sv_status sv_measure(const sv_signals *signals, sv_evidence *evidence, sv_error *err);
sv_measure sv_measure_eeg;  /* alpha .. vertex waves and sawtooth, band_uv2, slow_wave_s; levels.alpha*, background */
sv_measure sv_measure_eyes; /* blink, rem, sem */
sv_measure sv_measure_chin; /* chin_*, phasic_emg_count; levels.chin_* */
sv_measure sv_measure_quality; /* arousal_*, movement_s, unusable_share */

/* The values of parameters.def, as constants: SV_P_name. */
#define SV_PARAMETER(name, value, unit, source) static const double SV_P_##name __attribute__((unused)) = (value);
#include "evidence/parameters.def"
#undef SV_PARAMETER

#endif
