/* model_cost.c - qwen25vl.md sections 1 and 10, for any sizes. */
#include "model/model_cost.h"

#include "base/memory.h"

void sv_count_parameters(const sv_model_config *config, sv_parameter_count *out) {
    const sv_text_config *t = &config->text;
    const sv_vision_config *v = &config->vision;
    double d = t->hidden, query = (double)t->n_heads * t->head_dim, key = (double)t->n_kv_heads * t->head_dim;
    double dv = v->hidden, cell = dv * v->merge * v->merge;
    *out = (sv_parameter_count){0};
    out->layer_matrices = 2 * d * query + 2 * d * key + 3 * d * t->ffn;
    out->layer = out->layer_matrices + query + 2 * key + 2 * d;
    out->embedding = (double)t->vocab * d;
    out->head = t->tied_embeddings ? 0 : out->embedding;
    out->text = out->embedding + t->n_layers * out->layer + d + out->head;
    out->vision_block = (4 * dv + 4) * dv + (3 * dv + 2) * v->ffn + dv + 2 * dv;
    out->patch_embed = dv * v->channels * v->temporal_patch * v->patch * v->patch;
    out->merger = dv + (cell + 1) * cell + (cell + 1) * v->out_hidden;
    out->vision = v->depth * out->vision_block + out->patch_embed + out->merger;
    out->total = out->text + out->vision;
}

double sv_work_sum(sv_work work) { return work.linear + work.attention; }

/* Sum over the windows of (patches in it)^2. */
static double window_pairs(const sv_vision_config *v, int cells_h, int cells_w) {
    int side = v->window / (v->patch * v->merge);
    double sum = 0, in_cell = (double)v->merge * v->merge;
    for (int y = 0; y < cells_h; y += side) {
        for (int x = 0; x < cells_w; x += side) {
            double n = (double)SV_MIN(side, cells_h - y) * SV_MIN(side, cells_w - x) * in_cell;
            sum += n * n;
        }
    }
    return sum;
}

sv_work sv_work_picture(const sv_model_config *config, int cells_h, int cells_w) {
    const sv_vision_config *v = &config->vision;
    double dv = v->hidden, in_cell = (double)v->merge * v->merge, cells = (double)cells_h * cells_w;
    double patches = cells * in_cell, cell_width = dv * in_cell;
    double block = 4 * dv * dv + 3 * dv * v->ffn;
    double patch_embed = dv * v->channels * v->temporal_patch * v->patch * v->patch;
    double merger = cell_width * cell_width + cell_width * v->out_hidden;
    double pairs =
        v->n_full_blocks * patches * patches + (v->depth - v->n_full_blocks) * window_pairs(v, cells_h, cells_w);
    return (sv_work){2 * (patches * (v->depth * block + patch_embed) + cells * merger), 4 * dv * pairs};
}

sv_work sv_work_read(const sv_model_config *config, double n_before, double n) {
    const sv_text_config *t = &config->text;
    sv_parameter_count count;
    sv_count_parameters(config, &count);
    double pairs = n * n_before + n * n / 2;
    return (sv_work){2 * t->n_layers * count.layer_matrices * n, 4.0 * t->n_layers * t->n_heads * t->head_dim * pairs};
}

sv_work sv_work_write(const sv_model_config *config, double n_before, double n) {
    sv_work work = sv_work_read(config, n_before, n);
    work.linear += 2.0 * config->text.vocab * config->text.hidden * n;
    return work;
}
