/* test_rule_check.c - every rule holding, failing and not to be told, over measurements made by hand; the stager by the
 * book on short nights of which the stages follow from the manual. */
#include "support/test.h"

#include <math.h>

#include "audit/epoch_facts.h"
#include "audit/rule_check.h"
#include "base/memory.h"
#include "base/random.h"

enum { EPOCHS = 6, TARGET = 2, NIGHT = 130 /* long enough to know whether there is alpha */ };

typedef struct bench {
    sv_evidence evidence;
    sv_epoch_evidence epochs[NIGHT];
    signed char stages[NIGHT];
} bench;

/* A quiet epoch of low amplitude and mixed frequencies: nothing in it. */
static void set_up(bench *b, int n_epochs) {
    *b = (bench){.evidence = {.n_epochs = n_epochs, .roles = (1 << SV_N_ROLES) - 1, .epochs = b->epochs}};
    b->evidence.levels = (sv_night_levels){1, 10, 10, 8, true};
    for (int e = 0; e < n_epochs; e++) {
        b->stages[e] = SV_STAGE_N1;
        for (int m = 0; m < SV_N_MEASUREMENTS; m++) b->epochs[e].values[m] = 0;
        b->epochs[e].values[SV_M_lamf_share] = 0.95;
        b->epochs[e].values[SV_M_chin_level] = 0.5;
        b->epochs[e].values[SV_M_background_hz] = 7.6;
    }
}

static void put(bench *b, sv_event_kind kind, double onset_s, double duration_s) {
    sv_error err;
    ASSERT_OK(sv_events_add(&b->evidence.events,
                            &(sv_event){.kind = kind, .roles = 1, .onset_s = onset_s, .duration_s = duration_s}, &err),
              err);
    sv_events_sort(&b->evidence.events);
}

/* What a case changes: measurements of the target, stages around it, one event (time from the target's start). */
typedef struct change {
    sv_measurement m;
    double value;
} change;
typedef struct rule_case {
    const char *rule;
    sv_verdict expected;
    change changes[3];
    int n_changes;
    sv_stage before, itself, after;
    int event; /* sv_event_kind, -1 none */
    double event_s;
    bool no_alpha;
} rule_case;

