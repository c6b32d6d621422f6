/* test_source.c - training records by number: order, repetition, and the same records from disk and from memory. */
#include "support/test.h"

#include <math.h>

#include "base/file.h"
#include "base/memory.h"
#include "simulate/sim_folder.h"
#include "train/dataset.h"
#include "train/dataset_record.h"
#include "train/source.h"
#include "train/source_order.h"

#define assert_near(a, b, tolerance) assert_true(fabs((a) - (b)) <= (tolerance))

static char folder[64];

static const char *in_folder(const char *name) {
    static char ring[8][160];
    static int next;
    char *path = ring[next++ & 7];
    snprintf(path, sizeof ring[0], "%s/%s", folder, name);
    return path;
}

/* Three short simulated nights on disk. */
static int make_nights(void **state) {
    sv_error err;
    (void)state;
    snprintf(folder, sizeof folder, "source-test-XXXXXX");
    if (!mkdtemp(folder)) return -1;
    for (int k = 0; k < 3; k++) {
        char name[16];
        sv_sim_night night;
        snprintf(name, sizeof name, "night-%d", k);
        sv_sim_job job = {.options = {.seed = 30 + (uint64_t)k, .hours = 0.05 + 0.02 * k, .rate_hz = 100},
                          .folder = in_folder("nights"),
                          .name = name};
        ASSERT_OK(sv_sim_folder_make(&job, NULL, NULL, &night, &err), err);
        sv_sim_night_free(&night);
    }
    return 0;
}

