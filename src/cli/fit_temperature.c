/* fit_temperature.c - see fit_temperature.h. */
#include "cli/fit_temperature.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "cli/command.h"
#include "sleep/calibration.h"
#include "stage/provenance.h"

/* Rows as columns; those of one recording can be hidden. */
typedef struct columns {
    size_t n;
    signed char *truth, *shown; /* shown: truth, or none where a recording is hidden */
    double (*raw)[SV_N_STAGES], (*calibrated)[SV_N_STAGES];
} columns;

static sv_status note(const char *result, const char *what, const char *found, bool first, char known[65],
                      sv_error *err) {
    if (first) snprintf(known, 65, "%s", found);
    if (strcmp(known, found) == 0) return SV_OK;
    return sv_fail(
        err, SV_ERR_INPUT,
        "%s was made with %s %s than the RESULTs before it; a temperature belongs to one model and one prompt", result,
        found[0] && known[0] ? "another" : "a known or unknown", what);
}

sv_status sv_fit_note_origin(const char *result, bool is_folder, bool first, sv_temperature *origin, sv_error *err) {
    char *path = sv_path_join(result, "summary.json"), key[SV_SHA256_HEX_SIZE] = "";
    const char *prompt = "";
    json_t *summary = NULL;
    sv_status s = path ? SV_OK : sv_fail_memory(err, result, 0);
    if (!s && is_folder) s = sv_json_load(path, &summary, err);
    const json_t *provenance = json_object_get(summary, "provenance");
    if (!s && provenance) s = sv_provenance_model_key(provenance, key, err);
    if (!s && provenance) prompt = sv_provenance_probability_prompt(provenance);
    if (!s) s = note(result, "model", key, first, origin->model_sha256, err);
    if (!s) s = note(result, "prompt", prompt, first, origin->prompt_sha256, err);
    json_decref(summary);
    free(path);
    return s;
}

static void free_columns(columns *c) {
    free(c->truth);
    free(c->shown);
    free(c->raw);
    free(c->calibrated);
}

static sv_status make_columns(const sv_result_rows *rows, columns *c, char source[16], sv_error *err) {
    *c = (columns){.n = rows->n};
    c->truth = sv_calloc(c->n, 1);
    c->shown = sv_calloc(c->n, 1);
    c->raw = sv_calloc(c->n, sizeof *c->raw);
    c->calibrated = sv_calloc(c->n, sizeof *c->calibrated);
    if (!c->truth || !c->shown || !c->raw || !c->calibrated) return sv_fail_memory(err, "rows", c->n);
    size_t n_used = 0;
    for (size_t i = 0; i < c->n; i++) {
        const sv_result_row *row = &rows->rows[i];
        memcpy(c->raw[i], row->raw, sizeof c->raw[i]);
        c->truth[i] = isnan(row->raw[0]) ? (signed char)SV_STAGE_NONE : row->truth;
        if (c->truth[i] == SV_STAGE_NONE) continue;
        if (n_used++ == 0) snprintf(source, 16, "%s", row->source);
        if (strcmp(source, row->source) != 0) {
            return sv_fail(err, SV_ERR_INPUT,
                           "rows with probabilities of two kinds ('%s', '%s'); a temperature belongs to one", source,
                           row->source);
        }
    }
    memcpy(c->shown, c->truth, c->n);
    if (n_used > 0) return SV_OK;
    return sv_fail(err, SV_ERR_INPUT,
                   "no epoch has both a truth and probabilities: give --truth, or stage with "
                   "--hypnogram");
}

/* Shows the rows of one recording (or hides them, or shows all with group -1). */
static void show(columns *c, const sv_result_rows *rows, int group, bool only) {
    for (size_t i = 0; i < c->n; i++) {
        bool visible = group < 0 || (rows->rows[i].group == group) == only;
        c->shown[i] = visible ? c->truth[i] : (signed char)SV_STAGE_NONE;
    }
}

