/*
 * model_cost.h - how large a network of given sizes is and how much it computes: sums over its matrices, nothing read
 * but the configuration. Counts are double: exact below 2^53, and no configuration can make them overflow.
 */
#ifndef SV_MODEL_MODEL_COST_H
#define SV_MODEL_MODEL_COST_H

#include "model/config.h"

typedef struct sv_parameter_count {
    double layer_matrices; /* of one decoder layer */
    double layer;          /* with biases and norms */
    double embedding;      /* [V, D] */
    double head;           /* 0 when it is the embedding */
    double text;           /* embedding, layers, final norm, head */
    double vision_block, patch_embed, merger;
    double vision;
    double total;
} sv_parameter_count;
void sv_count_parameters(const sv_model_config *config, sv_parameter_count *out);

/* Floating-point operations; a multiply-add counts as two. */
typedef struct sv_work {
    double linear;    /* products with weights */
    double attention; /* scores and weighted values */
} sv_work;
double sv_work_sum(sv_work work);

/* One picture through the vision tower; sides in merged cells (8 x 16 for the picture of an epoch at patches of 14). */
sv_work sv_work_picture(const sv_model_config *config, int cells_h, int cells_w);

/* n tokens read after n_before others (causal attention; no logits, which only the last one needs). */
sv_work sv_work_read(const sv_model_config *config, double n_before, double n);

/* n tokens written one by one after n_before others, logits included. */
sv_work sv_work_write(const sv_model_config *config, double n_before, double n);

#endif