static int remove_nights(void **state) {
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

/* ---- order */

static void order_is_a_permutation(void **state) {
    (void)state;
    enum { NIGHTS = 7, WINDOW = 3 };
    static const int64_t sizes[NIGHTS] = {5, 0, 9, 1, 4, 13, 8};
    int64_t first[NIGHTS + 1] = {0};
    sv_error err;
    for (int k = 0; k < NIGHTS; k++) first[k + 1] = first[k] + sizes[k];
    const int64_t n = first[NIGHTS];
    int differences = 0;
    for (int run = 1; run <= 4; run += 3) {
        sv_source_order *order;
        const sv_order_options options = {.seed = 9, .shuffle = true, .run = run, .window = WINDOW, .repeat = 1};
        int64_t before[64] = {0};
        ASSERT_OK(sv_source_order_new(first, NIGHTS, &options, &order, &err), err);
        for (uint64_t pass = 0; pass < 3; pass++) {
            int seen[64] = {0};
            for (int64_t i = 0; i < n; i++) {
                sv_source_place at;
                const int64_t *nights;
                int n_nights, found = 0;
                ASSERT_OK(sv_source_order_find(order, pass * (uint64_t)n + (uint64_t)i, &at, &nights, &n_nights, &err),
                          err);
                assert_int_equal(at.pass, pass);
                assert_in_range(at.record, 0, sizes[at.night] - 1);
                assert_in_range(n_nights, 1, WINDOW);
                for (int k = 0; k < n_nights; k++) found += nights[k] == at.night;
                assert_int_equal(found, 1);
                int64_t flat = first[at.night] + at.record;
                seen[flat]++;
                differences += before[i] != flat;
                before[i] = flat;
                /* inside a run the next record is the next epoch */
                if (at.record % run != run - 1 && at.record + 1 < sizes[at.night]) {
                    sv_source_place next;
                    ASSERT_OK(sv_source_order_find(order, pass * (uint64_t)n + (uint64_t)i + 1, &next, &nights,
                                                   &n_nights, &err),
                              err);
                    assert_true(next.night == at.night && next.record == at.record + 1);
                }
            }
            for (int64_t i = 0; i < n; i++) assert_int_equal(seen[i], 1);
        }
        sv_source_order_free(order);
    }
    assert_true(differences > 4 * n); /* passes differ: at most 6n */
}

static void order_of_any_place(void **state) {
    (void)state;
    static const int64_t first[] = {0, 10, 25, 31, 40};
    sv_source_order *a, *b;
    sv_error err;
    const sv_order_options options = {.seed = 4, .shuffle = true, .run = 2, .window = 2, .repeat = 3};
    ASSERT_OK(sv_source_order_new(first, 4, &options, &a, &err), err);
    ASSERT_OK(sv_source_order_new(first, 4, &options, &b, &err), err);
    for (uint64_t i = 0; i < 200; i++) {
        sv_source_place x, y;
        const int64_t *nights;
        int n;
        ASSERT_OK(sv_source_order_find(a, i, &x, &nights, &n, &err), err);
        ASSERT_OK(sv_source_order_find(b, 199 - i, &y, &nights, &n, &err), err);
        ASSERT_OK(sv_source_order_find(b, i, &y, &nights, &n, &err), err);
        assert_memory_equal(&x, &y, sizeof x);
    }
    sv_source_order_free(a);
    sv_source_order_free(b);
}

static void windows_are_repeated(void **state) {
    (void)state;
    static const int64_t first[] = {0, 4, 9, 9, 12, 20};
    enum { REPEAT = 3, N = 20 };
    sv_source_order *order;
    sv_error err;
    const sv_order_options options = {.seed = 3, .shuffle = true, .run = 1, .window = 2, .repeat = REPEAT};
    ASSERT_OK(sv_source_order_new(first, 5, &options, &order, &err), err);
    assert_int_equal(sv_source_order_n(order), N * REPEAT);
    int seen[N][2 * REPEAT] = {0}, changes = 0;
    int64_t last_night = -1;
    for (uint64_t i = 0; i < 2 * N * REPEAT; i++) {
        sv_source_place at;
        const int64_t *nights;
        int n;
        ASSERT_OK(sv_source_order_find(order, i, &at, &nights, &n, &err), err);
        assert_in_range(at.pass, i / (N * REPEAT) * REPEAT, i / (N * REPEAT) * REPEAT + REPEAT - 1);
        seen[first[at.night] + at.record][at.pass]++;
        changes += nights[0] != last_night;
        last_night = nights[0];
    }
    for (int k = 0; k < N; k++) {
        for (int p = 0; p < 2 * REPEAT; p++) assert_int_equal(seen[k][p], 1);
    }
    assert_in_range(changes, 4, 6); /* three windows a pass, one of which may be empty: none comes twice */
    sv_source_order_free(order);
}

/* ---- records */

static void assert_same_chat(const sv_chat *a, const sv_chat *b) {
    assert_int_equal(a->n_messages, b->n_messages);
    for (size_t i = 0; i < a->n_messages; i++) {
        const sv_chat_message *x = &a->messages[i], *y = &b->messages[i];
        assert_string_equal(x->role, y->role);
        assert_int_equal(x->n_parts, y->n_parts);
        for (size_t k = 0; k < x->n_parts; k++) {
            assert_int_equal(x->parts[k].is_image, y->parts[k].is_image);
            assert_string_equal(x->parts[k].text, y->parts[k].text);
        }
    }
}

static void assert_same_record(const sv_record *a, const sv_record *b) {
    assert_string_equal(a->id, b->id);
    assert_same_chat(&a->chat, &b->chat);
    assert_int_equal(a->n_images, b->n_images);
    for (int k = 0; k < a->n_images; k++) {
        assert_int_equal(a->images[k].width, 448);
        assert_int_equal(a->images[k].n_channels, b->images[k].n_channels);
        assert_int_equal(b->images[k].width, 448);
        assert_int_equal(b->images[k].height, 224);
        assert_memory_equal(a->images[k].pixels, b->images[k].pixels, 448 * 224 * 3);
    }
    assert_int_equal(a->facts.stage, b->facts.stage);
    assert_int_equal(a->facts.rules, b->facts.rules);
    if (a->facts.rationale && b->facts.rationale) assert_string_equal(a->facts.rationale, b->facts.rationale);
}

static void make_dataset(const char *out, bool sft) {
    const char *path = in_folder("nights");
    sv_dataset_inputs inputs;
    sv_error err;
    json_t *summary;
    ASSERT_OK(sv_dataset_inputs_find(&path, 1, &inputs, &err), err);
    const sv_dataset_job job = {.sft = sft,
                                .inputs = &inputs,
                                .filters = {.night = {.mains = SV_MAINS_50}},
                                .folder = out,
                                .prompts = {sv_dataset_prompt(0), sv_dataset_prompt(1), sv_dataset_prompt(2)},
                                .question = sv_dataset_question,
                                .split = 0}; /* everything for validation: that file is in order */
    ASSERT_OK(sv_dataset_make(&job, &summary, &err), err);
    json_decref(summary);
    sv_dataset_inputs_free(&inputs);
}

static void from_disk_as_from_memory(void **state) {
    (void)state;
    const char *path = in_folder("nights");
    sv_error err;
    for (int sft = 0; sft < 2; sft++) {
        const char *out = in_folder(sft ? "sft" : "wpt");
        const sv_source_options options = {.kind = sft ? SV_RECORD_FINE : SV_RECORD_WPT};
        sv_source *disk, *memory;
        make_dataset(out, sft);
        char file[200];
        snprintf(file, sizeof file, "%s/%s_val.jsonl", out, sft ? "sft" : "wpt");
        ASSERT_OK(sv_source_open_jsonl(file, out, &options, &disk, &err), err);
        sv_source_options together = options; /* all nights stay in memory */
        together.shuffle = true;
        ASSERT_OK(sv_source_open_recordings(&path, 1, &together, &memory, &err), err);
        assert_int_equal(sv_source_n(disk), 6 + 8 + 11 - (sft ? 6 : 0));
        assert_int_equal(sv_source_n(memory), sv_source_n(disk));
        for (int64_t i = 0; i < sv_source_n(disk); i++) {
            sv_record a, b = {0};
            ASSERT_OK(sv_source_get(disk, (uint64_t)i, &a, &err), err);
            for (int64_t k = 0; k < sv_source_n(memory); k++) {
                ASSERT_OK(sv_source_get(memory, (uint64_t)k, &b, &err), err);
                if (strcmp(a.id, b.id) == 0) break;
                sv_record_free(&b);
            }
            if (!sft) b.facts.rules = 0; /* of which the answer says nothing */
            if (!sft) b.facts.stage = a.facts.stage;
            assert_same_record(&a, &b);
            assert_int_equal(a.facts.has_seconds, !sft);
            for (int r = 0; r < SV_N_ROLES && !sft; r++) {
                assert_near(a.facts.seconds[r][29].mav_uv, b.facts.seconds[r][29].mav_uv, 0.0551);
                assert_near(a.facts.seconds[r][7].beta_db, b.facts.seconds[r][7].beta_db,
                            r == SV_ROLE_CHIN ? 1e9 : 0.0551);
            }
            sv_record_free(&a);
            sv_record_free(&b);
        }
        sv_source_close(disk);
        sv_source_close(memory);
    }
}

static const sv_sim_range range = {.first_seed = 50, .n_nights = 5, .hours = 0.1, .rate_hz = 100};

static void simulated_records_repeat(void **state) {
    (void)state;
    sv_error err;
    sv_pool *pool;
    sv_source *a, *b;
    sv_source_options options = {
        .kind = SV_RECORD_FINE, .shuffle = true, .vary = true, .run = 3, .window = 2, .seed = 77, .with_seconds = true};
    ASSERT_OK(sv_pool_new(3, &pool, &err), err);
    ASSERT_OK(sv_source_open_simulated(&range, &options, &a, &err), err);
    options.pool = pool;
    ASSERT_OK(sv_source_open_simulated(&range, &options, &b, &err), err);
    assert_int_equal(sv_source_n(a), 5 * 10);
    enum { STEP = 9, N = 7 };
    sv_record forward[N];
    for (int k = 0; k < N; k++) ASSERT_OK(sv_source_get(a, (uint64_t)(STEP * k), &forward[k], &err), err);
    for (int k = N; k-- > 0;) { /* into the second pass, and backward */
        sv_record x = forward[k], y;
        ASSERT_OK(sv_source_get(b, (uint64_t)(STEP * k), &y, &err), err);
        assert_same_record(&x, &y);
        assert_memory_equal(x.image_keys, y.image_keys, sizeof x.image_keys);
        assert_memory_equal(x.facts.seconds, y.facts.seconds, sizeof x.facts.seconds);
        assert_true(x.facts.has_events && x.facts.rationale[0] && x.facts.rules && x.facts.roles);
        assert_int_equal(x.facts.events.n, y.facts.events.n);
        for (size_t e = 0; e < x.facts.events.n; e++) {
            assert_true(sv_event_overlap_s(&x.facts.events.items[e], 0, 30) > 0);
            assert_true(x.facts.events.items[e].roles & x.facts.roles);
        }
        sv_record_free(&x);
        sv_record_free(&y);
    }
    sv_source_close(a);
    sv_source_close(b);
    sv_pool_free(pool);
}

/* Neighbours of a run share pictures, and equal keys are equal pictures. */
static void keys_of_pictures(void **state) {
    (void)state;
    sv_error err;
    sv_source *s;
    const sv_source_options options = {.kind = SV_RECORD_COARSE, .vary = true, .run = 5, .seed = 1};
    sv_record r[10];
    ASSERT_OK(sv_source_open_simulated(&range, &options, &s, &err), err);
    for (uint64_t i = 0; i < 10; i++) ASSERT_OK(sv_source_get(s, i, &r[i], &err), err);
    int shared = 0;
    for (int i = 0; i < 30; i++) {
        for (int k = 0; k < i; k++) {
            const sv_record *x = &r[i / 3], *y = &r[k / 3];
            bool same = x->image_keys[i % 3] == y->image_keys[k % 3];
            shared += same;
            if (same) assert_memory_equal(x->images[i % 3].pixels, y->images[k % 3].pixels, 448 * 224 * 3);
            if (i / 15 != k / 15) assert_false(same);
        }
    }
    assert_int_equal(shared, 2 * (1 + 3 + 3 + 3 + 1)); /* a run's 7 pictures are used 1 2 3 3 3 2 1 times: pairs */
    for (int i = 0; i < 10; i++) {
        assert_null(strstr(r[i].chat.messages[2].parts[0].text, "reasoning_text"));
        sv_record_free(&r[i]);
    }
    sv_source_close(s);
}

static void channels_and_gains_vary(void **state) {
    (void)state;
    sv_error err;
    sv_source *plain, *varied;
    sv_source_options options = {.kind = SV_RECORD_WPT, .no_pictures = true, .seed = 5};
    const unsigned eeg = 7, all = 63;
    int n = 0, n_one = 0, n_all = 0;
    double sum = 0, squares = 0;
    const sv_sim_range one = {.first_seed = 50, .n_nights = 1, .hours = 0.25, .rate_hz = 100};
    ASSERT_OK(sv_source_open_simulated(&one, &options, &plain, &err), err);
    options.vary = true;
    ASSERT_OK(sv_source_open_simulated(&one, &options, &varied, &err), err);
    assert_int_equal(sv_source_n(varied), 30);
    for (uint64_t i = 0; i < 1200; i++, n++) {
        sv_record x, y;
        ASSERT_OK(sv_source_get(plain, i, &x, &err), err);
        ASSERT_OK(sv_source_get(varied, i, &y, &err), err);
        assert_null(y.images[0].pixels);
        assert_int_equal(x.facts.roles, all);
        assert_true(y.facts.roles & eeg);
        n_one += (y.facts.roles & (y.facts.roles - 1)) == 0;
        n_all += y.facts.roles == all;
        for (int r = 0; r < SV_N_ROLES; r++) {
            if (!(y.facts.roles >> r & 1)) {
                assert_near(y.facts.seconds[r][3].mav_uv, 0, 0);
                continue;
            }
            double gain = y.facts.seconds[r][3].mav_uv / x.facts.seconds[r][3].mav_uv;
            sum += log(gain);
            squares += log(gain) * log(gain);
            if (r == SV_ROLE_CHIN) continue;
            assert_near(y.facts.seconds[r][9].theta_db - x.facts.seconds[r][9].theta_db, 20 * log10(gain), 1e-6);
        }
        sv_record_free(&x);
        sv_record_free(&y);
    }
    /* a random subset is a single EEG in 3 of its 64, or one of 4 without; all in 1 of 64. Five sigma of 1200 draws. */
    assert_near((double)n_one / n, 0.35 + 0.2 * 11 / 64, 0.07);
    assert_near((double)n_all / n, 0.45 + 0.2 / 64, 0.07);
    assert_near(sum / n / 4, 0, 0.01);
    assert_true(sqrt(squares / n / 4) > 0.04 && sqrt(squares / n / 4) < 0.08);
    sv_source_close(plain);
    sv_source_close(varied);
}

static bool stop_now;
static bool stop(void) { return stop_now; }

static void stopped_and_asked_again(void **state) {
    (void)state;
    sv_error err;
    sv_source *s;
    sv_record r;
    const sv_source_options options = {.kind = SV_RECORD_WPT, .stop = stop};
    ASSERT_OK(sv_source_open_simulated(&range, &options, &s, &err), err);
    stop_now = true;
    assert_int_equal(sv_source_get(s, 3, &r, &err), SV_ERR_CANCELLED);
    stop_now = false;
    ASSERT_OK(sv_source_get(s, 3, &r, &err), err);
    assert_string_equal(r.id, "sim_seed-50#3");
    sv_record_free(&r);
    sv_source_close(s);
}

/* The system prompt of a file's records: the one they share, or none. */
static void expect_system(const char *const *systems, size_t n, const char *expected) {
    sv_strbuf text = {0};
    sv_source *s;
    sv_error err;
    char *system;
    const sv_source_options options = {.no_pictures = true};
    for (size_t i = 0; i < n; i++) {
        sv_strbuf_puts(&text, "{\"messages\": [");
        if (systems[i]) sv_strbuf_printf(&text, "{\"role\": \"system\", \"content\": \"%s\"},", systems[i]);
        sv_strbuf_puts(&text,
                       "{\"role\": \"user\", \"content\": \"x\"}, {\"role\": \"assistant\", \"content\": \"y\"}]}\n");
    }
    ASSERT_OK(sv_file_write(in_folder("system.jsonl"), text.data, text.len, &err), err);
    ASSERT_OK(sv_source_open_jsonl(in_folder("system.jsonl"), folder, &options, &s, &err), err);
    ASSERT_OK(sv_source_find_system(s, &system, &err), err);
    if (expected)
        assert_string_equal(system, expected);
    else
        assert_null(system);
    free(system);
    sv_source_close(s);
    sv_strbuf_free(&text);
}

static void the_prompt_that_records_share(void **state) {
    (void)state;
    expect_system((const char *const[]){"a \\u00fc", "a \\u00fc"}, 2, "a \xc3\xbc");
    expect_system((const char *const[]){"a", "a", "b"}, 3, NULL);
    expect_system((const char *const[]){"a", NULL}, 2, NULL);
    expect_system((const char *const[]){NULL}, 1, NULL);
    expect_system((const char *const[]){"a\\u0000b"}, 1, NULL);
    const sv_source_options ours = {.kind = SV_RECORD_COARSE}, given = {.kind = SV_RECORD_FINE, .system = "Given."};
    const char *const expected[] = {sv_dataset_prompt(SV_RECORD_COARSE), "Given."};
    for (int i = 0; i < 2; i++) {
        sv_source *s;
        sv_error err;
        char *system;
        ASSERT_OK(sv_source_open_simulated(&range, i ? &given : &ours, &s, &err), err);
        ASSERT_OK(sv_source_find_system(s, &system, &err), err);
        assert_string_equal(system, expected[i]);
        free(system);
        sv_source_close(s);
    }
}

static void bad_files_are_named(void **state) {
    (void)state;
    static const struct {
        const char *text, *problem;
    } cases[] = {
        {"\n{\"id\": \"a\", \"messages\": [}\n", "line 2"},
        {"{\"id\": \"a\"}\n", "line 1"},
        {"{\"id\": \"a\", \"messages\": [{\"role\": \"user\", \"content\": \"x\"}]}\n", "assistant"},
        {"{\"id\": \"a\", \"messages\": [{\"role\": \"user\", \"content\": [{\"type\": \"image\", \"image\": "
         "\"no.png\"}]}, "
         "{\"role\": \"assistant\", \"content\": \"x\"}]}\n",
         "no.png"},
        {"{\"messages\": [{\"role\": \"user\", \"content\": [{\"type\": \"image\"}, {\"type\": \"image\"}, {\"type\": "
         "\"image\"}, {\"type\": \"image\"}]}, {\"role\": \"assistant\", \"content\": \"x\"}]}\n",
         "more than 3"}};
    const sv_source_options options = {.no_pictures = true}, pictures = {0};
    sv_error err;
    sv_source *s;
    for (size_t i = 0; i < SV_COUNT(cases); i++) {
        sv_record r;
        ASSERT_OK(sv_file_write(in_folder("bad.jsonl"), cases[i].text, strlen(cases[i].text), &err), err);
        ASSERT_OK(sv_source_open_jsonl(in_folder("bad.jsonl"), folder, i == 3 ? &pictures : &options, &s, &err), err);
        assert_int_not_equal(sv_source_get(s, 0, &r, &err), SV_OK);
        if (!strstr(err.message, cases[i].problem)) fail_msg("'%s' has not '%s'", err.message, cases[i].problem);
        sv_source_close(s);
    }
    ASSERT_OK(sv_file_write(in_folder("bad.jsonl"), " \n", 2, &err), err);
    assert_int_equal(sv_source_open_jsonl(in_folder("bad.jsonl"), folder, &options, &s, &err), SV_ERR_INPUT);
    const sv_sim_range none = {.n_nights = 0, .hours = 1, .rate_hz = 100}, slow = {.n_nights = 1, .hours = 1};
    assert_int_equal(sv_source_open_simulated(&none, &options, &s, &err), SV_ERR_USAGE);
    assert_int_equal(sv_source_open_simulated(&slow, &options, &s, &err), SV_ERR_USAGE);
    const sv_sim_range short_night = {.n_nights = 2, .hours = 0.01, .rate_hz = 100};
    const sv_source_options fine = {.kind = SV_RECORD_FINE};
    assert_int_equal(sv_source_open_simulated(&short_night, &fine, &s, &err), SV_ERR_INPUT); /* no neighbours */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_is_a_permutation),   cmocka_unit_test(order_of_any_place),
        cmocka_unit_test(windows_are_repeated),     cmocka_unit_test(from_disk_as_from_memory),
        cmocka_unit_test(simulated_records_repeat), cmocka_unit_test(keys_of_pictures),
        cmocka_unit_test(channels_and_gains_vary),  cmocka_unit_test(stopped_and_asked_again),
        cmocka_unit_test(bad_files_are_named),      cmocka_unit_test(the_prompt_that_records_share)};
    return cmocka_run_group_tests(tests, make_nights, remove_nights);
}
