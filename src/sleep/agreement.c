/* agreement.c - agreement of two scorings, and overlap of two lists of rules. */
#include "sleep/agreement.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "sleep/stages.h"

static bool is_stage(int s) { return s >= 0 && s < SV_N_STAGES; }

/* From the counts alone, in whole numbers as long as possible: kappa = (n d - e) / (n^2 - e) with the diagonal's sum d
 * and e = sum of row total times column total (Cohen 1960, cleared of fractions). */
static void score(sv_agreement *a) {
    if (a->n == 0) {
        a->accuracy = a->macro_f1 = a->kappa = NAN;
        for (int s = 0; s < SV_N_STAGES; s++) a->f1[s] = NAN;
        return;
    }
    double diagonal = 0, expected = 0, n = (double)a->n;
    a->macro_f1 = 0;
    for (int s = 0; s < SV_N_STAGES; s++) {
        int64_t row = a->confusion[s][SV_N_STAGES], column = 0;
        for (int k = 0; k < SV_N_STAGES; k++) {
            row += a->confusion[s][k];
            column += a->confusion[k][s];
        }
        int64_t hit = a->confusion[s][s];
        a->f1[s] = row + column ? 2.0 * (double)hit / (double)(row + column) : 0;
        a->macro_f1 += a->f1[s] / SV_N_STAGES;
        diagonal += (double)hit;
        expected += (double)row * (double)column;
    }
    a->accuracy = diagonal / n;
    a->kappa = n * n == expected ? NAN : (n * diagonal - expected) / (n * n - expected);
}

void sv_agreement_compute(const signed char *truth, const signed char *prediction, size_t n, sv_unparsed unparsed,
                          sv_agreement *out) {
    *out = (sv_agreement){0};
    for (size_t i = 0; i < n; i++) {
        const bool read = is_stage(prediction[i]);
        if (!is_stage(truth[i])) {
            out->n_left_out++;
            continue;
        }
        out->n_unparsed += !read;
        if (!read && unparsed == SV_UNPARSED_LEFT_OUT) {
            out->n_left_out++;
            continue;
        }
        out->confusion[truth[i]][read ? prediction[i] : SV_N_STAGES]++;
        out->n++;
    }
    score(out);
}

void sv_agreement_pool(sv_agreement *sum, const sv_agreement *night) {
    for (int s = 0; s < SV_N_STAGES; s++) {
        for (int k = 0; k <= SV_N_STAGES; k++) sum->confusion[s][k] += night->confusion[s][k];
    }
    sum->n += night->n;
    sum->n_left_out += night->n_left_out;
    sum->n_unparsed += night->n_unparsed;
    score(sum);
}

static json_t *real_or_null(double x) { return isfinite(x) ? json_real(x) : json_null(); }

json_t *sv_agreement_to_json(const sv_agreement *a) {
    json_t *per_class = json_object(), *confusion = json_array();
    for (int s = 0; s < SV_N_STAGES; s++) {
        json_object_set_new(per_class, sv_stage_name((sv_stage)s), real_or_null(a->f1[s]));
        json_t *row = json_array();
        for (int k = 0; k <= SV_N_STAGES; k++) json_array_append_new(row, json_integer(a->confusion[s][k]));
        json_array_append_new(confusion, row);
    }
    return json_pack("{sI sI sI so so so so so}", "n", (json_int_t)a->n, "n_left_out", (json_int_t)a->n_left_out,
                     "n_unparsed", (json_int_t)a->n_unparsed, "accuracy", real_or_null(a->accuracy), "macro_f1",
                     real_or_null(a->macro_f1), "kappa", real_or_null(a->kappa), "per_class_f1", per_class, "confusion",
                     confusion);
}

/* More would not be summed exactly. */
static bool is_count(int64_t n) { return n >= 0 && n <= INT32_MAX; }

