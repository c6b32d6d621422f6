/* test_session.c - sessions of the embedded model: every way of reading the same tokens gives the same bits. */
#include "support/test.h"

#include <math.h>
#include <pthread.h>

#include "base/memory.h"
#include "model/timeline.h"
#include "tensor/pointwise.h"

#define MODEL SV_SOURCE_DIR "/models/nano"
#define N_TEXT 16
#define N_TAIL 11

static sv_model *model;
static size_t vocab;
static sv_embedding picture;
static const sv_embedding *pictures[2] = {&picture, &picture};
static int32_t *ids; /* text, picture, text, picture, text */
static size_t n_ids;
static float *expected; /* logits of the last token, read in one piece */

static void draw(sv_image *image) {
    *image = (sv_image){448, 224, 3, malloc((size_t)448 * 224 * 3)};
    assert_non_null(image->pixels);
    uint32_t seed = 1;
    for (size_t i = 0; i < (size_t)448 * 224 * 3; i++) {
        seed = seed * 1664525U + 1013904223U;
        image->pixels[i] = (unsigned char)(i / 9 % 3 ? 255 : seed >> 24);
    }
}

static void append_picture(size_t *n) {
    for (int i = 0; i < picture.n_tokens; i++) ids[(*n)++] = sv_model_get_config(model)->image_token;
}

static sv_session *new_session(const sv_prefix *prefix, size_t room, sv_pool *pool) {
    sv_error err;
    sv_workspace *workspace;
    sv_session *session;
    ASSERT_OK(sv_workspace_new(model, 0, pool, &workspace, &err), err);
    ASSERT_OK(sv_session_new(workspace, prefix, room, &session, &err), err);
    return session;
}

static void free_session(sv_session *session) {
    sv_workspace *workspace = session->workspace;
    sv_session_free(session);
    sv_workspace_free(workspace);
}

static int set_up(void **state) {
    (void)state;
    sv_error err;
    sv_image image;
    ASSERT_OK(sv_model_load(MODEL, NULL, &model, &err), err);
    vocab = (size_t)sv_model_get_config(model)->text.vocab;
    draw(&image);
    ASSERT_OK(sv_model_embed_image(model, &image, NULL, &picture, &err), err);
    sv_image_free(&image);
    assert_int_equal(picture.n_tokens, 32);
    ids = sv_calloc(2 * 32 + 2 * N_TEXT + N_TAIL, sizeof *ids);
    for (int i = 0; i < N_TEXT; i++) ids[n_ids++] = 100 + 7 * i;
    append_picture(&n_ids);
    for (int i = 0; i < N_TEXT; i++) ids[n_ids++] = 300 - 5 * i;
    append_picture(&n_ids);
    for (int i = 0; i < N_TAIL; i++) ids[n_ids++] = 40 + i;
    expected = sv_alloc_aligned(vocab, sizeof *expected);
    sv_session *session = new_session(NULL, 400, NULL);
    ASSERT_OK(sv_session_append(session, &(sv_prompt){ids, n_ids, pictures, 2}, expected, &err), err);
    assert_int_equal(sv_session_length(session), n_ids);
    free_session(session);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    sv_embedding_free(&picture);
    free(ids);
    free(expected);
    sv_model_free(model);
    return 0;
}

static void expect_same(const float *logits) { assert_memory_equal(logits, expected, vocab * sizeof *logits); }

