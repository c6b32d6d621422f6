/* cmd_render.c - `sleepvlm render`: the pictures that the model sees, under the published system's names. */
#include <dirent.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "cli/info_text.h"
#include "cli/night_options.h"
#include "cli/progress.h"
#include "psg/subject_name.h"
#include "render/painters.h"
#include "render/picture_file.h"
#include "sleep/stages.h"

enum { NAME_ROOM = SV_PICTURE_NAME_ROOM, MAX_DIGITS = 8, TO_THE_END = INT_MAX };

typedef struct arguments {
    const char *folder;
    sv_night_arguments night;
    int first_epoch, last_epoch;
    int n_threads;
    bool json, quiet;
    int n_recordings;
    char **recordings;
} arguments;

typedef struct drawing {
    const sv_opened_night *opened;
    const char *folder; /* of this subject */
    int first, n;       /* epochs */
    sv_painters painters;
    pthread_mutex_t lock; /* of what follows */
    atomic_bool stop;
    int n_done;
    sv_progress progress;
    sv_status status;
    sv_error err;
} drawing;

static void format_name(int epoch, sv_stage stage, char out[NAME_ROOM]) {
    sv_picture_file_name(epoch, stage == SV_STAGE_NONE ? NULL : sv_stage_name(stage), out);
}

static sv_status draw_picture(const drawing *d, const sv_brush *b, int epoch, sv_error *err) {
    char name[NAME_ROOM];
    format_name(epoch, sv_opened_night_stage(d->opened, epoch), name);
    char *path = sv_path_join(d->folder, name);
    if (!path) return sv_fail_memory(err, "a path", strlen(d->folder));
    sv_status status = sv_picture_file_write(b->painter, &d->opened->night, epoch, b->rgb, path, err);
    free(path);
    return status;
}

static void work(void *context, int64_t item, int thread) {
    drawing *d = context;
    sv_error err;
    if (atomic_load(&d->stop) || sv_cli_interrupted()) return;
    sv_status status = draw_picture(d, &d->painters.brushes[thread], d->first + (int)item, &err);
    pthread_mutex_lock(&d->lock);
    if (!status) {
        sv_progress_update(&d->progress, ++d->n_done, d->n);
    } else if (!d->status) {
        d->status = status;
        d->err = err;
        atomic_store(&d->stop, true);
    }
    pthread_mutex_unlock(&d->lock);
}

/* Draws epochs [first, first + n). */
static sv_status draw_all(const sv_opened_night *opened, const char *folder, int first, int n, const char *label,
                          bool quiet, sv_pool *pool, sv_error *err) {
    drawing d = {.opened = opened, .folder = folder, .first = first, .n = n};
    pthread_mutex_init(&d.lock, NULL);
    sv_status status = sv_painters_new(sv_pool_n_threads(pool), &d.painters, err);
    if (!status) {
        sv_progress_start(&d.progress, quiet ? NULL : stderr, label);
        sv_pool_run(pool, n, work, &d);
        sv_progress_finish(&d.progress);
        status = d.status;
        if (status) *err = d.err;
    }
    if (!status && d.n_done < n) {
        status = sv_fail(err, SV_ERR_CANCELLED, "interrupted; %d of %d pictures are in %s", d.n_done, n, folder);
    }
    sv_painters_free(&d.painters);
    pthread_mutex_destroy(&d.lock);
    return status;
}

/* Reads the name of a picture; false for any other. */
static bool parse_name(const char *name, int *epoch, sv_stage *stage) {
    if (strspn(name, "0123456789") > MAX_DIGITS) return false;
    *epoch = atoi(name);
    for (int s = SV_STAGE_NONE; s < SV_N_STAGES; s++) {
        char pattern[NAME_ROOM];
        *stage = (sv_stage)s;
        format_name(*epoch, *stage, pattern);
        if (strcmp(name, pattern) == 0) return true;
    }
    return false;
}

/* A folder may hold pictures of a run with another hypnogram: a data set made of it would have two of an epoch. They
 * are not ours to delete, so it is said. */
static void warn_of_strangers(const sv_opened_night *opened, const char *folder, json_t *warnings) {
    DIR *d = opendir(folder);
    int n = 0;
    char example[NAME_ROOM] = "", text[256];
    for (struct dirent *entry; d && (entry = readdir(d));) {
        int epoch;
        sv_stage stage;
        if (!parse_name(entry->d_name, &epoch, &stage)) continue;
        if (epoch < opened->night.n_epochs && stage == sv_opened_night_stage(opened, epoch)) continue;
        if (n++ == 0) format_name(epoch, stage, example);
    }
    if (d) closedir(d);
    if (n == 0) return;
    snprintf(text, sizeof text,
             "%d pictures of another run are in the folder, among them %s; remove them unless both are wanted", n,
             example);
    json_array_append_new(warnings, json_pack("{s:s,s:n,s:s}", "kind", "folder", "role", "text", text));
}

