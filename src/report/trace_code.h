/*
 * trace_code.h - the signals of an epoch in few bytes, for the page's script to draw.
 *
 * Without loss beyond the step: each channel is rounded to whole steps, predicted by a polynomial of order 0 to 2 and
 * what is left is Rice coded, the form of Shorten (Robinson 1994, CUED/F-INFENG/TR.156). A stream of bits, the highest
 * of a byte first: order (2 bits), k (5 bits), then each residual r as z = r >= 0 ? 2r : -2r - 1, z >> k ones, a zero,
 * the k low bits of z; SV_TRACE_ESCAPE ones announce z in SV_TRACE_RAW_BITS bits instead.
 */
#ifndef SV_REPORT_TRACE_CODE_H
#define SV_REPORT_TRACE_CODE_H

#include <stdint.h>

#include "base/strbuf.h"

enum { SV_TRACE_ESCAPE = 24, SV_TRACE_RAW_BITS = 20, SV_TRACE_MAX_STEPS = 32767 };

typedef struct sv_bit_writer {
    sv_strbuf *out;
    uint32_t held;
    int n_held; /* bits of `held` that are not in `out` yet, below 8 between calls */
} sv_bit_writer;

/* Appends n samples in units of step; beyond SV_TRACE_MAX_STEPS steps they are clipped, what is not finite becomes 0.
 */
void sv_trace_encode(sv_bit_writer *bits, const double *samples, int n, double step);
/* Fills the last byte with zeros. */
void sv_trace_finish(sv_bit_writer *bits);

#endif
