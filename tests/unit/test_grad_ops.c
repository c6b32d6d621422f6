/* test_grad_ops.c - gradients of each operation against central differences: of double references where the operation
 * bends, of the f32 forward pass where it is linear in each argument. Tolerance: 2e-5 of the largest gradient. */
#include "support/test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/folder.h"
#include "base/memory.h"
#include "base/random.h"
#include "model/random_model.h"
#include "tensor/attention_backward.h"
#include "tensor/backward.h"
#include "train/linear_gradient.h"
#include "train/pass.h"

enum { MAX = 4096 };

static void fill(float *values, size_t n, uint32_t seed) {
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525U + 1013904223U;
        values[i] = (float)(seed >> 8) / (float)(1 << 23) - 1;
    }
}

/* What an operation makes of its arguments, summed with the weights dy: all of it in double. */
typedef double loss_function(const void *context, const double *x, const float *dy);

/* gradient: of the n arguments at x, dy as given. */
static void check(const char *name, loss_function *loss, const void *context, const float *x, size_t n, const float *dy,
                  const float *gradient) {
    double values[MAX], expected[MAX], largest = 0;
    assert_true(n <= MAX);
    for (size_t i = 0; i < n; i++) values[i] = (double)x[i];
    for (size_t i = 0; i < n; i++) {
        const double step = 1e-5, here = values[i];
        values[i] = here + step;
        double above = loss(context, values, dy);
        values[i] = here - step;
        expected[i] = (above - loss(context, values, dy)) / (2 * step);
        values[i] = here;
        largest = fmax(largest, fabs(expected[i]));
    }
    assert_true(largest > 0);
    for (size_t i = 0; i < n; i++) {
        if (!(fabs((double)gradient[i] - expected[i]) <= 2e-5 * largest))
            fail_msg("%s: gradient %zu is %g, not %g", name, i, (double)gradient[i], expected[i]);
    }
}

/* ---- rows */

enum { ROWS = 3, WIDTH = 37 };

static double norm_loss(const void *context, const double *x, const float *dy) {
    (void)context; /* x: rows, then the weight */
    const double *weight = x + ROWS * WIDTH;
    double sum = 0;
    for (size_t r = 0; r < ROWS; r++) {
        double squares = 0;
        for (size_t i = 0; i < WIDTH; i++) squares += x[r * WIDTH + i] * x[r * WIDTH + i];
        double scale = 1 / sqrt(squares / WIDTH + 1e-3);
        for (size_t i = 0; i < WIDTH; i++) sum += (double)dy[r * WIDTH + i] * x[r * WIDTH + i] * scale * weight[i];
    }
    return sum;
}

static void norm(void **state) {
    (void)state;
    float x[(ROWS + 1) * WIDTH], dy[ROWS * WIDTH], gradient[(ROWS + 1) * WIDTH] = {0};
    fill(x, SV_COUNT(x), 1);
    fill(dy, SV_COUNT(dy), 2);
    sv_rms_norm_backward(x, x + ROWS * WIDTH, 1e-3F, dy, ROWS, WIDTH, gradient, gradient + ROWS * WIDTH, NULL);
    check("norm", norm_loss, NULL, x, SV_COUNT(x), dy, gradient);
}

static double swiglu_loss(const void *context, const double *x, const float *dy) {
    (void)context;
    double sum = 0;
    for (size_t r = 0; r < ROWS; r++) {
        const double *gate = x + r * 2 * WIDTH, *up = gate + WIDTH;
        for (size_t i = 0; i < WIDTH; i++) sum += (double)dy[r * WIDTH + i] * gate[i] / (1 + exp(-gate[i])) * up[i];
    }
    return sum;
}

static double gelu_loss(const void *context, const double *x, const float *dy) {
    (void)context;
    double sum = 0;
    for (size_t i = 0; i < ROWS * WIDTH; i++) sum += (double)dy[i] * 0.5 * x[i] * (1 + erf(x[i] / sqrt(2)));
    return sum;
}

static void gates(void **state) {
    (void)state;
    float x[2 * ROWS * WIDTH], dy[ROWS * WIDTH], gradient[2 * ROWS * WIDTH];
    fill(x, SV_COUNT(x), 3);
    fill(dy, SV_COUNT(dy), 4);
    for (size_t i = 0; i < SV_COUNT(x); i++) x[i] *= 4;
    sv_swiglu_backward(x, dy, ROWS, WIDTH, gradient, NULL);
    check("SwiGLU", swiglu_loss, NULL, x, SV_COUNT(x), dy, gradient);
    sv_gelu_backward(x, dy, ROWS, WIDTH, gradient, NULL);
    check("GELU", gelu_loss, NULL, x, ROWS * WIDTH, dy, gradient);
}

