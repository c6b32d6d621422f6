/*
 * memory_plan.h - the memory that staging with a network takes, known from its configuration before anything is
 * allocated. Bytes as double: no configuration can make them overflow.
 */
#ifndef SV_MODEL_MEMORY_PLAN_H
#define SV_MODEL_MEMORY_PLAN_H

#include "model/config.h"

typedef struct sv_memory_wish {
    double weight_bytes;   /* of the files */
    size_t n_prefix;       /* tokens of the shared prefix */
    size_t n_own;          /* tokens that one question may have behind it, its answer included */
    size_t n_sequences;    /* questions at a time */
    size_t n_rows;         /* of the decoder's work space (sv_workspace_new) */
    size_t picture_tokens; /* of one picture */
    size_t n_pictures;     /* whose embeddings are kept */
    int n_threads;
} sv_memory_wish;

typedef struct sv_memory_plan {
    double weights;        /* mapped: the system may give back and read again what is not in use */
    double copied;         /* norms, biases and the patch embedding in f32 */
    double per_token;      /* keys and values of one token */
    double prefix;         /* keys and values of the shared prefix */
    double sequence;       /* of one question: keys, values, logits */
    double work;           /* what passes through the layers, of decoder and vision tower */
    double pictures;       /* embeddings */
    double all;            /* weights, copied, prefix, n_sequences, work, pictures */
    double all_but_mapped; /* without the weights: what is really allocated */
} sv_memory_plan;

void sv_memory_plan_make(const sv_model_config *config, const sv_memory_wish *wish, sv_memory_plan *out);

/* Keys and values of a stretch of n tokens: whole panels of 32. */
double sv_memory_of_tokens(const sv_text_config *text, double n_tokens);

#endif
