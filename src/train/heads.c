/* heads.c - see heads.h. */
#include "train/heads.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arrays.h"
#include "base/memory.h"
#include "base/random.h"
#include "render/picture.h"
#include "tensor/backward.h"
#include "tensor/gemm.h"

static const struct {
    const char *name, *meaning;
} places[SV_N_PLACES] = {
#define SV_PLACE(name, text, meaning) {text, meaning},
#include "train/heads.def"
#undef SV_PLACE
};

/* Names live as long as the program: errors, logs and parameters point to them. */
static const char *const names[SV_N_PLACES][SV_N_TARGETS] = {
#define SV_TARGET(name, text, loss, n, meaning) "columns." text,
    {
#include "train/heads.def"
    },
#undef SV_TARGET
#define SV_TARGET(name, text, loss, n, meaning) "picture." text,
    {
#include "train/heads.def"
    },
#undef SV_TARGET
#define SV_TARGET(name, text, loss, n, meaning) "prompt." text,
    {
#include "train/heads.def"
    },
#undef SV_TARGET
};

void sv_heads_describe(sv_strbuf *out) {
    sv_strbuf_puts(out, "Heads, PLACE.TARGET or PLACE.TARGET=WEIGHT:\n");
    for (int p = 0; p < SV_N_PLACES; p++) sv_strbuf_printf(out, "  %-10s %s\n", places[p].name, places[p].meaning);
    for (int t = 0; t < SV_N_TARGETS; t++)
        sv_strbuf_printf(out, "  .%-9s %s\n", sv_target_infos[t].name, sv_target_infos[t].meaning);
}

bool sv_heads_read(const sv_heads *h, sv_place place) {
    for (size_t i = 0; h && i < h->n; i++) {
        if (h->items[i].place == place) return true;
    }
    return false;
}

/* ---- setting up */

static sv_status find_head(const char *spec, size_t len, sv_head *out, sv_error *err) {
    for (int p = 0; p < SV_N_PLACES; p++) {
        for (int t = 0; t < SV_N_TARGETS; t++) {
            if (strlen(names[p][t]) != len || memcmp(names[p][t], spec, len) != 0) continue;
            out->name = names[p][t];
            out->place = (sv_place)p;
            out->target = (sv_target)t;
            out->n_out = sv_target_infos[t].n;
            return SV_OK;
        }
    }
    sv_strbuf known = {0};
    sv_heads_describe(&known);
    sv_status s = sv_fail(err, SV_ERR_USAGE, "there is no head '%.*s'. %s", (int)len, spec, sv_strbuf_text(&known));
    sv_strbuf_free(&known);
    return s;
}

static sv_status read_spec(const char *spec, sv_head *out, sv_error *err) {
    const char *equals = strchr(spec, '=');
    out->weight = 1;
    if (equals) {
        char *end;
        out->weight = strtod(equals + 1, &end);
        if (*end || end == equals + 1 || !(out->weight > 0 && out->weight <= SV_MAX_LOSS_WEIGHT))
            return sv_fail(err, SV_ERR_USAGE, "head '%s': expected a weight above 0 and up to %g after '='", spec,
                           SV_MAX_LOSS_WEIGHT);
    }
    return find_head(spec, equals ? (size_t)(equals - spec) : strlen(spec), out, err);
}

static void begin(float *values, size_t n, size_t n_in, uint64_t seed) {
    double bound = 1 / sqrt((double)n_in);
    for (size_t i = 0; i < n; i++) values[i] = (float)(bound * (2 * sv_random_unit(seed, i) - 1));
}

