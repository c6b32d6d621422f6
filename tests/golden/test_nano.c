/* test_nano.c - the embedded model from picture files to text, against transformers on six windows of a night. */
#include "support/test.h"

#include <math.h>
#include <time.h>

#include "base/json.h"
#include "base/memory.h"
#include "model/session.h"
#include "token/chat.h"

#define N_PICTURES 3
#define FOLDER "golden/nano"
#define MODEL SV_SOURCE_DIR "/models/nano"

typedef struct window {
    sv_embedding pictures[N_PICTURES];
    const sv_embedding *picture_list[N_PICTURES];
    int32_t *ids; /* expanded */
    size_t n_ids;
} window;

/* Shortest times over the windows, s; for information. */
static double encode_s = 1e9, prefill_s = 1e9, token_s = 1e9;

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void note_time(double start, size_t n, double *shortest) {
    double each = (seconds() - start) / (double)n;
    *shortest = SV_MIN(*shortest, each);
}

static void tokenize(const sv_model *model, const json_t *golden, int32_t **ids, size_t *n) {
    sv_error err;
    sv_chat chat = {0};
    sv_strbuf text = {0};
    const char *system = sv_json_text(golden, "system", "");
    assert_true(sv_chat_add_message(&chat, "system") && sv_chat_add_text(&chat, system, strlen(system)));
    assert_true(sv_chat_add_message(&chat, "user"));
    for (size_t i = 0; i < N_PICTURES; i++) {
        const char *part = json_string_value(json_array_get(json_object_get(golden, "user_texts"), i));
        assert_true(sv_chat_add_text(&chat, part, strlen(part)) && sv_chat_add_image(&chat, "picture"));
    }
    ASSERT_OK(sv_chat_render(&chat, true, &text, &err), err);
    ASSERT_OK(sv_tokenizer_encode(sv_model_get_tokenizer(model), text.data, text.len, true, ids, n, &err), err);
    sv_strbuf_free(&text);
    sv_chat_free(&chat);
}

static void open_window(const sv_model *model, const json_t *golden, const json_t *window_case, window *w) {
    sv_error err;
    for (size_t i = 0; i < N_PICTURES; i++) {
        char path[256];
        sv_image image;
        const char *picture = json_string_value(json_array_get(json_object_get(window_case, "pictures"), i));
        snprintf(path, sizeof path, FOLDER "/%s", picture);
        ASSERT_OK(sv_png_load(shared_path(path), &image, &err), err);
        double start = seconds();
        ASSERT_OK(sv_model_embed_image(model, &image, NULL, &w->pictures[i], &err), err);
        note_time(start, 1, &encode_s);
        sv_image_free(&image);
        w->picture_list[i] = &w->pictures[i];
    }
    int32_t *ids;
    size_t n;
    tokenize(model, golden, &ids, &n);
    ASSERT_OK(sv_prompt_expand(model, ids, n, w->picture_list, N_PICTURES, &w->ids, &w->n_ids, &err), err);
    free(ids);
    assert_int_equal(w->n_ids, sv_json_int(window_case, "prompt_tokens", 0));
}

static void close_window(window *w) {
    for (size_t i = 0; i < N_PICTURES; i++) sv_embedding_free(&w->pictures[i]);
    free(w->ids);
}

static void check_answer(const sv_model *model, sv_session *session, const window *w, const float *last,
                         const json_t *expected) {
    sv_error err;
    size_t vocab = (size_t)sv_model_get_config(model)->text.vocab;
    float *logits = sv_alloc_aligned(vocab, sizeof *logits);
    memcpy(logits, last, vocab * sizeof *logits);
    sv_generation g;
    sv_generate_options options = {.max_tokens = 200, .repetition_penalty = 1};
    double start = seconds();
    ASSERT_OK(sv_session_generate(session, logits, w->ids, w->n_ids, &options, &g, &err), err);
    note_time(start, g.n_ids, &token_s);
    assert_true(g.stopped);
    const json_t *ids = json_object_get(expected, "generated_ids"); /* the end token included */
    assert_int_equal(g.n_ids + 1, json_array_size(ids));
    for (size_t i = 0; i < g.n_ids; i++) assert_int_equal(g.ids[i], json_integer_value(json_array_get(ids, i)));
    sv_strbuf text = {0};
    sv_tokenizer_decode(sv_model_get_tokenizer(model), g.ids, g.n_ids, true, &text);
    assert_string_equal(sv_strbuf_text(&text), sv_json_text(expected, "text", ""));
    sv_strbuf_free(&text);
    sv_generation_free(&g);
    sv_session_rewind(session, w->n_ids);
    free(logits);
}

