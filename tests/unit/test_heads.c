/* test_heads.c - what linear heads learn, their losses, and that what they send back into the network is the gradient.
 */
#include "support/tiny_model.h"

#include <math.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "base/random.h"
#include "model/random_model.h"
#include "train/adamw.h"
#include "train/checkpoint.h"
#include "train/pass.h"
#include "train/save.h"

/* ---- targets */

static void add_event(sv_epoch_facts *facts, sv_event_kind kind, double onset_s, double duration_s) {
    sv_error err;
    const sv_event event = {kind, sv_role_bit(SV_ROLE_C4), onset_s, duration_s, NAN, NAN};
    ASSERT_OK(sv_events_add(&facts->events, &event, &err), err);
}

/* N2 with a spindle from 3 to 4 s and a slow wave that began before the epoch; C4 and the chin. */
static void some_facts(sv_epoch_facts *out) {
    *out = (sv_epoch_facts){.stage = SV_STAGE_N2,
                            .rules = 1u << 2 | 1u << 7,
                            .roles = sv_role_bit(SV_ROLE_C4) | sv_role_bit(SV_ROLE_CHIN),
                            .has_seconds = true,
                            .has_events = true};
    for (int t = 0; t < SV_EPOCH_S; t++) {
        out->seconds[SV_ROLE_C4][t] = (sv_second_features){15 + t, 10, 8, 6, 10};
        out->seconds[SV_ROLE_CHIN][t] = (sv_second_features){0, 0, 0, 0, t == 0 ? 0 : 1};
    }
    add_event(out, SV_EVENT_SLOW_WAVE, -0.5, 1);
    add_event(out, SV_EVENT_SPINDLE, 3, 1);
}

static void targets_say_what_is_known(void **state) {
    (void)state;
    sv_epoch_facts facts;
    float v[SV_TARGET_MAX];
    some_facts(&facts);

    assert_int_equal(sv_target_values(SV_TARGET_STAGE, &facts, 0, 30, v), 1);
    assert_float_equal(v[0], SV_STAGE_N2, 0);

    assert_int_equal(sv_target_values(SV_TARGET_RULES, &facts, 0, 30, v), SV_N_RULES);
    for (int i = 0; i < SV_N_RULES; i++) assert_float_equal(v[i], i == 2 || i == 7, 0);

    assert_int_equal(sv_target_values(SV_TARGET_EVENTS, &facts, 2, 4, v), SV_N_EVENT_KINDS);
    assert_float_equal(v[SV_EVENT_SPINDLE], 0.5, 1e-6);
    assert_float_equal(v[SV_EVENT_SLOW_WAVE], 0, 0);
    sv_target_values(SV_TARGET_EVENTS, &facts, 0, 2, v);
    assert_float_equal(v[SV_EVENT_SLOW_WAVE], 0.25, 1e-6);

    /* seconds 2.5 to 4: half of the third, all of the fourth; delta is 17 and 18 dB, centred at 15, 5 dB a unit */
    assert_int_equal(sv_target_values(SV_TARGET_BANDS, &facts, 2.5, 4, v), 4);
    assert_float_equal(v[SV_ROLE_C4 * 4], 0.5333333F, 1e-6);
    assert_float_equal(v[SV_ROLE_C4 * 4 + 1], 0, 1e-6);
    assert_true(isnan(v[SV_ROLE_F4 * 4]) && isnan(v[SV_ROLE_CHIN * 4]));

    assert_int_equal(sv_target_values(SV_TARGET_MAV, &facts, 0, 1, v), 2);
    assert_float_equal(v[SV_ROLE_C4], 0.4F, 1e-6);
    assert_true(isfinite(v[SV_ROLE_CHIN])); /* 0 uV in its first second */
    assert_true(isnan(v[SV_ROLE_LOC]));

    sv_epoch_facts_free(&facts);
    facts.stage = SV_STAGE_NONE;
    for (int t = 0; t < SV_N_TARGETS; t++) assert_int_equal(sv_target_values((sv_target)t, &facts, 0, 30, v), 0);
}

