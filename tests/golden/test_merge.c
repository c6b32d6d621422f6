/* test_merge.c - a merged folder: PEFT's weights, its loss, and the same answers as base and adapter side by side. */
#include "support/folder.h"
#include "support/tensors.h"

#include "base/file.h"
#include "base/json.h"
#include "model/merge_adapter.h"
#include "model/network.h"
#include "model/session.h"
#include "tensor/pointwise.h"

#define TRAINING "golden/training"
#define TINY "golden/qwen25vl-tiny"
#define PACKED "golden/quant/model-c-w4a16"
#define MAX_PICTURES 3
#define N_SUPERVISED 34

static sv_merge_counts merge(const char *base, const char *adapter, const char *name, sv_dtype dtype, bool all,
                             size_t shard) {
    sv_error err;
    sv_merge_counts counts;
    const sv_merge_options options = {.base = base,
                                      .adapter = adapter,
                                      .folder = in_folder(name),
                                      .dtype = dtype,
                                      .convert_all = all,
                                      .max_shard_bytes = shard,
                                      .force = true,
                                      .n_threads = 3};
    ASSERT_OK(sv_merge_adapter(&options, &counts, &err), err);
    return counts;
}

static sv_tensor_file *open_folder(const char *path) {
    sv_error err;
    sv_tensor_file *file;
    ASSERT_OK(sv_tensor_folder_open(path, &file, &err), err);
    return file;
}

static void weights_are_those_of_peft(void **state) {
    (void)state;
    SKIP_WITHOUT(shared_path(TRAINING "/index.json"));
    static const struct {
        const char *run, *expected;
        size_t n_adapted, shard, n_shards;
    } cases[] = {{"lora-phase1", "merged_changed_visual", 44, 0, 1},
                 {"lora-phase2", "merged_changed", 37, 200000, 6},
                 {"lora-phase1", "merged_changed_visual", 44, 1, 93}};
    for (size_t c = 0; c < SV_COUNT(cases); c++) {
        char adapter[128], expected[128];
        snprintf(adapter, sizeof adapter, TRAINING "/%s/adapter", cases[c].run);
        snprintf(expected, sizeof expected, TRAINING "/%s/%s.safetensors", cases[c].run, cases[c].expected);
        sv_merge_counts n =
            merge(shared_path(TINY "/model-b"), shared_path(adapter), "m", SV_F32, true, cases[c].shard);
        assert_int_equal(n.n_adapted, cases[c].n_adapted);
        sv_error err;
        sv_tensor_file *ours = open_folder(in_folder("m")), *base = open_folder(shared_path(TINY "/model-b")), *peft;
        ASSERT_OK(sv_tensor_file_open(shared_path(expected), &peft, &err), err);
        assert_int_equal(sv_tensor_n_shards(ours), cases[c].n_shards);
        assert_int_equal(sv_tensor_count(ours), sv_tensor_count(base));
        double worst = 0;
        size_t n_changed = 0;
        for (size_t i = 0; i < sv_tensor_count(base); i++) {
            const sv_tensor *b = sv_tensor_at(base, i), *t = golden(ours, b->name);
            assert_int_equal(t->n_dims, b->n_dims);
            assert_memory_equal(t->shape, b->shape, sizeof t->shape);
            n_changed += memcmp(t->data, b->data, b->n_bytes) != 0;
            if (!sv_tensor_find(peft, b->name)) continue;
            float *a = golden_f32(ours, b->name), *e = golden_f32(peft, b->name);
            note_difference(a, e, golden_count(t), &worst);
            free(a), free(e);
        }
        print_message("%-12s %zu tensors of PEFT, largest difference %.1e\n", cases[c].run, sv_tensor_count(peft),
                      worst);
        assert_true(worst <= 1e-6);
        assert_int_equal(n_changed, cases[c].n_adapted); /* the others are the base's, bit by bit */
        sv_tensor_file_close(ours), sv_tensor_file_close(base), sv_tensor_file_close(peft);
    }
}

