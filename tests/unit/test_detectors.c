/* test_detectors.c - each detector on signals that hold one known event, or something that only looks like it; channels
 * that are missing, flat or one epoch long; measurements and levels. */
#include "support/test.h"

#include <math.h>

#include "base/memory.h"
#include "base/random.h"
#include "evidence/evidence.h"
#include "sleep/stages.h"

static const double pi = 3.14159265358979323846;
enum { EPOCHS = 8, N = EPOCHS * SV_EPOCH_SAMPLES, RATE = SV_NIGHT_RATE_HZ };

/* A sleeping head: EEG and EOG share most of a red noise, little is fast; the chin hums. */
typedef struct head {
    double x[SV_N_ROLES][N];
} head;

static double white(uint64_t seed, uint64_t i) {
    double sum = 0;
    for (uint64_t k = 0; k < 4; k++) sum += sv_random_unit(seed + k, i) - 0.5;
    return sum * 1.7320508; /* variance 1 */
}

static void fill(head *h, double slow_uv, double fast_uv, double chin_uv) {
    double slow[SV_N_ROLES + 1] = {0};
    for (uint64_t i = 0; i < N; i++) {
        for (int c = 0; c <= SV_N_ROLES; c++) slow[c] = 0.96 * slow[c] + 0.28 * white(10 * (uint64_t)c + 1, i);
        for (int c = 0; c < SV_ROLE_CHIN; c++) {
            double common = slow[SV_N_ROLES], own = slow[c], leak = c < SV_ROLE_LOC ? 1 : 0.6;
            h->x[c][i] = leak * slow_uv * (0.8 * common + 0.5 * own) + fast_uv * white(100 * (uint64_t)c + 77, i);
        }
        h->x[SV_ROLE_CHIN][i] = chin_uv * white(999, i);
    }
}

/* Adds gains[c] * shape(t) from at_s on, for duration_s. */
typedef double shape_function(double t, double duration_s);
static void add(head *h, double at_s, double duration_s, double uv, shape_function *shape,
                const double gains[SV_N_ROLES]) {
    for (int i = 0; i < (int)(duration_s * RATE); i++) {
        int at = (int)(at_s * RATE) + i;
        for (int c = 0; c < SV_N_ROLES && at < N; c++)
            h->x[c][at] += uv * gains[c] * shape((double)i / RATE, duration_s);
    }
}

static double bell(double t, double s) { return exp(-0.5 * t * t / s / s); }
static double spindle(double t, double d) { return sin(pi * t / d) * sin(2 * pi * 13 * t); }
static double alpha(double t, double d) { return fmin(1, 4 * fmin(t, d - t)) * sin(2 * pi * 10 * t); }
static double slow_wave(double t, double d) { return -sin(2 * pi * t / d); }
static double k_complex(double t, double d) {
    return (void)d, -0.58 * bell(t - 0.45, 0.085) + 0.5 * bell(t - 0.8, 0.15);
}
static double vertex(double t, double d) { return (void)d, -bell(t - 0.2, 0.042); }
static double blink(double t, double d) { return (void)d, bell(t - 0.3, 0.08); }
static double jump(double t, double d) { return fmin(1, fmin(t, d - t) / 0.05); }
static double roll(double t, double d) { return sin(pi * t / d) * sin(2 * pi * 0.35 * t); }
static double noise(double t, double d) { return (void)d, white(4242, (uint64_t)(t * RATE)); }
static double sway(double t, double d) { return (void)d, sin(2 * pi * 0.7 * t) + 0.3 * sin(2 * pi * 1.9 * t); }
static double pop(double t, double d) { return (void)d, exp(-t / 0.3); }

