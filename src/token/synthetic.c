/*
 * synthetic.c - after the bytes come all strings of an optional space and small letters in order of length, each merged
 * from the string without its last letter and that letter.
 */
#include "token/synthetic.h"

#include <stdlib.h>

#include "base/memory.h"

enum { N_LETTERS = 26, N_FIRST = 1 + N_LETTERS }; /* the first character may also be the space */

/* The strings of a length stand in alphabetical order, the space first: string k without its last letter is string
 * k / 26 of the length before. */
static void join_strings(sv_token_pair *merges, size_t n_merges) {
    size_t n_before = N_FIRST, before = 0; /* of the shorter strings: how many, which merge makes the first */
    for (size_t begin = 0, n = N_FIRST * N_LETTERS; begin < n_merges; before = begin, begin += n, n *= N_LETTERS) {
        for (size_t k = 0; k < n && begin + k < n_merges; k++) {
            size_t shorter = k / N_LETTERS;
            int32_t left = (int32_t)(SV_N_BYTE_TOKENS + before + shorter);
            if (n_before == N_FIRST) left = sv_byte_token(shorter ? (unsigned char)('a' + shorter - 1) : ' ');
            merges[begin + k] = (sv_token_pair){left, sv_byte_token((unsigned char)('a' + k % N_LETTERS))};
        }
        n_before = n;
    }
}

sv_status sv_synthetic_tokenizer_write(const char *folder, int n_tokens, sv_error *err) {
    if (n_tokens < SV_SYNTHETIC_MIN || n_tokens > SV_SYNTHETIC_MAX) {
        return sv_fail(err, SV_ERR_USAGE, "a synthetic tokenizer has %d to %d tokens, not %d", SV_SYNTHETIC_MIN,
                       SV_SYNTHETIC_MAX, n_tokens);
    }
    size_t n_merges = (size_t)n_tokens - SV_N_BYTE_TOKENS;
    sv_token_pair *merges = sv_calloc(n_merges, sizeof *merges);
    if (!merges) return sv_fail_memory(err, "merges", n_merges * sizeof *merges);
    join_strings(merges, n_merges);
    sv_status s = sv_tokenizer_files_write(folder, merges, n_merges, err);
    free(merges);
    return s;
}