static void losses_have_their_gradients(void **state) {
    (void)state;
    const float h = 1e-2F;
    for (int t = 0; t < SV_N_TARGETS; t++) {
        size_t n = sv_target_infos[t].n, n_right = 0;
        float y[SV_TARGET_MAX], v[SV_TARGET_MAX], g[SV_TARGET_MAX], unused[SV_TARGET_MAX];
        bool value = sv_target_infos[t].loss == SV_LOSS_VALUE;
        for (size_t i = 0; i < n; i++) {
            y[i] = (float)(4 * sv_random_unit(1, i) - 2);
            v[i] = (float)(value ? 4 * sv_random_unit(2, i) - 2 : sv_random_unit(2, i));
        }
        if (sv_target_infos[t].loss == SV_LOSS_CHOICE)
            v[0] = 3;
        else
            v[1] = NAN;
        assert_true(sv_target_lose((sv_target)t, y, v, g, &n_right) > 0);
        for (size_t i = 0; i < n; i++) {
            float old = y[i];
            y[i] = old + h;
            double up = sv_target_lose((sv_target)t, y, v, unused, &n_right);
            y[i] = old - h;
            double down = sv_target_lose((sv_target)t, y, v, unused, &n_right);
            y[i] = old;
            assert_float_equal((float)((up - down) / (2 * (double)h)), g[i], 2e-3);
        }
    }
    /* Huber's loss by hand; what is chosen is counted */
    float y[SV_TARGET_MAX] = {0}, v[SV_TARGET_MAX], g[SV_TARGET_MAX];
    size_t n_right = 0;
    for (size_t i = 0; i < SV_TARGET_MAX; i++) v[i] = NAN;
    v[0] = 0.5F;
    v[1] = -3;
    assert_float_equal(sv_target_lose(SV_TARGET_MAV, y, v, g, &n_right), 0.125 + 2.5, 1e-6);
    y[4] = 2;
    v[0] = 4;
    sv_target_lose(SV_TARGET_STAGE, y, v, g, &n_right);
    v[0] = 1;
    sv_target_lose(SV_TARGET_STAGE, y, v, g, &n_right);
    assert_int_equal(n_right, 1);
}

/* ---- through the network */

enum { N_SAMPLES = 3, N_TEXT = 9, MAX_CELLS = 128 };

typedef struct work {
    sv_pool *pool;
    sv_trainee *t;
    sv_heads *heads;
    sv_pass *pass;
    sv_patches pictures[N_SAMPLES];
    sv_epoch_facts facts;
    int32_t ids[N_TEXT + MAX_CELLS];
    float weights[N_TEXT + MAX_CELLS];
    size_t which[N_SAMPLES];
    sv_train_sample samples[N_SAMPLES];
    sv_train_batch batch;
} work;

static void draw(sv_patches *out, uint64_t seed, int width, int height) {
    sv_error err;
    sv_image image = {.width = width, .height = height, .n_channels = 3};
    size_t n = (size_t)width * (size_t)height * 3;
    image.pixels = sv_calloc(n, 1);
    assert_non_null(image.pixels);
    for (size_t i = 0; i < n; i++) image.pixels[i] = (unsigned char)(255 * sv_random_unit(seed, i / 977));
    ASSERT_OK(sv_image_to_patches(&base->config, &image, out, &err), err);
    sv_image_free(&image);
}

