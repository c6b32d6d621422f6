/* cmd_bench.c - `sleepvlm bench`: where the time goes on this machine, beside a ceiling measured in the same run. */
#include <ctype.h>
#include <dlfcn.h>
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/folder.h"
#include "base/json.h"
#include "base/memory.h"
#include "cli/command.h"
#include "cli/make_model.h"
#include "cli/median.h"
#include "cli/model_path.h"
#include "psg/filter.h"
#include "psg/filter_bench.h"
#include "render/picture.h"
#include "stage/desk.h"
#include "stage/run.h"
#include "tensor/isa.h"
#include "tensor/linear.h"

enum { N_PICTURES = 24, REPEATS = 5, N_SLOTS = 8 };
#define REFERENCE_PICTURE_MS 70.0 /* the published system's renderer, as design.md states it */

typedef struct bench {
    json_t *rows;
    sv_model *model;
    unsigned char *pictures; /* [N_PICTURES, SV_PICTURE_BYTES], all different */
    double *signals;         /* [N_PICTURES, 3000] */
} bench;

static void add_row(bench *b, const char *name, double value, const char *unit, const char *beside) {
    json_array_append_new(b->rows, json_pack("{s:s,s:f,s:s,s:s}", "name", name, "value", value, "unit", unit, "beside",
                                             beside ? beside : ""));
}

static double noise(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (double)(*state >> 11) * 0x1p-53 - 0.5;
}

/* Noise with the spectrum of an EEG, through the picture's own filter. */
static void make_signals(bench *b) {
    uint64_t state = 88172645463325252u;
    size_t n = (size_t)N_PICTURES * SV_EPOCH_SAMPLES;
    double x = 0;
    sv_filter_chain chain;
    for (size_t i = 0; i < n; i++) b->signals[i] = x = 0.96 * x + 14 * noise(&state);
    sv_filter_chain_picture(SV_BAND_EEG, SV_NIGHT_RATE_HZ, 50, &chain);
    sv_filter_chain_run(&chain, b->signals, n);
}

enum { N = 512, N_OPERANDS = 6 }; /* operands of 1 MiB in turn, so that none stays in the nearest cache */

/* The rival is looked for when it is needed: the program itself does without it. The first three arguments are CBLAS's
 * row-major, not transposed, transposed. */
typedef void cblas_sgemm_type(int, int, int, int, int, int, float, const float *, int, const float *, int, float,
                              float *, int);
static cblas_sgemm_type *cblas_sgemm;

static void openblas_product(const float *x, const float *w, float *y) {
    cblas_sgemm(101, 111, 112, N, N, N, 1, x, N, w, N, 0, y, N);
}

static void own_product(const float *x, const float *w, float *y) {
    sv_linear linear = {.n_in = N, .n_out = N, .n_parts = 1};
    linear.parts[0].weight = (sv_matrix){.dtype = SV_F32, .n_out = N, .n_in = N, .data = w};
    sv_linear_apply(&linear, x, N, N, y, false, NULL, NULL);
}

static void add_product_row(bench *b, const char *name, void (*product)(const float *, const float *, float *),
                            const float *operands, float *y) {
    double rates[REPEATS];
    for (int r = 0; r < REPEATS; r++) {
        double begin = sv_now_s();
        for (int k = 0; k < 2 * N_OPERANDS; k++) {
            product(operands + k % N_OPERANDS * N * N, operands + (k + 1) % N_OPERANDS * N * N, y);
        }
        rates[r] = 2 * N_OPERANDS * 2.0 * N * N * N / (sv_now_s() - begin) / 1e9;
    }
    add_row(b, name, sv_median(rates, REPEATS), "GFLOP/s", NULL);
}

