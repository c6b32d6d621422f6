/*
 * generator.h - one answer in the making: which token follows, and when the answer ends.
 *
 * A generator never touches the network. Its owner feeds it logits and reads the chosen ids into a session, so that the
 * answers of many sequences can be made side by side; none of them depends on the others, nor on threads.
 */
#ifndef SV_MODEL_GENERATOR_H
#define SV_MODEL_GENERATOR_H

#include "model/config.h"
#include "model/constraint.h"
#include "token/tokenizer.h"

typedef struct sv_generate_options {
    size_t max_tokens;
    float temperature; /* these five as in sampler.h; 0 in the first three: the most probable token */
    int top_k;
    float top_p;
    uint64_t seed;
    float repetition_penalty; /* 1 = none; over prompt and output ids, as transformers applies it */
    bool ignore_eos;          /* end tokens do not end the answer */
    int n_top_logprobs;       /* how many alternatives are recorded per token, 0 = none */
    const char *const *stop;  /* [n_stop] UTF-8: the answer ends before the first of them that appears; borrowed */
    size_t n_stop;
    /* NULL, or the form of the answer, made with the same tokenizer; borrowed. Then the answer ends when it is whole,
     * max_tokens must be enough for that, and end tokens play no part. */
    const sv_constraint *constraint;
    const char *begun; /* NULL, or the beginning of the constrained answer that is on the timeline already */
    bool (*on_token)(void *context, int32_t id); /* NULL, or called for each; false stops (SV_ERR_CANCELLED) */
    /* NULL, or called with the next piece of text that will not change any more: whole characters, special tokens left
     * out, nothing that may be the beginning of a stop string. false stops. */
    bool (*on_text)(void *context, const char *text, size_t len);
    void *context;
} sv_generate_options;

/* What generation_config.json asks for, as a server applies it when a request says nothing: greedy unless do_sample
 * with a temperature of SV_GREEDY_TEMPERATURE or more; the repetition penalty always. */
sv_generate_options sv_generate_defaults(const sv_model_config *config, size_t max_tokens);

typedef struct sv_generation {
    size_t n_ids;
    int32_t *ids;     /* the end token that stopped it is not included, the tokens of a stop string are */
    double *logprobs; /* [n_ids] of the chosen ids, before the penalty and the temperature, over the whole vocabulary */
    int n_top;
    int32_t *top_ids; /* [n_ids, n_top] */
    double *top_logprobs;
    char *text; /* UTF-8 without special tokens, up to the stop string; ends with a 0 */
    size_t text_len;
    bool stopped;    /* it ended by itself; false: at the length limit, or made to end by it (with a constraint) */
    int stop_string; /* which of options->stop ended it, -1 = none */
} sv_generation;
void sv_generation_free(sv_generation *generation);

typedef struct sv_generator sv_generator; /* one thread at a time */

/* history: [n_history] ids that are on the timeline already and count for the penalty. config, tokenizer and what
 * options point to are borrowed. SV_ERR_USAGE for options out of range or a max_tokens that is too small for the form
 * of the answer, SV_ERR_INPUT for an id out of range. */
sv_status sv_generator_new(const sv_model_config *config, const sv_tokenizer *tokenizer,
                           const sv_generate_options *options, const int32_t *history, size_t n_history,
                           sv_generator **out, sv_error *err);
void sv_generator_free(sv_generator *generator);

/* Chooses the next id from logits [V] of the last token on the timeline. *next is the id to be read for the logits of
 * the next step, or -1 when the answer has ended (further steps give -1 again): the last id of an answer need not be
 * read. SV_ERR_CANCELLED when a callback said so, SV_ERR_INTERNAL when no logit is a number. */
sv_status sv_generator_step(sv_generator *generator, const float *logits, int32_t *next, sv_error *err);

/* The answer so far, or the whole answer: ends the text and gives everything to *out (freed by the caller). The
 * generator has ended then and may only be freed. May call on_text, whose answer is ignored. */
sv_status sv_generator_finish(sv_generator *generator, sv_generation *out, sv_error *err);

#endif