enum { HALF = 5 };
static const float angles[HALF] = {0.1F, 1.3F, -2.2F, 3.0F, 0.7F};

static double rope_loss(const void *context, const double *x, const float *dy) {
    (void)context;
    double sum = 0;
    for (size_t i = 0; i < HALF; i++) {
        double c = cos((double)angles[i]), s = sin((double)angles[i]);
        sum += (double)dy[i] * (x[i] * c - x[i + HALF] * s) + (double)dy[i + HALF] * (x[i + HALF] * c + x[i] * s);
    }
    return sum;
}

static void rope(void **state) {
    (void)state;
    float x[2 * HALF], dy[2 * HALF], gradient[2 * HALF], cosines[HALF], sines[HALF];
    fill(x, SV_COUNT(x), 5);
    fill(dy, SV_COUNT(dy), 6);
    for (size_t i = 0; i < HALF; i++) {
        cosines[i] = cosf(angles[i]);
        sines[i] = sinf(angles[i]);
    }
    memcpy(gradient, dy, sizeof dy);
    sv_rope_unrotate(gradient, HALF, cosines, sines);
    check("rotation", rope_loss, NULL, x, SV_COUNT(x), dy, gradient);
}

/* ---- attention */

typedef struct heads {
    size_t n, d, group;
    bool causal;
} heads;

/* x [n, (group + 2) d]: queries of the group, key, value */
static double attention_loss(const void *context, const double *x, const float *dy) {
    const heads *h = context;
    size_t stride = (h->group + 2) * h->d;
    double sum = 0;
    for (size_t q = 0; q < h->n * h->group; q++) {
        size_t row = q / h->group, head = q % h->group, n = h->causal ? row + 1 : h->n;
        double total = 0, weighted = 0;
        for (size_t k = 0; k < n; k++) {
            const double *key = x + k * stride + h->group * h->d, *value = key + h->d;
            double score = 0, out = 0;
            for (size_t i = 0; i < h->d; i++) {
                score += x[row * stride + head * h->d + i] * key[i];
                out += value[i] * (double)dy[(row * h->group + head) * h->d + i];
            }
            double weight = exp(score / sqrt((double)h->d));
            total += weight;
            weighted += weight * out;
        }
        sum += weighted / total;
    }
    return sum;
}

static void attention(void **state) {
    (void)state;
    static const heads cases[] = {
        {5, 4, 1, true}, {5, 4, 1, false}, {7, 3, 3, true}, {7, 3, 3, false}, {70, 2, 2, true}};
    for (size_t c = 0; c < SV_COUNT(cases); c++) {
        const heads *h = &cases[c];
        size_t stride = (h->group + 2) * h->d, key = h->group * h->d, n = h->n * stride;
        float x[MAX], dy[MAX], gradient[MAX] = {0};
        fill(x, n, 7);
        fill(dy, h->n * key, 8);
        float *work = sv_alloc_aligned(sv_attention_gradient_work(h->n), sizeof *work);
        assert_non_null(work);
        sv_attention_backward(&(sv_attention_gradient){.n = h->n,
                                                       .head_dim = h->d,
                                                       .group = h->group,
                                                       .causal = h->causal,
                                                       .scale = 1 / sqrtf((float)h->d),
                                                       .queries = x,
                                                       .keys = x + key,
                                                       .values = x + key + h->d,
                                                       .stride = stride,
                                                       .dout = dy,
                                                       .out_stride = key,
                                                       .dqueries = gradient,
                                                       .dkeys = gradient + key,
                                                       .dvalues = gradient + key + h->d,
                                                       .work = work});
        free(work);
        check("attention", attention_loss, h, x, n, dy, gradient);
    }
}

/* ---- the layer */

enum { IN = 13, OUT = 11, RANK = 3, N_WEIGHT = OUT * IN, N_A = RANK * IN, N_B = OUT * RANK, N_X = ROWS * IN };

