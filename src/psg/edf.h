/*
 * edf.h - inside of an open recording, shared by the files that read it. Not for other modules: use recording.h.
 *
 * A data record holds one slice of every column (signal) in file order; slice c of record r begins at byte
 * data_offset + r * record_bytes + columns[c].offset.
 */
#ifndef SV_PSG_EDF_H
#define SV_PSG_EDF_H

#include "psg/recording.h"

#define SV_EDF_MAX_SIGNALS 4096
#define SV_EDF_MAX_WARNINGS 100
#define SV_EDF_BLOCK_BYTES ((int64_t)1 << 20)

/* A signal as it lies in the file, annotation signals included. */
typedef struct sv_edf_column {
    int64_t offset, n_bytes; /* of its slice in a data record */
    bool is_annotation;
} sv_edf_column;

/* physical = physical_min + (digital - digital_min) * gain; without a usable scale, physical = digital. */
typedef struct sv_edf_scale {
    bool usable;
    double gain;
    int column;
} sv_edf_scale;

struct sv_recording {
    sv_recording_info info;
    int fd, sample_bytes; /* 2 (EDF) or 3 (BDF) */
    int64_t file_bytes, data_offset, record_bytes;
    int n_columns;
    sv_edf_column *columns; /* [n_columns] */
    sv_edf_scale *scales;   /* [info.n_signals] */
    unsigned char *block;   /* [SV_EDF_BLOCK_BYTES] */
    size_t warnings_capacity;
    bool no_memory; /* a warning or a text could not be stored */
};

/* Reads and repairs the header: fills everything in r but annotations, segments, duration and the fraction of start. */
sv_status sv_edf_read_header(sv_recording *r, sv_error *err);

/* Reads the annotation signals: fills annotations, segments, duration and the fraction of start; settles a record
 * duration that the header leaves open. */
sv_status sv_edf_read_annotations(sv_recording *r, sv_error *err);

/* Reads exactly n bytes at `offset`. SV_ERR_INPUT when they are not there. */
sv_status sv_edf_read_bytes(const sv_recording *r, int64_t offset, int64_t n, unsigned char *out, sv_error *err);

/* True when slices of a column lie so near each other that reading what is between them costs less than a system call
 * for each. */
bool sv_edf_is_dense(const sv_recording *r, const sv_edf_column *column);

/* Adds a warning to info; further ones than SV_EDF_MAX_WARNINGS are dropped and that is said. */
void sv_edf_warn(sv_recording *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Sets start from the 8-byte date and time fields and the recording field; warns about what is unusable. */
void sv_edf_read_start(sv_recording *r, const char date[8], const char time[8]);

/* Moves a known start by whole seconds. */
void sv_start_time_add(sv_start_time *start, int64_t seconds);

/* n bytes of text as UTF-8 in new memory (free), NULL without memory: valid UTF-8 is kept (a sequence cut at the end is
 * dropped), anything else is decoded as Latin-1. */
char *sv_edf_text(const void *bytes, size_t n);

/* The same for a header field: NUL and control bytes count as spaces, trimmed at both ends. */
char *sv_edf_field_text(const void *bytes, size_t n);

/* A number as headers hold it, by the rules of C in any locale. What was odd about it is said, so that callers warn. */
typedef enum sv_edf_number_kind { SV_NUMBER_CLEAN, SV_NUMBER_REPAIRED, SV_NUMBER_BAD } sv_edf_number_kind;
sv_edf_number_kind sv_edf_number(const char *field, size_t n, double *out);

#endif