static const double central[] = {0.7, 1, 0.4, 0.1, 0.1, 0}, occipital[] = {0.3, 0.5, 1, 0.2, 0.2, 0},
                    frontal[] = {1, 0.8, 0.4, 0.5, 0.5, 0}, vertical[] = {0.6, 0.2, 0.02, -0.8, 1, 0},
                    sideways[] = {-0.05, 0, 0, 1, -1, 0}, at_vertex[] = {0.6, 1, 0.2, 0.2, 0.2, 0},
                    at_chin[] = {0, 0, 0, 0, 0, 1}, everywhere[] = {1, 0.9, 1.1, 1.2, -0.9, 0},
                    only_o2[] = {0, 0, 1, 0, 0, 0};

static sv_evidence measure(head *h, unsigned roles, const signed char *stages, int n_epochs) {
    sv_night night = {.n_epochs = n_epochs};
    sv_evidence evidence;
    sv_error err;
    for (int c = 0; c < SV_N_ROLES; c++) night.samples[c] = roles >> c & 1 ? h->x[c] : NULL;
    ASSERT_OK(sv_evidence_measure(&night, stages, NULL, &evidence, &err), err);
    return evidence;
}

enum { ALL = (1 << SV_N_ROLES) - 1 };
static int near(const sv_evidence *e, sv_event_kind kind, double at_s, double within_s) {
    return sv_events_count(&e->events, kind, 0, at_s - within_s, at_s + within_s);
}

/* Every kind: put in once at 100 s into a quiet sleeper, found there and nowhere else near. */
static const struct planted {
    sv_event_kind kind;
    double duration_s, uv;
    shape_function *shape;
    const double *gains;
    double fast_uv; /* of the background: 0.7 asleep, more awake */
} planted[] = {
    {SV_EVENT_SPINDLE, 1, 20, spindle, central, 0.7},
    {SV_EVENT_ALPHA, 6, 20, alpha, occipital, 1.5},
    {SV_EVENT_SLOW_WAVE, 1.2, 60, slow_wave, frontal, 0.7},
    {SV_EVENT_K_COMPLEX, 2, 170, k_complex, frontal, 0.7},
    {SV_EVENT_VERTEX_WAVE, 0.5, 90, vertex, at_vertex, 1},
    {SV_EVENT_BLINK, 0.8, 110, blink, vertical, 3},
    {SV_EVENT_REM, 0.2, 90, jump, sideways, 1},
    {SV_EVENT_SEM, 7, 90, roll, sideways, 1},
    {SV_EVENT_PHASIC_EMG, 0.3, 12, noise, at_chin, 0.7},
    {SV_EVENT_ARTEFACT, 1, 250, pop, only_o2, 0.7},
};

static void what_is_put_in_is_found(void **state) {
    (void)state;
    for (size_t i = 0; i < SV_COUNT(planted); i++) {
        const struct planted *p = &planted[i];
        head *quiet = malloc(sizeof *quiet), *h = malloc(sizeof *h);
        fill(quiet, 5, p->fast_uv, 1.5);
        fill(h, 5, p->fast_uv, 1.5);
        add(h, 100, p->duration_s, p->uv, p->shape, p->gains);
        sv_evidence without = measure(quiet, ALL, NULL, EPOCHS), with = measure(h, ALL, NULL, EPOCHS);
        double middle = 100 + p->duration_s / 2;
        int n = near(&with, p->kind, middle, 3.5), n_before = near(&without, p->kind, middle, 3.5);
        if (n != 1 || n_before != 0) {
            fail_msg("%s: %d found with it, %d without", sv_event_kind_name(p->kind), n, n_before);
        }
        sv_evidence_free(&without);
        sv_evidence_free(&with);
        free(quiet);
        free(h);
    }
}