/* arguments: W, A, B, x, bias */
static double layer_loss(float *v, const float *dy, const sv_dropout *dropout, sv_linear_space *space,
                         sv_linear *linear) {
    float y[ROWS * OUT];
    double sum = 0;
    *linear = (sv_linear){.n_in = IN, .n_out = OUT, .n_parts = 1, .bias = v + N_WEIGHT + N_A + N_B + N_X};
    linear->parts[0] = (sv_linear_part){.weight = {.dtype = SV_F32, .n_out = OUT, .n_in = IN, .data = v},
                                        .a = {.dtype = SV_F32, .n_out = RANK, .n_in = IN, .data = v + N_WEIGHT},
                                        .b = {.dtype = SV_F32, .n_out = OUT, .n_in = RANK, .data = v + N_WEIGHT + N_A},
                                        .scale = 1.5F};
    sv_linear_forward(linear, dropout, v + N_WEIGHT + N_A + N_B, IN, ROWS, y, false, space);
    for (size_t i = 0; i < ROWS * OUT; i++) sum += (double)dy[i] * (double)y[i];
    return sum;
}

static void layer(void **state) {
    (void)state;
    static float dropped[N_X], ddropped[N_X], low_rank[ROWS * RANK], dlow_rank[ROWS * RANK], dense[SV_DENSE_ROWS * IN];
    sv_linear_space space = {
        .dropped = dropped, .ddropped = ddropped, .low_rank = low_rank, .dlow_rank = dlow_rank, .dense = dense};
    float v[N_WEIGHT + N_A + N_B + N_X + OUT], g[SV_COUNT(v)], dy[ROWS * OUT];
    fill(v, SV_COUNT(v), 9);
    fill(dy, SV_COUNT(dy), 10);
    for (int drops = 0; drops < 2; drops++) {
        const sv_dropout dropout = {drops ? 0.4 : 0, 12345};
        sv_linear linear;
        memset(g, 0, sizeof g);
        (void)layer_loss(v, dy, &dropout, &space, &linear);
        const sv_linear_gradient gradient = {
            .weight = {g}, .a = {g + N_WEIGHT}, .b = {g + N_WEIGHT + N_A}, .bias = g + N_WEIGHT + N_A + N_B + N_X};
        sv_linear_backward(&linear, &gradient, &dropout, v + N_WEIGHT + N_A + N_B, IN, ROWS, dy,
                           g + N_WEIGHT + N_A + N_B, IN, &space);
        for (size_t i = 0; i < SV_COUNT(v); i++) {
            float here = v[i]; /* the loss is linear in each argument: any step will do */
            v[i] = here + 1;
            double above = layer_loss(v, dy, &dropout, &space, &linear);
            v[i] = here - 1;
            double expected = (above - layer_loss(v, dy, &dropout, &space, &linear)) / 2;
            v[i] = here;
            if (!(fabs((double)g[i] - expected) <= 5e-5))
                fail_msg("layer, dropout %d: gradient %zu is %g, not %g", drops, i, (double)g[i], expected);
        }
    }
}

/* What dropout draws many at a time are the generator's numbers. */
static void random_blocks(void **state) {
    (void)state;
    enum { N = 37 };
    const uint32_t key[2] = {7, 0xFFFFFFFFU};
    uint32_t many[4 * N];
    sv_philox_n((const uint32_t[4]){0xFFFFFFF0U, 5, 6, 8}, key, N, many);
    for (uint32_t i = 0; i < N; i++) {
        uint32_t one[4];
        sv_philox((const uint32_t[4]){0xFFFFFFF0U + i, 5, 6, 8}, key, one);
        for (size_t w = 0; w < 4; w++) assert_int_equal(many[w * N + i], one[w]);
    }
}

/* ---- the same bits: recomputed or kept, for any number of threads */

typedef struct night {
    sv_model *model;
    sv_patches picture;
    sv_train_batch batch;
} night;