static void open_with(work *w, const char *const *specs, size_t n, int n_threads, const char *freeze,
                      bool share_prefix) {
    sv_error err;
    const sv_trainee_options options = {.full = true, .freeze = freeze};
    const sv_model_config *c = &base->config;
    *w = (work){0};
    some_facts(&w->facts);
    ASSERT_OK(sv_pool_new(n_threads, &w->pool, &err), err);
    ASSERT_OK(sv_trainee_new(base, &options, &w->t, &err), err);
    ASSERT_OK(sv_heads_new(specs, n, w->t, w->pool, &w->heads, &err), err);
    const sv_pass_options pass = {.heads = w->heads, .share_prefix = share_prefix};
    ASSERT_OK(sv_pass_new(w->t, &pass, w->pool, &w->pass, &err), err);
    size_t n_ids = 0, n_cells = (size_t)(w->heads->cells_w * w->heads->cells_h);
    w->ids[n_ids++] = c->vision_start_token;
    while (n_ids <= n_cells) w->ids[n_ids++] = c->image_token;
    w->ids[n_ids++] = c->vision_end_token;
    for (int32_t i = 0; i < N_TEXT - 2; i++) {
        w->weights[n_ids] = i >= 4;
        w->ids[n_ids++] = 100 + 7 * i;
    }
    for (size_t i = 0; i < N_SAMPLES; i++) {
        draw(&w->pictures[i], i, 448, 224);
        w->which[i] = i;
        w->samples[i] = (sv_train_sample){.ids = w->ids,
                                          .weights = w->weights,
                                          .n_ids = n_ids,
                                          .pictures = &w->which[i],
                                          .n_pictures = 1,
                                          .n_prompt = n_ids - 3,
                                          .asked = i,
                                          .weight = 1,
                                          .facts = i == 1 ? NULL : &w->facts}; /* of one nothing is known */
    }
    w->batch = (sv_train_batch){w->samples, N_SAMPLES, w->pictures, N_SAMPLES};
}

static void open_work(work *w, const char *const *specs, size_t n, int n_threads) {
    open_with(w, specs, n, n_threads, NULL, false);
}

static void close_work(work *w) {
    for (size_t i = 0; i < N_SAMPLES; i++) sv_patches_free(&w->pictures[i]);
    sv_epoch_facts_free(&w->facts);
    sv_pass_free(w->pass);
    sv_heads_free(w->heads);
    sv_trainee_free(w->t);
    sv_pool_free(w->pool);
}

static sv_pass_scales some_scales(double answers) {
    sv_pass_scales scales = {.answers = answers};
    for (size_t i = 0; i < SV_MAX_HEADS; i++) scales.heads[i] = 0.05 + 0.01 * (double)i;
    return scales;
}

/* What is minimised; with gradients when `backwards`. */
static double total(work *w, const sv_pass_scales *scales, bool backwards) {
    sv_error err;
    sv_pass_loss loss;
    if (backwards) sv_trainee_clear_gradients(w->t);
    sv_trainee_values_changed(w->t);
    ASSERT_OK(sv_pass_run(w->pass, &w->batch, backwards ? scales : NULL, 0, &loss, &err), err);
    double sum = scales->answers * loss.sum;
    for (size_t i = 0; i < w->heads->n; i++) sum += scales->heads[i] * loss.heads[i].sum;
    return sum;
}

static bool is_of(const sv_parameter *p, size_t index, size_t n_own, int group) {
    int its = index >= n_own ? 2 : p->vision ? 0 : 1;
    return its == group;
}

