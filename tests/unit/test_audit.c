/* test_audit.c - for every kind of claim a true sentence that is supported and a lie that is contradicted; channels
 * that are missing; answers and the night as JSON. */
#include "support/test.h"

#include <math.h>

#include "audit/audit.h"
#include "base/memory.h"
#include "base/random.h"

enum { EPOCHS = 5, BUSY = 2, N = EPOCHS * SV_EPOCH_SAMPLES };

typedef struct bench {
    double x[SV_N_ROLES][N];
    sv_night night;
    sv_evidence evidence;
    sv_epoch_evidence epochs[EPOCHS];
    signed char stages[EPOCHS];
    sv_audit *audit;
} bench;

static void put(bench *b, sv_event_kind kind, double at_s, double duration_s, double hz, double uv, unsigned roles) {
    sv_error err;
    ASSERT_OK(sv_events_add(&b->evidence.events, &(sv_event){kind, roles, BUSY * 30 + at_s, duration_s, hz, uv}, &err),
              err);
}

static double *of(bench *b, int epoch, sv_measurement m) { return &b->epochs[epoch].values[m]; }

/* A night of almost nothing; its middle epoch holds one of everything. */
static bench *set_up(unsigned roles) {
    static const unsigned f4 = 1, c4 = 2, o2 = 4, eyes = 24, chin = 32;
    bench *b = calloc(1, sizeof *b);
    sv_error err;
    b->night.n_epochs = EPOCHS;
    for (int r = 0; r < SV_N_ROLES; r++) {
        for (uint64_t i = 0; i < N; i++) b->x[r][i] = sv_random_unit((uint64_t)r, i) - 0.5;
        b->night.samples[r] = roles >> r & 1 ? b->x[r] : NULL;
    }
    b->evidence =
        (sv_evidence){.n_epochs = EPOCHS, .roles = roles, .epochs = b->epochs, .levels = {1, 10, 10, 8, true}};
    for (int e = 0; e < EPOCHS; e++) {
        b->stages[e] = SV_STAGE_N2;
        for (int m = 0; m < SV_N_MEASUREMENTS; m++) b->epochs[e].values[m] = 0;
        *of(b, e, SV_M_lamf_share) = 0.9;
        *of(b, e, SV_M_chin_level) = 0.5;
        *of(b, e, SV_M_eeg_uv) = 40;
        *of(b, e, SV_M_background_hz) = 6;
    }
    put(b, SV_EVENT_SPINDLE, 5, 1, 13, 40, f4 | c4);
    put(b, SV_EVENT_SPINDLE, 12, 0.8, 13.4, 30, c4);
    put(b, SV_EVENT_K_COMPLEX, 20, 1, NAN, 140, f4 | c4);
    put(b, SV_EVENT_SLOW_WAVE, 20, 1, 1, 110, f4);
    put(b, SV_EVENT_VERTEX_WAVE, 8, 0.3, NAN, 60, c4);
    put(b, SV_EVENT_SAWTOOTH, 24, 3, 3, 30, c4);
    for (int k = 0; k < 6; k++) put(b, SV_EVENT_BLINK, 1 + k, 0.4, NAN, 150, eyes);
    for (int k = 0; k < 4; k++) put(b, SV_EVENT_REM, 16 + k, 0.5, NAN, 120, eyes);
    put(b, SV_EVENT_SEM, 9, 6, 0.4, 120, eyes);
    for (int k = 0; k < 3; k++) put(b, SV_EVENT_PHASIC_EMG, 25 + k, 0.3, NAN, 40, chin);
    put(b, SV_EVENT_AROUSAL, 14, 5, NAN, NAN, f4 | c4 | o2);
    put(b, SV_EVENT_BODY_MOVEMENT, 27, 3, NAN, NAN, 63);
    put(b, SV_EVENT_ALPHA, 14, 6, 10, 40, o2);
    sv_events_sort(&b->evidence.events);
    *of(b, BUSY, SV_M_alpha_share) = 0.2;
    *of(b, BUSY, SV_M_alpha_hz) = 10;
    *of(b, BUSY, SV_M_theta_share) = 0.5;
    *of(b, BUSY, SV_M_delta_relative) = 0.7;
    *of(b, BUSY, SV_M_beta_relative) = 0.12;
    *of(b, BUSY, SV_M_spindle_count) = 2;
    *of(b, BUSY, SV_M_slow_wave_s) = 1;
    *of(b, BUSY, SV_M_chin_level) = 0.1;
    *of(b, 1, SV_M_chin_level) = 0.9;
    b->stages[0] = SV_STAGE_W;
    ASSERT_OK(sv_audit_new(&b->evidence, &b->night, b->stages, NULL, &b->audit, &err), err);
    return b;
}

