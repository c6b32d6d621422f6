/* recording.c - opening, closing, and reading samples. */
#include "psg/recording.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "psg/edf.h"

/* Bytes between two slices below which one long read beats two short ones: a page is read anyway. */
enum { DENSE_GAP_BYTES = 4096 };

void sv_edf_warn(sv_recording *r, const char *format, ...) {
    sv_recording_info *info = &r->info;
    if (info->n_warnings > SV_EDF_MAX_WARNINGS) return;
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (info->n_warnings == SV_EDF_MAX_WARNINGS)
        snprintf(text, sizeof text, "there are more warnings; they are not listed");
    char *copy = sv_edf_field_text(text, strlen(text)); /* quoted bytes of the file may be anything */
    if (!copy || !sv_grow(&info->warnings, (size_t)info->n_warnings, &r->warnings_capacity, sizeof *info->warnings)) {
        r->no_memory = true;
        free(copy);
        return;
    }
    info->warnings[info->n_warnings++] = copy;
}

sv_status sv_edf_read_bytes(const sv_recording *r, int64_t offset, int64_t n, unsigned char *out, sv_error *err) {
    for (int64_t done = 0; done < n;) {
        ssize_t got = pread(r->fd, out + done, (size_t)(n - done), offset + done);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) {
            return sv_fail_errno(err, SV_ERR_INPUT, "cannot be read at byte %lld", (long long)(offset + done));
        }
        if (got == 0) {
            return sv_fail_at(err, SV_ERR_INPUT, offset + done,
                              "ends at byte %lld; it has become shorter since it was opened",
                              (long long)(offset + done));
        }
        done += got;
    }
    return SV_OK;
}

bool sv_edf_is_dense(const sv_recording *r, const sv_edf_column *column) {
    return column->n_bytes <= SV_EDF_BLOCK_BYTES && r->record_bytes - column->n_bytes < DENSE_GAP_BYTES;
}

static sv_status open_file(sv_recording *r, const char *path, sv_error *err) {
    struct stat about;
    /* a pipe would block open() without O_NONBLOCK */
    r->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (r->fd < 0) return sv_fail_errno(err, SV_ERR_INPUT, "%s: cannot be opened", path);
    if (fstat(r->fd, &about) != 0) return sv_fail_errno(err, SV_ERR_INPUT, "%s", path);
    if (S_ISDIR(about.st_mode)) return sv_fail(err, SV_ERR_INPUT, "%s: is a folder, not an EDF or BDF file", path);
    if (!S_ISREG(about.st_mode)) {
        return sv_fail(err, SV_ERR_INPUT, "%s: is not a regular file; EDF and BDF are read from files only", path);
    }
    r->file_bytes = about.st_size;
    return SV_OK;
}

static sv_status read_all_but_samples(sv_recording *r, sv_error *err) {
    sv_status status = sv_edf_read_header(r, err);
    if (!status) status = sv_edf_read_annotations(r, err);
    if (status) return status;
    for (int i = 0; i < r->info.n_signals; i++) {
        sv_signal *s = &r->info.signals[i];
        s->rate_hz = r->info.record_duration_s > 0 ? s->samples_per_record / r->info.record_duration_s : 0;
    }
    return r->no_memory ? sv_fail_memory(err, "warnings and header texts", 0) : SV_OK;
}

sv_status sv_recording_open(const char *path, sv_recording **out, sv_error *err) {
    *out = NULL;
    sv_recording *r = sv_calloc(1, sizeof *r);
    if (!r) return sv_fail_memory(err, "a recording", sizeof *r);
    r->fd = -1;
    r->info.path = sv_strndup(path, strlen(path));
    r->block = sv_alloc_aligned((size_t)SV_EDF_BLOCK_BYTES, 1);
    sv_status status = r->info.path && r->block ? open_file(r, path, err)
                                                : sv_fail_memory(err, "a recording", (size_t)SV_EDF_BLOCK_BYTES);
    if (!status) {
        status = read_all_but_samples(r, err);
        if (status) sv_error_prefix(err, "%s", path);
    }
    if (status) {
        sv_recording_close(r);
        return status;
    }
    *out = r;
    return SV_OK;
}

