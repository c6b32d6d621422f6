/*
 * dtype.h - the number formats of model files, and their way to f32 and back.
 */
#ifndef SV_TENSOR_DTYPE_H
#define SV_TENSOR_DTYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum sv_dtype { SV_F32, SV_F64, SV_F16, SV_BF16, SV_I64, SV_I32, SV_I16, SV_I8, SV_U8, SV_BOOL } sv_dtype;
size_t sv_dtype_size(sv_dtype dtype);
const char *sv_dtype_name(sv_dtype dtype); /* as in safetensors: "F32", "BF16" ... */
bool sv_dtype_from_name(const char *name, sv_dtype *out);

/* f32 to the nearest bfloat16 or IEEE 754 binary16, ties to even; NaN stays NaN, too large becomes infinity. */
uint16_t sv_bf16_from_f32(float x);
uint16_t sv_f16_from_f32(float x);
/* Exact for every value. */
float sv_bf16_to_f32(uint16_t x);
float sv_f16_to_f32(uint16_t x);

/* out[i] = element first + i of an array of F32, F64, F16 or BF16 (no alignment asked). */
void sv_dtype_read_f32(sv_dtype dtype, const void *data, size_t first, size_t n, float *out);
/* Writes n values as F32, F16 or BF16, rounded to nearest. */
void sv_dtype_write_f32(sv_dtype dtype, const float *values, size_t n, void *out);

#endif