static sv_status bench_products(bench *b, sv_error *err) {
    size_t n = (size_t)(N_OPERANDS + 1) * N * N;
    float *operands = sv_alloc_aligned(n, sizeof *operands);
    if (!operands) return sv_fail_memory(err, "matrices", n * sizeof *operands);
    for (size_t i = 0; i < n; i++) operands[i] = (float)(i % 251) / 251.0f - 0.4f;
    float *y = operands + (size_t)N_OPERANDS * N * N;
    char name[80];
    snprintf(name, sizeof name, "product 512 x 512 x 512, one thread, %s", sv_isa_name(sv_isa_current()));
    add_product_row(b, name, own_product, operands, y);
    void *library = dlopen("libopenblas.so.0", RTLD_NOW);
    void *symbol = library ? dlsym(library, "cblas_sgemm") : NULL;
    memcpy(&cblas_sgemm, &symbol, sizeof symbol); /* ISO C has no conversion from object to function pointers */
    if (cblas_sgemm) add_product_row(b, "the same by OpenBLAS", openblas_product, operands, y);
    free(operands);
    return SV_OK;
}

static sv_status bench_pictures(bench *b, sv_error *err) {
    sv_painter *painter;
    double times[REPEATS * N_PICTURES];
    char beside[80];
    sv_status s = sv_painter_new(&painter, err);
    if (s) return s;
    for (int i = 0; i < REPEATS * N_PICTURES; i++) {
        const double *samples[SV_N_ROLES];
        int p = i % N_PICTURES;
        for (int r = 0; r < SV_N_ROLES; r++) samples[r] = b->signals + (p + 3 * r) % N_PICTURES * SV_EPOCH_SAMPLES;
        double begin = sv_now_s();
        sv_picture_draw(painter, samples, b->pictures + (size_t)p * SV_PICTURE_BYTES);
        times[i] = 1e3 * (sv_now_s() - begin);
    }
    sv_painter_free(painter);
    double ms = sv_median(times, REPEATS * N_PICTURES);
    snprintf(beside, sizeof beside, "%.0f times the reference renderer (70 ms)", REFERENCE_PICTURE_MS / ms);
    add_row(b, "picture, six channels of filtered noise", ms, "ms", beside);
    return SV_OK;
}

/* One thread filters six channels for the picture as two groups in lock-step of four lanes. */
static sv_status bench_filter(bench *b, sv_error *err) {
    enum { CHANNELS = 6, LANES_RUN = 8 };
    double times[REPEATS], singles[REPEATS];
    char beside[96];
    for (int i = 0; i < REPEATS; i++) {
        sv_filter_speed speed;
        sv_status s = sv_filter_bench(256, 1, &speed, err);
        if (s) return s;
        times[i] = 1e3 * (LANES_RUN * speed.lanes_s + CHANNELS * speed.interpolation_s);
        singles[i] = 1e3 * CHANNELS * (speed.single_s + speed.interpolation_s);
    }
    snprintf(beside, sizeof beside, "band-pass, notch, to 100 Hz; one channel at a time %.0f ms",
             sv_median(singles, REPEATS));
    add_row(b, "filter 1 h, 6 channels at 256 Hz, one thread", sv_median(times, REPEATS), "ms", beside);
    return SV_OK;
}

static sv_status bench_embeddings(bench *b, sv_embedding *out, sv_error *err) {
    double times[N_PICTURES];
    for (int i = 0; i < N_PICTURES; i++) {
        sv_image image = {SV_PICTURE_WIDTH, SV_PICTURE_HEIGHT, 3, b->pictures + (size_t)i * SV_PICTURE_BYTES};
        double begin = sv_now_s();
        sv_status s = sv_model_embed_image(b->model, &image, NULL, &out[i], err);
        if (s) return s;
        times[i] = 1e3 * (sv_now_s() - begin);
    }
    add_row(b, "picture through the vision tower, one thread", sv_median(times, N_PICTURES), "ms", NULL);
    return SV_OK;
}

typedef struct tally {
    size_t n_read, n_written;
} tally;

