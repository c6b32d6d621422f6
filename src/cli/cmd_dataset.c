/* cmd_dataset.c - `sleepvlm dataset wpt|sft`: pictures and records to train on. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "cli/info_text.h"
#include "cli/night_options.h"
#include "cli/progress.h"
#include "train/dataset.h"

enum { N_PROMPTS = 3, MAX_CHOICES = SV_N_ROLES };
#define MAX_PROMPT_BYTES ((size_t)1 << 20)

typedef struct arguments {
    const char *folder, *question, *prompt_paths[N_PROMPTS], *split_path;
    const char **annotations; /* [n_annotations], room for argc */
    size_t n_annotations;
    sv_night_arguments night;
    uint64_t seed;
    double split;
    int n_threads;
    bool sft, coarse, track_named, stage_first, unlabelled, force, json, quiet;
    const char *const *recordings;
    size_t n_recordings;
} arguments;

typedef struct display {
    sv_progress progress;
    char *subject; /* whose bar is shown */
    bool quiet;
} display;

/* ---- what is said meanwhile */

static void show(void *context, const char *subject, int64_t n_done, int64_t n_all) {
    display *d = context;
    if (d->quiet) return;
    if (!d->subject || strcmp(d->subject, subject) != 0) {
        free(d->subject);
        d->subject = sv_strndup(subject, strlen(subject));
        sv_progress_finish(&d->progress);
        sv_progress_start(&d->progress, stderr, subject);
    }
    sv_progress_update(&d->progress, n_done, n_all);
    if (n_done == n_all) sv_progress_finish(&d->progress);
}

static void note(void *context, const char *text) {
    display *d = context;
    sv_strbuf safe = {0};
    if (!d->quiet) sv_progress_finish(&d->progress);
    sv_info_put_safe(&safe, text);
    fprintf(stderr, "sleepvlm dataset: %s\n", sv_strbuf_text(&safe));
    sv_strbuf_free(&safe);
}

static void print_summary(const char *folder, const json_t *summary) {
    const json_t *subjects = json_object_get(summary, "subjects"), *records = json_object_get(summary, "records"),
                 *pictures = json_object_get(summary, "pictures"), *skipped = json_object_get(summary, "skipped");
    if (sv_json_bool(summary, "complete_before", false)) fprintf(stderr, "%s: complete already\n", folder);
    fprintf(stderr, "training: %lld records of %lld subjects; validation: %lld of %lld\n",
            (long long)sv_json_int(records, "train", 0), (long long)sv_json_int(subjects, "train", 0),
            (long long)sv_json_int(records, "val", 0), (long long)sv_json_int(subjects, "val", 0));
    fprintf(stderr, "pictures: %lld drawn", (long long)sv_json_int(pictures, "drawn", 0));
    if (sv_json_int(pictures, "kept", 0)) {
        fprintf(stderr, ", %lld there already", (long long)sv_json_int(pictures, "kept", 0));
    }
    fputc('\n', stderr);
    for (int i = 0; i < SV_N_SKIPS; i++) {
        int64_t n = sv_json_int(skipped, sv_skip_name((sv_skip)i), 0);
        if (n) fprintf(stderr, "left out: %lld %s\n", (long long)n, sv_skip_words((sv_skip)i));
    }
    if (!sv_json_int(records, "train", 0)) {
        fprintf(stderr,
                "nothing is for training; int(subjects x --split) of each subset are, so --split 1 takes all\n");
    }
}

/* ---- the job */

/* As Python reads a text file: line ends become LF. */
static sv_status load_prompt(const char *path, char **out, sv_error *err) {
    size_t len, n = 0;
    sv_status status = sv_file_read(path, MAX_PROMPT_BYTES, out, &len, err);
    if (status) return status;
    status = sv_utf8_check(*out, len, path, err);
    if (!status && memchr(*out, 0, len)) status = sv_fail(err, SV_ERR_INPUT, "%s: holds a 0 byte", path);
    for (size_t i = 0; i < len; i++) {
        if ((*out)[i] == '\r' && (*out)[i + 1] == '\n') continue;
        (*out)[n++] = (*out)[i] == '\r' ? '\n' : (*out)[i];
    }
    (*out)[n] = 0;
    return status;
}

