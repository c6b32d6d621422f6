/*
 * clock.h - seconds, for progress and for measurements of speed.
 */
#ifndef SV_BASE_CLOCK_H
#define SV_BASE_CLOCK_H

#include <time.h>

/* What the clock shows, in seconds. */
double sv_clock_s(clockid_t clock);

/* Seconds since some moment; never set back. */
double sv_now_s(void);

#endif