static void movements_and_arousals(void **state) {
    (void)state;
    head *h = malloc(sizeof *h);
    fill(h, 5, 0.7, 1.5);
    add(h, 60, 8, 200, sway, everywhere);
    add(h, 60, 8, 12, noise, everywhere);
    add(h, 60, 8, 15, noise, at_chin);
    add(h, 155, 6, 18, alpha, occipital);
    add(h, 155, 6, 9, alpha, central);
    add(h, 155, 6, 6, noise, at_chin);
    sv_evidence e = measure(h, ALL, NULL, EPOCHS);
    assert_int_equal(near(&e, SV_EVENT_BODY_MOVEMENT, 64, 4), 1);
    assert_int_equal(near(&e, SV_EVENT_AROUSAL, 158, 4), 1);
    assert_true(sv_evidence_value(&e, 2, SV_M_movement_s) >= 6);
    assert_int_equal(sv_evidence_value(&e, 5, SV_M_arousal_count), 1);
    assert_int_equal(sv_evidence_value(&e, 6, SV_M_arousal_count), 0);
    sv_evidence_free(&e);
    free(h);
}

/* A pop is one electrode's: not a glance, which both eyes show, nor a step that stays within one of them. */
static void pops_are_of_one_electrode(void **state) {
    (void)state;
    static const double one_eye[] = {0, 0, 0, 1, 0, 0};
    head *h = malloc(sizeof *h);
    fill(h, 5, 0.7, 1.5);
    add(h, 40, 2, 250, pop, one_eye);
    add(h, 100, 0.6, 250, jump, sideways);
    add(h, 130, 2, 250, pop, sideways);
    add(h, 160, 0.8, 250, blink, vertical);
    add(h, 190, 0.6, 250, jump, one_eye);
    sv_evidence e = measure(h, ALL, NULL, EPOCHS);
    assert_int_equal(near(&e, SV_EVENT_ARTEFACT, 40.4, 1), 1);
    assert_int_equal(sv_events_count(&e.events, SV_EVENT_ARTEFACT, 0, 0, 1e6), 1);
    sv_evidence_free(&e);
    free(h);
}

/* The same seconds are not an arousal and a movement. */
static void no_arousal_within_a_movement(void **state) {
    (void)state;
    head *h = malloc(sizeof *h);
    fill(h, 5, 0.7, 1.5);
    add(h, 100, 8, 200, sway, everywhere);
    add(h, 100, 8, 12, noise, everywhere);
    add(h, 100, 8, 15, noise, at_chin);
    sv_evidence e = measure(h, ALL, NULL, EPOCHS);
    assert_int_equal(near(&e, SV_EVENT_BODY_MOVEMENT, 104, 4), 1);
    assert_int_equal(near(&e, SV_EVENT_AROUSAL, 104, 6), 0);
    sv_evidence_free(&e);
    free(h);
}

/* 75 uV decide: the same waves 10 % above and 10 % below. */
static void slow_waves_need_75_uv(void **state) {
    (void)state;
    for (int larger = 0; larger < 2; larger++) {
        head *h = malloc(sizeof *h);
        fill(h, 1, 0.05, 1.5);
        for (int k = 0; k < 8; k++) add(h, 122 + k, 1, larger ? 42 : 33, slow_wave, frontal);
        sv_evidence e = measure(h, ALL, NULL, EPOCHS);
        double s = sv_evidence_value(&e, 4, SV_M_slow_wave_s);
        assert_true(larger ? s > 6.5 && s < 8.5 : s < 0.5);
        assert_true(fabs(sv_evidence_value(&e, 4, SV_M_slow_wave_max_uv) - (larger ? 84 : 66)) < 8);
        sv_evidence_free(&e);
        free(h);
    }
}

static void chin_levels(void **state) {
    (void)state;
    static const double tone[EPOCHS] = {10, 10, 10, 10, 10, 4, 4, 1};
    static const signed char stages[EPOCHS] = {0, 0, 0, 0, 0, 2, 2, 4};
    head *h = malloc(sizeof *h);
    fill(h, 5, 0.7, 1);
    for (int i = 0; i < N; i++) h->x[SV_ROLE_CHIN][i] *= tone[i / SV_EPOCH_SAMPLES];
    sv_evidence e = measure(h, ALL, stages, EPOCHS);
    assert_true(fabs(e.levels.chin_wake_uv - 10) < 0.6 && fabs(e.levels.chin_low_uv - 1) < 0.1);
    assert_true(fabs(sv_evidence_value(&e, 0, SV_M_chin_level) - 1) < 0.1);
    assert_true(fabs(sv_evidence_value(&e, 7, SV_M_chin_level)) < 0.05);
    assert_true(fabs(sv_evidence_value(&e, 5, SV_M_chin_level) - log(4) / log(10)) < 0.1);
    assert_true(fabs(sv_evidence_value(&e, 5, SV_M_chin_uv) - 4) < 0.3);
    sv_evidence_free(&e);
    free(h);
}

