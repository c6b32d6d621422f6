/*
 * edf_header.c - the header of an EDF or BDF file: 256 bytes, then 256 for each signal, all ASCII by the standard.
 *
 * What cannot be read without doubt decides: the layout of the data (number of signals, samples per record) must be
 * certain, or the file is refused; a bad scale costs that signal its unit; a bad text or date costs only itself.
 */
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "psg/edf.h"

enum { FIXED_BYTES = 256, SIGNAL_BYTES = 256 };

/* Fields of the fixed part, and of the signal part per signal (all labels come first, then all transducers, ...). */
enum {
    AT_VERSION = 0,
    AT_PATIENT = 8,
    AT_RECORDING = 88,
    AT_DATE = 168,
    AT_TIME = 176,
    AT_HEADER_BYTES = 184,
    AT_RESERVED = 192,
    AT_N_RECORDS = 236,
    AT_DURATION = 244,
    AT_N_SIGNALS = 252
};

typedef enum signal_field {
    LABEL,
    TRANSDUCER,
    UNIT,
    PHYSICAL_MIN,
    PHYSICAL_MAX,
    DIGITAL_MIN,
    DIGITAL_MAX,
    PREFILTER,
    SAMPLES,
    N_SIGNAL_FIELDS
} signal_field;
static const struct {
    int at, width;
    const char *name;
} fields[N_SIGNAL_FIELDS] = {{0, 16, "label"},
                             {16, 80, "transducer"},
                             {96, 8, "unit"},
                             {104, 8, "physical minimum"},
                             {112, 8, "physical maximum"},
                             {120, 8, "digital minimum"},
                             {128, 8, "digital maximum"},
                             {136, 80, "prefilter"},
                             {216, 8, "samples per record"}};

typedef struct header {
    char fixed[FIXED_BYTES];
    char *signals; /* [n_signals * SIGNAL_BYTES] */
    int n_signals;
} header;

static int64_t field_offset(const header *h, signal_field f, int signal) {
    return FIXED_BYTES + (int64_t)fields[f].at * h->n_signals + (int64_t)fields[f].width * signal;
}

static const char *field(const header *h, signal_field f, int signal) {
    return h->signals + (field_offset(h, f, signal) - FIXED_BYTES);
}

/* A whole number in [min, max], blanks and NULs around it allowed. */
static bool whole_number(const char *text, size_t n, double min, double max, int64_t *out) {
    double value;
    if (sv_edf_number(text, n, &value) == SV_NUMBER_BAD || value < min || value > max || value != floor(value))
        return false;
    *out = (int64_t)value;
    return true;
}

static const struct {
    const char *bytes;
    size_t n;
    const char *what;
} magics[] = {
    {"\x1F\x8B", 2, "a gzip file: decompress it first"},
    {"PK\x03\x04", 4, "a zip archive: unpack it first"},
    {"\xFD"
     "7zXZ",
     5, "an xz file: decompress it first"},
    {"BZh", 3, "a bzip2 file: decompress it first"},
    {"\x28\xB5\x2F\xFD", 4, "a zstd file: decompress it first"},
    {"\x89HDF", 4, "an HDF5 or MATLAB 7.3 file; convert it to EDF first"},
    {"MATLAB", 6, "a MATLAB file; convert it to EDF first"},
    {"\xEF\xBB\xBF", 3, "a text file, or was saved by a text editor: the bytes EF BB BF stand before the header"},
    {"<?xml", 5, "an XML file; it may hold annotations, but not signals"}};

static sv_status refuse_kind(const char *bytes, size_t n, sv_error *err) {
    for (size_t i = 0; i < SV_COUNT(magics); i++) {
        if (n >= magics[i].n && memcmp(bytes, magics[i].bytes, magics[i].n) == 0) {
            return sv_fail_at(err, SV_ERR_INPUT, 0, "not an EDF or BDF file but %s", magics[i].what);
        }
    }
    char shown[8 * 3 + 1] = "";
    for (size_t i = 0; i < n && i < 8; i++) snprintf(shown + 3 * i, 4, "%02X ", (unsigned char)bytes[i]);
    return sv_fail_at(
        err, SV_ERR_INPUT, 0,
        "not an EDF or BDF file: it should begin with \"0\" and 7 spaces (EDF) or FF \"BIOSEMI\" (BDF), the "
        "first bytes are %s",
        n ? shown : "missing (the file is empty)");
}

