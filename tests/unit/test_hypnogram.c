/* test_hypnogram.c - hypnograms from every kind of file, their place on the recording, and the way back to EDF+. */
#include "support/test.h"

#include <edflib.h>
#include <glob.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/memory.h"
#include "sleep/hypnogram.h"
#include "sleep/stages.h"

static const char *letters(const sv_hypnogram *h) {
    static char text[128];
    int n = 0;
    for (; n < h->n_epochs && n < 127; n++) text[n] = h->stages[n] < 0 ? '?' : "W123R"[h->stages[n]];
    text[n] = 0;
    return text;
}

static void expect_text(const char *text, int n_epochs, const char *expected) {
    sv_hypnogram h;
    sv_error err;
    if (sv_hypnogram_parse(text, strlen(text), "t", n_epochs, &h, &err)) fail_msg("%s: %s", text, err.message);
    assert_string_equal(letters(&h), expected);
    sv_hypnogram_free(&h);
}

static void expect_refused(const char *text, const char *part_of_message) {
    sv_hypnogram h;
    sv_error err;
    assert_int_equal(sv_hypnogram_parse(text, strlen(text), "t", 0, &h, &err), SV_ERR_INPUT);
    if (!strstr(err.message, part_of_message)) fail_msg("'%s' is not in '%s'", part_of_message, err.message);
    assert_null(h.stages);
}

static void stage_spellings(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int stage; /* 9: no stage at all */
    } cases[] = {{"Sleep stage W", 0},
                 {"Sleep stage 1", 1},
                 {"Sleep stage 4", 3},
                 {"Sleep stage R", 4},
                 {"Sleep stage ?", -1},
                 {"Sleep stage N", -1},
                 {"Sleep stage M", -1},
                 {"Movement time", -1},
                 {"sleep stage n2", 2},
                 {"W", 0},
                 {"Wake", 0},
                 {"N3", 3},
                 {"S2", 2},
                 {"Stage 4", 3},
                 {"REM", 4},
                 {"5", 4},
                 {"SLEEP-S0", 0},
                 {"SLEEP-REM", 4},
                 {"Stage 2 sleep|2", 2},
                 {"REM sleep|5", 4},
                 {" NREM 1 ", 1},
                 {"Stage - N3", 3},
                 {"?", -1},
                 {"Unscored", -1},
                 {"", 9},
                 {"Sleep", 9},
                 {"Sleep stage", 9},
                 {"Lights off", 9},
                 {"N5", 9},
                 {"12", 9},
                 {"Recording starts", 9},
                 {"Sleep stage X", 9},
                 {"W W", 9},
                 {"Arousal", 9},
                 {"wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww", 9}};
    for (size_t i = 0; i < SV_COUNT(cases); i++) {
        sv_stage stage = SV_N_STAGES;
        bool known = sv_stage_from_annotation(cases[i].text, &stage);
        if ((known ? (int)stage : 9) != cases[i].stage)
            fail_msg("'%s' became %d", cases[i].text, known ? (int)stage : 9);
    }
    for (int s = 0; s < SV_N_STAGES; s++) {
        sv_stage back;
        assert_true(sv_stage_from_annotation(sv_stage_name((sv_stage)s), &back));
        assert_int_equal(back, s);
    }
    assert_string_equal(sv_stage_name(SV_STAGE_NONE), "?");
    assert_string_equal(sv_stage_name((sv_stage)77), "?");
}

static void rules_are_found(void **state) {
    (void)state;
    assert_int_equal(SV_COUNT(sv_rules), 15);
    for (size_t i = 0; i < SV_N_RULES; i++) {
        assert_ptr_equal(sv_rule_find(sv_rules[i].id), &sv_rules[i]);
        const size_t n = strlen(sv_rules[i].meaning);
        assert_true(n > 20 && n < 200 && sv_rules[i].meaning[n - 1] == '.');
        const char *stage = sv_stage_name(sv_rules[i].stage);
        const bool carries_its_stage = strncmp(sv_rules[i].id, stage, strlen(stage)) == 0;
        assert_true(carries_its_stage || strstr("N2.4 R.3 MBM.1 MBM.2", sv_rules[i].id));
    }
    assert_null(sv_rule_find("N4.1"));
    assert_null(sv_rule_find(""));
}

