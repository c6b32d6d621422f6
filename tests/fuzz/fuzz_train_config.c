/* fuzz_train_config.c - any bytes as the YAML of a training run: what is taken can be written down and read again. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "train/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char path[] = "/tmp/sv-fuzz-train-config-XXXXXX";

static void remove_file(void) { unlink(path); }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static int file = -1;
    sv_train_config config;
    if (file < 0) {
        file = mkstemp(path);
        if (file < 0) abort();
        atexit(remove_file);
    }
    if (ftruncate(file, 0) != 0 || pwrite(file, data, size, 0) != (ssize_t)size) abort();
    if (sv_train_config_new(&config, NULL) != SV_OK) abort();
    if (sv_train_config_load(&config, path, NULL) == SV_OK) {
        json_t *all = sv_train_config_to_json(&config);
        if (!all || json_object_size(all) < 10 || config.max_steps < 0 || config.heads.n > config.heads.capacity) abort();
        json_decref(all);
    }
    sv_train_config_free(&config);
    return 0;
}
