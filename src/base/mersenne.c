/* mersenne.c - see mersenne.h. */
#include "base/mersenne.h"

#define N 624
#define M 397

static void seed_by_word(sv_mersenne *m, uint32_t word) {
    m->state[0] = word;
    for (uint32_t i = 1; i < N; i++) m->state[i] = 1812433253u * (m->state[i - 1] ^ m->state[i - 1] >> 30) + i;
}

static uint32_t mix(uint32_t here, uint32_t before, uint32_t factor) { return here ^ (before ^ before >> 30) * factor; }

/* The last word comes before the second one too. */
static uint32_t step(sv_mersenne *m, uint32_t i) {
    if (i + 1 < N) return i + 1;
    m->state[0] = m->state[N - 1];
    return 1;
}

void sv_mersenne_seed(sv_mersenne *m, uint64_t seed) {
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    const uint32_t n_key = key[1] ? 2 : 1;
    uint32_t i = 1, k = 0;
    seed_by_word(m, 19650218u);
    for (int n = N; n > 0; n--) {
        m->state[i] = mix(m->state[i], m->state[i - 1], 1664525u) + key[k] + k;
        i = step(m, i);
        k = (k + 1) % n_key;
    }
    for (int n = N - 1; n > 0; n--) {
        m->state[i] = mix(m->state[i], m->state[i - 1], 1566083941u) - i;
        i = step(m, i);
    }
    m->state[0] = 0x80000000u;
    m->next = N;
}

static void renew(sv_mersenne *m) {
    for (int i = 0; i < N; i++) {
        uint32_t y = (m->state[i] & 0x80000000u) | (m->state[(i + 1) % N] & 0x7fffffffu);
        m->state[i] = m->state[(i + M) % N] ^ y >> 1 ^ (y & 1 ? 0x9908b0dfu : 0);
    }
    m->next = 0;
}

uint32_t sv_mersenne_word(sv_mersenne *m) {
    if (m->next >= N) renew(m);
    uint32_t y = m->state[m->next++];
    y ^= y >> 11;
    y ^= y << 7 & 0x9d2c5680u;
    y ^= y << 15 & 0xefc60000u;
    return y ^ y >> 18;
}

uint32_t sv_mersenne_below(sv_mersenne *m, uint32_t n) {
    const int unused = __builtin_clz(n);
    uint32_t r;
    do r = sv_mersenne_word(m) >> unused;
    while (r >= n);
    return r;
}

void sv_mersenne_shuffle(sv_mersenne *m, size_t *items, size_t n) {
    for (size_t i = n; i-- > 1;) {
        size_t k = sv_mersenne_below(m, (uint32_t)(i + 1)), item = items[i];
        items[i] = items[k];
        items[k] = item;
    }
}
