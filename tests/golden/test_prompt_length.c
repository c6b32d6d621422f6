/* test_prompt_length.c - tokens of a question by the real vocabulary: the reference's count for a short system prompt,
 * and the published lengths for a system prompt of as many tokens as the published one. */
#include "support/folder.h"

#include "model/random_model.h"
#include "stage/prompt_length.h"

static sv_tokenizer *real;
static sv_model_config config;

static int load_real(void **state) {
    char command[2048];
    sv_error err;
    const char *packed = shared_path("golden/tokenizer/tokenizer.json.gz");
    if (make_folder(state)) return 1;
    if (access(packed, F_OK) != 0) return 0;
    const sv_model_shape *shape = sv_model_shape_find("3b");
    config = (sv_model_config){
        .text = shape->text, .vision = shape->vision, .image_token = 151655, .min_pixels = 3136, .max_pixels = 1003520};
    snprintf(command, sizeof command, "gzip -dc '%s' > '%s/tokenizer.json'", packed, folder);
    return system(command) || sv_tokenizer_load(folder, &real, &err);
}

static int unload(void **state) {
    sv_tokenizer_free(real);
    return remove_folder(state);
}

static void expect(char *system_prompt, size_t n_system, size_t n_shared, size_t n_total) {
    SKIP_WITHOUT(shared_path("golden/tokenizer/tokenizer.json.gz"));
    sv_prompt_length length;
    sv_error err;
    sv_stage_prompt prompt = {.system = system_prompt, .system_len = strlen(system_prompt)};
    ASSERT_OK(sv_stage_prompt_length(&prompt, real, &config, &length, &err), err);
    assert_int_equal(length.system, n_system);
    assert_int_equal(length.shared, n_shared);
    assert_int_equal(length.total, n_total);
    assert_int_equal(length.suffix, 408);
    assert_int_equal(length.picture, 128);
    assert_int_equal(length.cells_h, 8);
    assert_int_equal(length.cells_w, 16);
}

/* chat.jsonl, second line */
static void as_the_reference_counts(void **state) {
    (void)state;
    expect((char[]){"You score sleep."}, 4, 22, 430);
}

static char *tokens(size_t n) {
    char *text = calloc(n, 2);
    assert_non_null(text);
    for (size_t i = 0; i < n; i++) memcpy(text + 2 * i, i + 1 < n ? " a" : " ", i + 1 < n ? 2 : 1);
    return text;
}

static void as_the_published_prompts(void **state) {
    (void)state;
    const size_t lengths[][3] = {{2714, 2732, 3140}, {2546, 2564, 2972}}; /* fine, coarse */
    for (size_t i = 0; i < 2; i++) {
        char *text = tokens(lengths[i][0]);
        expect(text, lengths[i][0], lengths[i][1], lengths[i][2]);
        free(text);
    }
}

static void a_prompt_may_not_hold_pictures(void **state) {
    (void)state;
    SKIP_WITHOUT(shared_path("golden/tokenizer/tokenizer.json.gz"));
    sv_prompt_length length;
    sv_error err;
    char text[] = "Look: <|image_pad|>";
    sv_stage_prompt prompt = {.system = text, .system_len = strlen(text)};
    assert_int_equal(sv_stage_prompt_length(&prompt, real, &config, &length, &err), SV_ERR_INPUT);
    assert_non_null(strstr(err.message, "<|image_pad|>"));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(as_the_reference_counts),
                                       cmocka_unit_test(as_the_published_prompts),
                                       cmocka_unit_test(a_prompt_may_not_hold_pictures)};
    return cmocka_run_group_tests(tests, load_real, unload);
}
