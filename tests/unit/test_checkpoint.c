/* test_checkpoint.c - the state of a run comes back bit by bit; what is damaged, of another run, or cannot be written
 * is said, and leaves the state and the older checkpoints as they were. */
#include "support/tiny_model.h"
#include "support/tensors.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "base/file.h"
#include "model/random_model.h"
#include "train/checkpoint.h"
#include "train/pass.h"
#include "train/save.h"

enum { N_IDS = 12 };

static const char *const targets[] = {"q_proj", "proj", "down_proj"};
static const sv_trainee_options lora = {
    .targets = targets, .n_targets = SV_COUNT(targets), .rank = 3, .alpha = 6, .dropout = 0.1, .seed = 4};
static const sv_trainee_options full = {.full = true, .freeze = "visual\\..*"};

typedef struct state {
    sv_trainee *t;
    sv_adamw o;
    sv_pass *pass;
} state;

static state begin(const sv_trainee_options *options) {
    state s;
    sv_error err;
    const sv_adamw_options adamw = {.beta1 = 0.9, .beta2 = 0.95, .eps = 1e-8, .weight_decay = 0.1};
    ASSERT_OK(sv_trainee_new(base, options, &s.t, &err), err);
    ASSERT_OK(sv_adamw_new(s.t, &adamw, &s.o, &err), err);
    ASSERT_OK(sv_pass_new(s.t, NULL, NULL, &s.pass, &err), err);
    return s;
}

static void end(state *s) {
    sv_pass_free(s->pass);
    sv_adamw_free(&s->o);
    sv_trainee_free(s->t);
}

static double step(state *s, double rate) {
    int32_t ids[N_IDS];
    float weights[N_IDS];
    sv_error err;
    sv_pass_loss loss;
    for (int i = 0; i < N_IDS; i++) {
        ids[i] = (i * 37 + 11) % 200;
        weights[i] = i > 3;
    }
    const sv_train_sample sample = {.ids = ids, .weights = weights, .n_ids = N_IDS};
    const sv_train_batch batch = {.samples = &sample, .n_samples = 1};
    sv_trainee_clear_gradients(s->t);
    ASSERT_OK(sv_pass_run(s->pass, &batch, &(sv_pass_scales){.answers = 0.1}, (uint64_t)s->o.n_updates, &loss, &err),
              err);
    sv_adamw_update(&s->o, s->t, rate, NULL);
    return loss.sum;
}

static sv_status save(const char *output, const state *s, int64_t keep, sv_error *err) {
    json_t *loop = json_pack("{s:f,s:[I,n]}", "best_kappa", 0.625, "seeds", (json_int_t)INT64_MAX);
    sv_status status = sv_checkpoint_save(output, s->t, &s->o, loop, keep, err);
    json_decref(loop);
    return status;
}

static sv_error passed_over; /* by the last load */

static sv_status load(const char *output, state *s, sv_error *err) {
    json_t *loop = NULL;
    sv_status status = sv_checkpoint_load(output, s->t, &s->o, &loop, &passed_over, err);
    if (!status) {
        json_t *expected = json_pack("{s:f,s:[I,n]}", "best_kappa", 0.625, "seeds", (json_int_t)INT64_MAX);
        assert_true(json_equal(loop, expected));
        json_decref(expected);
    } else {
        assert_null(loop);
    }
    json_decref(loop);
    return status;
}

static bool is_same(const state *a, const state *b) {
    bool same = a->o.n_updates == b->o.n_updates && a->t->n_values == b->t->n_values;
    size_t n = a->t->n_values * sizeof(float);
    for (size_t i = 0; same && i < a->t->n_parameters; i++) {
        const sv_parameter *p = &a->t->parameters[i];
        same = memcmp(p->value, b->t->parameters[i].value, p->n * sizeof(float)) == 0;
    }
    return same && memcmp(a->o.m, b->o.m, n) == 0 && memcmp(a->o.v, b->o.v, n) == 0;
}

static void goes_on_with_the_same_bits(const sv_trainee_options *options, const char *output) {
    state whole = begin(options), resumed = begin(options);
    sv_error err;
    for (int i = 0; i < 3; i++) step(&whole, 1e-3);
    ASSERT_OK(save(output, &whole, 0, &err), err);
    assert_false(is_same(&whole, &resumed));
    ASSERT_OK(load(output, &resumed, &err), err);
    assert_true(is_same(&whole, &resumed));
    for (int i = 0; i < 3; i++) {
        double a = step(&whole, 1e-3), b = step(&resumed, 1e-3);
        assert_true(a == b);
    }
    assert_true(is_same(&whole, &resumed));
    end(&whole);
    end(&resumed);
}