static void alpha_is_measured(void **state) {
    (void)state;
    head *h = malloc(sizeof *h);
    fill(h, 4, 1.5, 5);
    for (int e = 0; e < 6; e++) add(h, e * 30.0 + 4, 22, 25, alpha, occipital);
    sv_evidence e = measure(h, ALL, NULL, EPOCHS);
    for (int i = 0; i < 6; i++) {
        assert_true(fabs(sv_evidence_value(&e, i, SV_M_alpha_share) - 22 / 30.0) < 0.08);
        assert_true(fabs(sv_evidence_value(&e, i, SV_M_alpha_hz) - 10) < 0.3);
        assert_true(sv_evidence_value(&e, i, SV_M_alpha_occipital_ratio) > 3);
    }
    assert_true(sv_evidence_value(&e, 7, SV_M_alpha_share) < 0.1);
    assert_true(e.levels.alpha_generator && fabs(e.levels.alpha_hz - 10) < 0.3);
    sv_evidence_free(&e);
    free(h);
}

enum {
    F4 = 1 << SV_ROLE_F4,
    C4 = 1 << SV_ROLE_C4,
    O2 = 1 << SV_ROLE_O2,
    LOC = 1 << SV_ROLE_LOC,
    ROC = 1 << SV_ROLE_ROC
};

/* What eye movements can be told from: a gaze from both eyes, a blink from an eye and what lies above it. Where they
 * cannot, none is found, and the count is not 0 but unknown. */
static void eyes_need_their_channels(void **state) {
    (void)state;
    static const struct {
        unsigned roles;
        bool blinks, gaze;
    } cases[] = {
        {LOC, false, false},     {LOC | O2, false, false},     {LOC | ROC, false, true}, {LOC | ROC | O2, false, true},
        {ROC | F4, true, false}, {LOC | C4 | O2, true, false}, {F4 | C4, false, false},  {LOC | ROC | F4, true, true},
    };
    head *h = malloc(sizeof *h);
    fill(h, 5, 3, 1.5);
    add(h, 40, 0.8, 250, blink, vertical);
    add(h, 100, 0.2, 90, jump, sideways);
    for (size_t i = 0; i < SV_COUNT(cases); i++) {
        sv_evidence e = measure(h, cases[i].roles, NULL, EPOCHS);
        double blinks = sv_evidence_value(&e, 1, SV_M_blink_count), rems = sv_evidence_value(&e, 3, SV_M_rem_count);
        if (cases[i].blinks ? blinks != 1 : !isnan(blinks)) fail_msg("channels %x: %g blinks", cases[i].roles, blinks);
        assert_true(cases[i].gaze ? rems == 1 : isnan(rems));
        assert_int_equal(sv_evidence_lacking(&e, SV_M_blink_count)[0] == 0, cases[i].blinks);
        assert_int_equal(sv_evidence_lacking(&e, SV_M_rem_count)[0] == 0, cases[i].gaze);
        if (!cases[i].blinks) assert_int_equal(sv_events_count(&e.events, SV_EVENT_BLINK, 0, 0, 1e6), 0);
        if (!cases[i].gaze) assert_int_equal(sv_events_count(&e.events, SV_EVENT_REM, 0, 0, 1e6), 0);
        sv_evidence_free(&e);
    }
    free(h);
}

