/* finite.c - blocks are tested by their exponents, all bits of which are set in NaN and infinity. */
#include "tensor/finite.h"

#include <string.h>

#include "base/clones.h"
#include "base/memory.h"

#define BLOCK ((size_t)4096)

bool sv_any_exponent_16_clones(const unsigned char *data, size_t n, uint16_t mask);
bool sv_any_exponent_32_clones(const unsigned char *data, size_t n, uint32_t mask);

SV_CLONES bool sv_any_exponent_16_clones(const unsigned char *data, size_t n, uint16_t mask) {
    uint16_t found = 0;
    for (size_t i = 0; i < n; i++) {
        uint16_t x;
        memcpy(&x, data + 2 * i, sizeof x);
        found |= (uint16_t)((x & mask) == mask);
    }
    return found;
}

SV_CLONES bool sv_any_exponent_32_clones(const unsigned char *data, size_t n, uint32_t mask) {
    uint32_t found = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t x;
        memcpy(&x, data + 4 * i, sizeof x);
        found |= (x & mask) == mask;
    }
    return found;
}

static bool any(sv_dtype dtype, const unsigned char *data, size_t n) {
    if (dtype == SV_F32) return sv_any_exponent_32_clones(data, n, 0x7f800000);
    return sv_any_exponent_16_clones(data, n, dtype == SV_F16 ? 0x7c00 : 0x7f80);
}

size_t sv_first_not_finite(sv_dtype dtype, const void *data, size_t n) {
    const unsigned char *at = data;
    size_t size = sv_dtype_size(dtype), i = 0;
    while (i < n && !any(dtype, at + i * size, SV_MIN(BLOCK, n - i))) i += BLOCK;
    while (i < n && !any(dtype, at + i * size, 1)) i++;
    return SV_MIN(i, n);
}