static void state_comes_back(void **unused) {
    (void)unused;
    goes_on_with_the_same_bits(&lora, in_folder("lora"));
    goes_on_with_the_same_bits(&full, in_folder("full"));
    assert_true(sv_file_exists(in_folder("lora/checkpoint-3/adapter_config.json")));
}

static void no_checkpoint_is_a_beginning(void **unused) {
    (void)unused;
    state a = begin(&lora), b = begin(&lora);
    json_t *loop;
    sv_error err;
    ASSERT_OK(sv_checkpoint_load(in_folder("nowhere"), a.t, &a.o, &loop, &passed_over, &err), err);
    assert_null(loop);
    assert_int_equal(passed_over.status, SV_OK);
    assert_true(is_same(&a, &b));
    end(&a);
    end(&b);
}

static void the_newest_stay(void **unused) {
    (void)unused;
    state a = begin(&lora), b = begin(&lora);
    char output[320];
    sv_error err;
    snprintf(output, sizeof output, "%s", in_folder("many"));
    ASSERT_OK(sv_make_dirs(in_folder("many/checkpoint-3.123.part"), &err), err);
    ASSERT_OK(sv_make_dirs(in_folder("many/checkpoint-notes"), &err), err);
    ASSERT_OK(sv_file_write(in_folder("many/checkpoint-3.123.part/state.json"), "{", 1, &err), err);
    for (int i = 0; i < 11; i++) {
        step(&a, 1e-3);
        ASSERT_OK(save(output, &a, 2, &err), err);
    }
    assert_true(sv_file_exists(in_folder("many/checkpoint-11")) && sv_file_exists(in_folder("many/checkpoint-10")));
    assert_false(sv_file_exists(in_folder("many/checkpoint-9")));
    assert_false(sv_file_exists(in_folder("many/checkpoint-3.123.part")));
    assert_true(sv_file_exists(in_folder("many/checkpoint-notes")));
    ASSERT_OK(load(output, &b, &err), err);
    assert_int_equal(b.o.n_updates, 11);
    end(&a);
    end(&b);
}

/* What cannot be loaded says so and changes nothing. */
static void expect_refused(const char *output, const sv_trainee_options *options, const char *words) {
    state a = begin(options), untouched = begin(options);
    sv_error err;
    assert_int_equal(load(output, &a, &err), SV_ERR_INPUT);
    if (!strstr(err.message, words)) fail_msg("expected '%s' in: %s", words, err.message);
    assert_non_null(strstr(err.message, "remove"));
    assert_true(is_same(&a, &untouched));
    end(&a);
    end(&untouched);
}

static void another_run_is_refused(void **unused) {
    (void)unused;
    sv_trainee_options other = lora;
    state a = begin(&lora);
    const char *output = in_folder("other");
    sv_error err;
    ASSERT_OK(save(output, &a, 0, &err), err);
    expect_refused(output, &full, "tensors");
    other.rank = 4;
    expect_refused(output, &other, "shape");
    other.rank = 3;
    other.targets = (const char *const[]){"k_proj", "proj", "down_proj"};
    expect_refused(output, &other, "missing");
    end(&a);
}

static void damaged_files_are_refused(void **unused) {
    (void)unused;
    state a = begin(&lora);
    const char *output = in_folder("damaged");
    char tensors[320], json[320], *bytes;
    size_t len;
    sv_error err;
    step(&a, 1e-3);
    ASSERT_OK(save(output, &a, 0, &err), err);
    snprintf(tensors, sizeof tensors, "%s/checkpoint-1/state.safetensors", output);
    snprintf(json, sizeof json, "%s/checkpoint-1/state.json", output);
    ASSERT_OK(sv_file_read(tensors, SIZE_MAX, &bytes, &len, &err), err);
    for (size_t i = 0; i < 8; i++) {
        ASSERT_OK(sv_file_write(tensors, bytes, len * i / 8 + (i == 7 ? len / 8 - 1 : 0), &err), err);
        expect_refused(output, &lora, "checkpoint-1");
    }
    ASSERT_OK(sv_file_write(tensors, bytes, len, &err), err);
    static const char *const texts[] = {"",
                                        "{\"updates\": 1",
                                        "[]",
                                        "{\"updates\": 1}",
                                        "{\"updates\": -1, \"loop\": {}}",
                                        "{\"updates\": 1, \"loop\": 2}"};
    for (size_t i = 0; i < SV_COUNT(texts); i++) {
        ASSERT_OK(sv_file_write(json, texts[i], strlen(texts[i]), &err), err);
        expect_refused(output, &lora, "state.json");
    }
    assert_int_equal(unlink(json), 0);
    expect_refused(output, &lora, "state.json");
    free(bytes);
    end(&a);
}

