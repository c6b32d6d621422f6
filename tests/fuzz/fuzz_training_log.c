/* fuzz_training_log.c - any bytes as the log of a training run: steps rise, and sums over it are made. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "report/training_log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char path[] = "/tmp/sv-fuzz-training-log-XXXXXX";

static void remove_file(void) { unlink(path); }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static int file = -1;
    sv_training_log log;
    if (file < 0) {
        file = mkstemp(path);
        if (file < 0) abort();
        atexit(remove_file);
    }
    if (ftruncate(file, 0) != 0 || pwrite(file, data, size, 0) != (ssize_t)size) abort();
    if (sv_training_log_load(path, &log, NULL) != SV_OK) return 0;
    for (size_t i = 1; i < log.n_updates; i++) {
        if (log.updates[i].step <= log.updates[i - 1].step) abort();
    }
    for (size_t i = 1; i < log.n_evaluations; i++) {
        if (log.evaluations[i].step <= log.evaluations[i - 1].step) abort();
    }
    sv_training_progress progress = sv_training_log_progress(&log);
    if (log.n_updates == 0 || progress.n_mean < 1 || progress.n_mean > log.n_updates) abort();
    sv_training_log_free(&log);
    return 0;
}
