/* test_recording.c - EDF and BDF files: sound ones, damaged ones, and those that must be refused. */
#include "support/test.h"

#include <dirent.h>
#include <edflib.h>
#include <math.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/memory.h"
#include "psg/recording.h"
#include "support/edf_writer.h"

static const edf_signal two[] = {{"EEG C4-M1", "uV", "-1000", "1000", NULL, NULL, 8},
                                 {"Chin", "mV", "-5", "5", NULL, NULL, 4}};
static const edf_signal plus[] = {{"EEG C4-M1", "uV", "-1000", "1000", NULL, NULL, 8},
                                  {"Chin", "mV", "-5", "5", NULL, NULL, 4},
                                  {"EDF Annotations", "", "-1", "1", NULL, NULL, 40}};

static char test_file[64];

static int make_path(void **state) {
    (void)state;
    snprintf(test_file, sizeof test_file, "/tmp/sv-test-%ld.edf", (long)getpid());
    return 0;
}

static int remove_path(void **state) {
    (void)state;
    unlink(test_file);
    return 0;
}

static edf_file sound(int n_records) {
    edf_file f = {.signals = two, .n_signals = 2};
    edf_begin(&f);
    for (int i = 0; i < n_records; i++) edf_record(&f, NULL, NULL);
    return f;
}

static edf_file with_times(const char *reserved, const char *const *times, int n, const char *more) {
    edf_file f = {.signals = plus, .n_signals = 3, .reserved = reserved};
    edf_begin(&f);
    for (int i = 0; i < n; i++) edf_record_at(&f, times[i], i == 1 ? more : "");
    return f;
}

static sv_recording *open_saved(edf_file *f) {
    sv_error err = {0};
    sv_recording *r = NULL;
    edf_save(f, test_file);
    ASSERT_OK(sv_recording_open(test_file, &r, &err), err);
    return r;
}

static bool warns(const sv_recording_info *info, const char *words) {
    for (int i = 0; i < info->n_warnings; i++) {
        if (strstr(info->warnings[i], words)) return true;
    }
    return false;
}

static void assert_near(double a, double b, double tolerance) {
    if (!(fabs(a - b) <= tolerance)) fail_msg("%.17g is not %.17g +- %g", a, b, tolerance);
}

static void a_sound_file_is_read_without_warnings(void **state) {
    (void)state;
    edf_file f = sound(5);
    sv_recording *r = open_saved(&f);
    const sv_recording_info *info = sv_recording_get_info(r);
    assert_int_equal(info->n_warnings, 0);
    assert_int_equal(info->n_signals, 2);
    assert_string_equal(info->signals[0].label, "EEG C4-M1");
    assert_string_equal(info->signals[1].unit, "mV");
    assert_int_equal(info->signals[0].n_samples, 40);
    assert_near(info->signals[0].rate_hz, 8, 0);
    assert_near(info->duration_s, 5, 0);
    assert_int_equal(info->n_segments, 1);
    assert_true(info->start.known && info->start.year == 2020 && info->start.hour == 22 && info->start.minute == 30);
    double x[40], y[40], uv[20];
    sv_error err;
    ASSERT_OK(sv_recording_read(r, 0, 0, 40, x, &err), err);
    for (int i = 0; i < 40; i++) {
        double wanted = (edf_sample(&f, 0, i) + 32768.0) * 2000 / 65535 - 1000;
        assert_near(x[i], wanted, 1e-9);
    }
    for (int first = 0; first < 40; first++) { /* every window gives the same samples */
        for (int n = 0; n <= 40 - first; n++) {
            ASSERT_OK(sv_recording_read(r, 0, first, n, y, &err), err);
            assert_memory_equal(y, x + first, (size_t)n * sizeof *x);
        }
    }
    ASSERT_OK(sv_recording_read_uv(r, 1, 0, 20, uv, &err), err);
    assert_near(uv[3], ((edf_sample(&f, 1, 3) + 32768.0) * 10 / 65535 - 5) * 1000, 1e-9);
    assert_int_equal(sv_recording_read(r, 0, 39, 2, x, &err), SV_ERR_USAGE);
    assert_int_equal(sv_recording_read(r, 0, -1, 1, x, &err), SV_ERR_USAGE);
    assert_int_equal(sv_recording_read(r, 0, INT64_MAX, INT64_MAX, x, &err), SV_ERR_USAGE);
    assert_int_equal(sv_recording_read(r, 2, 0, 1, x, &err), SV_ERR_USAGE);
    sv_recording_close(r);
    edf_free(&f);
}

