/*
 * hash.h - SHA-256 (FIPS 180-4, by libsodium) for provenance: results name the bytes they were made from.
 */
#ifndef SV_BASE_HASH_H
#define SV_BASE_HASH_H

#include "base/status.h"

#define SV_SHA256_HEX_SIZE 65 /* 64 hexadecimal digits and a 0 */

void sv_sha256_hex(const void *data, size_t len, char hex[SV_SHA256_HEX_SIZE]);
sv_status sv_sha256_file(const char *path, char hex[SV_SHA256_HEX_SIZE], sv_error *err);

#endif
