/* bench_train.c - `sleepvlm bench train`: how fast a model learns on this machine, beside the speed of a large matrix
 * product on as many threads in the same run. */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/folder.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/random.h"
#include "cli/command.h"
#include "cli/median.h"
#include "cli/model_path.h"
#include "model/random_model.h"
#include "tensor/gemm.h"
#include "tensor/isa.h"
#include "train/adamw.h"
#include "train/block.h"
#include "train/pass.h"

enum { N_BATCHES = 3, PER_SAMPLE = 3, MAX_REPEATS = 1000, MAX_SAMPLES = 1024 };
enum { PEAK_SIDE = 512, PEAK_OPERANDS = 6 };             /* as in `bench`: 1 MiB each, in turn */
static const double PEAK_WARM_UP_S = 0.5;                /* a machine that was idle gives less at first */
enum { PICTURE_WIDTH = 448, PICTURE_HEIGHT = 224 };      /* as the program draws them */
enum { N_QUESTION = 40, N_ANSWER = 50, LORA_RANK = 16 }; /* tokens besides the pictures; half of them supervised */

static const struct mode {
    const char *name;
    bool full, recompute;
    double dropout;
    sv_precision precision;
} modes[] = {{"full", true, false, 0, SV_PRECISION_F32},       {"full-recompute", true, true, 0, SV_PRECISION_F32},
             {"lora", false, false, 0, SV_PRECISION_F32},      {"lora-dropout", false, false, 0.05, SV_PRECISION_F32},
             {"full-bf16", true, false, 0, SV_PRECISION_BF16}, {"lora-bf16", false, false, 0, SV_PRECISION_BF16}};

typedef struct material { /* a batch and what it lies in */
    sv_train_batch batch;
    sv_train_sample *samples;
    sv_patches *pictures;
    size_t *indices;
    int32_t *ids;
    float *weights;
} material;

typedef struct bench {
    const char *model_name, *only; /* NULL: a random model; all modes */
    int n_threads, n_samples, n_repeats;
    sv_model *model;
    sv_pool *pool;
    material batches[N_BATCHES];
    size_t n_tokens, n_cells, n_patches; /* of a sample; cells and patches of a picture */
    int grid_h, grid_w;
    double peak[2]; /* GFLOP/s by precision */
    json_t *rows;
} bench;

/* ---- the machine's speed */

typedef struct peak_job {
    const float *operands;
    float *results; /* one for each item */
    sv_precision precision;
} peak_job;

static void multiply(void *context, int64_t item, int thread) {
    (void)thread;
    const peak_job *j = context;
    const size_t side = PEAK_SIDE, size = side * side;
    for (size_t k = 0; k < 2 * PEAK_OPERANDS; k++) {
        const sv_operand x = {j->operands + k % PEAK_OPERANDS * size, side, false};
        const sv_operand w = {j->operands + (k + 1) % PEAK_OPERANDS * size, side, false};
        sv_gemm_in(j->precision, side, side, side, x, w, j->results + (size_t)item * size, side, NULL);
    }
}

static sv_status measure_peak(bench *b, sv_precision precision, sv_error *err) {
    size_t n_items = (size_t)sv_pool_n_threads(b->pool), size = (size_t)PEAK_SIDE * PEAK_SIDE;
    size_t n = (PEAK_OPERANDS + n_items) * size;
    double rates[15];
    float *operands = sv_alloc_aligned(n, sizeof *operands);
    if (!operands) return sv_fail_memory(err, "matrices", n * sizeof *operands);
    for (size_t i = 0; i < n; i++) operands[i] = (float)(i % 251) / 251.0F - 0.4F;
    peak_job job = {operands, operands + PEAK_OPERANDS * size, precision};
    for (double begin = sv_now_s(); sv_now_s() - begin < PEAK_WARM_UP_S;)
        sv_pool_run(b->pool, (int64_t)n_items, multiply, &job);
    for (size_t r = 0; r < SV_COUNT(rates); r++) {
        double begin = sv_now_s();
        sv_pool_run(b->pool, (int64_t)n_items, multiply, &job);
        rates[r] = 4e-9 * PEAK_OPERANDS * (double)(n_items * size * PEAK_SIDE) / (sv_now_s() - begin);
    }
    b->peak[precision] = sv_median(rates, SV_COUNT(rates));
    free(operands);
    return SV_OK;
}

