/* stopwatch.h - how long things take: clocks, and the middle of several readings. */
#ifndef SV_CLI_STOPWATCH_H
#define SV_CLI_STOPWATCH_H

double sv_now_s(void); /* since some moment in the past; never goes back */
double sv_cpu_s(void); /* that all threads of this process have run */

/* Sorts the values [n]; of an even number the mean of the two in the middle. */
double sv_median(double *values, int n);

#endif