static void lists(void **state) {
    (void)state;
    expect_text("W\nN1\n\n# a comment\nN2\r\nN3\rR\n?\n", 0, "W123R?");
    expect_text(
        "\xef\xbb\xbf"
        "0\n1\n2\n3\n4\n-1\n-2\n",
        0, "W123R??");                                      /* YASA */
    expect_text("0\n1\n2\n3\n4\n5\n6\n9\n", 0, "W1233R??"); /* R&K */
    expect_text("W\n1\n2\n3\n4\nR\n", 0, "W1233R");         /* R&K with names */
    expect_text("0.0\n4.0\n", 0, "WR");
    expect_text("W\nW\nW\n", 5, "WWW??");
    expect_text("W\nR\nW\n", 2, "WR");
    expect_refused("W\nN5\n", "t:2:");
    expect_refused("0\n7\n", "t:2:");
    expect_refused("", "no stage");
    expect_refused("# only a comment\n", "no stage");
    expect_refused("1,2,3\n", "header");
    sv_hypnogram h;
    sv_error err;
    assert_int_equal(sv_hypnogram_parse("W\0R\n", 4, "t", 0, &h, &err), SV_ERR_INPUT);
    assert_int_equal(sv_hypnogram_parse("\xff\xfeW\0", 4, "t", 0, &h, &err), SV_ERR_UNSUPPORTED);
    ASSERT_OK(sv_hypnogram_parse("0\n4\n", 4, "t", 0, &h, &err), err);
    assert_non_null(strstr(h.note, "R&K")); /* the doubt is said */
    sv_hypnogram_free(&h);
    ASSERT_OK(sv_hypnogram_parse("0\n5\n", 4, "t", 0, &h, &err), err);
    assert_null(h.note);
    sv_hypnogram_free(&h);
}

static void tables(void **state) {
    (void)state;
    expect_text("epoch,onset_s,duration_s,stage,p_w\n0,0,30,W,0.9\n1,30,30,N2,0.1\n3,90,30,?,0\n4,120,30,R,0\n", 0,
                "W2??R");
    expect_text("Stage;Onset\nN1;0\nREM;60\n", 0, "11R"); /* without a duration: until the next */
    expect_text("\tstage\n0\tW\n1\tN2\n", 0, "W2");       /* an index column without a name */
    expect_text("stage\nW\nN2\n", 0, "W2");
    expect_text("onset,duration,description\n0,60,\"Sleep stage W\"\n60,30,\"Sleep stage 4\"\n", 0, "WW3");
    expect_text("epoch,stage\n0,\"W\"\n1,\n2,nan\n3,R\n", 0, "W??R");
    expect_text("stage,onset_s\nW,-30\nN1,0\nN2,30\n", 0, "12"); /* before the recording */
    expect_refused("epoch,stage\n0\n", "t:2: expected at least 2 columns");
    expect_refused("onset,stage\n23:10:00,W\n", "t:2: expected the onset in seconds");
    expect_refused("onset,stage\n1e300,W\n", "at most");
    expect_refused("onset,stage\nnan,W\n", "onset in seconds");
}

/* Pages of another length, or on another grid, go to the epoch of which they fill most. */
static void grids(void **state) {
    (void)state;
    expect_text("onset,duration,stage\n0,20,W\n20,20,N1\n40,20,N2\n60,20,N3\n80,20,N3\n100,20,R\n", 0, "W23R");
    expect_text("onset,duration,stage\n10.01,30,W\n40.01,30,N1\n", 0, "W1");
    expect_text("onset,duration,stage\n0,45,W\n", 0, "W"); /* the rest does not fill half an epoch */
    expect_text("onset,duration,stage\n0,50,W\n", 0, "WW");
    expect_text("onset,duration,stage\n0,15,N3\n15,15,N1\n", 0, "1"); /* equal: the lower number */
    expect_text("onset,duration,stage\n0,15,W\n30,30,R\n", 0, "?R");
    expect_text("onset,duration,stage\n60,30,R\n0,60,W\n", 0, "WWR"); /* out of order */
    sv_hypnogram h;
    sv_error err;
    const char *text = "onset,duration,stage\n5,20,W\n25,40,N1\n";
    ASSERT_OK(sv_hypnogram_parse(text, strlen(text), "t", 0, &h, &err), err);
    assert_true(fabs(h.first_scored_s - 5) < 1e-4);
    assert_true(fabs(h.page_s - 20) < 1e-4);
    sv_hypnogram_free(&h);
    assert_int_equal(sv_hypnogram_parse(text, strlen(text), "t", SV_MAX_EPOCHS + 1, &h, &err), SV_ERR_USAGE);
}

