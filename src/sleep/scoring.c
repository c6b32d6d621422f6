/* scoring.c - from a scorer's entries of any length to 30-s epochs. */
#include "sleep/scoring.h"

#include <math.h>

#include "base/memory.h"

sv_status sv_scoring_add(sv_scoring *scoring, double onset_s, double duration_s, sv_stage stage, sv_error *err) {
    if (!isfinite(onset_s) || !isfinite(duration_s)) {
        return sv_fail(err, SV_ERR_INPUT, "entry %zu has no finite onset and duration", scoring->n + 1);
    }
    if (!sv_grow(&scoring->items, scoring->n, &scoring->capacity, sizeof *scoring->items)) {
        return sv_fail_memory(err, "hypnogram entries", (scoring->n + 1) * sizeof *scoring->items);
    }
    scoring->items[scoring->n++] = (sv_scored){onset_s, duration_s, stage};
    return SV_OK;
}

void sv_scoring_free(sv_scoring *scoring) {
    free(scoring->items);
    *scoring = (sv_scoring){0};
}

bool sv_stage_from_rk_number(long number, sv_stage *out) {
    static const signed char stages[] = {SV_STAGE_W, SV_STAGE_N1,   SV_STAGE_N2,   SV_STAGE_N3,   SV_STAGE_N3,
                                         SV_STAGE_R, SV_STAGE_NONE, SV_STAGE_NONE, SV_STAGE_NONE, SV_STAGE_NONE};
    if (number < 0 || number >= (long)SV_COUNT(stages) || number == 7 || number == 8) return false;
    *out = (sv_stage)stages[number];
    return true;
}

static int by_onset(const void *a, const void *b) {
    double x = ((const sv_scored *)a)->onset_s, y = ((const sv_scored *)b)->onset_s;
    return (x > y) - (x < y);
}

static bool is_multiple(double x, double of) { return fabs(x - of * round(x / of)) < 1e-3; }

/* Sorts, closes open durations and describes the grid. */
static void settle(sv_scoring *scoring, double shift_s, sv_hypnogram *out) {
    bool thirty = true, twenty = true;
    qsort(scoring->items, scoring->n, sizeof *scoring->items, by_onset);
    out->first_scored_s = out->last_scored_s = NAN;
    for (size_t i = 0; i < scoring->n; i++) {
        sv_scored *item = &scoring->items[i];
        if (item->duration_s <= 0) {
            double next = i + 1 < scoring->n ? scoring->items[i + 1].onset_s : item->onset_s + SV_EPOCH_S;
            item->duration_s = next - item->onset_s;
        }
        item->onset_s += shift_s;
        if (item->stage == SV_STAGE_NONE) continue;
        if (isnan(out->first_scored_s)) out->first_scored_s = item->onset_s;
        out->last_scored_s = fmax(out->last_scored_s, item->onset_s + item->duration_s); /* fmax leaves a NaN out */
        thirty = thirty && is_multiple(item->duration_s, 30);
        twenty = twenty && is_multiple(item->duration_s, 20);
    }
    out->page_s = thirty ? 30 : twenty ? 20 : 0;
}

/* How much of each epoch each stage fills: `whole` counts entries that cover all of it, as differences from the epoch
 * before, so that the cost of an entry does not depend on its length; `part` sums the seconds at the ends. */
typedef struct cover {
    int64_t *whole; /* [n + 1, SV_N_STAGES] */
    double *part;   /* [n, SV_N_STAGES] */
} cover;

static void cover_entry(const cover *c, int n, const sv_scored *item) {
    const double from = fmax(item->onset_s, 0), to = fmin(item->onset_s + item->duration_s, (double)n * SV_EPOCH_S);
    if (!(from < to)) return;
    const int first = SV_MIN((int)(from / SV_EPOCH_S), n - 1), last = SV_MIN((int)(to / SV_EPOCH_S), n);
    const size_t s = (size_t)item->stage;
    if (first == last) {
        c->part[(size_t)first * SV_N_STAGES + s] += to - from;
        return;
    }
    c->part[(size_t)first * SV_N_STAGES + s] += (double)(first + 1) * SV_EPOCH_S - from;
    c->whole[(size_t)(first + 1) * SV_N_STAGES + s]++;
    c->whole[(size_t)last * SV_N_STAGES + s]--;
    if (last < n) c->part[(size_t)last * SV_N_STAGES + s] += to - (double)last * SV_EPOCH_S;
}