/* Header bytes are overwritten; the file must still give the same samples, and say what was repaired. */
typedef struct repair_case {
    size_t at;
    const char *text;
    size_t width;
    const char *warning;
} repair_case;

static void headers_are_repaired_when_the_meaning_is_certain(void **state) {
    (void)state;
    enum { N = 2 };
    static const repair_case cases[] = {{EDF_AT_HEADER_BYTES, "1024", 8, "header size"},
                                        {EDF_AT_HEADER_BYTES, "", 8, "header size"},
                                        {EDF_AT_N_SIGNALS, "x", 4, "number of signals"},
                                        {EDF_AT_N_SIGNALS, "77", 4, "number of signals"},
                                        {EDF_AT_N_RECORDS, "-1", 8, "not closed properly"},
                                        {EDF_AT_N_RECORDS, "9", 8, "cut off"},
                                        {EDF_AT_N_RECORDS, "3", 8, "the header says 3 data records"},
                                        {EDF_AT_N_RECORDS, "many", 8, "number of data records reads"},
                                        {EDF_AT_DURATION, "1,000", 8, "is read as 1 s"},
                                        {EDF_AT_DATE, "31.02.20", 8, "date of the recording field"},
                                        {EDF_AT_DATE, "02.02.20", 8, "in the recording field; the first"},
                                        {0, "0\t\t     ", 8, "version field"},
                                        {256 + 104 * N, "-1000,0", 8, "is read as -1000"},
                                        {256 + 104 * N, "-1000\r\n", 8, "is read as -1000"}};
    edf_file f = sound(5);
    unsigned char *original = malloc(f.n_bytes);
    memcpy(original, f.bytes, f.n_bytes);
    sv_recording *r = open_saved(&f);
    double x[40], y[40];
    sv_error err;
    ASSERT_OK(sv_recording_read(r, 0, 0, 40, x, &err), err);
    sv_recording_close(r);
    for (size_t i = 0; i < SV_COUNT(cases); i++) {
        edf_put(&f, cases[i].at, cases[i].text, cases[i].width);
        r = open_saved(&f);
        const sv_recording_info *info = sv_recording_get_info(r);
        if (!warns(info, cases[i].warning)) fail_msg("case %zu: no warning with \"%s\"", i, cases[i].warning);
        assert_int_equal(info->n_records, 5);
        assert_true(info->start.known);
        ASSERT_OK(sv_recording_read(r, 0, 0, 40, y, &err), err);
        assert_memory_equal(x, y, sizeof x);
        sv_recording_close(r);
        memcpy(f.bytes, original, f.n_bytes);
    }
    free(original);
    edf_free(&f);
}

static void files_without_a_certain_layout_are_refused_with_the_place(void **state) {
    (void)state;
    static const struct {
        size_t at;
        const char *text;
        size_t width;
        int64_t offset;
        const char *words;
    } cases[] = {{0, "RIFF", 8, 0, "not an EDF"},
                 {0, "\x1F\x8B", 8, 0, "gzip"},
                 {EDF_AT_N_SIGNALS, "0", 4, -2, "samples per record"}, /* then the header size is believed, see below */
                 {256 + 216 * 2, "8x", 8, 256 + 216 * 2, "samples per record of signal 1"},
                 {256 + 216 * 2 + 8, "-4", 8, 256 + 216 * 2 + 8, "samples per record of signal 2"},
                 {EDF_AT_DURATION, "0", 8, EDF_AT_DURATION, "duration of a data record"},
                 {EDF_AT_DURATION, "1e-300", 8, EDF_AT_DURATION, "duration of a data record"}};
    for (size_t i = 0; i < SV_COUNT(cases); i++) {
        edf_file f = sound(5);
        edf_put(&f, cases[i].at, cases[i].text, cases[i].width);
        if (cases[i].offset == -2) edf_put(&f, EDF_AT_HEADER_BYTES, "99", 8);
        edf_save(&f, test_file);
        edf_free(&f);
        sv_recording *r;
        sv_error err;
        assert_int_equal(sv_recording_open(test_file, &r, &err), SV_ERR_INPUT);
        assert_null(r);
        if (cases[i].offset == -2) {
            assert_int_equal(err.offset, EDF_AT_N_SIGNALS);
            continue;
        }
        assert_int_equal(err.offset, cases[i].offset);
        if (!strstr(err.message, cases[i].words)) fail_msg("\"%s\" lacks \"%s\"", err.message, cases[i].words);
        assert_non_null(strstr(err.message, test_file));
    }
}