static void count_tokens(void *context, size_t question, sv_finding *finding) {
    tally *t = context;
    (void)question;
    t->n_read += finding->n_prompt_tokens;
    t->n_written += finding->n_output_tokens;
    sv_finding_free(finding);
}

static sv_status ask_all(bench *b, sv_desk *desk, const sv_embedding *embeddings, bool coarse, sv_error *err) {
    sv_window windows[N_PICTURES];
    double times[REPEATS];
    tally t = {0};
    char beside[80];
    for (int i = 0; i < N_PICTURES; i++) {
        windows[i] =
            (sv_window){{&embeddings[i], &embeddings[(i + 1) % N_PICTURES], &embeddings[(i + 2) % N_PICTURES]}};
    }
    for (int r = 0; r < REPEATS; r++) {
        double begin = sv_now_s();
        sv_status s = sv_desk_ask(desk, windows, N_PICTURES, &(sv_asker){count_tokens, NULL, &t}, err);
        if (s) return s;
        times[r] = 1e3 * (sv_now_s() - begin) / N_PICTURES;
    }
    size_t n = (size_t)REPEATS * N_PICTURES;
    snprintf(beside, sizeof beside, "%d at a time; %zu tokens read, %zu written", N_SLOTS, t.n_read / n,
             t.n_written / n);
    add_row(b, coarse ? "question, stage and rules only, one thread" : "question with rationale, one thread",
            sv_median(times, REPEATS), "ms", beside);
    return SV_OK;
}

static sv_status bench_questions(bench *b, const sv_embedding *embeddings, bool coarse, sv_error *err) {
    sv_stage_prompt prompt;
    sv_examiner *examiner = NULL;
    sv_desk *desk = NULL;
    sv_prefix_tree *tree = NULL;
    sv_status s = sv_stage_prompt_load(sv_model_folder(b->model), NULL, &prompt, err);
    if (s) return s;
    if (!coarse || prompt.stage_first) {
        s = sv_examiner_new(b->model, &prompt, &(sv_method){.temperature = 1}, coarse, &examiner, err);
        if (!s) s = sv_prefix_tree_new(b->model, &(sv_prefix_tree_options){.budget_bytes = SIZE_MAX}, &tree, err);
        if (!s) s = sv_examiner_prepare(examiner, tree, NULL, err);
        if (!s) s = sv_desk_new(examiner, N_SLOTS, (size_t)embeddings->n_tokens, NULL, &desk, err);
        if (!s) s = ask_all(b, desk, embeddings, coarse, err);
    }
    sv_desk_free(desk);
    sv_examiner_free(examiner);
    sv_prefix_tree_free(tree);
    sv_stage_prompt_free(&prompt);
    return s;
}

static sv_status bench_network(bench *b, sv_error *err) {
    sv_embedding embeddings[N_PICTURES] = {{0}};
    sv_status s = bench_embeddings(b, embeddings, err);
    if (!s) s = bench_questions(b, embeddings, false, err);
    if (!s) s = bench_questions(b, embeddings, true, err);
    for (int i = 0; i < N_PICTURES; i++) sv_embedding_free(&embeddings[i]);
    return s;
}

static sv_status bench_start(bench *b, const char *folder, sv_error *err) {
    double times[REPEATS];
    for (int i = 0; i < REPEATS; i++) {
        sv_model_free(b->model);
        b->model = NULL;
        double begin = sv_now_s();
        sv_status s = sv_model_load(folder, NULL, &b->model, err);
        if (s) return s;
        times[i] = 1e3 * (sv_now_s() - begin);
    }
    add_row(b, "model ready", sv_median(times, REPEATS), "ms", NULL);
    return SV_OK;
}

static bool on_cancelled(void *context) {
    (void)context;
    return sv_cli_interrupted();
}