static sv_status print_json(const sv_opened_night *opened, const char *subject, const char *folder, int n_pictures,
                            const json_t *warnings, sv_error *err) {
    json_t *o = json_object();
    bool ok = o != NULL;
    sv_info_set(o, "subject", sv_info_text(subject), &ok);
    sv_info_set(o, "folder", sv_info_text(folder), &ok);
    sv_info_set(o, "pictures", json_integer(n_pictures), &ok);
    sv_info_set(o, "channels", sv_opened_night_channels(opened), &ok);
    sv_info_set(o, "warnings", json_deep_copy(warnings), &ok);
    char *line = ok ? json_dumps(o, JSON_COMPACT | SV_JSON_REALS) : NULL;
    sv_status status = SV_OK;
    if (!line) {
        status = sv_fail_memory(err, "the summary", 0);
    } else if (puts(line) == EOF || fflush(stdout) != 0) {
        status = sv_fail_errno(err, SV_ERR_OUTPUT, "cannot write to standard output");
    }
    free(line);
    json_decref(o);
    return status;
}

/* The epochs that were asked for, of a night of n: all, or those of --epochs. */
static sv_status choose_epochs(const arguments *a, int n, int *last, sv_error *err) {
    *last = a->last_epoch == TO_THE_END ? n - 1 : a->last_epoch;
    if (a->first_epoch < n && *last < n) return SV_OK;
    return sv_fail(err, SV_ERR_USAGE, "--epochs: the recording has epochs 0 to %d, which do not include %d", n - 1,
                   a->first_epoch < n ? *last : a->first_epoch);
}

static sv_status render_opened(const arguments *a, const sv_opened_night *opened, const char *subject, sv_pool *pool,
                               sv_error *err) {
    int last;
    sv_status status = choose_epochs(a, opened->night.n_epochs, &last, err);
    if (status) return status;
    int n = last - a->first_epoch + 1;
    char *folder = sv_path_join(a->folder, subject);
    if (!folder) return sv_fail_memory(err, "a path", strlen(a->folder));
    json_t *warnings = sv_opened_night_warnings(opened);
    status = sv_make_dirs(folder, err);
    if (!status) warn_of_strangers(opened, folder, warnings);
    if (!status) status = draw_all(opened, folder, a->first_epoch, n, subject, a->quiet, pool, err);
    if (!status && !a->quiet) {
        sv_opened_night_print(opened, subject, warnings);
        fprintf(stderr, "  %d picture%s in %s\n", n, n == 1 ? "" : "s", folder);
    }
    if (!status && a->json) status = print_json(opened, subject, folder, n, warnings, err);
    json_decref(warnings);
    free(folder);
    return status;
}

static int render_one(const arguments *a, const char *path, const char *subject, sv_pool *pool) {
    sv_opened_night opened;
    sv_error err;
    sv_status status = sv_opened_night_open(path, &a->night, SV_NIGHT_PICTURE, pool, &opened, &err);
    if (status) return sv_cli_fail(&sv_cmd_render, &err);
    status = render_opened(a, &opened, subject, pool, &err);
    sv_opened_night_close(&opened);
    return status ? sv_cli_fail(&sv_cmd_render, &err) : 0;
}

/* One name a recording; two recordings must not write into one folder. */
static int name_subjects(const arguments *a, char **names) {
    for (int i = 0; i < a->n_recordings; i++) {
        names[i] = sv_subject_name(a->recordings[i]);
        if (!names[i]) return sv_exit_code(SV_ERR_MEMORY);
        for (int k = 0; k < i; k++) {
            if (strcmp(names[i], names[k]) != 0) continue;
            return sv_cli_usage(&sv_cmd_render, "%s and %s would both go to %s/%s; render them into different folders",
                                a->recordings[k], a->recordings[i], a->folder, names[i]);
        }
    }
    return 0;
}

static int render_all(const arguments *a) {
    sv_pool *pool = NULL;
    sv_error err;
    char **names = sv_calloc((size_t)a->n_recordings, sizeof *names);
    int worst = names ? name_subjects(a, names) : sv_exit_code(SV_ERR_MEMORY);
    if (!worst && sv_pool_new(a->n_threads, &pool, &err)) worst = sv_cli_fail(&sv_cmd_render, &err);
    for (int i = 0; i < a->n_recordings && pool && !sv_cli_interrupted(); i++) {
        int code = render_one(a, a->recordings[i], names[i], pool);
        worst = SV_MAX(worst, code);
    }
    sv_pool_free(pool);
    for (int i = 0; names && i < a->n_recordings; i++) free(names[i]);
    free(names);
    return sv_cli_interrupted() ? sv_exit_code(SV_ERR_CANCELLED) : worst;
}

