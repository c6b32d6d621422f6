/* test_prefix_tree.c - shared beginnings: computed once, thrown out leaf first, and always the same bits. */
#include "support/test.h"

#include <pthread.h>

#include "base/file.h"
#include "base/memory.h"
#include "model/network.h"
#include "model/prefix_tree.h"
#include "support/folder.h"

#define MODEL SV_SOURCE_DIR "/models/nano"
enum { N_IDS = 90, SYSTEM = 40, SHARED = 75, N_PROMPTS = 4, N_THREADS = 4, N_ROUNDS = 6 };

static sv_model *model;
static const sv_text_config *config;
static sv_workspace *workspace;
static size_t vocab;
static int32_t prompts[N_PROMPTS][N_IDS]; /* equal up to SYSTEM; 0 and 1 up to SHARED */
static float *expected[N_PROMPTS];        /* logits of the last token, without any prefix */
static const size_t cuts[2] = {SYSTEM, SHARED};

/* Logits of prompt p, whose first tokens are in `prefix`. */
static void read_rest(sv_workspace *w, const sv_prefix *prefix, int p, float *logits) {
    sv_error err;
    sv_session *session;
    size_t done = prefix ? sv_prefix_length(prefix) : 0;
    ASSERT_OK(sv_session_new(w, prefix, N_IDS, &session, &err), err);
    ASSERT_OK(sv_session_append(session, &(sv_prompt){.ids = prompts[p] + done, .n_ids = N_IDS - done}, logits, &err),
              err);
    sv_session_free(session);
}

static int set_up(void **state) {
    if (make_folder(state)) return 1;
    sv_error err;
    ASSERT_OK(sv_model_load(MODEL, NULL, &model, &err), err);
    config = &sv_model_get_config(model)->text;
    vocab = (size_t)config->vocab;
    ASSERT_OK(sv_workspace_new(model, 0, NULL, &workspace, &err), err);
    for (int p = 0; p < N_PROMPTS; p++) {
        for (int i = 0; i < N_IDS; i++) {
            int same = i < SYSTEM ? 0 : i < SHARED ? p / 2 : p;
            prompts[p][i] = (i * 37 + same * 101 + 5) % 640;
        }
        expected[p] = sv_alloc_aligned(vocab, sizeof *expected[p]);
        read_rest(workspace, NULL, p, expected[p]);
    }
    return 0;
}

static int tear_down(void **state) {
    for (int p = 0; p < N_PROMPTS; p++) free(expected[p]);
    sv_workspace_free(workspace);
    sv_model_free(model);
    return remove_folder(state);
}

static sv_prefix_tree *new_tree(size_t budget, const sv_prefix_store *store, double min_cost) {
    sv_error err;
    sv_prefix_tree *tree;
    ASSERT_OK(sv_prefix_tree_new(model, &(sv_prefix_tree_options){budget, store, min_cost}, &tree, &err), err);
    return tree;
}

static bool gives_expected(sv_workspace *w, const sv_prefix *prefix, int p) {
    float *logits = sv_alloc_aligned(vocab, sizeof *logits);
    read_rest(w, prefix, p, logits);
    bool same = memcmp(logits, expected[p], vocab * sizeof *logits) == 0;
    free(logits);
    return same;
}

static const sv_prefix *get(sv_prefix_tree *tree, int p, size_t n_cuts) {
    sv_error err;
    const sv_prefix *prefix;
    ASSERT_OK(sv_prefix_tree_get(tree, workspace, prompts[p], cuts, n_cuts, &prefix, &err), err);
    assert_int_equal(sv_prefix_length(prefix), cuts[n_cuts - 1]);
    return prefix;
}

static sv_prefix_tree_counts counts_of(sv_prefix_tree *tree) {
    sv_prefix_tree_counts counts;
    sv_prefix_tree_count(tree, &counts);
    return counts;
}

static void the_same_beginning_is_the_same_prefix(void **state) {
    (void)state;
    sv_prefix_tree *tree = new_tree(SIZE_MAX, NULL, 0);
    const sv_prefix *held[N_PROMPTS];
    for (int p = 0; p < N_PROMPTS; p++) held[p] = get(tree, p, 2);
    assert_ptr_equal(held[0], held[1]);
    assert_ptr_equal(held[2], held[3]);
    assert_ptr_not_equal(held[0], held[2]);
    assert_ptr_equal(held[0]->parent, held[2]->parent);
    const sv_prefix *root = get(tree, 0, 1);
    assert_ptr_equal(root, held[0]->parent);
    assert_int_equal(counts_of(tree).pieces.n_made, 3);
    assert_int_equal(counts_of(tree).pieces.n_bytes,
                     sv_prefix_bytes(config, SYSTEM) + 2 * sv_prefix_bytes(config, SHARED - SYSTEM));
    for (int p = 0; p < N_PROMPTS; p++) {
        assert_true(gives_expected(workspace, held[p], p));
        assert_true(gives_expected(workspace, root, p));
        sv_prefix_tree_release(tree, held[p]);
    }
    sv_prefix_tree_release(tree, root);
    sv_prefix_tree_free(tree);
}