/* Logits of a sample of the training batch; *n_ids of them, [V] each. */
static float *ask(const sv_model *model, const json_t *sample, const int32_t *ids, size_t n_ids) {
    sv_error err;
    char name[256];
    sv_embedding pictures[MAX_PICTURES] = {{0}};
    const sv_embedding *list[MAX_PICTURES];
    const json_t *names = json_object_get(sample, "pictures");
    size_t n = json_array_size(names);
    for (size_t i = 0; i < n; i++) {
        sv_image image;
        snprintf(name, sizeof name, TINY "/pictures/%s", json_string_value(json_array_get(names, i)));
        ASSERT_OK(sv_png_load(shared_path(name), &image, &err), err);
        ASSERT_OK(sv_model_embed_image(model, &image, NULL, &pictures[i], &err), err);
        list[i] = &pictures[i];
        sv_image_free(&image);
    }
    float *logits = sv_alloc_aligned(n_ids * (size_t)sv_model_get_config(model)->text.vocab, sizeof *logits);
    sv_workspace *workspace;
    sv_session *session;
    ASSERT_OK(sv_workspace_new(model, 100, NULL, &workspace, &err), err);
    ASSERT_OK(sv_session_new(workspace, NULL, n_ids, &session, &err), err);
    ASSERT_OK(sv_session_append_all(session, &(sv_prompt){ids, n_ids, list, n}, logits, &err), err);
    sv_session_free(session);
    sv_workspace_free(workspace);
    for (size_t i = 0; i < n; i++) sv_embedding_free(&pictures[i]);
    return logits;
}

static void loss_is_that_of_peft(void **state) {
    (void)state;
    SKIP_WITHOUT(shared_path(TRAINING "/index.json"));
    static const char *const runs[] = {"lora-phase1", "lora-phase2", "lora-textonly"};
    sv_error err;
    json_t *index;
    sv_tensor_file *batch;
    ASSERT_OK(sv_json_load(shared_path(TRAINING "/index.json"), &index, &err), err);
    ASSERT_OK(sv_tensor_file_open(shared_path(TRAINING "/batch.safetensors"), &batch, &err), err);
    for (size_t r = 0; r < SV_COUNT(runs); r++) {
        char adapter[128], name[64];
        snprintf(adapter, sizeof adapter, TRAINING "/%s/adapter", runs[r]);
        merge(shared_path(TINY "/model-b"), shared_path(adapter), "m", SV_F32, true, 0);
        sv_model *model;
        ASSERT_OK(sv_model_load(in_folder("m"), NULL, &model, &err), err);
        size_t vocab = (size_t)sv_model_get_config(model)->text.vocab;
        double sum = 0, expected = sv_json_real(json_object_get(index, runs[r]), "merged_loss", 0);
        for (size_t i = 0; i < 2; i++) {
            size_t n_ids;
            snprintf(name, sizeof name, "input_ids_%zu", i);
            int32_t *ids = golden_i32(batch, name, &n_ids);
            snprintf(name, sizeof name, "labels_%zu", i);
            int32_t *labels = golden_i32(batch, name, NULL);
            float *logits = ask(model, json_array_get(json_object_get(index, "samples"), i), ids, n_ids);
            for (size_t t = 1; t < n_ids; t++) {
                const float *row = logits + (t - 1) * vocab;
                if (labels[t] >= 0) sum += sv_log_sum_exp(row, vocab) - (double)row[labels[t]];
            }
            free(ids), free(labels), free(logits);
        }
        print_message("%-13s loss %.6f, PEFT merged %.6f\n", runs[r], sum / N_SUPERVISED, expected);
        assert_true(fabs(sum / N_SUPERVISED - expected) <= 1e-5);
        sv_model_free(model);
    }
    sv_tensor_file_close(batch);
    json_decref(index);
}

enum { RANK = 3 };

/* An adapter being made: the header of its file and its numbers. */
typedef struct adapter_file {
    json_t *header;
    float *data;
    size_t n;
    uint32_t seed;
} adapter_file;

static void add_half(adapter_file *f, const char *module, char half, json_t *shape, size_t n, float size) {
    char key[320];
    snprintf(key, sizeof key, "base_model.model.%s.lora_%c.weight", module, half);
    json_object_set_new(f->header, key,
                        json_pack("{s:s,s:o,s:[I,I]}", "dtype", "F32", "shape", shape, "data_offsets",
                                  (json_int_t)(4 * f->n), (json_int_t)(4 * (f->n + n))));
    f->data = realloc(f->data, (f->n + n) * sizeof *f->data);
    assert_non_null(f->data);
    for (size_t i = 0; i < n; i++) {
        f->seed = f->seed * 1664525U + 1013904223U;
        f->data[f->n++] = ((float)(f->seed >> 8) / 8388608.0F - 1) * size;
    }
}

/* Both halves for the weight t, plain or packed; a convolution keeps its dimensions. */
static void add_pair(adapter_file *f, const char *module, const sv_tensor *t, bool packed) {
    int64_t n_in = packed ? 8 * t->shape[0] : 1, n_out = packed ? t->shape[1] : t->shape[0];
    json_t *a = json_pack("[i]", RANK), *b = json_pack("[I,i]", (json_int_t)n_out, RANK);
    if (packed) json_array_append_new(a, json_integer(n_in));
    for (int k = 1; !packed && k < t->n_dims; k++) {
        n_in *= t->shape[k];
        json_array_append_new(a, json_integer(t->shape[k]));
        if (k > 1) json_array_append_new(b, json_integer(1));
    }
    add_half(f, module, 'A', a, (size_t)(RANK * n_in), 1 / sqrtf((float)n_in));
    add_half(f, module, 'B', b, (size_t)(RANK * n_out), 0.1F);
}

