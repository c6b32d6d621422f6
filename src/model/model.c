/* model.c - loading a model folder, and pictures through the vision tower. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "model/network.h"
#include "model/tokenizer_check.h"
#include "tensor/isa.h"

static sv_status make_frequencies(sv_model *m, sv_error *err) {
    const sv_text_config *t = &m->config.text;
    const sv_vision_config *v = &m->config.vision;
    int vision_dim = v->hidden / v->n_heads / 2;
    m->text_frequencies = sv_calloc((size_t)t->head_dim / 2, sizeof(float));
    m->vision_frequencies = sv_calloc((size_t)vision_dim / 2, sizeof(float));
    if (!m->text_frequencies || !m->vision_frequencies) return sv_fail(err, SV_ERR_MEMORY, "out of memory: rotations");
    sv_rope_frequencies(t->rope_theta, t->head_dim, m->text_frequencies);
    sv_rope_frequencies(v->rope_theta, vision_dim, m->vision_frequencies);
    return SV_OK;
}

static sv_status check_vocabulary(const sv_model *m, sv_error *err) {
    sv_status status = sv_tokenizer_check(m->tokenizer, &m->config, err);
    return status == SV_OK ? SV_OK : sv_error_prefix(err, "%s", m->folder);
}

static sv_status bind_weights(sv_model *m, sv_error *err) {
    sv_status status = sv_tensor_folder_open(m->folder, &m->file, err);
    if (status == SV_OK) status = sv_quantisation_load(m->folder, &m->quantisation, err);
    if (status == SV_OK && m->adapter_folder) status = sv_adapter_open(m->adapter_folder, &m->adapter, err);
    if (status != SV_OK) return status;
    status = sv_weights_load(m->file, &m->quantisation, m->adapter, &m->config, &m->weights, err);
    if (status != SV_OK) sv_error_prefix(err, "%s", m->folder);
    return status;
}

sv_status sv_model_load(const char *folder, const sv_model_options *options, sv_model **out, sv_error *err) {
    static const sv_model_options defaults;
    if (!options) options = &defaults;
    *out = NULL;
    sv_model *m = sv_calloc(1, sizeof *m);
    if (!m) return sv_fail_memory(err, "model", sizeof *m);
    sv_status status = SV_OK;
    m->rounding = options->rounding;
    m->folder = sv_strndup(folder, strlen(folder));
    if (options->adapter) m->adapter_folder = sv_strndup(options->adapter, strlen(options->adapter));
    if (!m->folder || (options->adapter && !m->adapter_folder)) status = sv_fail_memory(err, "model", strlen(folder));
    if (status == SV_OK) status = sv_model_config_load(folder, &m->config, err);
    if (status == SV_OK) status = sv_tokenizer_load(folder, &m->tokenizer, err);
    if (status == SV_OK) status = check_vocabulary(m, err);
    if (status == SV_OK) status = make_frequencies(m, err);
    if (status == SV_OK) status = bind_weights(m, err);
    if (status != SV_OK) {
        sv_model_free(m);
        return status;
    }
    *out = m;
    return SV_OK;
}

void sv_model_free(sv_model *m) {
    if (!m) return;
    sv_tokenizer_free(m->tokenizer);
    sv_weights_free(&m->weights);
    sv_adapter_close(m->adapter);
    sv_tensor_file_close(m->file);
    free(m->text_frequencies);
    free(m->vision_frequencies);
    free(m->folder);
    free(m->adapter_folder);
    free(m);
}

const sv_model_config *sv_model_get_config(const sv_model *model) { return &model->config; }
const sv_tokenizer *sv_model_get_tokenizer(const sv_model *model) { return model->tokenizer; }
const char *sv_model_folder(const sv_model *model) { return model->folder; }
const char *sv_model_adapter_folder(const sv_model *model) { return model->adapter_folder; }
sv_rounding sv_model_rounding(const sv_model *model) { return model->rounding; }
int64_t sv_model_n_parameters(const sv_model *model) { return model->weights.n_parameters; }

const char *sv_model_arithmetic(void) {
    return sv_isa_current() == SV_ISA_REF ? "f32" : "f32, fused multiply-add"; /* the same bits on all that fuse */
}

size_t sv_model_adapter_rank(const sv_model *model) { return model->weights.max_rank; }

void sv_embedding_free(sv_embedding *embedding) {
    free(embedding->rows);
    *embedding = (sv_embedding){0};
}

sv_status sv_model_picture_tokens(const sv_model *model, int height, int width, size_t *n_tokens, sv_error *err) {
    const sv_model_config *c = &model->config;
    int cell = c->vision.patch * c->vision.merge, h = 0, w = 0;
    sv_status s = sv_smart_resize(height, width, cell, c->min_pixels, c->max_pixels, &h, &w, err);
    *n_tokens = (size_t)(h / cell) * (size_t)(w / cell);
    return s;
}

sv_status sv_model_embed_image(const sv_model *model, const sv_image *image, sv_pool *pool, sv_embedding *out,
                               sv_error *err) {
    *out = (sv_embedding){0};
    const sv_vision_config *c = &model->config.vision;
    sv_patches patches;
    sv_status status = sv_image_to_patches(&model->config, image, &patches, err);
    if (status != SV_OK) return status;
    out->grid_h = patches.grid_h / c->merge;
    out->grid_w = patches.grid_w / c->merge;
    out->n_tokens = out->grid_h * out->grid_w;
    out->rows = sv_alloc_aligned((size_t)out->n_tokens, (size_t)c->out_hidden * sizeof *out->rows);
    if (!out->rows) {
        status = sv_fail(err, SV_ERR_MEMORY, "out of memory: embeddings of a picture of %d tokens", out->n_tokens);
    } else {
        sv_round_values(model->rounding, patches.rows,
                        (size_t)patches.grid_h * (size_t)patches.grid_w * (size_t)patches.row_size);
        status = sv_vision_run(model, &patches, pool, NULL, out->rows, err);
    }
    sv_patches_free(&patches);
    if (status != SV_OK) sv_embedding_free(out);
    return status;
}
