/*
 * model.h - a loaded Qwen2.5-VL network: weights, tokenizer, and pictures turned into embeddings.
 *
 *   picture -> patches -> vision tower (windowed and full attention blocks) -> merger -> [n_tokens, D]
 *   prompt ids + embeddings -> decoder (RMSNorm, GQA attention with MRoPE, SwiGLU) -> logits [V]       (session.h)
 */
#ifndef SV_MODEL_MODEL_H
#define SV_MODEL_MODEL_H

#include "base/threads.h"
#include "model/config.h"
#include "model/image.h"
#include "token/tokenizer.h"

const sv_model_config *sv_model_get_config(const sv_model *model);
const sv_tokenizer *sv_model_get_tokenizer(const sv_model *model);
const char *sv_model_folder(const sv_model *model);
const char *sv_model_adapter_folder(const sv_model *model); /* NULL when it was loaded without one */
sv_rounding sv_model_rounding(const sv_model *model);
int64_t sv_model_n_parameters(const sv_model *model);
/* How this process computes products: what makes results differ in their last bits between machines. Static storage. */
const char *sv_model_arithmetic(void);
size_t sv_model_adapter_rank(const sv_model *model); /* numbers a row of work space needs for an adapter, 0 without */

/* What the decoder sees of one picture. */
typedef struct sv_embedding {
    int grid_h, grid_w; /* merged cells; n_tokens = grid_h * grid_w */
    int n_tokens;
    float *rows; /* [n_tokens, D], owned */
} sv_embedding;
void sv_embedding_free(sv_embedding *embedding);

/* How many tokens a picture of this size becomes. SV_ERR_INPUT when its aspect ratio is above 200. */
sv_status sv_model_picture_tokens(const sv_model *model, int height, int width, size_t *n_tokens, sv_error *err);

/* Runs the vision tower on one picture. `pool` (may be NULL) shares out the matrix products. The result does not depend
 * on the number of threads. */
sv_status sv_model_embed_image(const sv_model *model, const sv_image *image, sv_pool *pool, sv_embedding *out,
                               sv_error *err);

#endif
