/*
 * random_model.h - folders of models with random weights in any of the shapes below, for trying loaders, memory and
 * speed at sizes whose trained weights cannot be had. Nothing that such a model writes has a meaning.
 */
#ifndef SV_MODEL_RANDOM_MODEL_H
#define SV_MODEL_RANDOM_MODEL_H

#include "model/config.h"
#include "tensor/dtype.h"

typedef struct sv_model_shape {
    const char *name, *what; /* "3b", "Qwen2.5-VL-3B, as the published system" */
    int prompt_tokens;       /* length of a question with three pictures that such a model is meant for */
    int n_tokens;            /* ids of the byte-pair encoding; the added tokens follow */
    sv_text_config text;
    sv_vision_config vision;
} sv_model_shape;

extern const sv_model_shape sv_model_shapes[];
extern const size_t sv_n_model_shapes;
const sv_model_shape *sv_model_shape_find(const char *name); /* NULL when there is none */

typedef struct sv_random_model_options {
    const sv_model_shape *shape;
    sv_dtype dtype;               /* BF16, F16, F32; I32 = four-bit (qwen25vl.md section 8), the rest F16 */
    uint64_t seed;                /* same seed, same bytes, whatever the number of threads */
    const char *tokenizer_folder; /* copied; NULL = a synthetic one */
    uint64_t max_shard_bytes;     /* as sv_tensor_writer_open */
    int n_threads;                /* 0 = one per core */
    /* Called after each piece of weights; NULL = not. False stops with SV_ERR_CANCELLED. */
    bool (*progress)(void *context, uint64_t n_done, uint64_t n_bytes);
    void *context;
} sv_random_model_options;

/* Bytes of the weights; everything else in the folder is below 16 MB, or as large as the tokenizer that is copied. */
uint64_t sv_random_model_bytes(const sv_model_shape *shape, sv_dtype dtype);

/* Inputs that share a scale when `shape` is packed in four bits: 128, or the largest smaller power of two that divides
 * all its sizes. */
int sv_random_model_group(const sv_model_shape *shape);

/* Writes config.json, generation_config.json, preprocessor_config.json, the tokenizer and the weights into `folder`,
 * which exists and is empty. The caller removes it when this fails. SV_ERR_OUTPUT: the disk; SV_ERR_INPUT: the
 * tokenizer does not fit the shape. */
sv_status sv_random_model_write(const char *folder, const sv_random_model_options *options, sv_error *err);

#endif
