/* hash.c - SHA-256 of bytes and files. */
#include "base/hash.h"

#include <sodium.h>

#include "base/file.h"

void sv_sha256_hex(const void *data, size_t len, char hex[SV_SHA256_HEX_SIZE]) {
    unsigned char digest[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(digest, data, len);
    sodium_bin2hex(hex, SV_SHA256_HEX_SIZE, digest, sizeof digest);
}

sv_status sv_sha256_file(const char *path, char hex[SV_SHA256_HEX_SIZE], sv_error *err) {
    FILE *f = fopen(path, "rb");
    if (!f) return sv_fail_errno(err, SV_ERR_INPUT, "%s: cannot open", path);
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    unsigned char block[1 << 16], digest[crypto_hash_sha256_BYTES];
    size_t n;
    while ((n = fread(block, 1, sizeof block, f)) > 0) crypto_hash_sha256_update(&state, block, n);
    sv_status s = ferror(f) ? sv_fail_errno(err, SV_ERR_INPUT, "%s: cannot read", path) : SV_OK;
    fclose(f);
    crypto_hash_sha256_final(&state, digest);
    sodium_bin2hex(hex, SV_SHA256_HEX_SIZE, digest, sizeof digest);
    return s;
}
