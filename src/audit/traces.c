/* traces.c - peak-to-peak amplitudes by the second. */
#include "audit/traces.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/pages.h"
#include "evidence/signals.h"

enum {
    EEG = 1u << SV_ROLE_F4 | 1u << SV_ROLE_C4 | 1u << SV_ROLE_O2,
    EOG = 1u << SV_ROLE_LOC | 1u << SV_ROLE_ROC,
    CHIN = 1u << SV_ROLE_CHIN,
    ALL = EEG | EOG
};

static const struct {
    unsigned roles;
    bool difference;
    double low_hz, high_hz, window_s;
    bool relative;
    const char *band;
} infos[SV_N_TRACES] = {
#define SV_TRACE(name, channels, difference, low_hz, high_hz, window_s, relative) \
    {channels, difference, low_hz, high_hz, window_s, relative, #low_hz "-" #high_hz " Hz"},
#include "audit/traces.def"
#undef SV_TRACE
};

const char *sv_trace_unit(sv_trace trace) { return infos[trace].relative ? "x" : "uV"; }

const char *sv_trace_band(sv_trace trace) {
    if (infos[trace].low_hz <= 0 && infos[trace].high_hz <= 0) return "whole";
    return infos[trace].high_hz <= 0 ? "EMG" : infos[trace].band;
}

typedef struct job {
    sv_trace trace;
    sv_role role;
} job;

typedef struct measuring {
    const sv_night *night;
    sv_traces *out;
    job jobs[SV_N_TRACES * SV_N_ROLES];
    sv_status statuses[SV_N_TRACES * SV_N_ROLES];
    sv_error errors[SV_N_TRACES * SV_N_ROLES];
} measuring;

/* Largest minus smallest sample of a window around each second. */
static void peak_to_peak(const float *x, size_t n, double window_s, float *out, int n_s) {
    const size_t rate = SV_NIGHT_RATE_HZ, reach = (size_t)lround((window_s - 1) / 2 * SV_NIGHT_RATE_HZ);
    for (int s = 0; s < n_s; s++) {
        const size_t begin = (size_t)s * rate, end = SV_MIN(begin + rate + reach, n);
        float low = x[begin], high = low;
        for (size_t i = begin > reach ? begin - reach : 0; i < end; i++) {
            low = fminf(low, x[i]);
            high = fmaxf(high, x[i]);
        }
        out[s] = high - low;
    }
}

static void over_median(float *x, int n_s) {
    for (int e = 0; e + SV_EPOCH_S <= n_s; e += SV_EPOCH_S) {
        const double median = sv_quantile(x + e, SV_EPOCH_S, 0.5);
        for (int s = e; s < e + SV_EPOCH_S; s++) x[s] = median > 0 ? (float)(x[s] / median) : 0;
    }
}

static sv_status filter(const sv_night *night, const job *j, float *out, size_t n, sv_error *err) {
    const double *x = night->samples[j->role], *other = night->samples[SV_ROLE_ROC];
    const double low_hz = infos[j->trace].low_hz, high_hz = infos[j->trace].high_hz;
    double *difference = NULL;
    if (infos[j->trace].difference && j->role == SV_ROLE_LOC && other) {
        difference = sv_alloc_large(n, sizeof *difference);
        if (!difference) return sv_fail_memory(err, "the difference of the eye channels", n * sizeof *difference);
        for (size_t i = 0; i < n; i++) difference[i] = x[i] - other[i];
        x = difference;
    }
    sv_status s = SV_OK;
    if (low_hz > 0 || high_hz > 0) {
        s = sv_band_pass(x, n, low_hz, high_hz > 0 ? high_hz : SV_NIGHT_RATE_HZ, out, err);
    } else {
        for (size_t i = 0; i < n; i++) out[i] = (float)x[i];
    }
    free(difference);
    return s;
}

static void measure(void *context, int64_t item, int thread) {
    (void)thread;
    measuring *m = context;
    const job *j = &m->jobs[item];
    const size_t n = (size_t)m->night->n_epochs * SV_EPOCH_SAMPLES;
    float *filtered = sv_alloc_large(n, sizeof *filtered);
    float *values = sv_calloc((size_t)m->out->n_s, sizeof *values);
    m->out->values[j->trace][j->role] = values;
    if (!filtered || !values) {
        m->statuses[item] = sv_fail_memory(&m->errors[item], "a filtered channel", n * sizeof *filtered);
    } else {
        m->statuses[item] = filter(m->night, j, filtered, n, &m->errors[item]);
    }
    if (!m->statuses[item]) {
        peak_to_peak(filtered, n, infos[j->trace].window_s, values, m->out->n_s);
        if (infos[j->trace].relative) over_median(values, m->out->n_s);
    }
    free(filtered);
}

static int list_jobs(const sv_night *night, job *jobs) {
    int n = 0;
    for (int t = 0; t < SV_N_TRACES; t++) {
        for (int r = 0; r < SV_N_ROLES; r++) {
            if (!(infos[t].roles & 1u << r) || !night->samples[r]) continue;
            if (infos[t].difference && r == SV_ROLE_ROC && night->samples[SV_ROLE_LOC]) continue;
            jobs[n++] = (job){(sv_trace)t, (sv_role)r};
        }
    }
    return n;
}

sv_status sv_traces_measure(const sv_night *night, sv_pool *pool, sv_traces *out, sv_error *err) {
    *out = (sv_traces){.n_s = night->n_epochs * SV_EPOCH_S};
    measuring *m = sv_calloc(1, sizeof *m);
    if (!m) return sv_fail_memory(err, "traces", sizeof *m);
    m->night = night;
    m->out = out;
    const int n = list_jobs(night, m->jobs);
    sv_pool_run(pool, n, measure, m);
    sv_status s = SV_OK;
    for (int i = 0; i < n && !s; i++) {
        s = m->statuses[i];
        if (s && err) *err = m->errors[i];
    }
    free(m);
    if (s) sv_traces_free(out);
    return s;
}

void sv_traces_free(sv_traces *traces) {
    for (int t = 0; t < SV_N_TRACES; t++) {
        for (int r = 0; r < SV_N_ROLES; r++) free(traces->values[t][r]);
    }
    *traces = (sv_traces){0};
}

double sv_traces_max(const sv_traces *traces, sv_trace trace, unsigned roles, double from_s, double to_s,
                     double *at_s) {
    double best = NAN;
    if (!traces || trace >= SV_N_TRACES || !(to_s > from_s)) return NAN;
    const int first = (int)fmax(floor(from_s), 0), end = (int)fmin(ceil(to_s), traces->n_s);
    for (int r = 0; r < SV_N_ROLES; r++) {
        const float *values = traces->values[trace][r];
        if (!values || (roles && !(roles & 1u << r))) continue;
        for (int s = first; s < end; s++) {
            if (values[s] <= best) continue;
            best = values[s];
            if (at_s) *at_s = s + 0.5;
        }
    }
    return best;
}
