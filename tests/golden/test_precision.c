/* test_precision.c - weights in 16 and 4 bits, and arithmetic that rounds where the reference does. */
#include "support/tensors.h"

#include "base/json.h"
#include "model/network.h"
#include "model/session.h"
#include "tensor/isa.h"
#include "tensor/pointwise.h"

#define TINY "golden/qwen25vl-tiny"
#define QUANT "golden/quant"
#define MAX_PICTURES 3

/* A golden prompt with its pictures embedded. */
typedef struct question {
    sv_model *model;
    int32_t *ids;
    size_t n_ids, n_pictures, vocab;
    sv_embedding pictures[MAX_PICTURES];
    const sv_embedding *list[MAX_PICTURES];
    float *logits; /* [n_ids, V] */
} question;

static void read_question(question *q, sv_model *model, const char *letter, const char *name,
                          const sv_tensor_file *ids_file) {
    sv_error err;
    char path[256];
    json_t *description;
    *q = (question){.model = model, .vocab = (size_t)sv_model_get_config(model)->text.vocab};
    snprintf(path, sizeof path, TINY "/model-%s.%s.json", letter, name);
    ASSERT_OK(sv_json_load(shared_path(path), &description, &err), err);
    const json_t *pictures = json_object_get(description, "pictures");
    q->n_pictures = json_array_size(pictures);
    for (size_t i = 0; i < q->n_pictures; i++) {
        sv_image image;
        const char *picture = json_string_value(json_array_get(pictures, i));
        if (strcmp(picture, "ragged") == 0) picture = "ragged_308x196";
        snprintf(path, sizeof path, TINY "/pictures/%s.png", picture);
        ASSERT_OK(sv_png_load(shared_path(path), &image, &err), err);
        ASSERT_OK(sv_model_embed_image(model, &image, NULL, &q->pictures[i], &err), err);
        q->list[i] = &q->pictures[i];
        sv_image_free(&image);
    }
    json_decref(description);
    q->ids = golden_i32(ids_file, "input_ids", &q->n_ids);
    q->logits = sv_alloc_aligned(q->n_ids * q->vocab, sizeof *q->logits);
}

static void free_question(question *q) {
    for (size_t i = 0; i < q->n_pictures; i++) sv_embedding_free(&q->pictures[i]);
    free(q->ids);
    free(q->logits);
}

static sv_tensor_file *open_golden(const char *format, const char *letter, const char *name) {
    char path[256];
    sv_error err;
    sv_tensor_file *file;
    snprintf(path, sizeof path, format, letter, name);
    ASSERT_OK(sv_tensor_file_open(shared_path(path), &file, &err), err);
    return file;
}

static double rms(const float *a, const float *b, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
    return sqrt(sum / (double)n);
}

static double cosine(const float *a, const float *b, size_t n) {
    double ab = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < n; i++) {
        ab += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    return ab / sqrt(aa * bb);
}

typedef struct distance {
    double logits, cosine, embeddings;
} distance;

/* How far a run that rounds lies from the reference in f32. */
static distance distance_to_f32(const char *letter, const char *name, sv_rounding rounding) {
    sv_error err;
    char path[256];
    sv_model *model;
    sv_workspace *workspace;
    sv_session *session;
    question q;
    snprintf(path, sizeof path, TINY "/model-%s", letter);
    ASSERT_OK(sv_model_load(shared_path(path), &(sv_model_options){.rounding = rounding}, &model, &err), err);
    sv_tensor_file *exact = open_golden(TINY "/model-%s.%s.f32.safetensors", letter, name);
    read_question(&q, model, letter, name, exact);
    ASSERT_OK(sv_workspace_new(model, 0, NULL, &workspace, &err), err);
    ASSERT_OK(sv_session_new(workspace, NULL, q.n_ids, &session, &err), err);
    ASSERT_OK(sv_session_append_all(session, &(sv_prompt){q.ids, q.n_ids, q.list, q.n_pictures}, q.logits, &err), err);
    float *logits = golden_f32(exact, "logits_last");
    size_t n = golden_count(golden(exact, "logits_last")), n_rows = n / q.vocab;
    const float *last = q.logits + (q.n_ids - n_rows) * q.vocab;
    distance d = {.logits = rms(logits, last, n), .cosine = 1};
    for (size_t r = 0; r < n_rows; r++) {
        d.cosine = SV_MIN(d.cosine, cosine(logits + r * q.vocab, last + r * q.vocab, q.vocab));
    }
    float *embeddings = golden_f32(exact, "image_embeds"), *ours = sv_calloc(1, 0);
    size_t hidden = (size_t)sv_model_get_config(model)->text.hidden, at = 0;
    for (size_t i = 0; i < q.n_pictures; i++) {
        size_t count = (size_t)q.pictures[i].n_tokens * hidden;
        ours = realloc(ours, (at + count) * sizeof *ours);
        memcpy(ours + at, q.pictures[i].rows, count * sizeof *ours);
        at += count;
    }
    d.embeddings = rms(embeddings, ours, at);
    free(embeddings), free(ours), free(logits);
    free_question(&q);
    sv_session_free(session);
    sv_workspace_free(workspace);
    sv_tensor_file_close(exact);
    sv_model_free(model);
    return d;
}