/* Onsets in decimal text are not exact in binary: less than a microsecond is no difference. */
static const double tolerance_s = 1e-6;

static void choose(const cover *c, int n, signed char *stages) {
    int64_t whole[SV_N_STAGES] = {0};
    for (size_t e = 0; e < (size_t)n; e++) {
        double best = 0, all = 0;
        stages[e] = SV_STAGE_NONE;
        for (size_t s = 0; s < SV_N_STAGES; s++) {
            whole[s] += c->whole[e * SV_N_STAGES + s];
            double filled = (double)whole[s] * SV_EPOCH_S + c->part[e * SV_N_STAGES + s];
            all += filled;
            if (filled <= best + tolerance_s) continue;
            best = filled;
            stages[e] = (signed char)s;
        }
        if (all <= SV_EPOCH_S / 2.0 + tolerance_s) stages[e] = SV_STAGE_NONE;
    }
}

/* Epochs of which more than half lies before the end of the last entry. */
static sv_status count_epochs(const sv_scoring *scoring, const char *name, int *n_epochs, sv_error *err) {
    double end = 0;
    for (size_t i = 0; i < scoring->n; i++) end = fmax(end, scoring->items[i].onset_s + scoring->items[i].duration_s);
    const double n = ceil((end - tolerance_s) / SV_EPOCH_S - 0.5);
    if (!(n <= SV_MAX_EPOCHS)) {
        return sv_fail(err, SV_ERR_INPUT, "%s: the hypnogram ends at %.0f s; at most %d epochs of 30 s are read", name,
                       end, SV_MAX_EPOCHS);
    }
    *n_epochs = (int)n;
    return SV_OK;
}

static sv_status lay(const sv_scoring *scoring, sv_hypnogram *out, sv_error *err) {
    sv_status s = SV_OK;
    const size_t n = (size_t)out->n_epochs;
    cover c = {sv_calloc(n + 1, SV_N_STAGES * sizeof(int64_t)), sv_calloc(n + 1, SV_N_STAGES * sizeof(double))};
    out->stages = sv_calloc(n, 1);
    if (!c.whole || !c.part || !out->stages) {
        s = sv_fail_memory(err, "a hypnogram", n * SV_N_STAGES * 16);
    } else {
        for (size_t i = 0; n && i < scoring->n; i++) {
            if (scoring->items[i].stage != SV_STAGE_NONE) cover_entry(&c, out->n_epochs, &scoring->items[i]);
        }
        choose(&c, out->n_epochs, out->stages);
    }
    free(c.whole);
    free(c.part);
    return s;
}

sv_status sv_scoring_to_hypnogram(sv_scoring *scoring, double shift_s, int n_epochs, const char *name,
                                  sv_hypnogram *out, sv_error *err) {
    *out = (sv_hypnogram){.note = scoring->note};
    if (n_epochs < 0 || n_epochs > SV_MAX_EPOCHS) {
        return sv_fail(err, SV_ERR_USAGE, "%d epochs wanted, expected 0..%d", n_epochs, SV_MAX_EPOCHS);
    }
    settle(scoring, shift_s, out);
    out->n_epochs = n_epochs;
    sv_status s = n_epochs ? SV_OK : count_epochs(scoring, name, &out->n_epochs, err);
    if (!s) s = lay(scoring, out, err);
    bool any = false;
    for (int i = 0; !s && i < out->n_epochs && !any; i++) any = out->stages[i] != SV_STAGE_NONE;
    if (!s && !any && !isnan(out->first_scored_s)) {
        s = sv_fail(
            err, SV_ERR_INPUT,
            "%s: none of its %zu entries fills an epoch of the recording: the first stage is at %.0f s from the "
            "recording's start, the recording has %d epochs; is it the hypnogram of another night, or was one of "
            "the two start dates changed?",
            name, scoring->n, out->first_scored_s, out->n_epochs);
    }
    if (s) sv_hypnogram_free(out);
    return s;
}