static void a_shared_prefix_changes_nothing(void **state) {
    (void)state;
    sv_error err;
    sv_prefix *prefix;
    float *logits = sv_alloc_aligned(vocab, sizeof *logits);
    sv_workspace *workspace;
    ASSERT_OK(sv_workspace_new(model, 0, NULL, &workspace, &err), err);
    ASSERT_OK(sv_prefix_new(workspace, NULL, ids, N_TEXT, &prefix, &err), err);
    sv_workspace_free(workspace);
    assert_int_equal(sv_prefix_length(prefix), N_TEXT);
    sv_session *one = new_session(prefix, 200, NULL), *other = new_session(prefix, 200, NULL);
    sv_prompt rest = {ids + N_TEXT, n_ids - N_TEXT, pictures, 2};
    ASSERT_OK(sv_session_append(one, &(sv_prompt){.ids = ids, .n_ids = 5}, NULL, &err), err);
    for (int round = 0; round < 2; round++) {
        ASSERT_OK(sv_session_append(other, &rest, logits, &err), err);
        expect_same(logits);
        assert_int_equal(sv_session_length(other), n_ids);
        sv_session_rewind(other, 0); /* not behind the prefix */
        assert_int_equal(sv_session_length(other), N_TEXT);
    }
    sv_session_rewind(one, N_TEXT);
    ASSERT_OK(sv_session_append(one, &rest, logits, &err), err);
    expect_same(logits);
    free_session(one);
    free_session(other);
    sv_prefix_free(prefix);
    free(logits);
}

static void pieces_and_rewinding_change_nothing(void **state) {
    (void)state;
    sv_error err;
    float *logits = sv_alloc_aligned(vocab, sizeof *logits);
    sv_session *session = new_session(NULL, n_ids, NULL);
    size_t second = N_TEXT + 32 + 3; /* inside the second text */
    ASSERT_OK(sv_session_append(session, &(sv_prompt){ids, second, pictures, 1}, NULL, &err), err);
    ASSERT_OK(sv_session_append(session, &(sv_prompt){ids + second, n_ids - 1 - second, pictures, 1}, NULL, &err), err);
    ASSERT_OK(sv_session_append(session, &(sv_prompt){.ids = ids + n_ids - 1, .n_ids = 1}, logits, &err), err);
    expect_same(logits);
    for (size_t i = 0; i < N_TAIL; i++) { /* the tail again, other tokens first, then one by one */
        sv_session_rewind(session, n_ids - N_TAIL);
        ASSERT_OK(sv_session_append(session, &(sv_prompt){.ids = ids, .n_ids = i + 1}, NULL, &err), err);
    }
    sv_session_rewind(session, n_ids - N_TAIL);
    for (size_t i = n_ids - N_TAIL; i < n_ids; i++) {
        ASSERT_OK(sv_session_append(session, &(sv_prompt){.ids = ids + i, .n_ids = 1}, logits, &err), err);
    }
    expect_same(logits);
    free_session(session);
    free(logits);
}

static void threads_change_nothing(void **state) {
    (void)state;
    sv_error err;
    sv_image image;
    float *logits = sv_alloc_aligned(vocab, sizeof *logits);
    draw(&image);
    for (int n = 1; n <= 3; n++) {
        sv_pool *pool;
        sv_embedding again;
        ASSERT_OK(sv_pool_new(n, &pool, &err), err);
        ASSERT_OK(sv_model_embed_image(model, &image, pool, &again, &err), err);
        size_t size = (size_t)picture.n_tokens * (size_t)sv_model_get_config(model)->text.hidden * sizeof(float);
        assert_memory_equal(again.rows, picture.rows, size);
        sv_session *session = new_session(NULL, n_ids, pool);
        ASSERT_OK(sv_session_append(session, &(sv_prompt){ids, n_ids, pictures, 2}, logits, &err), err);
        expect_same(logits);
        free_session(session);
        sv_embedding_free(&again);
        sv_pool_free(pool);
    }
    sv_image_free(&image);
    free(logits);
}

static void *read_in_a_thread(void *wrong) {
    float *logits = sv_alloc_aligned(vocab, sizeof *logits);
    sv_workspace *workspace = NULL;
    sv_session *session = NULL;
    bool good = logits && sv_workspace_new(model, 0, NULL, &workspace, NULL) == SV_OK &&
                sv_session_new(workspace, NULL, n_ids, &session, NULL) == SV_OK;
    for (int i = 0; good && i < 20; i++) {
        sv_session_rewind(session, 0);
        good = sv_session_append(session, &(sv_prompt){ids, n_ids, pictures, 2}, logits, NULL) == SV_OK &&
               memcmp(logits, expected, vocab * sizeof *logits) == 0;
    }
    *(bool *)wrong = !good;
    sv_session_free(session);
    sv_workspace_free(workspace);
    free(logits);
    return NULL;
}