static void rounding_stays_within_the_references_own_noise(void **state) {
    (void)state;
    SKIP_WITHOUT(shared_path(TINY "/index.json"));
    static const struct {
        const char *letter;
        double logits; /* of transformers in bf16 */
    } models[] = {{"a", 0.05}, {"b", 0.10}, {"c", 0.03}};
    static const char *const names[] = {"three", "ragged"};
    print_message("rounding, case    logits RMS  least cosine  picture embeddings RMS\n");
    for (size_t m = 0; m < SV_COUNT(models); m++) {
        for (size_t k = 0; k < SV_COUNT(names); k++) {
            distance b = distance_to_f32(models[m].letter, names[k], SV_ROUNDING_BF16);
            distance f = distance_to_f32(models[m].letter, names[k], SV_ROUNDING_F16);
            print_message("bf16 %s %-8s   %.4f      %.5f       %.4f\n", models[m].letter, names[k], b.logits, b.cosine,
                          b.embeddings);
            print_message("f16  %s %-8s   %.4f      %.5f       %.4f\n", models[m].letter, names[k], f.logits, f.cosine,
                          f.embeddings);
            assert_true(b.logits <= 1.5 * models[m].logits && b.cosine >= 0.997 && b.embeddings <= 0.015);
            assert_true(b.logits >= 0.1 * models[m].logits);       /* it does round */
            assert_true(f.logits > 0 && f.logits <= b.logits / 3); /* three more bits */
        }
    }
}

static void four_bit_weights_are_exact(void **state) {
    (void)state;
    SKIP_WITHOUT(shared_path(QUANT "/index.json"));
    static const char *const modules[] = {"model.layers.0.self_attn.q_proj", "model.layers.1.mlp.down_proj",
                                          "model.layers.1.self_attn.k_proj"};
    sv_error err;
    sv_tensor_file *file, *reference = open_golden(QUANT "/%s%s", "reference.safetensors", "");
    sv_quantisation quantisation;
    ASSERT_OK(sv_tensor_folder_open(shared_path(QUANT "/model-c-w4a16"), &file, &err), err);
    ASSERT_OK(sv_quantisation_load(shared_path(QUANT "/model-c-w4a16"), &quantisation, &err), err);
    for (size_t m = 0; m < SV_COUNT(modules); m++) {
        char name[128];
        snprintf(name, sizeof name, "dequant.%s", modules[m]);
        const sv_tensor *t = golden(reference, name);
        float *expected = golden_f32(reference, name);
        size_t n_in = (size_t)t->shape[1], n_out = modules[m][15] == 'm' ? 256 : modules[m][25] == 'q' ? 256 : 128;
        float *row = sv_alloc_aligned(n_in, sizeof *row);
        sv_matrix matrix;
        ASSERT_OK(sv_quantised_bind(file, &quantisation, modules[m], n_out, n_in, &matrix, &err), err);
        for (size_t r = 0; r < (size_t)t->shape[0]; r++) {
            sv_matrix_read_row(&matrix, r, row);
            assert_memory_equal(row, expected + r * n_in, n_in * sizeof *row);
        }
        free(row);
        free(expected);
    }
    sv_tensor_file_close(file);
    sv_tensor_file_close(reference);
}

/* Rounding to nearest by hand: dequantised weights with all-zero rows and very small scales. */
static void packed_by_hand_is_exact(void **state) {
    (void)state;
    SKIP_WITHOUT(shared_path(QUANT "/rtn_by_hand.safetensors"));
    sv_tensor_file *file = open_golden(QUANT "/%s%s", "rtn_by_hand.safetensors", "");
    const sv_tensor *words = golden(file, "qweight"), *scales = golden(file, "scales");
    float *expected = golden_f32(file, "dequant");
    sv_matrix m = {.dtype = SV_I32,
                   .n_out = (size_t)words->shape[1],
                   .n_in = 8 * (size_t)words->shape[0],
                   .data = words->data,
                   .scales = scales->data,
                   .scale_dtype = scales->dtype,
                   .zeros = golden(file, "qzeros")->data,
                   .zero_offset = 1};
    m.group = m.n_in / (size_t)scales->shape[0];
    float *row = sv_alloc_aligned(m.n_in, sizeof *row);
    for (size_t r = 0; r < m.n_out; r++) {
        sv_matrix_read_row(&m, r, row);
        for (size_t i = 0; i < m.n_in; i++) assert_true(row[i] == expected[r * m.n_in + i]);
    }
    free(row);
    free(expected);
    sv_tensor_file_close(file);
}

