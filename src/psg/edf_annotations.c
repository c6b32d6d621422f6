/*
 * edf_annotations.c - what the annotation signals hold: the time of each data record, and the annotations.
 *
 * A slice of an annotation signal is a row of TALs (time-stamped annotation lists, EDF+ 2.2.2): +onset, optionally 0x15
 * and a duration, 0x14, texts that each end in 0x14, then 0. The first TAL of the first annotation signal of a record
 * has an empty first text: it says when the record begins.
 */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "psg/edf.h"

/* Limits: more would be damage, not scoring. */
enum { MAX_ANNOTATIONS = 1 << 20, MAX_SEGMENTS = 1 << 20 };
static const double max_onset_s = 1e9, min_record_s = 1e-6, max_record_s = 1e7;

/* Record times are written with few decimals: a step of less than this is rounding, unless it adds up to a drift. */
static const double step_tolerance_s = 0.005, drift_tolerance_s = 0.1;

enum { END_OF_TEXT = 0x14, BEFORE_DURATION = 0x15 };

typedef struct entry {
    sv_annotation annotation;
    int order; /* in the file */
} entry;

typedef struct scan {
    sv_recording *r;
    int64_t window_first, window_n; /* whole records in r->block */
    double zero_s;                  /* time of the first sample, on the clock of the TALs */
    double last_step_s;             /* deviation of the record before from its segment's line */
    entry *entries;
    size_t n_entries, entries_capacity, segments_capacity;
    int64_t n_corrupt, first_corrupt_at; /* TALs that could not be read */
    int64_t n_odd_times, first_odd_record, n_without_time;
    bool too_many;
} scan;

typedef struct tal {
    double onset_s, duration_s;
    const unsigned char *texts;
    size_t texts_len; /* each ends in END_OF_TEXT, the last one perhaps not */
    bool is_time_keeping;
} tal;

/* s: the bytes before the final 0. */
static bool parse_tal(const unsigned char *s, size_t n, tal *out) {
    const unsigned char *texts = memchr(s, END_OF_TEXT, n);
    if (!texts) return false;
    size_t head = (size_t)(texts - s);
    const unsigned char *duration = memchr(s, BEFORE_DURATION, head);
    size_t onset_len = duration ? (size_t)(duration - s) : head;
    if (sv_edf_number((const char *)s, onset_len, &out->onset_s) == SV_NUMBER_BAD) return false;
    if (fabs(out->onset_s) > max_onset_s) return false;
    out->duration_s = -1;
    if (duration && head > onset_len + 1) {
        if (sv_edf_number((const char *)duration + 1, head - onset_len - 1, &out->duration_s) == SV_NUMBER_BAD)
            return false;
        if (out->duration_s < 0 || out->duration_s > max_onset_s) return false;
    }
    out->texts = texts + 1;
    out->texts_len = n - head - 1;
    out->is_time_keeping = !duration && (out->texts_len == 0 || *out->texts == END_OF_TEXT);
    return true;
}

static sv_status keep_texts(scan *s, const tal *t, sv_error *err) {
    const unsigned char *p = t->texts, *end = t->texts + t->texts_len;
    while (p < end) {
        const unsigned char *stop = memchr(p, END_OF_TEXT, (size_t)(end - p));
        size_t len = (size_t)((stop ? stop : end) - p);
        if (len > 0) {
            if (s->n_entries >= MAX_ANNOTATIONS) {
                s->too_many = true;
                return SV_OK;
            }
            char *text = sv_edf_text(p, len);
            if (!text || !sv_grow(&s->entries, s->n_entries, &s->entries_capacity, sizeof *s->entries)) {
                free(text);
                return sv_fail_memory(err, "annotations", len);
            }
            s->entries[s->n_entries] = (entry){{t->onset_s, t->duration_s, text}, (int)s->n_entries};
            s->n_entries++;
        }
        p += len + 1;
    }
    return SV_OK;
}

/* Calls keep_texts for every TAL of a slice; time keeping: *has_time and *time_s, when asked for. */
static sv_status read_slice(scan *s, const unsigned char *bytes, size_t n, int64_t file_offset, bool *has_time,
                            double *time_s, sv_error *err) {
    bool first = true;
    for (size_t i = 0; i < n;) {
        if (bytes[i] == 0) {
            i++;
            continue;
        }
        const unsigned char *stop = memchr(bytes + i, 0, n - i);
        size_t len = stop ? (size_t)(stop - bytes) - i : n - i;
        tal t;
        if (!parse_tal(bytes + i, len, &t)) {
            if (s->n_corrupt++ == 0) s->first_corrupt_at = file_offset + (int64_t)i;
        } else {
            if (has_time && first && t.is_time_keeping) *has_time = true, *time_s = t.onset_s;
            sv_status status = keep_texts(s, &t, err);
            if (status) return status;
        }
        first = false;
        i += len;
    }
    return SV_OK;
}

