/* test_truth.c - the scoring of simulated nights: scenarios by the manual's rules; truth.json there and back. */
#include "support/folder.h"

#include <math.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/random.h"
#include "psg/night.h"
#include "simulate/truth.h"

/* One letter of `states` is 10 s: w 1 2 3 r; blanks do not count. Expected: a word an epoch, "stage:rule+rule". */
typedef struct scenario {
    const char *name, *states;
    struct mark {
        sv_event_kind kind;
        double onset_s, duration_s; /* duration 0: the list ends */
    } marks[10];
    float slow_wave_s[5]; /* of the first epochs */
    int moving_from_s, moving_to_s;
    bool no_alpha;
    const char *expected;
} scenario;

#define ALPHA(at, s) \
    { SV_EVENT_ALPHA, at, s }
#define SPINDLE(at) \
    { SV_EVENT_SPINDLE, at, 1 }
#define K(at) \
    { SV_EVENT_K_COMPLEX, at, 0.8 }
#define BLINK(at) \
    { SV_EVENT_BLINK, at, 0.3 }
#define REM(at) \
    { SV_EVENT_REM, at, 0.4 }
#define SEM(at) \
    { SV_EVENT_SEM, at, 5 }
#define VERTEX(at) \
    { SV_EVENT_VERTEX_WAVE, at, 0.2 }
#define AROUSAL(at) \
    { SV_EVENT_AROUSAL, at, 5 }

