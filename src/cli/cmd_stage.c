/* cmd_stage.c - `sleepvlm stage`: the main job. */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "cli/command.h"
#include "cli/model_options.h"
#include "cli/model_path.h"
#include "cli/print_warnings.h"
#include "cli/progress.h"
#include "cli/subject_options.h"
#include "model/prefix_store.h"
#include "psg/subject_name.h"

typedef struct arguments {
    const char *model, *folder;
    const char *channels[SV_N_ROLES]; /* options.channels */
    bool json, quiet;
    const char *cache; /* folder or "off"; NULL = the user's */
    sv_stage_options options;
    sv_model_options model_options;
} arguments;

static const struct option long_options[] = {{"model", required_argument, 0, 'm'},
                                             {"adapter", required_argument, 0, 'A'},
                                             {"reference-rounding", required_argument, 0, 'R'},
                                             {"output", required_argument, 0, 'o'},
                                             {"prompt", required_argument, 0, 'p'},
                                             {"track", required_argument, 0, 'T'},
                                             {"probabilities", required_argument, 0, 'P'},
                                             {"coarse-prompt", required_argument, 0, 'O'},
                                             {"temperature", required_argument, 0, 'E'},
                                             {"constrain", no_argument, 0, 'K'},
                                             SV_NIGHT_LONG_OPTIONS,
                                             {"no-audit", no_argument, 0, 'D'},
                                             {"no-signals", no_argument, 0, 'G'},
                                             {"lights-off", required_argument, 0, 'F'},
                                             {"lights-on", required_argument, 0, 'N'},
                                             {"threads", required_argument, 0, 't'},
                                             {"memory", required_argument, 0, 'e'},
                                             {"cache", required_argument, 0, 'C'},
                                             {"force", no_argument, 0, 'f'},
                                             {"json", no_argument, 0, 'j'},
                                             {"quiet", no_argument, 0, 'q'},
                                             {"help", no_argument, 0, 'h'},
                                             {0}};

static int parse_track(arguments *a, const char *text) {
    a->options.coarse = strcmp(text, "coarse") == 0;
    if (a->options.coarse || strcmp(text, "fine") == 0) return 0;
    return sv_cli_usage(&sv_cmd_stage, "--track must be fine or coarse, found '%s'", text);
}

static int take_option(arguments *a, int letter, const char *value) {
    sv_stage_options *o = &a->options;
    switch (letter) {
        case 'm': a->model = value; return 0;
        case 'A': a->model_options.adapter = value; return 0;
        case 'R': return sv_cli_parse_rounding(&sv_cmd_stage, value, &a->model_options.rounding);
        case 'o': a->folder = value; return 0;
        case 'p': o->prompt_path = value; return 0;
        case 'T': return parse_track(a, value);
        case 'D': o->no_audit = true; return 0;
        case 'G': o->no_signals = true; return 0;
        case 'F': o->lights_off = value; return 0;
        case 'N': o->lights_on = value; return 0;
        case 't': return sv_cli_parse_threads(&sv_cmd_stage, value, &o->n_threads);
        case 'P': o->probabilities = value; return 0;
        case 'O': o->coarse_prompt_path = value; return 0;
        case 'E': o->temperature = value; return 0;
        case 'K': o->constrained = true; return 0;
        case 'C': a->cache = value; return 0;
        case 'e': return sv_cli_parse_bytes(&sv_cmd_stage, "--memory", value, &o->memory_bytes);
        case 'f': o->force = true; return 0;
        case 'j': a->json = true; return 0;
        case 'q': a->quiet = true; return 0;
        default: return sv_subject_option_take(o, a->channels, &sv_cmd_stage, letter, value);
    }
}

static void on_progress(void *context, int n_done, int n_epochs) { sv_progress_update(context, n_done, n_epochs); }

static bool on_cancelled(void *context) {
    (void)context;
    return sv_cli_interrupted();
}

/* One recording goes to the folder itself, several to a folder each below it. */
static char *result_folder(const arguments *a, const char *recording, bool several) {
    if (a->folder && !several) return sv_strndup(a->folder, strlen(a->folder));
    char *name = sv_subject_name(recording), *path = NULL;
    if (name && a->folder) path = sv_path_join(a->folder, name);
    if (name && !a->folder) {
        size_t room = strlen(name) + sizeof "-sleepvlm";
        path = malloc(room);
        if (path) snprintf(path, room, "%s-sleepvlm", name);
    }
    free(name);
    return path;
}

static void print_number(const json_t *statistics, const char *key, const char *text, const char *unit) {
    const json_t *value = json_object_get(statistics, key);
    if (json_is_number(value)) fprintf(stderr, "  %-22s %8.1f %s\n", text, json_number_value(value), unit);
}