/* Calibrates what is shown. */
static void calibrate(columns *c, double temperature) {
    for (size_t i = 0; i < c->n; i++) {
        if (c->shown[i] == SV_STAGE_NONE) continue;
        memcpy(c->calibrated[i], c->raw[i], sizeof c->calibrated[i]);
        sv_temperature_apply(temperature, c->calibrated[i]);
    }
}

static json_t *figures(const columns *c, sv_calibration *of) {
    sv_calibration_compute(c->shown, (const double(*)[SV_N_STAGES])c->calibrated, c->n, of);
    return json_pack("{s:f,s:f,s:f}", "log_loss", of->log_loss, "ece", of->ece, "brier", of->brier);
}

static bool at_bound(double temperature) {
    return temperature <= SV_TEMPERATURE_LEAST * 1.001 || temperature >= SV_TEMPERATURE_MOST * 0.999;
}

/* At a bound there is no minimum: what it would make of probabilities (certainties, or nothing) is worth no file. */
static sv_status check_determined(const columns *c, double temperature, sv_error *err) {
    size_t n = 0;
    if (!isnan(temperature) && !at_bound(temperature)) return SV_OK;
    for (size_t i = 0; i < c->n; i++) n += c->truth[i] != SV_STAGE_NONE;
    return sv_fail(err, SV_ERR_INPUT, "%zu epochs determine no temperature (%s); give more scored recordings", n,
                   isnan(temperature) ? "their probabilities are only zeros and equal numbers, which none changes"
                   : temperature < 1  ? "the most probable stage is right, or as good as right, in all"
                                      : "the probabilities say nothing about the stages");
}

static size_t count_shown(const columns *c) {
    size_t n = 0;
    for (size_t i = 0; i < c->n; i++) n += c->shown[i] != SV_STAGE_NONE;
    return n;
}

/* Every recording by the temperature of the others, into out->left_out and what is said with it. A recording that the
 * others determine no temperature for leaves the whole without a figure: with a bound in its place there would be one,
 * of a temperature that no one could have fitted. */
static sv_status leave_one_out(columns *c, const sv_result_rows *rows, json_t *out, sv_error *err) {
    sv_calibration of;
    double least = INFINITY, most = 0;
    int n_recordings = 0;
    const char *undetermined = NULL;
    for (int g = 0; g < rows->n_groups; g++) {
        if (sv_cli_interrupted()) return sv_fail(err, SV_ERR_CANCELLED, "stopped");
        show(c, rows, g, true);
        if (count_shown(c) == 0) continue;
        n_recordings++;
        show(c, rows, g, false);
        const double temperature = sv_temperature_fit(c->shown, (const double(*)[SV_N_STAGES])c->raw, c->n);
        if (isnan(temperature) || at_bound(temperature)) {
            undetermined = rows->groups[g];
            continue;
        }
        least = fmin(least, temperature);
        most = fmax(most, temperature);
        show(c, rows, g, true);
        calibrate(c, temperature);
    }
    show(c, rows, -1, true);
    json_object_set_new(out, "n_recordings", json_integer(n_recordings));
    json_object_set_new(out, "left_out", json_null());
    if (n_recordings < 2) return SV_OK;
    if (undetermined) {
        json_object_set_new(out, "left_out_undetermined", json_string(undetermined));
        return SV_OK;
    }
    json_t *left_out = figures(c, &of);
    json_object_set_new(left_out, "least_temperature", json_real(least));
    json_object_set_new(left_out, "most_temperature", json_real(most));
    return json_object_set_new(out, "left_out", left_out) ? sv_fail_memory(err, "figures", 0) : SV_OK;
}

