/* cmd_eval.c - `sleepvlm eval`: how well results agree with a scorer. */
#include <getopt.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/memory.h"
#include "cli/command.h"
#include "cli/fit_temperature.h"
#include "sleep/evaluation.h"
#include "sleep/hypnogram.h"
#include "sleep/stages.h"

static const char help[] =
    "Usage: sleepvlm eval RESULT... [--truth FILE]... [--json]\n"
    "\n"
    "Compares stages, rules and probabilities with a scorer's, for each recording and pooled.\n"
    "\n"
    "RESULT is a result folder of 'sleepvlm stage', a file of result rows (.jsonl, or a .json list; ours or those of\n"
    "the published system), or - with --truth - a hypnogram, to compare scorer with scorer.\n"
    "\n"
    "  -t, --truth FILE  the scorer's hypnogram: EDF+, XML (Profusion, NSRR), CSV or a list; takes the place of the\n"
    "                    truth in the rows. Once for each RESULT, in the same order\n"
    "      --fit-temperature FILE  fit the temperature that calibrates the probabilities of these RESULTs (of one "
    "model,\n"
    "                    prompt and kind of probabilities) and write it for 'sleepvlm stage --temperature FILE'\n"
    "  -j, --json        print one JSON object instead of tables\n"
    "  -h, --help        this text\n"
    "\n"
    "Every number is given twice: 'unparsed = error' counts answers that could not be read (of a hypnogram: epochs\n"
    "without a stage) as errors; 'unparsed left out' drops them, as the published system does. Epochs without a truth\n"
    "are counted and left out of both. mF1 is the mean F1 of five stages (one that never occurs counts 0), kappa is\n"
    "Cohen's (- when undefined: only one stage occurs), rules the mean overlap of rule lists (intersection over "
    "union).\n"
    "\n"
    "Examples:\n"
    "  sleepvlm eval night1/ night2/                      # staged with --hypnogram\n"
    "  sleepvlm eval night1/ --truth night1-scored.edf\n"
    "  sleepvlm eval scorer-b.xml --truth scorer-a.edf\n";

typedef struct options {
    char **results;
    int n_results;
    const char **truths;
    int n_truths;
    const char *temperature_path; /* NULL = no fit */
    bool json;
} options;

typedef struct run {
    sv_result_rows rows;
    json_t *warnings;      /* list of texts */
    sv_temperature origin; /* of the RESULTs, for a fit */
    json_t *fit;           /* NULL = none */
} run;

