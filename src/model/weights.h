/*
 * weights.h - the parameters of a network, bound by name to mapped safetensors. Matrices stay where they lie, in the
 * precision of the file; norms and biases are copied as f32.
 */
#ifndef SV_MODEL_WEIGHTS_H
#define SV_MODEL_WEIGHTS_H

#include "model/adapter.h"
#include "model/config.h"
#include "model/quantised.h"
#include "tensor/linear.h"

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
    sv_linear patch_embed; /* one frame [channels * patch * patch] -> Dv: the kernels of all frames summed, f32 */
    sv_vision_block *vision_blocks;
    const float *merger_norm; /* [Dv] */
    sv_linear merger_in, merger_out;
    sv_matrix embedding; /* [V, D] */
    sv_linear head;      /* D -> V; the embedding when tied */
    sv_decoder_layer *layers;
    const float *final_norm; /* [D] */
    float *storage;          /* norms, biases, patch embedding */
    size_t storage_bytes;
    size_t max_rank;      /* of all layers: sv_linear_rank */
    size_t matrix_bytes;  /* of the files, read at each pass through the network */
    int64_t n_parameters; /* of the base; the adapter's are not counted */
} sv_weights;

/* Binds every tensor that `config` asks for, under the names of either generation of files; `adapter` may be NULL. The
 * files stay borrowed. SV_ERR_INPUT for a tensor that is missing, has another shape, or holds NaN or infinity, and for
 * a module that the adapter changes but the network lacks; SV_ERR_UNSUPPORTED for types that are not read. All name it.
 * Every number is looked at once. */
sv_status sv_weights_load(const sv_tensor_file *file, const sv_quantisation *quantisation, const sv_adapter *adapter,
                          const sv_model_config *config, sv_weights *out, sv_error *err);
void sv_weights_free(sv_weights *weights);

#endif
