/*
 * weights.h - the parameters of a network as f32, packed for products, bound by name from safetensors.
 */
#ifndef SV_MODEL_WEIGHTS_H
#define SV_MODEL_WEIGHTS_H

#include "model/config.h"
#include "model/safetensors.h"
#include "tensor/product.h"

typedef struct sv_vision_block {
    const float *norm1, *norm2; /* [Dv] */
    sv_linear qkv;              /* Dv -> q, k, v (Dv each) */
    sv_linear projection;       /* Dv -> Dv */
    sv_linear gate_up;          /* Dv -> gate (Fv), up (Fv) */
    sv_linear down;             /* Fv -> Dv */
} sv_vision_block;

typedef struct sv_decoder_layer {
    const float *norm1, *norm2; /* [D] */
    sv_linear qkv;              /* D -> q (H * Dh), k (Hkv * Dh), v (Hkv * Dh) */
    sv_linear output;           /* H * Dh -> D */
    sv_linear gate_up;          /* D -> gate (F), up (F) */
    sv_linear down;             /* F -> D */
} sv_decoder_layer;

typedef struct sv_weights {
    sv_linear patch_embed; /* one frame [channels * patch * patch] -> Dv: the kernels of all frames summed */
    sv_vision_block *vision_blocks;
    const float *merger_norm; /* [Dv] */
    sv_linear merger_in, merger_out;
    sv_linear embedding; /* [V, D]; row lookup by sv_weights_embed, and the head when tied */
    sv_linear head;
    sv_decoder_layer *layers;
    const float *final_norm; /* [D] */
    float *storage;
    int64_t n_parameters;
} sv_weights;

/* Reads every tensor that `config` asks for, under the names of either generation of files. SV_ERR_INPUT for one that
 * is missing, has another shape, or holds NaN or infinity; SV_ERR_UNSUPPORTED for integer or quantised ones. All name
 * it. */
sv_status sv_weights_load(const sv_tensor_file *file, const sv_model_config *config, sv_weights *out, sv_error *err);
void sv_weights_free(sv_weights *weights);

/* out [D] = row `id` of the embedding. */
void sv_weights_embed(const sv_weights *weights, int32_t id, float *out);

#endif
