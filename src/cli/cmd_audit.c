/* cmd_audit.c - `sleepvlm audit`: every sentence, rule and stage of a result against the recording it was made from. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/audit.h"
#include "base/file.h"
#include "base/memory.h"
#include "cli/command.h"
#include "cli/print_warnings.h"
#include "cli/subject_options.h"
#include "sleep/stages.h"
#include "stage/answer.h"
#include "stage/description.h"
#include "stage/subject.h"

#define MAX_RESULT_BYTES ((size_t)512 << 20)

typedef struct arguments {
    const char *result, *recording, *output;
    const char *channels[SV_N_ROLES]; /* options.channels */
    bool json, quiet;
    int n_threads;
    sv_stage_options options;
} arguments;

/* What is known of one row. */
typedef struct answer_row {
    int epoch;
    sv_stage stage;
    char *text;     /* owned */
    json_t *rules;  /* owned */
    json_t *source; /* the row as it was; owned */
} answer_row;

typedef struct job {
    answer_row *rows;
    size_t n, capacity;
    sv_subject subject;
    sv_evidence evidence;
    sv_audit *audit;
    json_t *warnings, *audited, *summary; /* audited: list of {epoch, claims, rules, stage, score} */
} job;

static void job_free(job *j) {
    for (size_t i = 0; i < j->n; i++) {
        free(j->rows[i].text);
        json_decref(j->rows[i].rules);
        json_decref(j->rows[i].source);
    }
    free(j->rows);
    json_decref(j->warnings);
    json_decref(j->audited);
    json_decref(j->summary);
    sv_audit_free(j->audit);
    sv_evidence_free(&j->evidence);
    sv_subject_close(&j->subject);
}

/* ---- rows: ours, and those of the published system */

static bool read_epoch(const json_t *row, int *out) {
    const char *id = sv_json_text(row, "custom_id", ""), *number = strchr(id, '#');
    int64_t epoch = sv_json_int(row, "epoch", -1);
    if (epoch < 0 && number) epoch = strtoll(number + 1, NULL, 10);
    if (epoch < 0 || epoch > INT_MAX) return false;
    *out = (int)epoch;
    return true;
}

/* The answer's fields; where a row lacks them they are read out of the model's raw output. */
static sv_status read_answer(const json_t *source, answer_row *row, sv_error *err) {
    const char *text = sv_json_text(source, "reasoning_text", NULL), *output = sv_json_text(source, "output", NULL);
    const char *stage = sv_json_text(source, "pred_stage", NULL);
    const json_t *rules = json_object_get(source, "applicable_rules");
    sv_answer answer = {.stage = SV_STAGE_NONE};
    sv_status s = output && (!text || !stage) ? sv_answer_parse(output, strlen(output), &answer, err) : SV_OK;
    if (s) return s;
    row->stage = answer.stage;
    if (stage && !sv_stage_from_annotation(stage, &row->stage)) row->stage = SV_STAGE_NONE;
    if (!text) text = answer.reasoning_text ? answer.reasoning_text : "";
    row->text = sv_strndup(text, strlen(text));
    row->rules = json_is_array(rules) ? json_deep_copy(rules) : answer.rules ? json_incref(answer.rules) : json_array();
    sv_answer_free(&answer);
    return row->text && row->rules ? SV_OK : sv_fail_memory(err, "row", strlen(text));
}

static sv_status add_row(const arguments *a, job *j, const char *line, size_t len, size_t number, sv_error *err) {
    json_t *source = NULL;
    answer_row row = {.epoch = -1};
    sv_status s = sv_json_parse(line, len, a->result, &source, err);
    if (s) return sv_error_prefix(err, "line %zu", number);
    if (!json_is_object(source) || !read_epoch(source, &row.epoch)) {
        json_decref(source);
        return sv_fail(err, SV_ERR_INPUT,
                       "%s: line %zu: expected a row with 'epoch', or a custom_id that ends in '#' and a number",
                       a->result, number);
    }
    s = read_answer(source, &row, err);
    row.source = source;
    if (!s && !sv_grow(&j->rows, j->n, &j->capacity, sizeof row)) s = sv_fail_memory(err, "rows", j->n * sizeof row);
    if (!s) {
        j->rows[j->n++] = row;
        return SV_OK;
    }
    free(row.text);
    json_decref(row.rules);
    json_decref(row.source);
    return s;
}

