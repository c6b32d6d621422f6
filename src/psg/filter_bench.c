/* filter_bench.c - see filter_bench.h. */
#include "psg/filter_bench.h"

#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/pages.h"
#include "psg/filter.h"
#include "psg/resample.h"

static void fill_noise(double *x, size_t n) {
    uint32_t seed = 1;
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525 + 1013904223;
        x[i] = (double)(seed >> 8) / 0x1p24 * 200 - 100;
    }
}

sv_status sv_filter_bench(double rate_hz, double hours, sv_filter_speed *out, sv_error *err) {
    if (!(hours > 0 && hours <= 48 && rate_hz >= 1 && rate_hz <= 10000)) {
        return sv_fail(err, SV_ERR_USAGE, "expected at most 48 hours at 1 to 10000 Hz, found %g hours at %g Hz", hours,
                       rate_hz);
    }
    size_t n = (size_t)(hours * 3600 * rate_hz) + 1, n_out = sv_resampled_length(n, rate_hz, 100);
    double *x = sv_alloc_large(n, SV_FILTER_LANES * sizeof *x), *at_100 = sv_alloc_large(n_out + 1, sizeof *at_100);
    sv_status status = SV_OK;
    if (!x || !at_100) {
        status = sv_fail_memory(err, "a channel to filter", n * SV_FILTER_LANES * sizeof *x);
        goto done;
    }
    sv_filter_chain chain;
    sv_filter_chain_picture(SV_BAND_EEG, rate_hz, 50, &chain);
    fill_noise(x, n * SV_FILTER_LANES);
    memset(at_100, 0, n_out * sizeof *at_100);

    double start = sv_clock_s(CLOCK_THREAD_CPUTIME_ID);
    sv_filter_chain_run(&chain, x, n);
    out->single_s = sv_clock_s(CLOCK_THREAD_CPUTIME_ID) - start;
    start = sv_clock_s(CLOCK_THREAD_CPUTIME_ID);
    for (int i = 0; i < chain.n_stages; i++) {
        const sv_iir *f = &chain.stages[i], *lanes[SV_FILTER_LANES] = {f, f, f, f};
        sv_filtfilt_lanes(lanes, x, n);
    }
    out->lanes_s = (sv_clock_s(CLOCK_THREAD_CPUTIME_ID) - start) / SV_FILTER_LANES;
    start = sv_clock_s(CLOCK_THREAD_CPUTIME_ID);
    sv_resample_linear(x, n, SV_FILTER_LANES, at_100, n_out);
    out->interpolation_s = sv_clock_s(CLOCK_THREAD_CPUTIME_ID) - start;
done:
    free(x);
    free(at_100);
    return status;
}
