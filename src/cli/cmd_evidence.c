/* cmd_evidence.c - `sleepvlm evidence`: what the signals of a recording show, event by event and epoch by epoch. */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "cli/command.h"
#include "cli/evidence_summary.h"
#include "cli/print_warnings.h"
#include "cli/subject_options.h"
#include "sleep/stages.h"
#include "stage/description.h"
#include "stage/subject.h"

typedef struct arguments {
    const char *recording, *folder, *truth;
    const char *channels[SV_N_ROLES]; /* options.channels */
    bool json, quiet;
    int n_threads;
    sv_stage_options options;
} arguments;

/* A recording, what was measured of it, and how that agrees with a truth (NULL without one). */
typedef struct measured {
    sv_subject subject;
    sv_evidence evidence;
    json_t *warnings, *score;
} measured;

static void measured_free(measured *m) {
    json_decref(m->warnings);
    json_decref(m->score);
    sv_evidence_free(&m->evidence);
    sv_subject_close(&m->subject);
}

static sv_status score_against(const char *path, measured *m, sv_error *err) {
    json_t *truth = NULL;
    sv_events events;
    sv_status s = sv_json_load(path, &truth, err);
    if (s) return s;
    s = sv_events_from_json(json_object_get(truth, "events"), path, &events, err);
    json_decref(truth);
    if (s) return s;
    s = sv_evidence_score(&m->evidence, &events, &m->score, err);
    sv_events_free(&events);
    return s;
}

static sv_status measure(const arguments *a, measured *m, sv_error *err) {
    sv_pool *pool = NULL;
    *m = (measured){0};
    sv_status s = sv_subject_open(a->recording, &a->options, &m->subject, err);
    if (s) return s;
    m->warnings = sv_warnings_to_json(m->subject.info, &m->subject.montage, &m->subject.quality);
    s = sv_pool_new(a->n_threads, &pool, err);
    if (!s) s = sv_evidence_measure(&m->subject.night, m->subject.truth.stages, pool, &m->evidence, err);
    sv_pool_free(pool);
    if (!s && a->truth) s = score_against(a->truth, m, err);
    return s;
}

static const char *stage_of(const measured *m, int epoch) {
    const signed char *stages = m->subject.truth.stages;
    return stages && stages[epoch] >= 0 ? sv_stage_name((sv_stage)stages[epoch]) : NULL;
}

static json_t *level(double value) { return isfinite(value) ? json_real(round(value * 1000) / 1000) : json_null(); }

static json_t *levels_to_json(const sv_night_levels *l) {
    return json_pack("{s:o,s:o,s:o,s:o,s:b}", "chin_low_uv", level(l->chin_low_uv), "chin_wake_uv",
                     level(l->chin_wake_uv), "alpha_hz", level(l->alpha_hz), "background_wake_hz",
                     level(l->background_wake_hz), "alpha_generator", l->alpha_generator);
}

static json_t *to_json(const measured *m) {
    json_t *lacking = json_object(), *units = json_object(), *epochs = json_array();
    for (int i = 0; i < SV_N_MEASUREMENTS; i++) {
        const char *why = sv_evidence_lacking(&m->evidence, (sv_measurement)i);
        json_object_set_new(units, sv_measurement_infos[i].name, json_string(sv_measurement_infos[i].unit));
        if (why[0]) json_object_set_new(lacking, sv_measurement_infos[i].name, json_string(why));
    }
    for (int e = 0; e < m->evidence.n_epochs; e++) {
        json_t *epoch = json_pack("{s:i,s:i,s:s?}", "epoch", e, "onset_s", e * SV_EPOCH_S, "stage", stage_of(m, e));
        json_t *evidence = sv_evidence_epoch_to_json(&m->evidence, e);
        json_object_set(epoch, "measurements", json_object_get(evidence, "measurements"));
        json_array_append_new(epochs, epoch);
        json_decref(evidence);
    }
    return json_pack("{s:o,s:i,s:i,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:O?}", "recording", sv_json_string(m->subject.name),
                     "n_epochs", m->evidence.n_epochs, "epoch_s", SV_EPOCH_S, "channels",
                     sv_channels_to_json(m->subject.info, &m->subject.montage, &m->subject.night), "warnings",
                     json_incref(m->warnings), "levels", levels_to_json(&m->evidence.levels), "not_measured", lacking,
                     "units", units, "epochs", epochs, "events", sv_events_to_json(&m->evidence.events), "score",
                     m->score);
}