/* ---- batches */

static void fill_sample(const bench *b, uint64_t seed, size_t first_picture, size_t *indices, int32_t *ids,
                        float *weights, sv_train_sample *out) {
    const sv_model_config *c = sv_model_get_config(b->model);
    size_t n = 0;
    for (size_t k = 0; k < PER_SAMPLE; k++) {
        indices[k] = first_picture + k;
        ids[n++] = c->vision_start_token;
        for (size_t i = 0; i < b->n_cells; i++) ids[n++] = c->image_token;
        ids[n++] = c->vision_end_token;
    }
    while (n < b->n_tokens) {
        weights[n] = n >= b->n_tokens - N_ANSWER ? 1 : 0;
        ids[n] = (int32_t)(sv_random_unit(seed, n) * c->text.vocab / 2); /* the upper half has the special ones */
        n++;
    }
    *out = (sv_train_sample){.ids = ids, .weights = weights, .n_ids = n, .pictures = indices, .n_pictures = PER_SAMPLE};
}

static sv_status fill_picture(const sv_model_config *config, unsigned char *pixels, uint64_t seed, sv_patches *out,
                              sv_error *err) {
    sv_image image = {PICTURE_WIDTH, PICTURE_HEIGHT, 3, pixels};
    for (size_t i = 0; i < (size_t)3 * PICTURE_WIDTH * PICTURE_HEIGHT; i++)
        pixels[i] = (unsigned char)(256 * sv_random_unit(seed, i));
    return sv_image_to_patches(config, &image, out, err);
}

static sv_status make_pictures(bench *b, material *m, uint64_t seed, size_t n_pictures, sv_error *err) {
    unsigned char *pixels = sv_calloc((size_t)3 * PICTURE_WIDTH * PICTURE_HEIGHT, 1);
    sv_status s = pixels ? SV_OK : sv_fail_memory(err, "picture", (size_t)3 * PICTURE_WIDTH * PICTURE_HEIGHT);
    for (size_t i = 0; i < n_pictures && !s; i++)
        s = fill_picture(sv_model_get_config(b->model), pixels, seed + i, &m->pictures[i], err);
    free(pixels);
    if (s) return s;
    int merge = sv_model_get_config(b->model)->vision.merge;
    b->grid_h = m->pictures[0].grid_h;
    b->grid_w = m->pictures[0].grid_w;
    b->n_patches = (size_t)b->grid_h * (size_t)b->grid_w;
    b->n_cells = b->n_patches / (size_t)(merge * merge);
    b->n_tokens = PER_SAMPLE * (b->n_cells + 2) + N_QUESTION + N_ANSWER;
    return SV_OK;
}

static sv_status make_batch(bench *b, int which, sv_error *err) {
    material *m = &b->batches[which];
    size_t n = (size_t)b->n_samples, n_pictures = PER_SAMPLE * n;
    uint64_t seed = 1000 + (uint64_t)which * MAX_SAMPLES * PER_SAMPLE;
    m->pictures = sv_calloc(n_pictures, sizeof *m->pictures);
    m->batch.n_pictures = m->pictures ? n_pictures : 0;
    sv_status s = m->pictures ? make_pictures(b, m, seed, n_pictures, err) : SV_ERR_MEMORY;
    if (s) return m->pictures ? s : sv_fail_memory(err, "pictures", n_pictures * sizeof *m->pictures);
    m->samples = sv_calloc(n, sizeof *m->samples);
    m->indices = sv_calloc(n_pictures, sizeof *m->indices);
    m->ids = sv_calloc(n * b->n_tokens, sizeof *m->ids);
    m->weights = sv_calloc(n * b->n_tokens, sizeof *m->weights);
    if (!m->samples || !m->indices || !m->ids || !m->weights)
        return sv_fail_memory(err, "samples", n * b->n_tokens * (sizeof *m->ids + sizeof *m->weights));
    for (size_t i = 0; i < n; i++) {
        fill_sample(b, seed + i, PER_SAMPLE * i, m->indices + PER_SAMPLE * i, m->ids + i * b->n_tokens,
                    m->weights + i * b->n_tokens, &m->samples[i]);
    }
    m->batch = (sv_train_batch){m->samples, n, m->pictures, n_pictures};
    return SV_OK;
}

