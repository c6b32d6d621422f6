/*
 * bpe_trainer.h - learning the merges of byte-pair encoding from counted pieces (Sennrich, Haddow, Birch: "Neural
 * machine translation of rare words with subword units", ACL 2016): the most frequent pair of neighbouring tokens
 * becomes a token, again and again.
 *
 * Of pairs that are equally frequent the one with the smaller left token comes first, then the one with the smaller
 * right token; a pair is counted at every place where it stands, overlapping ones too ("aaa" holds "aa" twice), and is
 * replaced from the left. So does BpeTrainer of Hugging Face's tokenizers: the same text gives the same merges.
 */
#ifndef SV_TOKEN_BPE_TRAINER_H
#define SV_TOKEN_BPE_TRAINER_H

#include "token/piece_counter.h"
#include "token/tokenizer_files.h"

typedef struct sv_bpe_options {
    size_t n_merges;        /* wanted */
    uint64_t min_frequency; /* pairs that are rarer are not merged; 0 and 1 mean the same */
    /* Told after each merge; false ends it with SV_ERR_CANCELLED. May be NULL. */
    bool (*progress)(void *context, size_t n_done, size_t n_all);
    void *context;
} sv_bpe_options;

typedef struct sv_bpe_result {
    size_t n_merges; /* fewer than wanted when no pair was frequent enough any more */
    sv_token_pair *merges;
    uint64_t last_frequency; /* of the pair merged last; 0 without merges */
    uint64_t n_tokens;       /* that the counted text has now */
} sv_bpe_result;

/* Learns; the counter stays as it is and may be used again. *out is freed by sv_bpe_result_free. SV_ERR_UNSUPPORTED
 * when the different pieces have 2^32 bytes or more. */
sv_status sv_bpe_train(const sv_piece_counter *counter, const sv_bpe_options *options, sv_bpe_result *out,
                       sv_error *err);
void sv_bpe_result_free(sv_bpe_result *result);

#endif
