/* modules.c - see modules.h. Names: qwen25vl.md section 2. */
#include "train/modules.h"

#include <stdarg.h>
#include <stdio.h>

typedef struct walk {
    const sv_module_visitor *visitor;
    sv_status status;
    sv_error *err;
    char prefix[64];
    bool vision;
} walk;

static void norm(walk *w, const char *name, const float **weight, float **gradient, int n) {
    sv_norm_module m = {.weight = weight, .gradient = gradient, .n = (size_t)n, .vision = w->vision};
    if (w->status) return;
    snprintf(m.name, sizeof m.name, "%s%s", w->prefix, name);
    w->status = w->visitor->norm(w->visitor->context, &m, w->err);
}

static void part(walk *w, sv_module m, const char *name) {
    if (w->status) return;
    snprintf(m.name, sizeof m.name, "%s%s", w->prefix, name);
    m.vision = w->vision;
    for (size_t i = 0; i < m.part; i++) m.first_row += m.linear->parts[i].weight.n_out;
    w->status = w->visitor->linear(w->visitor->context, &m, w->err);
}

static void linear(walk *w, sv_linear *l, sv_linear_gradient *g, const char *const *names) {
    for (size_t i = 0; i < l->n_parts; i++) part(w, (sv_module){.linear = l, .part = i, .gradient = g}, names[i]);
}

static void set_prefix(walk *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void set_prefix(walk *w, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(w->prefix, sizeof w->prefix, format, arguments);
    va_end(arguments);
}

static void visit_vision(walk *w, const sv_vision_config *c, sv_weights *weights, sv_network_gradients *g) {
    w->vision = true;
    set_prefix(w, "visual.");
    part(w, (sv_module){.linear = &weights->patch_embed, .gradient = &g->patch_embed, .patch_embed = true},
         "patch_embed.proj");
    for (int i = 0; i < c->depth; i++) {
        sv_vision_block *b = &weights->vision_blocks[i];
        sv_block_gradients *d = &g->vision_blocks[i];
        set_prefix(w, "visual.blocks.%d.", i);
        norm(w, "norm1", &b->norm1, &d->norm1, c->hidden);
        linear(w, &b->qkv, &d->qkv, (const char *const[]){"attn.qkv"});
        linear(w, &b->projection, &d->output, (const char *const[]){"attn.proj"});
        norm(w, "norm2", &b->norm2, &d->norm2, c->hidden);
        linear(w, &b->gate_up, &d->gate_up, (const char *const[]){"mlp.gate_proj", "mlp.up_proj"});
        linear(w, &b->down, &d->down, (const char *const[]){"mlp.down_proj"});
    }
    set_prefix(w, "visual.merger.");
    norm(w, "ln_q", &weights->merger_norm, &g->merger_norm, c->hidden);
    linear(w, &weights->merger_in, &g->merger_in, (const char *const[]){"mlp.0"});
    linear(w, &weights->merger_out, &g->merger_out, (const char *const[]){"mlp.2"});
}

static void visit_text(walk *w, const sv_text_config *c, sv_weights *weights, sv_linear *embedding,
                       sv_network_gradients *g) {
    w->vision = false;
    set_prefix(w, "model.");
    part(w, (sv_module){.linear = embedding, .gradient = &g->embedding, .embedding = true}, "embed_tokens");
    for (int i = 0; i < c->n_layers; i++) {
        sv_decoder_layer *l = &weights->layers[i];
        sv_block_gradients *d = &g->layers[i];
        set_prefix(w, "model.layers.%d.", i);
        norm(w, "input_layernorm", &l->norm1, &d->norm1, c->hidden);
        linear(w, &l->qkv, &d->qkv, (const char *const[]){"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"});
        linear(w, &l->output, &d->output, (const char *const[]){"self_attn.o_proj"});
        norm(w, "post_attention_layernorm", &l->norm2, &d->norm2, c->hidden);
        linear(w, &l->gate_up, &d->gate_up, (const char *const[]){"mlp.gate_proj", "mlp.up_proj"});
        linear(w, &l->down, &d->down, (const char *const[]){"mlp.down_proj"});
    }
    set_prefix(w, "model.");
    norm(w, "norm", &weights->final_norm, &g->final_norm, c->hidden);
    set_prefix(w, "%s", "");
    if (!c->tied_embeddings)
        part(w, (sv_module){.linear = &weights->head, .gradient = &g->head, .embedding = true}, "lm_head");
}

sv_status sv_modules_visit(const sv_model_config *config, sv_weights *weights, sv_linear *embedding,
                           sv_network_gradients *gradients, const sv_module_visitor *visitor, sv_error *err) {
    walk w = {.visitor = visitor, .err = err};
    visit_vision(&w, &config->vision, weights, gradients);
    visit_text(&w, &config->text, weights, embedding, gradients);
    return w.status;
}