#define S SV_SUPPORTED
#define C SV_CONTRADICTED
#define Q SV_CANNOT_TELL
#define N1_ALL SV_STAGE_N1, SV_STAGE_N1, SV_STAGE_N1
static const rule_case cases[] = {
    {"W.1", S, {{SV_M_alpha_share, 0.8}}, 1, N1_ALL, -1, 0, false},
    {"W.1", C, {{SV_M_alpha_share, 0.1}}, 1, N1_ALL, -1, 0, false},
    {"W.1", Q, {{SV_M_alpha_share, 0.52}}, 1, N1_ALL, -1, 0, false},
    {"W.1", Q, {{SV_M_alpha_share, NAN}}, 1, N1_ALL, -1, 0, false},
    {"W.2", S, {{SV_M_blink_count, 6}}, 1, N1_ALL, -1, 0, false},
    {"W.2", C, {{SV_M_blink_count, 0}}, 1, N1_ALL, -1, 0, false},
    {"W.2", Q, {{SV_M_blink_count, NAN}}, 1, N1_ALL, -1, 0, false},
    {"W.3", S, {{SV_M_rem_count, 8}, {SV_M_chin_level, 0.9}}, 2, N1_ALL, -1, 0, false},
    {"W.3", C, {{SV_M_rem_count, 8}, {SV_M_chin_level, 0.05}}, 2, N1_ALL, -1, 0, false},
    {"W.3", C, {{SV_M_rem_count, 0}, {SV_M_chin_level, 0.9}}, 2, N1_ALL, -1, 0, false},
    {"W.3", Q, {{SV_M_rem_count, 8}, {SV_M_chin_level, NAN}}, 2, N1_ALL, -1, 0, false},
    {"N1.1", S, {{SV_M_alpha_share, 0.1}}, 1, N1_ALL, -1, 0, false},
    {"N1.1", C, {{SV_M_alpha_share, 0.9}}, 1, N1_ALL, -1, 0, false},
    {"N1.1", C, {{SV_M_lamf_share, 0.1}}, 1, N1_ALL, -1, 0, false},
    {"N1.1", C, {{SV_M_alpha_share, 0}}, 1, N1_ALL, -1, 0, true},
    {"N1.1", Q, {{SV_M_lamf_share, NAN}}, 1, N1_ALL, -1, 0, false},
    {"N1.2", S, {{SV_M_sem_count, 2}}, 1, N1_ALL, -1, 0, true},
    {"N1.2", S, {{SV_M_vertex_wave_count, 1}}, 1, N1_ALL, -1, 0, true},
    {"N1.2", S, {{SV_M_background_hz, 5.5}}, 1, N1_ALL, -1, 0, true},
    {"N1.2", C, {{SV_M_background_hz, 7.9}}, 1, N1_ALL, -1, 0, true},
    {"N1.2", C, {{SV_M_sem_count, 2}}, 1, N1_ALL, -1, 0, false},
    {"N2.1", S, {{0, 0}}, 0, N1_ALL, SV_EVENT_SPINDLE, 5, false},
    {"N2.1", S, {{0, 0}}, 0, N1_ALL, SV_EVENT_K_COMPLEX, -10, false},
    {"N2.1", C, {{0, 0}}, 0, N1_ALL, SV_EVENT_SPINDLE, 20, false},
    {"N2.1", C, {{0, 0}}, 0, N1_ALL, SV_EVENT_SPINDLE, -20, false},
    {"N2.1", Q, {{SV_M_spindle_count, NAN}}, 1, N1_ALL, -1, 0, false},
    {"N2.2", S, {{0, 0}}, 0, SV_STAGE_N2, SV_STAGE_N2, SV_STAGE_N2, -1, 0, false},
    {"N2.2", C, {{0, 0}}, 0, SV_STAGE_N2, SV_STAGE_N2, SV_STAGE_N2, SV_EVENT_AROUSAL, 3, false},
    {"N2.2", C, {{0, 0}}, 0, SV_STAGE_N2, SV_STAGE_N2, SV_STAGE_N2, SV_EVENT_SPINDLE, 3, false},
    {"N2.2", C, {{0, 0}}, 0, SV_STAGE_N1, SV_STAGE_N2, SV_STAGE_N2, -1, 0, false},
    {"N2.2", Q, {{0, 0}}, 0, SV_STAGE_NONE, SV_STAGE_N2, SV_STAGE_N2, -1, 0, false},
    {"N2.3", S, {{SV_M_slow_wave_s, 3}}, 1, SV_STAGE_N3, SV_STAGE_N2, SV_STAGE_N2, -1, 0, false},
    {"N2.3", C, {{SV_M_slow_wave_s, 12}}, 1, SV_STAGE_N3, SV_STAGE_N2, SV_STAGE_N2, -1, 0, false},
    {"N2.3", C, {{SV_M_slow_wave_s, 3}}, 1, SV_STAGE_N2, SV_STAGE_N2, SV_STAGE_N2, -1, 0, false},
    {"N2.3", Q, {{SV_M_slow_wave_s, NAN}}, 1, SV_STAGE_N3, SV_STAGE_N2, SV_STAGE_N2, -1, 0, false},
    {"N2.4", S, {{0, 0}}, 0, SV_STAGE_N2, SV_STAGE_N1, SV_STAGE_N1, SV_EVENT_AROUSAL, -5, false},
    {"N2.4", C, {{0, 0}}, 0, SV_STAGE_N2, SV_STAGE_N2, SV_STAGE_N2, -1, 0, false},
    {"N2.4", C, {{0, 0}}, 0, SV_STAGE_W, SV_STAGE_N1, SV_STAGE_N1, -1, 0, false},
    {"N3.1", S, {{SV_M_slow_wave_s, 11}}, 1, N1_ALL, -1, 0, false},
    {"N3.1", C, {{SV_M_slow_wave_s, 2}}, 1, N1_ALL, -1, 0, false},
    {"N3.1", Q, {{SV_M_slow_wave_s, 6.2}}, 1, N1_ALL, -1, 0, false},
    {"N3.1", Q, {{SV_M_slow_wave_s, NAN}}, 1, N1_ALL, -1, 0, false},
    {"R.1", S, {{SV_M_rem_count, 4}, {SV_M_chin_level, 0.05}}, 2, N1_ALL, -1, 0, false},
    {"R.1", C, {{SV_M_rem_count, 4}, {SV_M_chin_level, 0.9}}, 2, N1_ALL, -1, 0, false},
    {"R.1", C, {{SV_M_rem_count, 0}, {SV_M_chin_level, 0.05}}, 2, N1_ALL, -1, 0, false},
    {"R.1", Q, {{SV_M_rem_count, 4}, {SV_M_chin_level, NAN}}, 2, N1_ALL, -1, 0, false},
    {"R.2", S, {{SV_M_chin_level, 0.05}}, 1, SV_STAGE_R, SV_STAGE_R, SV_STAGE_N2, -1, 0, false},
    {"R.2", S, {{SV_M_chin_level, 0.05}}, 1, SV_STAGE_N1, SV_STAGE_R, SV_STAGE_R, -1, 0, false},
    {"R.2", C, {{SV_M_chin_level, 0.05}}, 1, SV_STAGE_R, SV_STAGE_R, SV_STAGE_R, SV_EVENT_SPINDLE, 4, false},
    {"R.2", C, {{SV_M_chin_level, 0.8}}, 1, SV_STAGE_R, SV_STAGE_R, SV_STAGE_R, -1, 0, false},
    {"R.2", C, {{SV_M_chin_level, 0.05}}, 1, N1_ALL, -1, 0, false},
    {"N1.1", Q, {{0, 0}}, 0, N1_ALL, SV_EVENT_SPINDLE, 5, false},
    {"N2.4", S, {{SV_M_movement_s, 4}, {SV_M_sem_count, 2}}, 2, SV_STAGE_N2, SV_STAGE_N1, SV_STAGE_N1, -1, 0, false},
    {"N2.4", Q, {{SV_M_movement_s, 4}, {SV_M_sem_count, NAN}}, 2, SV_STAGE_N2, SV_STAGE_N2, SV_STAGE_N2, -1, 0, false},
    {"W.2", Q, {{SV_M_blink_count, 1}}, 1, N1_ALL, -1, 0, false},
    {"N2.2", Q, {{SV_M_spindle_count, NAN}}, 1, SV_STAGE_N2, SV_STAGE_N2, SV_STAGE_N2, -1, 0, false},
    {"N2.2", Q, {{SV_M_arousal_count, NAN}}, 1, SV_STAGE_N2, SV_STAGE_N2, SV_STAGE_N2, -1, 0, false},
    {"N2.3", Q, {{SV_M_slow_wave_s, 3}}, 1, SV_STAGE_NONE, SV_STAGE_N2, SV_STAGE_N2, -1, 0, false},
    {"N2.4", Q, {{0, 0}}, 0, SV_STAGE_N2, SV_STAGE_N1, SV_STAGE_N1, -1, 0, false},
    {"N2.4", Q, {{0, 0}}, 0, SV_STAGE_NONE, SV_STAGE_N1, SV_STAGE_N1, SV_EVENT_AROUSAL, -5, false},
    {"R.2",
     Q,
     {{SV_M_chin_level, 0.05}, {SV_M_spindle_count, NAN}},
     2,
     SV_STAGE_R,
     SV_STAGE_R,
     SV_STAGE_R,
     -1,
     0,
     false},
    {"R.2",
     Q,
     {{SV_M_chin_level, 0.05}, {SV_M_arousal_count, NAN}},
     2,
     SV_STAGE_R,
     SV_STAGE_R,
     SV_STAGE_R,
     -1,
     0,
     false},
    {"R.2", Q, {{SV_M_chin_level, 0.05}}, 1, SV_STAGE_NONE, SV_STAGE_R, SV_STAGE_N2, -1, 0, false},
    {"R.3", S, {{SV_M_chin_level, 0.9}}, 1, SV_STAGE_R, SV_STAGE_N1, SV_STAGE_N1, -1, 0, false},
    {"R.3", S, {{SV_M_chin_level, 0.05}}, 1, SV_STAGE_R, SV_STAGE_N1, SV_STAGE_N1, SV_EVENT_AROUSAL, 2, false},
    {"R.3", S, {{SV_M_chin_level, 0.05}}, 1, SV_STAGE_R, SV_STAGE_N2, SV_STAGE_N2, SV_EVENT_SPINDLE, 2, false},
    {"R.3", S, {{SV_M_chin_level, 0.05}, {SV_M_alpha_share, 0.9}}, 2, SV_STAGE_R, SV_STAGE_W, SV_STAGE_W, -1, 0, false},
    {"R.3", C, {{SV_M_chin_level, 0.05}}, 1, SV_STAGE_R, SV_STAGE_N1, SV_STAGE_N1, -1, 0, false},
    {"R.3", Q, {{SV_M_chin_level, NAN}}, 1, SV_STAGE_R, SV_STAGE_N1, SV_STAGE_N1, -1, 0, false},
    {"R.3", Q, {{SV_M_chin_level, 0.9}}, 1, SV_STAGE_NONE, SV_STAGE_N1, SV_STAGE_N1, -1, 0, false},
    {"R.3", C, {{0, 0}}, 0, SV_STAGE_R, SV_STAGE_R, SV_STAGE_N1, -1, 0, false},
    {"R.3", C, {{0, 0}}, 0, N1_ALL, -1, 0, false},
    {"MBM.1", S, {{SV_M_movement_s, 22}, {SV_M_alpha_share, 0.1}}, 2, N1_ALL, -1, 0, false},
    {"MBM.1", S, {{SV_M_movement_s, 22}}, 1, SV_STAGE_W, SV_STAGE_W, SV_STAGE_W, -1, 0, false},
    {"MBM.1", C, {{SV_M_movement_s, 3}, {SV_M_alpha_share, 0.1}}, 2, N1_ALL, -1, 0, false},
    {"MBM.1", C, {{SV_M_movement_s, 22}}, 1, N1_ALL, -1, 0, false},
    {"MBM.2", S, {{SV_M_movement_s, 22}}, 1, SV_STAGE_N2, SV_STAGE_N2, SV_STAGE_N2, -1, 0, false},
    {"MBM.2", C, {{SV_M_movement_s, 22}}, 1, SV_STAGE_N2, SV_STAGE_N1, SV_STAGE_N2, -1, 0, false},
    {"MBM.2", Q, {{SV_M_movement_s, 22}}, 1, SV_STAGE_N2, SV_STAGE_N2, SV_STAGE_NONE, -1, 0, false},
    {"MBM.2", Q, {{SV_M_movement_s, NAN}}, 1, SV_STAGE_N2, SV_STAGE_N2, SV_STAGE_N2, -1, 0, false},
};

