/* timeline.c - see timeline.h. */
#include "psg/timeline.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "psg/resample.h"

enum { CHUNK = 4096 };

/* The highest rate among the signals that the montage uses. */
static bool find_common_rate(sv_timeline *t) {
    const sv_recording_info *info = sv_recording_get_info(t->recording);
    for (int r = 0; r < SV_N_ROLES; r++) {
        const sv_derivation *d = &t->montage->roles[r];
        if (!d->present) continue;
        const int used[] = {d->plus, d->minus};
        for (size_t i = 0; i < SV_COUNT(used); i++) {
            if (used[i] < 0) continue;
            const sv_signal *s = &info->signals[used[i]];
            if (s->samples_per_record <= t->samples_per_record) continue;
            t->samples_per_record = s->samples_per_record;
            t->rate_hz = s->rate_hz;
        }
    }
    return t->rate_hz > 0;
}

static sv_status keep_segments(sv_timeline *t, sv_error *err) {
    const sv_recording_info *info = sv_recording_get_info(t->recording);
    size_t n = (size_t)info->n_segments;
    t->stretches = sv_calloc(n, sizeof *t->stretches);
    t->parts = sv_calloc(n, sizeof *t->parts);
    if (!t->stretches || !t->parts) return sv_fail_memory(err, "segments", n * sizeof *t->parts);
    for (int i = 0; i < info->n_segments; i++) {
        const sv_segment *s = &info->segments[i];
        int64_t n_samples = s->n_records * t->samples_per_record;
        t->stretches[i] = (sv_stretch){s->start_s, n_samples, i, 1};
        t->parts[i] = (sv_timeline_part){i, 0, n_samples, 0};
    }
    t->n_stretches = t->n_parts = info->n_segments;
    return SV_OK;
}

/* Adds the parts of [first, first + n) of the time line (samples at the common rate) that lie in segments. */
static bool add_parts(sv_timeline *t, int64_t first, int64_t n, int64_t to, size_t *capacity) {
    const sv_recording_info *info = sv_recording_get_info(t->recording);
    for (int i = 0; i < info->n_segments; i++) {
        int64_t start = (int64_t)rint(info->segments[i].start_s * t->rate_hz);
        int64_t end = start + info->segments[i].n_records * t->samples_per_record;
        int64_t from = SV_MAX(first, start), until = SV_MIN(first + n, end);
        if (from >= until) continue;
        if (!sv_grow(&t->parts, (size_t)t->n_parts, capacity, sizeof *t->parts)) return false;
        t->parts[t->n_parts++] = (sv_timeline_part){i, from - start, until - from, to + from - first};
    }
    return true;
}

static sv_status keep_pieces(sv_timeline *t, const sv_piece *pieces, int n_pieces, double epoch_s, sv_error *err) {
    const sv_recording_info *info = sv_recording_get_info(t->recording);
    size_t capacity = 0;
    t->stretches = sv_calloc(1, sizeof *t->stretches);
    t->piece_epochs = sv_calloc((size_t)n_pieces, sizeof *t->piece_epochs);
    if (!t->stretches || !t->piece_epochs) return sv_fail_memory(err, "pieces", (size_t)n_pieces * sizeof(int));
    t->n_stretches = 1;
    int64_t epoch = (int64_t)rint(epoch_s * t->rate_hz), end = 0;
    for (int i = 0; i < info->n_segments; i++) {
        const sv_segment *s = &info->segments[i];
        end = SV_MAX(end, (int64_t)rint(s->start_s * t->rate_hz) + s->n_records * t->samples_per_record);
    }
    for (int i = 0; i < n_pieces && epoch > 0; i++) {
        double onset = rint(pieces[i].onset_s * t->rate_hz), wanted = floor(pieces[i].duration_s / epoch_s);
        if (!(onset >= 0 && onset < (double)end && wanted >= 1)) continue;
        int64_t first = (int64_t)onset, n_epochs = SV_MIN((int64_t)SV_MIN(wanted, 1e9), (end - first) / epoch);
        t->piece_epochs[i] = (int)n_epochs;
        if (!add_parts(t, first, n_epochs * epoch, t->stretches[0].n, &capacity)) {
            return sv_fail_memory(err, "pieces", capacity * sizeof *t->parts);
        }
        t->stretches[0].n += n_epochs * epoch;
    }
    t->stretches[0].n_parts = t->n_parts;
    return SV_OK;
}

sv_status sv_timeline_init(sv_recording *recording, const sv_montage *montage, const sv_piece *pieces, int n_pieces,
                           double epoch_s, sv_timeline *out, sv_error *err) {
    *out = (sv_timeline){.recording = recording, .montage = montage, .resampled = {.signal = -1}};
    if (!find_common_rate(out)) {
        return sv_fail(err, SV_ERR_INPUT, "no role of the montage has a channel: name one, e.g. --channel C4=LABEL");
    }
    sv_status status = n_pieces > 0 ? keep_pieces(out, pieces, n_pieces, epoch_s, err) : keep_segments(out, err);
    if (status) sv_timeline_deinit(out);
    return status;
}

void sv_timeline_deinit(sv_timeline *timeline) {
    free(timeline->stretches);
    free(timeline->parts);
    free(timeline->piece_epochs);
    free(timeline->resampled.samples);
    *timeline = (sv_timeline){.resampled = {.signal = -1}};
}

/* Where samples are put: set from the first signal of a derivation, reduced by the second. */
typedef struct destination {
    double *out;
    size_t stride;
    bool subtract;
} destination;