static sv_status read_kind(sv_recording *r, const header *h, sv_error *err) {
    bool is_bdf = memcmp(h->fixed,
                         "\xFF"
                         "BIOSEMI",
                         8) == 0,
         is_edf = h->fixed[0] == '0';
    for (int i = 1; i < 8 && is_edf; i++) is_edf = h->fixed[i] == ' ' || h->fixed[i] == 0 || h->fixed[i] == '\t';
    if (!is_bdf && !is_edf) return refuse_kind(h->fixed, 8, err);
    if (is_edf && memcmp(h->fixed, "0       ", 8) != 0) sv_edf_warn(r, "the version field is not padded with spaces");
    r->sample_bytes = is_bdf ? 3 : 2;
    char *reserved = sv_edf_field_text(h->fixed + AT_RESERVED, 44);
    if (!reserved) return sv_fail_memory(err, "header text", 45);
    const char *tag = is_bdf ? "BDF+" : "EDF+";
    int plus = 0; /* 0 = not plus, 1 = C, 2 = D: as the formats are numbered */
    if (strncmp(reserved, tag, 4) == 0) {
        plus = reserved[4] == 'D' ? 2 : 1;
        if (reserved[4] != 'C' && reserved[4] != 'D') {
            sv_edf_warn(r, "the header says \"%.5s\" where \"%sC\" or \"%sD\" should stand; taken as continuous",
                        reserved, tag, tag);
        }
    } else if (strncmp(reserved, "EDF+", 4) == 0 || strncmp(reserved, "BDF+", 4) == 0) {
        plus = reserved[4] == 'D' ? 2 : 1;
        sv_edf_warn(r, "the header says \"%.5s\" in a file with %d-byte samples; taken as %s%c", reserved,
                    r->sample_bytes, tag, plus == 2 ? 'D' : 'C');
    }
    free(reserved);
    r->info.format = (sv_recording_format)((is_bdf ? SV_FORMAT_BDF : SV_FORMAT_EDF) + plus);
    return SV_OK;
}

/* Reads the signal part for h->n_signals; false, with the reason in err, when it does not make sense. */
static bool signals_fit(const sv_recording *r, header *h, sv_error *err) {
    int64_t n_bytes = (int64_t)h->n_signals * SIGNAL_BYTES;
    if (FIXED_BYTES + n_bytes > r->file_bytes) {
        sv_fail_at(err, SV_ERR_INPUT, r->file_bytes,
                   "the header is cut off: with %d signals it needs %lld bytes, the file "
                   "has %lld",
                   h->n_signals, (long long)(FIXED_BYTES + n_bytes), (long long)r->file_bytes);
        return false;
    }
    free(h->signals);
    h->signals = sv_calloc((size_t)n_bytes, 1);
    if (!h->signals) {
        sv_fail_memory(err, "header", (size_t)n_bytes);
        return false;
    }
    if (sv_edf_read_bytes(r, FIXED_BYTES, n_bytes, (unsigned char *)h->signals, err)) return false;
    for (int i = 0; i < h->n_signals; i++) {
        int64_t samples;
        if (whole_number(field(h, SAMPLES, i), 8, 0, INT_MAX, &samples)) continue;
        sv_fail_at(
            err, SV_ERR_INPUT, field_offset(h, SAMPLES, i),
            "the samples per record of signal %d of %d should be a whole number, found \"%.8s\": the layout of the "
            "data is unknown",
            i + 1, h->n_signals, field(h, SAMPLES, i));
        return false;
    }
    return true;
}