static const scenario scenarios[] = {
    {.name = "alpha in more than half", .states = "www", .marks = {ALPHA(2, 16)}, .expected = "W:W.1"},
    {.name = "runs of alpha add up; overlapping ones once",
     .states = "www www",
     .marks = {ALPHA(0, 8), ALPHA(10, 8), ALPHA(30, 10), ALPHA(35, 8), BLINK(50)},
     .expected = "W:W.1 W:W.2"},
    {.name = "blinks and scanning eyes",
     .states = "www www",
     .marks = {BLINK(3), BLINK(4), REM(40), REM(41), BLINK(50), BLINK(51)},
     .expected = "W:W.2 W:W.2+W.3"},
    {.name = "one blink is all there is", .states = "www", .marks = {BLINK(3)}, .expected = "W:W.2"},
    {.name = "awake, but alpha is gone and nothing else shows it", .states = "www", .expected = "N1:N1.1"},
    {.name = "no alpha generator, quiet: awake", .states = "www", .no_alpha = true, .expected = "W:W.2"},
    {.name = "no alpha generator, eyes roll",
     .states = "www",
     .no_alpha = true,
     .marks = {SEM(5)},
     .expected = "N1:N1.2"},
    {.name = "no alpha generator, vertex wave",
     .states = "www",
     .no_alpha = true,
     .marks = {VERTEX(5)},
     .expected = "N1:N1.2"},
    {.name = "drowsy", .states = "111 111", .marks = {ALPHA(0, 10), ALPHA(30, 20)}, .expected = "N1:N1.1 W:W.1"},
    {.name = "the state of most seconds counts", .states = "ww1 w11", .marks = {BLINK(1)}, .expected = "W:W.2 N1:N1.1"},
    {.name = "sleep without spindle or K-complex begins as N1",
     .states = "222 222",
     .marks = {SPINDLE(40)},
     .expected = "N1:N1.1 N2:N2.1"},
    {.name = "spindle in the last half counts for the next epoch",
     .states = "222 222 222",
     .marks = {SPINDLE(20)},
     .expected = "N1:N1.1 N2:N2.1 N2:N2.2"},
    {.name = "K-complex likewise", .states = "222 222", .marks = {K(16)}, .expected = "N1:N1.1 N2:N2.1"},
    {.name = "the middle of the spindle decides the half",
     .states = "222 222",
     .marks = {SPINDLE(14.4)},
     .expected = "N2:N2.1 N2:N2.2"},
    {.name = "K-complex with an arousal does not count",
     .states = "222 222",
     .marks = {K(5), AROUSAL(6.2)},
     .expected = "N1:N1.1 N1:N1.1"},
    {.name = "K-complex well before an arousal counts until it",
     .states = "222 222",
     .marks = {K(5), AROUSAL(16)},
     .expected = "N2:N2.1 N1:N1.1+N2.4"},
    {.name = "N2 goes on until an arousal, and comes again with a spindle",
     .states = "222 222 222 222",
     .marks = {SPINDLE(5), AROUSAL(65), SPINDLE(92)},
     .expected = "N2:N2.1 N2:N2.2 N1:N1.1+N2.4 N2:N2.1"},
    {.name = "arousal in the second half ends N2 with the next epoch",
     .states = "222 222",
     .marks = {SPINDLE(5), AROUSAL(20)},
     .expected = "N2:N2.1 N1:N1.1+N2.4"},
    {.name = "a spindle after the arousal brings N2 back at once",
     .states = "222 222",
     .marks = {SPINDLE(5), AROUSAL(32), SPINDLE(40)},
     .expected = "N2:N2.1 N2:N2.1"},
    {.name = "movement and slow eyes end N2",
     .states = "222 222 222",
     .marks = {SPINDLE(5), SEM(62)},
     .moving_from_s = 55,
     .moving_to_s = 59,
     .expected = "N2:N2.1 N2:N2.2 N1:N1.1+N2.4"},
    {.name = "movement without slow eyes does not",
     .states = "222 222 222",
     .marks = {SPINDLE(5)},
     .moving_from_s = 55,
     .moving_to_s = 59,
     .expected = "N2:N2.1 N2:N2.2 N2:N2.2"},
    {.name = "drowsiness ends N2", .states = "222 111", .marks = {SPINDLE(5)}, .expected = "N2:N2.1 N1:N1.1+N2.4"},
    {.name = "a spindle in the first half of a drowsy epoch",
     .states = "222 211",
     .marks = {SPINDLE(5), SPINDLE(35)},
     .expected = "N2:N2.1 N2:N2.1"},
    {.name = "waking ends N2", .states = "222 www", .marks = {SPINDLE(5), BLINK(40)}, .expected = "N2:N2.1 W:W.2"},
    {.name = "N3 begins at the limit, is left below 0.7 of it, and N2 follows",
     .states = "222 333 333 333 333",
     .marks = {SPINDLE(5)},
     .slow_wave_s = {5.9f, 6, 4.3f, 4.1f, 4.3f},
     .expected = "N2:N2.1 N3:N3.1 N3:N3.1 N2:N2.3 N2:N2.2"},
    {.name = "N3 is by its waves, not by the state",
     .states = "222 222",
     .slow_wave_s = {7, 7},
     .expected = "N3:N3.1 N3:N3.1"},
    {.name = "an arousal after N3",
     .states = "333 222",
     .marks = {AROUSAL(33)},
     .slow_wave_s = {9, 0},
     .expected = "N3:N3.1 N1:N1.1"},
    {.name = "R before and after its eye movements",
     .states = "rrr rrr rrr",
     .marks = {REM(40)},
     .expected = "R:R.2 R:R.1 R:R.2"},
    {.name = "without any eye movement it is not R", .states = "rrr rrr", .expected = "N1:N1.1 N1:N1.1"},
    {.name = "a spindle in the first half, no eye movement: not R",
     .states = "222 22r rrr rrr",
     .marks = {SPINDLE(5), SPINDLE(65), REM(100)},
     .expected = "N2:N2.1 N2:N2.2 N2:N2.1 R:R.1"},
    {.name = "R and a spindle with eye movements stays R",
     .states = "rrr rrr",
     .marks = {REM(3), SPINDLE(35), REM(50)},
     .expected = "R:R.1 R:R.1"},
    {.name = "R ends by N1", .states = "rrr 111", .marks = {REM(5)}, .expected = "R:R.1 N1:N1.1+R.3"},
    {.name = "R ends by N2", .states = "rrr 222", .marks = {REM(5), SPINDLE(35)}, .expected = "R:R.1 N2:N2.1+R.3"},
    {.name = "R ends by N3",
     .states = "rrr 333",
     .marks = {REM(5)},
     .slow_wave_s = {0, 9},
     .expected = "R:R.1 N3:N3.1+R.3"},
    {.name = "R ends by waking", .states = "rrr www", .marks = {REM(5), ALPHA(32, 20)}, .expected = "R:R.1 W:W.1+R.3"},
    {.name = "major movement with alpha",
     .states = "222 222 222",
     .marks = {SPINDLE(5), ALPHA(32, 3)},
     .moving_from_s = 40,
     .moving_to_s = 58,
     .expected = "N2:N2.1 W:MBM.1 N1:N1.1"},
    {.name = "major movement between waking epochs",
     .states = "www 222 www",
     .marks = {BLINK(5), BLINK(70)},
     .moving_from_s = 40,
     .moving_to_s = 58,
     .expected = "W:W.2 W:MBM.1 W:W.2"},
    {.name = "major movement in N2, which goes on behind it",
     .states = "222 222 222",
     .marks = {SPINDLE(5)},
     .moving_from_s = 40,
     .moving_to_s = 58,
     .expected = "N2:N2.1 N2:MBM.2 N2:N2.2"},
    {.name = "two hidden epochs take the next one that can be read",
     .states = "222 222 222 www",
     .marks = {SPINDLE(5), BLINK(100)},
     .moving_from_s = 35,
     .moving_to_s = 85,
     .expected = "N2:N2.1 W:MBM.2 W:MBM.2 W:W.2"},
    {.name = "N3, a hidden epoch, then too few slow waves",
     .states = "333 333 333",
     .slow_wave_s = {9, 0, 1},
     .moving_from_s = 35,
     .moving_to_s = 55,
     .expected = "N3:N3.1 N2:MBM.2 N2:N2.2"},
    {.name = "movement in half an epoch hides nothing",
     .states = "222 222",
     .marks = {SPINDLE(5)},
     .moving_from_s = 40,
     .moving_to_s = 55,
     .expected = "N2:N2.1 N2:N2.2"},
    {.name = "the last epoch under a movement has nothing to follow",
     .states = "222 222",
     .marks = {SPINDLE(5)},
     .moving_from_s = 40,
     .moving_to_s = 58,
     .expected = "N2:N2.1 N2:N2.2"},
};

