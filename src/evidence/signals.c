/* signals.c - spectra of every second, and the small filters that the detectors share. */
#include "evidence/signals.h"

#include <math.h>
#include <string.h>

#include "base/clones.h"
#include "base/memory.h"
#include "sleep/events.h"

static const double pi = 3.14159265358979323846;

/* ---- spectra */

enum { WINDOW = 2 * SV_NIGHT_RATE_HZ, HALF = WINDOW / 2, PADDED_BINS = 96 };

/* The transform as two small matrix products: the window is folded around its middle, so that cosines see the even part
 * and sines the odd part. */
typedef struct spectrum_tables {
    float window[WINDOW];
    float cosine[HALF + 1][PADDED_BINS], sine[HALF + 1][PADDED_BINS];
    float scale;
} spectrum_tables;

static void fill_tables(spectrum_tables *t) {
    double square_sum = 0;
    for (int i = 0; i < WINDOW; i++) {
        double w = 0.5 - 0.5 * cos(2 * pi * i / WINDOW);
        t->window[i] = (float)w;
        square_sum += w * w;
    }
    for (int i = 0; i <= HALF; i++) {
        for (int b = 0; b < PADDED_BINS; b++) {
            double angle = 2 * pi * i * b / WINDOW;
            t->cosine[i][b] = (float)cos(angle);
            t->sine[i][b] = (float)sin(angle);
        }
    }
    t->scale = (float)(2 / (SV_NIGHT_RATE_HZ * square_sum));
}

/* even, odd: [HALF + 1] */
SV_CLONES void sv_spectrum_fold(const float *x, const spectrum_tables *t, float *even, float *odd);
SV_CLONES void sv_spectrum_fold(const float *x, const spectrum_tables *t, float *even, float *odd) {
    even[0] = x[0] * t->window[0];
    even[HALF] = x[HALF] * t->window[HALF];
    odd[0] = odd[HALF] = 0;
    for (int i = 1; i < HALF; i++) {
        float a = x[i] * t->window[i], b = x[WINDOW - i] * t->window[WINDOW - i];
        even[i] = a + b;
        odd[i] = a - b;
    }
}

SV_CLONES void sv_spectrum_power(const float *even, const float *odd, const spectrum_tables *t, float *out);
SV_CLONES void sv_spectrum_power(const float *even, const float *odd, const spectrum_tables *t, float *out) {
    float re[PADDED_BINS] = {0}, im[PADDED_BINS] = {0};
    for (int i = 0; i <= HALF; i++) {
        for (int b = 0; b < PADDED_BINS; b++) {
            re[b] += even[i] * t->cosine[i][b];
            im[b] += odd[i] * t->sine[i][b];
        }
    }
    for (int b = 0; b < SV_SPECTRUM_BINS; b++) out[b] = (re[b] * re[b] + im[b] * im[b]) * t->scale;
    out[0] *= 0.5f; /* one-sided: the constant has no mirror image */
}

typedef struct spectrum_job {
    sv_signals *signals;
    const spectrum_tables *tables;
} spectrum_job;

static void spectra_of_epoch(void *context, int64_t item, int thread) {
    (void)thread;
    const spectrum_job *job = context;
    const sv_signals *signals = job->signals;
    int role = (int)(item % SV_N_ROLES);
    int64_t first_s = item / SV_N_ROLES * SV_EPOCH_S, n = (int64_t)signals->n;
    if (!signals->spectra[role]) return;
    for (int64_t s = first_s; s < first_s + SV_EPOCH_S; s++) {
        int64_t first = s * SV_NIGHT_RATE_HZ - SV_NIGHT_RATE_HZ / 2;
        first = SV_MAX(0, SV_MIN(first, n - WINDOW));
        const double *x = signals->night->samples[role] + first;
        float centred[WINDOW], even[HALF + 1], odd[HALF + 1];
        double mean = 0;
        for (int i = 0; i < WINDOW; i++) mean += x[i];
        mean /= WINDOW;
        for (int i = 0; i < WINDOW; i++) centred[i] = (float)(x[i] - mean);
        sv_spectrum_fold(centred, job->tables, even, odd);
        sv_spectrum_power(even, odd, job->tables, signals->spectra[role] + s * SV_SPECTRUM_BINS);
    }
}