static sv_status read_signal_part(sv_recording *r, header *h, sv_error *err) {
    int64_t stated = 0, header_bytes = 0, by_bytes = 0;
    bool has_stated = whole_number(h->fixed + AT_N_SIGNALS, 4, 1, SV_EDF_MAX_SIGNALS, &stated);
    bool has_bytes = whole_number(h->fixed + AT_HEADER_BYTES, 8, 2 * SIGNAL_BYTES,
                                  (SV_EDF_MAX_SIGNALS + 1) * SIGNAL_BYTES, &header_bytes);
    if (has_bytes && header_bytes % SIGNAL_BYTES == 0) by_bytes = header_bytes / SIGNAL_BYTES - 1;
    sv_error first = {0}, second = {0};
    h->n_signals = (int)stated;
    if (has_stated && signals_fit(r, h, &first)) {
        if (!has_bytes || by_bytes != stated) {
            sv_edf_warn(r, "the header size field says \"%.8s\"; %lld signals make %lld bytes",
                        h->fixed + AT_HEADER_BYTES, (long long)stated, (long long)(stated + 1) * SIGNAL_BYTES);
        }
        return SV_OK;
    }
    h->n_signals = (int)by_bytes;
    if (by_bytes > 0 && by_bytes != stated && signals_fit(r, h, &second)) {
        sv_edf_warn(r, "the number of signals reads \"%.4s\"; the header size says %lld, which fits the header",
                    h->fixed + AT_N_SIGNALS, (long long)by_bytes);
        return SV_OK;
    }
    if (has_stated) {
        if (err) *err = first;
        return first.status;
    }
    return sv_fail_at(err, SV_ERR_INPUT, AT_N_SIGNALS, "the number of signals should be 1 to %d, found \"%.4s\"",
                      SV_EDF_MAX_SIGNALS, h->fixed + AT_N_SIGNALS);
}

static bool limit(sv_recording *r, const header *h, signal_field f, int signal, const char *label, double *out) {
    const char *text = field(h, f, signal);
    sv_edf_number_kind kind = sv_edf_number(text, 8, out);
    if (kind == SV_NUMBER_CLEAN) return true;
    char *shown = sv_edf_field_text(text, 8);
    if (!shown) r->no_memory = true;
    if (kind == SV_NUMBER_REPAIRED) {
        sv_edf_warn(r, "signal \"%s\": the %s \"%s\" is read as %g", label, fields[f].name, shown ? shown : "", *out);
    } else {
        sv_edf_warn(r, "signal \"%s\": the %s \"%s\" is not a number", label, fields[f].name, shown ? shown : "");
        *out = 0;
    }
    free(shown);
    return kind == SV_NUMBER_REPAIRED;
}

/* Reads the four limits; without a usable scale the signal keeps its digital values and is no voltage. */
static void read_scale(sv_recording *r, const header *h, int column, sv_signal *s, sv_edf_scale *scale) {
    double digital[2];
    bool ok = limit(r, h, PHYSICAL_MIN, column, s->label, &s->physical_min);
    ok = limit(r, h, PHYSICAL_MAX, column, s->label, &s->physical_max) && ok;
    ok = limit(r, h, DIGITAL_MIN, column, s->label, &digital[0]) && ok;
    ok = limit(r, h, DIGITAL_MAX, column, s->label, &digital[1]) && ok;
    for (int i = 0; i < 2; i++) {
        if (fabs(digital[i]) > INT_MAX || digital[i] != floor(digital[i])) {
            sv_edf_warn(r, "signal \"%s\": a digital limit is %g, which no sample can have", s->label, digital[i]);
            digital[i] = 0;
            ok = false;
        }
    }
    s->digital_min = (int)digital[0], s->digital_max = (int)digital[1];
    double width = digital[1] - digital[0], span = s->physical_max - s->physical_min;
    if (width < 0 && span != 0) {
        sv_edf_warn(
            r, "signal \"%s\": the digital minimum %d is above the maximum %d; the line through both limits is used",
            s->label, s->digital_min, s->digital_max);
    } else if (span < 0 && width != 0) {
        sv_edf_warn(r,
                    "signal \"%s\": the physical minimum %g is above the maximum %g: the signal is inverted, as stored",
                    s->label, s->physical_min, s->physical_max);
    }
    scale->usable = ok && width != 0 && span != 0 && isfinite(span / width);
    scale->gain = scale->usable ? span / width : 1;
    s->uv_per_unit = scale->usable ? sv_unit_to_uv(s->unit) : 0;
    if (!scale->usable) {
        sv_edf_warn(
            r,
            "signal \"%s\": its limits (physical %g to %g, digital %d to %d) give no scale; values are as stored, "
            "without a unit",
            s->label, s->physical_min, s->physical_max, s->digital_min, s->digital_max);
    }
}

