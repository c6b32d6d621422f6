/*
 * safetensors.h - tensors in one or many mapped .safetensors files; every offset is checked before use.
 */
#ifndef SV_MODEL_SAFETENSORS_H
#define SV_MODEL_SAFETENSORS_H

#include "base/status.h"
#include "tensor/dtype.h"

#define SV_TENSOR_MAX_DIMS 8
typedef struct sv_tensor {
    const char *name;
    sv_dtype dtype;
    int n_dims;
    int64_t shape[SV_TENSOR_MAX_DIMS];
    const void *data; /* into the mapping; no alignment is promised */
    size_t n_bytes;
} sv_tensor;

typedef struct sv_tensor_file sv_tensor_file;

/* Opens one file. Refuses a header that is not JSON, ranges outside the file, overlaps, and sizes that do not match
 * dtype and shape; the error names the tensor. */
sv_status sv_tensor_file_open(const char *path, sv_tensor_file **out, sv_error *err);
/* Opens all shards of a folder: model.safetensors, or those of model.safetensors.index.json. */
sv_status sv_tensor_folder_open(const char *folder, sv_tensor_file **out, sv_error *err);
void sv_tensor_file_close(sv_tensor_file *file);

size_t sv_tensor_n_shards(const sv_tensor_file *file);
size_t sv_tensor_count(const sv_tensor_file *file);
const sv_tensor *sv_tensor_at(const sv_tensor_file *file, size_t i);
const sv_tensor *sv_tensor_find(const sv_tensor_file *file, const char *name); /* NULL when absent */

/* out[i] = element first + i of a F32, F64, F16, BF16 tensor, as f32. */
void sv_tensor_read_f32(const sv_tensor *tensor, size_t first, size_t n, float *out);

#endif