/* ---- files */

static void put_number(FILE *out, double value, int decimals) {
    if (isfinite(value))
        fprintf(out, ",%.*f", decimals, value);
    else
        fputc(',', out);
}

static void write_events(FILE *out, const measured *m) {
    fputs("kind,channels,onset_s,duration_s,frequency_hz,amplitude_uv\n", out);
    for (size_t i = 0; i < m->evidence.events.n; i++) {
        const sv_event *e = &m->evidence.events.items[i];
        const char *separator = "";
        fprintf(out, "%s,", sv_event_kind_name(e->kind));
        for (int r = 0; r < SV_N_ROLES; r++) {
            if (!(e->roles & sv_role_bit((sv_role)r))) continue;
            fprintf(out, "%s%s", separator, sv_role_name((sv_role)r));
            separator = " ";
        }
        put_number(out, e->onset_s, 3);
        put_number(out, e->duration_s, 3);
        put_number(out, e->frequency_hz, 2);
        put_number(out, e->amplitude_uv, 1);
        fputc('\n', out);
    }
}

static void write_epochs(FILE *out, const measured *m) {
    fputs("epoch,onset_s,stage", out);
    for (int i = 0; i < SV_N_MEASUREMENTS; i++) fprintf(out, ",%s", sv_measurement_infos[i].name);
    fputc('\n', out);
    for (int e = 0; e < m->evidence.n_epochs; e++) {
        const char *stage = stage_of(m, e);
        fprintf(out, "%d,%d,%s", e, e * SV_EPOCH_S, stage ? stage : "");
        for (int i = 0; i < SV_N_MEASUREMENTS; i++) put_number(out, m->evidence.epochs[e].values[i], 3);
        fputc('\n', out);
    }
}

static sv_status write_file(const char *folder, const char *name, void (*write)(FILE *out, const measured *m),
                            const measured *m, sv_error *err) {
    sv_file_writer w;
    char *path = sv_path_join(folder, name);
    sv_status s = path ? sv_file_writer_open(&w, path, err) : sv_fail_memory(err, "path", 0);
    if (!s) {
        write(w.stream, m);
        s = sv_file_writer_commit(&w, err);
    }
    free(path);
    return s;
}

static sv_status write_folder(const char *folder, const json_t *json, const measured *m, sv_error *err) {
    sv_status s = sv_make_dirs(folder, err);
    if (!s) s = write_file(folder, "events.csv", write_events, m, err);
    if (!s) s = write_file(folder, "epochs.csv", write_epochs, m, err);
    char *path = sv_path_join(folder, "evidence.json");
    if (!s) s = path ? sv_json_save(path, json, err) : sv_fail_memory(err, "path", 0);
    free(path);
    return s;
}

/* ---- command line */

static sv_status report(const arguments *a, const measured *m, sv_error *err) {
    json_t *json = to_json(m);
    sv_status s = json ? SV_OK : sv_fail_memory(err, "evidence", 0);
    if (!s && a->folder) s = write_folder(a->folder, json, m, err);
    if (!s && a->json) {
        bool bad = json_dumpf(json, stdout, JSON_COMPACT | SV_JSON_REALS) != 0 || putchar('\n') == EOF;
        if (bad || fflush(stdout) != 0) s = sv_fail_errno(err, SV_ERR_OUTPUT, "cannot write to standard output");
    }
    if (!s && !a->quiet) {
        fprintf(stderr, "%s: %d epochs\n", m->subject.name, m->evidence.n_epochs);
        sv_print_warnings(m->warnings);
        sv_evidence_print(stderr, &m->evidence, m->subject.truth.stages);
        if (m->score) sv_evidence_print_score(stderr, m->score);
        if (a->folder) fprintf(stderr, "  %s: events.csv, epochs.csv, evidence.json\n", a->folder);
    }
    json_decref(json);
    return s;
}