static void print_audit(const json_t *summary, const sv_stage_outcome *o) {
    const json_t *claims = json_object_get(json_object_get(summary, "audit"), "claims");
    int supported = (int)sv_json_int(claims, "supported", 0),
        contradicted = (int)sv_json_int(claims, "contradicted", 0);
    int unknown = (int)sv_json_int(claims, "cannot_tell", 0);
    if (!claims) return;
    fprintf(stderr, "  claims of the rationales: %d supported by the signal, %d contradicted, %d cannot be told\n",
            supported, contradicted, unknown);
    if (o->n_contradicted) {
        fprintf(stderr, "  %d epochs: a claim, a rule or the stage is contradicted; the report lists the worst\n",
                o->n_contradicted);
    }
}

static void print_human(const json_t *summary, const char *folder, const sv_stage_outcome *o) {
    const json_t *statistics = json_object_get(summary, "statistics");
    fprintf(stderr, "%s: %d epochs", sv_json_text(summary, "subject", ""), o->n_epochs);
    if (o->was_complete) fprintf(stderr, ", already done");
    if (o->n_resumed) fprintf(stderr, ", %d taken over from an interrupted run", o->n_resumed);
    fprintf(stderr, "\n");
    sv_print_warnings(json_object_get(summary, "warnings"));
    if (o->cache_warning[0]) fprintf(stderr, "  not kept for the next run: %s\n", o->cache_warning);
    if (o->n_unparsed) fprintf(stderr, "  %d epochs: the answer held no stage\n", o->n_unparsed);
    if (o->n_no_signal) fprintf(stderr, "  %d epochs: no signal, not asked\n", o->n_no_signal);
    if (o->n_uncertain) fprintf(stderr, "  %d epochs are uncertain (most probable stage below 0.6)\n", o->n_uncertain);
    print_audit(summary, o);
    print_number(statistics, "TST", "total sleep time", "min");
    print_number(statistics, "SE", "sleep efficiency", "%");
    print_number(statistics, "SOL", "sleep onset latency", "min");
    print_number(statistics, "WASO", "wake after sleep onset", "min");
    const json_t *agreement = json_object_get(json_object_get(summary, "agreement"), "unparsed_is_error");
    const json_t *kappa = json_object_get(agreement, "kappa");
    if (agreement) {
        fprintf(stderr, "  against the scorer: accuracy %.3f, kappa ", sv_json_real(agreement, "accuracy", NAN));
        if (json_is_number(kappa)) fprintf(stderr, "%.3f", json_number_value(kappa));
        fprintf(stderr, "%s (unparsed answers count as errors)\n", json_is_number(kappa) ? "" : "not defined");
    }
    fprintf(stderr, "  %s/report.html\n", folder);
}

static sv_status print_result(const arguments *a, const char *folder, const sv_stage_outcome *outcome, sv_error *err) {
    char *path = sv_path_join(folder, "summary.json");
    json_t *summary = NULL;
    sv_status s = path ? sv_json_load(path, &summary, err) : sv_fail_memory(err, "path", 0);
    if (!s) {
        if (!a->quiet) print_human(summary, folder, outcome);
        json_object_set_new(summary, "folder", sv_json_string(folder));
        if (a->json) {
            json_dumpf(summary, stdout, JSON_COMPACT | SV_JSON_REALS);
            putchar('\n');
        }
    }
    json_decref(summary);
    free(path);
    return s;
}

static int stage_one(arguments *a, const sv_model *model, const char *recording, bool several) {
    char *folder = result_folder(a, recording, several);
    sv_progress progress;
    sv_stage_outcome outcome;
    sv_error err;
    sv_status s;
    if (!folder) {
        sv_fail_memory(&err, "folder", 0);
        return sv_cli_fail(&sv_cmd_stage, &err);
    }
    sv_progress_start(&progress, a->quiet ? NULL : stderr, sv_path_name(recording));
    a->options.context = &progress;
    s = sv_stage_file(recording, model, folder, &a->options, &outcome, &err);
    sv_progress_finish(&progress);
    if (!s) s = print_result(a, folder, &outcome, &err);
    free(folder);
    return s ? sv_cli_fail(&sv_cmd_stage, &err) : 0;
}

static int stage_all(arguments *a, int n, char **recordings) {
    char *folder;
    sv_model *model;
    sv_error err;
    if (sv_model_path_find(a->model, &folder, &err)) return sv_cli_fail(&sv_cmd_stage, &err);
    sv_status s = sv_model_load(folder, &a->model_options, &model, &err);
    free(folder);
    if (s) return sv_cli_fail(&sv_cmd_stage, &err);
    int worst = 0;
    for (int i = 0; i < n; i++) {
        /* the signal may have come when the recording before was as good as done */
        int status = sv_cli_interrupted() ? sv_exit_code(SV_ERR_CANCELLED) : stage_one(a, model, recordings[i], n > 1);
        worst = SV_MAX(worst, status);
    }
    sv_model_free(model);
    return worst;
}

