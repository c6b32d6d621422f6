/* dtype.c - conversions by bits: the same on every machine. */
#include "tensor/dtype.h"

#include <string.h>

#include "base/clones.h"
#include "base/memory.h"

static const struct {
    const char *name;
    size_t size;
} dtypes[] = {[SV_F32] = {"F32", 4}, [SV_F64] = {"F64", 8},  [SV_F16] = {"F16", 2}, [SV_BF16] = {"BF16", 2},
              [SV_I64] = {"I64", 8}, [SV_I32] = {"I32", 4},  [SV_I16] = {"I16", 2}, [SV_I8] = {"I8", 1},
              [SV_U8] = {"U8", 1},   [SV_BOOL] = {"BOOL", 1}};

size_t sv_dtype_size(sv_dtype dtype) { return dtypes[dtype].size; }
const char *sv_dtype_name(sv_dtype dtype) { return dtypes[dtype].name; }

bool sv_dtype_from_name(const char *name, sv_dtype *out) {
    for (size_t i = 0; i < SV_COUNT(dtypes); i++) {
        if (strcmp(dtypes[i].name, name) != 0) continue;
        *out = (sv_dtype)i;
        return true;
    }
    return false;
}

static uint32_t bits_of(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static float from_bits(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

uint16_t sv_bf16_from_f32(float x) {
    uint32_t bits = bits_of(x);
    if ((bits & 0x7fffffff) > 0x7f800000) return (uint16_t)(bits >> 16 | 0x40); /* NaN, made quiet */
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

float sv_bf16_to_f32(uint16_t x) { return from_bits((uint32_t)x << 16); }

uint16_t sv_f16_from_f32(float x) {
    uint32_t bits = bits_of(x), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
    if (magnitude > 0x7f800000) return (uint16_t)(sign | 0x7e00);
    if (magnitude >= 0x477ff000) return (uint16_t)(sign | 0x7c00); /* 65520 and more */
    if (magnitude < 0x38800000) { /* below 2^-14: counted in steps of 2^-24; the sum rounds to even */
        return (uint16_t)(sign | (bits_of(from_bits(magnitude) + 0.5F) - bits_of(0.5F)));
    }
    magnitude -= (uint32_t)112 << 23; /* the exponent's bias: 127 to 15 */
    return (uint16_t)(sign | (magnitude + 0xfff + (magnitude >> 13 & 1)) >> 13);
}

float sv_f16_to_f32(uint16_t x) {
    uint32_t sign = (uint32_t)(x & 0x8000) << 16, exponent = x >> 10 & 31, fraction = x & 1023;
    if (exponent == 31) return from_bits(sign | 0x7f800000 | fraction << 13);
    if (exponent) return from_bits(sign | (exponent + 112) << 23 | fraction << 13);
    return from_bits(sign | bits_of((float)fraction * 0x1p-24f)); /* exact: 10 bits */
}

void sv_read_f16_clones(const unsigned char *data, size_t n, float *out);
void sv_read_bf16_clones(const unsigned char *data, size_t n, float *out);

/* sv_f16_to_f32 without branches: the exponent is corrected by a product, which is exact. */
SV_CLONES void sv_read_f16_clones(const unsigned char *data, size_t n, float *out) {
    for (size_t i = 0; i < n; i++) {
        uint16_t half;
        memcpy(&half, data + 2 * i, sizeof half);
        union {
            uint32_t bits;
            float value;
        } x = {(uint32_t)(half & 0x7fff) << 13};
        x.value *= 0x1p112F;
        x.bits |= (half & 0x7c00) == 0x7c00 ? 0x7f800000U : 0;
        x.bits |= (uint32_t)(half & 0x8000) << 16;
        out[i] = x.value;
    }
}

SV_CLONES void sv_read_bf16_clones(const unsigned char *data, size_t n, float *out) {
    for (size_t i = 0; i < n; i++) {
        uint16_t half;
        memcpy(&half, data + 2 * i, sizeof half);
        union {
            uint32_t bits;
            float value;
        } x = {(uint32_t)half << 16};
        out[i] = x.value;
    }
}

void sv_dtype_read_f32(sv_dtype dtype, const void *data, size_t first, size_t n, float *out) {
    const unsigned char *at = (const unsigned char *)data + first * sv_dtype_size(dtype);
    if (dtype == SV_F32) memcpy(out, at, n * sizeof *out);
    if (dtype == SV_F16) sv_read_f16_clones(at, n, out);
    if (dtype == SV_BF16) sv_read_bf16_clones(at, n, out);
    for (size_t i = 0; dtype == SV_F64 && i < n; i++) {
        double value;
        memcpy(&value, at + 8 * i, sizeof value);
        out[i] = (float)value;
    }
}

void sv_dtype_write_f32(sv_dtype dtype, const float *values, size_t n, void *out) {
    if (dtype == SV_F32) memcpy(out, values, n * sizeof *values);
    for (size_t i = 0; (dtype == SV_F16 || dtype == SV_BF16) && i < n; i++) {
        uint16_t half = dtype == SV_F16 ? sv_f16_from_f32(values[i]) : sv_bf16_from_f32(values[i]);
        memcpy((unsigned char *)out + 2 * i, &half, sizeof half);
    }
}
