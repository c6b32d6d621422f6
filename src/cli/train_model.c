/* train_model.c - `sleepvlm train wpt|sft`: both phases of training, by one configuration. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "cli/command.h"
#include "cli/model_path.h"
#include "cli/progress.h"
#include "psg/subject_name.h"
#include "train/training.h"

typedef struct arguments {
    const sv_command *command;
    sv_train_config config;
    int n_threads;
    bool json, quiet, help;
    sv_progress progress;
} arguments;

/* ---- command line: keys of the configuration as options */

/* "--learning-rate" and "--learning_rate" are the key learning_rate. */
static bool key_of(const char *option, char *out, size_t size) {
    size_t n = strcspn(option, "=");
    if (n >= size) return false;
    for (size_t i = 0; i < n; i++) out[i] = option[i] == '-' ? '_' : option[i];
    out[n] = 0;
    return sv_train_config_has_key(out);
}

static int fail_usage(const arguments *a, const sv_error *err) { return sv_cli_usage(a->command, "%s", err->message); }

/* One option at argv[*i]; moves *i behind what it took. Returns an exit status, 0 = go on. */
static int take_option(arguments *a, int argc, char **argv, int *i) {
    const char *option = argv[*i] + 2, *equals = strchr(option, '='), *value = equals ? equals + 1 : NULL;
    char key[64];
    sv_error err;
    (*i)++;
    if (strcmp(option, "help") == 0) return a->help = true, 0;
    if (strcmp(option, "json") == 0) return a->json = true, 0;
    if (strcmp(option, "quiet") == 0) return a->quiet = true, 0;
    bool threads = strncmp(option, "threads", 7) == 0 && (option[7] == 0 || option[7] == '=');
    if (!threads && !key_of(option, key, sizeof key))
        return sv_cli_usage(a->command, "there is no option '--%s'", option);
    if (!value && *i >= argc) return sv_cli_usage(a->command, "--%s lacks its value", option);
    if (!value) value = argv[(*i)++];
    if (threads) return sv_cli_parse_threads(a->command, value, &a->n_threads);
    return sv_train_config_set(&a->config, key, value, "command line", &err) ? fail_usage(a, &err) : 0;
}

static bool is_flag(const char *option) {
    return strcmp(option, "help") == 0 || strcmp(option, "json") == 0 || strcmp(option, "quiet") == 0;
}

/* The configuration file among the words; *out NULL when there is none. */
static int find_file(const arguments *a, int argc, char **argv, const char **out) {
    *out = NULL;
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--", 2) == 0) {
            i += !strchr(argv[i], '=') && !is_flag(argv[i] + 2);
        } else if (strcmp(argv[i], "-t") == 0) {
            i++;
        } else if (argv[i][0] != '-') {
            if (*out) return sv_cli_usage(a->command, "expected one configuration, found '%s' and '%s'", *out, argv[i]);
            *out = argv[i];
        }
    }
    return 0;
}

/* The file first, whatever its place: options override it. */
static int parse(arguments *a, int argc, char **argv) {
    sv_error err;
    const char *file;
    int status = find_file(a, argc, argv, &file);
    if (status == 0 && file && sv_train_config_load(&a->config, file, &err)) return sv_cli_fail(a->command, &err);
    for (int i = 1; i < argc && status == 0 && !a->help;) {
        if (strncmp(argv[i], "--", 2) == 0)
            status = take_option(a, argc, argv, &i);
        else if (strcmp(argv[i], "-h") == 0)
            a->help = true;
        else if (strcmp(argv[i], "-q") == 0)
            a->quiet = true, i++;
        else if (strcmp(argv[i], "-t") == 0 && i + 1 < argc)
            status = sv_cli_parse_threads(a->command, argv[i + 1], &a->n_threads), i += 2;
        else if (argv[i] == file)
            i++;
        else
            status = sv_cli_usage(a->command, "the option '%s' is not known or lacks its value", argv[i]);
    }
    return status;
}

/* ---- evaluation: the nights are staged as a user would, with the network as it is now */

/* A kappa that is not defined (one stage all night, and said so) counts as 0. */
static sv_status add_score(const json_t *agreement, sv_training_score *sum, const char *path, sv_error *err) {
    sv_agreement night;
    if (!sv_agreement_from_json(agreement, &night))
        return sv_fail(err, SV_ERR_INPUT, "%s: expected the agreement with a scorer", path);
    sum->kappa += isfinite(night.kappa) ? night.kappa : 0;
    sum->accuracy += isfinite(night.accuracy) ? night.accuracy : 0;
    sv_agreement_pool(&sum->pooled, &night);
    return SV_OK;
}