static void xml(void **state) {
    (void)state;
    expect_text(
        "<?xml version='1.0'?><CMPStudyConfig><EpochLength>30</EpochLength><SleepStages><SleepStage>0</SleepStage>"
        "<SleepStage>1</SleepStage><!-- <SleepStage>2</SleepStage> --><SleepStage>4</SleepStage>\n"
        "<SleepStage> 5</SleepStage><SleepStage>9</SleepStage></SleepStages></CMPStudyConfig>",
        0, "W13R?");
    expect_text(
        "<a><EpochLength>20</EpochLength><SleepStages><SleepStage>0</SleepStage><SleepStage>1</SleepStage>"
        "<SleepStage>2</SleepStage></SleepStages></a>",
        0, "W2");
    expect_text(
        "<PSGAnnotation><ScoredEvents><ScoredEvent><EventType/><EventConcept>Recording Start Time</EventConcept>"
        "<Start>0</Start></ScoredEvent><ScoredEvent><EventType>Stages|Stages</EventType><EventConcept>Wake|0"
        "</EventConcept><Start>0.0</Start><Duration>60.0</Duration></ScoredEvent><ScoredEvent>"
        "<EventType>Stages|Stages</EventType><EventConcept>Stage 4 sleep|4</EventConcept><Start>60</Start>"
        "<Duration>30</Duration></ScoredEvent><ScoredEvent><EventType>Arousals|Arousals</EventType>"
        "<EventConcept>Arousal|Arousal ()</EventConcept><Start>70</Start><Duration>5</Duration></ScoredEvent>"
        "<ScoredEvent><EventType>Stages|Stages</EventType><EventConcept>REM sleep|5</EventConcept><Start>90</Start>"
        "<Duration>30</Duration></ScoredEvent></ScoredEvents></PSGAnnotation>",
        0, "WW3R");
    expect_refused("<a></a>", "no stages in this XML");
    expect_refused("<SleepStages><SleepStage>8</SleepStage></SleepStages>", "found '8'");
    expect_refused("<SleepStages><SleepStage>0</SleepStage>", "not closed");
    expect_refused("<EpochLength>0</EpochLength><SleepStages><SleepStage>0</SleepStage></SleepStages>", "EpochLength");
    expect_refused("<ScoredEvent><EventType>Stages|Stages</EventType><EventConcept>Wake</EventConcept></ScoredEvent>",
                   "EventConcept");
    expect_refused("<", "no stages");
    expect_refused("<!-- never closed <SleepStages>", "no stages");
}

static sv_recording_info scored_at(sv_start_time start, sv_annotation *annotations, int n) {
    return (sv_recording_info){
        .path = (char *)(uintptr_t) "h", .start = start, .n_annotations = n, .annotations = annotations};
}

#define TEXT(s) (char *)(uintptr_t)(s)

