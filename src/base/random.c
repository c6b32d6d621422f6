/* random.c - Philox4x32-10. */
#include "base/random.h"

#include "base/clones.h"

void sv_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) {
    uint32_t c[4] = {counter[0], counter[1], counter[2], counter[3]}, k[2] = {key[0], key[1]};
    for (int round = 0; round < 10; round++) {
        uint64_t a = 0xD2511F53ULL * c[0], b = 0xCD9E8D57ULL * c[2];
        uint32_t next[4] = {(uint32_t)(b >> 32) ^ c[1] ^ k[0], (uint32_t)b, (uint32_t)(a >> 32) ^ c[3] ^ k[1],
                            (uint32_t)a};
        for (int i = 0; i < 4; i++) c[i] = next[i];
        k[0] += 0x9E3779B9U;
        k[1] += 0xBB67AE85U;
    }
    for (int i = 0; i < 4; i++) out[i] = c[i];
}

void sv_philox_n_clones(const uint32_t counter[4], const uint32_t key[2], size_t n, uint32_t *restrict out);

SV_CLONES void sv_philox_n_clones(const uint32_t counter[4], const uint32_t key[2], size_t n, uint32_t *restrict out) {
    for (size_t i = 0; i < n; i++) {
        uint32_t c0 = counter[0] + (uint32_t)i, c1 = counter[1], c2 = counter[2], c3 = counter[3];
        uint32_t k0 = key[0], k1 = key[1];
        for (int round = 0; round < 10; round++) {
            uint64_t a = (uint64_t)0xD2511F53U * c0, b = (uint64_t)0xCD9E8D57U * c2;
            c0 = (uint32_t)(b >> 32) ^ c1 ^ k0;
            c2 = (uint32_t)(a >> 32) ^ c3 ^ k1;
            c1 = (uint32_t)b;
            c3 = (uint32_t)a;
            k0 += 0x9E3779B9U;
            k1 += 0xBB67AE85U;
        }
        out[i] = c0;
        out[n + i] = c1;
        out[2 * n + i] = c2;
        out[3 * n + i] = c3;
    }
}

void sv_philox_n(const uint32_t counter[4], const uint32_t key[2], size_t n, uint32_t *out) {
    sv_philox_n_clones(counter, key, n, out);
}

double sv_random_unit(uint64_t seed, uint64_t index) {
    uint32_t counter[4] = {(uint32_t)index, (uint32_t)(index >> 32), 0, 0}, out[4];
    uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    sv_philox(counter, key, out);
    uint64_t bits = (uint64_t)out[0] << 32 | out[1];
    return (double)(bits >> 11) * 0x1p-53;
}