static void every_rule(void **state) {
    (void)state;
    for (size_t i = 0; i < SV_COUNT(cases); i++) {
        const rule_case *c = &cases[i];
        bench b;
        static sv_rule_check out[NIGHT][SV_N_RULES];
        set_up(&b, NIGHT);
        for (int k = 0; k < c->n_changes; k++) b.epochs[TARGET].values[c->changes[k].m] = c->changes[k].value;
        b.stages[TARGET - 1] = (signed char)c->before;
        b.stages[TARGET] = (signed char)c->itself;
        b.stages[TARGET + 1] = (signed char)c->after;
        b.evidence.levels.alpha_generator = !c->no_alpha;
        if (c->event >= 0)
            put(&b, (sv_event_kind)c->event, TARGET * 30 + c->event_s, c->event == SV_EVENT_AROUSAL ? 5 : 1);
        sv_rules_check(&b.evidence, b.stages, out);
        const sv_rule_check *got = &out[TARGET][sv_rule_find(c->rule) - sv_rules];
        if (got->verdict != c->expected)
            fail_msg("case %zu, %s: %s (%s)", i, c->rule, sv_verdict_name(got->verdict), got->reason);
        assert_true(got->reason[0] != 0);
        if (got->verdict == SV_SUPPORTED) assert_true(got->margin > 0);
        if (got->verdict == SV_CONTRADICTED) assert_true(got->margin < 0);
        sv_events_free(&b.evidence.events);
    }
}