static void what_is_no_edf_file_is_named(void **state) {
    (void)state;
    sv_recording *r;
    sv_error err;
    assert_int_equal(sv_recording_open("/tmp", &r, &err), SV_ERR_INPUT);
    assert_non_null(strstr(err.message, "folder"));
    assert_int_equal(sv_recording_open("/nonexistent/a.edf", &r, &err), SV_ERR_INPUT);
    assert_int_equal(sv_recording_open("/dev/null", &r, NULL), SV_ERR_INPUT);
    edf_file f = sound(2);
    for (size_t n = 0; n < 768; n += 7) { /* every cut through the header */
        size_t whole = f.n_bytes;
        f.n_bytes = n;
        edf_save(&f, test_file);
        f.n_bytes = whole;
        assert_int_equal(sv_recording_open(test_file, &r, &err), SV_ERR_INPUT);
    }
    edf_free(&f);
}

static void text_mode_damage_is_recognised(void **state) {
    (void)state;
    edf_file f = sound(500), damaged = {0};
    for (size_t i = 0; i < f.n_bytes; i++)
        edf_append(&damaged, f.bytes[i] == '\n' ? "\r\n" : (char *)f.bytes + i, f.bytes[i] == '\n' ? 2 : 1);
    edf_save(&damaged, test_file);
    sv_recording *r;
    sv_error err;
    if (damaged.n_bytes % 24 == 0) fail_msg("the damaged file must not fit the header");
    assert_int_equal(sv_recording_open(test_file, &r, &err), SV_ERR_INPUT);
    assert_non_null(strstr(err.message, "text mode"));
    edf_free(&f);
    edf_free(&damaged);
}

static void a_cut_record_is_left_out(void **state) {
    (void)state;
    edf_file f = sound(5);
    f.n_bytes -= 3;
    sv_recording *r = open_saved(&f);
    const sv_recording_info *info = sv_recording_get_info(r);
    assert_int_equal(info->n_records, 4);
    assert_true(warns(info, "cut off") && warns(info, "belong to no whole data record"));
    sv_recording_close(r);
    edf_free(&f);
}

static void records_larger_than_the_buffer_are_read_in_pieces(void **state) {
    (void)state;
    enum { N = 700000, WINDOW = 1000 }; /* 1.4 MB a record, the buffer has 1 MiB */
    static const edf_signal s[] = {{"Big", "uV", "-32768", "32767", NULL, NULL, N},
                                   {"Small", "uV", NULL, NULL, NULL, NULL, 5}};
    edf_file f = {.signals = s, .n_signals = 2};
    edf_begin(&f);
    for (int i = 0; i < 3; i++) edf_record(&f, NULL, NULL);
    sv_recording *r = open_saved(&f);
    double *x = malloc(3 * N * sizeof *x), small[15];
    sv_error err;
    ASSERT_OK(sv_recording_read(r, 0, 0, 3 * N, x, &err), err);
    for (int i = 0; i < 3 * N; i++) {
        if (x[i] != edf_sample(&f, 0, i)) fail_msg("sample %d", i);
    }
    ASSERT_OK(sv_recording_read(r, 0, 2 * N - WINDOW / 2, WINDOW, x, &err), err);
    for (int i = 0; i < WINDOW; i++) assert_near(x[i], edf_sample(&f, 0, 2 * N - WINDOW / 2 + i), 0);
    ASSERT_OK(sv_recording_read(r, 1, 0, 15, small, &err), err);
    for (int i = 0; i < 15; i++) assert_near(small[i], (edf_sample(&f, 1, i) + 32768.0) * 2000 / 65535 - 1000, 1e-9);
    free(x);
    sv_recording_close(r);
    edf_free(&f);
}

static void a_file_that_shrinks_is_an_error(void **state) {
    (void)state;
    edf_file f = sound(5);
    sv_recording *r = open_saved(&f);
    double x[40];
    sv_error err;
    assert_int_equal(truncate(test_file, 800), 0);
    assert_int_equal(sv_recording_read(r, 0, 0, 40, x, &err), SV_ERR_INPUT);
    assert_int_equal(err.offset, 800);
    assert_non_null(strstr(err.message, test_file));
    sv_recording_close(r);
    edf_free(&f);
}

