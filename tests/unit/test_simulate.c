/* test_simulate.c - simulated nights: same bytes, sound facts, profiles, montages, and errors. */
#include "support/test.h"

#include <math.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/folder.h"
#include "base/hash.h"
#include "base/memory.h"
#include "psg/night.h"
#include "simulate/draw.h"
#include "simulate/sim_folder.h"
#include "sleep/stages.h"

static sv_sim_night make(uint64_t seed, double hours, int rate_hz, const sv_sim_profile *profile) {
    sv_sim_options options = {seed, hours, rate_hz, profile};
    sv_sim_night night;
    sv_error err;
    ASSERT_OK(sv_simulate_night(&options, NULL, NULL, &night, &err), err);
    return night;
}

static void streams_are_apart(void **state) {
    (void)state;
    double sum = 0, squares = 0, cross = 0;
    sv_draw a = sv_draw_stream(7, SV_DRAW_ALPHA), b = sv_draw_stream(8, SV_DRAW_ALPHA),
            again = sv_draw_stream(7, SV_DRAW_ALPHA);
    enum { MANY = 200000 };
    for (int i = 0; i < MANY; i++) {
        double x = sv_draw_normal(&a, 0, 1), y = sv_draw_normal(&b, 0, 1);
        assert_true(x == sv_draw_normal(&again, 0, 1));
        sum += x;
        squares += x * x;
        cross += x * y;
    }
    /* five standard errors */
    assert_true(fabs(sum / MANY) < 5 / sqrt(MANY) && fabs(squares / MANY - 1) < 5 * sqrt(2.0 / MANY));
    assert_true(fabs(cross / MANY) < 5 / sqrt(MANY));
}

static void same_seed_same_night(void **state) {
    (void)state;
    sv_sim_night a = make(11, 0.3, 128, NULL), b = make(11, 0.3, 128, NULL), c = make(12, 0.3, 128, NULL);
    assert_int_equal(a.n, 36 * 30 * 128);
    for (int r = 0; r < SV_N_ROLES; r++) {
        assert_memory_equal(a.samples[r], b.samples[r], a.n * sizeof(float));
        assert_true(memcmp(a.samples[r], c.samples[r], a.n * sizeof(float)) != 0);
        for (size_t i = 0; i < a.n; i++) assert_true(isfinite(a.samples[r][i]));
    }
    assert_int_equal(a.facts.events.n, b.facts.events.n);
    assert_memory_equal(a.truth.stages, b.truth.stages, 36);
    sv_sim_night_free(&a);
    sv_sim_night_free(&b);
    sv_sim_night_free(&c);
}

/* The course and its events are drawn apart from the samples: the rate does not change them. */
static void the_rate_changes_no_events(void **state) {
    (void)state;
    sv_sim_night a = make(5, 0.5, 100, NULL), b = make(5, 0.5, 256, NULL);
    int counts[2][SV_N_EVENT_KINDS] = {{0}};
    for (size_t i = 0; i < a.facts.events.n; i++) counts[0][a.facts.events.items[i].kind]++;
    for (size_t i = 0; i < b.facts.events.n; i++) counts[1][b.facts.events.items[i].kind]++;
    for (int k = 0; k < SV_N_EVENT_KINDS; k++) {
        if (k != SV_EVENT_SLOW_WAVE) assert_int_equal(counts[0][k], counts[1][k]); /* slow waves are measured */
    }
    assert_memory_equal(a.facts.state, b.facts.state, (size_t)a.facts.n_s);
    sv_sim_night_free(&a);
    sv_sim_night_free(&b);
}

static void facts_are_sound(void **state) {
    (void)state;
    sv_sim_night night = make(3, 2, 100, NULL);
    const sv_sim_facts *f = &night.facts;
    int stages[SV_N_STAGES] = {0};
    double end_s = f->n_s;
    assert_true(night.n_epochs == 240 && f->n_s == 7200 && f->n_epochs == 240);
    for (size_t i = 0; i < f->events.n; i++) {
        const sv_event *e = &f->events.items[i];
        assert_true(e->onset_s >= 0 && e->duration_s > 0 && e->onset_s + e->duration_s <= end_s + 1e-9);
        assert_true(e->roles != 0 && e->roles < 1u << SV_N_ROLES);
        if (i > 0) assert_true(e[-1].onset_s <= e->onset_s);
        if (e->kind == SV_EVENT_SLOW_WAVE) assert_true(e->amplitude_uv >= 75 - 1e-6);
        if (e->kind == SV_EVENT_SPINDLE) assert_true(e->frequency_hz > 9.5 && e->frequency_hz < 17);
        if (e->kind == SV_EVENT_BLINK) assert_true(e->amplitude_uv >= 40);
        if (e->kind == SV_EVENT_REM) assert_true(e->amplitude_uv >= 30 && e->duration_s <= 0.5);
        if (e->kind == SV_EVENT_REM)
            assert_true(f->state[(int)e->onset_s] == SV_STAGE_R || f->state[(int)e->onset_s] == SV_STAGE_W);
    }
    for (int e = 0; e < night.n_epochs; e++) {
        stages[night.truth.stages[e]]++;
        assert_true(f->slow_wave_s[e] >= 0 && f->slow_wave_s[e] < 30.001f && f->chin_uv[e] > 0);
    }
    assert_true(stages[SV_STAGE_W] > 0 && stages[SV_STAGE_N2] > 0);
    sv_sim_night_free(&night);
}