static void free_batch(material *m) {
    for (size_t i = 0; i < m->batch.n_pictures; i++) sv_patches_free(&m->pictures[i]);
    free(m->pictures);
    free(m->samples);
    free(m->indices);
    free(m->ids);
    free(m->weights);
}

/* ---- counting. Operations are those that the mathematics asks for: what recomputation repeats is not counted, masked
 * halves of causal attention neither. */

/* Forwards; then by the input unless the layer is the first; then by what is trained. */
static double linear_work(const sv_linear *l, const sv_linear_gradient *g, double n_rows, bool first) {
    double sum = 0;
    for (size_t i = 0; i < l->n_parts; i++) {
        const sv_linear_part *p = &l->parts[i];
        double weight = (double)p->weight.n_in * (double)p->weight.n_out;
        double pair = (double)p->a.n_out * (double)(p->weight.n_in + p->weight.n_out);
        sum += weight * ((first ? 1 : 2) + (g->weight[i] ? 1 : 0)) + pair * 3;
    }
    return 2 * n_rows * sum;
}

static double block_work(const sv_linear *const linears[SV_BLOCK_LINEARS], const sv_linear_gradient *qkv,
                         const sv_linear_gradient *output, const sv_linear_gradient *gate_up,
                         const sv_linear_gradient *down, double n_rows) {
    return linear_work(linears[0], qkv, n_rows, false) + linear_work(linears[1], output, n_rows, false) +
           linear_work(linears[2], gate_up, n_rows, false) + linear_work(linears[3], down, n_rows, false);
}

/* Seven products of n_pairs by head: scores and sums; the scores again, and four gradients. */
static double attention_work(double n_pairs, double width) { return 2 * 7 * n_pairs * width; }

/* Pairs of patches of a picture that see each other inside windows. */
static double window_pairs(const bench *b, const sv_vision_config *c) {
    int side = c->window / c->patch;
    double sum = 0;
    for (int y = 0; y < b->grid_h; y += side) {
        for (int x = 0; x < b->grid_w; x += side) {
            double n = (double)SV_MIN(side, b->grid_h - y) * SV_MIN(side, b->grid_w - x);
            sum += n * n;
        }
    }
    return sum;
}

static double vision_work(const bench *b, const sv_trainee *t) {
    const sv_vision_config *c = &t->network.config.vision;
    const sv_weights *w = &t->network.weights;
    const sv_network_gradients *g = &t->gradients;
    double n_pictures = (double)b->n_samples * PER_SAMPLE, n = n_pictures * (double)b->n_patches;
    double n_cells = n_pictures * (double)b->n_cells, whole = (double)b->n_patches * (double)b->n_patches;
    double sum = linear_work(&w->patch_embed, &g->patch_embed, n, true);
    for (int i = 0; i < c->depth; i++) {
        const sv_vision_block *v = &w->vision_blocks[i];
        const sv_block_gradients *d = &g->vision_blocks[i];
        bool full = false;
        for (int k = 0; k < c->n_full_blocks; k++) full |= c->full_blocks[k] == i;
        sum += block_work((const sv_linear *[]){&v->qkv, &v->projection, &v->gate_up, &v->down}, &d->qkv, &d->output,
                          &d->gate_up, &d->down, n);
        sum += attention_work(n_pictures * (full ? whole : window_pairs(b, c)), c->hidden);
    }
    return sum + linear_work(&w->merger_in, &g->merger_in, n_cells, false) +
           linear_work(&w->merger_out, &g->merger_out, n_cells, false);
}