/* `state` is the expected one; a copy of the folder's checkpoint-2 is damaged by flipping a bit of the byte at `at`. */
static void expect_passed_over(const char *output, const char *file, const char *bytes, size_t len, size_t at,
                               const state *expected) {
    state b = begin(&lora);
    char *turned = malloc(len);
    sv_error err;
    memcpy(turned, bytes, len);
    turned[at] ^= 1;
    ASSERT_OK(sv_file_write(file, turned, len, &err), err);
    ASSERT_OK(load(output, &b, &err), err);
    if (passed_over.status != SV_ERR_INPUT) fail_msg("byte %zu of %s was not noticed", at, file);
    assert_non_null(strstr(passed_over.message, "going on from checkpoint-1"));
    assert_non_null(strstr(passed_over.message, "checkpoint-2"));
    assert_true(is_same(&b, expected));
    ASSERT_OK(sv_file_write(file, bytes, len, &err), err);
    free(turned);
    end(&b);
}

/* One turned bit: of a number, of a moment, of the names before them, of anything that counts in state.json; and a file
 * that is cut short. The checkpoint before is taken. */
static void the_one_before_is_taken(void **unused) {
    (void)unused;
    state a = begin(&lora), b = begin(&lora);
    const char *output = in_folder("turned");
    const char *const names[] = {in_folder("turned/checkpoint-2/state.safetensors"),
                                 in_folder("turned/checkpoint-2/state.json")};
    sv_error err;
    step(&a, 1e-3);
    ASSERT_OK(save(output, &a, 0, &err), err);
    ASSERT_OK(load(output, &b, &err), err);
    step(&a, 1e-3);
    ASSERT_OK(save(output, &a, 0, &err), err);
    for (int k = 0; k < 2; k++) {
        char *bytes;
        size_t len;
        ASSERT_OK(sv_file_read(names[k], SIZE_MAX, &bytes, &len, &err), err);
        for (size_t i = 0; i < (k ? len : 24); i++) {
            size_t at = k ? i : (i * len + len / 2) / 24;
            if (bytes[at] == ' ' || bytes[at] == '\n') continue; /* between members: another white space, or no JSON */
            expect_passed_over(output, names[k], bytes, len, at, &b);
        }
        free(bytes);
    }
    ASSERT_OK(load(output, &b, &err), err);
    assert_int_equal(passed_over.status, SV_OK);
    assert_true(is_same(&a, &b));
    end(&a);
    end(&b);
}

/* A damaged one that is newer is not counted among those to keep: the only whole one would go for it. */
static void a_damaged_one_keeps_no_place(void **unused) {
    (void)unused;
    state a = begin(&lora), b = begin(&lora);
    const char *output = in_folder("place");
    sv_error err;
    for (int i = 0; i < 3; i++) {
        step(&a, 1e-3);
        ASSERT_OK(save(output, &a, 0, &err), err);
    }
    ASSERT_OK(sv_file_write(in_folder("place/checkpoint-3/state.safetensors"), "x", 1, &err), err);
    ASSERT_OK(load(output, &b, &err), err);
    assert_int_equal(b.o.n_updates, 2);
    ASSERT_OK(save(output, &b, 1, &err), err);
    assert_false(sv_file_exists(in_folder("place/checkpoint-1")));
    ASSERT_OK(load(output, &a, &err), err);
    assert_int_equal(passed_over.status, SV_ERR_INPUT);
    assert_true(is_same(&a, &b));
    ASSERT_OK(sv_file_write(in_folder("place/checkpoint-2/state.json"), "{}", 2, &err), err);
    expect_refused(output, &lora, "checkpoint-3");
    end(&a);
    end(&b);
}

