/*
 * recording.h - an EDF, EDF+, BDF or BDF+ file, opened for streaming: what it holds, and samples in microvolts.
 *
 * Format: Kemp & Olivan 2003 (EDF+), Kemp et al. 1992 (EDF), BioSemi's BDF (24-bit). Deviations from the standard are
 * repaired where the meaning is certain (each repair leaves a warning) and refused, with the reason, where it is not.
 */
#ifndef SV_PSG_RECORDING_H
#define SV_PSG_RECORDING_H

#include "base/status.h"

typedef struct sv_recording sv_recording;

typedef enum sv_recording_format {
    SV_FORMAT_EDF,
    SV_FORMAT_EDF_PLUS_C,
    SV_FORMAT_EDF_PLUS_D,
    SV_FORMAT_BDF,
    SV_FORMAT_BDF_PLUS_C,
    SV_FORMAT_BDF_PLUS_D
} sv_recording_format;

/* One ordinary signal (annotation signals are not listed). Text is UTF-8, trimmed. */
typedef struct sv_signal {
    char *label, *transducer, *unit, *prefilter;
    double physical_min, physical_max; /* in `unit` */
    int digital_min, digital_max;
    int samples_per_record;
    double rate_hz;     /* samples_per_record / record duration; need not be an integer */
    int64_t n_samples;  /* in the whole file */
    double uv_per_unit; /* factor from `unit` to microvolts; 0 when the unit is not a voltage (ohm, %, degrees, ...),
                           when the header leaves it blank (unit is ""), or when the limits give no scale (warned) */
} sv_signal;

/* A stretch without gaps. Times are seconds from the start of the recording (info.start, including its fraction). */
typedef struct sv_segment {
    double start_s, duration_s;
    int64_t first_record, n_records;
} sv_segment;

typedef struct sv_annotation {
    double onset_s;    /* from the start of the recording */
    double duration_s; /* -1 when the file gives none */
    char *text;        /* UTF-8 */
} sv_annotation;

/* Civil time of the first sample as written in the header, no time zone; moved on when the first EDF+ record says that
 * it begins whole seconds later. `known` is false when the header's date or time is unusable. */
typedef struct sv_start_time {
    bool known;
    int year, month, day, hour, minute, second;
    double fraction_s; /* [0, 1): EDF+ sub-second start, from the first time-keeping annotation */
} sv_start_time;

typedef struct sv_recording_info {
    char *path;
    sv_recording_format format;
    char *patient, *recording; /* the two identification fields, UTF-8 */
    sv_start_time start;
    double record_duration_s;
    int64_t n_records;
    double duration_s; /* from the first sample to the end of the last, gaps included */
    int n_signals;
    sv_signal *signals; /* [n_signals] */
    int n_segments;
    sv_segment *segments; /* [n_segments], in time order, at least one when n_records > 0 */
    int n_annotations;
    sv_annotation *annotations; /* [n_annotations], by onset, without time-keeping entries */
    int n_warnings;
    char **warnings; /* repairs made and oddities seen, one sentence each */
} sv_recording_info;

/* Opens and checks the file and reads its annotations; signal data is not read. SV_ERR_INPUT with offset when it cannot
 * be understood. */
sv_status sv_recording_open(const char *path, sv_recording **out, sv_error *err);
void sv_recording_close(sv_recording *recording);

/* Borrowed; valid until close. */
const sv_recording_info *sv_recording_get_info(const sv_recording *recording);

/* Samples [first, first + n) of a signal, counted through the file (records joined, gaps not counted), in the signal's
 * own unit (physical value; the digital value when the limits give no scale), or in microvolts. Values beyond
 * the limits of the header are kept, not clipped. out: [n]. Reads record by record: memory does not grow with the file.
 * SV_ERR_USAGE when the range lies outside the signal, SV_ERR_UNSUPPORTED for microvolts of a signal without a voltage
 * unit. Not safe for several threads on one sv_recording. */
sv_status sv_recording_read(sv_recording *recording, int signal, int64_t first, int64_t n, double *out, sv_error *err);
sv_status sv_recording_read_uv(sv_recording *recording, int signal, int64_t first, int64_t n, double *out,
                               sv_error *err);

/* Factor from a unit as written in a header (V, mV, uV, the micro signs U+00B5 and U+03BC, Latin-1 B5, "microvolt",
 * ...) to microvolts; 0 when it is not a voltage. */
double sv_unit_to_uv(const char *unit);

#endif
