/* test_quality_file.c - montage and quality on files: written by EDFlib, read by ours; and on the real recordings. */
#include "support/test.h"

#include <edflib.h>
#include <math.h>

#include "base/memory.h"
#include "psg/quality.h"

typedef struct channel {
    const char *label, *unit;
    double uv_per_unit;
    double scale_uv; /* sd of the noise */
    int flat_from_s; /* 0: never */
} channel;

static uint32_t seed;

static double uniform(void) {
    seed = seed * 1664525u + 1013904223u;
    return seed / 4294967296.0 - 0.5;
}

/* Noise with an EEG's slope on every channel (white where the label says EMG), each signal its own. */
static void write_edf(const char *path, const channel *channels, int n, int rate_hz, int duration_s) {
    int handle = edfopen_file_writeonly(path, EDFLIB_FILETYPE_EDFPLUS, n);
    assert_true(handle >= 0);
    double level[8] = {0}, buffer[512];
    assert_true(n <= 8 && rate_hz <= 512);
    for (int k = 0; k < n; k++) {
        edf_set_samplefrequency(handle, k, rate_hz);
        edf_set_physical_maximum(handle, k, 2000 / channels[k].uv_per_unit);
        edf_set_physical_minimum(handle, k, -2000 / channels[k].uv_per_unit);
        edf_set_digital_maximum(handle, k, 32767);
        edf_set_digital_minimum(handle, k, -32768);
        edf_set_label(handle, k, channels[k].label);
        edf_set_physical_dimension(handle, k, channels[k].unit);
    }
    seed = 1;
    for (int second = 0; second < duration_s; second++) {
        for (int k = 0; k < n; k++) {
            double keep = strstr(channels[k].label, "EMG") ? 0 : 0.97, step = sqrt(12 * (1 - keep * keep));
            bool flat = channels[k].flat_from_s && second >= channels[k].flat_from_s;
            for (int i = 0; i < rate_hz; i++) {
                level[k] = flat ? 0 : keep * level[k] + step * uniform();
                buffer[i] = level[k] * channels[k].scale_uv / channels[k].uv_per_unit;
            }
            assert_int_equal(edfwrite_physical_samples(handle, buffer), 0);
        }
    }
    assert_int_equal(edfclose_file(handle), 0);
}

typedef struct opened {
    char path[64];
    sv_recording *recording;
    sv_montage montage;
} opened;

static void open_written(opened *o, const channel *channels, int n, int rate_hz, int duration_s) {
    sv_error err = {0};
    snprintf(o->path, sizeof o->path, "/tmp/sv-quality-%d.edf", (int)getpid());
    write_edf(o->path, channels, n, rate_hz, duration_s);
    ASSERT_OK(sv_recording_open(o->path, &o->recording, &err), err);
    ASSERT_OK(sv_montage_find(sv_recording_get_info(o->recording), NULL, 0, &o->montage, &err), err);
}

static void close_written(opened *o) {
    sv_recording_close(o->recording);
    unlink(o->path);
}

static const sv_quality_warning *find_warning(const sv_quality *q, sv_quality_kind kind, int role) {
    for (int i = 0; i < q->n_warnings; i++) {
        if (q->warnings[i].kind == kind && q->warnings[i].role == role) return &q->warnings[i];
    }
    for (int i = 0; i < q->n_warnings; i++) print_message("  %s\n", q->warnings[i].text);
    fail_msg("no warning of kind '%s' for role %d", sv_quality_kind_name(kind), role);
    return NULL;
}