static void make_facts(const scenario *c, sv_sim_facts *out) {
    static const char letters[] = "w123r";
    size_t n = 0;
    sv_error err;
    for (const char *p = c->states; *p; p++) n += *p != ' ';
    assert_int_equal(n % 3, 0);
    *out = (sv_sim_facts){.n_epochs = (int)n / 3,
                          .n_s = (int)n * 10,
                          .alpha_generator = !c->no_alpha,
                          .n3_from_s = 6,
                          .state = sv_calloc(n * 10, 1),
                          .movement = sv_calloc(n * 10, sizeof(float)),
                          .slow_wave_s = sv_calloc(n / 3, sizeof(float)),
                          .chin_uv = sv_calloc(n / 3, sizeof(float)),
                          .chin_wake_uv = 20,
                          .chin_r_uv = 5};
    int t = 0;
    for (const char *p = c->states; *p; p++) {
        for (int i = 0; i < 10 && *p != ' '; i++) out->state[t++] = (signed char)(strchr(letters, *p) - letters);
    }
    for (int e = 0; e < SV_MIN(5, out->n_epochs); e++) out->slow_wave_s[e] = c->slow_wave_s[e];
    for (int s = c->moving_from_s; s < c->moving_to_s; s++) out->movement[s] = 1;
    for (const struct mark *m = c->marks; m->duration_s > 0; m++) {
        sv_event e = {m->kind, sv_role_bit(SV_ROLE_F4) | sv_role_bit(SV_ROLE_C4), m->onset_s, m->duration_s, 10, 50};
        ASSERT_OK(sv_events_add(&out->events, &e, &err), err);
    }
    sv_events_sort(&out->events);
}

static void describe(const sv_truth *truth, char *out, size_t room) {
    size_t len = 0;
    for (int e = 0; e < truth->n_epochs; e++) {
        const char *before = ":";
        len += (size_t)snprintf(out + len, room - len, "%s%s", e ? " " : "", sv_stage_name((sv_stage)truth->stages[e]));
        for (int i = 0; i < SV_N_RULES; i++) {
            if (!(truth->rules[e] >> i & 1)) continue;
            len += (size_t)snprintf(out + len, room - len, "%s%s", before, sv_rules[i].id);
            before = "+";
        }
    }
}

