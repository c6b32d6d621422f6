/*
 * edf_writer.h - EDF, EDF+, BDF and BDF+ files for tests, made in memory so that a test can break single bytes.
 *
 * Describe the signals, call edf_begin, edf_record for each data record, then edf_save. Header fields are written as
 * the text given, so that they may be wrong. Memory is freed by edf_free. Allocation failure ends the test program.
 */
#ifndef SV_EDF_WRITER_H
#define SV_EDF_WRITER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct edf_signal {
    const char *label, *unit;
    const char *physical_min, *physical_max; /* NULL: -1000, 1000 */
    const char *digital_min, *digital_max;   /* NULL: the whole range of the format */
    int samples_per_record;                  /* of an annotation signal: bytes / sample size */
} edf_signal;

typedef struct edf_file {
    bool bdf;
    const char *reserved;                          /* "", "EDF+C", "BDF+D", ... */
    const char *patient, *recording, *date, *time; /* NULL: a valid one */
    const char *duration;                          /* of a record; NULL: "1" */
    const edf_signal *signals;
    int n_signals;
    unsigned char *bytes; /* the file so far */
    size_t n_bytes, capacity;
    int n_records;
} edf_file;

/* Offsets of header fields, for edf_put. */
enum {
    EDF_AT_PATIENT = 8,
    EDF_AT_RECORDING = 88,
    EDF_AT_DATE = 168,
    EDF_AT_TIME = 176,
    EDF_AT_HEADER_BYTES = 184,
    EDF_AT_RESERVED = 192,
    EDF_AT_N_RECORDS = 236,
    EDF_AT_DURATION = 244,
    EDF_AT_N_SIGNALS = 252
};

static inline void edf_append(edf_file *f, const void *bytes, size_t n) {
    if (f->n_bytes + n > f->capacity) {
        f->capacity = 2 * (f->n_bytes + n);
        f->bytes = realloc(f->bytes, f->capacity);
        if (!f->bytes) abort();
    }
    memcpy(f->bytes + f->n_bytes, bytes, n);
    f->n_bytes += n;
}

/* Overwrites `width` bytes at `at` with text, padded with spaces. */
static inline void edf_put(edf_file *f, size_t at, const char *text, size_t width) {
    memset(f->bytes + at, ' ', width);
    memcpy(f->bytes + at, text, strnlen(text, width));
}

static inline void edf_field(edf_file *f, const char *text, size_t width) {
    for (size_t i = 0; i < width; i++) edf_append(f, " ", 1);
    edf_put(f, f->n_bytes - width, text, width);
}

/* Offset of a signal's field whose column starts at `column` bytes a signal and is `width` wide: label 0, 16;
 * transducer 16, 80; unit 96, 8; physical min 104, max 112; digital min 120, max 128; prefilter 136, 80; samples 216.
 */
static inline size_t edf_signal_at(const edf_file *f, int column, int width, int signal) {
    return 256 + (size_t)column * (size_t)f->n_signals + (size_t)width * (size_t)signal;
}

static inline void edf_begin(edf_file *f) {
    char number[32];
    edf_append(f,
               f->bdf ? "\xFF"
                        "BIOSEMI"
                      : "0       ",
               8);
    edf_field(f, f->patient ? f->patient : "X X X X", 80);
    edf_field(f, f->recording ? f->recording : "Startdate 01-FEB-2020 X X X", 80);
    edf_field(f, f->date ? f->date : "01.02.20", 8);
    edf_field(f, f->time ? f->time : "22.30.00", 8);
    snprintf(number, sizeof number, "%d", 256 * (f->n_signals + 1));
    edf_field(f, number, 8);
    edf_field(f, f->reserved ? f->reserved : "", 44);
    edf_field(f, "0", 8);
    edf_field(f, f->duration ? f->duration : "1", 8);
    snprintf(number, sizeof number, "%d", f->n_signals);
    edf_field(f, number, 4);
    static const int widths[] = {16, 80, 8, 8, 8, 8, 8, 80, 8, 32};
    for (int c = 0; c < 10; c++) {
        for (int i = 0; i < f->n_signals; i++) {
            const edf_signal *s = &f->signals[i];
            snprintf(number, sizeof number, "%d", s->samples_per_record);
            bool annotations = strstr(s->label, "DF Annotations") != NULL;
            const char *texts[] = {s->label,
                                   annotations ? "" : "AgAgCl electrode",
                                   s->unit ? s->unit : "",
                                   s->physical_min ? s->physical_min : "-1000",
                                   s->physical_max ? s->physical_max : "1000",
                                   s->digital_min ? s->digital_min
                                   : f->bdf       ? "-8388608"
                                                  : "-32768",
                                   s->digital_max ? s->digital_max
                                   : f->bdf       ? "8388607"
                                                  : "32767",
                                   annotations ? "" : "HP:0.1Hz LP:75Hz",
                                   number,
                                   ""};
            edf_field(f, texts[c], (size_t)widths[c]);
        }
    }
}

/* The digital value that edf_record stores: all bits change, the range of 16 or 24 bits is used. */
static inline int32_t edf_sample(const edf_file *f, int signal, int64_t index) {
    uint32_t x = (uint32_t)index * 2654435761u + (uint32_t)signal * 40503u;
    x ^= x >> 15;
    return f->bdf ? (int32_t)(x & 0xFFFFFF) - 0x800000 : (int32_t)(x & 0xFFFF) - 0x8000;
}

/* Appends a data record. Annotation signal number k takes tals[k] (tal_bytes[k] bytes, cut or padded with 0). */
static inline void edf_record(edf_file *f, const char *const *tals, const size_t *tal_bytes) {
    size_t width = f->bdf ? 3 : 2;
    int k = 0;
    for (int i = 0; i < f->n_signals; i++) {
        int n = f->signals[i].samples_per_record;
        if (strstr(f->signals[i].label, "DF Annotations")) {
            size_t room = (size_t)n * width, used = tal_bytes[k] < room ? tal_bytes[k] : room;
            edf_append(f, tals[k++], used);
            for (size_t b = used; b < room; b++) edf_append(f, "", 1);
            continue;
        }
        for (int j = 0; j < n; j++) {
            uint32_t v = (uint32_t)edf_sample(f, i, (int64_t)f->n_records * n + j);
            unsigned char bytes[3] = {(unsigned char)v, (unsigned char)(v >> 8), (unsigned char)(v >> 16)};
            edf_append(f, bytes, width);
        }
    }
    f->n_records++;
    char number[32];
    snprintf(number, sizeof number, "%d", f->n_records);
    edf_put(f, EDF_AT_N_RECORDS, number, 8);
}

/* As edf_record with one annotation signal: the record's time, then at most one TAL more ("" = none). */
static inline void edf_record_at(edf_file *f, const char *time, const char *more) {
    char text[512];
    int n = snprintf(text, sizeof text, "%s\x14\x14%c%s", time, 0, more);
    const char *tals[] = {text};
    const size_t sizes[] = {(size_t)n};
    edf_record(f, tals, sizes);
}

static inline void edf_save(const edf_file *f, const char *path) {
    FILE *out = fopen(path, "wb");
    if (!out || fwrite(f->bytes, 1, f->n_bytes, out) != f->n_bytes || fclose(out)) abort();
}

static inline void edf_free(edf_file *f) {
    free(f->bytes);
    f->bytes = NULL;
    f->n_bytes = f->capacity = 0;
}

#endif