static void scales(void **state) {
    (void)state;
    static const struct {
        const char *pmin, *pmax, *dmin, *dmax, *warning;
        double first, uv;
    } cases[] = {{"1000", "-1000", NULL, NULL, "inverted", 1000, 1},
                 {"-1000", "1000", "32767", "-32768", "line through both", 1000, 1},
                 {"5", "5", NULL, NULL, "no scale", -32768, 0},
                 {"-1000", "1000", "7", "7", "no scale", -32768, 0},
                 {"abc", "1000", NULL, NULL, "not a number", -32768, 0},
                 {"-1000", "1000", "-32768", "32767.5", "no sample can have", -32768, 0}};
    for (size_t i = 0; i < SV_COUNT(cases); i++) {
        const edf_signal s = {"X", "uV", cases[i].pmin, cases[i].pmax, cases[i].dmin, cases[i].dmax, 2};
        edf_file f = {.signals = &s, .n_signals = 1};
        edf_begin(&f);
        edf_append(&f, "\x00\x80\xFF\x7F", 4);
        edf_put(&f, EDF_AT_N_RECORDS, "1", 8);
        sv_recording *r = open_saved(&f);
        double x[2];
        sv_error err;
        ASSERT_OK(sv_recording_read(r, 0, 0, 2, x, &err), err);
        if (!warns(sv_recording_get_info(r), cases[i].warning)) fail_msg("case %zu: no \"%s\"", i, cases[i].warning);
        assert_near(x[0], cases[i].first, 1e-9);
        assert_near(sv_recording_get_info(r)->signals[0].uv_per_unit, cases[i].uv, 0);
        if (cases[i].uv == 0) assert_int_equal(sv_recording_read_uv(r, 0, 0, 1, x, &err), SV_ERR_UNSUPPORTED);
        sv_recording_close(r);
        edf_free(&f);
    }
}

static void units(void **state) {
    (void)state;
    static const struct {
        const char *unit;
        double uv;
    } cases[] = {
        {"uV", 1},
        {"UV", 1},
        {"\xC2\xB5V", 1},
        {"\xCE\xBCV", 1},
        {"\xB5V", 1},
        {"\xC3\x82\xC2\xB5V", 1},
        {"microV", 1},
        {"microvolts", 1},
        {"Microvolt", 1},
        {"\xC2\xB5Volt", 1},
        {"[uV]", 1},
        {"(uV)", 1},
        {" uV ", 1},
        {"mV", 1e3},
        {"mVolt", 1e3},
        {"millivolts", 1e3},
        {"MV", 1e3},
        {"V", 1e6},
        {"Volt", 1e6},
        {"volts", 1e6},
        {"nV", 1e-3},
        {"nanovolt", 1e-3},
        {"", 0},
        {"u", 0},
        {"%", 0},
        {"Ohm", 0},
        {"V/s", 0},
        {"g", 0},
        {"m", 0},
        {"uVx", 0},
        {"kV", 0},
        {"dB", 0},
        {"uV uV uV uV uV uV uV uV uV uV uV uV uV uV uV uV uV uV uV uV uV uV uV uV uV uV uV uV uV uV uV uV", 0}};
    for (size_t i = 0; i < SV_COUNT(cases); i++) {
        if (sv_unit_to_uv(cases[i].unit) != cases[i].uv)
            fail_msg("\"%s\" gave %g", cases[i].unit, sv_unit_to_uv(cases[i].unit));
    }
}

static void start_dates(void **state) {
    (void)state;
    static const struct {
        const char *date, *time, *recording;
        bool known;
        int year, month;
    } cases[] = {{"31.12.84", "00.00.00", "", true, 2084, 12},
                 {"01.01.85", "23.59.59", "", true, 1985, 1},
                 {"29.02.00", "01.02.03", "", true, 2000, 2},
                 {"29.02.01", "01.02.03", "", false, 0, 0},
                 {"00.00.00", "01.02.03", "", false, 0, 0},
                 {"01.02.20", "24.00.00", "", false, 0, 0},
                 {"01-02-20", "01:02:03", "", true, 2020, 2},
                 {"1.2.2020", "1.2.3", "", true, 2020, 2},
                 {"01.02.yy", "01.02.03", "Startdate 01-FEB-2090 X X X", true, 2090, 2},
                 {"01.02.90", "01.02.03", "Startdate 01-FEB-2090 X X X", true, 2090, 2},
                 {"xx.xx.xx", "01.02.03", "Startdate 01-feb-2019 X X X", true, 2019, 2},
                 {"xx.xx.xx", "01.02.03", "Startdate X X X X", false, 0, 0},
                 {"xx.xx.xx", "01.02.03", "Startdate 31-FEB-2019 X X X", false, 0, 0}};
    for (size_t i = 0; i < SV_COUNT(cases); i++) {
        edf_file f = {.signals = two,
                      .n_signals = 2,
                      .date = cases[i].date,
                      .time = cases[i].time,
                      .recording = cases[i].recording};
        edf_begin(&f);
        sv_recording *r = open_saved(&f);
        const sv_recording_info *info = sv_recording_get_info(r);
        if (info->start.known != cases[i].known || info->start.year != cases[i].year ||
            info->start.month != cases[i].month) {
            fail_msg("case %zu: known %d, %d-%d", i, info->start.known, info->start.year, info->start.month);
        }
        assert_true(cases[i].known || warns(info, "the start is unknown"));
        assert_int_equal(info->n_records, 0);
        sv_recording_close(r);
        edf_free(&f);
    }
}