static sv_status print_json(const arguments *a, json_t *summary, sv_error *err) {
    json_object_set_new(summary, "folder", sv_json_string(a->folder));
    char *line = json_dumps(summary, JSON_COMPACT);
    sv_status status = line ? SV_OK : sv_fail_memory(err, "the summary", 0);
    if (line && (puts(line) == EOF || fflush(stdout) != 0)) {
        status = sv_fail_errno(err, SV_ERR_OUTPUT, "cannot write to standard output");
    }
    free(line);
    return status;
}

/* A data set that lacks named recordings is made, but not all is well. */
static int exit_status(const json_t *summary) {
    const json_t *skipped = json_object_get(summary, "skipped");
    bool lacking = sv_json_int(skipped, sv_skip_name(SV_SKIP_unreadable), 0) > 0 ||
                   sv_json_int(skipped, sv_skip_name(SV_SKIP_no_scoring), 0) > 0;
    return lacking ? sv_exit_code(SV_ERR_INPUT) : 0;
}

static sv_status make(const arguments *a, sv_dataset_job *job, display *d, int *code, sv_error *err) {
    json_t *summary = NULL;
    sv_status status = sv_dataset_make(job, &summary, err);
    if (!d->quiet) sv_progress_finish(&d->progress);
    if (status == SV_ERR_CANCELLED) {
        status = sv_fail(err, status, "interrupted; the same command goes on in %s", a->folder);
    }
    if (!status && !a->quiet) print_summary(a->folder, summary);
    if (!status) *code = exit_status(summary);
    if (!status && a->json) status = print_json(a, summary, err);
    json_decref(summary);
    return status;
}

static int dataset(const arguments *a) {
    sv_dataset_inputs inputs = {0};
    sv_channel_choice *choices = NULL;
    size_t n_choices = 0;
    char *prompts[N_PROMPTS] = {0};
    display d = {.quiet = a->quiet};
    sv_error err;
    sv_pool *pool = NULL;
    int code = 0;
    sv_status status = sv_dataset_inputs_find(a->recordings, a->n_recordings, &inputs, &err);
    if (!status) status = sv_night_arguments_choices(&a->night, &choices, &n_choices, &err);
    if (!status) status = sv_pool_new(a->n_threads, &pool, &err);
    sv_dataset_job job = {.sft = a->sft,
                          .inputs = &inputs,
                          .filters = {.night = a->night.night,
                                      .choices = choices,
                                      .n_choices = n_choices,
                                      .without_stages = a->unlabelled},
                          .folder = a->folder,
                          .question = a->question,
                          .seed = a->seed,
                          .split = a->split,
                          .annotations = a->annotations,
                          .n_annotations = a->n_annotations,
                          .split_path = a->split_path,
                          .sim_coarse = a->coarse,
                          .stage_first = a->stage_first,
                          .force = a->force,
                          .stop = sv_cli_interrupted,
                          .progress = show,
                          .note = note,
                          .context = &d};
    job.filters.night.pool = pool;
    for (int k = 0; k < N_PROMPTS && !status; k++) {
        if (a->prompt_paths[k]) status = load_prompt(a->prompt_paths[k], &prompts[k], &err);
        job.prompts[k] = prompts[k] ? prompts[k] : sv_dataset_prompt((sv_record_kind)k);
    }
    if (!status) status = make(a, &job, &d, &code, &err);
    for (int k = 0; k < N_PROMPTS; k++) free(prompts[k]);
    sv_pool_free(pool);
    free(choices);
    free(d.subject);
    sv_dataset_inputs_free(&inputs);
    return status ? sv_cli_fail(&sv_cmd_dataset, &err) : code;
}

/* ---- command line */

enum {
    SEED = SV_OPTION_OWN,
    SPLIT,
    JSON,
    FORCE,
    PROMPT,
    QUESTION,
    UNLABELLED,
    ANNOTATIONS,
    PROMPT_FINE,
    PROMPT_COARSE,
    TRACK,
    SPLIT_FILE,
    STAGE_FIRST
};

#define COMMON_OPTIONS                                                                                                \
    {"output", required_argument, NULL, 'o'}, {"seed", required_argument, NULL, SEED},                                \
        {"split", required_argument, NULL, SPLIT}, {"channel", required_argument, NULL, 'c'},                         \
        {"montage", required_argument, NULL, SV_OPTION_MONTAGE}, {"mains", required_argument, NULL, SV_OPTION_MAINS}, \
        {"anti-alias", no_argument, NULL, SV_OPTION_ANTI_ALIAS}, {"threads", required_argument, NULL, 't'},           \
        {"force", no_argument, NULL, FORCE}, {"json", no_argument, NULL, JSON}, {"quiet", no_argument, NULL, 'q'}, {  \
        "help", no_argument, NULL, 'h'                                                                                \
    }

