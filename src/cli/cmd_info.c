/* cmd_info.c - `sleepvlm info`: what a recording or a model is, and how the program would use it. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "cli/command.h"
#include "cli/info_adapter.h"
#include "cli/info_model.h"
#include "cli/info_recording.h"
#include "cli/model_path.h"

typedef struct options {
    bool json;
    sv_channel_choice *choices; /* owned */
    size_t n_choices, capacity;
    sv_model_report_options model;
} options;

/* Appends what there is to say about `path` to `out`: text for people, or one line of JSON. */
typedef sv_status describer(const char *path, const options *o, sv_strbuf *out, sv_error *err);

/* One line of JSON, which it takes. */
static sv_status put_json(json_t *value, sv_strbuf *out, sv_error *err) {
    char *line = value ? json_dumps(value, JSON_COMPACT | SV_JSON_REALS) : NULL;
    out->failed |= !line;
    if (line) sv_strbuf_printf(out, "%s\n", line);
    free(line);
    json_decref(value);
    return out->failed ? sv_fail_memory(err, "the description", out->len) : SV_OK;
}

static sv_status describe_recording(const char *path, const options *o, sv_strbuf *out, sv_error *err) {
    sv_recording_report report;
    sv_status status = sv_recording_report_make(path, o->choices, o->n_choices, &report, err);
    if (status) return status;
    if (o->json) {
        status = put_json(sv_recording_report_json(&report), out, err);
    } else {
        sv_recording_report_text(&report, out);
        if (out->failed) status = sv_fail_memory(err, "the description", out->len);
    }
    sv_recording_report_free(&report);
    return status;
}

static sv_status describe_model(const char *path, const options *o, sv_strbuf *out, sv_error *err) {
    sv_model_report report;
    sv_status status = sv_model_report_make(path, &o->model, &report, err);
    if (status) return status;
    bool usable = report.problems.len == 0;
    if (o->json) {
        status = put_json(sv_model_report_json(&report), out, err);
    } else {
        sv_model_report_text(&report, out);
        if (out->failed) status = sv_fail_memory(err, "the description", out->len);
    }
    sv_model_report_free(&report);
    if (!status && !usable) status = sv_fail(err, SV_ERR_INPUT, "%s: the model cannot be used, see its problems", path);
    return status;
}

static sv_status describe_adapter(const char *path, const options *o, sv_strbuf *out, sv_error *err) {
    sv_adapter_report report;
    sv_status status = sv_adapter_report_make(path, &report, err);
    if (status) return status;
    if (o->json) {
        status = put_json(sv_adapter_report_json(&report), out, err);
    } else {
        sv_adapter_report_text(&report, out);
        if (out->failed) status = sv_fail_memory(err, "the description", out->len);
    }
    sv_adapter_report_free(&report);
    return status;
}

static bool holds(const char *folder, const char *name) {
    char *path = sv_path_join(folder, name);
    bool there = path && sv_file_exists(path);
    free(path);
    return there;
}

/* A folder, or the name of an installed model. */
static sv_status describe_folder(const char *name, const options *o, sv_strbuf *out, sv_error *err) {
    char *path;
    sv_status status = sv_model_path_find(name, &path, err);
    if (status) return status;
    if (holds(path, "config.json")) {
        status = describe_model(path, o, out, err);
    } else if (holds(path, "adapter_config.json")) {
        status = describe_adapter(path, o, out, err);
    } else {
        status = sv_fail(err, SV_ERR_INPUT,
                         "%s: a folder, not a recording, and without config.json or adapter_config.json no model; name "
                         "an EDF or BDF file, a "
                         "model's folder, or an adapter's",
                         path);
    }
    free(path);
    return status;
}

static describer *describer_of(const char *path) {
    struct stat s;
    char *found;
    if (stat(path, &s) == 0) return S_ISDIR(s.st_mode) ? describe_folder : describe_recording;
    if (strchr(path, '/') || sv_model_path_find(path, &found, NULL) != SV_OK) return describe_recording;
    free(found);
    return describe_folder;
}

static sv_status add_choice(options *o, const sv_channel_choice *choice, sv_error *err) {
    if (!sv_grow(&o->choices, o->n_choices, &o->capacity, sizeof *o->choices)) {
        return sv_fail_memory(err, "the choices", (o->n_choices + 1) * sizeof *o->choices);
    }
    o->choices[o->n_choices++] = *choice;
    return SV_OK;
}

static sv_status add_text(options *o, const char *text, sv_error *err) {
    sv_channel_choice choice;
    sv_status status = sv_channel_choice_parse(text, &choice, err);
    if (status) return sv_error_prefix(err, "--channel");
    return add_choice(o, &choice, err);
}

/* A montage file is the ground; --channel has the last word, wherever it stands on the line. */
static sv_status add_file(options *o, const char *path, sv_error *err) {
    sv_channel_choice *from_file;
    size_t n;
    sv_status status = sv_montage_file_load(path, &from_file, &n, err);
    for (size_t i = 0; !status && i < n; i++) status = add_choice(o, &from_file[i], err);
    free(from_file);
    return status;
}

