/* cmd_features.c - `sleepvlm features`: per-second band powers and amplitudes as the published system's JSON. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "cli/command.h"
#include "psg/features.h"
#include "psg/night.h"
#include "psg/quality.h"
#include "sleep/pieces.h"
#include "sleep/stages.h"

enum { MAX_CHOICES = SV_N_ROLES };

typedef struct arguments {
    const char *recording, *output, *hypnogram, *montage;
    sv_night_options night;
    sv_channel_choice choices[MAX_CHOICES];
    size_t n_choices;
} arguments;

/* Everything that is open or allocated while the command runs. */
typedef struct job {
    sv_recording *recording;
    sv_channel_choice *choices;
    size_t n_choices;
    sv_montage montage;
    sv_scored_pieces scored;
    sv_night night;
    sv_strbuf json;
} job;

/* A number with two decimals as Python writes the rounded value: 12.3, 7.0, -0.0. */
static void put_number(sv_strbuf *out, double value) {
    char text[64];
    snprintf(text, sizeof text, "%.2f", value);
    size_t len = strlen(text);
    if (text[len - 1] == '0') text[len - 1] = 0;
    sv_strbuf_puts(out, text);
}

static void put_second(sv_strbuf *out, const sv_second_features *f, bool only_amplitude) {
    const struct {
        const char *name;
        double value;
    } fields[] = {{"delta", f->delta_db},
                  {"theta", f->theta_db},
                  {"alpha", f->alpha_db},
                  {"beta", f->beta_db},
                  {"mav", f->mav_uv}};
    size_t first = only_amplitude ? SV_COUNT(fields) - 1 : 0;
    for (size_t i = first; i < SV_COUNT(fields); i++) {
        sv_strbuf_printf(out, "%s\"%s\": ", i == first ? "{" : ", ", fields[i].name);
        put_number(out, fields[i].value);
    }
    sv_strbuf_puts(out, "}");
}

static void put_epoch(sv_strbuf *out, const sv_night *night, const sv_scored_pieces *scored, int epoch) {
    sv_strbuf_printf(out, "%s\"%d", epoch ? ", " : "", epoch);
    if (scored->n) {
        sv_stage stage = (sv_stage)scored->stages[night->piece_of_epoch[epoch]];
        sv_strbuf_printf(out, "_%s", sv_stage_name(stage));
    }
    sv_strbuf_puts(out, "\": {");
    const char *separator = "";
    for (int r = 0; r < SV_N_ROLES; r++) {
        if (!night->samples[r]) continue;
        sv_strbuf_printf(out, "%s\"%s\": {", separator, sv_role_name((sv_role)r));
        separator = ", ";
        for (int s = 0; s < SV_EPOCH_S; s++) {
            sv_second_features f;
            size_t first = (size_t)epoch * SV_EPOCH_SAMPLES + (size_t)s * SV_NIGHT_RATE_HZ;
            sv_second_features_compute(night->samples[r] + first, &f);
            sv_strbuf_printf(out, "%s\"%d\": ", s ? ", " : "", s + 1);
            put_second(out, &f, r == SV_ROLE_CHIN);
        }
        sv_strbuf_puts(out, "}");
    }
    sv_strbuf_puts(out, "}");
}

static sv_status write_json(job *j, const arguments *a, sv_error *err) {
    sv_strbuf_puts(&j->json, "{");
    for (int e = 0; e < j->night.n_epochs; e++) {
        if (sv_cli_interrupted()) return sv_fail(err, SV_ERR_CANCELLED, "interrupted; nothing was written");
        put_epoch(&j->json, &j->night, &j->scored, e);
    }
    sv_strbuf_puts(&j->json, "}\n");
    if (j->json.failed) return sv_fail_memory(err, "the features", j->json.len);
    if (a->output) return sv_file_write(a->output, j->json.data, j->json.len, err);
    return fwrite(j->json.data, 1, j->json.len, stdout) == j->json.len
               ? SV_OK
               : sv_fail_errno(err, SV_ERR_OUTPUT, "cannot write to standard output");
}

static void summarise(const job *j, const arguments *a) {
    const sv_night *night = &j->night;
    fprintf(stderr, "%s: %d epochs", a->recording, night->n_epochs);
    if (night->mains_hz > 0) fprintf(stderr, ", notch at %g Hz", night->mains_hz);
    if (night->tail_s > 0) fprintf(stderr, ", %.1f s at the end left over", night->tail_s);
    fprintf(stderr, "%s\n", a->output ? "" : "; JSON on standard output");
    if (j->scored.note) fprintf(stderr, "  note: %s\n", j->scored.note);
    for (int r = 0; r < SV_N_ROLES; r++) {
        const sv_derivation *d = &j->montage.roles[r];
        fprintf(stderr, "  %-4s %s%s%s\n", sv_role_name((sv_role)r), d->present ? d->name : "-",
                night->notes[r][0] ? ": " : "", night->notes[r]);
    }
}