static double text_work(const bench *b, const sv_trainee *t) {
    const sv_text_config *c = &t->network.config.text;
    const sv_weights *w = &t->network.weights;
    const sv_network_gradients *g = &t->gradients;
    double n_samples = b->n_samples, n = n_samples * (double)b->n_tokens;
    double n_pairs = n * (double)(b->n_tokens + 1) / 2, sum = 0;
    for (int i = 0; i < c->n_layers; i++) {
        const sv_decoder_layer *l = &w->layers[i];
        const sv_block_gradients *d = &g->layers[i];
        sum += block_work((const sv_linear *[]){&l->qkv, &l->output, &l->gate_up, &l->down}, &d->qkv, &d->output,
                          &d->gate_up, &d->down, n);
        sum += attention_work(n_pairs, (double)c->n_heads * c->head_dim);
    }
    return sum + linear_work(&w->head, &g->head, n_samples * N_ANSWER, false);
}

/* ---- steps */

typedef struct learner {
    sv_trainee *trainee;
    sv_pass *pass;
    sv_adamw adamw;
} learner;

static sv_status step(bench *b, learner *l, int number, sv_error *err) {
    sv_pass_loss loss;
    double n_supervised = (double)b->n_samples * N_ANSWER;
    sv_trainee_clear_gradients(l->trainee);
    sv_status s = sv_pass_run(l->pass, &b->batches[number % N_BATCHES].batch,
                              &(sv_pass_scales){.answers = 1 / n_supervised}, (uint64_t)number, &loss, err);
    if (s) return s;
    double norm = sv_gradient_norm(l->trainee, b->pool);
    if (!isfinite(loss.sum) || !isfinite(norm))
        return sv_fail(err, SV_ERR_INPUT, "step %d: loss or gradient is no number", number);
    sv_gradient_clip(l->trainee, norm, 1);
    sv_adamw_update(&l->adamw, l->trainee, 1e-5, b->pool);
    return SV_OK;
}

static sv_status add_row(bench *b, const struct mode *mode, double seconds, double cpu_seconds, double work) {
    double n = b->n_samples, rate = 1e-9 * work / seconds;
    json_t *row = json_pack("{s:s,s:f,s:f,s:f,s:f,s:f,s:f,s:f}", "mode", mode->name, "step_ms", 1e3 * seconds, "cpu_ms",
                            1e3 * cpu_seconds, "tokens_per_s", n * (double)b->n_tokens / seconds, "samples_per_s",
                            n / seconds, "pictures_per_s", PER_SAMPLE * n / seconds, "gflops", rate, "share_of_peak",
                            rate / b->peak[mode->precision]);
    return json_array_append_new(b->rows, row) == 0 ? SV_OK : SV_ERR_MEMORY;
}

static sv_status time_steps(bench *b, const struct mode *mode, learner *l, sv_error *err) {
    double *times = sv_calloc(2 * (size_t)b->n_repeats, sizeof *times), *cpu_times = times + b->n_repeats;
    if (!times) return sv_fail_memory(err, "times", 2 * (size_t)b->n_repeats * sizeof *times);
    sv_status s = SV_OK;
    for (int i = -N_BATCHES; i < b->n_repeats && !s; i++) { /* the first round touches the memory */
        double begin = sv_now_s(), cpu_begin = sv_clock_s(CLOCK_PROCESS_CPUTIME_ID);
        s = sv_cli_interrupted() ? sv_fail(err, SV_ERR_CANCELLED, "interrupted") : step(b, l, i + N_BATCHES, err);
        if (i < 0) continue;
        times[i] = sv_now_s() - begin;
        cpu_times[i] = sv_clock_s(CLOCK_PROCESS_CPUTIME_ID) - cpu_begin;
    }
    double work = vision_work(b, l->trainee) + text_work(b, l->trainee);
    if (!s && add_row(b, mode, sv_median(times, b->n_repeats), sv_median(cpu_times, b->n_repeats), work))
        s = sv_fail_memory(err, "results", 256);
    free(times);
    return s;
}

