/*
 * merge_adapter.h - a model folder made from a base and a LoRA adapter: W + scale B A in the place of every W that the
 * adapter changes, everything else as in the base.
 */
#ifndef SV_MODEL_MERGE_ADAPTER_H
#define SV_MODEL_MERGE_ADAPTER_H

#include "model/merge_weights.h"

typedef struct sv_merge_options {
    const char *base, *adapter, *folder;
    sv_dtype dtype;         /* BF16, F16 or F32, of the weights that are adapted or unpacked */
    bool convert_all;       /* of the other weights too; else they keep the precision of the base */
    size_t max_shard_bytes; /* 0 = one file */
    bool force;             /* replace a folder of plain files */
    int n_threads;          /* 0 = one per usable core */
    /* Called after each piece of weights; NULL = not. False stops with SV_ERR_CANCELLED. */
    bool (*progress)(void *context, uint64_t n_done, uint64_t n_bytes);
    void *context;
} sv_merge_options;

/* Writes options->folder, which appears whole or not at all: the weights; config.json without quantization_config and
 * with the new type; and the base's other files, but for weights of any format, hidden files, README.md and what
 * describes the quantisation. Packed four-bit weights are written unpacked. SV_ERR_INPUT and SV_ERR_UNSUPPORTED as
 * sv_adapter_open and sv_merge_plan_new; SV_ERR_OUTPUT: the folder is not free, is the base or the adapter, or cannot
 * be written. counts may be NULL. */
sv_status sv_merge_adapter(const sv_merge_options *options, sv_merge_counts *counts, sv_error *err);

#endif
