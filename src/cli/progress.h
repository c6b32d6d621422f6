/*
 * progress.h - how far a long command is: a bar with rate and remaining time on a terminal, a line now and then
 * elsewhere.
 */
#ifndef SV_CLI_PROGRESS_H
#define SV_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

typedef struct sv_progress {
    FILE *out; /* NULL = quiet */
    char label[64];
    bool terminal, shown;
    double begin_s, next_s; /* monotonic clock */
    int64_t first;          /* work that was there when it began: not counted in the rate */
    bool has_first;
} sv_progress;

/* `out` NULL prints nothing. The label is cut when it is long. */
void sv_progress_start(sv_progress *p, FILE *out, const char *label);

/* Tells that n_done of n_all are done; draws at most ten times a second. */
void sv_progress_update(sv_progress *p, int64_t n_done, int64_t n_all);

/* Clears the bar. */
void sv_progress_finish(sv_progress *p);

#endif