static void sessions_run_beside_each_other(void **state) {
    (void)state;
    pthread_t threads[4];
    bool wrong[4];
    for (int i = 0; i < 4; i++) assert_int_equal(pthread_create(&threads[i], NULL, read_in_a_thread, &wrong[i]), 0);
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        assert_false(wrong[i]);
    }
}

/* Sequences of different length, on different prefixes, join and leave a common step; each gives the bits it gives
 * alone, at every batch size and number of threads. */
static void batches_change_nothing(void **state) {
    (void)state;
    enum { N_SESSIONS = 11, N_STEPS = 9 };
    sv_error err;
    sv_workspace *workspace;
    sv_prefix *roots[2], *branch;
    float *alone = sv_alloc_aligned((size_t)N_SESSIONS * N_STEPS * vocab, sizeof *alone);
    float *together = sv_alloc_aligned((size_t)N_SESSIONS * vocab, sizeof *together);
    for (int n_threads = 1; n_threads <= 3; n_threads++) {
        sv_pool *pool;
        sv_session *sessions[N_SESSIONS];
        ASSERT_OK(sv_pool_new(n_threads, &pool, &err), err);
        ASSERT_OK(sv_workspace_new(model, 16, pool, &workspace, &err), err);
        ASSERT_OK(sv_prefix_new(workspace, NULL, ids, N_TEXT, &roots[0], &err), err);
        ASSERT_OK(sv_prefix_new(workspace, NULL, ids, 5, &roots[1], &err), err);
        ASSERT_OK(sv_prefix_new(workspace, roots[1], ids + 5, 7, &branch, &err), err);
        const sv_prefix *const prefixes[] = {roots[0], branch, NULL, roots[1]};
        for (int i = 0; i < N_SESSIONS; i++) {
            ASSERT_OK(sv_session_new(workspace, prefixes[i / 3], 60, &sessions[i], &err), err);
            sv_prompt text = {.ids = ids + i, .n_ids = 1 + 2 * (size_t)(i % 4)};
            ASSERT_OK(sv_session_append(sessions[i], &text, NULL, &err), err);
        }
        if (n_threads == 1) {
            for (int i = 0; i < N_SESSIONS; i++) {
                size_t length = sv_session_length(sessions[i]);
                for (int step = 0; step < N_STEPS; step++) {
                    int32_t id = 50 + 3 * i + 7 * step;
                    float *row = alone + (size_t)(i * N_STEPS + step) * vocab;
                    ASSERT_OK(sv_sessions_step(workspace, &sessions[i], &id, 1, row, &err), err);
                }
                sv_session_rewind(sessions[i], length);
            }
        }
        for (int step = 0; step < N_STEPS + N_SESSIONS;
             step++) { /* session i takes part in steps i ... i + N_STEPS - 1 */
            sv_session *list[N_SESSIONS];
            int32_t next[N_SESSIONS];
            int who[N_SESSIONS], n = 0;
            for (int i = 0; i < N_SESSIONS; i++) {
                if (step < i || step >= i + N_STEPS) continue;
                list[n] = sessions[i];
                who[n] = i;
                next[n++] = 50 + 3 * i + 7 * (step - i);
            }
            ASSERT_OK(sv_sessions_step(workspace, list, next, (size_t)n, together, &err), err);
            for (int k = 0; k < n; k++) {
                const float *expected_row = alone + (size_t)(who[k] * N_STEPS + step - who[k]) * vocab;
                assert_memory_equal(together + (size_t)k * vocab, expected_row, vocab * sizeof *together);
            }
        }
        for (int i = 0; i < N_SESSIONS; i++) sv_session_free(sessions[i]);
        sv_prefix_free(branch);
        sv_prefix_free(roots[0]);
        sv_prefix_free(roots[1]);
        sv_workspace_free(workspace);
        sv_pool_free(pool);
    }
    free(alone);
    free(together);
}