static double unit(uint64_t seed, uint64_t *at) { return sv_random_unit(seed, (*at)++); }

/* Whatever is measured, and whatever not: a reason is a sentence without "nan", and the margin has the verdict's sign.
 */
static void reasons_are_sentences(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 300; seed++) {
        bench b;
        sv_rule_check out[EPOCHS][SV_N_RULES];
        uint64_t at = 0;
        set_up(&b, EPOCHS);
        b.evidence.roles = (unsigned)(unit(seed, &at) * (1 << SV_N_ROLES));
        b.evidence.levels.alpha_generator = unit(seed, &at) < 0.5;
        if (unit(seed, &at) < 0.3) b.evidence.levels.background_wake_hz = NAN;
        for (int e = 0; e < EPOCHS; e++) {
            b.stages[e] = (signed char)(unit(seed, &at) * 6 - 1);
            for (int m = 0; m < SV_N_MEASUREMENTS; m++) {
                double u = unit(seed, &at);
                b.epochs[e].values[m] = u < 0.2 ? NAN : 40 * (u - 0.2) * (u - 0.2);
            }
        }
        for (int i = 0; i < 4; i++)
            put(&b, (sv_event_kind)(unit(seed, &at) * SV_N_EVENT_KINDS), 30 * EPOCHS * unit(seed, &at), 3);
        sv_rules_check(&b.evidence, b.stages, out);
        for (int e = 0; e < EPOCHS; e++) {
            for (int r = 0; r < SV_N_RULES; r++) {
                const sv_rule_check *c = &out[e][r];
                bool odd = strstr(c->reason, "nan") || strstr(c->reason, "inf ") || strlen(c->reason) < 10;
                bool wrong = (c->verdict == SV_SUPPORTED && !(c->margin > 0)) ||
                             (c->verdict == SV_CONTRADICTED && !(c->margin < 0)) || isinf(c->margin);
                if (odd || wrong)
                    fail_msg("%s: %s, margin %g: %s", sv_rules[r].id, sv_verdict_name(c->verdict), c->margin,
                             c->reason);
            }
        }
        sv_events_free(&b.evidence.events);
    }
}

