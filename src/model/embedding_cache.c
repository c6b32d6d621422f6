/* embedding_cache.c - embeddings on a shelf, keyed by the digest of the pixels. */
#include "model/embedding_cache.h"

#include "base/digest.h"
#include "base/memory.h"

struct sv_embedding_cache {
    const sv_model *model;
    sv_shelf *shelf;
};

static void free_value(void *value) {
    sv_embedding_free(value);
    free(value);
}

sv_status sv_embedding_cache_new(const sv_model *model, size_t budget_bytes, sv_embedding_cache **out, sv_error *err) {
    *out = NULL;
    sv_embedding_cache *c = sv_calloc(1, sizeof *c);
    if (!c) return sv_fail_memory(err, "cache of pictures", sizeof *c);
    c->model = model;
    sv_status status = sv_shelf_new("embeddings of pictures", budget_bytes, free_value, &c->shelf, err);
    if (status) {
        sv_embedding_cache_free(c);
        return status;
    }
    *out = c;
    return SV_OK;
}

void sv_embedding_cache_free(sv_embedding_cache *c) {
    if (!c) return;
    sv_shelf_free(c->shelf);
    free(c);
}

sv_status sv_embedding_bytes(const sv_model_config *config, int width, int height, size_t *n_bytes, sv_error *err) {
    const sv_vision_config *v = &config->vision;
    int factor = v->patch * v->merge, h, w;
    sv_status status = sv_smart_resize(height, width, factor, config->min_pixels, config->max_pixels, &h, &w, err);
    if (status) return status;
    size_t n_tokens = (size_t)(h / factor) * (size_t)(w / factor), row;
    if (!sv_mul_size((size_t)v->out_hidden, sizeof(float), &row) || !sv_mul_size(row, n_tokens, n_bytes) ||
        !sv_add_size(*n_bytes, sizeof(sv_embedding), n_bytes)) {
        return sv_fail(err, SV_ERR_MEMORY, "the embedding of %zu tokens does not fit in memory", n_tokens);
    }
    return SV_OK;
}

typedef struct request {
    const sv_model *model;
    const sv_image *image;
    sv_pool *pool;
} request;

static sv_status make(void *context, void **value, sv_error *err) {
    const request *r = context;
    sv_embedding *embedding = sv_calloc(1, sizeof *embedding);
    if (!embedding) return sv_fail_memory(err, "embedding", sizeof *embedding);
    sv_status status = sv_model_embed_image(r->model, r->image, r->pool, embedding, err);
    if (status) {
        free(embedding);
        return status;
    }
    *value = embedding;
    return SV_OK;
}

sv_status sv_embedding_cache_get_by_key(sv_embedding_cache *c, const void *key, size_t key_len, const sv_image *image,
                                        sv_pool *pool, const sv_embedding **out, bool *hit, sv_error *err) {
    *out = NULL;
    size_t n_bytes;
    sv_status status = sv_embedding_bytes(sv_model_get_config(c->model), image->width, image->height, &n_bytes, err);
    if (status) return status;
    request r = {c->model, image, pool};
    const sv_wish wish = {.key = key, .key_len = key_len, .n_bytes = n_bytes, .make = make, .context = &r};
    const void *value;
    status = sv_shelf_get(c->shelf, &wish, &value, hit, err);
    *out = value;
    return status;
}

sv_status sv_embedding_cache_get(sv_embedding_cache *c, const sv_image *image, sv_pool *pool, const sv_embedding **out,
                                 bool *hit, sv_error *err) {
    unsigned char digest[SV_DIGEST_SIZE];
    const int32_t shape[3] = {image->width, image->height, image->n_channels};
    const size_t n_pixels = (size_t)image->width * (size_t)image->height * (size_t)image->n_channels;
    sv_digest((const sv_bytes[]){{shape, sizeof shape}, {image->pixels, n_pixels}}, 2, digest);
    return sv_embedding_cache_get_by_key(c, digest, sizeof digest, image, pool, out, hit, err);
}

void sv_embedding_cache_release(sv_embedding_cache *c, const sv_embedding *embedding) {
    sv_shelf_put_back(c->shelf, embedding);
}

void sv_embedding_cache_count(sv_embedding_cache *c, sv_shelf_counts *out) { sv_shelf_count(c->shelf, out); }