/* "RECORDING" (with its own annotations) or "RECORDING=HYPNOGRAM". */
static sv_status stage_night(const arguments *a, const sv_model *network, const char *prompt_path, const char *night,
                             const char *output, sv_training_score *sum, sv_error *err) {
    const char *equals = strchr(night, '=');
    char *recording = sv_strndup(night, equals ? (size_t)(equals - night) : strlen(night));
    char *name = recording ? sv_subject_name(recording) : NULL, *all = sv_path_join(output, "evaluation");
    char *folder = name && all ? sv_path_join(all, name) : NULL,
         *path = folder ? sv_path_join(folder, "summary.json") : NULL;
    json_t *summary = NULL;
    const sv_stage_options options = {.prompt_path = prompt_path,
                                      .hypnogram_path = equals ? equals + 1 : recording,
                                      .n_threads = a->n_threads,
                                      .no_audit = true,
                                      .no_signals = true,
                                      .force = true};
    sv_status s =
        path ? sv_stage_file(recording, network, folder, &options, NULL, err) : sv_fail_memory(err, "path", 0);
    if (!s) s = sv_json_load(path, &summary, err);
    if (!s) {
        const json_t *agreement = json_object_get(summary, "agreement");
        s = add_score(json_object_get(agreement, "unparsed_is_error"), sum, path, err);
    }
    json_decref(summary);
    free(recording);
    free(name);
    free(all);
    free(folder);
    free(path);
    return s ? sv_error_prefix(err, "evaluation on %s", night) : SV_OK;
}

static sv_status evaluate(void *context, const sv_model *network, const char *prompt_path, const char *output,
                          sv_training_score *score, sv_error *err) {
    const arguments *a = context;
    const sv_text_list *nights = &a->config.eval_nights;
    sv_training_score sum = {0};
    for (size_t i = 0; i < nights->n; i++) {
        sv_status s = stage_night(a, network, prompt_path, nights->items[i], output, &sum, err);
        if (s) return s;
    }
    *score = (sv_training_score){sum.kappa / (double)nights->n, sum.accuracy / (double)nights->n, sum.pooled};
    return SV_OK;
}

/* ---- the run */

static void on_news(void *context, const sv_training_news *news) {
    arguments *a = context;
    if (isnan(news->kappa))
        snprintf(a->progress.label, sizeof a->progress.label, "loss %.4f", news->loss);
    else
        snprintf(a->progress.label, sizeof a->progress.label, "loss %.4f kappa %.3f", news->loss, news->kappa);
    sv_progress_update(&a->progress, news->n_done, news->n_updates);
}

static void on_warning(void *context, const char *message) {
    arguments *a = context;
    sv_progress_finish(&a->progress);
    fprintf(stderr, "sleepvlm %s: warning: %s\n", a->command->name, message);
}

static void print_outcome(const arguments *a, const sv_training_outcome *o) {
    fprintf(stderr, "%s: %lld updates", a->config.output_dir, (long long)o->n_updates);
    if (o->was_complete) fprintf(stderr, ", already done");
    if (o->n_resumed && !o->was_complete) fprintf(stderr, ", %lld of them by an earlier run", (long long)o->n_resumed);
    fprintf(stderr, "\n  %zu numbers trained of a model of %zu\n", o->n_trained, o->n_parameters);
    if (!isnan(o->last_loss)) fprintf(stderr, "  loss %.4f at first, %.4f at last\n", o->first_loss, o->last_loss);
    if (!isnan(o->best_kappa)) fprintf(stderr, "  best kappa %.3f: %s/best\n", o->best_kappa, a->config.output_dir);
    fprintf(stderr, "  %s/final\n", a->config.output_dir);
}

static json_t *real_or_null(double x) { return isfinite(x) ? json_real(x) : json_null(); }

static void print_json(const arguments *a, const sv_training_outcome *o) {
    json_t *out = json_pack("{s:s,s:I,s:I,s:I,s:o,s:o,s:o}", "output_dir", a->config.output_dir, "updates",
                            (json_int_t)o->n_updates, "resumed", (json_int_t)o->n_resumed, "trained",
                            (json_int_t)o->n_trained, "first_loss", real_or_null(o->first_loss), "last_loss",
                            real_or_null(o->last_loss), "best_kappa", real_or_null(o->best_kappa));
    json_dumpf(out, stdout, JSON_COMPACT | SV_JSON_REALS);
    putchar('\n');
    json_decref(out);
}