/* The tree's keys and values are those of sv_prefix_new, wherever the prompt is cut. */
static void bits_are_those_of_computing_directly(void **state) {
    (void)state;
    sv_error err;
    sv_prefix *root, *direct;
    sv_prefix_tree *tree = new_tree(SIZE_MAX, NULL, 0);
    const sv_prefix *prefix = get(tree, 0, 2);
    ASSERT_OK(sv_prefix_new(workspace, NULL, prompts[0], SYSTEM, &root, &err), err);
    ASSERT_OK(sv_prefix_new(workspace, root, prompts[0] + SYSTEM, SHARED - SYSTEM, &direct, &err), err);
    size_t keys, values;
    assert_true(sv_cache_sizes(config, direct->cache.capacity, &keys, &values));
    assert_int_equal(prefix->cache.capacity, direct->cache.capacity);
    assert_memory_equal(prefix->cache.keys, direct->cache.keys, keys * sizeof(float));
    assert_memory_equal(prefix->cache.values, direct->cache.values, values * sizeof(float));
    assert_int_equal(prefix->next_position, direct->next_position);
    sv_prefix_free(direct);
    sv_prefix_free(root);
    sv_prefix_tree_release(tree, prefix);
    for (size_t cut = 1; cut < N_IDS - 1; cut += 11) {
        const size_t places[3] = {cut, cut + 1, N_IDS - 1};
        size_t n = places[2] > places[1] ? 3 : 2;
        ASSERT_OK(sv_prefix_tree_get(tree, workspace, prompts[1], places, n, &prefix, &err), err);
        assert_true(gives_expected(workspace, prefix, 1));
        sv_prefix_tree_release(tree, prefix);
    }
    sv_prefix_tree_free(tree);
}

static void the_budget_is_kept(void **state) {
    (void)state;
    sv_error err;
    const sv_prefix *none;
    size_t root_bytes = sv_prefix_bytes(config, SYSTEM), leaf_bytes = sv_prefix_bytes(config, SHARED - SYSTEM);
    sv_prefix_tree *tree = new_tree(root_bytes + leaf_bytes, NULL, 0);
    const sv_prefix *first = get(tree, 0, 2);
    assert_int_equal(sv_prefix_tree_get(tree, workspace, prompts[2], cuts, 2, &none, &err), SV_ERR_MEMORY);
    assert_null(none);
    assert_non_null(strstr(err.message, "shared prefixes of prompts: the next needs"));
    assert_true(gives_expected(workspace, first, 1));
    sv_prefix_tree_release(tree, first);
    const sv_prefix *second = get(tree, 2, 2); /* the leaf of 0 goes, the root stays */
    assert_true(gives_expected(workspace, second, 3));
    assert_int_equal(counts_of(tree).pieces.n_made, 3);
    assert_int_equal(counts_of(tree).pieces.n_thrown_out, 1);
    assert_int_equal(counts_of(tree).pieces.n_bytes, root_bytes + leaf_bytes);
    sv_prefix_tree_release(tree, second);
    sv_prefix_tree_free(tree);
    tree = new_tree(root_bytes - 1, NULL, 0);
    assert_int_equal(sv_prefix_tree_get(tree, workspace, prompts[0], cuts, 1, &none, &err), SV_ERR_MEMORY);
    sv_prefix_tree_free(tree);
    assert_true(sv_prefix_bytes(config, SIZE_MAX) == SIZE_MAX && sv_prefix_bytes(config, SIZE_MAX / 64) == SIZE_MAX);
}