static void run_pass(const night *m, bool full, bool recompute, int n_threads, double *loss, float **gradients,
                     size_t *n) {
    static const char *const targets[] = {"q_proj", "v_proj", "down_proj", "qkv", "proj"};
    const sv_trainee_options options = {.full = full,
                                        .targets = targets,
                                        .n_targets = SV_COUNT(targets),
                                        .rank = 4,
                                        .alpha = 8,
                                        .dropout = 0.1,
                                        .seed = 3};
    sv_trainee *t;
    sv_pass *pass;
    sv_pool *pool;
    sv_pass_loss sum;
    sv_error err;
    ASSERT_OK(sv_pool_new(n_threads, &pool, &err), err);
    ASSERT_OK(sv_trainee_new(m->model, &options, &t, &err), err);
    for (size_t i = 0; i < t->n_parameters; i++) { /* B of a new pair is zero: nothing would flow to A */
        if (!full) fill(t->parameters[i].value, t->parameters[i].n, (uint32_t)i);
    }
    sv_trainee_values_changed(t);
    sv_trainee_clear_gradients(t);
    ASSERT_OK(sv_pass_new(t, &(sv_pass_options){.recompute = recompute}, pool, &pass, &err), err);
    ASSERT_OK(sv_pass_run(pass, &m->batch, &(sv_pass_scales){.answers = 0.1}, 7, &sum, &err), err);
    *loss = sum.sum;
    *n = t->n_values;
    *gradients = sv_calloc(t->n_values, sizeof **gradients);
    assert_non_null(*gradients);
    for (size_t i = 0, at = 0; i < t->n_parameters; at += t->parameters[i++].n)
        memcpy(*gradients + at, t->parameters[i].gradient, t->parameters[i].n * sizeof **gradients);
    sv_pass_free(pass);
    sv_trainee_free(t);
    sv_pool_free(pool);
}

static void compare_passes(const night *m, bool full) {
    float *first, *other, largest = 0;
    double loss, other_loss;
    size_t n, n_other;
    run_pass(m, full, false, 1, &loss, &first, &n);
    for (size_t i = 0; i < n; i++) largest = fmaxf(largest, fabsf(first[i]));
    assert_true(isfinite(loss) && loss > 0 && largest > 0 && isfinite(largest));
    for (int n_threads = 1; n_threads <= 3; n_threads++) {
        run_pass(m, full, true, n_threads, &other_loss, &other, &n_other);
        assert_true(n == n_other && loss == other_loss);
        assert_memory_equal(first, other, n * sizeof *first);
        free(other);
    }
    free(first);
}

static void same_bits(void **state) {
    (void)state;
    enum { SIDE = 224 };
    char folder[] = "/tmp/sleepvlm-test-XXXXXX";
    const sv_random_model_options options = {
        .shape = sv_model_shape_find("tiny"), .dtype = SV_F32, .seed = 1, .max_shard_bytes = UINT64_MAX};
    night m = {0};
    sv_error err;
    assert_non_null(mkdtemp(folder));
    ASSERT_OK(sv_random_model_write(folder, &options, &err), err);
    ASSERT_OK(sv_model_load(folder, NULL, &m.model, &err), err);
    sv_folder_remove(folder);
    const sv_model_config *c = sv_model_get_config(m.model);
    static unsigned char pixels[3 * SIDE * SIDE];
    for (size_t i = 0; i < sizeof pixels; i++) pixels[i] = (unsigned char)(i * 2654435761U >> 11);
    sv_image image = {SIDE, SIDE, 3, pixels};
    ASSERT_OK(sv_image_to_patches(c, &image, &m.picture, &err), err);
    size_t n_cells = (size_t)(m.picture.grid_h * m.picture.grid_w / (c->vision.merge * c->vision.merge));
    size_t n = n_cells + 80, which = 0;
    int32_t *ids = sv_calloc(n, sizeof *ids);
    float *weights = sv_calloc(n, sizeof *weights);
    assert_true(ids && weights);
    for (size_t i = 0; i < n; i++) {
        bool in_picture = i > 0 && i <= n_cells;
        ids[i] = in_picture ? c->image_token : (int32_t)(i * 7 % 100);
        weights[i] = i > n_cells + 20 ? 1 : 0;
    }
    /* the picture is shown twice, the second sample is text alone */
    const sv_train_sample samples[] = {
        {.ids = ids, .weights = weights, .n_ids = n, .pictures = &which, .n_pictures = 1},
        {.ids = ids + n_cells + 1, .weights = weights + n_cells + 1, .n_ids = 79},
        {.ids = ids, .weights = weights, .n_ids = n - 9, .pictures = &which, .n_pictures = 1}};
    m.batch = (sv_train_batch){samples, SV_COUNT(samples), &m.picture, 1};
    compare_passes(&m, true);
    compare_passes(&m, false);
    free(ids);
    free(weights);
    sv_patches_free(&m.picture);
    sv_model_free(m.model);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(norm),         cmocka_unit_test(gates),
                                       cmocka_unit_test(rope),         cmocka_unit_test(attention),
                                       cmocka_unit_test(layer),        cmocka_unit_test(same_bits),
                                       cmocka_unit_test(random_blocks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