/* Along the gradient of a group of parameters the loss rises by its squared norm. */
static void check_group(work *w, const sv_pass_scales *scales, int group, const char *name) {
    const double h = 2e-3;
    double norm = 0, sides[2];
    sv_trainee *t = w->t;
    float *gradient = sv_calloc(t->n_values, sizeof *gradient);
    assert_non_null(gradient);
    total(w, scales, true);
    for (size_t i = 0, at = 0; i < t->n_parameters; at += t->parameters[i++].n) {
        const sv_parameter *p = &t->parameters[i];
        memcpy(gradient + at, p->gradient, p->n * sizeof *gradient);
        for (size_t k = 0; k < p->n && is_of(p, i, t->n_own, group); k++)
            norm += (double)p->gradient[k] * (double)p->gradient[k];
    }
    norm = sqrt(norm);
    assert_true(norm > 1e-6);
    for (int side = 0; side < 2; side++) {
        for (int back = 0; back < 2; back++) {
            double step = (side ? -h : h) / norm * (back ? -1 : 1);
            for (size_t i = 0, at = 0; i < t->n_parameters; at += t->parameters[i++].n) {
                const sv_parameter *p = &t->parameters[i];
                for (size_t k = 0; k < p->n && is_of(p, i, t->n_own, group); k++)
                    p->value[k] += (float)(step * (double)gradient[at + k]);
            }
            if (!back) sides[side] = total(w, scales, false);
        }
    }
    free(gradient);
    double slope = (sides[0] - sides[1]) / (2 * h);
    if (fabs(slope - norm) > 0.02 * norm) fail_msg("%s: the gradient's norm is %g, the slope %g", name, norm, slope);
}

static void gradients_reach_the_network(void **state) {
    (void)state;
    static const char *const all[] = {"columns.bands", "columns.events", "picture.stage=2", "picture.mav",
                                      "prompt.stage",  "prompt.rules",   "prompt.bands"};
    work w;
    open_work(&w, all, SV_COUNT(all), 2);
    for (int answers = 0; answers < 2; answers++) {
        const sv_pass_scales scales = some_scales(0.03 * answers);
        check_group(&w, &scales, 0, "vision");
        check_group(&w, &scales, 1, "text");
        check_group(&w, &scales, 2, "heads");
    }
    double known[SV_MAX_HEADS] = {0};
    sv_heads_weigh(w.heads, &w.batch, known);
    assert_float_equal(known[0], 2 * 16 * 4, 0);
    assert_float_equal(known[2], 2, 0);
    assert_float_equal(known[5], 2 * SV_N_RULES, 0);
    assert_float_equal(w.heads->items[2].weight, 2, 0);
    close_work(&w);
}

/* The same with what samples begin with computed once, and with a picture that two of them ask about. */
static void gradients_of_what_is_shared(void **state) {
    (void)state;
    static const char *const some[] = {"columns.events", "picture.stage", "prompt.stage"};
    const sv_pass_scales scales = some_scales(0.03);
    work w;
    open_with(&w, some, SV_COUNT(some), 2, NULL, true);
    w.which[2] = w.samples[2].asked = 0;
    w.samples[2].n_prompt--;
    for (int group = 0; group < 3; group++) check_group(&w, &scales, group, "shared");
    close_work(&w);
}

/* Loss and all gradients of a batch, which stay the trainee's. */
static double take(work *w, const sv_pass_scales *scales, float **gradient) {
    double loss = total(w, scales, true);
    *gradient = sv_calloc(w->t->n_values, sizeof **gradient);
    assert_non_null(*gradient);
    for (size_t i = 0, at = 0; i < w->t->n_parameters; at += w->t->parameters[i++].n)
        memcpy(*gradient + at, w->t->parameters[i].gradient, w->t->parameters[i].n * sizeof **gradient);
    return loss;
}

static void assert_gradients(const work *w, const float *a, const float *b, double times, double tolerance) {
    double off = 0, size = 0;
    for (size_t i = 0; i < w->t->n_values; i++) {
        off = fmax(off, fabs((double)a[i] - times * (double)b[i]));
        size = fmax(size, fabs((double)a[i]));
    }
    assert_true(size > 0 && off <= tolerance * size);
}