static sv_status add_head(sv_heads *h, const char *spec, sv_trainee *t, sv_error *err) {
    sv_head head = {0};
    sv_parameter weight, bias;
    char name[64];
    sv_status s = read_spec(spec, &head, err);
    for (size_t i = 0; i < h->n && !s; i++) {
        if (h->items[i].name == head.name) s = sv_fail(err, SV_ERR_USAGE, "head '%s' is there twice", head.name);
    }
    if (s) return s;
    head.n_in = head.place == SV_PLACE_PROMPT ? h->width : (size_t)h->cells_h * h->width;
    snprintf(name, sizeof name, "heads.%s.weight", head.name);
    s = sv_trainee_add_helper(t, name, 2, (int64_t[]){(int64_t)head.n_out, (int64_t)head.n_in}, &weight, err);
    snprintf(name, sizeof name, "heads.%s.bias", head.name);
    if (!s) s = sv_trainee_add_helper(t, name, 1, (int64_t[]){(int64_t)head.n_out}, &bias, err);
    if (s) return s;
    head.weights = weight.value;
    head.dweights = weight.gradient;
    head.bias = bias.value;
    head.dbias = bias.gradient;
    begin(head.weights, weight.n, head.n_in, t->seed + t->n_parameters);
    h->items[h->n++] = head; /* there is room: no two of them are alike */
    return SV_OK;
}

sv_status sv_heads_new(const char *const *specs, size_t n, sv_trainee *t, sv_pool *pool, sv_heads **out,
                       sv_error *err) {
    const sv_model_config *c = &t->network.config;
    int cell = c->vision.patch * c->vision.merge, height, width;
    sv_heads *h = *out = sv_calloc(1, sizeof *h);
    if (!h) return sv_fail_memory(err, "heads", sizeof *h);
    h->pool = pool;
    h->width = (size_t)c->text.hidden;
    h->merge = c->vision.merge;
    sv_status s =
        sv_smart_resize(SV_PICTURE_HEIGHT, SV_PICTURE_WIDTH, cell, c->min_pixels, c->max_pixels, &height, &width, err);
    if (!s) {
        h->cells_h = height / cell;
        h->cells_w = width / cell;
    }
    for (size_t i = 0; i < n && !s; i++) s = add_head(h, specs[i], t, err);
    if (s) {
        sv_heads_free(h);
        *out = NULL;
    }
    return s;
}

void sv_heads_free(sv_heads *h) {
    if (!h) return;
    free(h->storage);
    free(h);
}

static bool read_pictures(const sv_heads *h) {
    return sv_heads_read(h, SV_PLACE_COLUMNS) || sv_heads_read(h, SV_PLACE_PICTURE);
}

static sv_status reserve(sv_heads *h, size_t n, sv_error *err) {
    size_t n_pictures = read_pictures(h) ? n : 0, n_columns = n_pictures * (size_t)h->cells_w;
    size_t n_in = (size_t)h->cells_h * h->width, n_rows = SV_MAX(n, n_columns);
    const sv_array arrays[] = {{&h->columns, n_columns, n_in},       {&h->dcolumns, n_columns, n_in},
                               {&h->pictures, n_pictures, n_in},     {&h->dpictures, n_pictures, n_in},
                               {&h->outputs, n_rows, SV_TARGET_MAX}, {&h->doutputs, n_rows, SV_TARGET_MAX}};
    if (n <= h->capacity) return SV_OK;
    free(h->storage);
    h->storage = sv_arrays_new(arrays, SV_COUNT(arrays));
    h->capacity = h->storage ? n : 0;
    return h->storage ? SV_OK : sv_fail_memory(err, "heads", 2 * n_columns * n_in * sizeof(float));
}

/* ---- one head */

static size_t pieces(const sv_heads *h, const sv_head *head) {
    return head->place == SV_PLACE_COLUMNS ? (size_t)h->cells_w : 1;
}

/* What the head should say at row `row` (piece by piece of one sample after another), and the weight of each value.
 * Returns how many are known. */