static void gaps_become_segments(void **state) {
    (void)state;
    static const struct {
        const char *reserved, *times[5];
        int n_segments;
        double starts[3], duration;
        bool warns;
    } cases[] = {{"EDF+D", {"+0", "+1", "+2", "+3", "+4"}, 1, {0}, 5, false},
                 {"EDF+D", {"+0", "+1", "+7.5", "+8.5", "+100"}, 3, {0, 7.5, 100}, 101, false},
                 {"EDF+D", {"+0.25", "+1.25", "+7.75", "+8.75", "+9.75"}, 2, {0, 7.5}, 10.5, false},
                 {"EDF+D", {"+0", "+1.001", "+1.999", "+3.002", "+4"}, 1, {0}, 5, false}, /* rounding */
                 {"EDF+D", {"+60", "+61", "+70", "+71", "+72"}, 2, {0, 10}, 13, true},    /* begins late */
                 {"EDF+D", {"+0", "+1", "+0.5", "+3", "+4"}, 1, {0}, 5, true},            /* goes back */
                 {"EDF+D", {"+0", "+1", "junk", "+3", "+4"}, 1, {0}, 5, true},
                 {"EDF+C", {"+0", "+1", "+7", "+8", "+9"}, 1, {0}, 5, true}}; /* says that it has none */
    for (size_t i = 0; i < SV_COUNT(cases); i++) {
        edf_file f = with_times(cases[i].reserved, cases[i].times, 5, "");
        sv_recording *r = open_saved(&f);
        const sv_recording_info *info = sv_recording_get_info(r);
        if (info->n_segments != cases[i].n_segments) fail_msg("case %zu: %d segments", i, info->n_segments);
        int64_t n_records = 0;
        for (int k = 0; k < info->n_segments; k++) {
            assert_near(info->segments[k].start_s, cases[i].starts[k], 1e-9);
            assert_int_equal(info->segments[k].first_record, n_records);
            n_records += info->segments[k].n_records;
        }
        assert_int_equal(n_records, 5);
        assert_near(info->duration_s, cases[i].duration, 1e-9);
        assert_int_equal(info->n_warnings > 0, cases[i].warns);
        sv_recording_close(r);
        edf_free(&f);
    }
}

static void a_late_first_record_moves_the_start(void **state) {
    (void)state;
    const char *times[] = {"+5400.5", "+5401.5"};
    edf_file f = with_times("EDF+C", times, 2,
                            "+5401\x14"
                            "x\x14");
    edf_put(&f, EDF_AT_DATE, "31.12.20", 8);
    edf_put(&f, EDF_AT_RECORDING, "", 80);
    sv_recording *r = open_saved(&f);
    const sv_start_time *s = &sv_recording_get_info(r)->start;
    assert_true(s->year == 2021 && s->month == 1 && s->day == 1 && s->hour == 0 && s->minute == 0 && s->second == 0);
    assert_near(s->fraction_s, 0.5, 1e-12);
    assert_near(sv_recording_get_info(r)->annotations[0].onset_s, 0.5, 1e-9);
    sv_recording_close(r);
    edf_free(&f);
}