static void placement_is_by_absolute_time(void **state) {
    (void)state;
    sv_annotation marks[] = {{-10, -1, TEXT("Lights off")},   {0, 60, TEXT("Sleep stage W")},
                             {60, 30, TEXT("Sleep stage 2")}, {61, -1, TEXT("R")},
                             {90, 30, TEXT("Movement time")}, {120, 30, TEXT("Sleep stage R")}};
    const sv_start_time hypnogram_start = {true, 2020, 3, 1, 0, 0, 30, 0.25};
    sv_start_time recording_start = {true, 2020, 2, 29, 23, 59, 30, 0.25};
    sv_recording_info scored = scored_at(hypnogram_start, marks, SV_COUNT(marks));
    sv_recording_info recording = {.start = recording_start};
    sv_hypnogram h;
    sv_error err;
    ASSERT_OK(sv_hypnogram_from_annotations(&scored, &recording, 0, &h, &err), err); /* across a leap day: 60 s later */
    assert_string_equal(letters(&h), "??WW2?R");
    assert_true(fabs(h.first_scored_s - 60) < 1e-4);
    assert_null(h.note);
    sv_hypnogram_free(&h);
    recording.start = (sv_start_time){true, 2020, 3, 1, 0, 1, 0, 0.25}; /* the recording starts later */
    ASSERT_OK(sv_hypnogram_from_annotations(&scored, &recording, 5, &h, &err), err);
    assert_string_equal(letters(&h), "W2?R?");
    sv_hypnogram_free(&h);
    recording.start = (sv_start_time){true, 2021, 3, 1, 0, 1, 0, 0}; /* another night */
    assert_int_equal(sv_hypnogram_from_annotations(&scored, &recording, 5, &h, &err), SV_ERR_INPUT);
    assert_non_null(strstr(err.message, "another night"));
    assert_int_equal(sv_hypnogram_from_annotations(&scored, &recording, 0, &h, &err), SV_ERR_INPUT);
    recording.start =
        (sv_start_time){true, 1985, 1, 1, 0, 0, 0, 0}; /* anonymised: both start together, and it is said */
    ASSERT_OK(sv_hypnogram_from_annotations(&scored, &recording, 0, &h, &err), err);
    assert_string_equal(letters(&h), "WW2?R");
    assert_non_null(h.note);
    sv_hypnogram_free(&h);
}

static void without_a_recording_the_first_stage_begins_epoch_0(void **state) {
    (void)state;
    sv_annotation marks[] = {{12.5, 30, TEXT("N1")}, {42.5, 30, TEXT("N2")}, {72.5, 30, TEXT("W")}};
    sv_recording_info scored = scored_at((sv_start_time){0}, marks, SV_COUNT(marks));
    sv_hypnogram h;
    sv_error err;
    ASSERT_OK(sv_hypnogram_from_annotations(&scored, NULL, 0, &h, &err), err);
    assert_string_equal(letters(&h), "12W");
    sv_hypnogram_free(&h);
    marks[0].duration_s = marks[1].duration_s = marks[2].duration_s = -1; /* marks at the changes only */
    marks[2].onset_s = 132.5;
    ASSERT_OK(sv_hypnogram_from_annotations(&scored, NULL, 0, &h, &err), err);
    assert_string_equal(letters(&h), "1222W");
    sv_hypnogram_free(&h);
    marks[0].text = marks[1].text = marks[2].text = TEXT("Snore");
    assert_int_equal(sv_hypnogram_from_annotations(&scored, NULL, 0, &h, &err), SV_ERR_INPUT);
    assert_non_null(strstr(err.message, "'Snore'"));
}

static void expect_round_trip(const char *path, const sv_start_time *start, int n) {
    signed char *stages = sv_calloc((size_t)n, 1);
    sv_error err;
    sv_hypnogram h;
    for (int i = 0; i < n; i++) stages[i] = (signed char)(i * 7 % 6 - 1);
    ASSERT_OK(sv_hypnogram_write_edf(path, stages, n, start, &err), err);
    sv_recording *file;
    ASSERT_OK(sv_recording_open(path, &file, &err), err);
    const sv_recording_info *info = sv_recording_get_info(file);
    assert_int_equal(info->n_warnings, 0);
    assert_true(fabs(info->start.fraction_s - (start ? start->fraction_s : 0)) < 1e-4);
    assert_true(fabs(info->duration_s - 30.0 * n) < 1e-6);
    ASSERT_OK(sv_hypnogram_load(path, info, 0, &h, &err), err);
    assert_int_equal(h.n_epochs, n);
    assert_memory_equal(h.stages, stages, (size_t)n);
    sv_hypnogram_free(&h);
    sv_recording_close(file);

    /* a second opinion */
    static struct edf_hdr_struct header;
    const int handle = edfopen_file_readonly(path, &header, EDFLIB_READ_ALL_ANNOTATIONS);
    assert_true(handle >= 0);
    assert_int_equal(header.annotations_in_file, n);
    if (start) {
        assert_int_equal(header.startdate_year, start->year);
        assert_int_equal(header.starttime_second, start->second);
        assert_true(fabs((double)header.starttime_subsecond / 1e7 - start->fraction_s) < 1e-4);
    } else {
        assert_int_equal(header.startdate_year, 1985);
    }
    assert_int_equal(header.file_duration / EDFLIB_TIME_DIMENSION, (long long)n * 30);
    for (int i = 0; i < n; i++) {
        struct edf_annotation_struct a;
        char expected[32];
        assert_int_equal(edf_get_annotation(handle, i, &a), 0);
        snprintf(expected, sizeof expected, "Sleep stage %s", sv_stage_name((sv_stage)stages[i]));
        assert_string_equal(a.annotation, expected);
        assert_int_equal(a.onset, (long long)i * 30 * EDFLIB_TIME_DIMENSION);
        assert_true(fabs(atof(a.duration) - 30) < 1e-4);
    }
    edfclose_file(handle);
    free(stages);
}