static size_t wanted(const sv_heads *h, const sv_head *head, const sv_train_batch *batch, size_t row, float *values,
                     double *weight) {
    size_t n = pieces(h, head), piece = row % n;
    const sv_train_sample *sample = &batch->samples[row / n];
    bool is_seen = head->place == SV_PLACE_PROMPT || sample->n_pictures > 0;
    *weight = sample->weight;
    if (!sample->facts || !is_seen || sample->weight == 0) return 0;
    double step_s = (double)SV_EPOCH_S / (double)n;
    return sv_target_values(head->target, sample->facts, step_s * (double)piece, step_s * (double)(piece + 1), values);
}

void sv_heads_weigh(const sv_heads *h, const sv_train_batch *batch, double *weights) {
    float values[SV_TARGET_MAX];
    double weight;
    for (size_t i = 0; i < h->n; i++) {
        size_t n_rows = batch->n_samples * pieces(h, &h->items[i]);
        for (size_t row = 0; row < n_rows; row++)
            weights[i] += (double)wanted(h, &h->items[i], batch, row, values, &weight) * weight;
    }
}

/* Losses at rows x [n_rows, n_in] and, unless scale is 0, all gradients; dx may be NULL. */
static void learn(sv_heads *h, const sv_head *head, const sv_train_batch *batch, const float *x, double scale,
                  sv_head_loss *loss, float *dx) {
    size_t n_rows = batch->n_samples * pieces(h, head), n_out = head->n_out, n_in = head->n_in;
    float values[SV_TARGET_MAX];
    double weight;
    for (size_t r = 0; r < n_rows; r++) memcpy(h->outputs + r * n_out, head->bias, n_out * sizeof *head->bias);
    sv_gemm(n_rows, n_out, n_in, (sv_operand){x, n_in, false}, (sv_operand){head->weights, n_in, true}, h->outputs,
            n_out, h->pool);
    for (size_t r = 0; r < n_rows; r++) {
        float *d = h->doutputs + r * n_out;
        size_t n_known = wanted(h, head, batch, r, values, &weight), n_right = 0;
        if (!n_known) {
            memset(d, 0, n_out * sizeof *d);
            continue;
        }
        loss->sum += weight * sv_target_lose(head->target, h->outputs + r * n_out, values, d, &n_right);
        loss->weight += weight * (double)n_known;
        loss->right += weight * (double)n_right;
        for (size_t k = 0; k < n_out; k++) d[k] *= (float)(scale * weight);
    }
    if (scale == 0) return;
    sv_add_columns(h->doutputs, n_out, n_rows, n_out, head->dbias, h->pool);
    sv_gemm(n_out, n_in, n_rows, (sv_operand){h->doutputs, n_out, true}, (sv_operand){x, n_in, false}, head->dweights,
            n_in, h->pool);
    if (!dx) return;
    sv_gemm(n_rows, n_in, n_out, (sv_operand){h->doutputs, n_out, false}, (sv_operand){head->weights, n_in, false}, dx,
            n_in, h->pool);
}

static void learn_all(sv_heads *h, sv_place place, const sv_train_batch *batch, const float *x, const double *scales,
                      sv_head_loss *losses, float *dx) {
    for (size_t i = 0; i < h->n; i++) {
        if (h->items[i].place == place)
            learn(h, &h->items[i], batch, x, scales ? scales[i] : 0, &losses[i], scales ? dx : NULL);
    }
}

/* ---- pictures */

static sv_status check_picture(const sv_heads *h, const sv_train_batch *batch, size_t picture, sv_error *err) {
    if (picture >= batch->n_pictures)
        return sv_fail(err, SV_ERR_INPUT, "asked about picture %zu of the batch, which has %zu", picture,
                       batch->n_pictures);
    int height = batch->pictures[picture].grid_h / h->merge, width = batch->pictures[picture].grid_w / h->merge;
    if (height == h->cells_h && width == h->cells_w) return SV_OK;
    return sv_fail(err, SV_ERR_INPUT, "heads read pictures of %d x %d cells (those of 448 x 224 pixels), found %d x %d",
                   h->cells_w, h->cells_h, width, height);
}