static const struct option wpt_options[] = {COMMON_OPTIONS,
                                            {"prompt", required_argument, NULL, PROMPT},
                                            {"question", required_argument, NULL, QUESTION},
                                            {"unlabelled", no_argument, NULL, UNLABELLED},
                                            {0}};
static const struct option sft_options[] = {COMMON_OPTIONS,
                                            {"annotations", required_argument, NULL, ANNOTATIONS},
                                            {"prompt-fine", required_argument, NULL, PROMPT_FINE},
                                            {"prompt-coarse", required_argument, NULL, PROMPT_COARSE},
                                            {"track", required_argument, NULL, TRACK},
                                            {"split-file", required_argument, NULL, SPLIT_FILE},
                                            {"stage-first", no_argument, NULL, STAGE_FIRST},
                                            {0}};

static int take_seed(arguments *a, const char *text) {
    char *end;
    unsigned long long seed = strtoull(text, &end, 10);
    if (strspn(text, "0123456789") == 0 || *end || strlen(text) > 18) {
        return sv_cli_usage(&sv_cmd_dataset, "--seed takes a whole number of at most 18 digits, found '%s'", text);
    }
    a->seed = seed;
    return 0;
}

static int take_split(arguments *a, const char *text) {
    char *end;
    a->split = strtod(text, &end);
    if (end != text && *end == 0 && a->split >= 0 && a->split <= 1) return 0;
    return sv_cli_usage(&sv_cmd_dataset, "--split takes the share for training, 0 to 1, found '%s'", text);
}

static int take_track(arguments *a, const char *text) {
    a->coarse = strcmp(text, "coarse") == 0;
    if (a->coarse || strcmp(text, "fine") == 0) return 0;
    return sv_cli_usage(&sv_cmd_dataset, "--track takes fine or coarse, found '%s'", text);
}

static int take_option(arguments *a, int letter, const char *value) {
    switch (letter) {
        case 'o': a->folder = value; return 0;
        case 'q': a->quiet = true; return 0;
        case JSON: a->json = true; return 0;
        case FORCE: a->force = true; return 0;
        case UNLABELLED: a->unlabelled = true; return 0;
        case STAGE_FIRST: a->stage_first = true; return 0;
        case QUESTION: a->question = value; return 0;
        case PROMPT: a->prompt_paths[SV_RECORD_WPT] = value; return 0;
        case PROMPT_FINE: a->prompt_paths[SV_RECORD_FINE] = value; return 0;
        case PROMPT_COARSE: a->prompt_paths[SV_RECORD_COARSE] = value; return 0;
        case ANNOTATIONS: a->annotations[a->n_annotations++] = value; return 0;
        case SPLIT_FILE: a->split_path = value; return 0;
        case SEED: return take_seed(a, value);
        case SPLIT: return take_split(a, value);
        case TRACK: return take_track(a, value);
        case 't': return sv_cli_parse_threads(&sv_cmd_dataset, value, &a->n_threads);
        default: return sv_night_arguments_take(&a->night, &sv_cmd_dataset, letter, value);
    }
}

/* argv[0] is the phase. -1 to go on, else the exit status. */
static int parse(int argc, char **argv, arguments *a) {
    const struct option *options = a->sft ? sft_options : wpt_options;
    for (int letter; (letter = getopt_long(argc, argv, "o:t:qhc:", options, NULL)) != -1;) {
        if (letter == 'h') return sv_cli_help(&sv_cmd_dataset);
        int code = take_option(a, letter, optarg);
        if (code) return code;
    }
    a->recordings = (const char *const *)argv + optind;
    a->n_recordings = (size_t)(argc - optind);
    if (a->n_recordings == 0) return sv_cli_usage(&sv_cmd_dataset, "name at least one recording or folder of them");
    if (!a->folder) return sv_cli_usage(&sv_cmd_dataset, "name the folder for the data set with -o DIR");
    if (!sv_utf8_check(a->question, strlen(a->question), "--question", NULL)) return -1;
    return sv_cli_usage(&sv_cmd_dataset, "--question is not UTF-8");
}

