/* fuzz_safetensors.c - any bytes as a tensor file; what is accepted is read to its last element. */
#define _GNU_SOURCE /* memfd_create */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "model/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    int fd = memfd_create("tensors", MFD_CLOEXEC);
    char path[64];
    sv_tensor_file *f;
    if (fd < 0 || write(fd, data, size) != (ssize_t)size) abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (sv_tensor_file_open(path, &f, NULL) == SV_OK) {
        for (size_t i = 0; i < sv_tensor_count(f); i++) {
            const sv_tensor *t = sv_tensor_at(f, i);
            size_t n = t->n_bytes / sv_dtype_size(t->dtype);
            float value;
            if (sv_tensor_find(f, t->name) != t) abort();
            if (t->dtype <= SV_BF16 && n) {
                sv_tensor_read_f32(t, 0, 1, &value);
                sv_tensor_read_f32(t, n - 1, 1, &value);
            }
        }
        sv_tensor_file_close(f);
    }
    close(fd);
    return 0;
}
