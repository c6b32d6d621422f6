/*
 * adapter.h - a LoRA adapter (Hu et al., arXiv 2106.09685) from a PEFT folder: adapter_config.json and
 * adapter_model.safetensors (qwen25vl.md section 9). W becomes W + scale B A.
 */
#ifndef SV_MODEL_ADAPTER_H
#define SV_MODEL_ADAPTER_H

#include "model/safetensors.h"

typedef struct sv_adapter sv_adapter; /* keeps its file mapped; immutable */

/* One adapted module. A: [rank, n_in] (of the patch embedding [rank, channels, frames, patch, patch]); B: [n_out, rank]
 * (of the patch embedding with three trailing ones). F32, F16 or BF16. */
typedef struct sv_low_rank {
    const char *module; /* in the older naming: "model.layers.0.mlp.up_proj", "visual.patch_embed.proj" */
    const sv_tensor *a, *b;
    size_t rank, n_in, n_out;
    float scale; /* lora_alpha / r, or / sqrt(r) with rsLoRA, by rank_pattern and alpha_pattern */
} sv_low_rank;

/* Reads a folder. Accepts both namings of modules. SV_ERR_INPUT for a missing half of a pair, shapes that do not fit
 * each other, NaN or infinity; SV_ERR_UNSUPPORTED for options that change the computation (DoRA, bias,
 * modules_to_save, fan_in_fan_out, PiSSA ...). All name the place. */
sv_status sv_adapter_open(const char *folder, sv_adapter **out, sv_error *err);
void sv_adapter_close(sv_adapter *adapter);

size_t sv_adapter_count(const sv_adapter *adapter);
const sv_low_rank *sv_adapter_at(const sv_adapter *adapter, size_t i); /* sorted by module */
/* The pair of `module` in the older naming, NULL when it is not adapted. */
const sv_low_rank *sv_adapter_find(const sv_adapter *adapter, const char *module);

#endif