/* A sample of weight 2 is two of them; one of weight 0 is none. */
static void samples_are_weighed(void **state) {
    (void)state;
    static const char *const some[] = {"columns.bands", "picture.stage", "prompt.rules"};
    const sv_pass_scales scales = some_scales(0);
    double known[SV_MAX_HEADS] = {0};
    float *once, *twice;
    work w;
    open_work(&w, some, SV_COUNT(some), 1);
    w.samples[2].weight = 0;
    double one = take(&w, &scales, &once);
    w.samples[0].weight = 2;
    double two = take(&w, &scales, &twice);
    assert_true(fabs(two - 2 * one) <= 1e-6 * two);
    assert_gradients(&w, twice, once, 2, 1e-5);
    sv_heads_weigh(w.heads, &w.batch, known);
    assert_float_equal(known[1], 2, 0);
    free(once);
    free(twice);
    close_work(&w);
}

/* Heads on pictures learn nothing of a sample that has none; the others' losses stay what they are. */
static void samples_without_pictures(void **state) {
    (void)state;
    static const char *const some[] = {"columns.bands", "picture.stage", "prompt.stage"};
    const sv_pass_scales scales = some_scales(0.03);
    double with[SV_MAX_HEADS] = {0}, without[SV_MAX_HEADS] = {0};
    sv_error err;
    sv_pass_loss a, b;
    work w;
    open_work(&w, some, SV_COUNT(some), 2);
    w.samples[2].weight = 0;
    sv_heads_weigh(w.heads, &w.batch, with);
    ASSERT_OK(sv_pass_run(w.pass, &w.batch, &scales, 0, &a, &err), err);
    w.samples[2] = (sv_train_sample){.ids = w.ids + w.samples[0].n_ids - N_TEXT + 2,
                                     .weights = w.weights + w.samples[0].n_ids - N_TEXT + 2,
                                     .n_ids = N_TEXT - 2,
                                     .n_prompt = 4,
                                     .asked = 99,
                                     .weight = 1,
                                     .facts = &w.facts};
    sv_heads_weigh(w.heads, &w.batch, without);
    ASSERT_OK(sv_pass_run(w.pass, &w.batch, &scales, 0, &b, &err), err);
    for (int i = 0; i < 2; i++) {
        assert_float_equal(with[i], without[i], 0);
        assert_true(a.heads[i].sum == b.heads[i].sum);
    }
    assert_float_equal(without[2], with[2] + 1, 0);
    assert_float_equal(b.heads[2].weight, without[2], 0);
    float *gradient;
    assert_true(isfinite(take(&w, &scales, &gradient)));
    for (size_t i = 0; i < w.t->n_values; i++) assert_true(isfinite(gradient[i]));
    free(gradient);
    close_work(&w);
}

/* Of a tower that is frozen the heads learn all the same. */
static void frozen_tower(void **state) {
    (void)state;
    static const char *const some[] = {"columns.bands", "picture.stage"};
    const sv_pass_scales scales = some_scales(0);
    work w, whole;
    open_with(&w, some, SV_COUNT(some), 2, "visual\\..*", false);
    open_work(&whole, some, SV_COUNT(some), 2);
    assert_false(w.t->vision_trains);
    for (size_t i = 0; i < 2; i++) /* they begin otherwise, for they are other parameters by number */
        memcpy(w.heads->items[i].weights, whole.heads->items[i].weights,
               w.heads->items[i].n_in * w.heads->items[i].n_out * sizeof(float));
    assert_true(total(&w, &scales, true) == total(&whole, &scales, true));
    for (size_t i = 0; i < 2; i++) {
        const sv_head *a = &w.heads->items[i], *b = &whole.heads->items[i];
        assert_memory_equal(a->dweights, b->dweights, a->n_in * a->n_out * sizeof(float));
        assert_memory_equal(a->dbias, b->dbias, a->n_out * sizeof(float));
    }
    close_work(&w);
    close_work(&whole);
}

