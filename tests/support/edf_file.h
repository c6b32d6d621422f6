/* edf_file.h - writes a small EDF or EDF+D file of 16-bit samples, 0.1 uV a unit, for tests. */
#ifndef SV_TEST_EDF_FILE_H
#define SV_TEST_EDF_FILE_H

#include "support/test.h"

typedef struct edf_signal {
    const char *label;
    int samples_per_record; /* records of 1 s */
    const double *uv;       /* [n_records * samples_per_record], within +-3000 */
} edf_signal;

static inline void edf_text(FILE *f, const char *text, int width) { fprintf(f, "%-*.*s", width, width, text); }

/* onsets_s: [n_records] of an EDF+D file; NULL writes plain EDF. */
static inline void edf_write(const char *path, const edf_signal *signals, int n_signals, int n_records,
                             const double *onsets_s) {
    static const int tal_samples = 16;
    int n = n_signals + (onsets_s != NULL);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    char number[32];
    edf_text(f, "0", 8);
    edf_text(f, onsets_s ? "X X X X" : "test", 80);
    edf_text(f, onsets_s ? "Startdate 02-FEB-2023 X X X" : "test", 80);
    edf_text(f, "02.02.2322.00.00", 16);
    snprintf(number, sizeof number, "%d", 256 * (n + 1));
    edf_text(f, number, 8);
    edf_text(f, onsets_s ? "EDF+D" : "", 44);
    snprintf(number, sizeof number, "%d", n_records);
    edf_text(f, number, 8);
    edf_text(f, "1", 8);
    snprintf(number, sizeof number, "%d", n);
    edf_text(f, number, 4);
    for (int i = 0; i < n; i++) edf_text(f, i < n_signals ? signals[i].label : "EDF Annotations", 16);
    for (int i = 0; i < n; i++) edf_text(f, "", 80);
    for (int i = 0; i < n; i++) edf_text(f, i < n_signals ? "uV" : "", 8);
    for (int i = 0; i < n; i++) edf_text(f, i < n_signals ? "-3276.8" : "-1", 8);
    for (int i = 0; i < n; i++) edf_text(f, i < n_signals ? "3276.7" : "1", 8);
    for (int i = 0; i < n; i++) edf_text(f, "-32768", 8);
    for (int i = 0; i < n; i++) edf_text(f, "32767", 8);
    for (int i = 0; i < n; i++) edf_text(f, "", 80);
    for (int i = 0; i < n; i++) {
        snprintf(number, sizeof number, "%d", i < n_signals ? signals[i].samples_per_record : tal_samples);
        edf_text(f, number, 8);
    }
    for (int i = 0; i < n; i++) edf_text(f, "", 32);
    for (int r = 0; r < n_records; r++) {
        for (int i = 0; i < n_signals; i++) {
            for (int k = 0; k < signals[i].samples_per_record; k++) {
                double v = signals[i].uv[r * signals[i].samples_per_record + k] * 10;
                int d = (int)(v < 0 ? v - 0.5 : v + 0.5);
                fputc(d & 255, f);
                fputc((d >> 8) & 255, f);
            }
        }
        if (!onsets_s) continue;
        char tal[64] = {0};
        snprintf(tal, sizeof tal, "+%g\x14\x14", onsets_s[r]);
        fwrite(tal, 1, (size_t)tal_samples * 2, f);
    }
    assert_int_equal(fclose(f), 0);
}

#endif
