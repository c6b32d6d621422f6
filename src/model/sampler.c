/*
 * sampler.c - greedy choice in one pass; else a heap over the ids of which only the most probable are taken out, so
 * that 150,000 ids need not be sorted.
 *
 * All sums are in double, in one order: over rising ids for the whole, over falling logits (then rising ids) for a
 * part.
 */
#include "model/sampler.h"

#include <math.h>

#include "base/memory.h"
#include "base/random.h"

typedef struct candidate {
    float x; /* logit after penalty and temperature */
    int32_t id;
} candidate;

struct sv_sampler {
    sv_sampling options;
    int32_t n_ids;
    unsigned char *seen;   /* [n_ids] */
    candidate *candidates; /* [n_ids]; NULL when greedy */
};

static bool is_greedy(const sv_sampling *o) { return o->temperature < SV_GREEDY_TEMPERATURE; }

sv_status sv_sampling_check(const sv_sampling *o, sv_error *err) {
    if (!(o->repetition_penalty > 0) || !isfinite(o->repetition_penalty)) {
        return sv_fail(err, SV_ERR_USAGE, "repetition penalty %g: expected a positive number",
                       (double)o->repetition_penalty);
    }
    if (!(o->temperature >= 0) || !(o->temperature <= 100)) {
        return sv_fail(err, SV_ERR_USAGE, "temperature %g: expected 0 (the most probable token) to 100",
                       (double)o->temperature);
    }
    if (o->top_k < -1) return sv_fail(err, SV_ERR_USAGE, "top-k %d: expected a number of tokens, 0 for all", o->top_k);
    if (!(o->top_p >= 0) || !(o->top_p <= 1)) {
        return sv_fail(err, SV_ERR_USAGE, "top-p %g: expected a probability, 1 for all tokens", (double)o->top_p);
    }
    return SV_OK;
}

sv_status sv_sampler_new(const sv_sampling *options, int n_ids, sv_sampler **out, sv_error *err) {
    *out = NULL;
    sv_status status = sv_sampling_check(options, err);
    if (status != SV_OK) return status;
    if (n_ids < 1) return sv_fail(err, SV_ERR_USAGE, "a sampler over %d ids: expected at least one", n_ids);
    sv_sampler *s = sv_calloc(1, sizeof *s);
    if (!s) return sv_fail_memory(err, "sampler", sizeof *s);
    *s = (sv_sampler){.options = *options, .n_ids = n_ids};
    s->seen = sv_calloc((size_t)n_ids, 1);
    if (!is_greedy(options)) s->candidates = sv_calloc((size_t)n_ids, sizeof *s->candidates);
    if (!s->seen || (!is_greedy(options) && !s->candidates)) {
        sv_sampler_free(s);
        return sv_fail_memory(err, "sampler", (size_t)n_ids * sizeof(candidate));
    }
    *out = s;
    return SV_OK;
}

void sv_sampler_free(sv_sampler *s) {
    if (!s) return;
    free(s->seen);
    free(s->candidates);
    free(s);
}

void sv_sampler_mark(sv_sampler *s, int32_t id) {
    if (id >= 0 && id < s->n_ids) s->seen[id] = 1;
}

static bool permits(const uint64_t *allowed, int32_t id) { return !allowed || (allowed[id / 64] >> (id % 64) & 1); }

static float penalised(const sv_sampler *s, const float *logits, int32_t id) {
    float x = logits[id], penalty = s->options.repetition_penalty;
    return !s->seen[id] ? x : x > 0 ? x / penalty : x * penalty;
}

static int32_t choose_greedily(const sv_sampler *s, const float *logits, const uint64_t *allowed) {
    int32_t best = -1;
    float top = -INFINITY;
    for (int32_t id = 0; id < s->n_ids; id++) {
        if (!permits(allowed, id)) continue;
        float x = penalised(s, logits, id);
        if (x > top || (best < 0 && allowed && x == top)) {
            top = x;
            best = id;
        }
    }
    return best;
}

static bool before(candidate a, candidate b) { return a.x > b.x || (a.x == b.x && a.id < b.id); }

/* Moves the item at `at` of the heap c[0 .. n) down to where it belongs. */
static void sift(candidate *c, size_t at, size_t n) {
    candidate item = c[at];
    for (size_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && before(c[child + 1], c[child])) child++;
        if (!before(c[child], item)) break;
        c[at] = c[child];
    }
    c[at] = item;
}

/* A heap whose first items have been taken out, in falling order: they stand at the end of the array, reversed. */
typedef struct ranking {
    candidate *c;
    size_t n, n_taken;
    float top; /* the largest x */
} ranking;

static candidate ranked(const ranking *r, size_t i) { return r->c[r->n - 1 - i]; }

/* The candidate of rank i, which must be one that was taken, or the next. */
static candidate take(ranking *r, size_t i) {
    if (i == r->n_taken) {
        size_t last = r->n - ++r->n_taken;
        candidate first = r->c[0];
        r->c[0] = r->c[last];
        r->c[last] = first;
        if (last > 1) sift(r->c, 0, last);
    }
    return ranked(r, i);
}

/* Proportional to the probability; 1 for the most probable. */
static double weight(const ranking *r, candidate c) { return c.x == r->top ? 1 : exp((double)c.x - (double)r->top); }

static ranking rank(sv_sampler *s, const float *logits, const uint64_t *allowed, double *total) {
    ranking r = {.c = s->candidates, .top = -INFINITY};
    for (int32_t id = 0; id < s->n_ids; id++) {
        if (!permits(allowed, id)) continue;
        float x = penalised(s, logits, id) / s->options.temperature;
        if (isnan(x) || (x == -INFINITY && !allowed)) continue;
        r.c[r.n++] = (candidate){x, id};
        r.top = fmaxf(r.top, x);
    }
    *total = 0;
    for (size_t i = 0; i < r.n; i++) *total += weight(&r, r.c[i]);
    for (size_t i = r.n / 2; i-- > 0;) sift(r.c, i, r.n);
    return r;
}

/* How many of the first ranks top-k leaves: k, and those equal to the last of them. */
static size_t cut_by_rank(ranking *r, int k, double *total) {
    size_t n = 0;
    *total = 0;
    while (n < r->n && (n < (size_t)k || r->c[0].x == ranked(r, n - 1).x)) *total += weight(r, take(r, n++));
    return n;
}

/* How many of the first n ranks top-p leaves: as few as reach p of their total. */
static size_t cut_by_mass(ranking *r, size_t n, double p, double *total) {
    size_t kept = 0;
    double mass = 0;
    while (kept < n && (kept == 0 || mass < p * *total)) mass += weight(r, take(r, kept++));
    *total = mass;
    return kept;
}

int32_t sv_sampler_choose(sv_sampler *s, const float *logits, const uint64_t *allowed, uint64_t draw) {
    const sv_sampling *o = &s->options;
    if (is_greedy(o)) return choose_greedily(s, logits, allowed);
    double total;
    ranking r = rank(s, logits, allowed, &total);
    size_t n = r.n;
    if (n == 0) return -1;
    if (o->top_k > 0 && (size_t)o->top_k < n) n = cut_by_rank(&r, o->top_k, &total);
    if (o->top_p > 0 && o->top_p < 1) n = cut_by_mass(&r, n, (double)o->top_p, &total);
    double target = sv_random_unit(o->seed, draw) * total, sum = 0;
    int32_t id = -1;
    for (size_t i = 0; i < n && sum <= target; i++) {
        candidate c = take(&r, i);
        double w = weight(&r, c);
        if (w > 0 || id < 0) id = c.id;
        sum += w;
    }
    return id;
}