static void warn(run *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void warn(run *r, const char *format, ...) {
    char text[700];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    fprintf(stderr, "sleepvlm eval: warning: %s\n", text);
    json_array_append_new(r->warnings, json_string(text));
}

static bool is_folder(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Rows begin with a bracket; no hypnogram does. */
static bool looks_like_rows(const char *path) {
    FILE *file = fopen(path, "rb");
    int c = ' ';
    while (file && (c == ' ' || c == '\n' || c == '\r' || c == '\t')) c = fgetc(file);
    if (file) fclose(file);
    return c == '{' || c == '[';
}

/* Loads `path` on the time of the EDF file `clock` (NULL: none). */
static sv_status load_on(const char *path, const char *clock, sv_hypnogram *out, run *r, sv_error *err) {
    sv_recording *file = NULL;
    sv_status s = clock ? sv_recording_open(clock, &file, err) : SV_OK;
    if (!s) s = sv_hypnogram_load(path, file ? sv_recording_get_info(file) : NULL, 0, out, err);
    if (!s && out->note) warn(r, "%s: %s", path, out->note);
    sv_recording_close(file);
    return s;
}

static sv_status compare_hypnograms(const char *path, const char *truth_path, run *r, sv_error *err) {
    const char *clock = sv_is_edf_file(truth_path) ? truth_path : sv_is_edf_file(path) ? path : NULL;
    sv_hypnogram truth = {0}, other = {0};
    signed char *longer = NULL;
    sv_status s = load_on(truth_path, clock, &truth, r, err);
    if (!s) s = load_on(path, clock, &other, r, err);
    if (!s) {
        sv_hypnogram *shorter = truth.n_epochs < other.n_epochs ? &truth : &other;
        const int n = SV_MAX(truth.n_epochs, other.n_epochs);
        if (shorter->n_epochs < n)
            warn(r, "%s has %d epochs, %s has %d", path, other.n_epochs, truth_path, truth.n_epochs);
        longer = sv_calloc((size_t)n, 1);
        if (!longer) {
            s = sv_fail_memory(err, "a hypnogram", (size_t)n);
        } else {
            memset(longer, SV_STAGE_NONE, (size_t)n);
            memcpy(longer, shorter->stages, (size_t)shorter->n_epochs);
            const signed char *t = shorter == &truth ? longer : truth.stages;
            const signed char *p = shorter == &truth ? other.stages : longer;
            s = sv_result_rows_add_stages(&r->rows, sv_path_name(path), t, p, (size_t)n, err);
        }
    }
    free(longer);
    sv_hypnogram_free(&truth);
    sv_hypnogram_free(&other);
    return s;
}

/* Replaces the truth of the rows from `first` on. */
static sv_status replace_truth(const char *path, const char *result, const char *clock, size_t first, run *r,
                               sv_error *err) {
    sv_hypnogram truth;
    sv_status s = load_on(path, clock, &truth, r, err);
    if (s) return s;
    int n_scored = 0, n_found = 0;
    for (int e = 0; e < truth.n_epochs; e++) n_scored += truth.stages[e] != SV_STAGE_NONE;
    for (size_t i = first; !s && i < r->rows.n; i++) {
        sv_result_row *row = &r->rows.rows[i];
        if (row->group != r->rows.rows[first].group) {
            s = sv_fail(err, SV_ERR_USAGE,
                        "%s holds several recordings ('%.60s', '%.60s'); one --truth cannot serve them", result,
                        r->rows.groups[r->rows.rows[first].group], r->rows.groups[row->group]);
        } else if (row->epoch < 0) {
            s = sv_fail(err, SV_ERR_INPUT,
                        "%s: row %zu has neither \"epoch\" nor a \"custom_id\" such as 'night#12'; needed with --truth",
                        result, i - first + 1);
        } else {
            row->truth = row->epoch < truth.n_epochs ? truth.stages[row->epoch] : SV_STAGE_NONE;
            n_found += row->truth != SV_STAGE_NONE;
        }
    }
    if (!s && n_found < n_scored) {
        warn(r, "%s: %d of the %d scored epochs have no row in %s", path, n_scored - n_found, n_scored, result);
    }
    sv_hypnogram_free(&truth);
    return s;
}

static sv_status add_result(const char *path, const char *truth, run *r, sv_error *err) {
    const bool folder = is_folder(path);
    if (!folder && !looks_like_rows(path) && sv_file_exists(path)) {
        if (truth) return compare_hypnograms(path, truth, r, err);
        return sv_fail(
            err, SV_ERR_USAGE,
            "%s: expected a result folder or result rows (JSON); to compare a hypnogram with another, give --truth",
            path);
    }
    char *rows = folder ? sv_path_join(path, "epochs.jsonl") : sv_strndup(path, strlen(path));
    char *edf = sv_path_join(path, "hypnogram.edf");
    const size_t first = r->rows.n;
    sv_status s = rows && edf ? sv_result_rows_read(rows, &r->rows, err) : sv_fail_memory(err, path, strlen(path));
    if (!s && truth) s = replace_truth(truth, path, folder && sv_is_edf_file(edf) ? edf : NULL, first, r, err);
    free(rows);
    free(edf);
    return s;
}

/* Two results of the same recording would be read as one longer night. */
static void note_shared_groups(const char *path, int n_groups_before, size_t first, run *r) {
    int last = -1;
    for (size_t i = first; i < r->rows.n; i++) {
        const int group = r->rows.rows[i].group;
        if (group >= n_groups_before || group == last) continue;
        warn(r, "%s: the recording '%.80s' is in an earlier RESULT too; the rows of both are counted together", path,
             r->rows.groups[group]);
        last = group;
    }
}

static void note_oddities(run *r, const sv_evaluation *all) {
    if (r->rows.n_duplicates) {
        warn(r, "%lld rows came twice (same custom_id); the later one counts", (long long)r->rows.n_duplicates);
    }
    if (r->rows.n_iou_differs) {
        warn(r, "%lld rows state a rules_iou that is not that of their rules; recomputed",
             (long long)r->rows.n_iou_differs);
    }
    if (all->agreement[SV_UNPARSED_IS_ERROR].n == 0) {
        warn(r, "no row has a truth: give --truth, or stage with --hypnogram");
    }
}

/* Prints text in `width` columns: UTF-8 counted by characters, control characters of the file not sent to the terminal.
 */
static void print_name(const char *text, int width) {
    int n = 0;
    for (; *text; text++) {
        const unsigned char c = (unsigned char)*text;
        if ((c & 0xC0) != 0x80 && n++ == width) break;
        if (n <= width) putchar(c < 32 || c == 127 ? '?' : c);
    }
    printf("%*s", SV_MAX(width - n, 0), "");
}

static void print_value(double x) {
    if (isnan(x)) {
        printf("%8s", "-");
    } else {
        printf("%8.3f", x);
    }
}

static void print_line(const char *name, const sv_evaluation *e) {
    static const sv_unparsed order[] = {SV_UNPARSED_IS_ERROR, SV_UNPARSED_LEFT_OUT};
    print_name(name, 20);
    printf("%9lld%10lld%10lld", (long long)e->agreement[SV_UNPARSED_IS_ERROR].n, (long long)e->n_without_truth,
           (long long)e->n_unparsed);
    for (size_t k = 0; k < SV_COUNT(order); k++) {
        const sv_agreement *a = &e->agreement[order[k]];
        printf("  |");
        print_value(a->accuracy);
        print_value(a->macro_f1);
        print_value(a->kappa);
        print_value(e->rules_iou[order[k]]);
    }
    putchar('\n');
}

static void print_pooled(const sv_evaluation *e) {
    printf("\nF1 by stage                 W      N1      N2      N3       R\n  unparsed = error   ");
    for (int s = 0; s < SV_N_STAGES; s++) print_value(e->agreement[SV_UNPARSED_IS_ERROR].f1[s]);
    printf("\n  unparsed left out  ");
    for (int s = 0; s < SV_N_STAGES; s++) print_value(e->agreement[SV_UNPARSED_LEFT_OUT].f1[s]);
    printf("\n\nConfusion (rows: truth)     W      N1      N2      N3       R  unparsed\n");
    for (int s = 0; s < SV_N_STAGES; s++) {
        printf("  %-19s", sv_stage_name((sv_stage)s));
        for (int k = 0; k < SV_N_STAGES; k++)
            printf("%8lld", (long long)e->agreement[SV_UNPARSED_IS_ERROR].confusion[s][k]);
        printf("%10lld\n", (long long)e->agreement[SV_UNPARSED_IS_ERROR].confusion[s][SV_N_STAGES]);
    }
    const sv_calibration *c = &e->calibration;
    if (!c->n) return;
    const long long n_without = (long long)(e->agreement[SV_UNPARSED_IS_ERROR].n - c->n);
    printf("\nProbabilities of %lld epochs: calibration error (ECE, 15 bins) %.3f, log loss %.3f, Brier score %.3f\n",
           (long long)c->n, c->ece, c->log_loss, c->brier);
    if (n_without) printf("%lld scored epochs have no probabilities and are left out there\n", n_without);
}

static void print_header(void) {
    printf("%-49s  | unparsed = error                | unparsed left out (published)\n%-20s%9s%10s%10s", "",
           "Recording", "epochs", "no truth", "unparsed");
    for (int k = 0; k < SV_N_CONVENTIONS; k++) printf("  |%8s%8s%8s%8s", "acc", "mF1", "kappa", "rules");
    putchar('\n');
}

static sv_status print_results(run *r, const options *o, sv_error *err) {
    const bool json = o->json;
    sv_evaluation all, one;
    sv_status s = sv_evaluation_compute(&r->rows, -1, &all, err);
    if (s) return s;
    note_oddities(r, &all);
    json_t *recordings = json_object();
    if (!json) print_header();
    for (int g = 0; !s && g < r->rows.n_groups; g++) {
        s = sv_cli_interrupted() ? sv_fail(err, SV_ERR_CANCELLED, "stopped")
                                 : sv_evaluation_compute(&r->rows, g, &one, err);
        if (s || json_object_set_new(recordings, r->rows.groups[g], sv_evaluation_to_json(&one)) != 0) break;
        if (!json) print_line(r->rows.groups[g], &one);
    }
    if (!s && !json) {
        if (r->rows.n_groups > 1) print_line("All", &all);
        print_pooled(&all);
        if (r->fit) sv_fit_print(r->fit, o->temperature_path);
    }
    if (!s && json) {
        json_t *out = json_pack("{so sO sO sO*}", "overall", sv_evaluation_to_json(&all), "recordings", recordings,
                                "warnings", r->warnings, "temperature", r->fit);
        if (!out || json_dumpf(out, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(15)) != 0)
            s = sv_fail(err, SV_ERR_OUTPUT, "cannot write the JSON");
        putchar('\n');
        json_decref(out);
    }
    json_decref(recordings);
    return s;
}

/* Returns -1 to go on, or the exit status. */
static int parse_options(int argc, char **argv, options *o) {
    static const struct option known[] = {{"truth", required_argument, NULL, 't'},
                                          {"fit-temperature", required_argument, NULL, 'F'},
                                          {"json", no_argument, NULL, 'j'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    optind = 1;
    for (int c; (c = getopt_long(argc, argv, "t:jh", known, NULL)) != -1;) {
        if (c == 'h') return sv_cli_help(&sv_cmd_eval);
        if (c == '?') return sv_cli_usage(&sv_cmd_eval, "see above");
        if (c == 'j') o->json = true;
        if (c == 'F') o->temperature_path = optarg;
        if (c == 't') o->truths[o->n_truths++] = optarg;
    }
    o->results = argv + optind;
    o->n_results = argc - optind;
    if (o->n_results == 0) return sv_cli_usage(&sv_cmd_eval, "name at least one RESULT");
    if (o->n_truths && o->n_truths != o->n_results) {
        return sv_cli_usage(&sv_cmd_eval, "%d --truth for %d RESULTs; give one for each, or none", o->n_truths,
                            o->n_results);
    }
    return -1;
}

static void note_fit(run *r) {
    const long long n_zero = (long long)sv_json_int(r->fit, "n_truth_at_zero", 0);
    const char *undetermined = sv_json_text(r->fit, "left_out_undetermined", NULL);
    if (n_zero) {
        warn(r,
             "%lld epochs have probability 0 for the scorer's stage (rounded?): no temperature changes them, and "
             "the fit is without them, so that it may be too low",
             n_zero);
    }
    if (undetermined) {
        warn(r, "without the recording '%.80s' the others determine no temperature: there is no test", undetermined);
    }
    warn(r, "the temperature was fitted on these epochs: its figures on them are no test");
    if (!r->origin.model_sha256[0]) {
        warn(r, "files of rows do not say which model and prompt they come from: the temperature will serve any");
    }
}

static int run_eval(int argc, char **argv) {
    options o = {.truths = sv_calloc((size_t)argc, sizeof(char *))};
    run r = {.warnings = json_array()};
    sv_error err;
    sv_status s = SV_OK;
    int exit_status = o.truths && r.warnings ? parse_options(argc, argv, &o) : sv_exit_code(SV_ERR_MEMORY);
    if (exit_status < 0) {
        for (int i = 0; !s && i < o.n_results; i++) {
            const size_t n_rows = r.rows.n;
            const int n_groups = r.rows.n_groups;
            s = add_result(o.results[i], o.n_truths ? o.truths[i] : NULL, &r, &err);
            if (!s && o.temperature_path) {
                s = sv_fit_note_origin(o.results[i], is_folder(o.results[i]), i == 0, &r.origin, &err);
            }
            if (!s) note_shared_groups(o.results[i], n_groups, n_rows, &r);
        }
        if (!s && o.temperature_path) s = sv_fit_temperature(&r.rows, &r.origin, o.temperature_path, &r.fit, &err);
        if (!s && r.fit) note_fit(&r);
        if (!s) s = print_results(&r, &o, &err);
        exit_status = s ? sv_cli_fail(&sv_cmd_eval, &err) : 0;
    }
    sv_result_rows_free(&r.rows);
    json_decref(r.warnings);
    json_decref(r.fit);
    free(o.truths);
    return exit_status;
}

const sv_command sv_cmd_eval = {
    .name = "eval", .summary = "agreement of results with a scorer, or of two scorers", .help = help, .run = run_eval};