/* After the text up to the stage, every stage as a continuation. */
static double check_stages(const sv_model *model, sv_session *session, const json_t *expected) {
    sv_error err;
    const char *before = sv_json_text(expected, "stage_prefix", "");
    int32_t *ids;
    size_t n, length = sv_session_length(session);
    ASSERT_OK(sv_tokenizer_encode(sv_model_get_tokenizer(model), before, strlen(before), true, &ids, &n, &err), err);
    float *logits = sv_alloc_aligned((size_t)sv_model_get_config(model)->text.vocab, sizeof *logits);
    ASSERT_OK(sv_session_append(session, &(sv_prompt){.ids = ids, .n_ids = n}, logits, &err), err);
    double worst = 0;
    const char *stage;
    json_t *continuation;
    json_object_foreach(json_object_get(expected, "stage_continuations"), stage, continuation) {
        const json_t *list = json_object_get(continuation, "ids");
        int32_t own[8];
        double logprobs[8];
        size_t n_own = json_array_size(list);
        assert_in_range(n_own, 1, 8);
        for (size_t i = 0; i < n_own; i++) own[i] = (int32_t)json_integer_value(json_array_get(list, i));
        ASSERT_OK(sv_session_score(session, logits, own, n_own, logprobs, &err), err);
        for (size_t i = 0; i < n_own; i++) {
            double reference = json_number_value(json_array_get(json_object_get(continuation, "logprobs"), i));
            double difference = fabs(logprobs[i] - reference);
            worst = SV_MAX(worst, difference);
        }
    }
    free(logits);
    free(ids);
    sv_session_rewind(session, length);
    return worst;
}

static void nano_equals_the_reference(void **state) {
    (void)state;
    SKIP_WITHOUT(shared_path(FOLDER "/cases.json"));
    sv_error err;
    sv_model *model;
    json_t *golden;
    double start = seconds();
    ASSERT_OK(sv_model_load(MODEL, NULL, &model, &err), err);
    print_message("nano: loaded in %.1f ms, %lld parameters\n", (seconds() - start) * 1e3,
                  (long long)sv_model_n_parameters(model));
    ASSERT_OK(sv_json_load(shared_path(FOLDER "/cases.json"), &golden, &err), err);
    float *last = sv_alloc_aligned((size_t)sv_model_get_config(model)->text.vocab, sizeof *last);
    double worst = 0;
    size_t index;
    json_t *expected;
    json_array_foreach(json_object_get(golden, "cases"), index, expected) {
        window w;
        sv_session *session;
        open_window(model, golden, expected, &w);
        sv_workspace *workspace;
        ASSERT_OK(sv_workspace_new(model, 0, NULL, &workspace, &err), err);
        ASSERT_OK(sv_session_new(workspace, NULL, 400, &session, &err), err);
        sv_prompt prompt = {w.ids, w.n_ids, w.picture_list, N_PICTURES};
        start = seconds();
        ASSERT_OK(sv_session_append(session, &prompt, last, &err), err);
        note_time(start, 1, &prefill_s);
        check_answer(model, session, &w, last, expected);
        double difference = check_stages(model, session, expected);
        worst = SV_MAX(worst, difference);
        sv_session_free(session);
        sv_workspace_free(workspace);
        close_window(&w);
    }
    assert_int_equal(index, 6);
    print_message("nano: 6 answers equal; stage log-probabilities differ by at most %.1e\n", worst);
    print_message("nano, one thread: picture %.1f ms, prompt of 140 tokens %.1f ms, answer %.0f tokens/s\n",
                  encode_s * 1e3, prefill_s * 1e3, 1 / token_s);
    assert_true(worst <= 2e-3);
    free(last);
    json_decref(golden);
    sv_model_free(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(nano_equals_the_reference)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