/* The module in the naming that is asked for. */
static void rename_module(const char *module, bool newer, char out[256]) {
    static const char *const prefixes[][2] = {{"model.", "model.language_model."}, {"visual.", "model.visual."}};
    int kind = strstr(module, "visual.") != NULL;
    size_t n = strlen(prefixes[kind][1]);
    if (strncmp(module, prefixes[kind][1], n) != 0) n = strlen(prefixes[kind][0]);
    snprintf(out, 256, "%s%s", prefixes[kind][newer], module + n);
}

static void write_adapter(const adapter_file *f, const char *name) {
    static const char config[] = "{\"peft_type\": \"LORA\", \"r\": 3, \"lora_alpha\": 6}";
    sv_error err;
    char *text = json_dumps(f->header, JSON_COMPACT), path[384];
    uint64_t len = strlen(text);
    ASSERT_OK(sv_make_dirs(in_folder(name), &err), err);
    snprintf(path, sizeof path, "%s/adapter_model.safetensors", in_folder(name));
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    assert_true(fwrite(&len, 8, 1, out) == 1 && fwrite(text, len, 1, out) == 1);
    assert_int_equal(fwrite(f->data, 4, f->n, out), f->n);
    assert_int_equal(fclose(out), 0);
    snprintf(path, sizeof path, "%s/adapter_config.json", in_folder(name));
    ASSERT_OK(sv_file_write(path, config, sizeof config - 1, &err), err);
    free(text);
}

/* An adapter for every matrix of the base that the leaf names of phase 1 reach, in one of the two namings. */
static void make_adapter(const char *base, bool newer, const char *name) {
    static const char leaves[] = " q_proj k_proj v_proj o_proj gate_proj up_proj down_proj qkv proj ";
    sv_tensor_file *file = open_folder(base);
    adapter_file f = {.header = json_object(), .seed = 7};
    for (size_t i = 0; i < sv_tensor_count(file); i++) {
        const sv_tensor *t = sv_tensor_at(file, i);
        char module[256], renamed[256], leaf[64];
        snprintf(module, sizeof module, "%s", t->name);
        char *dot = strrchr(module, '.');
        bool packed = strcmp(dot, ".qweight") == 0;
        if (!packed && strcmp(dot, ".weight") != 0) continue;
        *dot = 0;
        const char *last = strrchr(module, '.');
        snprintf(leaf, sizeof leaf, " %.60s ", last ? last + 1 : module);
        if (!strstr(leaves, leaf)) continue;
        rename_module(module, newer, renamed);
        add_pair(&f, renamed, t, packed);
    }
    write_adapter(&f, name);
    free(f.data);
    json_decref(f.header);
    sv_tensor_file_close(file);
}

/* How often the merge told of its progress, what it said last, and the call at which it is told to stop. */
typedef struct watch {
    int n_calls, stop_at;
    uint64_t n_done, n_bytes;
} watch;

static bool on_progress(void *context, uint64_t n_done, uint64_t n_bytes) {
    watch *w = context;
    w->n_done = n_done;
    w->n_bytes = n_bytes;
    return ++w->n_calls != w->stop_at;
}

static void cancelled_merges_leave_nothing(void **state) {
    (void)state;
    SKIP_WITHOUT(shared_path(TRAINING "/index.json"));
    for (int stop_at = 0; stop_at < 93; stop_at += 31) {
        sv_error err = {0};
        watch w = {.stop_at = stop_at};
        const sv_merge_options options = {.base = shared_path(TINY "/model-b"),
                                          .adapter = shared_path(TRAINING "/lora-phase1/adapter"),
                                          .folder = in_folder("cancelled"),
                                          .dtype = SV_BF16,
                                          .max_shard_bytes = 100000,
                                          .n_threads = 1,
                                          .progress = on_progress,
                                          .context = &w};
        sv_status s = sv_merge_adapter(&options, NULL, &err);
        assert_int_equal(s, stop_at ? SV_ERR_CANCELLED : SV_OK);
        assert_int_equal(w.n_calls, stop_at ? stop_at : 93);
        assert_int_equal(w.n_done == w.n_bytes, !stop_at);
        assert_int_equal(sv_file_exists(in_folder("cancelled")), !stop_at);
        char command[384];
        snprintf(command, sizeof command, "rm -rf %s; ! ls -d %s.* 2>/dev/null", in_folder("cancelled"),
                 in_folder("cancelled"));
        assert_int_equal(system(command), 0);
    }
}

