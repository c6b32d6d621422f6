/* prefix_tree.c - prefixes on a shelf, keyed by their ids, each with the one before as its parent. */
#include "model/prefix_tree.h"

#include <pthread.h>
#include <string.h>

#include "base/memory.h"
#include "model/network.h"
#include "tensor/product.h"

struct sv_prefix_tree {
    const sv_model *model;
    sv_prefix_tree_options options;
    sv_shelf *shelf;
    pthread_mutex_t lock; /* of `counts`, where `pieces` is not used */
    sv_prefix_tree_counts counts;
};

static void free_value(void *value) { sv_prefix_free(value); }

sv_status sv_prefix_tree_new(const sv_model *model, const sv_prefix_tree_options *options, sv_prefix_tree **out,
                             sv_error *err) {
    *out = NULL;
    sv_prefix_tree *t = sv_calloc(1, sizeof *t);
    if (!t) return sv_fail_memory(err, "tree of prefixes", sizeof *t);
    t->model = model;
    t->options = *options;
    pthread_mutex_init(&t->lock, NULL);
    sv_status status = sv_shelf_new("shared prefixes of prompts", options->budget_bytes, free_value, &t->shelf, err);
    if (status) {
        sv_prefix_tree_free(t);
        return status;
    }
    *out = t;
    return SV_OK;
}

void sv_prefix_tree_free(sv_prefix_tree *t) {
    if (!t) return;
    sv_shelf_free(t->shelf);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

size_t sv_prefix_bytes(const sv_text_config *config, size_t n_tokens) {
    size_t room, keys, values, total;
    if (!sv_add_size(n_tokens, SV_PANEL, &room) || !sv_cache_sizes(config, sv_panel_round(n_tokens), &keys, &values) ||
        !sv_add_size(keys, values, &total) || !sv_add_size(total, n_tokens, &total) || /* the ids */
        !sv_mul_size(total, sizeof(float), &total) || !sv_add_size(total, sizeof(sv_prefix), &total)) {
        return SIZE_MAX;
    }
    return total;
}

double sv_prefix_cost(const sv_text_config *c, size_t n_tokens) {
    double hidden = c->hidden, query = (double)c->n_heads * c->head_dim, key = (double)c->n_kv_heads * c->head_dim;
    double layer = hidden * (query + 2 * key) + query * hidden + 3 * hidden * c->ffn;
    return layer * c->n_layers * (double)n_tokens;
}

typedef struct request {
    sv_prefix_tree *tree;
    sv_workspace *workspace;
    const sv_prefix *parent;
    const int32_t *ids;
    size_t n_parent, n_ids; /* from the beginning */
    bool stored;            /* the store is asked, and told */
    sv_prefix *made;        /* NULL, or computed by us and to be saved */
} request;

static sv_status make(void *context, void **value, sv_error *err) {
    request *r = context;
    sv_prefix *prefix;
    if (r->stored && sv_prefix_store_load(r->tree->options.store, r->parent, r->ids, r->n_ids, &prefix)) {
        pthread_mutex_lock(&r->tree->lock);
        r->tree->counts.n_loaded++;
        pthread_mutex_unlock(&r->tree->lock);
    } else {
        sv_status status =
            sv_prefix_new(r->workspace, r->parent, r->ids + r->n_parent, r->n_ids - r->n_parent, &prefix, err);
        if (status) return status;
        r->made = prefix;
    }
    *value = prefix;
    return SV_OK;
}

/* After others have been let in: nobody waits for the disk. */
static void save(const request *r) {
    sv_error warning;
    sv_status status = sv_prefix_store_save(r->tree->options.store, r->made, r->ids, r->n_ids, &warning);
    sv_prefix_tree_counts *counts = &r->tree->counts;
    pthread_mutex_lock(&r->tree->lock);
    if (status)
        memcpy(counts->store_warning, warning.message, sizeof counts->store_warning);
    else
        counts->n_saved++;
    pthread_mutex_unlock(&r->tree->lock);
}

static sv_status get_piece(sv_prefix_tree *t, sv_workspace *workspace, const sv_prefix *parent, const int32_t *ids,
                           size_t n_ids, const sv_prefix **out, sv_error *err) {
    const sv_text_config *config = &t->model->config.text;
    size_t n_parent = parent ? parent->length : 0, n_own = n_ids - n_parent;
    request r = {.tree = t,
                 .workspace = workspace,
                 .parent = parent,
                 .ids = ids,
                 .n_parent = n_parent,
                 .n_ids = n_ids,
                 .stored = t->options.store && sv_prefix_cost(config, n_own) >= t->options.store_min_cost};
    const sv_wish wish = {.parent = parent,
                          .key = ids + n_parent,
                          .key_len = n_own * sizeof *ids,
                          .n_bytes = sv_prefix_bytes(config, n_own),
                          .make = make,
                          .context = &r};
    const void *value;
    sv_status status = sv_shelf_get(t->shelf, &wish, &value, NULL, err);
    *out = value;
    if (r.made && r.stored) save(&r);
    return status;
}

sv_status sv_prefix_tree_get(sv_prefix_tree *t, sv_workspace *workspace, const int32_t *ids, const size_t *cuts,
                             size_t n_cuts, const sv_prefix **out, sv_error *err) {
    *out = NULL;
    if (workspace->model != t->model) return sv_fail(err, SV_ERR_USAGE, "the work space was made for another model");
    if (n_cuts == 0 || n_cuts > SV_MAX_PREFIX_DEPTH) {
        return sv_fail(err, SV_ERR_USAGE, "a prefix in %zu pieces: 1 to %d are possible", n_cuts, SV_MAX_PREFIX_DEPTH);
    }
    for (size_t i = 0; i < n_cuts; i++) {
        if (cuts[i] > (i ? cuts[i - 1] : 0)) continue;
        return sv_fail(err, SV_ERR_USAGE, "cut %zu of a prefix is at token %zu: cuts must rise from 1", i, cuts[i]);
    }
    const sv_prefix *prefix = NULL;
    for (size_t i = 0; i < n_cuts; i++) {
        const sv_prefix *next;
        sv_status status = get_piece(t, workspace, prefix, ids, cuts[i], &next, err);
        sv_shelf_put_back(t->shelf, prefix); /* what stands on it holds it */
        if (status) return status;
        prefix = next;
    }
    *out = prefix;
    return SV_OK;
}

void sv_prefix_tree_release(sv_prefix_tree *t, const sv_prefix *prefix) { sv_shelf_put_back(t->shelf, prefix); }

void sv_prefix_tree_count(sv_prefix_tree *t, sv_prefix_tree_counts *out) {
    pthread_mutex_lock(&t->lock);
    *out = t->counts;
    pthread_mutex_unlock(&t->lock);
    sv_shelf_count(t->shelf, &out->pieces);
}