/* Many blinks teach the pattern of this head, by which small ones are found too, and no glance is one. */
static void blinks_are_learned(void **state) {
    (void)state;
    head *h = malloc(sizeof *h);
    fill(h, 8, 4, 1.5);
    for (int k = 0; k < 30; k++) add(h, 10 + 4 * k, 0.8, 130, blink, vertical);
    for (int k = 0; k < 10; k++) add(h, 12 + 4 * k, 0.8, 70, blink, vertical);
    for (int k = 10; k < 25; k++) add(h, 12 + 4 * k, 0.2, 150, jump, sideways);
    sv_evidence e = measure(h, ALL, NULL, EPOCHS);
    int large = 0, small = 0, all = sv_events_count(&e.events, SV_EVENT_BLINK, 0, 0, 1e6);
    for (int k = 0; k < 30; k++) large += near(&e, SV_EVENT_BLINK, 10.3 + 4 * k, 0.5);
    for (int k = 0; k < 10; k++) small += near(&e, SV_EVENT_BLINK, 12.3 + 4 * k, 0.5);
    if (large < 29 || small < 8 || all - large - small > 1)
        fail_msg("%d large, %d small, %d in all", large, small, all);
    sv_evidence_free(&e);
    free(h);
}

static double fast_burst(double t, double d) { return sin(pi * t / d) * sin(2 * pi * 15.3 * t); }

/* Clear spindles teach the frequency of this sleeper: weak ones of that frequency are found too, others not; also where
 * there is one channel only. */
static void spindles_are_learned(void **state) {
    (void)state;
    static const unsigned montages[] = {ALL, 1 << SV_ROLE_C4};
    head *h = malloc(sizeof *h);
    fill(h, 9, 3, 1.5);
    for (int k = 0; k < 28; k++) add(h, 6 + 8 * k, 1, 26, spindle, central);
    for (int k = 0; k < 28; k++) add(h, 10 + 8 * k, 1, 8, k % 2 ? spindle : fast_burst, central);
    for (size_t m = 0; m < SV_COUNT(montages); m++) {
        sv_evidence e = measure(h, montages[m], NULL, EPOCHS);
        int clear = 0, weak = 0, other = 0, all = sv_events_count(&e.events, SV_EVENT_SPINDLE, 0, 0, 1e6);
        for (int k = 0; k < 28; k++) clear += near(&e, SV_EVENT_SPINDLE, 6.5 + 8 * k, 0.5);
        for (int k = 0; k < 28; k++) *(k % 2 ? &weak : &other) += near(&e, SV_EVENT_SPINDLE, 10.5 + 8 * k, 0.5);
        if (clear < 27 || weak < 11 || other > 1 || all - clear - weak - other > 2)
            fail_msg("channels %x: %d clear, %d weak, %d of another frequency, %d in all", montages[m], clear, weak,
                     other, all);
        sv_evidence_free(&e);
    }
    free(h);
}

/* Every jump of the gaze is a movement: there, and back after a while; at once it is one peak. */
static void a_way_back_is_a_movement(void **state) {
    (void)state;
    head *h = malloc(sizeof *h);
    fill(h, 5, 1, 1.5);
    add(h, 40, 0.8, 90, jump, sideways);
    add(h, 100, 0.22, 90, jump, sideways);
    sv_evidence e = measure(h, ALL, NULL, EPOCHS);
    assert_int_equal(sv_evidence_value(&e, 1, SV_M_rem_count), 2);
    assert_int_equal(near(&e, SV_EVENT_REM, 40.05, 0.2), 1);
    assert_int_equal(near(&e, SV_EVENT_REM, 40.8, 0.2), 1);
    assert_int_equal(sv_evidence_value(&e, 3, SV_M_rem_count), 1);
    sv_evidence_free(&e);
    free(h);
}

