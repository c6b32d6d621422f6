/* statistics.c - the numbers of a sleep report. */
#include "sleep/statistics.h"

#include <math.h>

/* First and last epoch of sleep; false when there is none. */
static bool find_sleep_period(const signed char *stages, int n, int *first, int *last) {
    *first = *last = -1;
    for (int i = 0; i < n; i++) {
        if (stages[i] <= SV_STAGE_W) continue;
        if (*first < 0) *first = i;
        *last = i;
    }
    return *first >= 0;
}

static int first_of(const signed char *stages, int n, sv_stage stage) {
    for (int i = 0; i < n; i++) {
        if (stages[i] == stage) return i;
    }
    return -1;
}

/* Start of the first unbroken run of at least `wanted` sleep epochs, or -1. */
static int first_run_of_sleep(const signed char *stages, int n, int wanted) {
    int length = 0;
    for (int i = 0; i < n; i++) {
        length = stages[i] > SV_STAGE_W ? length + 1 : 0;
        if (length == wanted) return i - wanted + 1;
    }
    return -1;
}

/* Unscored epochs are looked across: W ? W is one awakening, N2 ? N2 no shift. */
static void count_changes(const signed char *stages, int first, int last, sv_sleep_statistics *out) {
    int before = stages[first];
    for (int i = first + 1; i <= last; i++) {
        if (stages[i] < SV_STAGE_W) continue;
        if (stages[i] != before) {
            out->n_stage_shifts++;
            out->n_awakenings += stages[i] == SV_STAGE_W;
        }
        before = stages[i];
    }
}

sv_status sv_sleep_statistics_compute(const signed char *stages, int n_epochs, double epoch_s, sv_sleep_statistics *out,
                                      sv_error *err) {
    *out = (sv_sleep_statistics){0};
    if (n_epochs < 2) {
        return sv_fail(err, SV_ERR_INPUT, "sleep statistics need at least two epochs, found %d", n_epochs);
    }
    if (!(epoch_s > 0) || !isfinite(epoch_s)) {
        return sv_fail(err, SV_ERR_USAGE, "the length of an epoch must be a positive number of seconds, found %g",
                       epoch_s);
    }
    const double minutes = epoch_s / 60;
    int n_of[SV_N_STAGES] = {0}, first, last;
    for (int i = 0; i < n_epochs; i++) {
        if (stages[i] >= SV_N_STAGES) {
            return sv_fail(err, SV_ERR_USAGE, "epoch %d has stage number %d, expected 0..4 or a negative one", i,
                           stages[i]);
        }
        if (stages[i] < SV_STAGE_W) {
            out->n_unscored++;
        } else {
            n_of[stages[i]]++;
        }
    }
    for (int s = 0; s < SV_N_STAGES; s++) {
        out->stage_min[s] = n_of[s] * minutes;
        int at = s == SV_STAGE_W ? -1 : first_of(stages, n_epochs, (sv_stage)s);
        out->lat_min[s] = at < 0 ? NAN : at * minutes;
    }
    const int n_nrem = n_of[SV_STAGE_N1] + n_of[SV_STAGE_N2] + n_of[SV_STAGE_N3], n_sleep = n_nrem + n_of[SV_STAGE_R];
    out->tib_min = n_epochs * minutes;
    out->tst_min = n_sleep * minutes;
    out->nrem_min = n_nrem * minutes;
    out->se_percent = 100.0 * n_sleep / n_epochs;
    out->waso_min = out->sol_min = out->sol_5min_min = out->sme_percent = NAN;
    for (int s = 0; s < SV_N_STAGES; s++) {
        out->stage_percent_of_tst[s] = s == SV_STAGE_W || n_sleep == 0 ? NAN : 100.0 * n_of[s] / n_sleep;
    }
    out->nrem_percent_of_tst = n_sleep == 0 ? NAN : 100.0 * n_nrem / n_sleep;
    if (!find_sleep_period(stages, n_epochs, &first, &last)) return SV_OK;

    int n_wake = 0;
    for (int i = first; i <= last; i++) n_wake += stages[i] == SV_STAGE_W;
    out->spt_min = (last - first + 1) * minutes;
    out->waso_min = n_wake * minutes;
    out->sol_min = first * minutes;
    out->sme_percent = 100.0 * n_sleep / (last - first + 1);
    const double run = ceil(300 / epoch_s);
    const int persistent = run > n_epochs ? -1 : first_run_of_sleep(stages, n_epochs, (int)run);
    if (persistent >= 0) out->sol_5min_min = persistent * minutes;
    count_changes(stages, first, last, out);
    return SV_OK;
}

json_t *sv_sleep_statistics_to_json(const sv_sleep_statistics *t) {
    const struct {
        const char *name;
        double value;
    } rows[] = {
        {"TIB", t->tib_min},
        {"SPT", t->spt_min},
        {"WASO", t->waso_min},
        {"TST", t->tst_min},
        {"W", t->stage_min[SV_STAGE_W]},
        {"N1", t->stage_min[SV_STAGE_N1]},
        {"N2", t->stage_min[SV_STAGE_N2]},
        {"N3", t->stage_min[SV_STAGE_N3]},
        {"REM", t->stage_min[SV_STAGE_R]},
        {"NREM", t->nrem_min},
        {"SOL", t->sol_min},
        {"SOL_5min", t->sol_5min_min},
        {"Lat_N1", t->lat_min[SV_STAGE_N1]},
        {"Lat_N2", t->lat_min[SV_STAGE_N2]},
        {"Lat_N3", t->lat_min[SV_STAGE_N3]},
        {"Lat_REM", t->lat_min[SV_STAGE_R]},
        {"%N1", t->stage_percent_of_tst[SV_STAGE_N1]},
        {"%N2", t->stage_percent_of_tst[SV_STAGE_N2]},
        {"%N3", t->stage_percent_of_tst[SV_STAGE_N3]},
        {"%REM", t->stage_percent_of_tst[SV_STAGE_R]},
        {"%NREM", t->nrem_percent_of_tst},
        {"SE", t->se_percent},
        {"SME", t->sme_percent},
    };
    json_t *o = json_object();
    bool ok = o != NULL;
    for (size_t i = 0; ok && i < sizeof rows / sizeof rows[0]; i++) {
        ok =
            json_object_set_new(o, rows[i].name, isfinite(rows[i].value) ? json_real(rows[i].value) : json_null()) == 0;
    }
    ok = ok && json_object_set_new(o, "n_unscored", json_integer(t->n_unscored)) == 0 &&
         json_object_set_new(o, "n_awakenings", json_integer(t->n_awakenings)) == 0 &&
         json_object_set_new(o, "n_stage_shifts", json_integer(t->n_stage_shifts)) == 0;
    if (ok) return o;
    json_decref(o);
    return NULL;
}
