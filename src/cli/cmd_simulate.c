/* cmd_simulate.c - `sleepvlm simulate`: nights of which everything is known. */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/threads.h"
#include "cli/command.h"
#include "cli/progress.h"
#include "simulate/sim_folder.h"
#include "sleep/stages.h"

enum { MAX_NIGHTS = 9999, NAME_ROOM = 24 };

typedef struct arguments {
    const char *folder, *profile_path;
    uint64_t seed;
    double hours;
    int n_nights, rate_hz, n_threads;
    sv_sim_montage montage;
    bool force, quiet;
} arguments;

typedef struct production {
    const arguments *a;
    const sv_sim_profile *profile;
    pthread_mutex_t lock; /* of what follows */
    double *share;        /* [n_nights] that is done */
    sv_progress progress;
    int n_made, n_kept;
    sv_status status;
    sv_error err;
} production;

typedef struct one_night {
    production *p;
    int index;
} one_night;

static void show(production *p) {
    double sum = 0;
    for (int i = 0; i < p->a->n_nights; i++) sum += p->share[i];
    sv_progress_update(&p->progress, (int64_t)(sum * 100), (int64_t)p->a->n_nights * 100);
}

static bool go_on(void *context, double share) {
    one_night *night = context;
    production *p = night->p;
    pthread_mutex_lock(&p->lock);
    p->share[night->index] = share;
    show(p);
    bool failed = p->status != SV_OK;
    pthread_mutex_unlock(&p->lock);
    return !failed && !sv_cli_interrupted();
}

static void print_night(const char *name, const sv_sim_night *night) {
    int n[SV_N_STAGES] = {0};
    for (int e = 0; e < night->n_epochs; e++) n[night->truth.stages[e]]++;
    fprintf(stderr, "%s: %d epochs,", name, night->n_epochs);
    for (int i = 0; i < SV_N_STAGES; i++) {
        fprintf(stderr, " %s %.0f %%", sv_stage_name((sv_stage)i), 100.0 * n[i] / night->n_epochs);
    }
    fprintf(stderr, "; %zu events\n", night->facts.events.n);
}

static void finish_night(production *p, int index, const char *name, bool kept, const sv_sim_night *night, sv_status s,
                         const sv_error *err) {
    pthread_mutex_lock(&p->lock);
    p->share[index] = 1;
    if (s && !p->status) {
        p->status = s;
        p->err = *err;
    }
    if (!s) {
        ++*(kept ? &p->n_kept : &p->n_made);
        if (!kept && !p->a->quiet) {
            sv_progress_finish(&p->progress);
            print_night(name, night);
        }
        show(p);
    }
    pthread_mutex_unlock(&p->lock);
}

static void produce(void *context, int64_t item, int thread) {
    production *p = context;
    const arguments *a = p->a;
    one_night me = {p, (int)item};
    char name[NAME_ROOM];
    sv_sim_night night = {0};
    sv_error err;
    bool kept = false;
    (void)thread;
    if (!go_on(&me, 0)) return;
    snprintf(name, sizeof name, "night-%04d", (int)item + 1);
    sv_sim_job job = {.options = {a->seed + (uint64_t)item, a->hours, a->rate_hz, p->profile},
                      .montage = a->montage,
                      .folder = a->folder,
                      .name = name,
                      .force = a->force};
    sv_status s = sv_sim_folder_check(&job, &kept, &err);
    if (!s && !kept) s = sv_sim_folder_make(&job, go_on, &me, &night, &err);
    finish_night(p, me.index, name, kept, &night, s, &err);
    sv_sim_night_free(&night);
}

static int simulate(const arguments *a) {
    production p = {.a = a, .share = sv_calloc((size_t)a->n_nights, sizeof(double))};
    sv_sim_profile profile = {0};
    sv_pool *pool = NULL;
    sv_status s = p.share ? SV_OK : sv_fail_memory(&p.err, "nights", (size_t)a->n_nights * sizeof(double));
    if (!s && a->profile_path) s = sv_sim_profile_load(a->profile_path, &profile, &p.err);
    if (!s) s = sv_pool_new(a->n_threads, &pool, &p.err);
    if (!s) {
        p.profile = a->profile_path ? &profile : NULL;
        pthread_mutex_init(&p.lock, NULL);
        sv_progress_start(&p.progress, a->quiet ? NULL : stderr, "simulate");
        sv_pool_run(pool, a->n_nights, produce, &p);
        sv_progress_finish(&p.progress);
        pthread_mutex_destroy(&p.lock);
        s = p.status;
    }
    if (!s && sv_cli_interrupted()) s = sv_fail(&p.err, SV_ERR_CANCELLED, "cancelled");
    if (s == SV_ERR_CANCELLED) {
        s = sv_fail(&p.err, s, "interrupted; the same command goes on with the nights that are missing in %s",
                    a->folder);
    }
    if (!s && !a->quiet) {
        fprintf(stderr, "%s: %d night%s made", a->folder, p.n_made, p.n_made == 1 ? "" : "s");
        if (p.n_kept) fprintf(stderr, ", %d there already", p.n_kept);
        fputc('\n', stderr);
    }
    sv_pool_free(pool);
    sv_sim_profile_free(&profile);
    free(p.share);
    return s ? sv_cli_fail(&sv_cmd_simulate, &p.err) : 0;
}

/* ---- command line */

static bool parse_integer(const char *text, uint64_t min, uint64_t max, uint64_t *out) {
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    *out = value;
    return text[0] >= '0' && text[0] <= '9' && *end == 0 && errno == 0 && value >= min && value <= max;
}