static void four_bit_answers_equal(void **state) {
    const char *isa = *state;
    SKIP_WITHOUT(shared_path(QUANT "/index.json"));
    if (!sv_isa_use(isa)) {
        print_message("skip: this machine has no %s\n", isa);
        skip();
    }
    static const char *const names[] = {"three", "ragged"};
    sv_error err;
    sv_model *model;
    sv_tensor_file *reference = open_golden(QUANT "/%s%s", "reference.safetensors", "");
    ASSERT_OK(sv_model_load(shared_path(QUANT "/model-c-w4a16"), NULL, &model, &err), err);
    for (size_t k = 0; k < SV_COUNT(names); k++) {
        question q;
        sv_workspace *workspace;
        sv_session *session;
        sv_generation g;
        double worst = 0, log_sum_worst = 0;
        sv_tensor_file *ids_file = open_golden(TINY "/model-%s.%s.f32.safetensors", "c", names[k]);
        read_question(&q, model, "c", names[k], ids_file);
        ASSERT_OK(sv_workspace_new(model, 0, NULL, &workspace, &err), err);
        ASSERT_OK(sv_session_new(workspace, NULL, q.n_ids + 64, &session, &err), err);
        ASSERT_OK(sv_session_append_all(session, &(sv_prompt){q.ids, q.n_ids, q.list, q.n_pictures}, q.logits, &err),
                  err);
        char name[64];
        snprintf(name, sizeof name, "%s.logits_last", names[k]);
        float *expected = golden_f32(reference, name);
        size_t n = golden_count(golden(reference, name));
        note_difference(expected, q.logits + q.n_ids * q.vocab - n, n, &worst);
        snprintf(name, sizeof name, "%s.logsumexp_all", names[k]);
        float *log_sums = golden_f32(reference, name);
        snprintf(name, sizeof name, "%s.argmax_all", names[k]);
        int32_t *argmax = golden_i32(reference, name, NULL);
        for (size_t i = 0; i < q.n_ids; i++) {
            const float *row = q.logits + i * q.vocab;
            float log_sum = (float)sv_log_sum_exp(row, q.vocab);
            note_difference(&log_sum, log_sums + i, 1, &log_sum_worst);
            size_t best = 0;
            for (size_t id = 1; id < q.vocab; id++) best = row[id] > row[best] ? id : best;
            assert_int_equal(best, argmax[i]);
        }
        snprintf(name, sizeof name, "%s.gen_ids", names[k]);
        size_t n_generated;
        int32_t *generated = golden_i32(reference, name, &n_generated);
        sv_generate_options options = {.max_tokens = n_generated, .repetition_penalty = 1, .ignore_eos = true};
        ASSERT_OK(sv_session_generate(session, q.logits + (q.n_ids - 1) * q.vocab, q.ids, q.n_ids, &options, &g, &err),
                  err);
        assert_int_equal(g.n_ids, n_generated);
        assert_memory_equal(g.ids, generated, n_generated * sizeof *generated);
        print_message("W4A16 by %-6s %-6s: logits differ by at most %.1e, log-sums by %.1e, %zu tokens equal\n", isa,
                      names[k], worst, log_sum_worst, n_generated);
        assert_true(worst <= 3e-4 && log_sum_worst <= 1e-4);
        free(expected), free(log_sums), free(argmax), free(generated);
        sv_generation_free(&g);
        free_question(&q);
        sv_session_free(session);
        sv_workspace_free(workspace);
        sv_tensor_file_close(ids_file);
    }
    sv_tensor_file_close(reference);
    sv_model_free(model);
    assert_true(sv_isa_use(NULL));
}

int main(void) {
    static char ref[] = "ref", avx2[] = "avx2", avx512[] = "avx512";
    const struct CMUnitTest tests[] = {cmocka_unit_test(rounding_stays_within_the_references_own_noise),
                                       cmocka_unit_test(four_bit_weights_are_exact),
                                       cmocka_unit_test(packed_by_hand_is_exact),
                                       cmocka_unit_test_prestate(four_bit_answers_equal, ref),
                                       cmocka_unit_test_prestate(four_bit_answers_equal, avx2),
                                       cmocka_unit_test_prestate(four_bit_answers_equal, avx512)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
