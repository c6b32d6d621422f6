/*
 * embedding_cache.h - pictures that have been through the vision tower, found again by their pixels.
 *
 * A picture is run once, also when several threads want it at the same time; what nobody uses is thrown out, the
 * longest unused first, when a new picture needs its room. The numbers are those of sv_model_embed_image.
 */
#ifndef SV_MODEL_EMBEDDING_CACHE_H
#define SV_MODEL_EMBEDDING_CACHE_H

#include "base/shelf.h"
#include "model/model.h"

typedef struct sv_embedding_cache sv_embedding_cache;

/* For any number of threads. All embeddings together, those in use included, take at most budget_bytes. The model is
 * borrowed. */
sv_status sv_embedding_cache_new(const sv_model *model, size_t budget_bytes, sv_embedding_cache **out, sv_error *err);
void sv_embedding_cache_free(sv_embedding_cache *cache); /* none of its embeddings may be in use */

/* *out belongs to the cache and is held until sv_embedding_cache_release. Pictures are the same when width, height,
 * channels and all bytes are. `pool` (may be NULL) as for sv_model_embed_image; threads that call at the same time must
 * not share one. *hit (may be NULL): the picture was there. Errors: those of sv_model_embed_image; SV_ERR_MEMORY when
 * the embeddings in use leave no room. */
sv_status sv_embedding_cache_get(sv_embedding_cache *cache, const sv_image *image, sv_pool *pool,
                                 const sv_embedding **out, bool *hit, sv_error *err);
/* The same for a caller that has hashed the pixels already: pictures are the same when their keys are. */
sv_status sv_embedding_cache_get_by_key(sv_embedding_cache *cache, const void *key, size_t key_len,
                                        const sv_image *image, sv_pool *pool, const sv_embedding **out, bool *hit,
                                        sv_error *err);
void sv_embedding_cache_release(sv_embedding_cache *cache, const sv_embedding *embedding); /* may be NULL */

/* For the summary: n_found are hits, n_made misses. */
void sv_embedding_cache_count(sv_embedding_cache *cache, sv_shelf_counts *out);

/* Bytes that the embedding of a picture of this size takes in the budget. SV_ERR_INPUT as sv_smart_resize. */
sv_status sv_embedding_bytes(const sv_model_config *config, int width, int height, size_t *n_bytes, sv_error *err);

#endif
