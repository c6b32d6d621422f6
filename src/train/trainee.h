/*
 * trainee.h - a model that is being trained: which of its parameters change, their values in f32, their gradients.
 *
 * Full training: weights themselves, all or those that a pattern leaves free. LoRA (Hu et al., arXiv 2106.09685; files
 * as PEFT's): the base stays mapped in the precision of its file, pairs A, B are trained.
 */
#ifndef SV_TRAIN_TRAINEE_H
#define SV_TRAIN_TRAINEE_H

#include "base/json.h"
#include "model/network.h"
#include "train/linear_gradient.h"

typedef struct sv_parameter {
    char *name; /* as in files: "model.layers.0.mlp.up_proj.weight"; LoRA: the module and ".lora_A.weight" */
    int n_dims;
    int64_t shape[SV_TENSOR_MAX_DIMS];
    size_t n;
    float *value, *gradient; /* [n] */
    bool vision;             /* of the vision tower */
    double rate;             /* times the learning rate; 0 = rests: the optimizer leaves it alone */
    bool decays; /* weight decay applies: not to names with "bias", "layernorm.weight" or "norm.weight", as published */
} sv_parameter;

typedef struct sv_trainee_options {
    bool full;                  /* train weights; else LoRA */
    const char *freeze;         /* full: regular expression; parameters whose whole name it matches stay. NULL = none */
    const char *const *targets; /* LoRA: leaf names [n_targets]; every module whose path ends in one is adapted */
    size_t n_targets;
    const char *target_pattern; /* LoRA: regular expression for the whole path, instead of targets; NULL = none */
    int rank;
    double alpha, dropout;
    uint64_t seed;              /* of new pairs, and of dropout */
    const char *adapter_folder; /* LoRA: start from this one; its rank, alpha and modules count. NULL = new pairs */
} sv_trainee_options;

/* Where each layer's gradients go. */
typedef struct sv_block_gradients {
    float *norm1, *norm2;
    sv_linear_gradient qkv, output, gate_up, down;
} sv_block_gradients;

typedef struct sv_network_gradients {
    sv_linear_gradient patch_embed, merger_in, merger_out, embedding, head;
    float *merger_norm, *final_norm;
    sv_block_gradients *vision_blocks, *layers;
} sv_network_gradients;

typedef struct sv_trainee {
    sv_model network; /* a view of the base with the trained values in place: what the engine reads to evaluate */
    sv_parameter *parameters; /* [n_parameters], in the order of the network */
    size_t n_parameters;
    size_t n_own;    /* of them the network's; helpers' stand behind (sv_trainee_add_helper) */
    size_t n_values; /* of all parameters */
    sv_network_gradients gradients;
    double dropout;
    uint64_t seed;
    json_t *settings;                 /* LoRA: what its adapter_config.json says of modules, ranks and scales */
    int rank;                         /* LoRA: of the module adapted last; 0 = full */
    bool vision_trains, text_trains;  /* a parameter of that tower, or below it in the backward pass, changes */
    struct sv_trainee_memory *memory; /* what all this lies in */
} sv_trainee;

/* The base is borrowed and not changed; it must have been loaded without an adapter. SV_ERR_INPUT: targets or patterns
 * that match nothing, a pattern that is no regular expression, an adapter of another base; SV_ERR_UNSUPPORTED: full
 * training of four-bit weights. */
sv_status sv_trainee_new(const sv_model *base, const sv_trainee_options *options, sv_trainee **out, sv_error *err);
void sv_trainee_free(sv_trainee *trainee);

/* The learning rate of a tower's parameters is multiplied by this; 0: the tower rests and has no backward pass. All
 * begin with 1. */
void sv_trainee_set_rates(sv_trainee *trainee, double vision, double text);

/* Adds a parameter of zeros that is trained and kept in checkpoints, but is in no model file; *out has its places.
 * Before there is an optimizer. */
sv_status sv_trainee_add_helper(sv_trainee *trainee, const char *name, int n_dims, const int64_t *shape,
                                sv_parameter *out, sv_error *err);

void sv_trainee_clear_gradients(sv_trainee *trainee);

/* Both follow from parameters whose layout differs from the engine's (kernels of the patch embedding, whose frames are
 * summed): after values were changed, and after a backward pass. */
void sv_trainee_values_changed(sv_trainee *trainee);
void sv_trainee_finish_gradients(sv_trainee *trainee);

#endif
