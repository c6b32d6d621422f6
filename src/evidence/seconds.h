/* seconds.h - measures of each second that the detectors of the body share, and runs of marked seconds. */
#ifndef SV_EVIDENCE_SECONDS_H
#define SV_EVIDENCE_SECONDS_H

#include "evidence/evidence.h"

/* Root mean square of a role's channel in each second; out: [n_s]. The role must be present. */
void sv_seconds_rms(const sv_signals *signals, sv_role role, float *out);

/* Largest less smallest value of a role's channel in each second; out: [n_s]. The role must be present. */
void sv_seconds_range(const sv_signals *signals, sv_role role, float *out);

/* Median of x [n] over `reach` seconds on both sides of each; out: [n], not x. */
void sv_seconds_level(const float *x, int n, int reach, float *out);

/* Adds an event of `kind` in `roles` for every run of marked seconds, joined over gaps of at most `gap` seconds, that
 * lasts min_s or more. */
sv_status sv_seconds_add_runs(const unsigned char *marks, int n_s, int gap, int min_s, sv_event_kind kind,
                              unsigned roles, sv_events *found, sv_error *err);

#endif