static sv_status find_mains(job *j, sv_night_options *options, sv_error *err) {
    if (options->mains != SV_MAINS_AUTO) return SV_OK;
    sv_quality quality;
    sv_status status = sv_quality_check(j->recording, &j->montage, &quality, err);
    if (status) return status;
    options->detected_mains_hz = quality.mains_hz;
    sv_quality_free(&quality);
    return SV_OK;
}

static sv_status run_job(job *j, arguments *a, sv_error *err) {
    sv_status status = SV_OK;
    if (a->montage) status = sv_montage_file_load(a->montage, &j->choices, &j->n_choices, err);
    for (size_t capacity = j->n_choices, i = 0; i < a->n_choices && !status; i++) {
        /* the command line comes later and so wins over the file */
        if (!sv_grow(&j->choices, j->n_choices, &capacity, sizeof *j->choices)) {
            return sv_fail_memory(err, "channel choices", j->n_choices * sizeof *j->choices);
        }
        j->choices[j->n_choices++] = a->choices[i];
    }
    if (!status) status = sv_recording_open(a->recording, &j->recording, err);
    if (status) return status;
    const sv_recording_info *info = sv_recording_get_info(j->recording);
    status = sv_montage_find(info, j->choices, j->n_choices, &j->montage, err);
    if (!status && a->hypnogram) status = sv_scored_pieces_load(a->hypnogram, info, &j->scored, err);
    if (!status) status = find_mains(j, &a->night, err);
    if (status) return status;
    a->night.purpose = SV_NIGHT_TARGETS;
    a->night.pieces = j->scored.pieces;
    a->night.n_pieces = j->scored.n;
    status = sv_night_prepare(j->recording, &j->montage, &a->night, &j->night, err);
    if (!status) status = write_json(j, a, err);
    return status;
}

static int parse(int argc, char **argv, arguments *a);

static int run(int argc, char **argv) {
    arguments a = {.night = {.mains = SV_MAINS_50}};
    int code = parse(argc, argv, &a);
    if (code >= 0) return code;
    job j = {0};
    sv_error err;
    sv_status status = run_job(&j, &a, &err);
    if (!status) summarise(&j, &a);
    sv_night_free(&j.night);
    sv_scored_pieces_free(&j.scored);
    sv_recording_close(j.recording);
    free(j.choices);
    sv_strbuf_free(&j.json);
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
        "  -o, --output FILE         write there (default: standard output)\n"
        "      --hypnogram FILE      keep the scored pieces only, joined, and name their stages\n"
        "      --channel ROLE=LABEL[-REF]  name the channel of a role (F4 C4 O2 LOC ROC Chin); may be repeated\n"
        "      --montage FILE        the same from a file\n"
        "      --mains 50|60|auto|off  notch at this frequency (default 50, as the published system)\n"
        "      --anti-alias          low-pass before the reduction to 100 Hz (default: none, as published)\n"
        "  -h, --help                this text\n\n"
        "Example: sleepvlm features night.edf --hypnogram night-base.edf -o night.json\n",
    .run = run,
};

/* -1 to go on, else the exit status. */
static int parse(int argc, char **argv, arguments *a) {
    enum { CHANNEL = 256, MONTAGE, MAINS, HYPNOGRAM, ANTI_ALIAS };
    static const struct option options[] = {{"output", required_argument, NULL, 'o'},
                                            {"channel", required_argument, NULL, CHANNEL},
                                            {"montage", required_argument, NULL, MONTAGE},
                                            {"mains", required_argument, NULL, MAINS},
                                            {"hypnogram", required_argument, NULL, HYPNOGRAM},
                                            {"anti-alias", no_argument, NULL, ANTI_ALIAS},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    sv_error err;
    for (int c; (c = getopt_long(argc, argv, "o:h", options, NULL)) != -1;) {
        switch (c) {
            case 'h': return sv_cli_help(&sv_cmd_features);
            case 'o': a->output = optarg; break;
            case MONTAGE: a->montage = optarg; break;
            case HYPNOGRAM: a->hypnogram = optarg; break;
            case ANTI_ALIAS: a->night.anti_alias = true; break;
            case MAINS:
                if (sv_mains_from_name(optarg, &a->night.mains)) break;
                return sv_cli_usage(&sv_cmd_features, "--mains takes 50, 60, auto or off, not '%s'", optarg);
            case CHANNEL:
                if (a->n_choices == MAX_CHOICES) return sv_cli_usage(&sv_cmd_features, "more --channel than roles");
                if (sv_channel_choice_parse(optarg, &a->choices[a->n_choices++], &err) == SV_OK) break;
                return sv_cli_fail(&sv_cmd_features, &err);
            default: return sv_cli_usage(&sv_cmd_features, "see the options above");
        }
    }
    if (argc - optind != 1) return sv_cli_usage(&sv_cmd_features, "expected one recording, found %d", argc - optind);
    a->recording = argv[optind];
    return -1;
}