static void read_signal(sv_recording *r, const header *h, int column, int samples) {
    sv_signal *s = &r->info.signals[r->info.n_signals];
    sv_edf_scale *scale = &r->scales[r->info.n_signals++];
    s->label = sv_edf_field_text(field(h, LABEL, column), 16);
    s->transducer = sv_edf_field_text(field(h, TRANSDUCER, column), 80);
    s->unit = sv_edf_field_text(field(h, UNIT, column), 8);
    s->prefilter = sv_edf_field_text(field(h, PREFILTER, column), 80);
    s->samples_per_record = samples;
    scale->column = column;
    if (!s->label || !s->transducer || !s->unit || !s->prefilter) {
        r->no_memory = true;
        return;
    }
    read_scale(r, h, column, s, scale);
    if (samples == 0) sv_edf_warn(r, "signal \"%s\" has no samples", s->label);
}

static bool is_annotation_label(const char *label) {
    return strncmp(label, "EDF Annotations ", 16) == 0 || strncmp(label, "BDF Annotations ", 16) == 0;
}

static sv_status read_signals(sv_recording *r, const header *h, sv_error *err) {
    size_t n = (size_t)h->n_signals;
    r->n_columns = h->n_signals;
    r->columns = sv_calloc(n, sizeof *r->columns);
    r->scales = sv_calloc(n, sizeof *r->scales);
    r->info.signals = sv_calloc(n, sizeof *r->info.signals);
    if (!r->columns || !r->scales || !r->info.signals) return sv_fail_memory(err, "signals", n * sizeof(sv_signal));
    for (int i = 0; i < h->n_signals; i++) {
        int64_t samples = 0;
        whole_number(field(h, SAMPLES, i), 8, 0, INT_MAX, &samples);
        /* at most 4096 * 2^31 * 3 bytes: no overflow */
        r->columns[i] = (sv_edf_column){.offset = r->record_bytes,
                                        .n_bytes = samples * r->sample_bytes,
                                        .is_annotation = is_annotation_label(field(h, LABEL, i))};
        r->record_bytes += r->columns[i].n_bytes;
        if (!r->columns[i].is_annotation) read_signal(r, h, i, (int)samples);
    }
    bool plain = r->info.format == SV_FORMAT_EDF || r->info.format == SV_FORMAT_BDF;
    if (plain && r->info.n_signals < r->n_columns) {
        sv_edf_warn(r, "the file has annotation signals, but its header does not say EDF+ or BDF+; they are read");
    }
    return SV_OK;
}

/* A file that passed through a text-mode transfer has CR before every LF, and no sample is where it should be. */
static sv_status refuse_text_mode(const sv_recording *r, sv_error *err) {
    int64_t n = SV_MIN(SV_EDF_BLOCK_BYTES, r->file_bytes);
    sv_status status = sv_edf_read_bytes(r, 0, n, r->block, err);
    int n_lf = 0;
    for (int64_t i = 0; i < n && !status; i++) {
        if (r->block[i] != '\n') continue;
        if (i == 0 || r->block[i - 1] != '\r') return SV_OK;
        n_lf++;
    }
    if (status || n_lf < 32) return status;
    return sv_fail(err, SV_ERR_INPUT,
                   "damaged by a transfer in text mode: each of the first %d line feeds has a carriage "
                   "return before it, and the size does not fit the header; copy the file again in binary mode",
                   n_lf);
}