static void annotations_are_read(void **state) {
    (void)state;
    static const struct {
        const char *more;
        int n;
        double onset, duration;
        const char *text;
    } cases[] = {{"+3\x15"
                  "30\x14Sleep stage W\x14",
                  1, 3, 30, "Sleep stage W"},
                 {"+3.25\x14"
                  "a\x14"
                  "b\x14",
                  2, 3.25, -1, "a"},
                 {"-1.5\x14"
                  "before\x14",
                  1, -1.5, -1, "before"},
                 {"+1,5\x14"
                  "comma\x14",
                  1, 1.5, -1, "comma"},
                 {"+1\x14"
                  "caf\xE9\x14",
                  1, 1, -1, "caf\xC3\xA9"},
                 {"+1\x14"
                  "caf\xC3\xA9\x14",
                  1, 1, -1, "caf\xC3\xA9"},
                 {"+1\x14"
                  "open end",
                  1, 1, -1, "open end"},
                 {"+x\x14"
                  "bad\x14",
                  0, 0, 0, NULL},
                 {"+1\x15"
                  "-3\x14"
                  "bad\x14",
                  0, 0, 0, NULL},
                 {"+1", 0, 0, 0, NULL}};
    const char *times[] = {"+0", "+1", "+2"};
    for (size_t i = 0; i < SV_COUNT(cases); i++) {
        edf_file f = with_times("EDF+C", times, 3, cases[i].more);
        sv_recording *r = open_saved(&f);
        const sv_recording_info *info = sv_recording_get_info(r);
        if (info->n_annotations != cases[i].n) fail_msg("case %zu: %d annotations", i, info->n_annotations);
        assert_int_equal(warns(info, "cannot be read and are left out"), cases[i].n == 0);
        if (cases[i].n) {
            assert_near(info->annotations[0].onset_s, cases[i].onset, 1e-12);
            assert_near(info->annotations[0].duration_s, cases[i].duration, 1e-12);
            assert_string_equal(info->annotations[0].text, cases[i].text);
        }
        sv_recording_close(r);
        edf_free(&f);
    }
}

static void several_annotation_signals_are_merged_by_time(void **state) {
    (void)state;
    static const edf_signal s[] = {{"EDF Annotations", "", "-1", "1", NULL, NULL, 20},
                                   {"EEG", "uV", NULL, NULL, NULL, NULL, 3},
                                   {"EDF Annotations", "", "-1", "1", NULL, NULL, 20}};
    edf_file f = {.signals = s, .n_signals = 3, .reserved = "EDF+C"};
    edf_begin(&f);
    static const char a[] =
        "+0\x14\x14\0+0.75\x14"
        "second\x14",
                      b[] =
                          "+0.5\x14"
                          "first\x14\0+0.75\x14"
                          "third\x14";
    edf_record(&f, (const char *[]){a, b}, (size_t[]){sizeof a, sizeof b});
    sv_recording *r = open_saved(&f);
    const sv_recording_info *info = sv_recording_get_info(r);
    assert_int_equal(info->n_annotations, 3);
    assert_string_equal(info->annotations[0].text, "first");
    assert_string_equal(info->annotations[1].text, "second");
    assert_string_equal(info->annotations[2].text, "third");
    assert_int_equal(info->n_signals, 1);
    assert_int_equal(info->n_warnings, 0);
    sv_recording_close(r);
    edf_free(&f);
}

static void odd_texts_become_utf8(void **state) {
    (void)state;
    static const struct {
        const char *label, *text;
    } cases[] = {{"Imp\xE9"
                  "dance",
                  "Imp\xC3\xA9"
                  "dance"},
                 {"Imp\xC3\xA9"
                  "dance",
                  "Imp\xC3\xA9"
                  "dance"},
                 {"\xE4\xBB\xB0\xE5\x8D\xA7\xE4\xBB\xB0\xE5\x8D\xA7\xE4\xBB\xB0\xE5",
                  "\xE4\xBB\xB0\xE5\x8D\xA7\xE4\xBB\xB0\xE5\x8D\xA7\xE4\xBB\xB0"},
                 {"  a\tb  ", "a b"},
                 {"", ""}};
    for (size_t i = 0; i < SV_COUNT(cases); i++) {
        edf_signal s = {cases[i].label, "uV", NULL, NULL, NULL, NULL, 1};
        edf_file f = {.signals = &s, .n_signals = 1};
        edf_begin(&f);
        sv_recording *r = open_saved(&f);
        assert_string_equal(sv_recording_get_info(r)->signals[0].label, cases[i].text);
        sv_recording_close(r);
        edf_free(&f);
    }
}

static void fractional_records_and_times_give_exact_rates(void **state) {
    (void)state;
    edf_file f = sound(3);
    edf_put(&f, EDF_AT_DURATION, "0.996", 8);
    sv_recording *r = open_saved(&f);
    assert_near(sv_recording_get_info(r)->signals[0].rate_hz, 8 / 0.996, 1e-12);
    assert_near(sv_recording_get_info(r)->duration_s, 3 * 0.996, 1e-12);
    sv_recording_close(r);
    edf_free(&f);
    const char *times[] = {"+0", "+0.5", "+1"}; /* duration 0, told by the times of the records */
    f = with_times("EDF+C", times, 3, "");
    edf_put(&f, EDF_AT_DURATION, "0", 8);
    r = open_saved(&f);
    assert_near(sv_recording_get_info(r)->signals[0].rate_hz, 16, 1e-12);
    assert_true(warns(sv_recording_get_info(r), "times of the records"));
    sv_recording_close(r);
    edf_free(&f);
}