/* The column's slice of a record, in r->block. Short records are read many at a time. */
static sv_status load_slice(scan *s, int64_t record, const sv_edf_column *column, const unsigned char **out,
                            sv_error *err) {
    sv_recording *r = s->r;
    int64_t at = r->data_offset + record * r->record_bytes;
    if (!sv_edf_is_dense(r, column) || r->record_bytes > SV_EDF_BLOCK_BYTES) {
        *out = r->block;
        s->window_n = 0;
        return sv_edf_read_bytes(r, at + column->offset, column->n_bytes, r->block, err);
    }
    if (record < s->window_first || record >= s->window_first + s->window_n) {
        s->window_first = record;
        s->window_n = SV_MIN(SV_EDF_BLOCK_BYTES / r->record_bytes, r->info.n_records - record);
        sv_status status = sv_edf_read_bytes(r, at, s->window_n * r->record_bytes, r->block, err);
        if (status) return status;
    }
    *out = r->block + (record - s->window_first) * r->record_bytes + column->offset;
    return SV_OK;
}

static bool is_readable(const sv_edf_column *column) {
    return column->is_annotation && column->n_bytes > 0 && column->n_bytes <= SV_EDF_BLOCK_BYTES;
}

static sv_status read_record(scan *s, int64_t record, bool *has_time, double *time_s, sv_error *err) {
    const sv_recording *r = s->r;
    bool first = true;
    *has_time = false;
    for (int c = 0; c < r->n_columns; c++) {
        const sv_edf_column *column = &r->columns[c];
        if (!is_readable(column)) continue;
        const unsigned char *bytes;
        sv_status status = load_slice(s, record, column, &bytes, err);
        int64_t file_offset = r->data_offset + record * r->record_bytes + column->offset;
        if (!status) {
            status = read_slice(s, bytes, (size_t)column->n_bytes, file_offset, first ? has_time : NULL, time_s, err);
        }
        if (status) return status;
        first = false;
    }
    return SV_OK;
}

/* The first record begins at time 0 of everything we report; its TAL says how far after the header's whole second. */
static void set_zero(scan *s, double time_s) {
    sv_recording *r = s->r;
    s->zero_s = time_s;
    if (time_s < 0) {
        sv_edf_warn(r,
                    "the first data record is said to begin %g s before the start of the recording; it is taken as the "
                    "start",
                    -time_s);
        return;
    }
    double whole = floor(time_s);
    r->info.start.fraction_s = r->info.start.known ? time_s - whole : 0;
    if (whole > 0) {
        sv_edf_warn(r, "the first data record begins %g s after the start time of the header; the start is moved to it",
                    time_s);
        sv_start_time_add(&r->info.start, (int64_t)whole);
    }
}

static sv_status new_segment(scan *s, int64_t record, double start_s, sv_error *err) {
    sv_recording_info *info = &s->r->info;
    if (!sv_grow(&info->segments, (size_t)info->n_segments, &s->segments_capacity, sizeof *info->segments)) {
        return sv_fail_memory(err, "segments", s->segments_capacity * sizeof *info->segments);
    }
    info->segments[info->n_segments++] = (sv_segment){.start_s = start_s, .first_record = record};
    s->last_step_s = 0;
    return SV_OK;
}

static sv_status place_record(scan *s, int64_t record, bool has_time, double time_s, sv_error *err) {
    sv_recording_info *info = &s->r->info;
    bool may_have_gaps = info->format == SV_FORMAT_EDF_PLUS_D || info->format == SV_FORMAT_BDF_PLUS_D;
    if (record == 0) {
        if (has_time) set_zero(s, time_s);
        sv_status status = new_segment(s, 0, 0, err);
        if (status) return status;
    } else if (!has_time) {
        s->n_without_time++;
    } else if (info->record_duration_s > 0) {
        const sv_segment *last = &info->segments[info->n_segments - 1];
        double line_s = last->start_s + (double)(record - last->first_record) * info->record_duration_s;
        double deviation = time_s - s->zero_s - line_s, step = deviation - s->last_step_s;
        double tolerance = fmin(step_tolerance_s, info->record_duration_s / 2);
        bool gap = step > tolerance || deviation > drift_tolerance_s;
        if (may_have_gaps && gap && deviation > 0 && info->n_segments < MAX_SEGMENTS) {
            sv_status status = new_segment(s, record, time_s - s->zero_s, err);
            if (status) return status;
        } else if (fabs(deviation) > drift_tolerance_s || (may_have_gaps && step < -tolerance)) {
            if (s->n_odd_times++ == 0) s->first_odd_record = record;
        } else {
            s->last_step_s = deviation;
        }
    }
    info->segments[info->n_segments - 1].n_records++;
    return SV_OK;
}

static void finish_time_line(scan *s) {
    sv_recording_info *info = &s->r->info;
    for (int i = 0; i < info->n_segments; i++) {
        info->segments[i].duration_s = (double)info->segments[i].n_records * info->record_duration_s;
    }
    if (info->n_segments > 0) {
        const sv_segment *last = &info->segments[info->n_segments - 1];
        info->duration_s = last->start_s + last->duration_s;
    }
}

/* A record duration of 0 is allowed when there is nothing but annotations. Where there are samples, the times of the
 * first two records may tell it. */