static void edf_round_trip(void **state) {
    (void)state;
    char folder[] = "/tmp/sv-test-XXXXXX";
    assert_non_null(mkdtemp(folder));
    char *path = sv_path_join(folder, "hypnogram.edf");
    expect_round_trip(path, &(sv_start_time){true, 2024, 2, 29, 22, 58, 1, 0}, 1200);
    expect_round_trip(path, &(sv_start_time){true, 1999, 12, 31, 23, 59, 59, 0.998}, 7);
    expect_round_trip(path, NULL, 1);
    sv_error err;
    signed char stages[] = {0, 1, 9};
    assert_int_equal(sv_hypnogram_write_edf(path, stages, 3, NULL, &err), SV_ERR_USAGE);
    assert_int_equal(sv_hypnogram_write_edf(path, stages, 0, NULL, &err), SV_ERR_USAGE);
    assert_int_equal(sv_hypnogram_write_edf(path, stages, 2, &(sv_start_time){.known = true, .year = 1970}, &err),
                     SV_ERR_INPUT);
    assert_int_equal(sv_hypnogram_write_edf("/nowhere/at/all.edf", stages, 2, NULL, &err), SV_ERR_OUTPUT);
    expect_round_trip(path, NULL, 3); /* what was there is replaced only by a whole file */
    unlink(path);
    assert_int_equal(rmdir(folder), 0); /* and nothing temporary stays */
    free(path);
}

/* A limit on the size of files stands in for a full disk, down to one that lacks the last byte. */
static void full_disk_is_noticed(void **state) {
    (void)state;
    char folder[] = "/tmp/sv-test-XXXXXX";
    assert_non_null(mkdtemp(folder));
    char *path = sv_path_join(folder, "h.edf");
    static const signed char stages[2000];
    struct stat whole;
    sv_error err;
    ASSERT_OK(sv_hypnogram_write_edf(path, stages, 2000, NULL, &err), err);
    assert_int_equal(stat(path, &whole), 0);
    unlink(path);
    const rlim_t limits[] = {0, 100, 20000, (rlim_t)whole.st_size - 1};
    for (size_t i = 0; i < SV_COUNT(limits); i++) {
        struct rlimit before, small;
        assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
        small = before;
        small.rlim_cur = limits[i];
        void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        sv_status s = sv_hypnogram_write_edf(path, stages, 2000, NULL, &err);
        setrlimit(RLIMIT_FSIZE, &before);
        signal(SIGXFSZ, handler);
        assert_int_equal(s, SV_ERR_OUTPUT);
        assert_false(sv_file_exists(path));
    }
    assert_int_equal(rmdir(folder), 0);
    free(path);
}

static void *write_many(void *folder) {
    sv_error err;
    signed char stages[50] = {0};
    for (int i = 0; i < 20; i++) {
        char path[512];
        snprintf(path, sizeof path, "%s/%p.edf", (char *)folder, (void *)stages);
        if (sv_hypnogram_write_edf(path, stages, 50, NULL, &err)) return "failed";
        unlink(path);
    }
    return NULL;
}

static void threads_may_write_at_once(void **state) {
    (void)state;
    char folder[] = "/tmp/sv-test-XXXXXX";
    assert_non_null(mkdtemp(folder));
    pthread_t threads[4];
    for (size_t i = 0; i < SV_COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_many, folder), 0);
    for (size_t i = 0; i < SV_COUNT(threads); i++) {
        void *result;
        pthread_join(threads[i], &result);
        assert_null(result);
    }
    assert_int_equal(rmdir(folder), 0);
}

