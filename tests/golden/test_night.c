/* test_night.c - nights from files: the published loader's signals and targets, gaps, pieces, options. */
#include <math.h>

#include "base/json.h"
#include "base/memory.h"
#include "psg/features.h"
#include "psg/filter.h"
#include "psg/night.h"
#include "psg/resample.h"
#include "sleep/pieces.h"
#include "sleep/stages.h"
#include "support/edf_file.h"
#include "support/golden_signals.h"

typedef struct opened {
    sv_recording *recording;
    sv_montage montage;
    sv_night night;
} opened;

static void open_recording(opened *o, const char *path) {
    sv_error err;
    ASSERT_OK(sv_recording_open(path, &o->recording, &err), err);
    ASSERT_OK(sv_montage_find(sv_recording_get_info(o->recording), NULL, 0, &o->montage, &err), err);
}

static void close_recording(opened *o) {
    sv_night_free(&o->night);
    sv_recording_close(o->recording);
}

static void compare_loaded(opened *o, const sv_scored_pieces *scored, const char *file, const char *prefix) {
    sv_error err;
    sv_tensor_file *tensors;
    sv_timeline t;
    ASSERT_OK(sv_tensor_file_open(shared_path(file), &tensors, &err), err);
    ASSERT_OK(sv_timeline_init(o->recording, &o->montage, scored->pieces, scored->n, SV_EPOCH_S, &t, &err), err);
    double worst = 0;
    int n_compared = 0;
    for (int r = 0; r < SV_N_ROLES; r++) {
        char name[64];
        size_t n;
        snprintf(name, sizeof name, "%s_%s", prefix, sv_role_name((sv_role)r));
        double *expected = signal_read(tensors, name, &n);
        if (!expected) continue;
        assert_int_equal(t.stretches[0].n, n);
        double *x = calloc(n, sizeof *x);
        ASSERT_OK(sv_timeline_read(&t, (sv_role)r, 0, 0, (int64_t)n, x, 1, &err), err);
        worst = fmax(worst, largest_difference(x, expected, n));
        /* a part in the middle, strided, is the same */
        double *part = calloc(600, sizeof *part);
        ASSERT_OK(sv_timeline_read(&t, (sv_role)r, 0, 4000, 200, part, 3, &err), err);
        for (int i = 0; i < 200; i++) assert_true(part[3 * i] == x[4000 + i]);
        free(part);
        free(expected);
        free(x);
        n_compared++;
    }
    print_message("%s: %d channels, worst difference %.3g uV\n", file, n_compared, worst);
    assert_true(n_compared >= 2);
    assert_true(worst < 1e-9);
    sv_timeline_deinit(&t);
    sv_tensor_file_close(tensors);
}

static void compare_targets(const sv_night *night, const sv_scored_pieces *scored, const char *file) {
    sv_error err;
    json_t *golden;
    ASSERT_OK(sv_json_load(shared_path(file), &golden, &err), err);
    assert_int_equal(json_object_size(golden), night->n_epochs);
    double worst = 0;
    for (int e = 0; e < night->n_epochs; e++) {
        char key[32];
        snprintf(key, sizeof key, scored->n ? "%d_%s" : "%d", e,
                 scored->n ? sv_stage_name((sv_stage)scored->stages[night->piece_of_epoch[e]]) : "");
        json_t *epoch = json_object_get(golden, key);
        assert_non_null(epoch);
        for (int r = 0; r < SV_N_ROLES; r++) {
            json_t *role = json_object_get(epoch, sv_role_name((sv_role)r));
            assert_int_equal(role != NULL, night->samples[r] != NULL);
            for (int s = 0; role && s < SV_EPOCH_S; s++) {
                sv_second_features f;
                sv_second_features_compute(night->samples[r] + e * SV_EPOCH_SAMPLES + s * 100, &f);
                snprintf(key, sizeof key, "%d", s + 1);
                const json_t *second = json_object_get(role, key);
                worst = fmax(worst, fabs(sv_json_real(second, "mav", NAN) - f.mav_uv));
                if (r == SV_ROLE_CHIN) continue;
                worst = fmax(worst, fabs(sv_json_real(second, "delta", NAN) - f.delta_db));
                worst = fmax(worst, fabs(sv_json_real(second, "theta", NAN) - f.theta_db));
                worst = fmax(worst, fabs(sv_json_real(second, "alpha", NAN) - f.alpha_db));
                worst = fmax(worst, fabs(sv_json_real(second, "beta", NAN) - f.beta_db));
            }
        }
    }
    print_message("%s: worst difference from the rounded target %.4f\n", file, worst);
    assert_true(worst < 0.0051);
    json_decref(golden);
}

