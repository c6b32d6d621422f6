/* cache.c - keys and values of a stretch of tokens. */
#include <string.h>

#include "base/memory.h"
#include "model/network.h"
#include "tensor/product.h"

bool sv_cache_sizes(const sv_text_config *c, size_t capacity, size_t *keys, size_t *values) {
    size_t heads = (size_t)c->n_layers * (size_t)c->n_kv_heads;
    return sv_mul_size(capacity, (size_t)c->head_dim, keys) && sv_mul_size(*keys, heads, keys) &&
           sv_mul_size(capacity, sv_panel_round((size_t)c->head_dim), values) && sv_mul_size(*values, heads, values);
}

sv_status sv_cache_new(const sv_text_config *config, size_t n_tokens, sv_cache *out, sv_error *err) {
    size_t keys = 0, values = 0;
    *out = (sv_cache){.capacity = sv_panel_round(n_tokens)};
    if (sv_cache_sizes(config, out->capacity, &keys, &values)) {
        out->keys = sv_alloc_aligned(keys, sizeof *out->keys);
        out->values = sv_alloc_aligned(values, sizeof *out->values);
    }
    if (!out->keys || !out->values) {
        sv_cache_free(out);
        return sv_fail(err, SV_ERR_MEMORY, "out of memory: keys and values of %zu tokens", n_tokens);
    }
    /* products read whole panels: what is not written yet must be numbers */
    memset(out->keys, 0, keys * sizeof *out->keys);
    memset(out->values, 0, values * sizeof *out->values);
    return SV_OK;
}

void sv_cache_free(sv_cache *cache) {
    free(cache->keys);
    free(cache->values);
    *cache = (sv_cache){0};
}

float *sv_cache_keys(const sv_cache *cache, const sv_text_config *c, size_t layer, size_t head) {
    return cache->keys + (layer * (size_t)c->n_kv_heads + head) * cache->capacity * (size_t)c->head_dim;
}

float *sv_cache_values(const sv_cache *cache, const sv_text_config *c, size_t layer, size_t head) {
    return cache->values +
           (layer * (size_t)c->n_kv_heads + head) * cache->capacity * sv_panel_round((size_t)c->head_dim);
}