static sv_status check_pictures(const sv_heads *h, const sv_train_batch *batch, sv_error *err) {
    for (size_t i = 0; i < batch->n_samples; i++) {
        const sv_train_sample *sample = &batch->samples[i];
        if (sample->n_pictures && check_picture(h, batch, sample->asked, err))
            return sv_sample_error_prefix(err, batch, i);
    }
    return SV_OK;
}

/* Copies the cells of the asked pictures into the columns, or adds the columns to the cells. */
static void each_cell(sv_heads *h, const sv_train_batch *batch, const size_t *first_cell, float *columns,
                      const float *from, float *to) {
    size_t width = h->width, n_h = (size_t)h->cells_h, n_w = (size_t)h->cells_w;
    for (size_t i = 0; i < batch->n_samples; i++) {
        if (batch->samples[i].n_pictures == 0) {
            memset(columns + i * n_w * n_h * width, 0, n_w * n_h * width * sizeof *columns);
            continue;
        }
        for (size_t k = 0; k < n_h * n_w; k++) {
            size_t cell = (first_cell[batch->samples[i].asked] + k) * width;
            float *place = columns + ((i * n_w + k % n_w) * n_h + k / n_w) * width;
            if (from) memcpy(place, from + cell, width * sizeof *place);
            for (size_t j = 0; to && j < width; j++) to[cell + j] += place[j];
        }
    }
}

/* pictures: means over the columns; or, backwards, their gradients spread over them. */
static void mean_columns(sv_heads *h, size_t n, bool backwards) {
    size_t n_w = (size_t)h->cells_w, n_in = (size_t)h->cells_h * h->width;
    float share = 1 / (float)n_w;
    for (size_t i = 0; i < n; i++) {
        for (size_t c = 0; c < n_w; c++) {
            size_t at = (i * n_w + c) * n_in;
            for (size_t k = 0; k < n_in; k++) {
                if (backwards)
                    h->dcolumns[at + k] += share * h->dpictures[i * n_in + k];
                else
                    h->pictures[i * n_in + k] += share * h->columns[at + k];
            }
        }
    }
}

sv_status sv_heads_see(sv_heads *h, const sv_train_batch *batch, const size_t *first_cell, const float *embeddings,
                       const double *scales, sv_head_loss *losses, float *dembeddings, sv_error *err) {
    size_t n = batch->n_samples, n_in = (size_t)h->cells_h * h->width, n_columns = n * (size_t)h->cells_w;
    sv_status s = check_pictures(h, batch, err);
    if (!s) s = reserve(h, n, err);
    if (s) return s;
    each_cell(h, batch, first_cell, h->columns, embeddings, NULL);
    memset(h->pictures, 0, n * n_in * sizeof *h->pictures);
    memset(h->dpictures, 0, n * n_in * sizeof *h->dpictures);
    memset(h->dcolumns, 0, n_columns * n_in * sizeof *h->dcolumns);
    mean_columns(h, n, false);
    learn_all(h, SV_PLACE_COLUMNS, batch, h->columns, scales, losses, dembeddings ? h->dcolumns : NULL);
    learn_all(h, SV_PLACE_PICTURE, batch, h->pictures, scales, losses, dembeddings ? h->dpictures : NULL);
    if (!scales || !dembeddings) return SV_OK;
    mean_columns(h, n, true);
    each_cell(h, batch, first_cell, h->dcolumns, NULL, dembeddings);
    return SV_OK;
}

sv_status sv_heads_listen(sv_heads *h, const sv_train_batch *batch, const float *x, const double *scales,
                          sv_head_loss *losses, float *dx, sv_error *err) {
    sv_status s = reserve(h, batch->n_samples, err);
    if (!s) learn_all(h, SV_PLACE_PROMPT, batch, x, scales, losses, dx);
    return s;
}