static int describe_all(const sv_command *command, const options *o, int n_paths, char **paths) {
    int worst = 0;
    for (int i = 0; i < n_paths && !sv_cli_interrupted(); i++) {
        sv_strbuf out = {0};
        sv_error err = {0};
        sv_status status = describer_of(paths[i])(paths[i], o, &out, &err);
        if (out.len && !out.failed) printf("%s%s", i > 0 && !o->json ? "\n" : "", sv_strbuf_text(&out));
        if (status) {
            fflush(stdout);
            int code = sv_cli_fail(command, &err);
            worst = SV_MAX(worst, code);
        }
        sv_strbuf_free(&out);
    }
    return sv_cli_interrupted() ? sv_exit_code(SV_ERR_CANCELLED) : worst;
}

static int run(int argc, char **argv) {
    static const struct option long_options[] = {
        {"channel", required_argument, NULL, 'c'}, {"montage", required_argument, NULL, 'm'},
        {"prompt", required_argument, NULL, 'p'},  {"no-probe", no_argument, NULL, 'n'},
        {"threads", required_argument, NULL, 't'}, {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},          {NULL, 0, NULL, 0}};
    options o = {.model = {.probe = true}};
    sv_error err = {0};
    sv_status status = SV_OK;
    int letter, code = -1;
    /* montage files first, whatever the order on the line */
    while (!status && code < 0 && (letter = getopt_long(argc, argv, "c:m:p:t:jh", long_options, NULL)) != -1) {
        if (letter == 'm') status = add_file(&o, optarg, &err);
        if (letter == 'p') o.model.prompt_path = optarg;
        if (letter == 'n') o.model.probe = false;
        if (letter == 't' && sv_cli_parse_threads(&sv_cmd_info, optarg, &o.model.n_threads))
            code = sv_exit_code(SV_ERR_USAGE);
        if (letter == 'j') o.json = true;
        if (letter == 'h') code = sv_cli_help(&sv_cmd_info);
        if (letter == '?') code = sv_cli_usage(&sv_cmd_info, "the option is not known, or its value is missing");
    }
    for (optind = 1;
         !status && code < 0 && (letter = getopt_long(argc, argv, "c:m:p:t:jh", long_options, NULL)) != -1;) {
        if (letter == 'c') status = add_text(&o, optarg, &err);
    }
    if (status) {
        code = sv_cli_fail(&sv_cmd_info, &err);
    } else if (code < 0 && optind == argc) {
        code = sv_cli_usage(&sv_cmd_info, "no recording and no model was named");
    } else if (code < 0) {
        code = describe_all(&sv_cmd_info, &o, argc - optind, argv + optind);
    }
    free(o.choices);
    return code;
}

const sv_command sv_cmd_info = {
    .name = "info",
    .summary = "what a recording holds and how it would be staged; what a model is and costs",
    .help =
        "Usage: sleepvlm info [OPTION]... RECORDING|MODEL...\n"
        "\n"
        "Says what EDF, EDF+, BDF and BDF+ recordings hold and how they would be staged: what is doubtful, which\n"
        "channels play the six roles F4, C4, O2, LOC, ROC and Chin and why, every channel, gaps, annotations.\n"
        "Nothing is written; the patient's name is not shown.\n"
        "\n"
        "Of a model (a folder, or the name of an installed one) it says what it is: sizes, parameters, types and\n"
        "quantisation of the weights, tokenizer, length of a question, memory, and an estimate of the time for an "
        "epoch\n"
        "on this machine. The weights themselves are not read. Of a LoRA adapter's folder: base, rank, what it "
        "changes.\n"
        "\n"
        "  -c, --channel ROLE=LABEL[-REF]  use this channel for a role, or the difference of two channels;\n"
        "                                  an empty label (ROLE=) leaves the role out. May be repeated\n"
        "  -m, --montage FILE              read such lines from a file; '#' begins a comment\n"
        "  -p, --prompt FILE               of a model: its system prompt (default: prompt.txt of its folder)\n"
        "      --no-probe                  of a model: no measurement (2 s), and so no estimate of time\n"
        "  -t, --threads N                 of a model: threads that the estimate is for (default: one per core)\n"
        "  -j, --json                      one line of JSON for each\n"
        "  -h, --help                      this text\n"
        "\n"
        "Examples:\n"
        "  sleepvlm info night.edf\n"
        "  sleepvlm info --channel F4=F3-M2 --channel Chin=EMG1-EMG2 night.edf\n"
        "  sleepvlm info models/nano\n"
        "  sleepvlm info --json *.edf | jq -r '[.file, .roles.C4.name, (.warnings | length)] | @tsv'\n"
        "\n"
        "Exit status: 0 also with warnings, 1 a file could not be read or a channel is not there, or a model cannot be "
        "used;\n"
        "2 usage.\n",
    .run = run,
};
