/*
 * digest.h - SHA-256 (FIPS 180-4, by libsodium) of bytes that lie in several places.
 */
#ifndef SV_BASE_DIGEST_H
#define SV_BASE_DIGEST_H

#include <stddef.h>

#define SV_DIGEST_SIZE 32

typedef struct sv_bytes {
    const void *data; /* may be NULL when len is 0 */
    size_t len;
} sv_bytes;

/* The digest of the parts as if they followed each other in memory. */
void sv_digest(const sv_bytes *parts, size_t n_parts, unsigned char digest[SV_DIGEST_SIZE]);

#endif