static sv_status count_records(sv_recording *r, const header *h, sv_error *err) {
    const char *text = h->fixed + AT_N_RECORDS;
    int64_t data_bytes = r->file_bytes - r->data_offset, stated = 0;
    int64_t whole = r->record_bytes ? data_bytes / r->record_bytes : 0;
    int64_t rest = r->record_bytes ? data_bytes % r->record_bytes : data_bytes;
    bool has_stated = whole_number(text, 8, -1, 99999999, &stated);
    if (rest != 0) {
        sv_status status = refuse_text_mode(r, err);
        if (status) return status;
    }
    r->info.n_records = whole;
    if (!has_stated) {
        sv_edf_warn(r, "the number of data records reads \"%.8s\"; by its size the file has %lld", text,
                    (long long)whole);
    } else if (stated == -1) {
        sv_edf_warn(r,
                    "the recording was not closed properly (number of data records -1); by its size the file has %lld",
                    (long long)whole);
    } else if (stated > whole) {
        sv_edf_warn(r, "the file is cut off: %lld of %lld data records are whole and are used", (long long)whole,
                    (long long)stated);
    } else if (stated < whole && (rest == 0 || stated == 0)) {
        sv_edf_warn(r, "the header says %lld data records; the file has %lld, which are used", (long long)stated,
                    (long long)whole);
    } else {
        r->info.n_records = stated;
        rest = data_bytes - stated * r->record_bytes;
    }
    if (rest > 0) {
        sv_edf_warn(r, "the last %lld bytes of the file belong to no whole data record and are not used",
                    (long long)rest);
    }
    for (int i = 0; i < r->info.n_signals; i++) {
        r->info.signals[i].n_samples = r->info.n_records * r->info.signals[i].samples_per_record;
    }
    return SV_OK;
}

static void read_record_duration(sv_recording *r, const header *h) {
    double *duration = &r->info.record_duration_s;
    sv_edf_number_kind kind = sv_edf_number(h->fixed + AT_DURATION, 8, duration);
    if (kind == SV_NUMBER_BAD) *duration = 0;
    if (kind == SV_NUMBER_REPAIRED) {
        sv_edf_warn(r, "the duration of a data record, \"%.8s\", is read as %g s", h->fixed + AT_DURATION, *duration);
    }
}

sv_status sv_edf_read_header(sv_recording *r, sv_error *err) {
    header h = {0};
    int64_t n = SV_MIN(r->file_bytes, FIXED_BYTES);
    sv_status status = sv_edf_read_bytes(r, 0, n, (unsigned char *)h.fixed, err);
    if (status) return status;
    if (n < FIXED_BYTES && h.fixed[0] != '0' && (unsigned char)h.fixed[0] != 0xFF)
        return refuse_kind(h.fixed, (size_t)n, err);
    if (n < FIXED_BYTES) {
        return sv_fail_at(err, SV_ERR_INPUT, n, "the header is cut off: it has at least 512 bytes, the file has %d",
                          (int)n);
    }
    status = read_kind(r, &h, err);
    if (!status) status = read_signal_part(r, &h, err);
    if (status) goto done;
    r->data_offset = FIXED_BYTES + (int64_t)h.n_signals * SIGNAL_BYTES;
    r->info.patient = sv_edf_field_text(h.fixed + AT_PATIENT, 80);
    r->info.recording = sv_edf_field_text(h.fixed + AT_RECORDING, 80);
    if (!r->info.patient || !r->info.recording) {
        status = sv_fail_memory(err, "header text", 160);
        goto done;
    }
    sv_edf_read_start(r, h.fixed + AT_DATE, h.fixed + AT_TIME);
    read_record_duration(r, &h);
    status = read_signals(r, &h, err);
    if (!status) status = count_records(r, &h, err);
done:
    free(h.signals);
    return status;
}