static void nothing_measured_nothing_told(void **state) {
    (void)state;
    bench b;
    sv_rule_check out[EPOCHS][SV_N_RULES];
    signed char stages[EPOCHS], rules[EPOCHS];
    set_up(&b, EPOCHS);
    for (int e = 0; e < EPOCHS; e++) {
        for (int m = 0; m < SV_N_MEASUREMENTS; m++) b.epochs[e].values[m] = NAN;
        b.stages[e] = SV_STAGE_NONE;
    }
    sv_rules_check(&b.evidence, b.stages, out);
    for (int e = 0; e < EPOCHS; e++) {
        for (int r = 0; r < SV_N_RULES; r++) assert_int_not_equal(out[e][r].verdict, SV_SUPPORTED);
    }
    sv_book_stages(&b.evidence, stages, rules);
    for (int e = 0; e < EPOCHS; e++) assert_true(stages[e] == SV_STAGE_NONE && rules[e] == -1);
}

/* A short night: what is put into each epoch, and the stage and rule that the manual gives it. */
typedef struct scene {
    change changes[3];
    int n_changes, event;
    double event_s;
    sv_stage stage;
    const char *rule;
} scene;
static void check_night(const scene scenes[EPOCHS], bool chin, const char *name) {
    bench b;
    signed char stages[EPOCHS], rules[EPOCHS];
    set_up(&b, EPOCHS);
    for (int e = 0; e < EPOCHS; e++) {
        for (int k = 0; k < scenes[e].n_changes; k++)
            b.epochs[e].values[scenes[e].changes[k].m] = scenes[e].changes[k].value;
        if (!chin) b.epochs[e].values[SV_M_chin_level] = NAN;
        if (scenes[e].event >= 0) {
            put(&b, (sv_event_kind)scenes[e].event, e * 30 + scenes[e].event_s,
                scenes[e].event == SV_EVENT_AROUSAL ? 5 : 1);
        }
    }
    sv_book_stages(&b.evidence, stages, rules);
    for (int e = 0; e < EPOCHS; e++) {
        const char *rule = rules[e] < 0 ? "none" : sv_rules[rules[e]].id;
        if (stages[e] != scenes[e].stage || strcmp(rule, scenes[e].rule) != 0) {
            fail_msg("%s, epoch %d: %s by %s, expected %s by %s", name, e, sv_stage_name((sv_stage)stages[e]), rule,
                     sv_stage_name(scenes[e].stage), scenes[e].rule);
        }
    }
    sv_events_free(&b.evidence.events);
}

