/*
 * network.h - inside the model: what a loaded network holds, its two towers, and a way for tests to look in.
 */
#ifndef SV_MODEL_NETWORK_H
#define SV_MODEL_NETWORK_H

#include "model/model.h"
#include "model/rope.h"
#include "model/weights.h"

struct sv_model {
    sv_model_config config;
    sv_tokenizer *tokenizer;
    sv_weights weights;
    char *folder;
    float *text_frequencies;   /* [Dh / 2] */
    float *vision_frequencies; /* [head_dim / 4] */
};

/* Called with intermediate rows, for tests: "patch_embed" (file order), "block" (window order), "image_embeds";
 * "hidden" (0 = input of the first layer, i = after layer i), "final_norm" (of the rows whose logits are made). */
typedef struct sv_tap {
    void (*call)(void *context, const char *what, int index, const float *rows, size_t n_rows, size_t width);
    void *context;
} sv_tap;

/* The vision tower on one picture's patches; out: [cells, D]. `tap` may be NULL. */
sv_status sv_vision_run(const sv_model *model, const sv_patches *patches, sv_pool *pool, const sv_tap *tap, float *out,
                        sv_error *err);

/* Keys and values of every layer, packed for products. Keys: [L, Hkv, capacity / 32, Dh, 32]; values: [L, Hkv,
 * ceil(Dh / 32), capacity, 32]. */
typedef struct sv_cache {
    float *keys, *values; /* owned */
    size_t capacity;      /* tokens, whole panels */
} sv_cache;
sv_status sv_cache_new(const sv_text_config *config, size_t n_tokens, sv_cache *out, sv_error *err);
void sv_cache_free(sv_cache *cache);

/* The decoder's layers over a prefix and the session's own tokens. */
typedef struct sv_decoder {
    const sv_model *model;
    sv_pool *pool;
    sv_tap tap; /* call may be NULL */
    const sv_cache *prefix;
    size_t n_prefix;
    sv_cache own;
    size_t max_rows;        /* of one run */
    float *rows;            /* [max_rows, D]: the input of a run, then its output */
    float *normed;          /* [max_rows, D] */
    float *qkv;             /* [max_rows, (H + 2 Hkv) Dh] */
    float *attended;        /* [max_rows, H * Dh] */
    float *gate_up;         /* [max_rows, 2 F] */
    float *cosines, *sines; /* [max_rows, Dh / 2] */
    float *scores;          /* [threads, scores_size] */
    size_t scores_size;
    float *storage;
} sv_decoder;

sv_status sv_decoder_init(sv_decoder *decoder, const sv_model *model, const sv_cache *prefix, size_t n_prefix,
                          size_t max_tokens, sv_pool *pool, sv_error *err);
void sv_decoder_deinit(sv_decoder *decoder);

/* Runs n_rows <= max_rows tokens that follow the first n_own tokens of the session through all layers; their keys and
 * values are put into the cache. */
void sv_decoder_run(sv_decoder *decoder, size_t n_own, const sv_position *positions, size_t n_rows);

/* Logits of rows [first, first + n_rows) of the last run: out [n_rows, V]. */
void sv_decoder_logits(sv_decoder *decoder, size_t first, size_t n_rows, float *out);

#endif