static void scenarios_are_scored(void **state) {
    (void)state;
    unsigned rules_seen = 0;
    int n_wrong = 0;
    for (size_t i = 0; i < SV_COUNT(scenarios); i++) {
        sv_sim_facts facts;
        sv_truth truth;
        sv_error err;
        char found[256] = "";
        make_facts(&scenarios[i], &facts);
        ASSERT_OK(sv_truth_score(&facts, &truth, &err), err);
        describe(&truth, found, sizeof found);
        if (strcmp(found, scenarios[i].expected) != 0) {
            print_error("%s: %s, expected %s\n", scenarios[i].name, found, scenarios[i].expected);
            n_wrong++;
        }
        for (int e = 0; e < truth.n_epochs; e++) rules_seen |= truth.rules[e];
        sv_truth_free(&truth);
        sv_sim_facts_free(&facts);
    }
    assert_int_equal(n_wrong, 0);
    assert_int_equal(rules_seen, (1 << SV_N_RULES) - 1);
}

static void a_night_of_no_epochs(void **state) {
    (void)state;
    sv_sim_facts facts = {0};
    sv_truth truth;
    sv_error err;
    ASSERT_OK(sv_truth_score(&facts, &truth, &err), err);
    assert_int_equal(truth.n_epochs, 0);
    sv_truth_free(&truth);
}

/* Of the rules that every epoch must have at least one is its stage's own; rules of other stages but for those that
 * look back or ahead do not occur. */
static void every_epoch_has_a_rule_of_its_stage(void **state) {
    (void)state;
    enum { LETTERS = 3 * 200 };
    char states[LETTERS + 1];
    for (uint64_t seed = 0; seed < 40; seed++) {
        sv_sim_facts facts;
        sv_truth truth;
        sv_error err;
        uint64_t k = 0;
        for (int i = 0; i < LETTERS; i++) {
            bool goes_on = i > 0 && sv_random_unit(seed, k++) < 0.8;
            states[i] = goes_on ? states[i - 1] : "w123r"[(int)(5 * sv_random_unit(seed, k++))];
        }
        states[LETTERS] = 0;
        make_facts(&(scenario){.states = states, .no_alpha = seed % 4 == 0}, &facts);
        for (int i = 0; i < 600; i++) {
            sv_event e = {(sv_event_kind)(SV_N_EVENT_KINDS * sv_random_unit(seed, k)),
                          63,
                          facts.n_s * sv_random_unit(seed, k + 1),
                          0.3 + 8 * sv_random_unit(seed, k + 2),
                          9,
                          90};
            k += 3;
            ASSERT_OK(sv_events_add(&facts.events, &e, &err), err);
            if (e.kind != SV_EVENT_BODY_MOVEMENT) continue;
            for (int t = (int)e.onset_s; t < facts.n_s && t < e.onset_s + 3 * e.duration_s; t++) facts.movement[t] = 1;
        }
        sv_events_sort(&facts.events);
        for (int e = 0; e < facts.n_epochs; e++) facts.slow_wave_s[e] = (float)(12 * sv_random_unit(seed, k++));
        ASSERT_OK(sv_truth_score(&facts, &truth, &err), err);
        for (int e = 0; e < truth.n_epochs; e++) {
            bool own = false;
            assert_in_range(truth.stages[e], 0, SV_N_STAGES - 1);
            for (int i = 0; i < SV_N_RULES; i++) {
                if (!(truth.rules[e] >> i & 1)) continue;
                bool mine = (int)sv_rules[i].stage == truth.stages[e];
                own = own || mine || strcmp(sv_rules[i].id, "MBM.2") == 0;
                assert_true(mine || sv_rules[i].stage == SV_STAGE_NONE);
            }
            assert_true(own);
        }
        sv_truth_free(&truth);
        sv_sim_facts_free(&facts);
    }
}

/* ---- truth.json */

static const unsigned all_roles = (1u << SV_N_ROLES) - 1;

