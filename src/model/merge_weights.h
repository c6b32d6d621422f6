/*
 * merge_weights.h - the weights of a base with an adapter added: planned from the headers alone, then written in one
 * pass over the base's files with the memory of a few rows.
 */
#ifndef SV_MODEL_MERGE_WEIGHTS_H
#define SV_MODEL_MERGE_WEIGHTS_H

#include "base/threads.h"
#include "model/adapter.h"
#include "model/config.h"
#include "model/quantised.h"

typedef struct sv_merge_source {
    const sv_tensor_file *file;
    const sv_quantisation *quantisation;
    const sv_adapter *adapter;
    const sv_model_config *config;
    sv_dtype dtype;   /* F32, F16 or BF16: of the weights that are adapted or were packed */
    bool convert_all; /* of every other float tensor too; else those are copied byte by byte */
} sv_merge_source;

typedef struct sv_merge_plan sv_merge_plan; /* borrows what the source names */

/* Decides for every tensor of the base whether it is changed, unpacked, converted or copied. SV_ERR_INPUT names the
 * modules of the adapter that the base lacks or has in another shape, and a tensor that the configuration asks for and
 * the file lacks; SV_ERR_UNSUPPORTED names an adapted embedding or a type that is not read. */
sv_status sv_merge_plan_new(const sv_merge_source *source, sv_merge_plan **out, sv_error *err);
void sv_merge_plan_free(sv_merge_plan *plan);

/* Of the weights to be written: tensors changed by the adapter, unpacked from four bits, all; bytes. */
typedef struct sv_merge_counts {
    size_t n_adapted, n_unpacked, n_tensors;
    uint64_t n_bytes;
} sv_merge_counts;
sv_merge_counts sv_merge_plan_counts(const sv_merge_plan *plan);

/* Writes model.safetensors, or shards of at most max_shard_bytes (0 = no limit) and their index, into `folder`.
 * W + scale (B A) is computed in f32, summed over the rank in rising order, and rounded once: the same bytes on every
 * machine and with any number of threads. `progress` (may be NULL) is called after each piece; false stops with
 * SV_ERR_CANCELLED. SV_ERR_INPUT names a tensor that holds NaN, infinity, or what the type cannot hold. */
sv_status sv_merge_plan_write(const sv_merge_plan *plan, const char *folder, uint64_t max_shard_bytes, sv_pool *pool,
                              bool (*progress)(void *context, uint64_t n_done, uint64_t n_bytes), void *context,
                              sv_error *err);

#endif