static int run(int argc, char **argv) {
    arguments a = {.model = "nano", .options = {.progress = on_progress, .cancelled = on_cancelled}};
    int letter, status = 0;
    optind = 1;
    while (status == 0 && (letter = getopt_long(argc, argv, "o:m:c:t:qh", long_options, NULL)) != -1) {
        if (letter == 'h') return sv_cli_help(&sv_cmd_stage);
        status = take_option(&a, letter, optarg);
    }
    if (status == 0 && optind == argc) status = sv_cli_usage(&sv_cmd_stage, "name at least one recording");
    char *user_cache = a.cache ? NULL : sv_prefix_store_default_folder();
    a.options.cache_folder = !a.cache ? user_cache : strcmp(a.cache, "off") == 0 ? NULL : a.cache;
    if (status == 0) status = stage_all(&a, argc - optind, argv + optind);
    free(user_cache);
    return status;
}

const sv_command sv_cmd_stage = {
    .name = "stage",
    .summary = "stage recordings: a hypnogram, probabilities and reasons for every epoch, a report",
    .help =
        "Usage: sleepvlm stage [OPTION]... RECORDING.edf...\n"
        "\n"
        "Stages each recording (EDF, EDF+, BDF) and leaves a folder with epochs.jsonl, hypnogram.csv, hypnogram.edf,\n"
        "summary.json and report.html. Interrupted, the same command goes on where it was.\n"
        "\n"
        "  -o, --output DIR        result folder (default: RECORDING-sleepvlm); with several recordings one folder "
        "each\n"
        "                          below it\n"
        "  -m, --model NAME|DIR    model: nano (default) or a Hugging Face folder of a Qwen2.5-VL model\n"
        "      --adapter DIR       PEFT folder of a LoRA adapter for the model, applied without merging\n"
        "      --reference-rounding bf16|f16  round where the reference does in this type (for comparisons)\n"
        "      --prompt FILE       system prompt in UTF-8 (default: prompt.txt of the adapter or the model)\n"
        "      --track fine|coarse coarse: stage and rules without rationale, faster (stage-first models)\n"
        "      --probabilities forced|coarse|text|off  where the stage's probabilities are read: before any text\n"
        "                          (default), by a short answer to a coarse prompt, behind the rationale, nowhere\n"
        "      --coarse-prompt FILE  that prompt (default: coarse_prompt.txt of the model)\n"
        "      --temperature FILE|off  calibrates probabilities, as fitted by 'sleepvlm eval --fit-temperature'\n"
        "                          (default: temperature.json of the model, when it is there)\n"
        "      --constrain         only answers of the trained form can be written: every one can be read\n"
        "  -c, --channel ROLE=LABEL[-REF]  take this channel for F4, C4, O2, LOC, ROC or Chin; may be repeated; an "
        "empty\n"
        "                          label leaves the role out\n"
        "      --montage FILE      the same from a file, one a line\n"
        "      --hypnogram FILE    a scorer's stages, put beside the answers (EDF+, XML, CSV, text)\n"
        "      --mains 50|60|auto|off  mains notch (auto: what the recording shows, else 50)\n"
        "      --anti-alias        low-pass before drawing at 100 Hz (off: as the published system)\n"
        "      --no-audit          leave out what was measured and the verdicts on every claim\n"
        "      --no-signals        leave the signals out of report.html: smaller, without the enlarged traces\n"
        "      --lights-off TIME   bounds of the statistics: HH:MM[:SS] or +SECONDS from the start\n"
        "      --lights-on TIME\n"
        "  -t, --threads N         default: one per core\n"
        "      --memory SIZE       what may be used beside the model's weights (2G, 500M): fewer epochs are\n"
        "                          asked at a time; the results stay the same\n"
        "      --cache DIR|off     where a large model's reading of the prompt is kept for the next run\n"
        "                          (default: sleepvlm in $XDG_CACHE_HOME or ~/.cache)\n"
        "      --force             replace another result in the folder\n"
        "      --json              print the summary of each recording as a line of JSON\n"
        "  -q, --quiet             no progress, no summary\n"
        "\n"
        "'sleepvlm info RECORDING.edf' shows beforehand which channels will be used and what is wrong with them.\n"
        "Exit status: 0 done, 1 bad input, 2 usage, 3 output failed, 130 interrupted.\n"
        "\n"
        "Examples:\n"
        "  sleepvlm stage night.edf\n"
        "  sleepvlm stage -o results --hypnogram scored.edf --channel C4=C3-M2 night.edf\n",
    .run = run};
