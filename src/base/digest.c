/* digest.c - SHA-256 over parts. */
#include "base/digest.h"

#include <sodium.h>

_Static_assert(SV_DIGEST_SIZE == crypto_hash_sha256_BYTES, "SHA-256");

void sv_digest(const sv_bytes *parts, size_t n_parts, unsigned char digest[SV_DIGEST_SIZE]) {
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    for (size_t i = 0; i < n_parts; i++) {
        if (parts[i].len) crypto_hash_sha256_update(&state, parts[i].data, parts[i].len);
    }
    crypto_hash_sha256_final(&state, digest);
}