static sv_status run_mode(bench *b, const struct mode *mode, sv_error *err) {
    static const char *const targets[] = {"q_proj",  "k_proj",    "v_proj", "o_proj", "gate_proj",
                                          "up_proj", "down_proj", "qkv",    "proj"};
    const sv_trainee_options options = {.full = mode->full,
                                        .targets = targets,
                                        .n_targets = SV_COUNT(targets),
                                        .rank = LORA_RANK,
                                        .alpha = 2 * LORA_RANK,
                                        .dropout = mode->dropout,
                                        .seed = 1};
    const sv_adamw_options adamw = {.beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .weight_decay = 0.01};
    const sv_pass_options pass = {.recompute = mode->recompute, .precision = mode->precision};
    learner l = {0};
    sv_status s = sv_trainee_new(b->model, &options, &l.trainee, err);
    if (!s) s = sv_pass_new(l.trainee, &pass, b->pool, &l.pass, err);
    if (!s) s = sv_adamw_new(l.trainee, &adamw, &l.adamw, err);
    if (!s) s = time_steps(b, mode, &l, err);
    sv_adamw_free(&l.adamw);
    sv_pass_free(l.pass);
    sv_trainee_free(l.trainee);
    return s;
}

/* ---- all of it */

static sv_status load_random(bench *b, sv_error *err) {
    char folder[] = "/tmp/sleepvlm-bench-XXXXXX";
    const sv_random_model_options options = {.shape = sv_model_shape_find("nano"),
                                             .dtype = SV_F32,
                                             .seed = 1,
                                             .max_shard_bytes = UINT64_MAX,
                                             .n_threads = b->n_threads};
    if (!mkdtemp(folder)) return sv_fail_errno(err, SV_ERR_OUTPUT, "%s: cannot create", folder);
    sv_status s = sv_random_model_write(folder, &options, err);
    if (!s) s = sv_model_load(folder, NULL, &b->model, err); /* mapped: may be removed */
    sv_folder_remove(folder);
    return s;
}

static sv_status load(bench *b, sv_error *err) {
    char *folder;
    if (!b->model_name) return load_random(b, err);
    sv_status s = sv_model_path_find(b->model_name, &folder, err);
    if (s) return s;
    s = sv_model_load(folder, NULL, &b->model, err);
    free(folder);
    return s;
}

static sv_status run_all(bench *b, sv_error *err) {
    sv_status s = sv_pool_new(b->n_threads, &b->pool, err);
    if (!s) s = load(b, err);
    for (int i = 0; i < N_BATCHES && !s; i++) s = make_batch(b, i, err);
    if (!s) s = measure_peak(b, SV_PRECISION_F32, err);
    if (!s) s = measure_peak(b, SV_PRECISION_BF16, err);
    for (size_t i = 0; i < SV_COUNT(modes) && !s; i++) {
        if (!b->only || strcmp(b->only, modes[i].name) == 0) s = run_mode(b, &modes[i], err);
    }
    return s;
}

static void print_results(bench *b, bool json) {
    size_t i;
    json_t *row;
    int n_threads = sv_pool_n_threads(b->pool);
    if (json) {
        json_t *all = json_pack("{s:s,s:i,s:i,s:I,s:i,s:f,s:f,s:O}", "isa", sv_isa_name(sv_isa_current()), "threads",
                                n_threads, "samples", b->n_samples, "tokens_per_sample", (json_int_t)b->n_tokens,
                                "pictures_per_sample", PER_SAMPLE, "peak_gflops", b->peak[SV_PRECISION_F32],
                                "peak_bf16_gflops", b->peak[SV_PRECISION_BF16], "modes", b->rows);
        json_dumpf(all, stdout, JSON_INDENT(2));
        putchar('\n');
        json_decref(all);
        return;
    }
    printf(
        "%d samples of %zu tokens (%d supervised) and %d pictures of %d x %d patches; threads: %d, %s\n"
        "matrix product %d x %d x %d on all threads: %.0f GFLOP/s in f32, %.0f in bf16\n\n%-16s %9s %9s %10s %10s %11s "
        "%9s %6s\n",
        b->n_samples, b->n_tokens, N_ANSWER, PER_SAMPLE, b->grid_w, b->grid_h, n_threads, sv_isa_name(sv_isa_current()),
        PEAK_SIDE, PEAK_SIDE, PEAK_SIDE, b->peak[SV_PRECISION_F32], b->peak[SV_PRECISION_BF16], "", "ms/step", "CPU ms",
        "tokens/s", "samples/s", "pictures/s", "GFLOP/s", "peak");
    json_array_foreach(b->rows, i, row) {
        printf("%-16s %9.1f %9.1f %10.0f %10.1f %11.1f %9.1f %4.0f %%\n", sv_json_text(row, "mode", ""),
               sv_json_real(row, "step_ms", NAN), sv_json_real(row, "cpu_ms", NAN),
               sv_json_real(row, "tokens_per_s", NAN), sv_json_real(row, "samples_per_s", NAN),
               sv_json_real(row, "pictures_per_s", NAN), sv_json_real(row, "gflops", NAN),
               100 * sv_json_real(row, "share_of_peak", NAN));
    }
}