/* Largest difference of the logits of a fixed text, and the largest logit. */
static double logits_differ(const sv_model_options *with, const char *base, const char *merged, double *largest) {
    sv_error err;
    float *logits[2];
    size_t n = 0;
    const json_t *none = NULL;
    int32_t ids[60];
    for (int i = 0; i < 60; i++) ids[i] = (i * 37 + 11) % 480;
    for (int k = 0; k < 2; k++) {
        sv_model *model;
        ASSERT_OK(sv_model_load(k ? merged : base, k ? NULL : with, &model, &err), err);
        logits[k] = ask(model, none, ids, SV_COUNT(ids));
        n = SV_COUNT(ids) * (size_t)sv_model_get_config(model)->text.vocab;
        sv_model_free(model);
    }
    double worst = 0;
    *largest = 0;
    note_difference(logits[0], logits[1], n, &worst);
    for (size_t i = 0; i < n; i++) *largest = SV_MAX(*largest, fabs((double)logits[0][i]));
    free(logits[0]), free(logits[1]);
    return worst;
}

static void check_config(const char *name, const char *dtype) {
    sv_error err;
    json_t *config;
    char path[320];
    snprintf(path, sizeof path, "%s/config.json", in_folder(name));
    ASSERT_OK(sv_json_load(path, &config, &err), err);
    const json_t *const places[] = {config, json_object_get(config, "text_config"),
                                    json_object_get(config, "vision_config")};
    int n = 0;
    for (size_t i = 0; i < SV_COUNT(places) * 2; i++) {
        const char *found = sv_json_text(places[i / 2], i % 2 ? "dtype" : "torch_dtype", NULL);
        if (!found) continue;
        n += i < 2;
        assert_string_equal(found, dtype);
    }
    assert_int_equal(n, 1);
    assert_null(json_object_get(config, "quantization_config"));
    json_decref(config);
    snprintf(path, sizeof path, "%s/quantization_config.json", in_folder(name));
    assert_false(sv_file_exists(path));
}

static void merged_answers_as_base_and_adapter(void **state) {
    (void)state;
    SKIP_WITHOUT(shared_path(PACKED "/config.json"));
    static const struct {
        const char *base;
        bool tied;
    } bases[] = {{TINY "/model-a", true}, {TINY "/model-b", false}, {TINY "/model-c", true}, {PACKED, true}};
    static const struct {
        sv_dtype dtype;
        bool all;
        const char *name;
        double tolerance; /* of the largest logit: 2^-9 a weight in BF16, 2^-12 in F16, many of them */
    } types[] = {{SV_F32, true, "float32", 1e-4}, {SV_F16, true, "float16", 0.02}, {SV_BF16, false, "bfloat16", 0.1}};
    for (size_t c = 0; c < SV_COUNT(bases) * SV_COUNT(types) * 2; c++) {
        size_t b = c % SV_COUNT(bases), t = c / SV_COUNT(bases) % SV_COUNT(types);
        bool newer = c / SV_COUNT(bases) / SV_COUNT(types);
        const char *base = shared_path(bases[b].base);
        make_adapter(base, newer, "adapter");
        sv_merge_counts n = merge(base, in_folder("adapter"), "m", types[t].dtype, types[t].all, 0);
        assert_int_equal(n.n_unpacked, b == 3 ? 14 : 0);
        const sv_model_options with = {.adapter = in_folder("adapter")};
        double largest, worst = logits_differ(&with, base, in_folder("m"), &largest);
        double without = logits_differ(&(sv_model_options){0}, base, in_folder("m"), &largest);
        print_message("%-32s %s names, %-8s logits differ by %.1e of %.1f (the base alone: %.1e)\n", bases[b].base,
                      newer ? "newer" : "older", types[t].name, worst, largest, without);
        assert_true(worst <= types[t].tolerance * largest);
        assert_true(without > 0.1 * largest && without > 2 * worst);
        check_config("m", types[t].name);
        sv_tensor_file *file = open_folder(in_folder("m"));
        assert_int_equal(sv_tensor_find(file, "lm_head.weight") == NULL, bases[b].tied);
        sv_tensor_file_close(file);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_are_those_of_peft), cmocka_unit_test(loss_is_that_of_peft),
        cmocka_unit_test(merged_answers_as_base_and_adapter), cmocka_unit_test(cancelled_merges_leave_nothing)};
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