/* More prompts than are normed at a time: the loss of many is that of one so many times. */
static void many_prompts(void **state) {
    (void)state;
    enum { MANY = 131 };
    static const char *const some[] = {"prompt.stage", "prompt.rules"};
    const sv_pass_scales scales = some_scales(0);
    sv_train_sample samples[MANY];
    float *one, *many;
    work w;
    open_work(&w, some, SV_COUNT(some), 2);
    for (size_t i = 0; i < MANY; i++) {
        samples[i] = w.samples[0];
        samples[i].ids += w.samples[0].n_ids - N_TEXT + 2;
        samples[i].weights += w.samples[0].n_ids - N_TEXT + 2;
        samples[i].n_ids = N_TEXT - 2;
        samples[i].n_prompt = 4;
        samples[i].n_pictures = 0;
    }
    w.batch = (sv_train_batch){samples, 1, NULL, 0};
    double of_one = take(&w, &scales, &one);
    w.batch.n_samples = MANY;
    double of_many = take(&w, &scales, &many);
    assert_true(fabs(of_many - MANY * of_one) <= 1e-4 * of_many);
    assert_gradients(&w, many, one, MANY, 1e-3);
    free(one);
    free(many);
    close_work(&w);
}

static void threads_do_not_matter(void **state) {
    (void)state;
    static const char *const some[] = {"columns.events", "prompt.stage"};
    const sv_pass_scales scales = some_scales(0.1);
    work one, many;
    open_work(&one, some, SV_COUNT(some), 1);
    open_work(&many, some, SV_COUNT(some), 3);
    assert_true(total(&one, &scales, true) == total(&many, &scales, true));
    for (size_t i = 0; i < one.t->n_parameters; i++) {
        assert_memory_equal(one.t->parameters[i].gradient, many.t->parameters[i].gradient,
                            one.t->parameters[i].n * sizeof(float));
    }
    close_work(&one);
    close_work(&many);
}

/* Without answers and prompts the text is not read; it rests, weight decay included. */
static void text_rests(void **state) {
    (void)state;
    static const char *const seen[] = {"picture.stage"};
    const sv_adamw_options options = {.beta1 = 0.9, .beta2 = 0.95, .eps = 1e-8, .weight_decay = 0.1};
    const sv_pass_scales scales = some_scales(0);
    sv_adamw o;
    sv_error err;
    sv_pass_loss loss;
    work w;
    open_work(&w, seen, 1, 2);
    w.ids[0] = -1; /* would be an error if it were read */
    sv_trainee_set_rates(w.t, 0.5, 0);
    ASSERT_OK(sv_adamw_new(w.t, &options, &o, &err), err);
    sv_trainee_clear_gradients(w.t);
    ASSERT_OK(sv_pass_run(w.pass, &w.batch, &scales, 0, &loss, &err), err);
    assert_int_equal(loss.n_supervised, 0);
    assert_true(loss.n_tokens > 0 && loss.heads[0].weight == 2);
    sv_adamw_update(&o, w.t, 0.01, NULL);
    sv_trainee *fresh;
    ASSERT_OK(sv_trainee_new(base, &(sv_trainee_options){.full = true}, &fresh, &err), err);
    double moved = 0;
    for (size_t i = 0; i < fresh->n_parameters; i++) {
        const sv_parameter *p = &w.t->parameters[i], *before = &fresh->parameters[i];
        if (!p->vision) assert_memory_equal(p->value, before->value, p->n * sizeof(float));
        for (size_t k = 0; k < p->n; k++) moved = fmax(moved, fabs((double)p->value[k] - (double)before->value[k]));
    }
    assert_true(moved > 0.004 && moved < 0.007); /* Adam's first step is the rate, here half of 0.01 */
    sv_trainee_free(fresh);
    sv_adamw_free(&o);
    close_work(&w);
}

