/* median.h - the middle of several readings. */
#ifndef SV_CLI_MEDIAN_H
#define SV_CLI_MEDIAN_H

/* Sorts the values [n]; of an even number the mean of the two in the middle. */
double sv_median(double *values, int n);

#endif
