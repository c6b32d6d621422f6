/* modules.h - the linear layers and norms of a network by name. */
#ifndef SV_TRAIN_MODULES_H
#define SV_TRAIN_MODULES_H

#include "train/trainee.h"

/* One matrix of a linear layer. */
typedef struct sv_module {
    char name[96]; /* in the older naming: "model.layers.0.self_attn.q_proj" */
    sv_linear *linear;
    size_t part, first_row; /* of the part among the layer's outputs */
    sv_linear_gradient *gradient;
    bool vision, patch_embed, embedding;
} sv_module;

typedef struct sv_norm_module {
    char name[96];
    const float **weight;
    float **gradient;
    size_t n;
    bool vision;
} sv_norm_module;

typedef struct sv_module_visitor {
    sv_status (*linear)(void *context, const sv_module *module, sv_error *err);
    sv_status (*norm)(void *context, const sv_norm_module *module, sv_error *err);
    void *context;
} sv_module_visitor;

/* Visits all in the order of the network; a tied head is visited as the embedding. `embedding`: the table as a layer
 * (its weight is copied into weights->embedding by the caller). Ends at the first failure. */
sv_status sv_modules_visit(const sv_model_config *config, sv_weights *weights, sv_linear *embedding,
                           sv_network_gradients *gradients, const sv_module_visitor *visitor, sv_error *err);

#endif