static void without_checksum_it_is_refused(void **unused) {
    (void)unused;
    state a = begin(&lora), b = begin(&lora);
    const char *output = in_folder("unsigned"), *path = in_folder("unsigned/checkpoint-1/state.json");
    json_t *json;
    sv_error err;
    step(&a, 1e-3);
    ASSERT_OK(save(output, &a, 0, &err), err);
    ASSERT_OK(sv_json_load(path, &json, &err), err);
    assert_int_equal(json_object_del(json, "sha256"), 0);
    ASSERT_OK(sv_json_save(path, json, &err), err);
    assert_int_equal(load(output, &b, &err), SV_ERR_INPUT);
    assert_non_null(strstr(err.message, "checksum"));
    json_decref(json);
    end(&a);
    end(&b);
}

/* A disk that is full after n bytes of a file. */
static void limit_files(rlim_t n) {
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = n;
    setrlimit(RLIMIT_FSIZE, &limit);
}

static void a_full_disk_leaves_the_old_one(void **unused) {
    (void)unused;
    state a = begin(&lora), b = begin(&lora), at_first = begin(&lora);
    const char *output = in_folder("small");
    sv_error err;
    ASSERT_OK(save(output, &a, 1, &err), err);
    step(&a, 1e-3);
    signal(SIGXFSZ, SIG_IGN);
    for (rlim_t n = 0; n < 20000; n = 3 * n + 10) {
        limit_files(n);
        sv_status s = save(output, &a, 1, &err);
        limit_files(RLIM_INFINITY);
        assert_int_equal(s, SV_ERR_OUTPUT);
    }
    assert_false(sv_file_exists(in_folder("small/checkpoint-1")));
    ASSERT_OK(load(output, &b, &err), err);
    assert_true(is_same(&b, &at_first));
    ASSERT_OK(sv_file_write(in_folder("plain"), "x", 1, &err), err);
    assert_int_equal(save(in_folder("plain"), &a, 1, &err), SV_ERR_OUTPUT);
    assert_int_equal(sv_save_trained(a.t, in_folder("plain/final"), NULL, &err), SV_ERR_OUTPUT);
    end(&a);
    end(&b);
    end(&at_first);
}

static void killed_at_any_moment(void **unused) {
    (void)unused;
    state a = begin(&lora);
    const char *output = in_folder("killed");
    sv_error err;
    ASSERT_OK(save(output, &a, 1, &err), err);
    for (long wait_us = 500; wait_us < 150000 || a.o.n_updates == 0; wait_us += wait_us / 2) {
        pid_t child = fork();
        if (child == 0) {
            while (a.o.n_updates < 100000) {
                a.o.n_updates++;
                if (save(output, &a, 1, &err)) _exit(1);
            }
            _exit(0);
        }
        int status;
        nanosleep(&(struct timespec){wait_us / 1000000, wait_us % 1000000 * 1000}, NULL);
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        int64_t before = a.o.n_updates;
        ASSERT_OK(load(output, &a, &err), err);
        assert_true(a.o.n_updates >= before);
    }
    assert_true(a.o.n_updates > 0);
    end(&a);
}

/* Ranks and scales that differ by module are kept when such an adapter is trained on. */
static void settings_by_module_stay(void **unused) {
    (void)unused;
    state a = begin(&lora);
    sv_error err;
    const char *config = in_folder("patterns/adapter_config.json");
    json_t *settings;
    ASSERT_OK(sv_save_trained(a.t, in_folder("patterns"), NULL, &err), err);
    ASSERT_OK(sv_json_load(config, &settings, &err), err);
    assert_int_equal(sv_json_int(settings, "lora_alpha", 0), 6);
    assert_true(json_is_integer(json_object_get(settings, "lora_alpha")));
    json_object_set_new(settings, "alpha_pattern", json_pack("{s:i}", "q_proj", 24));
    ASSERT_OK(sv_json_save(config, settings, &err), err);
    const sv_trainee_options on = {.adapter_folder = in_folder("patterns"), .dropout = 0.25};
    state b = begin(&on);
    ASSERT_OK(sv_save_trained(b.t, in_folder("again"), NULL, &err), err);
    sv_adapter *x, *y;
    ASSERT_OK(sv_adapter_open(in_folder("patterns"), &x, &err), err);
    ASSERT_OK(sv_adapter_open(in_folder("again"), &y, &err), err);
    size_t n_larger = 0;
    assert_int_equal(sv_adapter_count(x), sv_adapter_count(y));
    for (size_t i = 0; i < sv_adapter_count(x); i++) {
        assert_string_equal(sv_adapter_at(x, i)->module, sv_adapter_at(y, i)->module);
        assert_true(sv_adapter_at(x, i)->scale == sv_adapter_at(y, i)->scale);
        n_larger += sv_adapter_at(y, i)->scale == 8;
    }
    assert_true(n_larger > 0 && n_larger < sv_adapter_count(y));
    sv_adapter_close(x);
    sv_adapter_close(y);
    json_decref(settings);
    end(&a);
    end(&b);
}

