/* test_network.c - the network against transformers in f32: tiny models a, b, c; three pictures, one ragged picture,
 * text. */
#include "support/tensors.h"

#include "base/json.h"
#include "model/network.h"
#include "model/session.h"
#include "model/timeline.h"
#include "tensor/isa.h"
#include "tensor/pointwise.h"

#define MAX_PICTURES 3
#define FOLDER "golden/qwen25vl-tiny"

typedef struct setup {
    const char *letter, *name; /* model and case */
    sv_model *model;
    sv_tensor_file *reference;
    json_t *description;
    int32_t *ids;
    size_t n_ids, n_pictures, vocab, hidden;
    sv_embedding pictures[MAX_PICTURES];
    const sv_embedding *picture_list[MAX_PICTURES];
    sv_prompt prompt;
    /* largest differences */
    double patch_embed, blocks, embeddings, hidden_rows, final_norm, logits, log_sum, score, score_sum, generated;
} setup;

static const char *letters[] = {"a", "b", "c"}, *names[] = {"three", "ragged", "text"};

/* Compares the golden rows of an intermediate result with ours. */
static void compare_rows(const setup *s, const char *tensor, const char *row_list, const float *rows, size_t n_rows,
                         size_t width, double *worst) {
    size_t n;
    int32_t *chosen = golden_i32(s->reference, row_list, &n);
    float *expected = golden_f32(s->reference, tensor);
    assert_int_equal(golden_count(golden(s->reference, tensor)), n * width);
    for (size_t i = 0; i < n; i++) {
        assert_in_range(chosen[i], 0, n_rows - 1);
        note_difference(expected + i * width, rows + (size_t)chosen[i] * width, width, worst);
    }
    free(chosen);
    free(expected);
}

static void vision_tap(void *context, const char *what, int index, const float *rows, size_t n_rows, size_t width) {
    setup *s = context;
    char name[64];
    if (strcmp(what, "patch_embed") == 0) {
        compare_rows(s, "vis_patch_embed_img0", "vis_rows", rows, n_rows, width, &s->patch_embed);
    } else if (strcmp(what, "block") == 0) {
        snprintf(name, sizeof name, "vis_block_%d_img0_window_order", index);
        compare_rows(s, name, "vis_rows", rows, n_rows, width, &s->blocks);
    }
}

static void text_tap(void *context, const char *what, int index, const float *rows, size_t n_rows, size_t width) {
    setup *s = context;
    char name[64];
    if (strcmp(what, "hidden") == 0) {
        snprintf(name, sizeof name, "hidden_%d", index);
        compare_rows(s, name, "hidden_rows", rows, n_rows, width, &s->hidden_rows);
    } else if (strcmp(what, "final_norm") == 0) {
        compare_rows(s, "hidden_final_norm", "hidden_rows", rows, n_rows, width, &s->final_norm);
    }
}

static void embed_pictures(setup *s) {
    sv_error err;
    const json_t *pictures = json_object_get(s->description, "pictures");
    s->n_pictures = json_array_size(pictures);
    float *expected = s->n_pictures ? golden_f32(s->reference, "image_embeds") : NULL;
    size_t at = 0;
    for (size_t i = 0; i < s->n_pictures; i++) {
        char path[256];
        sv_image image;
        sv_patches patches;
        const char *picture = json_string_value(json_array_get(pictures, i));
        if (strcmp(picture, "ragged") == 0) picture = "ragged_308x196";
        snprintf(path, sizeof path, FOLDER "/pictures/%s.png", picture);
        ASSERT_OK(sv_png_load(shared_path(path), &image, &err), err);
        ASSERT_OK(sv_model_embed_image(s->model, &image, NULL, &s->pictures[i], &err), err);
        ASSERT_OK(sv_image_to_patches(sv_model_get_config(s->model), &image, &patches, &err), err);
        float *again = sv_alloc_aligned((size_t)s->pictures[i].n_tokens * s->hidden, sizeof *again);
        sv_tap tap = {vision_tap, s};
        ASSERT_OK(sv_vision_run(s->model, &patches, NULL, i == 0 ? &tap : NULL, again, &err), err);
        size_t n = (size_t)s->pictures[i].n_tokens * s->hidden;
        assert_memory_equal(again, s->pictures[i].rows, n * sizeof *again);
        note_difference(expected + at, again, n, &s->embeddings);
        at += n;
        free(again);
        sv_patches_free(&patches);
        sv_image_free(&image);
        s->picture_list[i] = &s->pictures[i];
    }
    if (expected) assert_int_equal(golden_count(golden(s->reference, "image_embeds")), at);
    free(expected);
}