void sv_recording_close(sv_recording *r) {
    if (!r) return;
    if (r->fd >= 0) close(r->fd);
    sv_recording_info *info = &r->info;
    for (int i = 0; i < info->n_signals; i++) {
        free(info->signals[i].label);
        free(info->signals[i].transducer);
        free(info->signals[i].unit);
        free(info->signals[i].prefilter);
    }
    for (int i = 0; i < info->n_annotations; i++) free(info->annotations[i].text);
    for (int i = 0; i < info->n_warnings; i++) free(info->warnings[i]);
    void *owned[] = {info->path,        info->patient,  info->recording, info->signals, info->segments,
                     info->annotations, info->warnings, r->columns,      r->scales,     r->block};
    for (size_t i = 0; i < SV_COUNT(owned); i++) free(owned[i]);
    free(r);
}

const sv_recording_info *sv_recording_get_info(const sv_recording *recording) { return &recording->info; }

static int32_t digital_sample(const unsigned char *p, int sample_bytes) {
    if (sample_bytes == 2) return (int16_t)(p[0] | p[1] << 8);
    int32_t value = p[0] | p[1] << 8 | p[2] << 16;
    return (value ^ 0x800000) - 0x800000; /* sign of 24 bits */
}

/* Values of samples [at, at + n) of one slice. */
static void decode(const sv_signal *s, const sv_edf_scale *scale, int sample_bytes, const unsigned char *bytes,
                   int64_t n, double *out) {
    for (int64_t i = 0; i < n; i++) {
        int32_t digital = digital_sample(bytes + i * sample_bytes, sample_bytes);
        out[i] = scale->usable ? s->physical_min + ((double)digital - s->digital_min) * scale->gain : digital;
    }
}

sv_status sv_recording_read(sv_recording *r, int signal, int64_t first, int64_t n, double *out, sv_error *err) {
    if (signal < 0 || signal >= r->info.n_signals) {
        return sv_fail(err, SV_ERR_USAGE, "%s: signal %d asked for, there are %d", r->info.path, signal,
                       r->info.n_signals);
    }
    const sv_signal *s = &r->info.signals[signal];
    if (first < 0 || n < 0 || first > s->n_samples || n > s->n_samples - first) {
        return sv_fail(err, SV_ERR_USAGE, "%s: %lld samples from %lld on of \"%s\" asked for, it has %lld",
                       r->info.path, (long long)n, (long long)first, s->label, (long long)s->n_samples);
    }
    const sv_edf_scale *scale = &r->scales[signal];
    const sv_edf_column *column = &r->columns[scale->column];
    bool dense = sv_edf_is_dense(r, column);
    while (n > 0) {
        int64_t record = first / s->samples_per_record, at = first % s->samples_per_record;
        int64_t n_first = SV_MIN(SV_MIN(n, s->samples_per_record - at), SV_EDF_BLOCK_BYTES / r->sample_bytes);
        int64_t n_records = 1;
        if (dense) {
            n_records += (SV_EDF_BLOCK_BYTES - column->n_bytes) / r->record_bytes;
            n_records = SV_MIN(n_records, (at + n - 1) / s->samples_per_record + 1);
        }
        int64_t begin = r->data_offset + record * r->record_bytes + column->offset;
        /* all slices up to the end of the last, or only the samples wanted of one */
        int64_t n_bytes = (n_records - 1) * r->record_bytes +
                          (n_records > 1 ? column->n_bytes - at * r->sample_bytes : n_first * r->sample_bytes);
        sv_status status = sv_edf_read_bytes(r, begin + at * r->sample_bytes, n_bytes, r->block, err);
        if (status) {
            sv_error_prefix(err, "%s", r->info.path);
            return status;
        }
        for (int64_t k = 0; k < n_records; k++) {
            int64_t from = k == 0 ? at : 0, take = k == 0 ? n_first : SV_MIN(n, s->samples_per_record);
            const unsigned char *bytes = r->block + k * r->record_bytes - (at - from) * r->sample_bytes;
            decode(s, scale, r->sample_bytes, bytes, take, out);
            out += take, first += take, n -= take;
        }
    }
    return SV_OK;
}

sv_status sv_recording_read_uv(sv_recording *r, int signal, int64_t first, int64_t n, double *out, sv_error *err) {
    const sv_signal *s = signal >= 0 && signal < r->info.n_signals ? &r->info.signals[signal] : NULL;
    if (s && s->uv_per_unit == 0) {
        return sv_fail(err, SV_ERR_UNSUPPORTED, "%s: signal \"%s\" is not a voltage (unit \"%s\")", r->info.path,
                       s->label, s->unit);
    }
    sv_status status = sv_recording_read(r, signal, first, n, out, err);
    for (int64_t i = 0; i < n && !status && s->uv_per_unit != 1; i++) out[i] *= s->uv_per_unit;
    return status;
}
