/* test_dataset.c - names, splits, texts and annotations of data sets. */
#include "support/test.h"

#include <math.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/memory.h"
#include "train/dataset_annotations.h"
#include "train/dataset_split.h"

static char folder[64];

static int make_folder(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "dataset-test-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

static const char *in_folder(const char *name) {
    static char ring[8][160];
    static int next;
    char *path = ring[next++ & 7];
    snprintf(path, sizeof ring[0], "%s/%s", folder, name);
    return path;
}

static void put(const char *name, const char *text) {
    sv_error err;
    ASSERT_OK(sv_file_write(in_folder(name), text, strlen(text), &err), err);
}

/* ---- names */

static void inputs_by_name(void **state) {
    (void)state;
    sv_error err;
    sv_dataset_inputs inputs;
    ASSERT_OK(sv_make_dirs(in_folder("n/deep/er"), &err), err);
    static const char *const names[] = {"n/01-03-0002 PSG.edf", "n/01-03-0002 Base.edf", "n/01-02-0009 psg.EDF",
                                        "n/01-06-0001 PSG.edf", "n/.hidden.edf",         "n/notes.txt",
                                        "n/deep/er/x.bdf",      "n/deep/er/truth.json"};
    for (size_t i = 0; i < SV_COUNT(names); i++) put(names[i], "x");
    const char *path = in_folder("n");
    ASSERT_OK(sv_dataset_inputs_find(&path, 1, &inputs, &err), err);
    assert_int_equal(inputs.n, 4);
    static const char *const expected[][2] = {
        {"SS2", "01-02-0009"}, {"SS3", "01-03-0002"}, {"own", "01-06-0001"}, {"sim", "x"}};
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(inputs.items[i].subset, expected[i][0]);
        assert_string_equal(inputs.items[i].subject, expected[i][1]);
    }
    assert_true(inputs.items[0].wants_base);
    assert_non_null(strstr(inputs.items[1].scoring, "01-03-0002 Base.edf"));
    assert_false(inputs.items[1].wants_base);
    assert_non_null(strstr(inputs.items[3].truth, "deep/er/truth.json"));
    sv_dataset_inputs_free(&inputs);
}

/* ---- splits */

static void inputs_of(sv_dataset_inputs *inputs, sv_dataset_input *items, size_t n) {
    *inputs = (sv_dataset_inputs){.items = items, .n = n};
}

/* Expected: python3, `r = random.Random(42)`, r.shuffle of range(7), then of range(5), by one generator. */
static void split_by_subset(void **state) {
    (void)state;
    sv_dataset_input items[13] = {0};
    bool used[13];
    sv_dataset_inputs inputs;
    sv_dataset_split split;
    sv_error err;
    for (int i = 0; i < 13; i++) {
        snprintf(items[i].subset, sizeof items[i].subset, "%s", i < 8 ? "SS2" : "SS4");
        used[i] = i != 3; /* as if it could not be opened: it takes no part */
    }
    inputs_of(&inputs, items, 13);
    ASSERT_OK(sv_dataset_split_draw(&inputs, used, 42, 0.8, &split, &err), err);
    static const size_t of_7[] = {1, 3, 4, 2, 6, 0, 5}, of_5[] = {4, 3, 2, 0, 1};
    assert_int_equal(split.n_train, 5 + 4); /* int(5.6), int(4.0) */
    assert_int_equal(split.n_val, 3);
    for (size_t i = 0; i < 12; i++) {
        size_t k = i < 7 ? of_7[i] + (of_7[i] >= 3) : 8 + of_5[i - 7];
        size_t found = i < 5 ? split.train[i] : i < 7 ? split.val[i - 5] : i < 11 ? split.train[i - 2] : split.val[2];
        assert_int_equal(found, k);
    }
    sv_dataset_split_free(&split);
    for (double share = 0; share <= 1; share++) {
        ASSERT_OK(sv_dataset_split_draw(&inputs, used, 42, share, &split, &err), err);
        assert_int_equal(split.n_train, share > 0 ? 12 : 0);
        assert_int_equal(split.n_val, share > 0 ? 0 : 12);
        sv_dataset_split_free(&split);
    }
}