static void put(const destination *d, int64_t to, const double *x, int64_t n) {
    double *out = d->out + (size_t)to * d->stride;
    if (d->subtract) {
        for (int64_t i = 0; i < n; i++) out[(size_t)i * d->stride] -= x[i];
    } else {
        for (int64_t i = 0; i < n; i++) out[(size_t)i * d->stride] = x[i];
    }
}

/* Brings a whole segment of a slower signal to the common rate. */
static sv_status resample_segment(sv_timeline *t, int signal, int segment, sv_error *err) {
    if (t->resampled.signal == signal && t->resampled.segment == segment) return SV_OK;
    free(t->resampled.samples);
    t->resampled.samples = NULL;
    t->resampled.signal = -1;
    const sv_recording_info *info = sv_recording_get_info(t->recording);
    const sv_segment *s = &info->segments[segment];
    int per_record = info->signals[signal].samples_per_record;
    size_t n = (size_t)s->n_records * (size_t)per_record, n_out = (size_t)s->n_records * (size_t)t->samples_per_record;
    double *x = sv_calloc(n, sizeof *x), *out = sv_calloc(n_out, sizeof *out);
    sv_status status;
    if (!x || !out) {
        status = sv_fail_memory(err, "a channel at the common rate", (n + n_out) * sizeof *x);
        goto done;
    }
    status = sv_signal_read_uv(t->recording, signal, s->first_record * per_record, (int64_t)n, x, err);
    if (!status) status = sv_resample_spectrum(x, n, out, n_out, err);
    if (status) goto done;
    t->resampled.signal = signal;
    t->resampled.segment = segment;
    t->resampled.samples = out;
    out = NULL;
done:
    free(x);
    free(out);
    return status;
}

/* Samples [first, first + n) of a segment of a signal at the common rate, to d from `to` on. */
static sv_status read_segment(sv_timeline *t, int signal, int segment, int64_t first, int64_t n, const destination *d,
                              int64_t to, sv_error *err) {
    const sv_recording_info *info = sv_recording_get_info(t->recording);
    if (info->signals[signal].samples_per_record != t->samples_per_record) {
        sv_status status = resample_segment(t, signal, segment, err);
        if (!status) put(d, to, t->resampled.samples + first, n);
        return status;
    }
    int64_t start = info->segments[segment].first_record * t->samples_per_record + first;
    double chunk[CHUNK];
    for (int64_t done = 0; done < n; done += CHUNK) {
        int64_t n_now = SV_MIN(n - done, (int64_t)CHUNK);
        sv_status status = sv_signal_read_uv(t->recording, signal, start + done, n_now, chunk, err);
        if (status) return status;
        put(d, to + done, chunk, n_now);
    }
    return SV_OK;
}

/* Index of the first part of the stretch that ends after sample `first`. */
static int first_part_after(const sv_timeline *t, const sv_stretch *stretch, int64_t first) {
    int low = stretch->first_part, high = low + stretch->n_parts;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (t->parts[middle].to + t->parts[middle].n <= first) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Samples outside of every part are left as they are. */
static sv_status read_signal(sv_timeline *t, int signal, const sv_stretch *stretch, int64_t first, int64_t n,
                             const destination *d, sv_error *err) {
    for (int i = first_part_after(t, stretch, first); i < stretch->first_part + stretch->n_parts; i++) {
        const sv_timeline_part *part = &t->parts[i];
        int64_t from = SV_MAX(first, part->to), until = SV_MIN(first + n, part->to + part->n);
        if (part->to >= first + n) break;
        if (from >= until) continue;
        sv_status status =
            read_segment(t, signal, part->segment, part->first + from - part->to, until - from, d, from - first, err);
        if (status) return status;
    }
    return SV_OK;
}

/* Whether parts cover all of [first, first + n). */
static bool is_covered(const sv_timeline *t, const sv_stretch *stretch, int64_t first, int64_t n) {
    int64_t covered = 0;
    for (int i = first_part_after(t, stretch, first); i < stretch->first_part + stretch->n_parts; i++) {
        const sv_timeline_part *part = &t->parts[i];
        if (part->to >= first + n) break;
        covered += SV_MAX(SV_MIN(first + n, part->to + part->n) - SV_MAX(first, part->to), 0);
    }
    return covered >= n;
}

bool sv_timeline_is_resampled(const sv_timeline *timeline, sv_role role) {
    const sv_signal *signals = sv_recording_get_info(timeline->recording)->signals;
    const sv_derivation *d = &timeline->montage->roles[role];
    return signals[d->plus].samples_per_record != timeline->samples_per_record ||
           (d->minus >= 0 && signals[d->minus].samples_per_record != timeline->samples_per_record);
}

sv_status sv_timeline_read(sv_timeline *timeline, sv_role role, int stretch, int64_t first, int64_t n, double *out,
                           size_t stride, sv_error *err) {
    const sv_derivation *derivation = &timeline->montage->roles[role];
    const sv_stretch *s = &timeline->stretches[stretch];
    if (!is_covered(timeline, s, first, n)) {
        for (int64_t i = 0; i < n; i++) out[(size_t)i * stride] = 0;
    }
    sv_status status = read_signal(timeline, derivation->plus, s, first, n, &(destination){out, stride, false}, err);
    if (status || derivation->minus < 0) return status;
    return read_signal(timeline, derivation->minus, s, first, n, &(destination){out, stride, true}, err);
}