static void compare_signal(sv_recording *r, const struct edf_hdr_struct *header, int signal) {
    enum { CHUNK = 5000 };
    static double ours[CHUNK], theirs[CHUNK];
    const sv_signal *s = &sv_recording_get_info(r)->signals[signal];
    const struct edf_param_struct *p = &header->signalparam[signal];
    assert_int_equal(s->n_samples, p->smp_in_file);
    assert_near(s->physical_min, p->phys_min, 0);
    assert_int_equal(s->digital_max, p->dig_max);
    double tolerance = 1e-12 * (fabs(p->phys_max) + fabs(p->phys_min));
    sv_error err;
    for (int64_t first = 0; first < s->n_samples; first += CHUNK) {
        int n = (int)SV_MIN(s->n_samples - first, CHUNK);
        ASSERT_OK(sv_recording_read(r, signal, first, n, ours, &err), err);
        assert_int_equal(edfread_physical_samples(header->handle, signal, n, theirs), n);
        for (int i = 0; i < n; i++) assert_near(ours[i], theirs[i], tolerance);
    }
}

static bool compare_with_edflib(const char *path) {
    static struct edf_hdr_struct header;
    if (edfopen_file_readonly(path, &header, EDFLIB_READ_ALL_ANNOTATIONS) != 0) return false;
    sv_recording *r;
    sv_error err;
    ASSERT_OK(sv_recording_open(path, &r, &err), err);
    const sv_recording_info *info = sv_recording_get_info(r);
    assert_int_equal(info->n_signals, header.edfsignals);
    assert_int_equal(info->n_records, header.datarecords_in_file);
    if (info->start.known) {
        assert_int_equal(info->start.year, header.startdate_year);
        assert_int_equal(info->start.month, header.startdate_month);
        assert_int_equal(info->start.second, header.starttime_second);
        assert_near(info->start.fraction_s, (double)header.starttime_subsecond * 1e-7, 1e-7);
    }
    for (int i = 0; i < info->n_signals; i++) compare_signal(r, &header, i);
    if (info->n_annotations != header.annotations_in_file) {
        fail_msg("%s: %d annotations, EDFlib has %lld", path, info->n_annotations, header.annotations_in_file);
    }
    for (int i = 0; i < info->n_annotations; i++) { /* EDFlib keeps the order of the file: look each of ours up in it */
        bool found = false;
        for (int k = 0; k < info->n_annotations && !found; k++) {
            struct edf_annotation_struct a;
            assert_int_equal(edf_get_annotation(header.handle, k, &a), 0);
            found = fabs((double)a.onset * 1e-7 - info->annotations[i].onset_s) <= 2e-7 &&
                    strncmp(a.annotation, info->annotations[i].text, EDFLIB_MAX_ANNOTATION_LEN) == 0;
        }
        if (!found)
            fail_msg("%s: EDFlib lacks %g \"%s\"", path, info->annotations[i].onset_s, info->annotations[i].text);
    }
    edfclose_file(header.handle);
    sv_recording_close(r);
    return true;
}

static void generated_files_agree_with_edflib(void **state) {
    (void)state;
    static const edf_signal bdf[] = {{"A", "uV", NULL, NULL, NULL, NULL, 5},
                                     {"B", "mV", "-3", "7", NULL, NULL, 3},
                                     {"BDF Annotations", "", "-1", "1", NULL, NULL, 20}};
    const char *times[] = {"+0", "+1", "+2", "+3"};
    edf_file files[3] = {sound(7),
                         with_times("EDF+C", times, 4,
                                    "+1.5\x15"
                                    "30\x14Sleep stage W\x14"),
                         {.bdf = true, .signals = bdf, .n_signals = 3, .reserved = "BDF+C"}};
    edf_begin(&files[2]);
    for (int i = 0; i < 4; i++) edf_record_at(&files[2], times[i], "+1\x14x\x14");
    for (size_t i = 0; i < SV_COUNT(files); i++) {
        edf_save(&files[i], test_file);
        if (!compare_with_edflib(test_file)) fail_msg("EDFlib refuses generated file %zu", i);
        edf_free(&files[i]);
    }
}