/* Any subset of channels: no crash, NaN exactly where a reason is given. */
static void every_subset_of_channels(void **state) {
    (void)state;
    head *h = malloc(sizeof *h);
    fill(h, 5, 0.7, 1.5);
    for (size_t i = 0; i < SV_COUNT(planted); i++)
        add(h, 5 + 5 * (double)i, planted[i].duration_s, planted[i].uv, planted[i].shape, planted[i].gains);
    for (unsigned roles = 1; roles <= ALL; roles++) {
        sv_evidence e = measure(h, roles, NULL, 2);
        for (int m = 0; m < SV_N_MEASUREMENTS; m++) {
            bool lacks = sv_evidence_lacking(&e, (sv_measurement)m)[0] != 0,
                 conditional = m == SV_M_alpha_hz || m == SV_M_chin_level;
            bool known = !isnan(sv_evidence_value(&e, 0, (sv_measurement)m));
            if (lacks == known && !(conditional && !known)) {
                fail_msg("channels %x: %s is %s", roles, sv_measurement_infos[m].name,
                         known ? "measured" : "not measured");
            }
        }
        for (size_t i = 0; i < e.events.n; i++) {
            assert_int_equal(e.events.items[i].roles & ~roles, 0);
            assert_true(e.events.items[i].duration_s > 0 && e.events.items[i].onset_s >= 0);
        }
        sv_evidence_free(&e);
    }
    free(h);
}

static void flat_and_clipped(void **state) {
    (void)state;
    head *h = calloc(1, sizeof *h);
    sv_evidence e = measure(h, ALL, NULL, EPOCHS);
    for (size_t i = 0; i < e.events.n; i++) assert_int_equal(e.events.items[i].kind, SV_EVENT_ARTEFACT);
    assert_true(sv_evidence_value(&e, 3, SV_M_unusable_share) == 1);
    sv_evidence_free(&e);
    for (int c = 0; c < SV_N_ROLES; c++) {
        for (int i = 0; i < N; i++) h->x[c][i] = i / 7 % 2 ? 5000 : -5000;
    }
    e = measure(h, ALL, NULL, 1);
    assert_true(sv_evidence_value(&e, 0, SV_M_unusable_share) == 1);
    sv_evidence_free(&e);
    free(h);
}

/* With a pool as without. */
static void threads_do_not_matter(void **state) {
    (void)state;
    head *h = malloc(sizeof *h);
    sv_night night = {.n_epochs = EPOCHS};
    sv_evidence one, three;
    sv_pool *pool;
    sv_error err;
    fill(h, 12, 1, 3);
    for (int c = 0; c < SV_N_ROLES; c++) night.samples[c] = h->x[c];
    ASSERT_OK(sv_pool_new(3, &pool, &err), err);
    ASSERT_OK(sv_evidence_measure(&night, NULL, NULL, &one, &err), err);
    ASSERT_OK(sv_evidence_measure(&night, NULL, pool, &three, &err), err);
    assert_int_equal(one.events.n, three.events.n);
    for (size_t i = 0; i < one.events.n; i++) {
        assert_true(one.events.items[i].kind == three.events.items[i].kind &&
                    one.events.items[i].onset_s == three.events.items[i].onset_s);
    }
    for (int e = 0; e < EPOCHS; e++)
        assert_memory_equal(one.epochs[e].values, three.epochs[e].values, sizeof one.epochs[e].values);
    sv_evidence_free(&one);
    sv_evidence_free(&three);
    sv_pool_free(pool);
    free(h);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_put_in_is_found),
        cmocka_unit_test(movements_and_arousals),
        cmocka_unit_test(slow_waves_need_75_uv),
        cmocka_unit_test(chin_levels),
        cmocka_unit_test(alpha_is_measured),
        cmocka_unit_test(every_subset_of_channels),
        cmocka_unit_test(eyes_need_their_channels),
        cmocka_unit_test(blinks_are_learned),
        cmocka_unit_test(spindles_are_learned),
        cmocka_unit_test(a_way_back_is_a_movement),
        cmocka_unit_test(pops_are_of_one_electrode),
        cmocka_unit_test(no_arousal_within_a_movement),
        cmocka_unit_test(flat_and_clipped),
        cmocka_unit_test(threads_do_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