static int take_count(const char *option, const char *text, uint64_t min, uint64_t max, int *out) {
    uint64_t value;
    if (!parse_integer(text, min, max, &value)) {
        return sv_cli_usage(&sv_cmd_simulate, "%s takes a whole number from %d to %d, found '%s'", option, (int)min,
                            (int)max, text);
    }
    *out = (int)value;
    return 0;
}

static int take_hours(const char *text, double *out) {
    char *end;
    *out = strtod(text, &end);
    if (end != text && *end == 0 && *out > 0 && *out <= SV_SIM_MAX_HOURS) return 0;
    return sv_cli_usage(&sv_cmd_simulate, "--hours takes a number above 0, at most %d, found '%s'", SV_SIM_MAX_HOURS,
                        text);
}

enum { NIGHTS = 256, SEED, HOURS, PROFILE, MONTAGE, RATE, FORCE };

static int take_option(arguments *a, int letter, const char *value) {
    switch (letter) {
        case 'o': a->folder = value; return 0;
        case 'q': a->quiet = true; return 0;
        case FORCE: a->force = true; return 0;
        case PROFILE: a->profile_path = value; return 0;
        case HOURS: return take_hours(value, &a->hours);
        case NIGHTS: return take_count("--nights", value, 1, MAX_NIGHTS, &a->n_nights);
        case RATE: return take_count("--rate", value, SV_SIM_MIN_RATE_HZ, SV_SIM_MAX_RATE_HZ, &a->rate_hz);
        case 't': return sv_cli_parse_threads(&sv_cmd_simulate, value, &a->n_threads);
        case SEED:
            if (parse_integer(value, 0, SV_SIM_MAX_SEED - MAX_NIGHTS, &a->seed)) return 0;
            return sv_cli_usage(&sv_cmd_simulate, "--seed takes a whole number below 2^58, found '%s'", value);
        case MONTAGE:
            if (sv_sim_montage_from_name(value, &a->montage)) return 0;
            return sv_cli_usage(&sv_cmd_simulate, "--montage takes standard, mirrored or raw, found '%s'", value);
        default: return sv_cli_usage(&sv_cmd_simulate, "the option is not known or lacks its value");
    }
}

static int run(int argc, char **argv) {
    static const struct option options[] = {{"output", required_argument, NULL, 'o'},
                                            {"nights", required_argument, NULL, NIGHTS},
                                            {"seed", required_argument, NULL, SEED},
                                            {"hours", required_argument, NULL, HOURS},
                                            {"profile", required_argument, NULL, PROFILE},
                                            {"montage", required_argument, NULL, MONTAGE},
                                            {"rate", required_argument, NULL, RATE},
                                            {"threads", required_argument, NULL, 't'},
                                            {"force", no_argument, NULL, FORCE},
                                            {"quiet", no_argument, NULL, 'q'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    arguments a = {.seed = 1, .hours = 8, .n_nights = 1, .rate_hz = 200};
    for (int letter; (letter = getopt_long(argc, argv, "o:t:qh", options, NULL)) != -1;) {
        if (letter == 'h') return sv_cli_help(&sv_cmd_simulate);
        int status = take_option(&a, letter, optarg);
        if (status) return status;
    }
    if (optind < argc)
        return sv_cli_usage(&sv_cmd_simulate, "nothing is expected but options, found '%s'", argv[optind]);
    if (!a.folder) return sv_cli_usage(&sv_cmd_simulate, "name the folder for the nights with -o DIR");
    return simulate(&a);
}

const sv_command sv_cmd_simulate = {
    .name = "simulate",
    .summary = "nights of polysomnography with known stages, events, rules and rationales",
    .help =
        "Usage: sleepvlm simulate [OPTION]... -o DIR\n"
        "\n"
        "Makes nights in DIR/night-0001, DIR/night-0002 ...: night-NNNN.edf (EDF+ with the stage of each epoch as\n"
        "annotation) and truth.json (stages, rules and rationale of each epoch, all events with channel, time,\n"
        "frequency and size, the subject). Same options, same bytes. Nights that are there are kept: an interrupted\n"
        "command goes on when it is given again.\n"
        "\n"
        "  -o, --output DIR     the folder, made if needed\n"
        "      --nights N       default: 1\n"
        "      --seed S         of the first night, the next has S + 1 ...; default: 1\n"
        "      --hours H        of each; default: 8\n"
        "      --rate HZ        100 to 512; default: 200\n"
        "      --montage NAME   standard (F4-M1 C4-M1 O2-M1 LOC ROC Chin; the default), mirrored (F3-M2 C3-M2 O1-M2 "
        "...)\n"
        "                       or raw (leads against one reference: F4 C4 O2 M1 M2 E1 E2 Chin1 Chin2)\n"
        "      --profile FILE   JSON object of what all sleepers shall be; each field a number, [low, high] to draw\n"
        "                       from, or {\"times\": x}, a factor on what would have been drawn\n"
        "  -t, --threads N      nights at a time; default: one per core\n"
        "      --force          replace nights made with other options\n"
        "  -q, --quiet          no progress, no summary\n"
        "\n"
        "Fields of a profile:\n"
#define SV_SUBJECT(field, min, max, meaning) "  " #field " (" #min " to " #max ") " meaning "\n"
#include "simulate/subject.def"
#undef SV_SUBJECT
        "\n"
        "How real these nights are, measured: docs/simulator.md.\n"
        "\n"
        "Exit status: 0 done, 1 bad profile, 2 usage, 3 output failed, 130 interrupted.\n"
        "\n"
        "Example: sleepvlm simulate -o nights --nights 20 --seed 500\n",
    .run = run};