static void published_loader_unlabelled(void **state) {
    (void)state;
    const char *path = shared_path("golden/dsp/edf/01-02-0001 PSG.edf");
    SKIP_WITHOUT(path);
    sv_error err;
    opened o = {0};
    const sv_scored_pieces none = {0};
    open_recording(&o, path);
    compare_loaded(&o, &none, "golden/dsp/edf/01-02-0001.loaded.safetensors", "loaded");
    sv_night_options options = {.purpose = SV_NIGHT_TARGETS};
    ASSERT_OK(sv_night_prepare(o.recording, &o.montage, &options, &o.night, &err), err);
    assert_int_equal(o.night.n_epochs, 2);
    assert_true(o.night.common_rate_hz == 128 && o.night.rate_hz[SV_ROLE_LOC] == 64);
    assert_non_null(strstr(o.night.notes[SV_ROLE_LOC], "64 Hz brought to 128 Hz"));
    compare_targets(&o.night, &none, "golden/dsp/edf/wpt/01-02-0001.json");
    close_recording(&o);
}

static void published_loader_labelled(void **state) {
    (void)state;
    const char *path = shared_path("golden/dsp/edf/01-03-0001 PSG.edf");
    SKIP_WITHOUT(path);
    sv_error err;
    opened o = {0};
    sv_scored_pieces scored;
    open_recording(&o, path);
    ASSERT_OK(sv_scored_pieces_load(shared_path("golden/dsp/edf/01-03-0001 Base.edf"),
                                    sv_recording_get_info(o.recording), &scored, &err),
              err);
    assert_int_equal(scored.n, 4); /* one of the five entries is unknown; of the 20-s one no epoch is kept */
    compare_loaded(&o, &scored, "golden/dsp/edf/01-03-0001.loaded.safetensors", "aligned");
    sv_night_options options = {.purpose = SV_NIGHT_TARGETS, .pieces = scored.pieces, .n_pieces = scored.n};
    ASSERT_OK(sv_night_prepare(o.recording, &o.montage, &options, &o.night, &err), err);
    assert_int_equal(o.night.n_epochs, 3);
    static const int pieces[] = {0, 2, 3};
    for (int e = 0; e < 3; e++) assert_int_equal(o.night.piece_of_epoch[e], pieces[e]);
    for (int e = 0; e < 3; e++) assert_true(o.night.missing_share[e] == 0);
    compare_targets(&o.night, &scored, "golden/dsp/edf/wpt/01-03-0001.json");
    sv_scored_pieces_free(&scored);
    close_recording(&o);
}

enum { RATE = 128, N_SECONDS = 100 };

static void fill(double *x, int n, uint32_t seed) {
    double level = 0;
    for (int i = 0; i < n; i++) {
        seed = seed * 1664525 + 1013904223;
        level = 0.95 * level + (double)(seed >> 8) / 0x1p24 * 20 - 10;
        x[i] = rint(level * 10) / 10;
    }
}