bool sv_agreement_from_json(const json_t *value, sv_agreement *out) {
    const json_t *confusion = json_object_get(value, "confusion");
    *out = (sv_agreement){.n_left_out = sv_json_int(value, "n_left_out", -1),
                          .n_unparsed = sv_json_int(value, "n_unparsed", -1)};
    bool ok = is_count(out->n_left_out) && is_count(out->n_unparsed) && json_array_size(confusion) == SV_N_STAGES;
    for (size_t s = 0; ok && s < SV_N_STAGES; s++) {
        const json_t *row = json_array_get(confusion, s);
        ok = json_array_size(row) == SV_N_STAGES + 1;
        for (size_t k = 0; ok && k <= SV_N_STAGES; k++) {
            const json_t *count = json_array_get(row, k);
            ok = json_is_integer(count) && is_count(json_integer_value(count));
            out->n += out->confusion[s][k] = json_integer_value(count);
        }
    }
    if (!ok) *out = (sv_agreement){0};
    score(out);
    return ok;
}

/* Puts the n bytes at s, without blanks around, into a set (the keys of an object). Lists drop what is empty before the
 * blanks go, texts after: so the published code does it. */
static bool set_add(json_t *set, const char *s, size_t n) {
    while (n && isspace((unsigned char)s[0])) s++, n--;
    while (n && isspace((unsigned char)s[n - 1])) n--;
    char *key = sv_strndup(s, n);
    bool ok = key && json_object_set_new(set, key, json_true()) == 0;
    free(key);
    return ok;
}

static bool is_blank(const char *s, size_t n) {
    while (n && isspace((unsigned char)s[n - 1])) n--;
    return n == 0;
}

static bool add_text(json_t *set, const char *text) {
    for (bool more = true; more;) {
        size_t n = strcspn(text, ",");
        if (!is_blank(text, n) && !set_add(set, text, n)) return false;
        more = text[n] == ',';
        text += n + 1;
    }
    return true;
}

/* Nothing, as the published code's language sees it: null, false, zero, an empty text, list or object. */
static bool is_nothing(const json_t *v) {
    if (json_is_string(v)) return json_string_length(v) == 0;
    if (json_is_number(v)) return json_number_value(v) == 0;
    if (json_is_array(v)) return json_array_size(v) == 0;
    if (json_is_object(v)) return json_object_size(v) == 0;
    return !json_is_true(v);
}

static bool add_item(json_t *set, const json_t *item) {
    if (is_nothing(item)) return true;
    if (json_is_string(item)) return set_add(set, json_string_value(item), strlen(json_string_value(item)));
    char *text = json_dumps(item, JSON_ENCODE_ANY | JSON_COMPACT);
    bool ok = text && set_add(set, text, strlen(text));
    free(text);
    return ok;
}

/* The set of rules in a value; a number or an object holds none. NULL when there is no memory. */
static json_t *rule_set(const json_t *value) {
    json_t *set = json_object();
    bool ok = set != NULL;
    if (json_is_string(value)) ok = ok && add_text(set, json_string_value(value));
    if (json_is_array(value)) {
        for (size_t i = 0; ok && i < json_array_size(value); i++) ok = add_item(set, json_array_get(value, i));
    }
    if (ok) return set;
    json_decref(set);
    return NULL;
}

double sv_rules_iou(const json_t *predicted, const json_t *truth) {
    /* the published code does not split this side, so that a text there matches nothing */
    if (json_is_string(truth)) return is_nothing(truth) && is_nothing(predicted) ? 1 : 0;
    json_t *p = rule_set(predicted), *t = rule_set(truth);
    double iou = NAN;
    if (p && t) {
        const char *key;
        json_t *value;
        size_t both = 0;
        json_object_foreach(p, key, value) both += json_object_get(t, key) != NULL;
        size_t either = json_object_size(p) + json_object_size(t) - both;
        iou = either ? (double)both / (double)either : 1;
    }
    json_decref(p);
    json_decref(t);
    return iou;
}
