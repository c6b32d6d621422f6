/* test_sampler.c - random numbers by their published vectors; choices by hand; frequencies; edges. */
#include "support/test.h"

#include <math.h>

#include "base/memory.h"
#include "base/random.h"
#include "model/sampler.h"

/* known answers of the authors' Random123 library, philox 4x32 with 10 rounds */
static void philox_gives_the_known_answers(void **state) {
    (void)state;
    static const struct {
        uint32_t counter[4], key[2], expected[4];
    } cases[] = {
        {{0}, {0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < SV_COUNT(cases); i++) {
        uint32_t out[4];
        sv_philox(cases[i].counter, cases[i].key, out);
        assert_memory_equal(out, cases[i].expected, sizeof out);
    }
}

static void numbers_are_uniform(void **state) {
    (void)state;
    enum { N = 100000, BINS = 64 };
    int bins[BINS] = {0};
    double sum = 0;
    for (uint64_t i = 0; i < N; i++) {
        double u = sv_random_unit(7, i);
        assert_true(u >= 0 && u < 1);
        bins[(int)(u * BINS)]++;
        sum += u;
    }
    double chi = 0, expected = (double)N / BINS;
    for (int i = 0; i < BINS; i++) chi += (bins[i] - expected) * (bins[i] - expected) / expected;
    assert_true(fabs(sum / N - 0.5) < 0.005); /* 5.5 standard errors */
    assert_true(chi > 25 && chi < 125);       /* 63 degrees of freedom: beyond these with probability 1e-5 */
    assert_true(sv_random_unit(7, 1) != sv_random_unit(8, 1) && sv_random_unit(7, 1) != sv_random_unit(7, 2));
    assert_true(sv_random_unit(1ULL << 32, 0) != sv_random_unit(0, 0));
    assert_true(sv_random_unit(0, 1ULL << 32) != sv_random_unit(0, 0));
}

static sv_sampler *make(sv_sampling options, int n_ids) {
    sv_error err;
    sv_sampler *s;
    if (options.repetition_penalty == 0) options.repetition_penalty = 1;
    ASSERT_OK(sv_sampler_new(&options, n_ids, &s, &err), err);
    return s;
}

/* The ids that come up in many draws, as bits. */
static unsigned drawn(sv_sampling options, const float *logits, int n_ids, const uint64_t *allowed) {
    sv_sampler *s = make(options, n_ids);
    unsigned ids = 0;
    for (uint64_t draw = 0; draw < 4000; draw++) {
        int32_t id = sv_sampler_choose(s, logits, allowed, draw);
        assert_in_range(id, 0, n_ids - 1);
        ids |= 1U << id;
    }
    sv_sampler_free(s);
    return ids;
}

static void greedy_choices_by_hand(void **state) {
    (void)state;
    static const struct {
        const char *what;
        float logits[4], penalty;
        unsigned seen;
        uint64_t allowed; /* 0 = no mask */
        int32_t expected;
    } cases[] = {
        {"the largest", {1, 3, 2, 0}, 1, 0, 0, 1},
        {"the first of equals", {1, 3, 3, 3}, 1, 0, 0, 1},
        {"a positive logit is divided", {1, 3, 2.5F, 0}, 1.25F, 2, 0, 2}, /* 2.4 < 2.5 */
        {"equal after the penalty", {1, 3, 2, 0}, 1.5F, 2, 0, 1},
        {"a negative logit is multiplied", {-4, -2, -3, -9}, 2, 2, 0, 2}, /* -4 < -3 */
        {"a penalty below 1 favours", {-4, -3, -2, -9}, 0.5F, 1, 0, 0},   /* -2, the first of equals */
        {"zero stays", {0, -1, -2, -3}, 5, 1, 0, 0},
        {"forbidden", {1, 3, 2, 0}, 1, 0, 0xD, 2},
        {"no number", {NAN, NAN, 2, NAN}, 1, 0, 0, 2},
        {"none is a number", {NAN, NAN, NAN, NAN}, 1, 0, 0, -1},
        {"minus infinity is no choice", {-INFINITY, -INFINITY, -INFINITY, -INFINITY}, 1, 0, 0, -1},
        {"unless it must be", {5, -INFINITY, -INFINITY, 5}, 1, 0, 0x6, 1},
        {"infinity", {1, INFINITY, 2, 3}, 1, 0, 0, 1},
    };
    for (size_t i = 0; i < SV_COUNT(cases); i++) {
        for (int small = 0; small < 2; small++) { /* the published model's temperature is greedy too */
            sv_sampler *s = make((sv_sampling){.temperature = small ? 1e-6F : 0,
                                               .top_k = 1,
                                               .top_p = 0.001F,
                                               .repetition_penalty = cases[i].penalty},
                                 4);
            for (int32_t id = 0; id < 4; id++) {
                if (cases[i].seen >> id & 1) sv_sampler_mark(s, id);
            }
            const uint64_t *allowed = cases[i].allowed ? &cases[i].allowed : NULL;
            int32_t id = sv_sampler_choose(s, cases[i].logits, allowed, 0);
            if (id != cases[i].expected) fail_msg("%s: %d", cases[i].what, id);
            sv_sampler_free(s);
        }
    }
}

/* Which ids can be drawn at all. Probabilities of LOGS: 0.4, 0.3, 0.2, 0.1. */
#define LOGS \
    { -0.9162907F, -1.2039728F, -1.6094379F, -2.3025851F }
static void cuts_by_hand(void **state) {
    (void)state;
    static const struct {
        const char *what;
        float logits[4];
        sv_sampling options;
        uint64_t allowed; /* 0 = no mask */
        unsigned expected;
    } cases[] = {
        {"all", LOGS, {.temperature = 1}, 0, 0xF},
        {"top-p 1 and top-k -1 are off", LOGS, {.temperature = 1, .top_p = 1, .top_k = -1}, 0, 0xF},
        {"top-k 1", LOGS, {.temperature = 1, .top_k = 1}, 0, 0x1},
        {"top-k 3", LOGS, {.temperature = 1, .top_k = 3}, 0, 0x7},
        {"top-k beyond the vocabulary", LOGS, {.temperature = 1, .top_k = 9}, 0, 0xF},
        {"equals of the k-th stay", {1, 2, 1, 0}, {.temperature = 1, .top_k = 2}, 0, 0x7},
        {"all equal", {1, 1, 1, 1}, {.temperature = 1, .top_k = 1}, 0, 0xF},
        {"top-p reached by one", LOGS, {.temperature = 1, .top_p = 0.39F}, 0, 0x1},
        {"top-p just not reached by one", LOGS, {.temperature = 1, .top_p = 0.41F}, 0, 0x3},
        {"top-p 0.69", LOGS, {.temperature = 1, .top_p = 0.69F}, 0, 0x3},
        {"top-p 0.71", LOGS, {.temperature = 1, .top_p = 0.71F}, 0, 0x7},
        {"top-p almost 0 leaves one", LOGS, {.temperature = 1, .top_p = 1e-9F}, 0, 0x1},
        {"top-p among equals: lower ids", {1, 1, 1, 1}, {.temperature = 1, .top_p = 0.5F}, 0, 0x3},
        {"top-p of what top-k left", LOGS, {.temperature = 1, .top_k = 2, .top_p = 0.56F}, 0, 0x1}, /* 4/7 = 0.571 */
        {"top-p of what top-k left, more", LOGS, {.temperature = 1, .top_k = 2, .top_p = 0.58F}, 0, 0x3},
        {"a mask comes first", LOGS, {.temperature = 1, .top_p = 0.5F}, 0xE, 0x2}, /* 0.3 of 0.6 */
        {"a mask comes before top-k", LOGS, {.temperature = 1, .top_k = 2}, 0xD, 0x5},
        {"temperature sharpens before top-p", LOGS, {.temperature = 0.1F, .top_p = 0.93F}, 0, 0x1}, /* 0.945 */
        {"temperature flattens before top-p", LOGS, {.temperature = 100, .top_p = 0.7F}, 0, 0x7},
        {"no number, no chance", {NAN, 1, -INFINITY, 0}, {.temperature = 1}, 0, 0xA},
        {"infinity", {1, INFINITY, 2, 3}, {.temperature = 1}, 0, 0x2},
    };
    for (size_t i = 0; i < SV_COUNT(cases); i++) {
        unsigned ids = drawn(cases[i].options, cases[i].logits, 4, cases[i].allowed ? &cases[i].allowed : NULL);
        if (ids != cases[i].expected) fail_msg("%s: %x", cases[i].what, ids);
    }
    static const float none[] = {NAN, -INFINITY}, masked[] = {1, -INFINITY};
    sv_sampler *s = make((sv_sampling){.temperature = 1}, 2);
    assert_int_equal(sv_sampler_choose(s, none, NULL, 0), -1);
    assert_int_equal(sv_sampler_choose(s, masked, (const uint64_t[]){2}, 0), 1);
    sv_sampler_free(s);
}

/* Chi-square of many draws against probabilities computed here in another way. */
static void frequencies_are_those_of_the_softmax(void **state) {
    (void)state;
    enum { N_IDS = 40, N = 200000 };
    static const sv_sampling options[] = {{.temperature = 1, .seed = 1},
                                          {.temperature = 0.5F, .seed = 2},
                                          {.temperature = 2, .seed = 0xFFFFFFFFFFFFFFFF},
                                          {.temperature = 1, .seed = 3, .top_k = 10},
                                          {.temperature = 1, .seed = 4, .top_p = 0.8F},
                                          {.temperature = 1.5F, .seed = 5, .top_k = 20, .top_p = 0.9F}};
    float logits[N_IDS];
    for (int i = 0; i < N_IDS; i++) logits[i] = 4 * (float)sv_random_unit(99, (uint64_t)i);
    for (size_t o = 0; o < SV_COUNT(options); o++) {
        double p[N_IDS], total = 0;
        int counts[N_IDS] = {0}, order[N_IDS];
        for (int i = 0; i < N_IDS; i++) {
            order[i] = i;
            p[i] = exp((double)logits[i] / (double)options[o].temperature);
        }
        for (int i = 0; i < N_IDS; i++) {
            for (int k = i + 1; k < N_IDS; k++) {
                if (p[order[k]] <= p[order[i]]) continue;
                int swap = order[i];
                order[i] = order[k];
                order[k] = swap;
            }
        }
        int n = options[o].top_k > 0 ? options[o].top_k : N_IDS;
        for (int i = 0; i < n; i++) total += p[order[i]];
        if (options[o].top_p > 0) {
            double mass = 0;
            int kept = 0;
            while (kept < n && mass < (double)options[o].top_p * total) mass += p[order[kept++]];
            n = kept;
            total = mass;
        }
        sv_sampler *s = make(options[o], N_IDS);
        for (uint64_t draw = 0; draw < N; draw++) counts[sv_sampler_choose(s, logits, NULL, draw)]++;
        sv_sampler_free(s);
        double chi = 0;
        int drawn_in = 0;
        for (int i = 0; i < n; i++) {
            double expected = N * p[order[i]] / total;
            chi += (counts[order[i]] - expected) * (counts[order[i]] - expected) / expected;
            drawn_in += counts[order[i]];
        }
        assert_int_equal(drawn_in, N);
        double freedom = n - 1; /* beyond mean + 5 sd: about 1e-5 */
        print_message("options %zu: %d ids, chi-square %.1f\n", o, n, chi);
        assert_true(chi < freedom + 5 * sqrt(2 * freedom));
    }
}

/* A draw depends on its number only: not on the draws before it, nor on the sampler. */
static void draws_do_not_depend_on_order(void **state) {
    (void)state;
    enum { N_IDS = 1000, N = 64 };
    float logits[N_IDS];
    int32_t forwards[N];
    for (int i = 0; i < N_IDS; i++) logits[i] = 3 * (float)sv_random_unit(5, (uint64_t)i);
    sv_sampling options = {.temperature = 1, .top_p = 0.95F, .seed = 42};
    sv_sampler *a = make(options, N_IDS), *b = make(options, N_IDS);
    for (uint64_t i = 0; i < N; i++) forwards[i] = sv_sampler_choose(a, logits, NULL, i);
    for (uint64_t i = N; i-- > 0;) assert_int_equal(sv_sampler_choose(b, logits, NULL, i), forwards[i]);
    options.seed = 43;
    sv_sampler *c = make(options, N_IDS);
    int same = 0;
    for (uint64_t i = 0; i < N; i++) same += sv_sampler_choose(c, logits, NULL, i) == forwards[i];
    assert_true(same < N / 4);
    sv_sampler_free(a);
    sv_sampler_free(b);
    sv_sampler_free(c);
}

static void bad_options_are_refused(void **state) {
    (void)state;
    static const struct {
        sv_sampling options;
        const char *word;
    } cases[] = {{{.temperature = -1, .repetition_penalty = 1}, "temperature"},
                 {{.temperature = NAN, .repetition_penalty = 1}, "temperature"},
                 {{.temperature = 101, .repetition_penalty = 1}, "temperature"},
                 {{.top_k = -2, .repetition_penalty = 1}, "top-k"},
                 {{.top_p = 1.5F, .repetition_penalty = 1}, "top-p"},
                 {{.top_p = NAN, .repetition_penalty = 1}, "top-p"},
                 {{.repetition_penalty = 0}, "repetition"},
                 {{.repetition_penalty = INFINITY}, "repetition"}};
    sv_error err;
    sv_sampler *s;
    for (size_t i = 0; i < SV_COUNT(cases); i++) {
        assert_int_equal(sv_sampler_new(&cases[i].options, 4, &s, &err), SV_ERR_USAGE);
        assert_null(s);
        assert_non_null(strstr(err.message, cases[i].word));
    }
    assert_int_equal(sv_sampler_new(&(sv_sampling){.repetition_penalty = 1}, 0, &s, &err), SV_ERR_USAGE);
    s = make((sv_sampling){0}, 2);
    sv_sampler_mark(s, 5); /* a padding row in the history */
    sv_sampler_mark(s, -1);
    assert_int_equal(sv_sampler_choose(s, (const float[]){1, 2}, NULL, 0), 1);
    sv_sampler_free(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(philox_gives_the_known_answers),
                                       cmocka_unit_test(numbers_are_uniform),
                                       cmocka_unit_test(greedy_choices_by_hand),
                                       cmocka_unit_test(cuts_by_hand),
                                       cmocka_unit_test(frequencies_are_those_of_the_softmax),
                                       cmocka_unit_test(draws_do_not_depend_on_order),
                                       cmocka_unit_test(bad_options_are_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