static void split_that_is_given(void **state) {
    (void)state;
    sv_dataset_input items[4] = {{.subject = "a"}, {.subject = "b"}, {.subject = "c"}, {.subject = "d"}};
    const bool used[4] = {true, true, true, false};
    sv_dataset_inputs inputs;
    sv_dataset_split split;
    sv_error err;
    inputs_of(&inputs, items, 4);
    put("split.json",
        "{\"fine_train_subjects\": [\"c\", \"x\"], \"coarse_train_subjects\": [\"a\", \"d\"], "
        "\"val_subjects\": [], \"test_subjects\": [\"b\"]}");
    ASSERT_OK(sv_dataset_split_read(in_folder("split.json"), &inputs, used, &split, &err), err);
    assert_int_equal(split.n_train, 2);
    assert_int_equal(split.train[0], 2);
    assert_int_equal(split.train[1], 0);
    assert_int_equal(split.n_val, 0);
    sv_dataset_split_free(&split);
    put("split.json", "{\"fine_train_subjects\": [\"c\"], \"coarse_train_subjects\": [\"c\"], \"val_subjects\": []}");
    assert_int_equal(sv_dataset_split_read(in_folder("split.json"), &inputs, used, &split, &err), SV_ERR_INPUT);
    put("split.json", "{\"fine_train_subjects\": 1}");
    assert_int_equal(sv_dataset_split_read(in_folder("split.json"), &inputs, used, &split, &err), SV_ERR_INPUT);
}

/* ---- texts */

/* Of the same value: f"{round(x, 2)}" and f"{round(round(x, 2), 1):.1f}" in Python. */
static void numbers_as_python_writes_them(void **state) {
    (void)state;
    static const struct {
        double value;
        const char *two, *one;
    } cases[] = {{5.85, "5.85", "5.8"},
                 {18.65, "18.65", "18.6"},
                 {12.345, "12.35", "12.3"},
                 {0.05, "0.05", "0.1"},
                 {-0.04, "-0.04", "-0.0"},
                 {-0.001, "-0.0", "-0.0"},
                 {0.005, "0.01", "0.0"},
                 {2.675, "2.67", "2.7"},
                 {7.0, "7.0", "7.0"},
                 {-120.0, "-120.0", "-120.0"},
                 {99.949, "99.95", "100.0"},
                 {0.045, "0.04", "0.0"},
                 {0.25, "0.25", "0.2"},
                 {0.35, "0.35", "0.3"},
                 {1e-12, "0.0", "0.0"},
                 {-3.25, "-3.25", "-3.2"},
                 {123456.789, "123456.79", "123456.8"},
                 {0.9999, "1.0", "1.0"}};
    for (size_t i = 0; i < SV_COUNT(cases); i++) {
        sv_epoch_seconds seconds = {0};
        sv_strbuf two = {0}, one = {0};
        char expected[64];
        for (int t = 0; t < SV_EPOCH_S; t++) seconds[SV_ROLE_CHIN][t].mav_uv = cases[i].value;
        sv_targets_put_epoch(&two, 3, SV_STAGE_N2, sv_role_bit(SV_ROLE_CHIN), seconds);
        snprintf(expected, sizeof expected, "\"3_N2\": {\"Chin\": {\"1\": {\"mav\": %s}, \"2\"", cases[i].two);
        if (strncmp(two.data, expected, strlen(expected)) != 0) fail_msg("%.80s, not %s", two.data, expected);
        sv_answer_put_seconds(&one, sv_role_bit(SV_ROLE_CHIN), seconds);
        snprintf(expected, sizeof expected, "```json\n{\n  \"Chin\": [[%s], [", cases[i].one);
        if (strncmp(one.data, expected, strlen(expected)) != 0) fail_msg("%.80s, not %s", one.data, expected);
        sv_strbuf_free(&two);
        sv_strbuf_free(&one);
    }
}

static void answers_of_stages(void **state) {
    (void)state;
    static const char *const rules[] = {"N2.1", "N2.2"};
    sv_stage_answer a = {.stage = SV_STAGE_N2, .rules = rules, .n_rules = 2, .rationale = "a \"b\"\r\nc\\d\te\u2011"};
    sv_strbuf out = {0};
    sv_answer_put_stage(&out, &a);
    assert_string_equal(out.data,
                        "```json\n{\n  \"reasoning_text\": \"a \\\"b\\\" c\\\\d e\u2011\",\n"
                        "  \"applicable_rules\": [\"N2.1\", \"N2.2\"],\n  \"sleep_stage\": \"N2\"\n}\n```");
    a.stage_first = true;
    a.n_rules = 1;
    sv_strbuf_clear(&out);
    sv_answer_put_stage(&out, &a);
    assert_string_equal(out.data,
                        "```json\n{\n  \"sleep_stage\": \"N2\",\n  \"applicable_rules\": [\"N2.1\"],\n"
                        "  \"reasoning_text\": \"a \\\"b\\\" c\\\\d e\u2011\"\n}\n```");
    a = (sv_stage_answer){.stage = SV_STAGE_R};
    sv_strbuf_clear(&out);
    sv_answer_put_stage(&out, &a);
    assert_string_equal(out.data, "```json\n{\n  \"applicable_rules\": [],\n  \"sleep_stage\": \"R\"\n}\n```");
    sv_strbuf_free(&out);
}

