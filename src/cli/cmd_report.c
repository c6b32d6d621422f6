/* cmd_report.c - `sleepvlm report`: the curves of a training run as a page. */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "cli/command.h"
#include "report/training_report.h"

typedef struct arguments {
    const char *run, *output;
    bool json, quiet;
} arguments;

static json_t *number(double x) { return isfinite(x) ? json_real(x) : json_null(); }

static sv_status print_json(const sv_training_log *log, const sv_training_progress *g, const char *path,
                            sv_error *err) {
    json_t *value = json_pack(
        "{s:o,s:I,s:I,s:o,s:o,s:o,s:I,s:f,s:o,s:o}", "report", sv_json_string(path), "updates",
        (json_int_t)log->n_updates, "last_step", (json_int_t)log->updates[log->n_updates - 1].step, "first_loss",
        number(g->first_loss), "last_loss", number(g->last_loss), "lowest_loss", number(g->lowest_loss), "lowest_step",
        (json_int_t)g->lowest_step, "tokens", g->tokens, "best_kappa", number(g->best ? g->best->kappa : NAN),
        "best_step", g->best ? json_integer((json_int_t)g->best->step) : json_null());
    char *line = value ? json_dumps(value, JSON_COMPACT | SV_JSON_REALS) : NULL;
    sv_status s = line ? SV_OK : sv_fail_memory(err, "the summary", 256);
    if (line && (puts(line) == EOF || fflush(stdout) != 0))
        s = sv_fail_errno(err, SV_ERR_OUTPUT, "cannot write to standard output");
    free(line);
    json_decref(value);
    return s;
}

static void print_summary(const sv_training_log *log, const sv_training_progress *g, const char *path) {
    fprintf(stderr, "%s: %zu updates, loss %.4f at first, %.4f at last", path, log->n_updates, g->first_loss,
            g->last_loss);
    if (g->best) fprintf(stderr, ", best kappa %.3f after update %lld", g->best->kappa, (long long)g->best->step);
    fputc('\n', stderr);
}

/* "RUN" without slashes at its end, so that it has a name. */
static char *trimmed(const char *path) {
    char *copy = strdup(path);
    for (size_t n = copy ? strlen(copy) : 0; n > 1 && copy[n - 1] == '/'; n--) copy[n - 1] = 0;
    return copy;
}

static sv_status report(const arguments *a, sv_error *err) {
    struct stat st;
    char *run = trimmed(a->run), *path = NULL;
    sv_training_log log = {0};
    bool folder = stat(a->run, &st) == 0 && S_ISDIR(st.st_mode);
    if (run) path = a->output ? strdup(a->output) : folder ? sv_path_join(run, "report.html") : strdup("report.html");
    sv_status s = path ? sv_training_log_load(run, &log, err) : sv_fail_memory(err, "path", strlen(a->run));
    if (!s) s = sv_training_report_write(path, sv_path_name(run), &log, err);
    if (!s) {
        sv_training_progress progress = sv_training_log_progress(&log);
        if (!a->quiet) print_summary(&log, &progress, path);
        if (a->json) s = print_json(&log, &progress, path, err);
    }
    sv_training_log_free(&log);
    free(path);
    free(run);
    return s;
}

static int run(int argc, char **argv) {
    static const struct option options[] = {{"output", required_argument, NULL, 'o'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"quiet", no_argument, NULL, 'q'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    arguments a = {0};
    sv_error err;
    optind = 1;
    for (int c; (c = getopt_long(argc, argv, "o:qh", options, NULL)) != -1;) {
        if (c == 'h') return sv_cli_help(&sv_cmd_report);
        if (c == '?') return sv_cli_usage(&sv_cmd_report, "the option is not known or lacks its value");
        if (c == 'o') a.output = optarg;
        if (c == 'j') a.json = true;
        if (c == 'q') a.quiet = true;
    }
    if (argc - optind != 1) return sv_cli_usage(&sv_cmd_report, "name one RUN, the output_dir of 'sleepvlm train'");
    a.run = argv[optind];
    return report(&a, &err) ? sv_cli_fail(&sv_cmd_report, &err) : 0;
}

const sv_command sv_cmd_report = {
    .name = "report",
    .summary = "the curves of a training run as a page",
    .help =
        "Usage: sleepvlm report RUN [-o FILE] [--json]\n"
        "\n"
        "Draws what a training run wrote down: loss, kappa of the evaluations, norm of the gradients and learning\n"
        "rate over the updates; what should be noticed (a loss that rises again, a kappa that was better before);\n"
        "what the run was told. One HTML file that opens offline. The run may still be going on.\n"
        "\n"
        "RUN is the output_dir of 'sleepvlm train', or a log.jsonl alone.\n"
        "\n"
        "  -o, --output FILE  default: RUN/report.html; of a log alone: report.html here\n"
        "      --json         print the main numbers as a line of JSON\n"
        "  -q, --quiet        no summary\n"
        "\n"
        "The report of a staged night is made by 'sleepvlm stage'.\n"
        "\n"
        "Exit status: 0 done, 1 no readable log, 2 usage, 3 output failed.\n"
        "\n"
        "Example: sleepvlm report runs/sft\n",
    .run = run};