static void open_setup(setup *s, const char *letter, const char *name) {
    sv_error err;
    char path[256];
    *s = (setup){.letter = letter, .name = name};
    snprintf(path, sizeof path, FOLDER "/model-%s", letter);
    ASSERT_OK(sv_model_load(shared_path(path), NULL, &s->model, &err), err);
    snprintf(path, sizeof path, FOLDER "/model-%s.%s.f32.safetensors", letter, name);
    ASSERT_OK(sv_tensor_file_open(shared_path(path), &s->reference, &err), err);
    snprintf(path, sizeof path, FOLDER "/model-%s.%s.json", letter, name);
    ASSERT_OK(sv_json_load(shared_path(path), &s->description, &err), err);
    s->vocab = (size_t)sv_model_get_config(s->model)->text.vocab;
    s->hidden = (size_t)sv_model_get_config(s->model)->text.hidden;
    s->ids = golden_i32(s->reference, "input_ids", &s->n_ids);
    embed_pictures(s);
    s->prompt = (sv_prompt){s->ids, s->n_ids, s->picture_list, s->n_pictures};
}

static void close_setup(setup *s) {
    for (size_t i = 0; i < s->n_pictures; i++) sv_embedding_free(&s->pictures[i]);
    free(s->ids);
    json_decref(s->description);
    sv_tensor_file_close(s->reference);
    sv_model_free(s->model);
}

/* Positions, window order: exact. */
static void check_tables(const setup *s) {
    sv_error err;
    int image_token = sv_model_get_config(s->model)->image_token;
    sv_position *positions = sv_calloc(s->n_ids, sizeof *positions);
    int32_t *next = sv_calloc(s->n_ids, sizeof *next), *expected = golden_i32(s->reference, "position_ids", NULL);
    int32_t *delta = golden_i32(s->reference, "rope_delta", NULL);
    ASSERT_OK(
        sv_mrope_positions(s->ids, s->n_ids, image_token, s->picture_list, s->n_pictures, 0, positions, next, &err),
        err);
    for (size_t i = 0; i < s->n_ids; i++) {
        assert_int_equal(positions[i].t, expected[i]);
        assert_int_equal(positions[i].h, expected[s->n_ids + i]);
        assert_int_equal(positions[i].w, expected[2 * s->n_ids + i]);
    }
    assert_int_equal(next[s->n_ids - 1] - (int32_t)s->n_ids, delta[0]);
    free(positions);
    free(next);
    free(expected);
    free(delta);
    if (s->n_pictures == 0) return;

    const sv_vision_config *v = &sv_model_get_config(s->model)->vision;
    sv_grid grid = {s->pictures[0].grid_h, s->pictures[0].grid_w};
    size_t n_cells = (size_t)s->pictures[0].n_tokens, n_expected, n_ends, n_windows;
    int32_t *order = sv_calloc(2 * n_cells, sizeof *order), *ends = order + n_cells;
    int32_t *expected_order = golden_i32(s->reference, "window_index_img0", &n_expected);
    int32_t *expected_ends = golden_i32(s->reference, "cu_window_seqlens_img0", &n_ends);
    sv_window_order(grid, v->window / v->merge / v->patch, order, ends, &n_windows);
    assert_int_equal(n_expected, n_cells);
    assert_memory_equal(order, expected_order, n_cells * sizeof *order);
    assert_int_equal(n_ends, n_windows + 1);
    for (size_t i = 0; i < n_windows; i++) assert_int_equal(ends[i] * v->merge * v->merge, expected_ends[i + 1]);
    free(order);
    free(expected_order);
    free(expected_ends);
}

/* All logits in one run; the last row is left in last [V]. */
static void check_prompt(setup *s, sv_session *session, float *last) {
    sv_error err;
    float *logits = sv_alloc_aligned(s->n_ids * s->vocab, sizeof *logits);
    session->workspace->tap = (sv_tap){text_tap, s};
    ASSERT_OK(sv_session_append_all(session, &s->prompt, logits, &err), err);
    session->workspace->tap = (sv_tap){0};
    float *expected = golden_f32(s->reference, "logits_last"), *log_sums = golden_f32(s->reference, "logsumexp_all");
    size_t n_last = golden_count(golden(s->reference, "logits_last")) / s->vocab;
    note_difference(expected, logits + (s->n_ids - n_last) * s->vocab, n_last * s->vocab, &s->logits);
    int32_t *argmax = golden_i32(s->reference, "argmax_all", NULL);
    for (size_t i = 0; i < s->n_ids; i++) {
        const float *row = logits + i * s->vocab;
        float log_sum = (float)sv_log_sum_exp(row, s->vocab);
        note_difference(&log_sum, log_sums + i, 1, &s->log_sum);
        size_t best = 0;
        for (size_t id = 1; id < s->vocab; id++) best = row[id] > row[best] ? id : best;
        assert_int_equal(best, argmax[i]);
    }
    memcpy(last, logits + (s->n_ids - 1) * s->vocab, s->vocab * sizeof *last);
    free(logits);
    free(expected);
    free(log_sums);
    free(argmax);
}

