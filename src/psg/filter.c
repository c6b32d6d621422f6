/* filter.c - see filter.h. */
#include "psg/filter.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"

static double step(const sv_iir *f, double *z, double x) {
    int order = f->order;
    double y = z[0] + f->b[0] * x;
    for (int k = 0; k < order - 1; k++) z[k] = (z[k + 1] + x * f->b[k + 1]) - y * f->a[k + 1];
    z[order - 1] = x * f->b[order] - y * f->a[order];
    return y;
}

void sv_lfilter(const sv_iir *f, double *x, size_t n, bool reverse) {
    double z[SV_IIR_MAX_ORDER] = {0};
    for (size_t i = 0; i < n; i++) {
        double *p = reverse ? &x[n - 1 - i] : &x[i];
        *p = step(f, z, *p);
    }
}

static void start(const sv_iir *f, double *z, double first) {
    for (int k = 0; k < f->order; k++) z[k] = f->zi[k] * first;
}

bool sv_filtfilt(const sv_iir *f, double *x, size_t n) {
    size_t pad = sv_iir_pad(f);
    if (n <= pad) return false;
    double z[SV_IIR_MAX_ORDER], tail[SV_FILTER_MAX_PAD];
    for (size_t i = 0; i < pad; i++) tail[i] = 2 * x[n - 1] - x[n - 2 - i];
    start(f, z, 2 * x[0] - x[pad]);
    for (size_t i = pad; i > 0; i--) step(f, z, 2 * x[0] - x[i]);
    for (size_t i = 0; i < n; i++) x[i] = step(f, z, x[i]);
    for (size_t i = 0; i < pad; i++) tail[i] = step(f, z, tail[i]);

    start(f, z, tail[pad - 1]);
    for (size_t i = pad; i > 0; i--) step(f, z, tail[i - 1]);
    for (size_t i = n; i > 0; i--) x[i - 1] = step(f, z, x[i - 1]);
    return true;
}

/* Edges in hertz as the published system has them. */
static const struct { double low_hz, high_hz; } bands[] = {[SV_BAND_EEG] = {0.3, 35}, [SV_BAND_EMG] = {10, 100}};

static const double notch_quality = 20;

static double limited(double edge) { return SV_MAX(0.001, SV_MIN(edge, 0.999)); }

void sv_filter_chain_picture(sv_filter_band band, double rate_hz, double mains_hz, sv_filter_chain *out) {
    double nyquist_hz = rate_hz / 2;
    double low = limited(bands[band].low_hz / nyquist_hz), high = limited(bands[band].high_hz / nyquist_hz);
    out->n_stages = 0;
    if (sv_butterworth_band_pass(low, high, &out->stages[0])) out->n_stages++;
    if (sv_notch(mains_hz, notch_quality, rate_hz, &out->stages[out->n_stages])) out->n_stages++;
}

void sv_filter_chain_targets(sv_filter_band band, double rate_hz, double mains_hz, sv_filter_chain *out) {
    double nyquist_hz = rate_hz / 2;
    double high_hz = bands[band].high_hz >= nyquist_hz ? nyquist_hz * 0.99 : bands[band].high_hz;
    out->n_stages = 0;
    if (sv_butterworth_band_pass(bands[band].low_hz / nyquist_hz, high_hz / nyquist_hz, &out->stages[0])) {
        out->n_stages++;
    }
    if (mains_hz >= nyquist_hz) return;
    if (sv_notch(mains_hz, notch_quality, rate_hz, &out->stages[out->n_stages])) out->n_stages++;
}

int sv_filter_chain_run(const sv_filter_chain *chain, double *x, size_t n) {
    int n_acted = 0;
    for (int i = 0; i < chain->n_stages; i++) n_acted += sv_filtfilt(&chain->stages[i], x, n);
    return n_acted;
}
