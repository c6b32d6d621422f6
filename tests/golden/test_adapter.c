/* test_adapter.c - LoRA pairs applied without merging: the losses that PEFT gives with the same adapters. */
#include "support/tensors.h"

#include "base/json.h"
#include "model/network.h"
#include "model/session.h"
#include "tensor/isa.h"
#include "tensor/pointwise.h"

#define TRAINING "golden/training"
#define TINY "golden/qwen25vl-tiny"
#define MAX_PICTURES 3
#define N_SUPERVISED 34 /* tokens of both samples */

/* Negative log-likelihood of the supervised tokens of one sample. */
static double sample_loss(const sv_model *model, const sv_tensor_file *batch, const json_t *sample, size_t index) {
    sv_error err;
    char name[256];
    sv_embedding pictures[MAX_PICTURES] = {{0}};
    const sv_embedding *list[MAX_PICTURES];
    const json_t *names = json_object_get(sample, "pictures");
    size_t n_pictures = json_array_size(names), n_ids, vocab = (size_t)sv_model_get_config(model)->text.vocab;
    for (size_t i = 0; i < n_pictures; i++) {
        sv_image image;
        snprintf(name, sizeof name, TINY "/pictures/%s", json_string_value(json_array_get(names, i)));
        ASSERT_OK(sv_png_load(shared_path(name), &image, &err), err);
        ASSERT_OK(sv_model_embed_image(model, &image, NULL, &pictures[i], &err), err);
        list[i] = &pictures[i];
        sv_image_free(&image);
    }
    snprintf(name, sizeof name, "input_ids_%zu", index);
    int32_t *ids = golden_i32(batch, name, &n_ids);
    snprintf(name, sizeof name, "labels_%zu", index);
    int32_t *labels = golden_i32(batch, name, NULL);
    float *logits = sv_alloc_aligned(n_ids * vocab, sizeof *logits);
    sv_workspace *workspace;
    sv_session *session;
    ASSERT_OK(sv_workspace_new(model, 100, NULL, &workspace, &err), err); /* in several passes */
    ASSERT_OK(sv_session_new(workspace, NULL, n_ids, &session, &err), err);
    ASSERT_OK(sv_session_append_all(session, &(sv_prompt){ids, n_ids, list, n_pictures}, logits, &err), err);
    double loss = 0;
    for (size_t t = 1; t < n_ids; t++) {
        const float *row = logits + (t - 1) * vocab;
        if (labels[t] >= 0) loss += sv_log_sum_exp(row, vocab) - (double)row[labels[t]];
    }
    sv_session_free(session);
    sv_workspace_free(workspace);
    for (size_t i = 0; i < n_pictures; i++) sv_embedding_free(&pictures[i]);
    free(ids), free(labels), free(logits);
    return loss;
}

static void losses_equal_those_of_peft(void **state) {
    (void)state;
    SKIP_WITHOUT(shared_path(TRAINING "/index.json"));
    static const char *const runs[] = {"full", "lora-phase1", "lora-phase2", "lora-textonly"}; /* full: no adapter */
    static const char *const isas[] = {"ref", "avx2", "avx512"};
    sv_error err;
    json_t *index;
    sv_tensor_file *batch;
    ASSERT_OK(sv_json_load(shared_path(TRAINING "/index.json"), &index, &err), err);
    ASSERT_OK(sv_tensor_file_open(shared_path(TRAINING "/batch.safetensors"), &batch, &err), err);
    double without = 0;
    for (size_t r = 0; r < SV_COUNT(runs) * SV_COUNT(isas); r++) {
        const char *run = runs[r % SV_COUNT(runs)];
        if (!sv_isa_use(isas[r / SV_COUNT(runs)])) continue;
        char path[256];
        snprintf(path, sizeof path, TRAINING "/%s/adapter", run);
        sv_model_options options = {.adapter = r % SV_COUNT(runs) ? shared_path(path) : NULL};
        sv_model *model;
        ASSERT_OK(sv_model_load(shared_path(TINY "/model-b"), &options, &model, &err), err);
        double sum = 0, expected = sv_json_real(json_object_get(index, run), "loss", 0);
        for (size_t i = 0; i < 2; i++) {
            sum += sample_loss(model, batch, json_array_get(json_object_get(index, "samples"), i), i);
        }
        double loss = sum / N_SUPERVISED;
        print_message("%-6s %-13s loss %.6f, PEFT %.6f\n", isas[r / SV_COUNT(runs)], run, loss, expected);
        assert_true(fabs(loss - expected) <= 1e-5);
        if (!options.adapter) without = loss;
        if (options.adapter) assert_true(fabs(loss - without) > 0.01); /* it does act */
        sv_model_free(model);
    }
    assert_true(sv_isa_use(NULL));
    sv_tensor_file_close(batch);
    json_decref(index);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(losses_equal_those_of_peft)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
