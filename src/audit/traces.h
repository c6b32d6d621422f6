/*
 * traces.h - what stands where no event was detected: for every second the peak-to-peak amplitude in the band of an
 * element. A detector that stays silent may have missed one; an amplitude that is not there cannot have been seen.
 */
#ifndef SV_AUDIT_TRACES_H
#define SV_AUDIT_TRACES_H

#include "psg/night.h"

typedef enum sv_trace {
#define SV_TRACE(name, channels, difference, low_hz, high_hz, window_s, relative) SV_TRACE_##name,
#include "audit/traces.def"
#undef SV_TRACE
    SV_N_TRACES
} sv_trace;

typedef struct sv_traces {
    int n_s;
    float *values[SV_N_TRACES][SV_N_ROLES]; /* [n_s] each; NULL where the channel is absent or has no part in it */
} sv_traces;

/* pool may be NULL. The result does not depend on the number of threads. SV_ERR_MEMORY. */
sv_status sv_traces_measure(const sv_night *night, sv_pool *pool, sv_traces *out, sv_error *err);
void sv_traces_free(sv_traces *traces); /* frees and zeroes */

/* uV, or times the usual for a relative one; the band as words: "11-16 Hz". Static. */
const char *sv_trace_unit(sv_trace trace);
const char *sv_trace_band(sv_trace trace);

/* The largest value of the channels `roles` (0 = of all; those that have none are passed over) in the seconds that
 * [from_s, to_s) touches; *at_s (may be NULL) the middle of its second. NaN when there is none. */
double sv_traces_max(const sv_traces *traces, sv_trace trace, unsigned roles, double from_s, double to_s, double *at_s);

#endif