/* Heads are in checkpoints and in no model. */
static void heads_are_kept_apart(void **state) {
    (void)state;
    static const char *const seen[] = {"picture.stage", "columns.mav"};
    const sv_adamw_options options = {.beta1 = 0.9, .beta2 = 0.95, .eps = 1e-8};
    sv_adamw o;
    sv_error err, passed_over;
    json_t *loop = json_object(), *back = NULL;
    sv_model *saved;
    work w, other;
    open_work(&w, seen, 2, 1);
    ASSERT_OK(sv_adamw_new(w.t, &options, &o, &err), err);
    w.heads->items[1].weights[5] = 0.625F;
    o.n_updates = 3;
    ASSERT_OK(sv_checkpoint_save(in_folder("run"), w.t, &o, loop, 0, &err), err);
    open_work(&other, seen, 2, 1);
    ASSERT_OK(sv_checkpoint_load(in_folder("run"), other.t, &o, &back, &passed_over, &err), err);
    assert_float_equal(other.heads->items[1].weights[5], 0.625, 0);
    ASSERT_OK(sv_save_trained(w.t, in_folder("saved"), NULL, &err), err);
    ASSERT_OK(sv_model_load(in_folder("saved"), NULL, &saved, &err), err);
    assert_int_equal(sv_model_n_parameters(saved), sv_model_n_parameters(base));
    sv_model_free(saved);
    json_decref(loop);
    json_decref(back);
    sv_adamw_free(&o);
    close_work(&w);
    close_work(&other);
}

static void mistakes_are_said(void **state) {
    (void)state;
    static const struct {
        const char *first, *second, *message;
    } cases[] = {{"picture.sleep", NULL, "there is no head 'picture.sleep'"},
                 {"stage", NULL, "there is no head 'stage'"},
                 {"picture.stage=0", NULL, "a weight above 0"},
                 {"picture.stage=x", NULL, "a weight above 0"},
                 {"picture.stage=1e7", NULL, "up to 1e+06"},
                 {"picture.stage", "picture.stage=2", "is there twice"}};
    sv_trainee *t;
    sv_heads *heads;
    sv_error err;
    for (size_t i = 0; i < SV_COUNT(cases); i++) {
        const char *specs[] = {cases[i].first, cases[i].second};
        ASSERT_OK(sv_trainee_new(base, &(sv_trainee_options){.full = true}, &t, &err), err);
        assert_int_equal(sv_heads_new(specs, cases[i].second ? 2 : 1, t, NULL, &heads, &err), SV_ERR_USAGE);
        assert_non_null(strstr(err.message, cases[i].message));
        assert_null(heads);
        sv_trainee_free(t);
    }
    static const char *const seen[] = {"columns.mav"};
    sv_pass_loss loss;
    work w;
    open_work(&w, seen, 1, 1);
    sv_patches_free(&w.pictures[2]);
    draw(&w.pictures[2], 2, 224, 224);
    const sv_pass_scales scales = some_scales(0);
    assert_int_equal(sv_pass_run(w.pass, &w.batch, &scales, 0, &loss, &err), SV_ERR_INPUT);
    assert_non_null(strstr(err.message, "sample 2: heads read"));
    assert_non_null(strstr(err.message, "448 x 224"));
    w.samples[2].id = "S1#7_N2";
    assert_int_equal(sv_pass_run(w.pass, &w.batch, &scales, 0, &loss, &err), SV_ERR_INPUT);
    assert_non_null(strstr(err.message, "record 'S1#7_N2': heads read"));
    close_work(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(targets_say_what_is_known),
                                       cmocka_unit_test(losses_have_their_gradients),
                                       cmocka_unit_test(gradients_reach_the_network),
                                       cmocka_unit_test(gradients_of_what_is_shared),
                                       cmocka_unit_test(samples_are_weighed),
                                       cmocka_unit_test(samples_without_pictures),
                                       cmocka_unit_test(frozen_tower),
                                       cmocka_unit_test(many_prompts),
                                       cmocka_unit_test(threads_do_not_matter),
                                       cmocka_unit_test(text_rests),
                                       cmocka_unit_test(heads_are_kept_apart),
                                       cmocka_unit_test(mistakes_are_said)};
    return cmocka_run_group_tests(tests, make_base, remove_base);
}