static void compare_folder(const char *folder, int *n_compared, int *n_only_ours) {
    DIR *d = opendir(folder);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));) {
        char *path = sv_path_join(folder, e->d_name);
        struct stat about;
        assert_int_equal(stat(path, &about), 0);
        const char *dot = strrchr(e->d_name, '.');
        if (S_ISDIR(about.st_mode) && e->d_name[0] != '.') {
            compare_folder(path, n_compared, n_only_ours);
        } else if (dot && (strcmp(dot, ".edf") == 0 || strcmp(dot, ".bdf") == 0)) {
            sv_recording *r;
            sv_error err;
            ASSERT_OK(sv_recording_open(path, &r, &err), err); /* we open all of them, EDFlib does not */
            sv_recording_close(r);
            bool compared = compare_with_edflib(path);
            if (!compared) print_message("EDFlib refuses %s\n", e->d_name);
            ++*(compared ? n_compared : n_only_ours);
        }
        free(path);
    }
    closedir(d);
}

static void real_files_agree_with_edflib(void **state) {
    (void)state;
    SKIP_WITHOUT(shared_path("data/edf-cases"));
    int n_compared = 0, n_only_ours = 0;
    compare_folder(shared_path("data"), &n_compared, &n_only_ours);
    print_message("%d files agree with EDFlib, %d more that it refuses are read\n", n_compared, n_only_ours);
    assert_true(n_compared >= 30);
}

static void a_long_night_needs_little_memory(void **state) {
    (void)state;
    enum { N_SIGNALS = 90, HOURS = 10, RATE = 512, WINDOW = 30 * RATE };
    edf_signal s[N_SIGNALS];
    for (int i = 0; i < N_SIGNALS; i++) s[i] = (edf_signal){"EEG", "uV", NULL, NULL, NULL, NULL, RATE};
    s[N_SIGNALS - 1] = (edf_signal){"EDF Annotations", "", "-1", "1", NULL, NULL, 30};
    edf_file f = {.signals = s, .n_signals = N_SIGNALS, .reserved = "EDF+C"};
    edf_begin(&f);
    edf_put(&f, EDF_AT_N_RECORDS, "36000", 8);
    edf_save(&f, test_file);
    int64_t record_bytes = (N_SIGNALS - 1) * RATE * 2 + 60;
    int64_t n_bytes = (int64_t)f.n_bytes + HOURS * 3600 * record_bytes; /* 3.3 GB, all hole */
    assert_int_equal(truncate(test_file, n_bytes), 0);
    struct rusage before, after;
    getrusage(RUSAGE_SELF, &before);
    sv_recording *r;
    sv_error err;
    static double x[WINDOW];
    ASSERT_OK(sv_recording_open(test_file, &r, &err), err);
    assert_int_equal(sv_recording_get_info(r)->n_records, HOURS * 3600);
    for (int i = 0; i < HOURS * 120; i++)
        ASSERT_OK(sv_recording_read(r, 40, (int64_t)i * WINDOW, WINDOW, x, &err), err);
    getrusage(RUSAGE_SELF, &after);
    assert_true(after.ru_maxrss - before.ru_maxrss < 16 * 1024); /* KiB */
    sv_recording_close(r);
    edf_free(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_sound_file_is_read_without_warnings),
                                       cmocka_unit_test(headers_are_repaired_when_the_meaning_is_certain),
                                       cmocka_unit_test(files_without_a_certain_layout_are_refused_with_the_place),
                                       cmocka_unit_test(what_is_no_edf_file_is_named),
                                       cmocka_unit_test(text_mode_damage_is_recognised),
                                       cmocka_unit_test(a_cut_record_is_left_out),
                                       cmocka_unit_test(records_larger_than_the_buffer_are_read_in_pieces),
                                       cmocka_unit_test(a_file_that_shrinks_is_an_error),
                                       cmocka_unit_test(scales),
                                       cmocka_unit_test(units),
                                       cmocka_unit_test(start_dates),
                                       cmocka_unit_test(gaps_become_segments),
                                       cmocka_unit_test(a_late_first_record_moves_the_start),
                                       cmocka_unit_test(annotations_are_read),
                                       cmocka_unit_test(several_annotation_signals_are_merged_by_time),
                                       cmocka_unit_test(odd_texts_become_utf8),
                                       cmocka_unit_test(fractional_records_and_times_give_exact_rates),
                                       cmocka_unit_test(generated_files_agree_with_edflib),
                                       cmocka_unit_test(real_files_agree_with_edflib),
                                       cmocka_unit_test(a_long_night_needs_little_memory)};
    return cmocka_run_group_tests(tests, make_path, remove_path);
}
