/*
 * sampler.h - one token from one row of logits, as vLLM's v1 sampler chooses it: repetition penalty, temperature,
 * top-k, top-p, draw. A pure function of logits, options, the ids seen so far and the number of the draw.
 */
#ifndef SV_MODEL_SAMPLER_H
#define SV_MODEL_SAMPLER_H

#include "base/status.h"

/* Below this temperature the most probable id is taken, without a draw. */
#define SV_GREEDY_TEMPERATURE 1e-5F

typedef struct sv_sampling {
    float temperature; /* below SV_GREEDY_TEMPERATURE: greedy, the next three do nothing */
    int top_k;         /* ids at least as probable as the k-th; 0 and -1: all */
    float top_p;       /* the most probable ids that together reach this probability; 0 and 1: all */
    uint64_t seed;
    float repetition_penalty; /* 1 = none: the logit of an id that was seen is divided by it, times it when negative */
} sv_sampling;

/* SV_ERR_USAGE, naming the option, unless all are in range: temperature 0 to 100, top_k from -1, top_p 0 to 1, penalty
 * above 0. */
sv_status sv_sampling_check(const sv_sampling *options, sv_error *err);

typedef struct sv_sampler sv_sampler; /* one thread at a time */

/* For ids 0 to n_ids - 1; ids beyond (padding rows of the vocabulary) are never chosen. */
sv_status sv_sampler_new(const sv_sampling *options, int n_ids, sv_sampler **out, sv_error *err);
void sv_sampler_free(sv_sampler *sampler);

/* The penalty acts on this id from now on. Any id may be given; of those beyond n_ids nothing is remembered. */
void sv_sampler_mark(sv_sampler *sampler, int32_t id);

/* The id chosen from logits [n_ids], -1 when no logit of a permitted id is a number. allowed: a bit per id (id i is bit
 * i % 64 of word i / 64), NULL = all; what it forbids has no probability before top-k and top-p are applied. draw: the
 * number of the draw, each used once per sequence. Of equal logits the lower id comes first. An id with logit minus
 * infinity is chosen only when `allowed` leaves no other. */
int32_t sv_sampler_choose(sv_sampler *sampler, const float *logits, const uint64_t *allowed, uint64_t draw);

#endif
