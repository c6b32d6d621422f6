/* clock.c - see clock.h. */
#include "base/clock.h"

double sv_clock_s(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double sv_now_s(void) { return sv_clock_s(CLOCK_MONOTONIC); }