static sv_status settle_record_duration(scan *s, bool has_time[2], const double time_s[2], sv_error *err) {
    sv_recording_info *info = &s->r->info;
    double *duration = &info->record_duration_s;
    if (*duration >= min_record_s && *duration <= max_record_s) return SV_OK;
    bool has_samples = false;
    for (int i = 0; i < info->n_signals; i++) has_samples = has_samples || info->signals[i].n_samples > 0;
    if (!has_samples) {
        *duration = 0;
        return SV_OK;
    }
    double step = has_time[0] && has_time[1] ? time_s[1] - time_s[0] : 0;
    if (step < min_record_s || step > max_record_s || info->format == SV_FORMAT_EDF_PLUS_D ||
        info->format == SV_FORMAT_BDF_PLUS_D) {
        return sv_fail_at(err, SV_ERR_INPUT, 244,
                          "the duration of a data record should be more than 0 s, found %g: the "
                          "sampling rates are unknown",
                          *duration);
    }
    sv_edf_warn(s->r, "the duration of a data record is %g s in the header; the times of the records say %g s",
                *duration, step);
    *duration = step;
    return SV_OK;
}

static sv_status find_record_duration(scan *s, sv_error *err) {
    bool has_time[2] = {false, false};
    double time_s[2] = {0, 0};
    int64_t n = SV_MIN(s->r->info.n_records, 2);
    size_t n_entries = s->n_entries;
    for (int64_t record = 0; record < n; record++) {
        sv_status status = read_record(s, record, &has_time[record], &time_s[record], err);
        if (status) return status;
    }
    /* this was a look ahead: the records are read again, in turn */
    while (s->n_entries > n_entries) free(s->entries[--s->n_entries].annotation.text);
    s->n_corrupt = 0;
    return settle_record_duration(s, has_time, time_s, err);
}

static void warn_once_each(const scan *s) {
    sv_recording *r = s->r;
    if (s->n_corrupt > 0) {
        sv_edf_warn(r, "%lld annotations cannot be read and are left out, the first at byte %lld",
                    (long long)s->n_corrupt, (long long)s->first_corrupt_at);
    }
    if (s->too_many) sv_edf_warn(r, "there are more than %d annotations; the rest is left out", MAX_ANNOTATIONS);
    if (s->n_odd_times > 0) {
        sv_edf_warn(r,
                    "the times of %lld data records, first of record %lld, do not fit those before; these records are "
                    "joined to them without a gap",
                    (long long)s->n_odd_times, (long long)s->first_odd_record + 1);
    }
    bool plus = r->info.format != SV_FORMAT_EDF && r->info.format != SV_FORMAT_BDF;
    if (plus && s->n_without_time > 0 && r->info.n_signals > 0) {
        sv_edf_warn(r, "%lld data records do not say when they begin; they are joined to those before",
                    (long long)s->n_without_time);
    }
    for (int c = 0; c < r->n_columns; c++) {
        if (!r->columns[c].is_annotation || r->columns[c].n_bytes <= SV_EDF_BLOCK_BYTES) continue;
        sv_edf_warn(r, "annotation signal %d has %lld bytes in a data record; more than %lld are not read", c + 1,
                    (long long)r->columns[c].n_bytes, (long long)SV_EDF_BLOCK_BYTES);
    }
}

static int by_onset(const void *a, const void *b) {
    const entry *x = a, *y = b;
    if (x->annotation.onset_s != y->annotation.onset_s) return x->annotation.onset_s < y->annotation.onset_s ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

static sv_status store_annotations(scan *s, sv_error *err) {
    sv_recording_info *info = &s->r->info;
    if (s->n_entries > 0) qsort(s->entries, s->n_entries, sizeof *s->entries, by_onset);
    info->annotations = sv_calloc(s->n_entries, sizeof *info->annotations);
    if (!info->annotations) return sv_fail_memory(err, "annotations", s->n_entries * sizeof *info->annotations);
    for (size_t i = 0; i < s->n_entries; i++) {
        info->annotations[i] = s->entries[i].annotation;
        info->annotations[i].onset_s -= s->zero_s;
    }
    info->n_annotations = (int)s->n_entries;
    s->n_entries = 0;
    return SV_OK;
}

sv_status sv_edf_read_annotations(sv_recording *r, sv_error *err) {
    scan s = {.r = r};
    bool any = false;
    for (int c = 0; c < r->n_columns; c++) any = any || is_readable(&r->columns[c]);
    sv_status status = find_record_duration(&s, err);
    for (int64_t record = 0; record < r->info.n_records && !status; record++) {
        bool has_time = false;
        double time_s = 0;
        if (any) status = read_record(&s, record, &has_time, &time_s, err);
        if (!status) status = place_record(&s, record, has_time, time_s, err);
        if (!any && !status) {
            r->info.segments[0].n_records = r->info.n_records;
            break;
        }
    }
    if (!status) status = store_annotations(&s, err);
    if (!status) {
        finish_time_line(&s);
        warn_once_each(&s);
    }
    for (size_t i = 0; i < s.n_entries; i++) free(s.entries[i].annotation.text);
    free(s.entries);
    return status;
}