static int take_option(arguments *a, int letter, const char *value) {
    switch (letter) {
        case 'o': a->folder = value; return 0;
        case 'T': a->truth = value; return 0;
        case 't': return sv_cli_parse_threads(&sv_cmd_evidence, value, &a->n_threads);
        case 'j': a->json = true; return 0;
        case 'q': a->quiet = true; return 0;
        default: return sv_subject_option_take(&a->options, a->channels, &sv_cmd_evidence, letter, value);
    }
}

static int evidence_of(arguments *a) {
    measured m;
    sv_error err;
    sv_status s = measure(a, &m, &err);
    if (!s) s = report(a, &m, &err);
    measured_free(&m);
    return s ? sv_cli_fail(&sv_cmd_evidence, &err) : 0;
}

static int run(int argc, char **argv) {
    static const struct option options[] = {{"output", required_argument, 0, 'o'},
                                            {"truth", required_argument, 0, 'T'},
                                            SV_NIGHT_LONG_OPTIONS,
                                            {"threads", required_argument, 0, 't'},
                                            {"json", no_argument, 0, 'j'},
                                            {"quiet", no_argument, 0, 'q'},
                                            {"help", no_argument, 0, 'h'},
                                            {0}};
    arguments a = {0};
    int letter, status = 0;
    optind = 1;
    while (status == 0 && (letter = getopt_long(argc, argv, "o:c:t:qh", options, NULL)) != -1) {
        if (letter == 'h') return sv_cli_help(&sv_cmd_evidence);
        status = take_option(&a, letter, optarg);
    }
    if (status == 0 && argc - optind != 1) {
        status = sv_cli_usage(&sv_cmd_evidence, "expected one recording, found %d", argc - optind);
    }
    if (status == 0) {
        a.recording = argv[optind];
        status = evidence_of(&a);
    }
    return status;
}

const sv_command sv_cmd_evidence = {
    .name = "evidence",
    .summary = "what the signals show: spindles, slow waves, eye movements ..., measurements of each epoch",
    .help =
        "Usage: sleepvlm evidence [OPTION]... RECORDING.edf\n"
        "\n"
        "Finds events (alpha, spindles, K-complexes, slow waves, vertex and sawtooth waves, blinks, rapid and slow "
        "eye\n"
        "movements, twitches, arousals, body movements, artefacts) and measures every 30-s epoch. No stage is "
        "decided.\n"
        "What the channels at hand do not allow to measure is null, and said.\n"
        "\n"
        "  -o, --output DIR        write events.csv, epochs.csv and evidence.json there\n"
        "      --json              print the same JSON\n"
        "      --hypnogram FILE    a scorer's stages (EDF+, XML, CSV, text): levels of the night are taken from them,\n"
        "                          and events counted by stage\n"
        "      --truth FILE        truth.json of a simulated night: how well the events agree with it\n"
        "  -c, --channel ROLE=LABEL[-REF]  name the channel of a role (F4 C4 O2 LOC ROC Chin); may be repeated; an\n"
        "                          empty label leaves the role out\n"
        "      --montage FILE      the same from a file, one a line\n"
        "      --mains 50|60|auto|off  notch at this frequency (auto, the default: what the recording shows, else 50)\n"
        "      --anti-alias        low-pass before the reduction to 100 Hz\n"
        "  -t, --threads N         default: one per core\n"
        "  -q, --quiet             no summary\n"
        "\n"
        "Methods, parameters and how well they do: docs/evidence.md.\n"
        "\n"
        "Example: sleepvlm evidence night.edf --hypnogram scored.edf -o night-evidence\n",
    .run = run};
