/* fuzz_claims.c - any bytes as a rationale. */
#include <stdint.h>
#include <stdlib.h>

#include "audit/claims.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    sv_claims claims;
    sv_error err;
    if (sv_claims_extract((const char *)data, size, &claims, &err)) return 0;
    for (size_t i = 0; i < claims.n; i++) {
        if (claims.items[i].begin >= claims.items[i].end || claims.items[i].end > size) abort();
    }
    sv_claims_free(&claims);
    return 0;
}