/* A file of four channels; returns its path in static storage. The caller unlinks it. */
static const char *write_file(const double *onsets_s, double (*x)[RATE * N_SECONDS]) {
    static char path[] = "/tmp/sv-night-XXXXXX";
    strcpy(path, "/tmp/sv-night-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    static const char *const labels[] = {"EEG F4-M1", "EEG C4-M1", "EOG E1-M2", "EMG Chin"};
    edf_signal signals[4];
    for (int i = 0; i < 4; i++) {
        fill(x[i], RATE * N_SECONDS, (uint32_t)i + 1);
        signals[i] = (edf_signal){labels[i], RATE, x[i]};
    }
    edf_write(path, signals, 4, N_SECONDS, onsets_s);
    return path;
}

static double samples[4][RATE * N_SECONDS];
static const sv_role roles[] = {SV_ROLE_F4, SV_ROLE_C4, SV_ROLE_LOC, SV_ROLE_CHIN};

/* What the night must hold of n samples of a channel, computed one channel at a time. */
static double *expected_stretch(int channel, int first, int n, size_t *n_out) {
    double *x = calloc((size_t)n, sizeof *x);
    memcpy(x, samples[channel] + first, (size_t)n * sizeof *x);
    sv_filter_chain chain;
    sv_filter_chain_picture(roles[channel] == SV_ROLE_CHIN ? SV_BAND_EMG : SV_BAND_EEG, RATE, 50, &chain);
    sv_filter_chain_run(&chain, x, (size_t)n);
    *n_out = sv_resampled_length((size_t)n, RATE, 100);
    double *out = calloc(*n_out, sizeof *out);
    sv_resample_linear(x, (size_t)n, 1, out, *n_out);
    free(x);
    return out;
}

static void night_equals_channels_one_by_one(void **state) {
    (void)state;
    sv_error err;
    opened o = {0};
    const char *path = write_file(NULL, samples);
    open_recording(&o, path);
    sv_pool *pool;
    ASSERT_OK(sv_pool_new(3, &pool, &err), err);
    for (int with_pool = 0; with_pool < 2; with_pool++) {
        sv_night_options options = {.pool = with_pool ? pool : NULL};
        ASSERT_OK(sv_night_prepare(o.recording, &o.montage, &options, &o.night, &err), err);
        assert_int_equal(o.night.n_epochs, 3);
        assert_true(fabs(o.night.tail_s - 10) < 1e-9);
        assert_true(o.night.mains_hz == 50);
        for (int c = 0; c < 4; c++) {
            size_t n_out;
            double *expected = expected_stretch(c, 0, RATE * N_SECONDS, &n_out);
            /* the file's own scaling may cost a rounding of the samples */
            assert_true(largest_difference(o.night.samples[roles[c]], expected, 9000) < 1e-6);
            free(expected);
        }
        sv_night_free(&o.night);
    }
    sv_pool_free(pool);
    close_recording(&o);
    unlink(path);
}

/* Two slower channels and a derivation of both, longer than a block of the reader. */
static void slower_channels_are_brought_up(void **state) {
    (void)state;
    static double slow[2][RATE / 2 * N_SECONDS];
    sv_error err;
    opened o = {0};
    char path[] = "/tmp/sv-night-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    fill(samples[0], RATE * N_SECONDS, 1);
    for (int i = 0; i < 2; i++) fill(slow[i], RATE / 2 * N_SECONDS, (uint32_t)i + 7);
    const edf_signal signals[] = {{"EEG C4-M1", RATE, samples[0]},
                                  {"EOG E1-M2", RATE / 2, slow[0]},
                                  {"EMG Chin1", RATE / 2, slow[0]},
                                  {"EMG Chin2", RATE / 2, slow[1]}};
    edf_write(path, signals, 4, N_SECONDS, NULL);
    open_recording(&o, path);
    assert_true(o.montage.roles[SV_ROLE_CHIN].minus >= 0);
    sv_night_options options = {0};
    ASSERT_OK(sv_night_prepare(o.recording, &o.montage, &options, &o.night, &err), err);
    size_t n_slow = RATE / 2 * N_SECONDS, n = RATE * N_SECONDS;
    double *up[2], *chin = samples[1];
    for (int i = 0; i < 2; i++) {
        up[i] = calloc(n, sizeof *up[i]);
        ASSERT_OK(sv_resample_spectrum(slow[i], n_slow, up[i], n, &err), err);
    }
    for (size_t i = 0; i < n; i++) chin[i] = up[0][i] - up[1][i];
    memcpy(samples[2], up[0], n * sizeof *up[0]);
    memcpy(samples[3], chin, n * sizeof *chin); /* channel 3 of the table of roles is the chin */
    for (int c = 2; c < 4; c++) {
        size_t n_out;
        double *expected = expected_stretch(c, 0, (int)n, &n_out);
        assert_true(largest_difference(o.night.samples[roles[c]], expected, 9000) < 1e-6);
        free(expected);
    }
    for (int i = 0; i < 2; i++) free(up[i]);
    close_recording(&o);
    unlink(path);
}

static void gaps_are_zero_and_counted(void **state) {
    (void)state;
    sv_error err;
    opened o = {0};
    double onsets[N_SECONDS];
    /* 40 s, a gap of 20 s, 60 s */
    for (int i = 0; i < N_SECONDS; i++) onsets[i] = i < 40 ? i : i + 20;
    const char *path = write_file(onsets, samples);
    open_recording(&o, path);
    sv_night_options options = {0};
    ASSERT_OK(sv_night_prepare(o.recording, &o.montage, &options, &o.night, &err), err);
    assert_int_equal(o.night.n_epochs, 4);
    static const double missing[] = {0, 20.0 / 30, 0, 0};
    for (int e = 0; e < 4; e++) assert_true(fabs(o.night.missing_share[e] - missing[e]) < 1e-6);
    for (int c = 0; c < 4; c++) {
        const double *x = o.night.samples[roles[c]];
        size_t n_out;
        double *expected = expected_stretch(c, 0, 40 * RATE, &n_out);
        assert_true(largest_difference(x, expected, n_out) < 1e-6);
        for (int i = 4000; i < 6000; i++) assert_true(x[i] == 0);
        free(expected);
        expected = expected_stretch(c, 40 * RATE, 60 * RATE, &n_out);
        assert_true(largest_difference(x + 6000, expected, n_out) < 1e-6);
        free(expected);
    }
    sv_night_free(&o.night);

    /* pieces over the gap, beyond the end, too short, before the start: kept where they can be */
    const sv_piece pieces[] = {{30, 30}, {-1, 30}, {500, 30}, {60, 29}, {NAN, 30}, {80, 90}};
    options = (sv_night_options){.pieces = pieces, .n_pieces = SV_COUNT(pieces)};
    ASSERT_OK(sv_night_prepare(o.recording, &o.montage, &options, &o.night, &err), err);
    assert_int_equal(o.night.n_epochs, 2);
    assert_true(fabs(o.night.missing_share[0] - 20.0 / 30) < 1e-6 && o.night.missing_share[1] == 0);
    assert_true(o.night.piece_of_epoch[0] == 0 && o.night.piece_of_epoch[1] == 5);
    sv_night_free(&o.night);
    options.pieces = pieces + 1;
    options.n_pieces = 4;
    assert_int_equal(sv_night_prepare(o.recording, &o.montage, &options, &o.night, &err), SV_ERR_INPUT);
    assert_non_null(strstr(err.message, "whole 30-s epoch"));
    close_recording(&o);
    unlink(path);
}

static void options_act(void **state) {
    (void)state;
    static const struct {
        sv_mains mains;
        double detected, used;
    } cases[] = {{SV_MAINS_AUTO, 0, 50},
                 {SV_MAINS_AUTO, 60, 60},
                 {SV_MAINS_50, 60, 50},
                 {SV_MAINS_60, 0, 60},
                 {SV_MAINS_OFF, 60, 0}};
    sv_error err;
    opened o = {0};
    const char *path = write_file(NULL, samples);
    open_recording(&o, path);
    for (size_t i = 0; i < SV_COUNT(cases); i++) {
        sv_night_options options = {.mains = cases[i].mains, .detected_mains_hz = cases[i].detected};
        ASSERT_OK(sv_night_prepare(o.recording, &o.montage, &options, &o.night, &err), err);
        assert_true(o.night.mains_hz == cases[i].used);
        sv_night_free(&o.night);
    }
    /* the chin band holds what folds at 100 Hz; the low-pass takes it away */
    double power[2] = {0};
    for (int anti_alias = 0; anti_alias < 2; anti_alias++) {
        sv_night_options options = {.anti_alias = anti_alias == 1};
        ASSERT_OK(sv_night_prepare(o.recording, &o.montage, &options, &o.night, &err), err);
        for (int i = 0; i < 9000; i++) {
            double v = o.night.samples[SV_ROLE_CHIN][i];
            power[anti_alias] += v * v;
        }
        sv_night_free(&o.night);
    }
    assert_true(power[1] < 0.95 * power[0] && power[1] > 0.3 * power[0]);
    sv_mains mains;
    assert_true(sv_mains_from_name("auto", &mains) && mains == SV_MAINS_AUTO);
    assert_true(sv_mains_from_name("60", &mains) && mains == SV_MAINS_60);
    assert_false(sv_mains_from_name("55", &mains));
    close_recording(&o);
    unlink(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_loader_unlabelled),      cmocka_unit_test(published_loader_labelled),
        cmocka_unit_test(night_equals_channels_one_by_one), cmocka_unit_test(gaps_are_zero_and_counted),
        cmocka_unit_test(slower_channels_are_brought_up),   cmocka_unit_test(options_act),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