static void prefixes_stand_on_each_other(void **state) {
    (void)state;
    sv_error err;
    sv_workspace *workspace;
    const sv_prefix *parent = NULL;
    sv_prefix *chain[SV_MAX_PREFIX_DEPTH], *one_more;
    float *logits = sv_alloc_aligned(vocab, sizeof *logits);
    ASSERT_OK(sv_workspace_new(model, 0, NULL, &workspace, &err), err);
    for (int i = 0; i < SV_MAX_PREFIX_DEPTH; i++) { /* two tokens each: the first N_TEXT of the prompt */
        ASSERT_OK(sv_prefix_new(workspace, parent, ids + 2 * (size_t)i, 2, &chain[i], &err), err);
        parent = chain[i];
        assert_int_equal(sv_prefix_length(parent), 2 * i + 2);
    }
    assert_int_equal(sv_prefix_new(workspace, parent, ids, 1, &one_more, &err), SV_ERR_USAGE);
    sv_session *session;
    ASSERT_OK(sv_session_new(workspace, parent, 200, &session, &err), err);
    sv_prompt rest = {ids + N_TEXT, n_ids - N_TEXT, pictures, 2};
    ASSERT_OK(sv_session_append(session, &rest, logits, &err), err);
    expect_same(logits);
    sv_session_free(session);
    for (int i = SV_MAX_PREFIX_DEPTH; i-- > 0;) sv_prefix_free(chain[i]);
    sv_workspace_free(workspace);
    free(logits);
}

static void scores_are_those_of_reading(void **state) {
    (void)state;
    sv_error err;
    enum { N = 40 };
    int32_t continuation[N];
    double logprobs[N];
    for (int i = 0; i < N; i++) continuation[i] = 11 * i + 1;
    continuation[3] = sv_model_get_config(model)->image_token; /* written by a model: text */
    sv_session *session = new_session(NULL, n_ids + N - 1, NULL);
    float *all = sv_alloc_aligned((n_ids + N) * vocab, sizeof *all);
    ASSERT_OK(sv_session_append(session, &(sv_prompt){ids, n_ids, pictures, 2}, NULL, &err), err);
    ASSERT_OK(sv_session_score(session, expected, continuation, N, logprobs, &err), err);
    assert_int_equal(sv_session_length(session), n_ids);
    assert_true(fabs(logprobs[0] - ((double)expected[1] - sv_log_sum_exp(expected, vocab))) < 1e-12);
    ASSERT_OK(sv_session_append_all(session, &(sv_prompt){.ids = continuation, .n_ids = 3}, all, &err), err);
    for (int i = 0; i < 3; i++) {
        const float *row = all + (size_t)i * vocab;
        assert_true(fabs(logprobs[i + 1] - ((double)row[continuation[i + 1]] - sv_log_sum_exp(row, vocab))) < 1e-12);
    }
    sv_session_rewind(session, n_ids);
    assert_int_equal(sv_session_score(session, expected, continuation, 0, logprobs, &err), SV_OK);
    free_session(session);
    session = new_session(NULL, n_ids + N - 2, NULL);
    ASSERT_OK(sv_session_append(session, &(sv_prompt){ids, n_ids, pictures, 2}, NULL, &err), err);
    assert_int_equal(sv_session_score(session, expected, continuation, N, logprobs, &err), SV_ERR_INPUT);
    free_session(session);
    free(all);
}

static bool stop_at_three(void *context, int32_t id) {
    (void)id;
    return ++*(int *)context < 3;
}