static void tear_down(bench *b) {
    sv_audit_free(b->audit);
    sv_events_free(&b->evidence.events);
    free(b);
}

static sv_claim_finding judge(const bench *b, int epoch, const char *text) {
    sv_claims claims;
    sv_claim_finding f;
    sv_error err;
    ASSERT_OK(sv_claims_extract(text, strlen(text), &claims, &err), err);
    if (claims.n != 1) fail_msg("%zu claims in: %s", claims.n, text);
    sv_audit_claim(b->audit, epoch, &claims.items[0], &f);
    sv_claims_free(&claims);
    return f;
}

/* True of the busy epoch, and a lie there; `quiet`: what the first lies about in the empty epoch after it. */
static const struct pair {
    const char *true_text, *lie;
} pairs[] = {
    /* presence and absence of each feature */
    {"Sleep spindles are seen.", "No spindles are seen."},
    {"A K-complex is seen.", NULL},
    {"Slow waves occur.", NULL},
    {"Vertex waves appear.", NULL},
    {"Sawtooth waves are seen.", NULL},
    {"Blinks are visible.", "There are no blinks."},
    {"Rapid eye movements occur.", "Rapid eye movements are absent."},
    {"Slow eye movements occur.", NULL},
    {"Eye movements are seen.", "No eye movements are seen."},
    {"Twitches are seen.", "No twitches are seen."},
    {"An arousal occurs.", "There is no arousal."},
    {"There is a body movement.", "There is no body movement."},
    {"Alpha rhythm is seen.", "No alpha rhythm is seen."},
    {"Theta activity is seen.", "No theta activity is seen."},
    {"Beta activity is seen.", "No beta activity is seen."},
    {"Low-amplitude mixed-frequency activity prevails.", "There is no low-amplitude mixed-frequency activity."},
    /* numbers */
    {"Two spindles are seen.", "Nine spindles are seen."},
    {"Six blinks are counted.", "Thirty blinks: 30."},
    {"Spindles of 13 Hz are seen.", "Spindles of 16 Hz are seen."},
    {"Alpha rhythm of 10 Hz is seen.", "Alpha rhythm of 7 Hz is seen."},
    {"A K-complex of 140 uV is seen.", "A K-complex of 300 uV is seen."},
    {"An arousal of 5 s is seen.", "An arousal of 14 s is seen."},
    {"Alpha covers 20 % of the epoch.", "Alpha covers more than 50 % of the epoch."},
    {"Slow waves for 1 s.", "Slow waves for 9 s."},
    {"Theta fills half the epoch.", "Theta fills 95 % of the epoch."},
    /* place, level, comparison, channel */
    {"A spindle at 5 s.", "A spindle at 25 s."},
    {"Blinks in the first half.", "Blinks in the second half."},
    {"Chin tone is low.", "Chin tone is high."},
    {"Chin tone is lower than in the preceding epoch.", "Chin tone is higher than in the preceding epoch."},
    {"Spindles are seen in C4.", "Spindles are seen in O2."},
    {"The preceding epoch is N2.", "The preceding epoch is N3."},
};

static void truths_and_lies(void **state) {
    (void)state;
    bench *b = set_up(63);
    for (size_t i = 0; i < SV_COUNT(pairs); i++) {
        sv_claim_finding f = judge(b, BUSY, pairs[i].true_text);
        if (f.verdict != SV_SUPPORTED)
            fail_msg("%s: %s (%s)", pairs[i].true_text, sv_verdict_name(f.verdict), f.reason);
        if (!pairs[i].lie) continue;
        f = judge(b, BUSY, pairs[i].lie);
        if (f.verdict != SV_CONTRADICTED) fail_msg("%s: %s (%s)", pairs[i].lie, sv_verdict_name(f.verdict), f.reason);
        assert_true(f.reason[0] != 0);
    }
    tear_down(b);
}

/* Where the signal is flat nothing was seen. */
static void nothing_in_a_flat_epoch(void **state) {
    (void)state;
    static const char *const lies[] = {
        "Sleep spindles are seen.",   "A K-complex is seen.",      "Slow waves occur.",
        "Vertex waves appear.",       "Sawtooth waves are seen.",  "Blinks are visible.",
        "Rapid eye movements occur.", "Slow eye movements occur.", "Eye movements are seen.",
        "There is a body movement.",  "Alpha rhythm is seen.",     "Theta activity is seen."};
    static const char *const truths[] = {"No spindles are seen.", "There is no K-complex.",
                                         "Rapid eye movements are absent.", "There are no blinks.",
                                         "No alpha rhythm is seen."};
    bench *b = set_up(63);
    for (size_t i = 0; i < SV_COUNT(lies); i++) {
        sv_claim_finding f = judge(b, BUSY + 2, lies[i]);
        if (f.verdict != SV_CONTRADICTED) fail_msg("%s: %s (%s)", lies[i], sv_verdict_name(f.verdict), f.reason);
    }
    for (size_t i = 0; i < SV_COUNT(truths); i++) {
        sv_claim_finding f = judge(b, BUSY + 2, truths[i]);
        if (f.verdict != SV_SUPPORTED) fail_msg("%s: %s (%s)", truths[i], sv_verdict_name(f.verdict), f.reason);
    }
    tear_down(b);
}

