/* quality.c - reads windows spread over the recording, measures them, and hands them to the rules. */
#include "psg/quality.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "psg/quality_rules.h"

/* At most an hour of signal is read: the cost does not grow with the night. A window never holds more samples than
 * MAX_SAMPLES; at absurd rates it is shorter. */
enum { WINDOW_S = 30, MAX_WINDOWS = 120, MAX_SAMPLES = 1 << 20 };

/* Seconds of signal (gaps not counted) -> seconds from the start of the recording. */
static double on_time_line(const sv_recording_info *info, double signal_s) {
    for (int i = 0; i < info->n_segments; i++) {
        const sv_segment *segment = &info->segments[i];
        if (signal_s < segment->duration_s || i == info->n_segments - 1) return segment->start_s + signal_s;
        signal_s -= segment->duration_s;
    }
    return signal_s;
}

static void free_table(sv_quality_table *table) {
    free(table->onset_s);
    free(table->duration_s);
    for (int role = 0; role < SV_N_ROLES; role++) {
        free(table->windows[role]);
        free(table->clipped_share[role]);
    }
}

static bool allocate_table(sv_quality_table *table, const sv_montage *montage) {
    size_t n = (size_t)table->n_windows;
    table->onset_s = sv_calloc(n, sizeof(double));
    table->duration_s = sv_calloc(n, sizeof(double));
    bool ok = table->onset_s && table->duration_s;
    for (int role = 0; ok && role < SV_N_ROLES; role++) {
        if (!montage->roles[role].present) continue;
        table->windows[role] = sv_calloc(n, sizeof(sv_window));
        table->clipped_share[role] = sv_calloc(n, sizeof(double));
        ok = table->windows[role] && table->clipped_share[role];
    }
    return ok;
}

/* Places the windows: all of the recording when it is short, spread evenly with both ends when it is long. start_s: in
 * seconds of signal. */
static void place_windows(const sv_recording_info *info, double signal_s, sv_quality_table *table, double *start_s) {
    int n_all = signal_s >= WINDOW_S ? (int)SV_MIN(signal_s / WINDOW_S, 1e8) : 1;
    for (int i = 0; i < table->n_windows; i++) {
        int at = table->n_windows > 1 ? (int)((int64_t)i * (n_all - 1) / (table->n_windows - 1)) : 0;
        start_s[i] = (double)at * WINDOW_S;
        table->onset_s[i] = on_time_line(info, start_s[i]);
        table->duration_s[i] = SV_MIN((double)WINDOW_S, signal_s - start_s[i]);
    }
}

/* Reads one signal of a window and notes how much of it is clipped. */
static sv_status read_signal(sv_recording *recording, int index, int64_t first, int64_t n, double *out, double *clipped,
                             sv_error *err) {
    sv_status status = sv_signal_read_uv(recording, index, first, n, out, err);
    if (status) return status;
    const sv_signal *signal = &sv_recording_get_info(recording)->signals[index];
    double uv = signal->uv_per_unit > 0 ? signal->uv_per_unit : 1;
    double low = fmin(signal->physical_min, signal->physical_max) * uv;
    double high = fmax(signal->physical_min, signal->physical_max) * uv;
    double n_steps = fabs((double)signal->digital_max - (double)signal->digital_min);
    double share = sv_window_clipped_share(out, (size_t)n, low, high, n_steps > 0 ? (high - low) / n_steps : 0);
    *clipped = fmax(*clipped, share);
    return SV_OK;
}

static sv_status measure_role(sv_recording *recording, const sv_derivation *d, const double *start_s,
                              const sv_quality_table *table, int role, double *buffer, sv_error *err) {
    const sv_signal *signal = &sv_recording_get_info(recording)->signals[d->plus];
    double *minus = buffer + MAX_SAMPLES;
    for (int i = 0; i < table->n_windows; i++) {
        int64_t first = (int64_t)(start_s[i] * signal->rate_hz);
        int64_t n = SV_MIN((int64_t)(table->duration_s[i] * signal->rate_hz), signal->n_samples - first);
        if (d->minus >= 0) n = SV_MIN(n, sv_recording_get_info(recording)->signals[d->minus].n_samples - first);
        n = SV_MIN(n, (int64_t)MAX_SAMPLES);
        if (n < 2) continue;
        double *clipped = &table->clipped_share[role][i];
        sv_status status = read_signal(recording, d->plus, first, n, buffer, clipped, err);
        if (!status && d->minus >= 0) status = read_signal(recording, d->minus, first, n, minus, clipped, err);
        if (status) return status;
        for (int64_t j = 0; d->minus >= 0 && j < n; j++) buffer[j] -= minus[j];
        if (!sv_window_measure(buffer, (size_t)n, signal->rate_hz, &table->windows[role][i])) {
            return sv_fail_memory(err, "the quality check", (size_t)n * sizeof(double));
        }
    }
    return SV_OK;
}

sv_status sv_quality_check(sv_recording *recording, const sv_montage *montage, sv_quality *out, sv_error *err) {
    const sv_recording_info *info = sv_recording_get_info(recording);
    memset(out, 0, sizeof *out);
    double signal_s = (double)info->n_records * info->record_duration_s, start_s[MAX_WINDOWS];
    sv_quality_table table = {.n_windows = signal_s > 0 ? 1 : 0};
    if (signal_s >= WINDOW_S) table.n_windows = (int)SV_MIN(signal_s / WINDOW_S, (double)MAX_WINDOWS);
    double *buffer = sv_calloc(2 * (size_t)MAX_SAMPLES, sizeof *buffer);
    sv_status status = SV_OK;
    if (!buffer || !allocate_table(&table, montage)) {
        status = sv_fail_memory(err, "the quality check", 2 * (size_t)MAX_SAMPLES * sizeof *buffer);
    } else {
        place_windows(info, signal_s, &table, start_s);
    }
    for (int role = 0; !status && role < SV_N_ROLES; role++) {
        const sv_derivation *d = &montage->roles[role];
        if (d->present) status = measure_role(recording, d, start_s, &table, role, buffer, err);
    }
    if (!status) status = sv_quality_judge(info, montage, &table, out, err);
    free_table(&table);
    free(buffer);
    if (status) sv_quality_free(out);
    return status;
}