static void generation_keeps_its_limits(void **state) {
    (void)state;
    sv_error err;
    sv_generation g;
    float *logits = sv_alloc_aligned(vocab, sizeof *logits);
    sv_session *session = new_session(NULL, n_ids + 4, NULL);
    int count = 0;
    const sv_generate_options full = {
        .max_tokens = 100, .repetition_penalty = 1.3F, .ignore_eos = true, .n_top_logprobs = 3};
    const sv_generate_options stopped = {
        .max_tokens = 100, .repetition_penalty = 1, .ignore_eos = true, .on_token = stop_at_three, .context = &count};
    for (int round = 0; round < 2; round++) {
        sv_session_rewind(session, 0);
        ASSERT_OK(sv_session_append(session, &(sv_prompt){ids, n_ids, pictures, 2}, logits, &err), err);
        if (round == 0) { /* room for four tokens, and one that is not read */
            ASSERT_OK(sv_session_generate(session, logits, ids, n_ids, &full, &g, &err), err);
            assert_int_equal(g.n_ids, 5);
            assert_false(g.stopped);
            for (size_t i = 0; i < g.n_ids; i++) {
                assert_in_range(g.ids[i], 0, sv_tokenizer_n_ids(sv_model_get_tokenizer(model)) - 1);
                assert_true(g.logprobs[i] <= 0 && g.logprobs[i] <= g.top_logprobs[i * 3]);
                assert_true(g.top_logprobs[i * 3] >= g.top_logprobs[i * 3 + 1]);
                assert_true(g.top_logprobs[i * 3 + 1] >= g.top_logprobs[i * 3 + 2]);
            }
        } else {
            assert_int_equal(sv_session_generate(session, logits, ids, n_ids, &stopped, &g, &err), SV_ERR_CANCELLED);
            assert_int_equal(g.n_ids, 3);
        }
        sv_generation_free(&g);
    }
    for (size_t i = 0; i < vocab; i++) logits[i] = NAN;
    assert_int_equal(sv_session_generate(session, logits, ids, n_ids, &full, &g, &err), SV_ERR_INTERNAL);
    assert_int_equal(
        sv_session_generate(session, logits, ids, n_ids, &(sv_generate_options){.max_tokens = 1}, &g, &err),
        SV_ERR_USAGE);
    free_session(session);
    free(logits);
}

static void bad_prompts_are_refused(void **state) {
    (void)state;
    sv_error err;
    sv_session *session = new_session(NULL, 60, NULL), *none;
    const int32_t unknown[] = {5, 100000}, negative[] = {-1};
    sv_embedding wrong = picture;
    wrong.grid_h++;
    const sv_embedding *wrong_list[] = {&wrong};
    const struct {
        sv_prompt prompt;
        const char *message;
    } cases[] = {
        {{ids, n_ids, pictures, 2}, "do not fit"},
        {{ids, N_TEXT + 32, NULL, 0}, "more pictures than the 0 given"},
        {{ids, N_TEXT + 32, pictures, 2}, "2 pictures were given"},
        {{ids, N_TEXT + 31, pictures, 1}, "run of 31 image tokens where the picture has 32"},
        {{ids, N_TEXT + 32, wrong_list, 1}, "do not make a grid"},
        {{unknown, 2, NULL, 0}, "token 1 of the prompt is 100000"},
        {{negative, 1, NULL, 0}, "token 0 of the prompt is -1"},
        {{NULL, 0, NULL, 0}, "no tokens"},
    };
    for (size_t i = 0; i < SV_COUNT(cases); i++) {
        assert_int_not_equal(sv_session_append(session, &cases[i].prompt, NULL, &err), SV_OK);
        if (!strstr(err.message, cases[i].message)) fail_msg("'%s' does not say '%s'", err.message, cases[i].message);
        assert_int_equal(sv_session_length(session), 0);
    }
    assert_int_equal(sv_session_new(session->workspace, NULL, 4097, &none, &err), SV_ERR_INPUT);
    assert_null(none);
    int32_t *expanded, marks[] = {1, sv_model_get_config(model)->image_token, 2};
    size_t n;
    assert_int_equal(sv_prompt_expand(model, marks, 3, pictures, 2, &expanded, &n, &err), SV_ERR_INPUT);
    ASSERT_OK(sv_prompt_expand(model, marks, 3, pictures, 1, &expanded, &n, &err), err);
    assert_int_equal(n, 34);
    free(expanded);
    free_session(session);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_shared_prefix_changes_nothing), cmocka_unit_test(pieces_and_rewinding_change_nothing),
        cmocka_unit_test(threads_change_nothing),          cmocka_unit_test(sessions_run_beside_each_other),
        cmocka_unit_test(batches_change_nothing),          cmocka_unit_test(prefixes_stand_on_each_other),
        cmocka_unit_test(scores_are_those_of_reading),     cmocka_unit_test(generation_keeps_its_limits),
        cmocka_unit_test(bad_prompts_are_refused)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
