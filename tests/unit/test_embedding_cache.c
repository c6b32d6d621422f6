/* test_embedding_cache.c - pictures are run once, give the bits of sv_model_embed_image, and keep to their budget. */
#include "support/test.h"

#include <pthread.h>

#include "base/memory.h"
#include "model/embedding_cache.h"

#define MODEL SV_SOURCE_DIR "/models/nano"
enum { WIDTH = 168, HEIGHT = 112, N_PICTURES = 5, N_THREADS = 6, N_ROUNDS = 10 };

static sv_model *model;
static sv_image images[N_PICTURES];
static sv_embedding direct[N_PICTURES];
static size_t one; /* bytes of an embedding */

static int set_up(void **state) {
    (void)state;
    sv_error err;
    uint32_t seed = 1;
    ASSERT_OK(sv_model_load(MODEL, NULL, &model, &err), err);
    for (int p = 0; p < N_PICTURES; p++) {
        size_t n = (size_t)WIDTH * HEIGHT * 3;
        images[p] = (sv_image){WIDTH, HEIGHT, 3, malloc(n)};
        assert_non_null(images[p].pixels);
        for (size_t i = 0; i < n; i++) {
            seed = seed * 1664525U + 1013904223U;
            images[p].pixels[i] = (unsigned char)(seed >> 24);
        }
        ASSERT_OK(sv_model_embed_image(model, &images[p], NULL, &direct[p], &err), err);
    }
    ASSERT_OK(sv_embedding_bytes(sv_model_get_config(model), WIDTH, HEIGHT, &one, &err), err);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    for (int p = 0; p < N_PICTURES; p++) {
        sv_image_free(&images[p]);
        sv_embedding_free(&direct[p]);
    }
    sv_model_free(model);
    return 0;
}

static sv_embedding_cache *new_cache(size_t budget) {
    sv_error err;
    sv_embedding_cache *cache;
    ASSERT_OK(sv_embedding_cache_new(model, budget, &cache, &err), err);
    return cache;
}

static bool is_same(const sv_embedding *a, const sv_embedding *b) {
    size_t n = (size_t)a->n_tokens * (size_t)sv_model_get_config(model)->text.hidden;
    return a->grid_h == b->grid_h && a->grid_w == b->grid_w && a->n_tokens == b->n_tokens &&
           memcmp(a->rows, b->rows, n * sizeof *a->rows) == 0;
}

static const sv_embedding *expect(sv_embedding_cache *cache, int p, sv_pool *pool, bool there) {
    sv_error err;
    bool hit;
    const sv_embedding *embedding;
    ASSERT_OK(sv_embedding_cache_get(cache, &images[p], pool, &embedding, &hit, &err), err);
    assert_int_equal(hit, there);
    assert_true(is_same(embedding, &direct[p]));
    return embedding;
}

static void bits_are_those_of_the_tower(void **state) {
    (void)state;
    sv_error err;
    sv_pool *pool;
    ASSERT_OK(sv_pool_new(3, &pool, &err), err);
    sv_embedding_cache *cache = new_cache(SIZE_MAX);
    for (int round = 0; round < 2; round++) {
        for (int p = 0; p < N_PICTURES; p++) {
            sv_embedding_cache_release(cache, expect(cache, p, round ? NULL : pool, round == 1));
        }
    }
    sv_shelf_counts counts;
    sv_embedding_cache_count(cache, &counts);
    assert_int_equal(counts.n_found, N_PICTURES);
    assert_int_equal(counts.n_made, N_PICTURES);
    assert_int_equal(counts.n_bytes, N_PICTURES * one);
    sv_embedding_cache_free(cache);
    sv_pool_free(pool);
}