static int parse_count(const char *option, const char *text, int largest, int *out) {
    char *end;
    long value = strtol(text, &end, 10);
    if (end == text || *end || value < 1 || value > largest)
        return sv_cli_usage(&sv_cmd_bench_train, "%s must be 1 to %d, found '%s'", option, largest, text);
    *out = (int)value;
    return 0;
}

static int check_mode(const char *name) {
    for (size_t i = 0; i < SV_COUNT(modes); i++) {
        if (strcmp(name, modes[i].name) == 0) return 0;
    }
    return sv_cli_usage(&sv_cmd_bench_train, "--mode: there is no '%s', see --help", name);
}

static int run(int argc, char **argv) {
    static const struct option options[] = {
        {"model", required_argument, 0, 'm'},   {"threads", required_argument, 0, 't'},
        {"samples", required_argument, 0, 's'}, {"repeats", required_argument, 0, 'r'},
        {"mode", required_argument, 0, 'M'},    {"json", no_argument, 0, 'j'},
        {"help", no_argument, 0, 'h'},          {0}};
    bench b = {.n_samples = 8, .n_repeats = 15};
    bool json = false;
    int letter;
    optind = 1;
    while ((letter = getopt_long(argc, argv, "m:t:h", options, NULL)) != -1) {
        int bad = 0;
        switch (letter) {
            case 'm': b.model_name = optarg; break;
            case 't': bad = sv_cli_parse_threads(&sv_cmd_bench_train, optarg, &b.n_threads); break;
            case 's': bad = parse_count("--samples", optarg, MAX_SAMPLES, &b.n_samples); break;
            case 'r': bad = parse_count("--repeats", optarg, MAX_REPEATS, &b.n_repeats); break;
            case 'M': bad = check_mode(b.only = optarg); break;
            case 'j': json = true; break;
            case 'h': return sv_cli_help(&sv_cmd_bench_train);
            default: return sv_cli_usage(&sv_cmd_bench_train, "the option is not known or lacks its value");
        }
        if (bad) return bad;
    }
    if (optind < argc)
        return sv_cli_usage(&sv_cmd_bench_train, "no more arguments than options, found '%s'", argv[optind]);
    sv_error err;
    b.rows = json_array();
    sv_status s = run_all(&b, &err);
    if (!s) print_results(&b, json);
    for (int i = 0; i < N_BATCHES; i++) free_batch(&b.batches[i]);
    sv_model_free(b.model);
    sv_pool_free(b.pool);
    json_decref(b.rows);
    return s ? sv_cli_fail(&sv_cmd_bench_train, &err) : 0;
}

const sv_command sv_cmd_bench_train = {
    .name = "bench train",
    .summary = "how fast a model learns on this machine",
    .help =
        "Usage: sleepvlm bench train [OPTION]...\n"
        "\n"
        "Whole updates (forwards, backwards, clipping, AdamW) on changing batches of random samples with three\n"
        "pictures each: medians, operations per second, and their share of the speed of a large matrix product of the\n"
        "same precision on as many threads in the same run. Operations that recomputation repeats do not count.\n"
        "\n"
        "  -m, --model NAME|DIR  model (default: random weights of the embedded model's shape, f32)\n"
        "  -t, --threads N       threads (default: one per core)\n"
        "      --samples N       samples of a batch (default 8)\n"
        "      --repeats N       updates that are timed, after three that are not (default 15)\n"
        "      --mode MODE       only full, full-recompute, lora (rank 16), lora-dropout (0.05), full-bf16 or "
        "lora-bf16;\n"
        "                        default: all\n"
        "      --json            print JSON\n",
    .run = run};
