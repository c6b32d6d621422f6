/* cmd_features.c - `sleepvlm features`: per-second band powers and amplitudes as the published system's JSON. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "cli/night_options.h"
#include "psg/features.h"
#include "train/dataset_record.h"

typedef struct arguments {
    const char *recording, *output;
    sv_night_arguments night;
} arguments;

static void put_epoch(sv_strbuf *out, const sv_opened_night *opened, int epoch) {
    const sv_night *night = &opened->night;
    sv_epoch_seconds seconds;
    unsigned roles = 0;
    for (int r = 0; r < SV_N_ROLES; r++) {
        if (!night->samples[r]) continue;
        roles |= sv_role_bit((sv_role)r);
        const double *x = night->samples[r] + (size_t)epoch * SV_EPOCH_SAMPLES;
        for (int s = 0; s < SV_EPOCH_S; s++) sv_second_features_compute(x + s * SV_NIGHT_RATE_HZ, &seconds[r][s]);
    }
    if (epoch) sv_strbuf_puts(out, ", ");
    sv_targets_put_epoch(out, epoch, sv_opened_night_stage(opened, epoch), roles, seconds);
}

static sv_status write_json(const sv_opened_night *opened, const char *path, sv_error *err) {
    sv_strbuf json = {0};
    sv_status status = SV_OK;
    sv_strbuf_puts(&json, "{");
    for (int e = 0; e < opened->night.n_epochs && !status; e++) {
        put_epoch(&json, opened, e);
        if (sv_cli_interrupted()) status = sv_fail(err, SV_ERR_CANCELLED, "interrupted; nothing was written");
    }
    sv_strbuf_puts(&json, "}\n");
    if (!status && json.failed) status = sv_fail_memory(err, "the features", json.len);
    if (!status && path) status = sv_file_write(path, json.data, json.len, err);
    if (!status && !path && fwrite(json.data, 1, json.len, stdout) != json.len) {
        status = sv_fail_errno(err, SV_ERR_OUTPUT, "cannot write to standard output");
    }
    sv_strbuf_free(&json);
    return status;
}

static int parse(int argc, char **argv, arguments *a);

static int run(int argc, char **argv) {
    arguments a = {.night = {.night = {.mains = SV_MAINS_50}}};
    int code = parse(argc, argv, &a);
    if (code >= 0) return code;
    sv_opened_night opened;
    sv_error err;
    sv_status status = sv_opened_night_open(a.recording, &a.night, SV_NIGHT_TARGETS, NULL, &opened, &err);
    if (status) return sv_cli_fail(&sv_cmd_features, &err);
    status = write_json(&opened, a.output, &err);
    if (!status) {
        json_t *warnings = sv_opened_night_warnings(&opened);
        sv_opened_night_print(&opened, a.recording, warnings);
        json_decref(warnings);
    }
    sv_opened_night_close(&opened);
    return status ? sv_cli_fail(&sv_cmd_features, &err) : 0;
}

const sv_command sv_cmd_features = {
    .name = "features",
    .summary = "per-second band powers and amplitudes of a recording, as JSON",
    .help =
        "Usage: sleepvlm features [OPTION]... RECORDING.edf\n\n"
        "For every second of every 30-s epoch: the power of the delta (0.3-4 Hz), theta (4-8), alpha (8-13) and\n"
        "beta (13-30) bands in dB and the mean absolute value in microvolts; of the chin, the latter alone. These\n"
        "are the targets on which the published model was trained first, in its JSON form:\n"
        "{\"EPOCH\" or \"EPOCH_STAGE\": {\"F4\": {\"1\": {\"delta\": ..., \"mav\": ...}, ... \"30\"}, ...}}\n\n"
        "Options:\n"
        "  -o, --output FILE         write there (default: standard output)\n" SV_NIGHT_OPTIONS_HELP
        "  -h, --help                this text\n\n"
        "Example: sleepvlm features night.edf --hypnogram night-base.edf -o night.json\n",
    .run = run,
};

/* -1 to go on, else the exit status. */
static int parse(int argc, char **argv, arguments *a) {
    static const struct option options[] = {
        {"output", required_argument, NULL, 'o'}, SV_NIGHT_LONG_OPTIONS, {"help", no_argument, NULL, 'h'}, {0}};
    for (int c, code; (c = getopt_long(argc, argv, "o:h" SV_NIGHT_SHORT_OPTIONS, options, NULL)) != -1;) {
        switch (c) {
            case 'h': return sv_cli_help(&sv_cmd_features);
            case 'o': a->output = optarg; break;
            default:
                if ((code = sv_night_arguments_take(&a->night, &sv_cmd_features, c, optarg))) return code;
        }
    }
    if (argc - optind != 1) return sv_cli_usage(&sv_cmd_features, "expected one recording, found %d", argc - optind);
    a->recording = argv[optind];
    return -1;
}