/* Tied: the head is not written; another precision only rounds. */
static void a_model_is_read_back(void **unused) {
    (void)unused;
    state a = begin(&full);
    sv_error err;
    step(&a, 1e-3);
    ASSERT_OK(sv_save_trained(a.t, in_folder("model"), NULL, &err), err);
    ASSERT_OK(sv_save_trained(a.t, in_folder("model"), NULL, &err), err);
    assert_true(base->config.text.tied_embeddings);
    sv_tensor_file *file, *half;
    ASSERT_OK(sv_tensor_folder_open(in_folder("model"), &file, &err), err);
    assert_int_equal(sv_tensor_count(file), sv_tensor_count(base->file));
    assert_null(sv_tensor_find(file, "lm_head.weight"));
    for (size_t i = 0; i < a.t->n_parameters; i++) {
        const sv_parameter *p = &a.t->parameters[i];
        assert_memory_equal(golden(file, p->name)->data, p->value, p->n * sizeof *p->value);
    }
    ASSERT_OK(sv_make_dirs(in_folder("half"), &err), err);
    ASSERT_OK(sv_save_model_files(a.t, in_folder("half"), SV_BF16, &err), err);
    ASSERT_OK(sv_tensor_folder_open(in_folder("half"), &half, &err), err);
    for (size_t i = 0; i < sv_tensor_count(file); i++) {
        const sv_tensor *x = sv_tensor_at(file, i), *y = golden(half, x->name);
        float *exact = golden_f32(file, x->name), *rounded = golden_f32(half, x->name);
        assert_int_equal(y->dtype, SV_BF16);
        for (size_t k = 0; k < golden_count(x); k++)
            assert_true(fabsf(exact[k] - rounded[k]) <= ldexpf(fabsf(exact[k]), -8));
        free(exact);
        free(rounded);
    }
    sv_model *loaded;
    ASSERT_OK(sv_model_load(in_folder("half"), NULL, &loaded, &err), err);
    sv_model_free(loaded);
    sv_tensor_file_close(file);
    sv_tensor_file_close(half);
    end(&a);
}

/* Even when the layers that are packed would be frozen: the folder would say that nothing is. */
static void a_packed_base_takes_adapters_alone(void **unused) {
    (void)unused;
    const sv_random_model_options options = {.shape = sv_model_shape_find("tiny"), .dtype = SV_I32, .seed = 8};
    const sv_trainee_options some = {.full = true, .freeze = ".*proj.*"};
    sv_model *packed;
    sv_trainee *t;
    sv_error err;
    ASSERT_OK(sv_make_dirs(in_folder("packed"), &err), err);
    ASSERT_OK(sv_random_model_write(in_folder("packed"), &options, &err), err);
    ASSERT_OK(sv_model_load(in_folder("packed"), NULL, &packed, &err), err);
    assert_int_equal(sv_trainee_new(packed, &some, &t, &err), SV_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "four bits"));
    ASSERT_OK(sv_trainee_new(packed, &lora, &t, &err), err);
    ASSERT_OK(sv_save_trained(t, in_folder("on-packed"), NULL, &err), err);
    sv_trainee_free(t);
    sv_model_free(packed);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(state_comes_back),
                                       cmocka_unit_test(no_checkpoint_is_a_beginning),
                                       cmocka_unit_test(the_newest_stay),
                                       cmocka_unit_test(another_run_is_refused),
                                       cmocka_unit_test(damaged_files_are_refused),
                                       cmocka_unit_test(the_one_before_is_taken),
                                       cmocka_unit_test(a_damaged_one_keeps_no_place),
                                       cmocka_unit_test(without_checksum_it_is_refused),
                                       cmocka_unit_test(a_full_disk_leaves_the_old_one),
                                       cmocka_unit_test(killed_at_any_moment),
                                       cmocka_unit_test(settings_by_module_stay),
                                       cmocka_unit_test(a_model_is_read_back),
                                       cmocka_unit_test(a_packed_base_takes_adapters_alone)};
    return cmocka_run_group_tests(tests, make_base, remove_base);
}
