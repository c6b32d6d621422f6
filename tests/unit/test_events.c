/* test_events.c - lists of events: order, search, cover, JSON there and back, matching. */
#include "support/test.h"

#include <math.h>

#include "base/memory.h"
#include "base/random.h"
#include "sleep/event_match.h"

static sv_event event(sv_event_kind kind, double onset_s, double duration_s, unsigned roles) {
    return (sv_event){kind, roles, onset_s, duration_s, NAN, NAN};
}

static void add(sv_events *events, sv_event e) {
    sv_error err;
    ASSERT_OK(sv_events_add(events, &e, &err), err);
}

static void names_go_there_and_back(void **state) {
    (void)state;
    sv_event_kind kind;
    for (int i = 0; i < SV_N_EVENT_KINDS; i++) {
        assert_true(sv_event_kind_from_name(sv_event_kind_name((sv_event_kind)i), &kind));
        assert_int_equal(kind, i);
    }
    assert_false(sv_event_kind_from_name("Spindle", &kind));
    assert_false(sv_event_kind_from_name("", &kind));
}

static void cover_and_count(void **state) {
    (void)state;
    sv_events events = {0};
    add(&events, event(SV_EVENT_SPINDLE, 29, 2, 1)); /* middle exactly at 30 */
    add(&events, event(SV_EVENT_SPINDLE, 40, 3, 2)); /* overlaps the next */
    add(&events, event(SV_EVENT_SPINDLE, 42, 2, 1));
    add(&events, event(SV_EVENT_SLOW_WAVE, 41, 1, 1)); /* another kind */
    add(&events, event(SV_EVENT_SPINDLE, 59.5, 1, 1)); /* middle exactly at 60 */
    sv_events_sort(&events);
    assert_int_equal(sv_events_count(&events, SV_EVENT_SPINDLE, 0, 30, 60), 3);
    assert_int_equal(sv_events_count(&events, SV_EVENT_SPINDLE, 1, 30, 60), 2);
    assert_int_equal(sv_events_count(&events, SV_EVENT_SPINDLE, 4, 30, 60), 0);
    assert_true(fabs(sv_events_cover_s(&events, SV_EVENT_SPINDLE, 0, 30, 60) - (1 + 4 + 0.5)) < 1e-12);
    assert_true(fabs(sv_events_cover_s(&events, SV_EVENT_SPINDLE, 2, 30, 60) - 3) < 1e-12);
    assert_int_equal(sv_events_first_from(&events, 40), 1);
    assert_int_equal(sv_events_first_from(&events, 1000), events.n);
    sv_events_free(&events);
}

static void long_events_are_kept_in_pieces(void **state) {
    (void)state;
    sv_events events = {0};
    add(&events, event(SV_EVENT_ARTEFACT, 10, 2.5 * SV_EVENT_MAX_S, 1));
    assert_int_equal(events.n, 3);
    sv_events_sort(&events);
    double from_s = 10 + 2.4 * SV_EVENT_MAX_S;
    assert_true(fabs(sv_events_cover_s(&events, SV_EVENT_ARTEFACT, 0, from_s, from_s + 30) - 30) < 1e-9);
    sv_events_free(&events);
}

static void json_there_and_back(void **state) {
    (void)state;
    sv_error err;
    sv_events events = {0}, back;
    for (int i = 0; i < SV_N_EVENT_KINDS; i++) {
        sv_event e = {(sv_event_kind)i, (unsigned)i % 64, 1.5 * i, 0.25, i % 2 ? NAN : 12.5, i % 3 ? 80.5 : NAN};
        add(&events, e);
    }
    json_t *list = sv_events_to_json(&events);
    ASSERT_OK(sv_events_from_json(list, "test", &back, &err), err);
    assert_int_equal(back.n, events.n);
    for (size_t i = 0; i < back.n; i++) {
        const sv_event *a = &events.items[i], *b = &back.items[i];
        assert_true(a->kind == b->kind && a->roles == b->roles && a->onset_s == b->onset_s);
        assert_true(isnan(a->frequency_hz) == isnan(b->frequency_hz) &&
                    isnan(a->amplitude_uv) == isnan(b->amplitude_uv));
    }
    sv_events_free(&events);
    sv_events_free(&back);
    json_decref(list);
}