static void real_hypnograms(void **state) {
    (void)state;
    SKIP_WITHOUT(shared_path("data/hypnograms"));
    static const char *const patterns[] = {"data/hypnograms/sleep-edf-sc/*.edf", "data/hypnograms/sleep-edf-st/*.edf"};
    int n_files = 0;
    long of_stage[6] = {0};
    for (size_t p = 0; p < SV_COUNT(patterns); p++) {
        glob_t files;
        assert_int_equal(glob(shared_path(patterns[p]), 0, NULL, &files), 0);
        for (size_t i = 0; i < files.gl_pathc; i++, n_files++) {
            sv_hypnogram h;
            sv_error err;
            ASSERT_OK(sv_hypnogram_load(files.gl_pathv[i], NULL, 0, &h, &err), err);
            assert_true(fabs(h.page_s - 30) < 1e-4);
            assert_true(h.n_epochs > 500 && h.n_epochs < 3000);
            for (int e = 0; e < h.n_epochs; e++) of_stage[h.stages[e] + 1]++;
            sv_hypnogram_free(&h);
        }
        globfree(&files);
    }
    assert_int_equal(n_files, 32);
    /* the sums of the durations of the annotations over 30 s: ? and Movement time 3070 + 34, S3 and S4 2563 + 2269 */
    assert_memory_equal(of_stage, ((long[]){3104, 38589, 2601, 14445, 4832, 5912}), sizeof of_stage);
}

static void real_profusion(void **state) {
    (void)state;
    const char *path = shared_path("data/hypnograms/nsrr-xml/learn-nsrr02.xml");
    SKIP_WITHOUT(path);
    sv_hypnogram h;
    sv_error err;
    int of_stage[5] = {0};
    ASSERT_OK(sv_hypnogram_load(path, NULL, 0, &h, &err), err);
    assert_int_equal(h.n_epochs, 1195);
    for (int e = 0; e < h.n_epochs; e++) {
        assert_true(h.stages[e] >= 0);
        of_stage[h.stages[e]]++;
    }
    assert_memory_equal(of_stage, ((int[]){480, 11, 399, 185, 120}), sizeof of_stage);
    sv_hypnogram_free(&h);
}

static void a_real_recording_and_its_hypnogram(void **state) {
    (void)state;
    const char *recording_path = shared_path("data/recordings/sleep-edf/SC4001E0-first-300s.edf");
    const char *path = shared_path("data/recordings/sleep-edf/SC4001EC-Hypnogram.edf");
    SKIP_WITHOUT(recording_path);
    sv_recording *recording;
    sv_hypnogram h;
    sv_error err;
    ASSERT_OK(sv_recording_open(recording_path, &recording, &err), err);
    ASSERT_OK(sv_hypnogram_load(path, sv_recording_get_info(recording), 10, &h, &err), err);
    assert_string_equal(letters(&h), "WWWWWWWWWW");
    sv_hypnogram_free(&h);
    ASSERT_OK(sv_hypnogram_load(path, sv_recording_get_info(recording), 0, &h, &err), err);
    assert_int_equal(h.stages[30630 / 30 - 1], SV_STAGE_W);
    assert_int_equal(h.stages[30630 / 30], SV_STAGE_N1);
    assert_int_equal(h.stages[31350 / 30], SV_STAGE_N3);
    sv_hypnogram_free(&h);
    sv_recording_close(recording);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stage_spellings),
        cmocka_unit_test(rules_are_found),
        cmocka_unit_test(lists),
        cmocka_unit_test(tables),
        cmocka_unit_test(grids),
        cmocka_unit_test(xml),
        cmocka_unit_test(placement_is_by_absolute_time),
        cmocka_unit_test(without_a_recording_the_first_stage_begins_epoch_0),
        cmocka_unit_test(edf_round_trip),
        cmocka_unit_test(full_disk_is_noticed),
        cmocka_unit_test(threads_may_write_at_once),
        cmocka_unit_test(real_hypnograms),
        cmocka_unit_test(real_profusion),
        cmocka_unit_test(a_real_recording_and_its_hypnogram),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
