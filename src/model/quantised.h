/*
 * quantised.h - four-bit weights as AutoRound and GPTQ write them (qwen25vl.md section 8): what config.json says of
 * them, and their binding by module name.
 */
#ifndef SV_MODEL_QUANTISED_H
#define SV_MODEL_QUANTISED_H

#include "base/json.h"
#include "model/safetensors.h"
#include "tensor/matrix.h"

typedef struct sv_quantisation {
    char method[24]; /* "auto-round", "gptq"; "" = the weights are not quantised */
    int group;       /* inputs that share a scale; 0 = a whole row */
    int zero_offset; /* sv_matrix */
    bool symmetric;
} sv_quantisation;

/* Reads "quantization_config" of config.json or, when that has none, quantization_config.json of the folder.
 * SV_ERR_UNSUPPORTED names a method, a packing, a number of bits or an option that is not read. */
sv_status sv_quantisation_load(const char *folder, sv_quantisation *out, sv_error *err);

/* True when the file holds `module` ("model.layers.0.mlp.up_proj") in packed form. */
bool sv_is_quantised(const sv_tensor_file *file, const char *module);

/* The matrix [n_out, n_in] of `module` (a name as it stands in the file). SV_ERR_INPUT names a tensor that is missing
 * or has another shape or type, SV_ERR_UNSUPPORTED one in another order (g_idx). */
sv_status sv_quantised_bind(const sv_tensor_file *file, const sv_quantisation *quantisation, const char *module,
                            size_t n_out, size_t n_in, sv_matrix *out, sv_error *err);

#endif