static void write_text(const char *path, const char *text) {
    sv_error err;
    ASSERT_OK(sv_file_write(path, text, strlen(text), &err), err);
}

static void profiles(void **state) {
    (void)state;
    char path[] = "/tmp/sv-profile-XXXXXX";
    static const char *const bad[] = {"[]",
                                      "{\"no_such\": 1}",
                                      "{\"age\": 2}",
                                      "{\"age\": [0.5, 0.2]}",
                                      "{\"age\": \"old\"}",
                                      "{\"age\": {\"plus\": 1}}",
                                      "{\"age\": [0.1]}",
                                      "{\"gain\": {\"times\": -1}}",
                                      "{"};
    sv_sim_profile profile;
    sv_sim_subject plain, wished;
    sv_error err;
    close(mkstemp(path));
    for (size_t i = 0; i < SV_COUNT(bad); i++) {
        write_text(path, bad[i]);
        assert_int_equal(sv_sim_profile_load(path, &profile, &err), SV_ERR_INPUT);
        assert_non_null(strstr(err.message, path));
    }
    write_text(path, "{\"alpha_generator\": 0, \"spindle_uv\": {\"times\": 0.5}, \"heart_per_min\": [90, 95]}");
    ASSERT_OK(sv_sim_profile_load(path, &profile, &err), err);
    for (uint64_t seed = 1; seed <= 20; seed++) {
        sv_sim_subject_draw(seed, NULL, &plain);
        sv_sim_subject_draw(seed, &profile, &wished);
        assert_true(wished.alpha_generator == 0 && wished.heart_per_min >= 90 && wished.heart_per_min <= 95);
        assert_true(fabs(wished.spindle_uv - plain.spindle_uv / 2) < 1e-9);
        assert_true(wished.k_complex_uv == plain.k_complex_uv && wished.blink_eog[0] == plain.blink_eog[0]);
    }
    sv_sim_profile_free(&profile);
    unlink(path);
}

static void limits(void **state) {
    (void)state;
    static const sv_sim_options bad[] = {{1, 0, 200, NULL}, {1, 25, 200, NULL}, {1, NAN, 200, NULL},
                                         {1, 1, 99, NULL},  {1, 1, 513, NULL},  {UINT64_MAX, 1, 200, NULL}};
    sv_sim_night night;
    sv_error err;
    for (size_t i = 0; i < SV_COUNT(bad); i++) {
        assert_int_equal(sv_simulate_night(&bad[i], NULL, NULL, &night, &err), SV_ERR_USAGE);
    }
}

static bool stop_at_once(void *context, double share) { return (void)context, share < 0.2; }

static void can_be_stopped(void **state) {
    (void)state;
    sv_sim_options options = {1, 0.2, 100, NULL};
    sv_sim_night night;
    sv_error err;
    assert_int_equal(sv_simulate_night(&options, stop_at_once, NULL, &night, &err), SV_ERR_CANCELLED);
    assert_null(night.samples[0]);
}

/* Written, found again by the reader as the channels it was made of, and equal to the samples to half a step. */
static void montages_are_read_back(void **state) {
    (void)state;
    char folder[] = "/tmp/sv-simulate-XXXXXX";
    assert_non_null(mkdtemp(folder));
    for (int m = 0; m < SV_N_SIM_MONTAGES; m++) {
        sv_sim_night night = make(9, 0.05, 128, NULL);
        sv_recording *recording;
        sv_montage montage;
        sv_error err;
        double got[128 * 60];
        char *path = sv_path_join(folder, sv_sim_montage_name((sv_sim_montage)m));
        ASSERT_OK(sv_sim_edf_write(&night, 9, (sv_sim_montage)m, path, &err), err);
        ASSERT_OK(sv_recording_open(path, &recording, &err), err);
        ASSERT_OK(sv_montage_find(sv_recording_get_info(recording), NULL, 0, &montage, &err), err);
        for (int r = 0; r < SV_N_ROLES; r++) {
            assert_true(montage.roles[r].present);
            ASSERT_OK(sv_derivation_read_uv(recording, &montage.roles[r], 0, SV_COUNT(got), got, &err), err);
            double worst = 0;
            for (size_t i = 0; i < SV_COUNT(got); i++) worst = fmax(worst, fabs(got[i] - (double)night.samples[r][i]));
            if (worst > 0.07)
                fail_msg("%s, %s: off by %g uV", sv_sim_montage_name((sv_sim_montage)m), sv_role_name((sv_role)r),
                         worst);
        }
        sv_recording_close(recording);
        sv_sim_night_free(&night);
        unlink(path);
        free(path);
    }
    rmdir(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_are_apart),
        cmocka_unit_test(same_seed_same_night),
        cmocka_unit_test(the_rate_changes_no_events),
        cmocka_unit_test(facts_are_sound),
        cmocka_unit_test(profiles),
        cmocka_unit_test(limits),
        cmocka_unit_test(can_be_stopped),
        cmocka_unit_test(montages_are_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
