/*
 * fuzz_quantised.c - four-bit weights: a line with quantization_config, a line with the header of a tensor file, then
 * its data. What is bound is unpacked to its last number, each way.
 */
#define _GNU_SOURCE /* memfd_create */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/memory.h"
#include "model/quantised.h"
#include "tensor/unpack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_ELEMENTS ((size_t)1 << 20)

static char folder[] = "/tmp/sv-fuzz-quantised-XXXXXX";

static void remove_folder(void) {
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", folder);
    if (system(command) != 0) perror(folder);
}

static void put_config(const char *line, size_t len) {
    char path[64];
    snprintf(path, sizeof path, "%s/config.json", folder);
    FILE *f = fopen(path, "wb");
    if (!f || fprintf(f, "{\"quantization_config\": %.*s}", (int)len, line) < 0 || fclose(f) != 0) abort();
}

static void assert_same(float a, float b) {
    if (!(a <= b && a >= b) && !(isnan(a) && isnan(b))) abort();
}

/* The block by every instruction set that is there. */
static void unpack_block(const sv_matrix *m, size_t first, size_t n_rows, size_t first_k, size_t n_k, float *panel) {
    _Alignas(64) static float other[64 * 32];
    sv_isa_use("ref");
    sv_unpack(m, first, n_rows, first_k, n_k, panel);
    for (int isa = SV_ISA_REF + 1; isa < SV_N_ISAS; isa++) {
        if (!sv_isa_use(sv_isa_name((sv_isa)isa))) continue;
        sv_unpack(m, first, n_rows, first_k, n_k, other);
        for (size_t i = 0; i < n_k * 32; i++) assert_same(panel[i], other[i]);
    }
}

/* Rows and blocks must be the same numbers. */
static void unpack(const sv_matrix *m) {
    _Alignas(64) static float panel[64 * 32];
    float *row = sv_alloc_aligned(m->n_in, sizeof *row);
    if (!row) return;
    for (size_t first = 0; first < m->n_out; first += 32) {
        size_t n_rows = SV_MIN((size_t)32, m->n_out - first), last_k = (m->n_in - 1) / SV_UNPACK_STEP * SV_UNPACK_STEP;
        size_t n_k = SV_MIN(m->n_in - last_k, (size_t)64);
        unpack_block(m, first, n_rows, last_k, n_k, panel);
        sv_matrix_read_row(m, first, row);
        for (size_t k = 0; k < n_k; k++) assert_same(row[last_k + k], panel[k * 32]);
        unpack_block(m, first, n_rows, 0, SV_MIN(m->n_in, (size_t)64), panel);
    }
    free(row);
}

static void bind(const char *path, const sv_quantisation *q) {
    sv_tensor_file *f;
    sv_matrix m;
    sv_error err;
    if (sv_tensor_file_open(path, &f, &err)) return;
    const sv_tensor *words = sv_tensor_find(f, "m.qweight");
    size_t n_in, n_out = words && words->n_dims == 2 ? (size_t)words->shape[1] : 8;
    if (!words || words->n_dims != 2 || !sv_mul_size((size_t)words->shape[0], 8, &n_in)) n_in = 64;
    if (sv_quantised_bind(f, q, "m", n_out, n_in, &m, &err) == SV_OK) {
        if (m.n_in != n_in || m.n_out != n_out || m.group == 0 || sv_matrix_bytes(&m) == 0) abort();
        if (n_in <= MAX_ELEMENTS / n_out) unpack(&m);
    } else if (err.message[0] == 0) {
        abort();
    }
    sv_tensor_file_close(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static bool made;
    sv_quantisation q;
    if (!made) {
        if (!mkdtemp(folder)) abort();
        atexit(remove_folder);
        made = true;
    }
    const uint8_t *line = memchr(data, '\n', size);
    if (!line) return 0;
    put_config((const char *)data, (size_t)(line - data));
    if (sv_quantisation_load(folder, &q, NULL) != SV_OK) return 0;
    const uint8_t *header = line + 1, *end = data + size, *stop = memchr(header, '\n', (size_t)(end - header));
    if (!stop) return 0;
    uint64_t header_len = (uint64_t)(stop - header);
    char path[64];
    int fd = memfd_create("tensors", MFD_CLOEXEC);
    if (fd < 0 || write(fd, &header_len, 8) != 8 || write(fd, header, (size_t)header_len) != (ssize_t)header_len ||
        write(fd, stop + 1, (size_t)(end - stop - 1)) != end - stop - 1)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    bind(path, &q);
    close(fd);
    return 0;
}
