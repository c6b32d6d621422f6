/*
 * filter_bench.h - how fast this machine filters; for `sleepvlm bench`.
 */
#ifndef SV_PSG_FILTER_BENCH_H
#define SV_PSG_FILTER_BENCH_H

#include "base/status.h"

/* CPU seconds of this thread for one channel over the whole time (of the lock-step path: a quarter of four channels).
 */
typedef struct sv_filter_speed {
    double single_s;        /* band-pass and notch, both zero-phase, one channel at a time */
    double lanes_s;         /* the same in lock-step */
    double interpolation_s; /* to 100 Hz */
} sv_filter_speed;

/* Filters noise of `hours` at rate_hz as EEG for the picture. SV_ERR_USAGE unless 0 < hours <= 48, 1 <= rate_hz <=
 * 10000. */
sv_status sv_filter_bench(double rate_hz, double hours, sv_filter_speed *out, sv_error *err);

#endif
