/* window.c - measures of one stretch of one channel. */
#include "psg/window.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"

#define TWO_PI 6.283185307179586476925

const double sv_line_hz[SV_N_LINES] = {50, 60};

enum { MAX_PIECES = 64 };

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

typedef struct moments {
    double mean, sd, min, max;
} moments;

static moments moments_of(const double *x, size_t n) {
    moments m = {0, 0, x[0], x[0]};
    double sum = 0, squares = 0;
    for (size_t i = 0; i < n; i++) {
        sum += x[i];
        m.min = SV_MIN(m.min, x[i]);
        m.max = SV_MAX(m.max, x[i]);
    }
    m.mean = sum / (double)n;
    for (size_t i = 0; i < n; i++) squares += (x[i] - m.mean) * (x[i] - m.mean);
    m.sd = sqrt(squares / (double)n);
    return m;
}

/* First sample of second `s`; uneven rates give uneven seconds. */
static size_t second_start(int s, double rate_hz) { return (size_t)ceil(s * rate_hz - 1e-9); }

static void measure_seconds(const double *x, size_t n, double rate_hz, sv_window *out) {
    double sd[MAX_PIECES];
    int n_pieces = 0;
    out->n_seconds = out->n_flat_seconds = 0;
    while (n_pieces < MAX_PIECES) {
        size_t first = second_start(n_pieces, rate_hz), end = second_start(n_pieces + 1, rate_hz);
        if (end > n || end - first < 2) break;
        moments m = moments_of(x + first, end - first);
        sd[n_pieces++] = m.sd;
        out->n_flat_seconds += m.min == m.max;
    }
    out->n_seconds = n_pieces;
    if (n_pieces == 0) {
        out->amplitude_uv = out->rms_uv;
        return;
    }
    qsort(sd, (size_t)n_pieces, sizeof sd[0], compare);
    out->amplitude_uv = sd[n_pieces / 2];
}

/* Means over tenths of a second, minus their moving average over 3 s. */
static void measure_slow(const double *x, size_t n, double rate_hz, sv_window *out) {
    double tenths[SV_WINDOW_MAX_SLOW], squares = 0;
    int n_slow = 0;
    for (; n_slow < SV_WINDOW_MAX_SLOW; n_slow++) {
        size_t first = second_start(n_slow, rate_hz / SV_WINDOW_SLOW_RATE_HZ);
        size_t end = second_start(n_slow + 1, rate_hz / SV_WINDOW_SLOW_RATE_HZ);
        if (end > n || end == first) break;
        tenths[n_slow] = moments_of(x + first, end - first).mean;
    }
    for (int i = 0; i < n_slow; i++) {
        int first = SV_MAX(0, i - 15), end = SV_MIN(n_slow, i + 16);
        double slow = tenths[i] - moments_of(tenths + first, (size_t)(end - first)).mean;
        out->slow_uv[i] = (float)slow;
        squares += slow * slow;
    }
    out->n_slow = n_slow;
    out->slow_rms_uv = n_slow ? sqrt(squares / n_slow) : 0;
}

/* |DFT|^2 of windowed x[n] at `hz`. */
static double goertzel(const double *x, const double *window, size_t n, double mean, double hz, double rate_hz) {
    double w = TWO_PI * hz / rate_hz, c = 2 * cos(w), s1 = 0, s2 = 0;
    for (size_t i = 0; i < n; i++) {
        double s = (x[i] - mean) * window[i] + c * s1 - s2;
        s2 = s1;
        s1 = s;
    }
    return s1 * s1 + s2 * s2 - c * s1 * s2;
}

typedef struct spectrum {
    const double *x;
    double *window; /* [segment] Hann */
    size_t n, segment;
    double rate_hz;
} spectrum;

static double power_at(const spectrum *s, double hz) {
    double sum = 0;
    size_t n_segments = s->n / s->segment;
    for (size_t i = 0; i < n_segments; i++) {
        const double *x = s->x + i * s->segment;
        sum += goertzel(x, s->window, s->segment, moments_of(x, s->segment).mean, hz, s->rate_hz);
    }
    return sum / (double)n_segments;
}

/* Mean power at the frequencies that the rate allows; NaN when it allows none. */
static double mean_power(const spectrum *s, const double *hz, size_t n) {
    double sum = 0;
    int n_used = 0;
    for (size_t i = 0; i < n; i++) {
        if (hz[i] > 0.48 * s->rate_hz) continue;
        sum += power_at(s, hz[i]);
        n_used++;
    }
    return n_used ? sum / n_used : NAN;
}

