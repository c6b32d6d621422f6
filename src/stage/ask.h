/*
 * ask.h - every epoch of a night drawn once, embedded once, and asked about, on all threads.
 */
#ifndef SV_STAGE_ASK_H
#define SV_STAGE_ASK_H

#include "stage/run.h"

/* Fills run->journal with the rows that it lacks. On failure or cancellation the rows so far are on disk. */
sv_status sv_ask_night(sv_run *run, sv_error *err);

#endif