static void what_no_channel_shows(void **state) {
    (void)state;
    bench *b = set_up(7); /* EEG only */
    static const char *const lies[] = {"Rapid eye movements occur.", "Blinks are visible.", "Slow eye movements occur.",
                                       "Chin tone is low.", "Twitches are seen."};
    for (size_t i = 0; i < SV_COUNT(lies); i++) {
        sv_claim_finding f = judge(b, BUSY, lies[i]);
        if (f.verdict != SV_CONTRADICTED) fail_msg("%s: %s (%s)", lies[i], sv_verdict_name(f.verdict), f.reason);
        assert_non_null(strstr(f.reason, "recorded"));
    }
    assert_int_equal(judge(b, BUSY, "Rapid eye movements are absent.").verdict, SV_CANNOT_TELL);
    *of(b, BUSY, SV_M_unusable_share) = 1;
    assert_int_equal(judge(b, BUSY, "Sleep spindles are seen.").verdict, SV_CANNOT_TELL);
    assert_int_equal(judge(b, 0, "The preceding epoch is N2.").verdict, SV_CANNOT_TELL);
    tear_down(b);
}

static void the_proof_has_a_place(void **state) {
    (void)state;
    bench *b = set_up(63);
    sv_claim_finding f = judge(b, BUSY, "A spindle at 12 s.");
    assert_true(fabs(f.onset_s - (BUSY * 30 + 12)) < 1e-9 && fabs(f.duration_s - 0.8) < 1e-9 && f.roles == 2);
    assert_true(isnan(judge(b, BUSY + 2, "Sleep spindles are seen.").onset_s));
    tear_down(b);
}

static void answers_and_the_night(void **state) {
    (void)state;
    bench *b = set_up(63);
    json_t *none = NULL, *audit = NULL, *rules = json_pack("[s,s,s]", "N2.1", "N3.1", "X.9"), *rows = json_array();
    sv_error err;
    static const char text[] = "Two spindles are seen. Alpha covers more than 50 % of the epoch.";
    ASSERT_OK(sv_audit_answer(b->audit, BUSY, text, rules, SV_STAGE_N2, &audit, &err), err);
    const json_t *claims = json_object_get(audit, "claims"), *second = json_array_get(claims, 1);
    assert_int_equal(json_array_size(claims), 2);
    assert_string_equal(sv_json_text(second, "verdict", ""), "contradicted");
    assert_string_equal(sv_json_text(second, "text", ""), "Alpha");
    assert_memory_equal(text + sv_json_int(second, "begin", 0), "Alpha", 5);
    assert_int_equal(json_array_size(json_object_get(audit, "rules")), 2);
    assert_string_equal(sv_json_text(json_array_get(json_object_get(audit, "rules"), 0), "verdict", ""), "supported");
    assert_string_equal(sv_json_text(json_array_get(json_object_get(audit, "rules"), 1), "verdict", ""),
                        "contradicted");
    assert_true(fabs(sv_json_real(audit, "score", -1) - 0.5) < 1e-9);
    json_array_append_new(rows, json_pack("{s:i,s:O}", "epoch", BUSY, "audit", audit));
    json_t *summary = sv_audit_summary(b->audit, rows);
    assert_int_equal(sv_json_int(json_object_get(summary, "claims"), "contradicted", -1), 1);
    const json_t *first = json_array_get(json_object_get(summary, "triage"), 0);
    assert_int_equal(sv_json_int(first, "epoch", -1), BUSY);
    assert_true(json_array_size(json_object_get(first, "reasons")) >= 2);
    assert_int_equal(sv_audit_answer(b->audit, EPOCHS, text, rules, SV_STAGE_N2, &none, &err), SV_ERR_INPUT);
    json_decref(summary);
    json_decref(rules);
    json_decref(rows);
    json_decref(audit);
    tear_down(b);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(truths_and_lies), cmocka_unit_test(nothing_in_a_flat_epoch),
                                       cmocka_unit_test(what_no_channel_shows), cmocka_unit_test(the_proof_has_a_place),
                                       cmocka_unit_test(answers_and_the_night)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