static void lines_of_records(void **state) {
    (void)state;
    sv_error err;
    sv_chat chat;
    sv_strbuf line = {0};
    sv_chat_texts texts = {
        .kind = SV_RECORD_COARSE, .system = "S \"x\"", .image_paths = {"a.png", "b.png", "c.png"}, .answer = "yes\n"};
    ASSERT_OK(sv_record_chat(&texts, &chat, &err), err);
    sv_record_put_line(&line, "s#1_W", &chat);
    assert_string_equal(
        line.data,
        "{\"id\": \"s#1_W\", \"messages\": [{\"role\": \"system\", \"content\": \"S \\\"x\\\"\"}, {\"role\": \"user\", "
        "\"content\": [{\"type\": \"text\", \"text\": \"Preceding epoch N\u20111: \"}, {\"type\": \"image\", "
        "\"image\": \"a.png\"}, {\"type\": \"text\", \"text\": \"**Target epoch N**: \"}, {\"type\": \"image\", "
        "\"image\": \"b.png\"}, {\"type\": \"text\", \"text\": \"Subsequent epoch N+1: \"}, {\"type\": \"image\", "
        "\"image\": \"c.png\"}]}, {\"role\": \"assistant\", \"content\": \"yes\\n\"}]}\n");
    sv_chat_free(&chat);
    sv_strbuf_clear(&line);
    texts = (sv_chat_texts){.kind = SV_RECORD_WPT, .system = "S", .image_paths = {"a.png"}, .answer = "y"};
    ASSERT_OK(sv_record_chat(&texts, &chat, &err), err);
    sv_record_put_line(&line, "1", &chat);
    assert_non_null(strstr(line.data, "\"content\": [{\"type\": \"image\", \"image\": \"a.png\"}]}, "));
    sv_chat_free(&chat);
    sv_strbuf_free(&line);
}

/* ---- annotations */

static void annotations_of_both_tracks(void **state) {
    (void)state;
    sv_error err;
    sv_annotations all;
    ASSERT_OK(sv_make_dirs(in_folder("a"), &err), err);
    put("a/1-coarse.csv",
        "Subject,N,Stage,applicable_rules\n"
        "s,0,W,W.1\n"               /* s has fine rows, in a file that comes later */
        "t,2,N2,\" N2.1 ,N2.2,\"\n" /* blanks and an empty item between commas */
        "t,1,N2,N2.1\n"             /* rows need not be in order */
        "t,2,N3,N3.1\n"             /* a second one of epoch 2 */
        "t,3,S2,N2.1\n"
        "t,-4,N2,N2.1\n"
        "t,5,N2,N2.1;N2.2\n"
        "t,6,N2, \n");
    put("a/2-fine.csv",
        "custom_id,Subject,N,Stage,reasoning_text,applicable_rules\n"
        "s#0_W,s,0,W,\"because,\nso\",\"W.1,W.1\"\n"
        "s#1_N2,s,1,W,x,W.1\n"
        "s#2_W,s,2,W, ,W.1\n");
    const char *path = in_folder("a");
    ASSERT_OK(sv_annotations_load(&path, 1, &all, &err), err);
    assert_int_equal(all.n, 2);
    const sv_annotated_subject *s = sv_annotations_find(&all, "s"), *t = sv_annotations_find(&all, "t");
    assert_true(s->fine && !t->fine);
    assert_int_equal(s->n, 2);
    assert_string_equal(s->epochs[0].rationale, "because,\nso");
    assert_int_equal(s->epochs[0].n_rules, 1);
    assert_int_equal(s->epochs[1].skip, SV_SKIP_no_rationale);
    assert_int_equal(t->n, 4);
    assert_int_equal(t->epochs[0].epoch, 1);
    assert_int_equal(t->epochs[0].skip, SV_NO_SKIP);
    assert_int_equal(t->epochs[1].n_rules, 2);
    assert_int_equal(t->epochs[1].stage, SV_STAGE_N2);
    assert_string_equal(t->epochs[1].rules[1], "N2.2");
    assert_int_equal(t->epochs[2].skip, SV_SKIP_unknown_rule);
    assert_int_equal(t->epochs[3].skip, SV_SKIP_no_rules);
    for (int i = 0; i < SV_N_SKIPS; i++) {
        bool once = i == SV_SKIP_other_track || i == SV_SKIP_doubled || i == SV_SKIP_unknown_stage ||
                    i == SV_SKIP_bad_number || i == SV_SKIP_bad_id;
        assert_int_equal(all.skipped[i], once ? 1 : 0);
    }
    sv_annotations_free(&all);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(inputs_by_name),
                                       cmocka_unit_test(split_by_subset),
                                       cmocka_unit_test(split_that_is_given),
                                       cmocka_unit_test(numbers_as_python_writes_them),
                                       cmocka_unit_test(answers_of_stages),
                                       cmocka_unit_test(lines_of_records),
                                       cmocka_unit_test(annotations_of_both_tracks)};
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