/* What is left out of the fit: scored rows without probabilities, and those whose true stage has probability 0. */
static void count_left_out(const columns *c, const sv_result_rows *rows, json_t *out) {
    json_int_t n_without = 0, n_zero = 0;
    for (size_t i = 0; i < c->n; i++) {
        n_without += rows->rows[i].truth != SV_STAGE_NONE && c->truth[i] == SV_STAGE_NONE;
        n_zero += c->truth[i] != SV_STAGE_NONE && c->raw[i][c->truth[i]] == 0;
    }
    json_object_set_new(out, "n_without_probabilities", json_integer(n_without));
    json_object_set_new(out, "n_truth_at_zero", json_integer(n_zero));
}

/* The figures of a temperature: *out for people and --json, *written for its file. */
static sv_status describe(columns *c, const sv_result_rows *rows, const sv_temperature *t, json_t **out,
                          json_t **written, sv_error *err) {
    sv_calibration before, after;
    *out = json_pack("{s:f,s:s}", "temperature", t->value, "probability_source", t->probability_source);
    if (!*out) return sv_fail_memory(err, "figures", 0);
    sv_status s = leave_one_out(c, rows, *out, err);
    if (s) return s;
    count_left_out(c, rows, *out);
    calibrate(c, 1);
    json_object_set_new(*out, "before", figures(c, &before));
    calibrate(c, t->value);
    json_object_set_new(*out, "after", figures(c, &after));
    json_object_set_new(*out, "n_epochs", json_integer(after.n));
    *written = json_pack("{s:I,s:O,s:f,s:f,s:f,s:f}", "n_epochs", (json_int_t)after.n, "n_recordings",
                         json_object_get(*out, "n_recordings"), "nll_before", before.log_loss, "nll_after",
                         after.log_loss, "ece_before", before.ece, "ece_after", after.ece);
    return *written ? SV_OK : sv_fail_memory(err, "figures", 0);
}

sv_status sv_fit_temperature(const sv_result_rows *rows, const sv_temperature *origin, const char *path, json_t **out,
                             sv_error *err) {
    columns c;
    sv_temperature t = *origin;
    json_t *written = NULL;
    *out = NULL;
    sv_status s = make_columns(rows, &c, t.probability_source, err);
    if (!s) t.value = sv_temperature_fit(c.truth, (const double(*)[SV_N_STAGES])c.raw, c.n);
    if (!s) s = check_determined(&c, t.value, err);
    if (!s) s = describe(&c, rows, &t, out, &written, err);
    if (!s) s = sv_temperature_save(path, &t, written, err);
    json_decref(written);
    free_columns(&c);
    return s;
}

static void print_figures(const char *name, const json_t *f) {
    printf("  %-32s%9.3f%9.3f%9.3f\n", name, sv_json_real(f, "log_loss", NAN), sv_json_real(f, "ece", NAN),
           sv_json_real(f, "brier", NAN));
}

void sv_fit_print(const json_t *fit, const char *path) {
    const json_t *left_out = json_object_get(fit, "left_out");
    double t = sv_json_real(fit, "temperature", NAN);
    printf(
        "\nTemperature %.3f, fitted on %lld epochs of %d recordings ('%s' probabilities), is in %s\n"
        "  %-32s%9s%9s%9s\n",
        t, (long long)sv_json_int(fit, "n_epochs", 0), (int)sv_json_int(fit, "n_recordings", 0),
        sv_json_text(fit, "probability_source", ""), path, "", "log loss", "ECE", "Brier");
    print_figures("as the network gives them", json_object_get(fit, "before"));
    print_figures("calibrated, on the same epochs", json_object_get(fit, "after"));
    if (json_is_object(left_out)) {
        print_figures("each recording by the others", left_out);
        puts(
            "The second line is no test: these epochs decided the temperature. The third is one, as far as the\n"
            "recordings are of different people.");
    } else if (json_object_get(fit, "left_out_undetermined")) {
        puts(
            "That is no test: these epochs decided the temperature. There is none: without one of the recordings, the\n"
            "others determine no temperature.");
    } else {
        puts("That is no test: these epochs decided the temperature. Name two or more recordings for one.");
    }
}
