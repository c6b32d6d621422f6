/*
 * quantity.h - numbers as people read them: thousands apart, bytes and times with a unit that fits.
 */
#ifndef SV_CLI_QUANTITY_H
#define SV_CLI_QUANTITY_H

#define SV_QUANTITY_SIZE 40

/* Each writes into `out` and returns it. Negative values and those above 1e15 are written plainly. */
const char *sv_put_count(char out[SV_QUANTITY_SIZE], double n);          /* "3,754,622,976" */
const char *sv_put_short_count(char out[SV_QUANTITY_SIZE], double n);    /* "3.75 billion", "4.69 million", "9,216" */
const char *sv_put_bytes(char out[SV_QUANTITY_SIZE], double n);          /* "7.51 GB", "73.7 kB", "12 bytes" */
const char *sv_put_duration(char out[SV_QUANTITY_SIZE], double seconds); /* "35.0 ms", "1.20 s", "3.40 h" */

#endif
