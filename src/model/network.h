/*
 * network.h - inside the model: what a loaded network holds, its two towers, and a way for tests to look in.
 */
#ifndef SV_MODEL_NETWORK_H
#define SV_MODEL_NETWORK_H

#include "model/model.h"
#include "model/rope.h"
#include "model/rounding.h"
#include "model/session.h"
#include "model/weights.h"

struct sv_model {
    sv_model_config config;
    sv_tokenizer *tokenizer;
    sv_tensor_file *file; /* the weights lie in it */
    sv_adapter *adapter;  /* NULL = none */
    sv_quantisation quantisation;
    sv_weights weights;
    sv_rounding rounding;
    char *folder;
    char *adapter_folder;      /* NULL = none */
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

/* Bytes that the tower needs for a picture of n_patches with an adapter of `rank`; false when no memory is as large. */
bool sv_vision_size(const sv_model_config *config, size_t rank, size_t n_patches, size_t n_threads, size_t *n_bytes);

/* Keys and values of every layer, packed for products. Keys: [L, Hkv, capacity / 32, Dh, 32]; values: [L, Hkv,
 * ceil(Dh / 32), capacity, 32]. */
typedef struct sv_cache {
    float *keys, *values; /* owned */
    size_t capacity;      /* tokens, whole panels */
} sv_cache;
sv_status sv_cache_new(const sv_text_config *config, size_t n_tokens, sv_cache *out, sv_error *err);
void sv_cache_free(sv_cache *cache);
/* Numbers in the keys and in the values of a cache of this capacity; false when they do not fit in memory. */
bool sv_cache_sizes(const sv_text_config *config, size_t capacity, size_t *keys, size_t *values);
float *sv_cache_keys(const sv_cache *cache, const sv_text_config *config, size_t layer, size_t head);
float *sv_cache_values(const sv_cache *cache, const sv_text_config *config, size_t layer, size_t head);

/* How many prefixes may stand on each other. */
#define SV_MAX_PREFIX_DEPTH 8

/* Tokens that others stand on. */
struct sv_prefix {
    const sv_model *model;
    const sv_prefix *parent; /* NULL = the beginning */
    int depth;               /* 1 without parent */
    sv_cache cache;          /* of its own tokens */
    size_t n_own, length;    /* tokens without and with the parents' */
    int32_t next_position;
};

/* Rows of one timeline in a run. */
typedef struct sv_span {
    const sv_prefix *prefix; /* may be NULL */
    const sv_cache *own;
    size_t n_own; /* tokens in it before the run */
    const sv_position *positions;
    size_t n_rows;
} sv_span;

/* Queries that are answered together: a block of rows of one span, or single rows of spans with the same prefix. */
typedef struct sv_cluster {
    size_t span, n_spans; /* more than one: single rows */
    size_t row;           /* of the run */
    size_t first, n_rows; /* in the span */
} sv_cluster;

/* What the decoder's layers work in; serves any number of timelines, one run at a time. */
struct sv_workspace {
    const sv_model *model;
    sv_pool *pool;
    sv_tap tap;             /* call may be NULL */
    size_t max_rows;        /* of one run */
    float *rows;            /* [max_rows, D]: the input of a run, then its output */
    float *normed;          /* [max_rows, D] */
    float *qkv;             /* [max_rows, (H + 2 Hkv) Dh] */
    float *attended;        /* [max_rows, H * Dh] */
    float *gate_up;         /* [max_rows, 2 F] */
    float *cosines, *sines; /* [max_rows, Dh / 2] */
    float *low_rank;        /* [max_rows, rank of the adapter] */
    float *score_logits;    /* [SV_SCORE_ROWS, V] */
    float *storage;         /* of all these */
    float *scores;          /* [threads, scores_size] */
    size_t scores_size, n_keys;
    sv_cluster *clusters; /* [max_rows] */
    size_t n_clusters;
};

/* Rows of logits that are held at a time while a continuation is scored. */
#define SV_SCORE_ROWS ((size_t)16)

/* Bytes that a work space made with max_rows = 0 needs for timelines of n_keys tokens; false when no memory is as
 * large. */
bool sv_workspace_size(const sv_model_config *config, size_t rank, size_t n_keys, size_t n_threads, size_t *n_bytes);
/* Numbers that one thread needs for attention over n_keys tokens: scores, and queries and outputs of single rows. */
size_t sv_attend_scores(const sv_text_config *config, size_t n_keys);

/* Makes room for timelines of n_keys tokens in all. */
sv_status sv_workspace_reserve(sv_workspace *workspace, size_t n_keys, sv_error *err);

/* Runs the rows of all spans, one after another in workspace->rows, through all layers; their keys and values are put
 * into the spans' own caches behind n_own. All rows together are at most max_rows. */
void sv_decoder_run(sv_workspace *workspace, const sv_span *spans, size_t n_spans);

/* Logits of rows [first, first + n_rows) of the last run: out [n_rows, V]. */
void sv_decoder_logits(sv_workspace *workspace, size_t first, size_t n_rows, float *out);

/* Divides the rows of a run into clusters (workspace->clusters). */
void sv_attend_plan(sv_workspace *workspace, const sv_span *spans, size_t n_spans);
/* Answers the queries in workspace->qkv from the caches of `layer`: workspace->attended. */
void sv_attend(sv_workspace *workspace, const sv_span *spans, size_t layer);

#endif