sv_status sv_signals_new(const sv_night *night, const signed char *stages, sv_pool *pool, sv_signals *out,
                         sv_error *err) {
    size_t n_epochs = (size_t)night->n_epochs;
    *out = (sv_signals){.night = night,
                        .n = n_epochs * SV_EPOCH_SAMPLES,
                        .n_s = night->n_epochs * SV_EPOCH_S,
                        .stages = stages,
                        .pool = pool};
    spectrum_tables *tables = malloc(sizeof *tables);
    bool failed = !tables;
    for (int r = 0; r < SV_N_ROLES && !failed; r++) {
        if (!night->samples[r]) continue;
        out->roles |= sv_role_bit((sv_role)r);
        if (r == SV_ROLE_CHIN) continue;
        out->spectra[r] = sv_calloc((size_t)out->n_s, SV_SPECTRUM_BINS * sizeof(float));
        failed = !out->spectra[r];
    }
    if (failed) {
        free(tables);
        sv_signals_free(out);
        return sv_fail_memory(err, "spectra", (size_t)night->n_epochs * SV_EPOCH_S * SV_SPECTRUM_BINS);
    }
    fill_tables(tables);
    spectrum_job job = {.signals = out, .tables = tables};
    sv_pool_run(pool, (int64_t)n_epochs * SV_N_ROLES, spectra_of_epoch, &job);
    free(tables);
    return SV_OK;
}

void sv_signals_free(sv_signals *signals) {
    for (int r = 0; r < SV_N_ROLES; r++) free(signals->spectra[r]);
    *signals = (sv_signals){0};
}

double sv_signals_power(const sv_signals *signals, sv_role role, int second, double low_hz, double high_hz) {
    const float *spectrum = signals->spectra[role];
    if (!spectrum || second < 0 || second >= signals->n_s) return NAN;
    spectrum += (size_t)second * SV_SPECTRUM_BINS;
    int from = (int)ceil(low_hz / SV_SPECTRUM_STEP_HZ), to = (int)ceil(high_hz / SV_SPECTRUM_STEP_HZ);
    double sum = 0;
    for (int b = SV_MAX(from, 0); b < SV_MIN(to, SV_SPECTRUM_BINS); b++) sum += (double)spectrum[b];
    return sum * SV_SPECTRUM_STEP_HZ;
}

sv_role sv_signals_first(const sv_signals *signals, const sv_role *roles, int n_roles) {
    for (int i = 0; i < n_roles; i++) {
        if (signals->night->samples[roles[i]]) return roles[i];
    }
    return SV_N_ROLES;
}

/* ---- filters */

typedef struct section {
    double b[3], a[2];
} section;

/* Second-order Butterworth by the bilinear transform (Oppenheim and Schafer, section 7.1). */
static section butterworth(double hz, bool high_pass) {
    double k = tan(pi * hz / SV_NIGHT_RATE_HZ), norm = 1 / (1 + sqrt(2) * k + k * k);
    double gain = high_pass ? norm : k * k * norm;
    return (section){.b = {gain, high_pass ? -2 * gain : 2 * gain, gain},
                     .a = {2 * (k * k - 1) * norm, (1 - sqrt(2) * k + k * k) * norm}};
}

/* Over x [n], forwards or backwards, from the state that the first sample would have left if it had lasted forever. */
static void run_section(const section *f, double *x, size_t n, bool backwards) {
    double first = backwards ? x[n - 1] : x[0];
    double rest = first * (f->b[0] + f->b[1] + f->b[2]) / (1 + f->a[0] + f->a[1]);
    double z1 = f->b[2] * first - f->a[1] * rest, z0 = f->b[1] * first - f->a[0] * rest + z1;
    for (size_t i = 0; i < n; i++) {
        double *at = backwards ? x + n - 1 - i : x + i, in = *at, y = f->b[0] * in + z0;
        z0 = f->b[1] * in - f->a[0] * y + z1;
        z1 = f->b[2] * in - f->a[1] * y;
        *at = y;
    }
}