/* The steps of `stage` on a recording of the user, in a folder that is removed again. */
static sv_status bench_night(bench *b, const char *recording, int n_threads, sv_error *err) {
    char folder[] = "/tmp/sleepvlm-bench-XXXXXX", beside[96];
    if (!mkdtemp(folder)) return sv_fail_errno(err, SV_ERR_OUTPUT, "%s: cannot create", folder);
    sv_run run;
    sv_stage_options options = {.n_threads = n_threads, .cancelled = on_cancelled};
    double t0 = sv_now_s(), t1 = t0, t2 = t0, t3 = t0;
    sv_status s = sv_run_open(recording, b->model, folder, &options, &run, err);
    if (!s) {
        t1 = sv_now_s();
        s = sv_run_ask(&run, err);
        t2 = sv_now_s();
        if (!s) s = sv_run_write(&run, err);
        if (!s) s = sv_run_finish(&run, err);
        t3 = sv_now_s();
        int n = run.subject.night.n_epochs;
        if (!s) {
            snprintf(beside, sizeof beside, "%d epochs on %d threads: %.1f epochs/s, 960 epochs in %.0f s", n,
                     sv_pool_n_threads(run.pool), n / (t2 - t1), 960 * (t2 - t1) / n);
            add_row(b, "recording: read, find channels, check, filter", t1 - t0, "s", sv_path_name(recording));
            add_row(b, "recording: draw, look, answer", t2 - t1, "s", beside);
            add_row(b, "recording: write results (without the report)", t3 - t2, "s", NULL);
        }
        sv_run_close(&run);
    }
    sv_folder_remove(folder);
    return s;
}

static void print_table(const bench *b, bool json) {
    size_t i;
    json_t *row;
    if (json) {
        json_dumpf(b->rows, stdout, JSON_INDENT(2));
        putchar('\n');
        return;
    }
    json_array_foreach(b->rows, i, row) {
        printf("%-60s %10.2f %-8s %s\n", sv_json_text(row, "name", ""), sv_json_real(row, "value", NAN),
               sv_json_text(row, "unit", ""), sv_json_text(row, "beside", ""));
    }
}

static sv_status run_all(bench *b, const char *model, const char *recording, int n_threads, sv_error *err) {
    char *folder;
    sv_status s = sv_model_path_find(model, &folder, err);
    if (s) return s;
    b->pictures = sv_calloc(N_PICTURES, SV_PICTURE_BYTES);
    b->signals = sv_calloc((size_t)N_PICTURES * SV_EPOCH_SAMPLES, sizeof *b->signals);
    s = b->pictures && b->signals ? bench_start(b, folder, err)
                                  : sv_fail_memory(err, "pictures", N_PICTURES * SV_PICTURE_BYTES);
    if (!s) {
        make_signals(b);
        s = bench_products(b, err);
    }
    if (!s) s = bench_filter(b, err);
    if (!s) s = bench_pictures(b, err);
    if (!s) s = bench_network(b, err);
    if (!s && recording) s = bench_night(b, recording, n_threads, err);
    free(folder);
    return s;
}

static int make(const sv_make_model_options *options, int n_rest) {
    sv_error err;
    if (n_rest) return sv_cli_usage(&sv_cmd_bench, "--make-model takes no recording");
    if (!options->folder) return sv_cli_usage(&sv_cmd_bench, "--make-model needs --output DIR");
    return sv_make_model(options, &err) ? sv_cli_fail(&sv_cmd_bench, &err) : 0;
}

static int measure(const char *model, const char *recording, int n_threads, bool json) {
    bench b = {.rows = json_array()};
    sv_error err;
    sv_status s = run_all(&b, model, recording, n_threads, &err);
    if (!s) print_table(&b, json);
    sv_model_free(b.model);
    free(b.pictures);
    free(b.signals);
    json_decref(b.rows);
    return s ? sv_cli_fail(&sv_cmd_bench, &err) : 0;
}

static int parse_seed(const char *text, uint64_t *out) {
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno || *end || !isdigit((unsigned char)text[0])) {
        return sv_cli_usage(&sv_cmd_bench, "--seed must be a whole number, found '%s'", text);
    }
    *out = value;
    return 0;
}

