/*
 * fuzz_merge.c - an adapter for a small base: a line with adapter_config.json, a line with the header of its tensors,
 * then their data. What is accepted is planned and, when it fits, merged into a folder that must open again.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "model/merge_weights.h"
#include "model/random_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[] = "/tmp/sv-fuzz-merge-XXXXXX";

static const char *place(const char *name) {
    static char ring[4][96];
    static int next;
    char *path = ring[next++ & 3];
    snprintf(path, sizeof ring[0], "%s/%s", folder, name);
    return path;
}

/* Bases in 16 and in four bits. */
static struct base {
    const char *name;
    sv_dtype dtype, merged; /* of the base, of the result */
    sv_tensor_file *file;
    sv_quantisation quantisation;
    sv_model_config config;
} bases[] = {{.name = "plain", .dtype = SV_F16, .merged = SV_F16},
             {.name = "packed", .dtype = SV_I32, .merged = SV_BF16}};

#define N_BASES (sizeof bases / sizeof bases[0])

static void close_bases(void) {
    for (size_t i = 0; i < N_BASES; i++) sv_tensor_file_close(bases[i].file);
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", folder);
    if (system(command) != 0) perror(folder);
}

static void make_bases(void) {
    if (!mkdtemp(folder) || mkdir(place("adapter"), 0777) != 0 || mkdir(place("merged"), 0777) != 0) abort();
    atexit(close_bases);
    for (size_t i = 0; i < N_BASES; i++) {
        struct base *b = &bases[i];
        const sv_random_model_options options = {
            .shape = sv_model_shape_find("tiny"), .dtype = b->dtype, .seed = 1, .n_threads = 1};
        const char *path = place(b->name);
        if (mkdir(path, 0777) != 0 || sv_random_model_write(path, &options, NULL) ||
            sv_tensor_folder_open(path, &b->file, NULL) || sv_quantisation_load(path, &b->quantisation, NULL) ||
            sv_model_config_load(path, &b->config, NULL)) {
            abort();
        }
    }
}

static void put(const char *name, const void *first, size_t n_first, const void *rest, size_t n_rest) {
    FILE *f = fopen(place(name), "wb");
    if (!f || fwrite(first, 1, n_first, f) != n_first || fwrite(rest, 1, n_rest, f) != n_rest || fclose(f) != 0) {
        abort();
    }
}

static void merge(const struct base *b, const sv_adapter *adapter) {
    sv_error err = {0};
    sv_merge_plan *plan;
    sv_tensor_file *file;
    const sv_merge_source source = {.file = b->file,
                                    .quantisation = &b->quantisation,
                                    .adapter = adapter,
                                    .config = &b->config,
                                    .dtype = b->merged,
                                    .convert_all = b->merged == SV_F16};
    if (sv_merge_plan_new(&source, &plan, &err) != SV_OK) {
        if (err.message[0] == 0) abort();
        return;
    }
    sv_merge_counts counts = sv_merge_plan_counts(plan);
    if (counts.n_adapted != sv_adapter_count(adapter)) abort();
    if (sv_merge_plan_write(plan, place("merged"), 0, NULL, NULL, NULL, &err) == SV_OK) {
        if (sv_tensor_folder_open(place("merged"), &file, &err) || sv_tensor_count(file) != counts.n_tensors) abort();
        sv_tensor_file_close(file);
    } else if (err.message[0] == 0) {
        abort();
    }
    sv_merge_plan_free(plan);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static bool made;
    if (!made) make_bases();
    made = true;
    const uint8_t *line = memchr(data, '\n', size);
    if (!line) return 0;
    const uint8_t *header = line + 1, *end = data + size, *stop = memchr(header, '\n', (size_t)(end - header));
    if (!stop) return 0;
    uint64_t header_len = (uint64_t)(stop - header);
    unsigned char *tensors = malloc(8 + (size_t)header_len);
    if (!tensors) abort();
    for (int i = 0; i < 8; i++) tensors[i] = (unsigned char)(header_len >> 8 * i);
    memcpy(tensors + 8, header, (size_t)header_len);
    put("adapter/adapter_config.json", data, (size_t)(line - data), "", 0);
    put("adapter/adapter_model.safetensors", tensors, 8 + (size_t)header_len, stop + 1, (size_t)(end - stop - 1));
    free(tensors);
    sv_adapter *adapter;
    if (sv_adapter_open(place("adapter"), &adapter, NULL) != SV_OK) return 0;
    for (size_t i = 0; i < N_BASES; i++) merge(&bases[i], adapter);
    sv_adapter_close(adapter);
    return 0;
}