/* Moves *text behind them. */
static bool parse_number(const char **text, int *out) {
    size_t digits = strspn(*text, "0123456789");
    if (digits == 0 || digits > MAX_DIGITS) return false;
    *out = atoi(*text);
    *text += digits;
    return true;
}

/* "A-B", "A-" or "A". */
static int parse_epochs(arguments *a, const char *text) {
    const char *p = text;
    bool ok = parse_number(&p, &a->first_epoch);
    a->last_epoch = a->first_epoch;
    if (ok && *p == '-') {
        a->last_epoch = TO_THE_END;
        if (*++p) ok = parse_number(&p, &a->last_epoch);
    }
    if (ok && *p == 0 && a->first_epoch <= a->last_epoch) return 0;
    return sv_cli_usage(&sv_cmd_render, "--epochs takes A-B with A <= B, A- or A, counted from 0; found '%s'", text);
}

/* -1 to go on, else the exit status. */
static int parse(int argc, char **argv, arguments *a) {
    enum { EPOCHS = SV_OPTION_OWN, JSON };
    static const struct option options[] = {{"output", required_argument, NULL, 'o'},
                                            SV_NIGHT_LONG_OPTIONS,
                                            {"epochs", required_argument, NULL, EPOCHS},
                                            {"threads", required_argument, NULL, 't'},
                                            {"json", no_argument, NULL, JSON},
                                            {"quiet", no_argument, NULL, 'q'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    for (int c, code = 0; (c = getopt_long(argc, argv, "o:t:qh" SV_NIGHT_SHORT_OPTIONS, options, NULL)) != -1;) {
        switch (c) {
            case 'h': return sv_cli_help(&sv_cmd_render);
            case 'o': a->folder = optarg; break;
            case 'q': a->quiet = true; break;
            case JSON: a->json = true; break;
            case 't': code = sv_cli_parse_threads(&sv_cmd_render, optarg, &a->n_threads); break;
            case EPOCHS: code = parse_epochs(a, optarg); break;
            default: code = sv_night_arguments_take(&a->night, &sv_cmd_render, c, optarg);
        }
        if (code) return code;
    }
    a->n_recordings = argc - optind;
    a->recordings = argv + optind;
    if (a->n_recordings < 1) return sv_cli_usage(&sv_cmd_render, "name at least one recording");
    if (!a->folder) return sv_cli_usage(&sv_cmd_render, "name the folder for the pictures with -o DIR");
    if (a->n_recordings == 1 || !a->night.hypnogram_path) return -1;
    return sv_cli_usage(&sv_cmd_render, "--hypnogram belongs to one recording, found %d", a->n_recordings);
}

static int run(int argc, char **argv) {
    arguments a = {.night = {.night = {.mains = SV_MAINS_50}}, .last_epoch = TO_THE_END};
    int code = parse(argc, argv, &a);
    return code >= 0 ? code : render_all(&a);
}

const sv_command sv_cmd_render = {
    .name = "render",
    .summary = "draw the pictures that the model sees, as PNG files",
    .help =
        "Usage: sleepvlm render [OPTION]... -o DIR RECORDING.edf...\n\n"
        "Draws every 30-s epoch of each recording (EDF, EDF+, BDF) as the published system does: 448 x 224 pixels,\n"
        "RGBA, in DIR/SUBJECT/EPOCH.png, or with a hypnogram DIR/SUBJECT/EPOCH_STAGE.png; epochs from 0, stages W N1\n"
        "N2 N3 R, SUBJECT the file's name without its ending. Pictures that are there are replaced.\n\n"
        "  -o, --output DIR          the folder, made if needed\n" SV_NIGHT_OPTIONS_HELP
        "      --epochs A-B          these only, both included; also A- and A\n"
        "  -t, --threads N           default: one per core\n"
        "      --json                print an object for each recording: subject, folder, pictures, channels, "
        "warnings\n"
        "  -q, --quiet               no progress, no summary\n"
        "  -h, --help                this text\n\n"
        "Exit status: 0 done, 1 bad input, 2 usage, 3 output failed, 130 interrupted.\n\n"
        "Examples:\n"
        "  sleepvlm render night.edf -o pictures\n"
        "  sleepvlm render '01-03-0001 PSG.edf' --hypnogram '01-03-0001 Base.edf' -o pictures\n",
    .run = run,
};