static void measure_spectrum(const spectrum *s, sv_window *out) {
    static const double slow_hz[] = {1, 2, 3, 4}, fast_hz[] = {22, 27, 32, 37, 42};
    for (int i = 0; i < SV_N_LINES; i++) {
        double hz = sv_line_hz[i], beside_hz[] = {hz - 3.5, hz - 2.5, hz + 2.5, hz + 3.5};
        double line = mean_power(s, &hz, 1), beside = mean_power(s, beside_hz, SV_COUNT(beside_hz));
        out->line_ratio[i] = line / SV_MAX(beside, 1e-12);
        /* a sine of amplitude A gives |X| = A n / 4 under a Hann window */
        out->line_uv[i] = 4 * sqrt(line) / (double)s->segment / sqrt(2.0);
    }
    double slow = mean_power(s, slow_hz, SV_COUNT(slow_hz));
    out->fast_ratio = mean_power(s, fast_hz, SV_COUNT(fast_hz)) / SV_MAX(slow, 1e-12);
}

/* Averages groups of samples, so that spectra cost no more at 2000 Hz than at 256. */
static size_t average_down(const double *x, size_t n, double *rate_hz, double *out) {
    size_t group = SV_MAX((size_t)(*rate_hz / 256), (size_t)1), n_out = n / group;
    for (size_t i = 0; i < n_out; i++) {
        double sum = 0;
        for (size_t j = 0; j < group; j++) sum += x[i * group + j];
        out[i] = sum / (double)group;
    }
    *rate_hz /= (double)group;
    return n_out;
}

bool sv_window_measure(const double *x, size_t n, double rate_hz, sv_window *out) {
    memset(out, 0, sizeof *out);
    moments all = moments_of(x, n);
    out->min_uv = all.min;
    out->max_uv = all.max;
    out->mean_uv = all.mean;
    out->rms_uv = all.sd;
    measure_seconds(x, n, rate_hz, out);
    measure_slow(x, n, rate_hz, out);
    out->fast_ratio = NAN;
    for (int i = 0; i < SV_N_LINES; i++) out->line_uv[i] = out->line_ratio[i] = NAN;

    double *fewer = sv_calloc(n, sizeof *fewer), *window = NULL;
    if (!fewer) return false;
    spectrum s = {.x = fewer, .rate_hz = rate_hz};
    s.n = average_down(x, n, &s.rate_hz, fewer);
    s.segment = (size_t)(2 * s.rate_hz);
    bool ok = true;
    if (s.segment >= 8 && s.n >= s.segment) {
        s.window = window = sv_calloc(s.segment, sizeof *window);
        ok = window != NULL;
    }
    if (window) {
        for (size_t i = 0; i < s.segment; i++) window[i] = 0.5 - 0.5 * cos(TWO_PI * (double)i / (double)s.segment);
        measure_spectrum(&s, out);
    }
    free(window);
    free(fewer);
    return ok;
}

/* Samples in runs of at least four that equal `value`; *n_runs counts the runs. */
static size_t count_plateaus(const double *x, size_t n, double value, int *n_runs) {
    size_t total = 0, run = 0;
    for (size_t i = 0; i <= n; i++) {
        if (i < n && x[i] == value) {
            run++;
            continue;
        }
        if (run >= 4) {
            total += run;
            ++*n_runs;
        }
        run = 0;
    }
    return total;
}

double sv_window_clipped_share(const double *x, size_t n, double limit_low, double limit_high, double step) {
    if (n == 0) return 0;
    moments m = moments_of(x, n);
    if (m.min == m.max) return 0; /* flat is another finding */
    size_t n_limit = 0;
    for (size_t i = 0; i < n; i++) n_limit += x[i] <= limit_low + 0.5 * step || x[i] >= limit_high - 0.5 * step;
    int n_high = 0, n_low = 0;
    size_t high = count_plateaus(x, n, m.max, &n_high), low = count_plateaus(x, n, m.min, &n_low);
    /* with few steps between the extremes, equal neighbours are the resolution, not a plateau */
    bool fine = m.max - m.min >= 50 * step;
    size_t n_plateau = (fine && n_high >= 3 ? high : 0) + (fine && n_low >= 3 ? low : 0);
    return (double)SV_MAX(n_limit, n_plateau) / (double)n;
}

double sv_window_correlation(const sv_window *a, const sv_window *b) {
    if (a->n_slow != b->n_slow || a->n_slow < 2) return NAN;
    double ab = 0, aa = 0, bb = 0;
    for (int i = 0; i < a->n_slow; i++) {
        ab += (double)a->slow_uv[i] * b->slow_uv[i];
        aa += (double)a->slow_uv[i] * a->slow_uv[i];
        bb += (double)b->slow_uv[i] * b->slow_uv[i];
    }
    return aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : NAN;
}