/* Width and height change places, or one byte changes: another picture. */
static void near_pictures_are_others(void **state) {
    (void)state;
    sv_error err;
    bool hit;
    sv_embedding_cache *cache = new_cache(SIZE_MAX);
    const sv_embedding *first = expect(cache, 0, NULL, false), *other;
    sv_image turned = images[0];
    turned.width = HEIGHT;
    turned.height = WIDTH;
    ASSERT_OK(sv_embedding_cache_get(cache, &turned, NULL, &other, &hit, &err), err);
    assert_false(hit);
    assert_int_equal(other->grid_w, first->grid_h);
    sv_embedding_cache_release(cache, other);
    size_t last = (size_t)WIDTH * HEIGHT * 3 - 1;
    images[0].pixels[last] ^= 1;
    ASSERT_OK(sv_embedding_cache_get(cache, &images[0], NULL, &other, &hit, &err), err);
    assert_false(hit);
    sv_embedding_cache_release(cache, other);
    images[0].pixels[last] ^= 1;
    sv_embedding_cache_release(cache, expect(cache, 0, NULL, true));
    sv_embedding_cache_release(cache, first);
    sv_embedding_cache_free(cache);
}

static void the_budget_is_kept(void **state) {
    (void)state;
    sv_error err;
    const sv_embedding *none;
    sv_embedding_cache *cache = new_cache(2 * one);
    const sv_embedding *zero = expect(cache, 0, NULL, false), *first = expect(cache, 1, NULL, false);
    assert_int_equal(sv_embedding_cache_get(cache, &images[2], NULL, &none, NULL, &err), SV_ERR_MEMORY);
    assert_null(none);
    assert_non_null(strstr(err.message, "embeddings of pictures: the next needs"));
    sv_embedding_cache_release(cache, first);
    sv_embedding_cache_release(cache, expect(cache, 2, NULL, false)); /* in the place of 1 */
    sv_embedding_cache_release(cache, expect(cache, 0, NULL, true));
    sv_embedding_cache_release(cache, zero);
    sv_embedding_cache_release(cache, expect(cache, 1, NULL, false)); /* in the place of 2: 0 was used since */
    sv_embedding_cache_release(cache, expect(cache, 0, NULL, true));
    sv_embedding_cache_free(cache);
    cache = new_cache(one - 1);
    assert_int_equal(sv_embedding_cache_get(cache, &images[0], NULL, &none, NULL, &err), SV_ERR_MEMORY);
    sv_image sliver = {1000, 2, 3, images[0].pixels};
    assert_int_equal(sv_embedding_cache_get(cache, &sliver, NULL, &none, NULL, &err), SV_ERR_INPUT);
    sv_embedding_cache_free(cache);
}

typedef struct crowd {
    sv_embedding_cache *cache;
    int thread, n_errors;
} crowd;

static void *look(void *context) {
    crowd *c = context;
    for (int i = 0; i < N_ROUNDS; i++) {
        int p = (c->thread + i) / 2 % N_PICTURES;
        const sv_embedding *embedding;
        if (sv_embedding_cache_get(c->cache, &images[p], NULL, &embedding, NULL, NULL) ||
            !is_same(embedding, &direct[p])) {
            c->n_errors++;
        }
        sv_embedding_cache_release(c->cache, embedding);
    }
    return NULL;
}

static size_t run_crowd(size_t budget) {
    sv_embedding_cache *cache = new_cache(budget);
    crowd crowds[N_THREADS];
    pthread_t threads[N_THREADS];
    for (int i = 0; i < N_THREADS; i++) {
        crowds[i] = (crowd){cache, i, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, look, &crowds[i]), 0);
    }
    for (int i = 0; i < N_THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(crowds[i].n_errors, 0);
    }
    sv_shelf_counts counts;
    sv_embedding_cache_count(cache, &counts);
    assert_int_equal(counts.n_found + counts.n_made, N_THREADS * N_ROUNDS);
    assert_true(counts.n_bytes <= budget);
    sv_embedding_cache_free(cache);
    return counts.n_made;
}

static void threads_run_a_picture_once(void **state) {
    (void)state;
    assert_int_equal(run_crowd(SIZE_MAX), N_PICTURES);
    assert_true(run_crowd(N_THREADS * one) >= N_PICTURES);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(bits_are_those_of_the_tower),
                                       cmocka_unit_test(near_pictures_are_others), cmocka_unit_test(the_budget_is_kept),
                                       cmocka_unit_test(threads_run_a_picture_once)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