static void check_scores(setup *s, sv_session *session, const float *last) {
    sv_error err;
    size_t index;
    const json_t *entry;
    json_array_foreach(json_object_get(s->description, "scores_f32"), index, entry) {
        const json_t *ids = json_object_get(entry, "ids"), *expected = json_object_get(entry, "logprobs");
        int32_t list[64];
        double logprobs[64], sum = 0;
        size_t n = json_array_size(ids);
        assert_in_range(n, 1, 64);
        for (size_t i = 0; i < n; i++) list[i] = (int32_t)json_integer_value(json_array_get(ids, i));
        ASSERT_OK(sv_session_score(session, last, list, n, logprobs, &err), err);
        assert_int_equal(sv_session_length(session), s->n_ids);
        for (size_t i = 0; i < n; i++) {
            double difference = fabs(logprobs[i] - json_number_value(json_array_get(expected, i)));
            s->score = SV_MAX(s->score, difference);
            sum += logprobs[i];
        }
        s->score_sum = SV_MAX(s->score_sum, fabs(sum - sv_json_real(entry, "sum", 0)));
    }
}

/* 48 greedy tokens, with their alternatives. */
static void check_generation(setup *s, sv_session *session, const float *last, const char *prefix, float penalty) {
    sv_error err;
    char name[64];
    float *logits = sv_alloc_aligned(s->vocab, sizeof *logits);
    memcpy(logits, last, s->vocab * sizeof *logits);
    snprintf(name, sizeof name, "%s_ids", prefix);
    size_t n, n_top = 4;
    int32_t *expected = golden_i32(s->reference, name, &n);
    snprintf(name, sizeof name, "%s_top_ids", prefix);
    int32_t *top_ids = golden_i32(s->reference, name, NULL);
    snprintf(name, sizeof name, "%s_top_logits", prefix);
    float *top_logits = golden_f32(s->reference, name);
    snprintf(name, sizeof name, "%s_logsumexp", prefix);
    float *log_sums = golden_f32(s->reference, name);
    sv_generation g;
    sv_generate_options options = {
        .max_tokens = n, .repetition_penalty = penalty, .ignore_eos = true, .n_top_logprobs = (int)n_top};
    ASSERT_OK(sv_session_generate(session, logits, s->ids, s->n_ids, &options, &g, &err), err);
    assert_int_equal(g.n_ids, n);
    assert_memory_equal(g.ids, expected, n * sizeof *expected);
    int n_ids = sv_tokenizer_n_ids(sv_model_get_tokenizer(s->model));
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0, ours = 0; k < 12 && ours < n_top; k++) {
            if (top_ids[i * 12 + k] >= n_ids) continue; /* padding rows are no alternative of ours */
            double reference = (double)top_logits[i * 12 + k] - (double)log_sums[i];
            double difference = fabs(g.top_logprobs[i * n_top + ours++] - reference);
            s->generated = SV_MAX(s->generated, difference);
        }
    }
    sv_generation_free(&g);
    sv_session_rewind(session, s->n_ids);
    free(logits);
    free(expected);
    free(top_ids);
    free(top_logits);
    free(log_sums);
}

static void network_equals_the_reference(void **state) {
    const char *isa = *state;
    SKIP_WITHOUT(shared_path(FOLDER "/index.json"));
    if (!sv_isa_use(isa)) {
        print_message("skip: this machine has no %s\n", isa);
        skip();
    }
    print_message("products by %s\n", isa);
    print_message(
        "case       patch    blocks   embeds   hidden   norm     logits   logsum   score    sum      generated\n");
    for (size_t m = 0; m < SV_COUNT(letters) * SV_COUNT(names); m++) {
        sv_error err;
        setup s;
        sv_session *session;
        open_setup(&s, letters[m / SV_COUNT(names)], names[m % SV_COUNT(names)]);
        check_tables(&s);
        float *last = sv_alloc_aligned(s.vocab, sizeof *last);
        sv_workspace *workspace;
        ASSERT_OK(sv_workspace_new(s.model, 0, NULL, &workspace, &err), err);
        ASSERT_OK(sv_session_new(workspace, NULL, s.n_ids + 64, &session, &err), err);
        check_prompt(&s, session, last);
        check_scores(&s, session, last);
        check_generation(&s, session, last, "gen", 1);
        check_generation(&s, session, last, "gen_rp105", 1.05F);
        print_message("%s %-8s %.1e  %.1e  %.1e  %.1e  %.1e  %.1e  %.1e  %.1e  %.1e  %.1e\n", s.letter, s.name,
                      s.patch_embed, s.blocks, s.embeddings, s.hidden_rows, s.final_norm, s.logits, s.log_sum, s.score,
                      s.score_sum, s.generated);
        assert_true(s.patch_embed <= 5e-5 && s.blocks <= 5e-5 && s.embeddings <= 5e-5);
        assert_true(s.hidden_rows <= 1e-4 && s.final_norm <= 1e-4);
        assert_true(s.logits <= 3e-4 && s.log_sum <= 1e-4);
        assert_true(s.score <= 1e-4 && s.score_sum <= 3e-4 && s.generated <= 4e-4);
        free(last);
        sv_session_free(session);
        sv_workspace_free(workspace);
        close_setup(&s);
    }
}

int main(void) {
    static char ref[] = "ref", avx2[] = "avx2", avx512[] = "avx512";
    const struct CMUnitTest tests[] = {cmocka_unit_test_prestate(network_equals_the_reference, ref),
                                       cmocka_unit_test_prestate(network_equals_the_reference, avx2),
                                       cmocka_unit_test_prestate(network_equals_the_reference, avx512)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