static void wrong_json_is_named(void **state) {
    (void)state;
    static const struct {
        const char *json, *word;
    } cases[] = {
        {"{}", "not a list"},
        {"[{\"kind\":\"ghost\",\"channels\":[],\"onset_s\":1,\"duration_s\":1}]", "\"kind\""},
        {"[{\"kind\":\"rem\",\"channels\":[\"Q9\"],\"onset_s\":1,\"duration_s\":1}]", "\"channels\""},
        {"[{\"kind\":\"rem\",\"channels\":7,\"onset_s\":1,\"duration_s\":1}]", "\"channels\""},
        {"[{\"kind\":\"rem\",\"channels\":[],\"onset_s\":null,\"duration_s\":1}]", "\"onset_s\""},
        {"[{\"kind\":\"rem\",\"channels\":[],\"onset_s\":1,\"duration_s\":-1}]", "\"duration_s\""},
        {"[3]", "\"kind\""},
    };
    for (size_t i = 0; i < SV_COUNT(cases); i++) {
        sv_error err;
        sv_events events;
        json_t *list = json_loads(cases[i].json, 0, NULL);
        assert_int_equal(sv_events_from_json(list, "file", &events, &err), SV_ERR_INPUT);
        assert_non_null(strstr(err.message, cases[i].word));
        json_decref(list);
    }
}

static void matching(void **state) {
    (void)state;
    sv_error err;
    sv_events truth = {0}, found = {0};
    int64_t of[5];
    sv_event_score score;
    add(&truth, event(SV_EVENT_SPINDLE, 10, 1, 1));
    add(&truth, event(SV_EVENT_SPINDLE, 20, 1, 1));
    add(&truth, event(SV_EVENT_SPINDLE, 30, 1, 1));
    add(&truth, event(SV_EVENT_BLINK, 40, 1, 1));
    add(&found, event(SV_EVENT_SPINDLE, 10.2, 1, 2)); /* IoU 0.8 / 1.2 */
    add(&found, event(SV_EVENT_SPINDLE, 10.7, 1, 2)); /* IoU 0.3 / 1.7: less than 0.2 */
    add(&found, event(SV_EVENT_SPINDLE, 19.5, 2, 2)); /* 0.5 */
    add(&found, event(SV_EVENT_BLINK, 30, 1, 2));     /* another kind */
    add(&found, event(SV_EVENT_SPINDLE, 50, 1, 2));   /* nothing there */
    ASSERT_OK(sv_events_match(&truth, &found, SV_EVENT_SPINDLE, SV_EVENT_MIN_IOU, of, &score, &err), err);
    assert_true(score.n_truth == 3 && score.n_found == 4 && score.n_matched == 2);
    assert_true(of[0] == 0 && of[1] == -1 && of[2] == 1 && of[3] == -1 && of[4] == -1);
    assert_true(fabs(score.f1 - 4.0 / 7) < 1e-12 && score.precision == 0.5 && fabs(score.recall - 2.0 / 3) < 1e-12);
    sv_event_score sum = {0};
    sv_event_score_add(&sum, &score);
    sv_event_score_add(&sum, &score);
    assert_true(sum.n_matched == 4 && fabs(sum.f1 - score.f1) < 1e-12);
    sv_events_free(&found);
    ASSERT_OK(sv_events_match(&truth, &found, SV_EVENT_SPINDLE, SV_EVENT_MIN_IOU, NULL, &score, &err), err);
    assert_true(isnan(score.precision) && score.recall == 0 && score.f1 == 0);
    sv_events_free(&truth);
}

/* No event is used twice and no pair that is free and good enough is left over. */
static void matching_is_maximal(void **state) {
    (void)state;
    sv_error err;
    uint64_t k = 0;
    for (int round = 0; round < 200; round++) {
        sv_events truth = {0}, found = {0};
        int64_t of[40], used[40] = {0};
        sv_event_score score;
        for (int i = 0; i < 40; i++) {
            double onset = 30 * sv_random_unit(5, k++), duration = 0.1 + 2 * sv_random_unit(5, k++);
            add(i % 2 ? &truth : &found, event(SV_EVENT_REM, onset, duration, 1));
        }
        sv_events_sort(&truth);
        sv_events_sort(&found);
        ASSERT_OK(sv_events_match(&truth, &found, SV_EVENT_REM, 0.2, of, &score, &err), err);
        for (size_t f = 0; f < found.n; f++) {
            if (of[f] >= 0) assert_int_equal(++used[of[f]], 1);
        }
        for (size_t f = 0; f < found.n; f++) {
            for (size_t t = 0; t < truth.n && of[f] < 0; t++) {
                const sv_event *a = &found.items[f], *b = &truth.items[t];
                double both = sv_event_overlap_s(a, b->onset_s, b->onset_s + b->duration_s);
                if (!used[t]) assert_true(both / (a->duration_s + b->duration_s - both) < 0.2);
            }
        }
        sv_events_free(&truth);
        sv_events_free(&found);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_go_there_and_back),
        cmocka_unit_test(cover_and_count),
        cmocka_unit_test(long_events_are_kept_in_pieces),
        cmocka_unit_test(json_there_and_back),
        cmocka_unit_test(wrong_json_is_named),
        cmocka_unit_test(matching),
        cmocka_unit_test(matching_is_maximal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
