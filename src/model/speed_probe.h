/*
 * speed_probe.h - how fast this machine multiplies by layers of a model's sizes and types, measured in a moment on
 * made-up weights, for estimates before a model is loaded.
 */
#ifndef SV_MODEL_SPEED_PROBE_H
#define SV_MODEL_SPEED_PROBE_H

#include "base/threads.h"
#include "model/config.h"
#include "tensor/dtype.h"

/* Answers that are written together in the measurement of a batch. */
#define SV_PROBE_BATCH 16

/* FLOP/s, a multiply-add counting as two. */
typedef struct sv_machine_speed {
    double vision; /* many rows at a time, a layer of the vision tower */
    double read;   /* many rows, a layer of the decoder */
    double write;  /* one row, a layer of the decoder: limited by the way of the weights from memory */
    double head;   /* one row, the head */
    double batch;  /* SV_PROBE_BATCH rows, a layer of the decoder */
    int n_threads;
} sv_machine_speed;

/* Which types the layers have. SV_I32 = four-bit with `group` inputs a scale. */
typedef struct sv_layer_types {
    sv_dtype vision, text, head;
    size_t group;
} sv_layer_types;

/* Takes about 2 s, and at most 600 MB for that time. */
sv_status sv_speed_probe(const sv_model_config *config, const sv_layer_types *types, int n_threads,
                         sv_machine_speed *out, sv_error *err);

#endif
