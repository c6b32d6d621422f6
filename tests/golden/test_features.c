/* test_features.c - per-second targets against the published system's, where it agrees with itself. */
#include <math.h>

#include "base/json.h"
#include "base/memory.h"
#include "psg/features.h"
#include "psg/filter.h"
#include "psg/resample.h"
#include "support/golden_signals.h"

static const struct {
    const char *name;
    double rate;
} pieces[] = {{"syn512", 512}, {"syn256_bad", 256}, {"syn100", 100}, {"nox", 200}, {"dynamo", 100}};

typedef struct tally {
    int n_compared, n_left_out;
    double worst;
} tally;

/* Compares one value with the golden one, unless the golden's own second run differs. */
static void compare(tally *t, const json_t *golden, const json_t *alternative, const char *key, double value) {
    const json_t *expected = json_object_get(golden, key), *other = json_object_get(alternative, key);
    assert_non_null(expected);
    if (fabs(json_number_value(expected) - json_number_value(other)) > 0.02) {
        t->n_left_out++;
        return;
    }
    t->n_compared++;
    double rounded = rint(value * 100) / 100;
    t->worst = fmax(t->worst, fabs(rounded - json_number_value(expected)));
    if (isnan(value)) t->worst = INFINITY;
}

static void compare_channel(tally *t, const json_t *golden, const json_t *alternative, const char *channel,
                            const double *x, size_t n) {
    for (size_t second = 0; (second + 1) * 100 <= n; second++) {
        char digits[32];
        snprintf(digits, sizeof digits, "%zu", second / 30);
        /* labelled pieces have keys such as "0_W" */
        const char *key;
        json_t *epoch = NULL, *value;
        json_object_foreach((json_t *)golden, key, value) {
            if (strncmp(key, digits, strlen(digits)) == 0 && strspn(key, "0123456789") == strlen(digits)) {
                epoch = json_object_get(alternative, key);
                break;
            }
        }
        if (!epoch) continue;
        snprintf(digits, sizeof digits, "%zu", second % 30 + 1);
        const json_t *expected = json_object_get(json_object_get(value, channel), digits),
                     *other = json_object_get(json_object_get(epoch, channel), digits);
        assert_non_null(expected);
        sv_second_features f;
        sv_second_features_compute(x + second * 100, &f);
        compare(t, expected, other, "mav", f.mav_uv);
        if (strcmp(channel, "Chin") == 0) continue;
        compare(t, expected, other, "delta", f.delta_db);
        compare(t, expected, other, "theta", f.theta_db);
        compare(t, expected, other, "alpha", f.alpha_db);
        compare(t, expected, other, "beta", f.beta_db);
    }
}

static double *to_100(const double *raw, size_t n, double rate, bool is_emg, size_t *n_out) {
    sv_error err;
    double *x = calloc(n, sizeof *x);
    memcpy(x, raw, n * sizeof *x);
    ASSERT_OK(sv_features_filter(x, n, rate, 50, is_emg, &err), err);
    *n_out = n;
    if (fabs(rate - 100) < 0.1) return x;
    *n_out = sv_resampled_length(n, rate, 100);
    double *out = calloc(*n_out, sizeof *out);
    sv_resample_linear(x, n, 1, out, *n_out);
    sv_round_to_float(out, *n_out);
    free(x);
    return out;
}

static void check_piece(size_t p) {
    static const char *const channels[] = {"F4", "C4", "O2", "LOC", "ROC", "Chin"};
    sv_error err;
    char path[128];
    json_t *golden, *alternative;
    sv_tensor_file *s;
    snprintf(path, sizeof path, "golden/dsp/%s.safetensors", pieces[p].name);
    ASSERT_OK(sv_tensor_file_open(shared_path(path), &s, &err), err);
    snprintf(path, sizeof path, "golden/dsp/%s.wpt.json", pieces[p].name);
    ASSERT_OK(sv_json_load(shared_path(path), &golden, &err), err);
    snprintf(path, sizeof path, "golden/dsp/%s.wpt-alt.json", pieces[p].name);
    ASSERT_OK(sv_json_load(shared_path(path), &alternative, &err), err);
    tally t = {0};
    double worst_middle = 0, worst_anywhere = 0;
    for (size_t c = 0; c < SV_COUNT(channels); c++) {
        char name[64];
        size_t n, n_out, n_expected;
        snprintf(name, sizeof name, "raw_%s", channels[c]);
        double *raw = signal_read(s, name, &n);
        if (!raw) continue;
        double *x = to_100(raw, n, pieces[p].rate, strcmp(channels[c], "Chin") == 0, &n_out);
        compare_channel(&t, golden, alternative, channels[c], x, n_out);
        snprintf(name, sizeof name, "wpt_filtered100_%s", channels[c]);
        double *expected = signal_read(s, name, &n_expected);
        for (size_t i = 0; expected && i < n_expected; i++) {
            double d = fabs(x[i] - expected[i]);
            worst_anywhere = fmax(worst_anywhere, d);
            if (i > n_expected / 3 && i < n_expected * 2 / 3) worst_middle = fmax(worst_middle, d);
        }
        free(expected);
        free(x);
        free(raw);
    }
    print_message("%s: %d values, worst %.3g, %d left out; signal: middle third %.3g uV, anywhere %.3g uV\n",
                  pieces[p].name, t.n_compared, t.worst, t.n_left_out, worst_middle, worst_anywhere);
    assert_true(t.n_compared > 300);
    assert_true(t.worst <= 0.0201);
    assert_true(worst_middle < 0.01);
    json_decref(golden);
    json_decref(alternative);
    sv_tensor_file_close(s);
}

static void targets(void **state) {
    (void)state;
    SKIP_WITHOUT(shared_path("golden/dsp/nox.wpt.json"));
    for (size_t p = 0; p < SV_COUNT(pieces); p++) check_piece(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(targets)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