static void unusable_prompts_are_refused(void **state) {
    (void)state;
    sv_error err;
    const sv_prefix *none;
    sv_prefix_tree *tree = new_tree(SIZE_MAX, NULL, 0);
    int32_t ids[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    const size_t falling[] = {4, 4}, zero[] = {0}, many[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    assert_int_equal(sv_prefix_tree_get(tree, workspace, ids, falling, 2, &none, &err), SV_ERR_USAGE);
    assert_int_equal(sv_prefix_tree_get(tree, workspace, ids, zero, 1, &none, &err), SV_ERR_USAGE);
    assert_int_equal(sv_prefix_tree_get(tree, workspace, ids, many, 9, &none, &err), SV_ERR_USAGE);
    assert_int_equal(sv_prefix_tree_get(tree, workspace, ids, many, 0, &none, &err), SV_ERR_USAGE);
    ids[5] = (int32_t)vocab;
    assert_int_equal(sv_prefix_tree_get(tree, workspace, ids, many + 4, 2, &none, &err), SV_ERR_INPUT);
    ids[5] = sv_model_get_config(model)->image_token;
    assert_int_equal(sv_prefix_tree_get(tree, workspace, ids, many + 4, 2, &none, &err), SV_ERR_INPUT);
    assert_int_equal(counts_of(tree).pieces.n_values, 1); /* the piece before it */
    sv_prefix_tree_free(tree);
}

typedef struct crowd {
    sv_prefix_tree *tree;
    int thread, n_errors;
} crowd;

static void *ask(void *context) {
    crowd *c = context;
    sv_workspace *own;
    if (sv_workspace_new(model, 0, NULL, &own, NULL)) {
        c->n_errors++;
        return NULL;
    }
    for (int i = 0; i < N_ROUNDS; i++) {
        int p = (c->thread + i) % N_PROMPTS;
        const sv_prefix *prefix;
        if (sv_prefix_tree_get(c->tree, own, prompts[p], cuts, 2, &prefix, NULL) || !gives_expected(own, prefix, p)) {
            c->n_errors++;
        }
        sv_prefix_tree_release(c->tree, prefix);
    }
    sv_workspace_free(own);
    return NULL;
}

static sv_prefix_tree_counts run_crowd(sv_prefix_tree *tree) {
    crowd crowds[N_THREADS];
    pthread_t threads[N_THREADS];
    for (int i = 0; i < N_THREADS; i++) {
        crowds[i] = (crowd){tree, i, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, ask, &crowds[i]), 0);
    }
    for (int i = 0; i < N_THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(crowds[i].n_errors, 0);
    }
    sv_prefix_tree_counts counts = counts_of(tree);
    sv_prefix_tree_free(tree);
    return counts;
}

static void threads_compute_a_piece_once(void **state) {
    (void)state;
    assert_int_equal(run_crowd(new_tree(SIZE_MAX, NULL, 0)).pieces.n_made, 3);
}

static void the_store_serves_the_next_run(void **state) {
    (void)state;
    sv_error err;
    sv_prefix_store *store;
    ASSERT_OK(sv_prefix_store_new(model, in_folder("store"), "nano", 0, &store, &err), err);
    /* only the first piece, of 40 tokens, is worth it; the second has 35 */
    double min_cost = sv_prefix_cost(config, SYSTEM);
    sv_prefix_tree_counts counts = run_crowd(new_tree(SIZE_MAX, store, min_cost));
    assert_int_equal(counts.n_saved, 1);
    assert_int_equal(counts.n_loaded, 0);
    assert_string_equal(counts.store_warning, "");
    counts = run_crowd(new_tree(SIZE_MAX, store, min_cost));
    assert_int_equal(counts.n_saved, 0);
    assert_int_equal(counts.n_loaded, 1);
    assert_int_equal(counts.pieces.n_made, 3);
    counts = run_crowd(new_tree(SIZE_MAX, store, 0));
    assert_int_equal(counts.n_saved, 2);
    counts = run_crowd(new_tree(SIZE_MAX, store, 0));
    assert_int_equal(counts.n_loaded, 3);
    sv_prefix_store_free(store);
}

static void a_store_that_cannot_write_is_a_warning(void **state) {
    (void)state;
    sv_error err;
    sv_prefix_store *store;
    ASSERT_OK(sv_file_write(in_folder("file"), "x", 1, &err), err);
    ASSERT_OK(sv_prefix_store_new(model, in_folder("file/store"), "nano", 0, &store, &err), err);
    sv_prefix_tree_counts counts = run_crowd(new_tree(SIZE_MAX, store, 0));
    assert_int_equal(counts.n_saved, 0);
    assert_non_null(strstr(counts.store_warning, "file/store"));
    sv_prefix_store_free(store);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_same_beginning_is_the_same_prefix),
                                       cmocka_unit_test(bits_are_those_of_computing_directly),
                                       cmocka_unit_test(the_budget_is_kept),
                                       cmocka_unit_test(unusable_prompts_are_refused),
                                       cmocka_unit_test(threads_compute_a_piece_once),
                                       cmocka_unit_test(the_store_serves_the_next_run),
                                       cmocka_unit_test(a_store_that_cannot_write_is_a_warning)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
