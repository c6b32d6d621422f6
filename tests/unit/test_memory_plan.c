/* test_memory_plan.c - what the plan says is what is allocated; a budget buys questions at a time. */
#include "support/test.h"

#include <malloc.h>

#include "base/clones.h"
#include "base/memory.h"
#include "model/memory_plan.h"
#include "model/timeline.h"
#include "stage/desk.h"

#define MODEL SV_SOURCE_DIR "/models/nano"
#define MB 1e-6

static sv_model *model;
static sv_memory_request request = {.n_prefix = 300,
                                    .n_own = 1200,
                                    .n_embeddings = 10,
                                    .picture_h = 224,
                                    .picture_w = 448,
                                    .n_desks = 2,
                                    .n_threads = 1,
                                    .n_slots = 8};

static int set_up(void **state) {
    (void)state;
    return sv_model_load(MODEL, NULL, &model, NULL) ? 1 : 0;
}

static int tear_down(void **state) {
    (void)state;
    sv_model_free(model);
    return 0;
}

static void a_budget_buys_slots(void **state) {
    (void)state;
    sv_error err;
    sv_memory_plan all, plan;
    sv_memory_request r = request;
    ASSERT_OK(sv_memory_plan_make(sv_model_get_config(model), &r, &all, &err), err);
    assert_int_equal(all.n_slots, 8);
    assert_int_equal(all.total,
                     all.copied + all.prefix + all.desks + all.questions + all.embeddings + all.vision + all.other);
    size_t copied = ((const struct sv_model *)model)->weights.storage_bytes;
    assert_true(copied <= all.copied && (double)copied >= 0.99 * (double)all.copied);
    size_t question = all.questions / 16, fixed = all.total - all.questions;
    for (size_t n = 8; n > 0; n--) {
        r.budget = fixed + 2 * n * question;
        ASSERT_OK(sv_memory_plan_make(sv_model_get_config(model), &r, &plan, &err), err);
        assert_int_equal(plan.n_slots, n);
        assert_int_equal(plan.total, r.budget);
    }
    r.budget--;
    assert_int_equal(sv_memory_plan_make(sv_model_get_config(model), &r, &plan, &err), SV_ERR_MEMORY);
    assert_non_null(strstr(err.message, "budget"));
    r.budget = 1;
    assert_int_equal(sv_memory_plan_make(sv_model_get_config(model), &r, &plan, &err), SV_ERR_MEMORY);
    r.budget = 0;
    r.n_other = 12345678;
    ASSERT_OK(sv_memory_plan_make(sv_model_get_config(model), &r, &plan, &err), err);
    assert_int_equal(plan.total, all.total + 12345678);
    r.n_own = SIZE_MAX / 8;
    assert_int_equal(sv_memory_plan_make(sv_model_get_config(model), &r, &plan, &err), SV_ERR_MEMORY);
    r = request;
    r.picture_w = 300 * r.picture_h;
    assert_int_equal(sv_memory_plan_make(sv_model_get_config(model), &r, &plan, &err), SV_ERR_INPUT);
}

#ifndef SV_SANITIZED
static size_t in_use(void) {
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}
#endif

/* The parts as the allocator counts them, against the plan. */
static void the_plan_is_what_is_taken(void **state) {
    (void)state;
#ifdef SV_SANITIZED
    print_message("skip: a sanitizer's allocator does not count\n");
    skip();
#else
    sv_error err;
    sv_memory_plan plan;
    sv_stage_prompt prompt;
    sv_examiner *examiner;
    sv_desk *desk;
    size_t tokens, before = in_use();
    ASSERT_OK(sv_model_picture_tokens(model, 224, 448, &tokens, &err), err);
    ASSERT_OK(sv_stage_prompt_load(MODEL, NULL, &prompt, &err), err);
    ASSERT_OK(sv_examiner_new(model, &prompt, &(sv_method){.temperature = 1}, false, &examiner, &err), err);
    sv_memory_request r = request;
    r.n_prefix = sv_examiner_shared_length(examiner);
    r.n_own = sv_examiner_all_room(examiner, tokens);
    r.n_desks = 1;
    r.n_embeddings = 0;
    ASSERT_OK(sv_memory_plan_make(sv_model_get_config(model), &r, &plan, &err), err);
    sv_prefix_tree *tree;
    ASSERT_OK(sv_prefix_tree_new(model, &(sv_prefix_tree_options){.budget_bytes = SIZE_MAX}, &tree, &err), err);
    ASSERT_OK(sv_examiner_prepare(examiner, tree, NULL, &err), err);
    ASSERT_OK(sv_desk_new(examiner, plan.n_slots, tokens, NULL, &desk, &err), err);
    size_t taken = in_use() - before, planned = plan.prefix + plan.desks + plan.questions;
    print_message("planned %.3f MB, taken %.3f MB before the first answer\n", (double)planned * MB, (double)taken * MB);
    assert_true(taken <= planned && (double)taken >= 0.95 * (double)planned);
    sv_desk_free(desk);
    sv_examiner_free(examiner);
    sv_prefix_tree_free(tree);
    sv_stage_prompt_free(&prompt);
#endif
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_budget_buys_slots),
                                       cmocka_unit_test(the_plan_is_what_is_taken)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
