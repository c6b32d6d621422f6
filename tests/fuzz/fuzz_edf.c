/* fuzz_edf.c - any bytes as an EDF file: open, then read the ends and the middle of every signal. */
#define _GNU_SOURCE
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/memory.h"
#include "psg/recording.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_time_line(const sv_recording_info *info) {
    int64_t n_records = 0;
    double end_s = 0;
    for (int i = 0; i < info->n_segments; i++) {
        const sv_segment *s = &info->segments[i];
        if (s->first_record != n_records || s->start_s < end_s - 1e-6 * (1 + end_s)) abort();
        n_records += s->n_records;
        end_s = s->start_s + s->duration_s;
    }
    if (n_records != info->n_records || !isfinite(info->duration_s)) abort();
    for (int i = 1; i < info->n_annotations; i++) {
        if (info->annotations[i].onset_s < info->annotations[i - 1].onset_s) abort();
    }
}

static void read_signals(sv_recording *recording, const sv_recording_info *info) {
    enum { WINDOW = 300 };
    double samples[WINDOW];
    for (int i = 0; i < info->n_signals; i++) {
        int64_t n = info->signals[i].n_samples, take = SV_MIN(n, WINDOW);
        const int64_t starts[] = {0, (n - take) / 2, n - take};
        for (size_t k = 0; k < SV_COUNT(starts); k++) {
            if (sv_recording_read(recording, i, starts[k], take, samples, NULL)) abort();
            bool is_voltage = info->signals[i].uv_per_unit != 0;
            if (!sv_recording_read_uv(recording, i, starts[k], take, samples, NULL) != is_voltage) abort();
        }
        if (sv_recording_read(recording, i, n, 1, samples, NULL) != SV_ERR_USAGE) abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char path[64];
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size) abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    sv_recording *recording;
    sv_error err = {0};
    if (sv_recording_open(path, &recording, &err) == SV_OK) {
        const sv_recording_info *info = sv_recording_get_info(recording);
        check_time_line(info);
        read_signals(recording, info);
        sv_recording_close(recording);
    } else if (!err.message[0]) {
        abort();
    }
    close(fd);
    return 0;
}
