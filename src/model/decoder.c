/* decoder.c - RMSNorm, GQA attention with MRoPE over cached keys, SwiGLU; layer by layer, for the rows of any number of
 * timelines at once. */
#include "base/memory.h"
#include "model/network.h"
#include "tensor/product.h"

static void tap(const sv_workspace *w, const char *what, int index, const float *rows, size_t n_rows) {
    if (w->tap.call) w->tap.call(w->tap.context, what, index, rows, n_rows, (size_t)w->model->config.text.hidden);
}

/* Rotates queries and keys where they stand. */
static void rotate(sv_workspace *w, size_t n_rows) {
    const sv_text_config *c = &w->model->config.text;
    size_t head_dim = (size_t)c->head_dim, half = head_dim / 2, n_kv = (size_t)c->n_kv_heads;
    size_t n_rotated = (size_t)c->n_heads + n_kv, stride = (n_rotated + n_kv) * head_dim;
    for (size_t r = 0; r < n_rows; r++) {
        for (size_t h = 0; h < n_rotated; h++) {
            sv_rounded_rotate(w->model->rounding, w->qkv + r * stride + h * head_dim, half, w->cosines + r * half,
                              w->sines + r * half);
        }
    }
}

/* Files keys and values in the caches. */
static void store(sv_workspace *w, const sv_span *spans, size_t n_spans, size_t layer) {
    const sv_text_config *c = &w->model->config.text;
    size_t head_dim = (size_t)c->head_dim, n_heads = (size_t)c->n_heads, n_kv = (size_t)c->n_kv_heads, row = 0;
    size_t stride = (n_heads + 2 * n_kv) * head_dim;
    for (size_t i = 0; i < n_spans; row += spans[i++].n_rows) {
        const sv_span *s = &spans[i];
        for (size_t h = 0; h < n_kv; h++) {
            const float *keys = w->qkv + row * stride + (n_heads + h) * head_dim, *values = keys + n_kv * head_dim;
            sv_pack_transposed(keys, stride, s->n_rows, head_dim, s->n_own, sv_cache_keys(s->own, c, layer, h));
            sv_pack_rows(values, stride, s->n_rows, head_dim, s->n_own, sv_cache_values(s->own, c, layer, h),
                         s->own->capacity * SV_PANEL);
        }
    }
}

static void run_layer(sv_workspace *w, const sv_span *spans, size_t n_spans, size_t index, size_t n_rows) {
    const sv_text_config *c = &w->model->config.text;
    const sv_decoder_layer *layer = &w->model->weights.layers[index];
    sv_rounding rounding = w->model->rounding;
    size_t hidden = (size_t)c->hidden, ffn = (size_t)c->ffn, n_query = layer->output.n_in;
    sv_rounded_norm(rounding, w->rows, layer->norm1, c->rms_eps, n_rows, hidden, w->normed, w->pool);
    sv_rounded_linear(rounding, &layer->qkv, w->normed, hidden, n_rows, w->qkv, w->low_rank, w->pool);
    rotate(w, n_rows);
    store(w, spans, n_spans, index);
    sv_attend(w, spans, index);
    sv_round_values(rounding, w->attended, n_rows * n_query);
    sv_rounded_residual(rounding, &layer->output, w->attended, n_query, n_rows, w->rows, w->normed, w->low_rank,
                        w->pool);
    sv_rounded_norm(rounding, w->rows, layer->norm2, c->rms_eps, n_rows, hidden, w->normed, w->pool);
    sv_rounded_linear(rounding, &layer->gate_up, w->normed, hidden, n_rows, w->gate_up, w->low_rank, w->pool);
    sv_rounded_swiglu(rounding, w->gate_up, n_rows, ffn, w->pool);
    sv_rounded_residual(rounding, &layer->down, w->gate_up, 2 * ffn, n_rows, w->rows, w->normed, w->low_rank, w->pool);
}

void sv_decoder_run(sv_workspace *w, const sv_span *spans, size_t n_spans) {
    const sv_text_config *c = &w->model->config.text;
    size_t half = (size_t)c->head_dim / 2, n_rows = 0;
    for (size_t i = 0; i < n_spans; i++) {
        for (size_t r = 0; r < spans[i].n_rows; r++, n_rows++) {
            float *cosines = w->cosines + n_rows * half, *sines = w->sines + n_rows * half;
            sv_mrope_angles(c, w->model->text_frequencies, spans[i].positions[r], cosines, sines);
        }
    }
    sv_round_values(w->model->rounding, w->cosines, n_rows * half);
    sv_round_values(w->model->rounding, w->sines, n_rows * half);
    sv_round_values(w->model->rounding, w->rows, n_rows * (size_t)c->hidden);
    sv_attend_plan(w, spans, n_spans);
    tap(w, "hidden", 0, w->rows, n_rows);
    for (int i = 0; i < c->n_layers; i++) {
        run_layer(w, spans, n_spans, (size_t)i, n_rows);
        tap(w, "hidden", i + 1, w->rows, n_rows);
    }
}

void sv_decoder_logits(sv_workspace *w, size_t first, size_t n_rows, float *out) {
    const sv_text_config *c = &w->model->config.text;
    const sv_weights *weights = &w->model->weights;
    size_t hidden = (size_t)c->hidden;
    sv_rounded_norm(w->model->rounding, w->rows + first * hidden, weights->final_norm, c->rms_eps, n_rows, hidden,
                    w->normed, w->pool);
    tap(w, "final_norm", 0, w->normed, n_rows);
    sv_rounded_linear(w->model->rounding, &weights->head, w->normed, hidden, n_rows, out, w->low_rank, w->pool);
}