/* A model may be named, as in the other commands. */
static sv_status find_model(arguments *a, sv_error *err) {
    char *folder = NULL;
    if (!a->config.model_path) return SV_OK; /* said by the run */
    sv_status s = sv_model_path_find(a->config.model_path, &folder, err);
    if (!s) {
        free(a->config.model_path);
        a->config.model_path = folder;
    }
    return s;
}

static int train(arguments *a, sv_record_kind kind) {
    sv_training_outcome outcome;
    sv_error err;
    if (find_model(a, &err)) return sv_cli_fail(a->command, &err);
    const sv_training_options options = {.config = &a->config,
                                         .kind = kind,
                                         .n_threads = a->n_threads,
                                         .news = on_news,
                                         .warn = on_warning,
                                         .evaluate = evaluate,
                                         .cancelled = sv_cli_interrupted,
                                         .context = a};
    sv_progress_start(&a->progress, a->quiet ? NULL : stderr, "updates");
    sv_status s = sv_training_run(&options, &outcome, &err);
    sv_progress_finish(&a->progress);
    if (s) return sv_cli_fail(a->command, &err);
    if (!a->quiet) print_outcome(a, &outcome);
    if (a->json) print_json(a, &outcome);
    return 0;
}

static int help(const sv_command *command) {
    sv_strbuf keys = {0}, heads = {0};
    int status = sv_cli_help(command);
    sv_train_config_describe(&keys);
    sv_heads_describe(&heads);
    printf("\nKeys, of the file and as --KEY VALUE (defaults in parentheses):\n%s\n%s", sv_strbuf_text(&keys),
           sv_strbuf_text(&heads));
    sv_strbuf_free(&keys);
    sv_strbuf_free(&heads);
    return status;
}

static int run(const sv_command *command, sv_record_kind kind, int argc, char **argv) {
    arguments a = {.command = command};
    sv_error err;
    if (sv_train_config_new(&a.config, &err)) return sv_cli_fail(command, &err);
    int status = parse(&a, argc, argv);
    if (status == 0) status = a.help ? help(command) : train(&a, kind);
    sv_train_config_free(&a.config);
    return status;
}

static int run_wpt(int argc, char **argv) { return run(&sv_cmd_train_wpt, SV_RECORD_WPT, argc, argv); }
static int run_sft(int argc, char **argv) { return run(&sv_cmd_train_sft, SV_RECORD_FINE, argc, argv); }

#define COMMON_HELP                                                                                                    \
    "\n"                                                                                                               \
    "CONFIG.yaml has the published system's keys and ours; any of them may be given as an option, which overrides\n"   \
    "the file. Records come from 'sleepvlm dataset' (train_file) or from simulated nights (simulate_nights). The\n"    \
    "output folder gets log.jsonl, checkpoints and, at the end, final: a PEFT adapter, or with full a model folder.\n" \
    "Stopped in any way, the same command goes on from the newest checkpoint, with the same numbers.\n"                \
    "\n"                                                                                                               \
    "  -t, --threads N         default: one per core; the numbers do not depend on it\n"                               \
    "      --json              print a summary\n"                                                                      \
    "  -q, --quiet             no progress, no summary\n"

const sv_command sv_cmd_train_wpt = {
    .name = "train wpt",
    .summary = "first phase: band powers and amplitudes of each second, read off the picture",
    .help = "Usage: sleepvlm train wpt [CONFIG.yaml] [--KEY VALUE]...\n" COMMON_HELP
            "\n"
            "Example: sleepvlm train wpt --model-path base --train-file data/wpt_train.jsonl --output-dir run1\n",
    .run = run_wpt};
const sv_command sv_cmd_train_sft = {
    .name = "train sft",
    .summary = "second phase: stage, rules and rationale of an epoch between its neighbours",
    .help = "Usage: sleepvlm train sft [CONFIG.yaml] [--KEY VALUE]...\n" COMMON_HELP
            "\n"
            "Example: sleepvlm train sft config.yaml --adapter-path run1/final --eval-nights night.edf\n",
    .run = run_sft};