static sv_status read_rows(const arguments *a, job *j, sv_error *err) {
    char *text;
    size_t len, number = 0;
    sv_status s = sv_file_read(a->result, MAX_RESULT_BYTES, &text, &len, err);
    if (s) return s;
    for (char *line = text; !s && line < text + len;) {
        size_t n = strcspn(line, "\n");
        number++;
        if (strspn(line, " \t\r") < n) s = add_row(a, j, line, n, number, err);
        line += n + 1;
    }
    free(text);
    if (!s && j->n == 0) s = sv_fail(err, SV_ERR_INPUT, "%s: no rows", a->result);
    return s;
}

/* ---- the work */

static sv_status make_audit(const arguments *a, job *j, sv_error *err) {
    sv_pool *pool = NULL;
    size_t n = (size_t)j->evidence.n_epochs;
    signed char *stages = sv_calloc(n + 1, 1);
    if (!stages) return sv_fail_memory(err, "stages", n);
    for (size_t i = 0; i < n; i++) stages[i] = SV_STAGE_NONE;
    sv_status s = sv_pool_new(a->n_threads, &pool, err);
    for (size_t i = 0; i < j->n && !s; i++) {
        if (j->rows[i].epoch >= j->evidence.n_epochs) {
            s = sv_fail(err, SV_ERR_INPUT,
                        "%s has a row of epoch %d, %s has epochs 0 to %d: is it the recording of this result?",
                        a->result, j->rows[i].epoch, a->recording, j->evidence.n_epochs - 1);
        } else {
            stages[j->rows[i].epoch] = (signed char)j->rows[i].stage;
        }
    }
    if (!s) s = sv_audit_new(&j->evidence, &j->subject.night, stages, pool, &j->audit, err);
    sv_pool_free(pool);
    free(stages);
    return s;
}

static sv_status audit_rows(job *j, sv_error *err) {
    json_t *with_audit = json_array();
    sv_status s = SV_OK;
    j->audited = json_array();
    for (size_t i = 0; i < j->n && !s; i++) {
        const answer_row *row = &j->rows[i];
        json_t *audit = NULL, *printed;
        s = sv_audit_answer(j->audit, row->epoch, row->text, row->rules, row->stage, &audit, err);
        if (s) break;
        json_object_set(row->source, "audit", audit);
        json_object_set_new(row->source, "epoch", json_integer(row->epoch));
        json_array_append(with_audit, row->source);
        printed = json_pack("{s:i}", "epoch", row->epoch);
        json_object_update(printed, audit);
        json_array_append_new(j->audited, printed);
        json_decref(audit);
    }
    if (!s) j->summary = sv_audit_summary(j->audit, with_audit);
    json_decref(with_audit);
    return s || j->summary ? s : sv_fail_memory(err, "summary", 0);
}

static sv_status work(const arguments *a, job *j, sv_error *err) {
    sv_pool *pool = NULL;
    sv_status s = read_rows(a, j, err);
    if (!s) s = sv_subject_open(a->recording, &a->options, &j->subject, err);
    if (s) return s;
    j->warnings = sv_warnings_to_json(j->subject.info, &j->subject.montage, &j->subject.quality);
    s = sv_pool_new(a->n_threads, &pool, err);
    if (!s) s = sv_evidence_measure(&j->subject.night, NULL, pool, &j->evidence, err);
    sv_pool_free(pool);
    if (!s) s = make_audit(a, j, err);
    return s ? s : audit_rows(j, err);
}

/* ---- output */

static void write_rows(FILE *out, const json_t *rows) {
    const json_t *row;
    size_t i;
    json_array_foreach(rows, i, row) {
        json_dumpf(row, out, JSON_COMPACT | SV_JSON_REALS);
        fputc('\n', out);
    }
}

static sv_status save_rows(const char *path, const json_t *rows, sv_error *err) {
    sv_file_writer w;
    sv_status s = sv_file_writer_open(&w, path, err);
    if (s) return s;
    write_rows(w.stream, rows);
    return sv_file_writer_commit(&w, err);
}

static void print_counts(const char *name, const json_t *counts) {
    int supported = (int)sv_json_int(counts, "supported", 0),
        contradicted = (int)sv_json_int(counts, "contradicted", 0);
    int unknown = (int)sv_json_int(counts, "cannot_tell", 0);
    fprintf(stderr, "  %-16s %9d  %12d  %11d\n", name, supported, contradicted, unknown);
}