sv_status sv_band_pass(const double *x, size_t n, double low_hz, double high_hz, float *out, sv_error *err) {
    section sections[2];
    int n_sections = 0;
    bool high_pass = low_hz > 0, low_pass = high_hz < SV_NIGHT_RATE_HZ / 2.0;
    if (low_hz >= high_hz) return sv_fail(err, SV_ERR_INTERNAL, "band-pass from %g to %g Hz", low_hz, high_hz);
    if (high_pass) sections[n_sections++] = butterworth(low_hz, true);
    if (low_pass) sections[n_sections++] = butterworth(high_hz, false);
    if (n == 0) return SV_OK;
    size_t pad = SV_MIN(n - 1, (size_t)SV_NIGHT_RATE_HZ * 10), total;
    double *padded = sv_add_size(n, 2 * pad, &total) ? sv_calloc(total, sizeof *padded) : NULL;
    if (!padded) return sv_fail_memory(err, "filtered channel", n);
    for (size_t i = 0; i < pad; i++) {
        padded[i] = 2 * x[0] - x[pad - i];
        padded[pad + n + i] = 2 * x[n - 1] - x[n - 2 - i];
    }
    memcpy(padded + pad, x, n * sizeof *x);
    for (int i = 0; i < n_sections; i++) run_section(&sections[i], padded, total, false);
    for (int i = n_sections - 1; i >= 0; i--) run_section(&sections[i], padded, total, true);
    for (size_t i = 0; i < n; i++) out[i] = (float)padded[pad + i];
    free(padded);
    return SV_OK;
}

/* Of x, or of its squares, over the `width` samples around each. */
static void moving_sum(const float *x, size_t n, size_t width, bool square, float *out) {
    size_t before = width / 2, after = width - before; /* [i - before, i + after) */
    double sum = 0;
    size_t from = 0, to = 0;
    for (size_t i = 0; i < n; i++) {
        size_t want_to = SV_MIN(n, i + after), want_from = i > before ? i - before : 0;
        for (; to < want_to; to++) sum += square ? (double)x[to] * (double)x[to] : (double)x[to];
        for (; from < want_from; from++) sum -= square ? (double)x[from] * (double)x[from] : (double)x[from];
        double mean = sum / (double)SV_MAX(to - from, (size_t)1);
        out[i] = (float)(square ? sqrt(fmax(mean, 0)) : mean);
    }
}

void sv_moving_rms(const float *x, size_t n, size_t width, float *out) { moving_sum(x, n, width, true, out); }
void sv_moving_mean(const float *x, size_t n, size_t width, float *out) { moving_sum(x, n, width, false, out); }

/* The k-th smallest of x [n], which is put in disorder (Hoare 1961). */
static float select_smallest(float *x, size_t n, size_t k) {
    size_t low = 0, high = n - 1;
    while (low < high) {
        float pivot = x[low + (high - low) / 2];
        size_t i = low, j = high;
        for (;;) {
            while (x[i] < pivot) i++;
            while (x[j] > pivot) j--;
            if (i >= j) break;
            float kept = x[i];
            x[i++] = x[j];
            x[j--] = kept;
        }
        /* [low, i) <= pivot <= [i, high], except that i == j holds the pivot itself */
        size_t split = x[j] <= pivot ? j : j - 1;
        if (k <= split)
            high = split;
        else
            low = split + 1;
    }
    return x[low];
}

double sv_quantile(const float *x, size_t n, double share) {
    float *copy = n ? malloc(n * sizeof *copy) : NULL;
    size_t m = 0;
    if (!copy) return NAN;
    for (size_t i = 0; i < n; i++) {
        if (!isnan(x[i])) copy[m++] = x[i];
    }
    double rank = m ? floor(share * (double)(m - 1) + 0.5) : 0;
    double value = m ? (double)select_smallest(copy, m, (size_t)rank) : NAN;
    free(copy);
    return value;
}