static void derivations_are_read_as_differences(void **state) {
    (void)state;
    static const channel channels[] = {{"C4", "mV", 1e3, 20, 0}, {"M1", "uV", 1, 10, 0}, {"EMG Chin", "", 1, 30, 0}};
    opened o;
    sv_error err = {0};
    open_written(&o, channels, 3, 128, 60);
    enum { N = 6000 };
    double *made = calloc(N, sizeof(double)), *plus = calloc(N, sizeof(double)), *minus = calloc(N, sizeof(double));
    const sv_derivation *c4 = &o.montage.roles[SV_ROLE_C4];
    assert_int_equal(c4->plus, 0);
    assert_int_equal(c4->minus, 1);
    ASSERT_OK(sv_derivation_read_uv(o.recording, c4, 100, N, made, &err), err);
    ASSERT_OK(sv_recording_read_uv(o.recording, 0, 100, N, plus, &err), err);
    ASSERT_OK(sv_recording_read_uv(o.recording, 1, 100, N, minus, &err), err);
    for (int i = 0; i < N; i++) assert_true(made[i] == plus[i] - minus[i]);
    const sv_derivation *chin = &o.montage.roles[SV_ROLE_CHIN];
    assert_true(chin->present && chin->minus == -1);
    ASSERT_OK(sv_derivation_read_uv(o.recording, chin, 0, N, made, &err), err); /* no unit: as it stands */
    ASSERT_OK(sv_recording_read(o.recording, 2, 0, N, plus, &err), err);
    assert_memory_equal(made, plus, sizeof(double) * N);
    assert_int_equal(sv_derivation_read_uv(o.recording, &o.montage.roles[SV_ROLE_F4], 0, 1, made, &err), SV_ERR_USAGE);
    assert_int_equal(sv_derivation_read_uv(o.recording, c4, 60 * 128 - 10, 11, made, &err), SV_ERR_USAGE);
    free(made);
    free(plus);
    free(minus);
    close_written(&o);
}

/* 90 minutes have more windows than are read: faults at the end must be seen all the same. */
static void long_recordings_are_sampled_to_the_end(void **state) {
    (void)state;
    static const channel channels[] = {{"EEG C4-A1", "uV", 1, 20, 3600}, {"EMG Chin", "uV", 1, 5, 0}};
    opened o;
    sv_error err = {0};
    sv_quality q;
    open_written(&o, channels, 2, 128, 5400);
    ASSERT_OK(sv_quality_check(o.recording, &o.montage, &q, &err), err);
    const sv_quality_warning *w = find_warning(&q, SV_QUALITY_FLAT, SV_ROLE_C4);
    assert_true(fabs(w->onset_s - 3600) <= 60);
    assert_true(w->onset_s + w->duration_s == 5400);
    assert_true(fabs(q.flat_share[SV_ROLE_C4] - 1.0 / 3) < 0.02);
    assert_true(q.flat_share[SV_ROLE_CHIN] == 0);
    assert_true(fabs(q.rms_uv[SV_ROLE_CHIN] - 5) < 0.2);
    assert_true(isnan(q.rms_uv[SV_ROLE_F4]) && isnan(q.flat_share[SV_ROLE_F4]));
    assert_int_equal(find_warning(&q, SV_QUALITY_RATE_LOW, SV_ROLE_CHIN)->role, SV_ROLE_CHIN);
    assert_int_equal(q.n_warnings, 2);
    sv_quality_free(&q);
    close_written(&o);
}

static void wrong_units_in_a_file_are_seen(void **state) {
    (void)state;
    /* the header says mV, the numbers are uV */
    static const channel channels[] = {{"C4-M1", "mV", 1, 25, 0}, {"E1-M2", "uV", 1, 25, 0}, {"F4-M1", "", 1, 25, 0}};
    opened o;
    sv_error err = {0};
    sv_quality q;
    open_written(&o, channels, 3, 200, 120);
    ASSERT_OK(sv_quality_check(o.recording, &o.montage, &q, &err), err);
    assert_non_null(strstr(find_warning(&q, SV_QUALITY_GAIN, SV_ROLE_C4)->text, "0.001 times"));
    assert_int_equal(q.n_warnings, 1);
    sv_quality_free(&q);
    close_written(&o);
}

