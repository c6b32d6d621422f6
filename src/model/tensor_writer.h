/*
 * tensor_writer.h - writes a model's weights as safetensors: one file, or shards with their index, streamed in the
 * order of the plan and renamed into place only when complete.
 */
#ifndef SV_MODEL_TENSOR_WRITER_H
#define SV_MODEL_TENSOR_WRITER_H

#include "model/safetensors.h"

/* What will be written, in this order. Names are borrowed until the writer is closed. */
typedef struct sv_tensor_plan {
    const char *name;
    sv_dtype dtype;
    int n_dims;
    int64_t shape[SV_TENSOR_MAX_DIMS];
} sv_tensor_plan;

typedef struct sv_tensor_writer sv_tensor_writer;

/* Starts `stem`.safetensors ("model") in `folder`, which must exist; when all tensors together are larger than
 * max_shard_bytes (0 = no limit), shards stem-0000i-of-0000n.safetensors and stem.safetensors.index.json, whole tensors
 * each. Metadata is {"format": "pt"}, as readers expect. */
sv_status sv_tensor_writer_open(const char *folder, const char *stem, const sv_tensor_plan *plans, size_t n_plans,
                                uint64_t max_shard_bytes, sv_tensor_writer **out, sv_error *err);
/* The next bytes of the data, in the order of the plan; any split. SV_ERR_OUTPUT when the disk is full. */
sv_status sv_tensor_writer_put(sv_tensor_writer *writer, const void *bytes, size_t n, sv_error *err);
/* Everything has been put (else SV_ERR_INTERNAL): syncs and renames. */
sv_status sv_tensor_writer_finish(sv_tensor_writer *writer, sv_error *err);
/* Frees; what was not finished is removed. */
void sv_tensor_writer_close(sv_tensor_writer *writer);

#endif