static void print_summary(const job *j) {
    const json_t *by_feature = json_object_get(j->summary, "by_feature"), *item;
    const char *name;
    size_t i;
    fprintf(stderr, "%s: %zu answers\n", j->subject.name, j->n);
    sv_print_warnings(j->warnings);
    fprintf(stderr, "  %-16s %9s  %12s  %11s\n", "", "supported", "contradicted", "cannot tell");
    print_counts("claims", json_object_get(j->summary, "claims"));
    json_object_foreach((json_t *)(void *)(uintptr_t)by_feature, name, item) {
        char indented[32];
        snprintf(indented, sizeof indented, "  %.20s", name);
        print_counts(indented, item);
    }
    print_counts("rules", json_object_get(j->summary, "rules"));
    double kappa = sv_json_real(json_object_get(j->summary, "book"), "kappa", NAN);
    if (isfinite(kappa)) fprintf(stderr, "  agreement with the stager by the book: kappa %.2f\n", kappa);
    fprintf(stderr, "  most worth a look:\n");
    json_array_foreach(json_object_get(j->summary, "triage"), i, item) {
        if (i == 5) break;
        fprintf(stderr, "    epoch %d: %s\n", (int)sv_json_int(item, "epoch", 0),
                json_string_value(json_array_get(json_object_get(item, "reasons"), 0)));
    }
}

static int audit(const arguments *a) {
    job j = {0};
    sv_error err;
    sv_status s = work(a, &j, &err);
    if (!s && a->output) s = save_rows(a->output, j.audited, &err);
    if (!s && a->json) {
        write_rows(stdout, j.audited);
        if (fflush(stdout) != 0 || ferror(stdout))
            s = sv_fail_errno(&err, SV_ERR_OUTPUT, "cannot write to standard output");
    }
    if (!s && !a->quiet) print_summary(&j);
    job_free(&j);
    return s ? sv_cli_fail(&sv_cmd_audit, &err) : 0;
}

/* ---- command line */

static int take_option(arguments *a, int letter, const char *value) {
    switch (letter) {
        case 'o': a->output = value; return 0;
        case 't': return sv_cli_parse_threads(&sv_cmd_audit, value, &a->n_threads);
        case 'j': a->json = true; return 0;
        case 'q': a->quiet = true; return 0;
        default: return sv_subject_option_take(&a->options, a->channels, &sv_cmd_audit, letter, value);
    }
}

static int run(int argc, char **argv) {
    static const struct option options[] = {{"output", required_argument, 0, 'o'},
                                            {"channel", required_argument, 0, SV_OPTION_CHANNEL},
                                            {"montage", required_argument, 0, SV_OPTION_MONTAGE},
                                            {"mains", required_argument, 0, SV_OPTION_MAINS},
                                            {"anti-alias", no_argument, 0, SV_OPTION_ANTI_ALIAS},
                                            {"threads", required_argument, 0, 't'},
                                            {"json", no_argument, 0, 'j'},
                                            {"quiet", no_argument, 0, 'q'},
                                            {"help", no_argument, 0, 'h'},
                                            {0}};
    arguments a = {0};
    int letter, status = 0;
    while (status == 0 && (letter = getopt_long(argc, argv, "o:c:t:qh", options, NULL)) != -1) {
        if (letter == 'h') return sv_cli_help(&sv_cmd_audit);
        status = take_option(&a, letter, optarg);
    }
    if (status == 0 && argc - optind != 2) {
        status = sv_cli_usage(&sv_cmd_audit, "expected a result and its recording, found %d", argc - optind);
    } else if (status == 0) {
        a.result = argv[optind];
        a.recording = argv[optind + 1];
        status = audit(&a);
    }
    return status;
}

const sv_command sv_cmd_audit = {
    .name = "audit",
    .summary = "every sentence, rule and stage of a result, checked against the recording",
    .help =
        "Usage: sleepvlm audit [OPTION]... RESULT.jsonl RECORDING.edf\n"
        "\n"
        "Takes each rationale apart into claims (spindles, alpha share, chin tone, where, how many, how large ...), "
        "and tells\n"
        "of every claim, cited rule and stage whether the signal supports it, contradicts it, or cannot tell, with "
        "what was\n"
        "measured and where. Reads epochs.jsonl of `stage` and result files of the published system (rows with "
        "`output` or\n"
        "`reasoning_text`).\n"
        "\n"
        "  -o, --output FILE       write one JSON object a row: epoch, claims, rules, stage, score\n"
        "      --json              print the same\n"
        "  -c, --channel ROLE=LABEL[-REF]  as for `stage`; the channels that the result was made with\n"
        "      --montage FILE      the same from a file, one a line\n"
        "      --mains 50|60|auto|off  notch at this frequency (auto, the default)\n"
        "      --anti-alias        low-pass before the reduction to 100 Hz\n"
        "  -t, --threads N         default: one per core\n"
        "  -q, --quiet             no summary\n"
        "\n"
        "Detectors miss and mistake: docs/evidence.md says how often. A verdict is a reason to look, not a proof.\n"
        "\n"
        "Example: sleepvlm audit night-sleepvlm/epochs.jsonl night.edf --json > audit.jsonl\n",
    .run = run};
