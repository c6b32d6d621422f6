/*
 * adamw.h - AdamW (Loshchilov and Hutter, arXiv 1711.05101) in the steps of torch.optim.AdamW, and clipping by the
 * norm of all gradients.
 */
#ifndef SV_TRAIN_ADAMW_H
#define SV_TRAIN_ADAMW_H

#include "train/trainee.h"

typedef struct sv_adamw_options {
    double beta1, beta2, eps, weight_decay;
} sv_adamw_options;

typedef struct sv_adamw {
    sv_adamw_options options;
    int64_t n_updates;
    float *m, *v; /* [n_values of the trainee], parameters one after another */
    size_t n_values;
} sv_adamw;

sv_status sv_adamw_new(const sv_trainee *trainee, const sv_adamw_options *options, sv_adamw *out, sv_error *err);
void sv_adamw_free(sv_adamw *optimizer);

/* The 2-norm of all gradients together. */
double sv_gradient_norm(const sv_trainee *trainee, sv_pool *pool);

/* Gradients times min(1, max_norm / (norm + 1e-6)); max_norm <= 0: as they are. */
void sv_gradient_clip(sv_trainee *trainee, double norm, double max_norm);

/* One update at this learning rate; sv_trainee_values_changed is called. */
void sv_adamw_update(sv_adamw *optimizer, sv_trainee *trainee, double learning_rate, sv_pool *pool);

#endif
