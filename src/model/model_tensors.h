/*
 * model_tensors.h - the tensors of a Qwen2.5-VL network by name and shape (qwen25vl.md sections 2 and 8), as a list
 * that is walked: what a random model is made of, and what a folder is checked against without reading its weights.
 */
#ifndef SV_MODEL_MODEL_TENSORS_H
#define SV_MODEL_MODEL_TENSORS_H

#include "model/config.h"
#include "model/safetensors.h"

typedef enum sv_tensor_role {
    SV_TENSOR_NORM,   /* factors near 1 */
    SV_TENSOR_BIAS,   /* of a layer */
    SV_TENSOR_MATRIX, /* [n_out, n_in], or the kernel of the patch embedding */
    SV_TENSOR_WORDS,  /* eight four-bit weights each: [n_in / 8, n_out] */
    SV_TENSOR_ZEROS,  /* [n_in / group, n_out / 8] */
    SV_TENSOR_SCALES  /* [n_in / group, n_out] */
} sv_tensor_role;

typedef struct sv_model_tensor {
    char name[96]; /* older naming: "model.layers.0.", "visual." */
    sv_tensor_role role;
    int n_dims;
    int64_t shape[SV_TENSOR_MAX_DIMS];
    double n_in; /* inputs of the layer that it belongs to; of a norm its width */
} sv_model_tensor;

typedef bool sv_tensor_visit(void *context, const sv_model_tensor *tensor); /* false ends the walk */

/* Walks over every tensor. group > 0: the decoder layers' seven matrices are packed with that many inputs a scale. */
void sv_model_tensors_walk(const sv_model_config *config, int group, sv_tensor_visit *visit, void *context);

/* A module or tensor of the older naming in the newer one: "model.language_model.layers.0", "model.visual.merger". */
void sv_newer_name(const char *older, char *out, size_t size);

/* The tensor under its older or its newer name ("model.language_model.", "model.visual."); NULL when absent. */
const sv_tensor *sv_model_tensor_find(const sv_tensor_file *file, const char *name);

/* Whether the file holds every tensor of the configuration with its shape, a packed matrix counting as one. Reads
 * headers only. SV_ERR_INPUT names the first that is missing or has another shape. */
sv_status sv_model_tensors_check(const sv_tensor_file *file, const sv_model_config *config, sv_error *err);

#endif