static void short_recordings_are_checked(void **state) {
    (void)state;
    static const channel channels[] = {{"C4-M1", "uV", 1, 25, 0}};
    opened o;
    sv_error err = {0};
    sv_quality q;
    open_written(&o, channels, 1, 200, 3);
    ASSERT_OK(sv_quality_check(o.recording, &o.montage, &q, &err), err);
    assert_int_equal(q.n_warnings, 0);
    assert_true(q.rms_uv[SV_ROLE_C4] > 5);
    sv_quality_free(&q);
    close_written(&o);
}

/* What the two real recordings have, looked at by eye: nothing to warn of, 50 Hz in the Nox file. */
static void real_recordings_raise_no_false_alarm(void **state) {
    (void)state;
    static const struct {
        const char *path;
        double mains_hz, amplitude_uv[SV_N_ROLES];
    } cases[] = {{"data/recordings/nox/nox-a1-120s.edf", 50, {10, 10, 11, 11, 11, 2.4}},
                 {"data/recordings/sleep-edf/SC4001E0-first-300s.edf", 0, {21, NAN, 6, 46, NAN, NAN}}};
    for (size_t i = 0; i < SV_COUNT(cases); i++) {
        const char *path = shared_path(cases[i].path);
        SKIP_WITHOUT(path);
        sv_error err = {0};
        sv_recording *r;
        sv_montage m;
        sv_quality q;
        ASSERT_OK(sv_recording_open(path, &r, &err), err);
        ASSERT_OK(sv_montage_find(sv_recording_get_info(r), NULL, 0, &m, &err), err);
        ASSERT_OK(sv_quality_check(r, &m, &q, &err), err);
        for (int k = 0; k < q.n_warnings; k++) print_message("  %s\n", q.warnings[k].text);
        assert_int_equal(q.n_warnings, 0);
        assert_true(q.mains_hz == cases[i].mains_hz);
        for (int role = 0; role < SV_N_ROLES; role++) {
            double expected = cases[i].amplitude_uv[role];
            assert_int_equal(m.roles[role].present, !isnan(expected));
            if (m.roles[role].present) assert_true(fabs(q.amplitude_uv[role] / expected - 1) < 0.06);
        }
        sv_quality_free(&q);
        sv_recording_close(r);
    }
}

/* The real Nox recording with its channels mixed up on purpose. */
static void mixed_up_real_channels_are_seen(void **state) {
    (void)state;
    static const struct {
        const char *choice;
        sv_quality_kind kind;
        int role;
    } cases[] = {
        {"C4=F4-M1", SV_QUALITY_OTHER, SV_ROLE_C4}, /* with F4=F4-M1: one signal twice */
        {"F4=Voltage (core)", SV_QUALITY_GAIN, SV_ROLE_F4},
    };
    const char *path = shared_path("data/recordings/nox/nox-a1-120s.edf");
    SKIP_WITHOUT(path);
    for (size_t i = 0; i < SV_COUNT(cases); i++) {
        sv_error err = {0};
        sv_recording *r;
        sv_montage m;
        sv_quality q;
        sv_channel_choice choices[2];
        ASSERT_OK(sv_channel_choice_parse("F4=F4-M1", &choices[0], &err), err);
        ASSERT_OK(sv_channel_choice_parse(cases[i].choice, &choices[1], &err), err);
        ASSERT_OK(sv_recording_open(path, &r, &err), err);
        ASSERT_OK(sv_montage_find(sv_recording_get_info(r), choices, 2, &m, &err), err);
        ASSERT_OK(sv_quality_check(r, &m, &q, &err), err);
        find_warning(&q, cases[i].kind, cases[i].role);
        sv_quality_free(&q);
        sv_recording_close(r);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(derivations_are_read_as_differences),
                                       cmocka_unit_test(long_recordings_are_sampled_to_the_end),
                                       cmocka_unit_test(wrong_units_in_a_file_are_seen),
                                       cmocka_unit_test(short_recordings_are_checked),
                                       cmocka_unit_test(real_recordings_raise_no_false_alarm),
                                       cmocka_unit_test(mixed_up_real_channels_are_seen)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