static int run(int argc, char **argv) {
    static const struct option options[] = {{"model", required_argument, 0, 'm'},
                                            {"threads", required_argument, 0, 't'},
                                            {"make-model", required_argument, 0, 'M'},
                                            {"output", required_argument, 0, 'o'},
                                            {"dtype", required_argument, 0, 'd'},
                                            {"seed", required_argument, 0, 's'},
                                            {"tokenizer", required_argument, 0, 'T'},
                                            {"json", no_argument, 0, 'j'},
                                            {"help", no_argument, 0, 'h'},
                                            {0}};
    sv_make_model_options made = {.seed = 1};
    const char *model = "nano";
    int letter;
    bool for_made = false; /* an option that only --make-model has */
    optind = 1;
    while ((letter = getopt_long(argc, argv, "m:t:o:h", options, NULL)) != -1) {
        int bad = 0;
        for_made |= strchr("odsT", letter) != NULL;
        switch (letter) {
            case 'm': model = optarg; break;
            case 't': bad = sv_cli_parse_threads(&sv_cmd_bench, optarg, &made.n_threads); break;
            case 'M': made.shape = optarg; break;
            case 'o': made.folder = optarg; break;
            case 'd': made.dtype = optarg; break;
            case 's': bad = parse_seed(optarg, &made.seed); break;
            case 'T': made.tokenizer_folder = optarg; break;
            case 'j': made.json = true; break;
            case 'h': return sv_cli_help(&sv_cmd_bench);
            default: return sv_cli_usage(&sv_cmd_bench, "the option is not known or lacks its value");
        }
        if (bad) return bad;
    }
    if (made.shape) return make(&made, argc - optind);
    if (for_made) return sv_cli_usage(&sv_cmd_bench, "--output, --dtype, --seed and --tokenizer need --make-model");
    if (argc - optind > 1) return sv_cli_usage(&sv_cmd_bench, "at most one recording, found %d", argc - optind);
    return measure(model, optind < argc ? argv[optind] : NULL, made.n_threads, made.json);
}

static const sv_command *const parts[] = {&sv_cmd_bench_train, NULL};

const sv_command sv_cmd_bench = {
    .name = "bench",
    .summary = "where the time goes on this machine; random models of any size to try",
    .help =
        "Usage: sleepvlm bench [OPTION]... [RECORDING.edf]\n"
        "       sleepvlm bench --make-model SHAPE -o DIR [--dtype TYPE]\n"
        "       sleepvlm bench train [OPTION]...\n"
        "\n"
        "Measures, as medians over changing data: the model's start, the picture, the vision tower, a question; beside "
        "them\n"
        "the speed of a large matrix product on the same core. With a recording also the steps of `stage` on it.\n"
        "\n"
        "  -m, --model NAME|DIR  model (default nano)\n"
        "  -t, --threads N       threads for the recording (default: one per core)\n"
        "      --json            print JSON\n"
        "\n"
        "With --make-model nothing is measured: a model with random weights is written, to try loading, memory and\n"
        "speed with. Its answers mean nothing.\n"
        "\n"
        "      --make-model SHAPE  tiny: two layers (1 MB); nano: as the embedded model (9 MB);\n"
        "                          3b: Qwen2.5-VL-3B, as the published system (7.5 GB; 3.4 GB in w4a16);\n"
        "                          7b: Qwen2.5-VL-7B (17 GB; 6.9 GB in w4a16)\n"
        "  -o, --output DIR        the folder, which must not be there yet\n"
        "      --dtype TYPE        bf16 (default), f16, f32, or w4a16: four-bit weights as AutoRound writes them\n"
        "      --seed N            other weights (default 1)\n"
        "      --tokenizer DIR     copy the tokenizer of this folder (default: one made by rule, of the same size)\n"
        "\n"
        "'sleepvlm help bench train' explains the other kind:\n",
    .run = run,
    .parts = parts};