static void json_there_and_back(void **state) {
    (void)state;
    const char *path = in_folder("truth.json");
    sv_error err;
    for (size_t i = 0; i < SV_COUNT(scenarios); i++) {
        sv_sim_facts facts;
        sv_truth truth;
        sv_truth_file back;
        sv_strbuf text = {0};
        make_facts(&scenarios[i], &facts);
        ASSERT_OK(sv_truth_score(&facts, &truth, &err), err);
        json_t *json = sv_truth_to_json(&facts, &truth, all_roles, 3);
        assert_non_null(json);
        ASSERT_OK(sv_json_save(path, json, &err), err);
        json_decref(json);
        ASSERT_OK(sv_truth_read(path, &back, &err), err);
        assert_int_equal(back.truth.n_epochs, truth.n_epochs);
        assert_memory_equal(back.truth.stages, truth.stages, (size_t)truth.n_epochs);
        assert_memory_equal(back.truth.rules, truth.rules, (size_t)truth.n_epochs * sizeof *truth.rules);
        assert_int_equal(back.events.n, facts.events.n);
        for (size_t k = 0; k < back.events.n; k++) {
            assert_int_equal(back.events.items[k].kind, facts.events.items[k].kind);
            assert_true(fabs(back.events.items[k].onset_s - facts.events.items[k].onset_s) < 1e-3);
        }
        for (int e = 0; e < truth.n_epochs; e++) {
            sv_rationale_write(&facts, &truth, e, all_roles, 3, &text);
            assert_string_equal(back.rationales[e], sv_strbuf_text(&text));
        }
        sv_strbuf_free(&text);
        sv_truth_file_free(&back);
        sv_truth_free(&truth);
        sv_sim_facts_free(&facts);
    }
}

static void wrong_files_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *text, *message;
    } files[] = {
        {"[1]", "not an object"},
        {"{\"stages\": 3, \"events\": []}", "\"stages\" is not a list"},
        {"{\"stages\": [\"N7\"], \"events\": []}", "\"stages\" of epoch 0"},
        {"{\"stages\": [\"W\", 2], \"events\": []}", "\"stages\" of epoch 1"},
        {"{\"stages\": [\"W\"], \"n_epochs\": 2, \"events\": []}", "\"n_epochs\" is 2"},
        {"{\"stages\": [\"W\"], \"epoch_s\": 20, \"events\": []}", "\"epoch_s\" is 20"},
        {"{\"stages\": [\"W\"], \"rules\": [], \"events\": []}", "0 items for 1 epochs"},
        {"{\"stages\": [\"W\"], \"rules\": [\"W.1\"], \"events\": []}", "\"rules\" of epoch 0 is not a list"},
        {"{\"stages\": [\"W\"], \"rules\": [[\"W.9\"]], \"events\": []}", "\"W.9\", which is no rule"},
        {"{\"stages\": [\"W\"], \"rules\": [[7]], \"events\": []}", "which is no rule"},
        {"{\"stages\": [\"W\"], \"rationales\": [7], \"events\": []}", "\"rationales\" of epoch 0 is not a text"},
        {"{\"stages\": [\"W\"]}", "\"events\" is not a list"},
        {"{\"stages\": [\"W\"], \"rationales\": [\"x\"], \"events\": [{\"kind\": \"yawn\"}]}", "usable \"kind\""},
    };
    for (size_t i = 0; i < SV_COUNT(files); i++) {
        const char *path = in_folder("wrong.json");
        sv_truth_file back;
        sv_error err;
        ASSERT_OK(sv_file_write(path, files[i].text, strlen(files[i].text), &err), err);
        assert_int_equal(sv_truth_read(path, &back, &err), SV_ERR_INPUT);
        assert_non_null(strstr(err.message, files[i].message));
        assert_non_null(strstr(err.message, "wrong.json"));
        assert_null(back.truth.stages);
    }
}

static void only_stages_are_enough(void **state) {
    (void)state;
    const char *path = in_folder("few.json"), text[] = "{\"stages\": [\"W\", \"?\", \"R\"], \"events\": []}";
    sv_truth_file back;
    sv_error err;
    ASSERT_OK(sv_file_write(path, text, strlen(text), &err), err);
    ASSERT_OK(sv_truth_read(path, &back, &err), err);
    assert_int_equal(back.truth.n_epochs, 3);
    assert_int_equal(back.truth.stages[1], SV_STAGE_NONE);
    assert_int_equal(back.truth.stages[2], SV_STAGE_R);
    assert_null(back.rationales);
    sv_truth_file_free(&back);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scenarios_are_scored),
        cmocka_unit_test(a_night_of_no_epochs),
        cmocka_unit_test(every_epoch_has_a_rule_of_its_stage),
        cmocka_unit_test(json_there_and_back),
        cmocka_unit_test(wrong_files_are_refused),
        cmocka_unit_test(only_stages_are_enough),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