static int run(int argc, char **argv) {
    arguments a = {
        .night = {.night = {.mains = SV_MAINS_50}}, .seed = 42, .split = 0.8, .question = sv_dataset_question};
    const char *phase = argc > 1 ? argv[1] : "";
    if (strcmp(phase, "-h") == 0 || strcmp(phase, "--help") == 0) return sv_cli_help(&sv_cmd_dataset);
    a.sft = strcmp(phase, "sft") == 0;
    if (!a.sft && strcmp(phase, "wpt") != 0) {
        return sv_cli_usage(&sv_cmd_dataset, "name the phase, wpt or sft; found '%s'", phase);
    }
    a.annotations = sv_calloc((size_t)argc, sizeof *a.annotations);
    if (!a.annotations) return sv_exit_code(SV_ERR_MEMORY);
    int code = parse(argc - 1, argv + 1, &a);
    if (code < 0) code = dataset(&a);
    free(a.annotations);
    return code;
}

const sv_command sv_cmd_dataset = {
    .name = "dataset",
    .summary = "pictures and records to train a model on",
    .help =
        "Usage: sleepvlm dataset wpt [OPTION]... -o DIR RECORDING...\n"
        "       sleepvlm dataset sft [OPTION]... -o DIR RECORDING...\n\n"
        "Makes the training data of the published system's two phases, in its form: pictures in DIR/images/SUBJECT,\n"
        "records in DIR/wpt_train.jsonl and wpt_val.jsonl (or sft_...), the split by subject in DIR/subjects.json,\n"
        "counts in DIR/dataset.json. wpt: a picture, and the band powers of each of its seconds (also in\n"
        "DIR/band_power/SUBJECT.json). sft: an epoch between its neighbours; its rules, stage and rationale.\n\n"
        "RECORDING is an EDF or BDF file, or a folder of them. Stages are taken from truth.json beside it (a\n"
        "simulated night), from 'SUBJECT Base.edf' beside 'SUBJECT PSG.edf', or from its own annotations. What cannot\n"
        "be used is named, counted by reason and left out. Given again, the same command goes on where it was\n"
        "interrupted. Same input, same bytes.\n\n"
        "Both:\n"
        "  -o, --output DIR          the folder, made if needed\n"
        "      --seed S              of the split and of the order of sft's records; default: 42\n"
        "      --split X             share of each subset's subjects for training; default: 0.8\n"
        "  -c, --channel ROLE=LABEL[-REF]  name the channel of a role, in all recordings; may be repeated\n"
        "      --montage FILE        the same from a file, one a line\n"
        "      --mains 50|60|auto|off  notch at this frequency (default 50, as the published system)\n"
        "      --anti-alias          low-pass before the reduction to 100 Hz (default: none, as published)\n"
        "  -t, --threads N           default: one per core\n"
        "      --force               replace another data set in DIR\n"
        "      --json                print the counts as an object\n"
        "  -q, --quiet               no progress, no summary\n"
        "wpt:\n"
        "      --prompt FILE         system prompt; default: ours\n"
        "      --question TEXT       before the picture; default: ours, empty: none\n"
        "      --unlabelled          take no stages: the recording from its start, as the published system's first\n"
        "                            phase\n"
        "sft:\n"
        "      --annotations FILE    CSV of rules and rationales as in MASS-EX, or a folder of them; may be repeated.\n"
        "                            With a column reasoning_text it is of the fine track, else of the coarse\n"
        "      --prompt-fine FILE, --prompt-coarse FILE  system prompts; default: ours\n"
        "      --track fine|coarse   of simulated nights, which bring their own annotations; default: fine\n"
        "      --split-file FILE     the published system's split.json instead of --split\n"
        "      --stage-first         answers with the stage first, as our embedded model writes\n\n"
        "Exit status: 0 done, 1 bad input (also when a recording had to be left out), 2 usage, 3 output failed,\n"
        "130 interrupted.\n\n"
        "Examples:\n"
        "  sleepvlm simulate -o nights --nights 10\n"
        "  sleepvlm dataset wpt nights -o wpt\n"
        "  sleepvlm dataset sft MASS/SS3 --annotations MASS-EX/annotations -o sft\n",
    .run = run,
};
