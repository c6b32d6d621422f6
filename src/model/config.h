/*
 * config.h - the sizes of a Qwen2.5-VL model, read from config.json in any of its dialects (qwen25vl.md section 1).
 */
#ifndef SV_MODEL_CONFIG_H
#define SV_MODEL_CONFIG_H

#include "base/json.h"

#define SV_MAX_FULL_ATTENTION_BLOCKS 64

typedef struct sv_text_config {
    int hidden;                                  /* D */
    int n_layers, n_heads, n_kv_heads, head_dim; /* L, H, Hkv, Dh */
    int ffn;                                     /* F */
    int vocab;                                   /* V, padding rows included */
    float rms_eps;
    double rope_theta;
    int mrope_section[3]; /* sums to head_dim / 2 */
    int max_positions;
    bool tied_embeddings;
} sv_text_config;

typedef struct sv_vision_config {
    int hidden, depth, n_heads, ffn, out_hidden;
    int patch, temporal_patch, merge, channels;
    int window; /* pixels */
    int n_full_blocks, full_blocks[SV_MAX_FULL_ATTENTION_BLOCKS];
    double rope_theta;
} sv_vision_config;

typedef struct sv_model_config {
    sv_text_config text;
    sv_vision_config vision;
    int image_token, vision_start_token, vision_end_token; /* ids */
    /* from generation_config.json, with defaults when it is absent */
    int n_eos, eos[8];
    float repetition_penalty;
    bool do_sample; /* temperature, top_k and top_p are in use */
    float temperature, top_p;
    int top_k; /* 0 = all */
    /* from preprocessor_config.json or processor_config.json, with defaults */
    int min_pixels, max_pixels;
    float image_mean[3], image_std[3];
} sv_model_config;

/* Reads config.json (required), generation_config.json and the processor's file from a model folder; every size is
 * checked for being positive, bounded and consistent with the others. */
sv_status sv_model_config_load(const char *folder, sv_model_config *out, sv_error *err);

#endif