static void nights_by_the_book(void **state) {
    (void)state;
    static const scene falling_asleep[EPOCHS] = {{{{SV_M_alpha_share, 0.9}}, 1, -1, 0, SV_STAGE_W, "W.1"},
                                                 {{{0, 0}}, 0, -1, 0, SV_STAGE_N1, "N1.1"},
                                                 {{{0, 0}}, 0, SV_EVENT_SPINDLE, 8, SV_STAGE_N2, "N2.1"},
                                                 {{{0, 0}}, 0, -1, 0, SV_STAGE_N2, "N2.2"},
                                                 {{{SV_M_slow_wave_s, 9}}, 1, -1, 0, SV_STAGE_N3, "N3.1"},
                                                 {{{SV_M_slow_wave_s, 2}}, 1, -1, 0, SV_STAGE_N2, "N2.3"}};
    static const scene aroused[EPOCHS] = {{{{0, 0}}, 0, SV_EVENT_K_COMPLEX, 3, SV_STAGE_N2, "N2.1"},
                                          {{{0, 0}}, 0, SV_EVENT_AROUSAL, 2, SV_STAGE_N1, "N1.1"},
                                          {{{0, 0}}, 0, -1, 0, SV_STAGE_N1, "N1.1"},
                                          {{{0, 0}}, 0, SV_EVENT_SPINDLE, 4, SV_STAGE_N2, "N2.1"},
                                          {{{SV_M_movement_s, 20}}, 1, -1, 0, SV_STAGE_W, "MBM.2"},
                                          {{{SV_M_alpha_share, 0.9}}, 1, -1, 0, SV_STAGE_W, "W.1"}};
    static const scene dreaming[EPOCHS] = {
        {{{0, 0}}, 0, SV_EVENT_SPINDLE, 3, SV_STAGE_N2, "N2.1"},
        {{{SV_M_chin_level, 0.05}}, 1, -1, 0, SV_STAGE_R, "R.2"},
        {{{SV_M_chin_level, 0.05}, {SV_M_rem_count, 5}}, 2, -1, 0, SV_STAGE_R, "R.1"},
        {{{SV_M_chin_level, 0.05}}, 1, -1, 0, SV_STAGE_R, "R.2"},
        {{{SV_M_chin_level, 0.9}, {SV_M_rem_count, 5}}, 2, -1, 0, SV_STAGE_W, "W.3"},
        {{{SV_M_chin_level, 0.9}, {SV_M_blink_count, 5}}, 2, -1, 0, SV_STAGE_W, "W.2"}};
    static const scene without_chin[EPOCHS] = {{{{SV_M_blink_count, 6}}, 1, -1, 0, SV_STAGE_W, "W.2"},
                                               {{{0, 0}}, 0, SV_EVENT_SPINDLE, 3, SV_STAGE_N2, "N2.1"},
                                               {{{SV_M_rem_count, 6}}, 1, -1, 0, SV_STAGE_R, "R.1"},
                                               {{{SV_M_rem_count, 6}}, 1, -1, 0, SV_STAGE_R, "R.1"},
                                               {{{0, 0}}, 0, -1, 0, SV_STAGE_R, "R.2"},
                                               {{{SV_M_unusable_share, 1}}, 1, -1, 0, SV_STAGE_NONE, "none"}};
    static const scene moved[EPOCHS] = {{{{0, 0}}, 0, SV_EVENT_SPINDLE, 3, SV_STAGE_N2, "N2.1"},
                                        {{{SV_M_movement_s, 20}}, 1, -1, 0, SV_STAGE_N2, "MBM.2"},
                                        {{{0, 0}}, 0, -1, 0, SV_STAGE_N2, "N2.2"},
                                        {{{SV_M_slow_wave_s, 9}}, 1, -1, 0, SV_STAGE_N3, "N3.1"},
                                        {{{SV_M_movement_s, 20}}, 1, -1, 0, SV_STAGE_N2, "MBM.2"},
                                        {{{0, 0}}, 0, -1, 0, SV_STAGE_N2, "N2.3"}};
    check_night(moved, true, "moved in N2 and N3");
    check_night(falling_asleep, true, "falling asleep");
    check_night(aroused, true, "aroused");
    check_night(dreaming, true, "dreaming");
    check_night(without_chin, false, "without a chin");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_rule), cmocka_unit_test(reasons_are_sentences),
                                       cmocka_unit_test(nothing_measured_nothing_told),
                                       cmocka_unit_test(nights_by_the_book)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
