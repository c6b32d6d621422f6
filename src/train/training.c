/* training.c - see training.h. */
#include "train/training.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "stage/prompt.h"
#include "train/checkpoint.h"
#include "train/emphasis.h"
#include "train/prepare.h"
#include "train/run_folder.h"
#include "train/save.h"
#include "train/schedule.h"

enum { MAX_COUNT = 1000000 };
static const double MAX_UPDATES = 1e15;

typedef struct training {
    const sv_training_options *options;
    const sv_train_config *c;
    sv_training_outcome *outcome;
    sv_model *model;
    sv_pool *pool;
    sv_trainee *trainee;
    sv_heads *heads; /* NULL = none */
    sv_pass *pass;
    sv_adamw optimizer;
    sv_schedule schedule;
    sv_source *source;
    sv_preparer preparer;
    char *prompt;       /* of all records; NULL = first phase, or they differ */
    sv_prepared *micro; /* [accumulation] */
    size_t n_micro;
    int64_t n_done;
    double best_kappa;
    char *log_path;
    FILE *log;
} training;

/* The published targets: leaf names, which also hit the vision tower's MLPs. */
static char *const text_targets[] = {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"};
static char *const vision_targets[] = {"q_proj",  "k_proj",    "v_proj", "o_proj", "gate_proj",
                                       "up_proj", "down_proj", "qkv",    "proj"};

static void warn(const training *t, const char *message) {
    if (t->options->warn) t->options->warn(t->options->context, message);
}

/* ---- opening */

static sv_status check_keys(const training *t, sv_error *err) {
    const sv_train_config *c = t->c;
    if (!c->model_path) return sv_fail(err, SV_ERR_USAGE, "'model_path' is missing: the folder of the base model");
    if (!c->output_dir) return sv_fail(err, SV_ERR_USAGE, "'output_dir' is missing: where the run goes");
    if (!c->train_file == (c->simulate_nights == 0)) {
        return sv_fail(err, SV_ERR_USAGE, "one of 'train_file' and 'simulate_nights' must be given, found %s",
                       c->train_file ? "both" : "none");
    }
    if (strcmp(c->precision, "f32") != 0 && strcmp(c->precision, "bf16") != 0)
        return sv_fail(err, SV_ERR_USAGE, "'precision' must be f32 or bf16, found '%s'", c->precision);
    const struct {
        const char *key;
        int64_t value;
    } counts[] = {{"per_device_train_batch_size", c->per_device_train_batch_size},
                  {"gradient_accumulation_steps", c->gradient_accumulation_steps}};
    for (size_t i = 0; i < SV_COUNT(counts); i++) {
        if (counts[i].value < 1 || counts[i].value > MAX_COUNT)
            return sv_fail(err, SV_ERR_USAGE, "'%s' must be from 1 to %d, found %lld", counts[i].key, MAX_COUNT,
                           (long long)counts[i].value);
    }
    const struct {
        const char *key;
        double value;
    } weights[] = {{"answer_weight", c->answer_weight},
                   {"stage_weight", c->stage_weight},
                   {"rules_weight", c->rules_weight},
                   {"rationale_weight", c->rationale_weight},
                   {"vision_rate", c->vision_rate}};
    for (size_t i = 0; i < SV_COUNT(weights); i++) {
        if (weights[i].value > SV_MAX_LOSS_WEIGHT)
            return sv_fail(err, SV_ERR_USAGE, "'%s' must be from 0 to %g, found %g", weights[i].key, SV_MAX_LOSS_WEIGHT,
                           weights[i].value);
    }
    if (c->answer_weight == 0 && c->heads.n == 0)
        return sv_fail(err, SV_ERR_USAGE, "'answer_weight' is 0 and there are no 'heads': nothing would be learnt");
    if (c->full && (c->adapter_path || c->lora_targets.n || c->lora_target_pattern))
        return sv_fail(err, SV_ERR_USAGE, "'full' trains no adapter: leave out adapter_path and lora_targets");
    return SV_OK;
}

/* Is the text tower of any use to what is minimised? */
static bool reads_text(const training *t) {
    return t->c->answer_weight > 0 || sv_heads_read(t->heads, SV_PLACE_PROMPT);
}

static sv_status open_trainee(training *t, sv_error *err) {
    const sv_train_config *c = t->c;
    bool vision = t->options->kind == SV_RECORD_WPT && !c->freeze_vision_encoder;
    const sv_trainee_options options = {.full = c->full,
                                        .freeze = c->freeze,
                                        .targets = c->lora_targets.n ? (const char *const *)c->lora_targets.items
                                                   : vision          ? (const char *const *)vision_targets
                                                                     : (const char *const *)text_targets,
                                        .n_targets = c->lora_targets.n ? c->lora_targets.n
                                                     : vision          ? SV_COUNT(vision_targets)
                                                                       : SV_COUNT(text_targets),
                                        .target_pattern = c->lora_target_pattern,
                                        .rank = (int)SV_MIN(c->lora_r, 65536),
                                        .alpha = c->lora_alpha,
                                        .dropout = c->lora_dropout,
                                        .seed = (uint64_t)c->seed,
                                        .adapter_folder = c->adapter_path};
    const sv_adamw_options adamw = {c->adam_beta1, c->adam_beta2, c->adam_eps, c->weight_decay};
    sv_pass_options pass = {.recompute = c->recompute,
                            .share_prefix = c->share_prefix,
                            .precision = strcmp(c->precision, "bf16") == 0 ? SV_PRECISION_BF16 : SV_PRECISION_F32};
    sv_status s = sv_model_load(c->model_path, NULL, &t->model, err);
    if (!s) s = sv_trainee_new(t->model, &options, &t->trainee, err);
    if (s) return s;
    sv_model_config *config = &t->trainee->network.config;
    if (c->min_pixels) config->min_pixels = (int)SV_MIN(c->min_pixels, INT32_MAX);
    if (c->max_pixels) config->max_pixels = (int)SV_MIN(c->max_pixels, INT32_MAX);
    if (c->heads.n)
        s = sv_heads_new((const char *const *)c->heads.items, c->heads.n, t->trainee, t->pool, &t->heads, err);
    pass.heads = t->heads;
    sv_trainee_set_rates(t->trainee, c->vision_rate, reads_text(t) ? 1 : 0);
    t->preparer = (sv_preparer){.config = config,
                                .tokenizer = sv_model_get_tokenizer(t->model),
                                .emphasis = {c->stage_weight, c->rules_weight, c->rationale_weight},
                                .learn_end = c->learn_end};
    if (!s) s = sv_pass_new(t->trainee, &pass, t->pool, &t->pass, err);
    for (size_t i = 0; i < t->trainee->n_own; i++)
        t->outcome->n_trained += t->trainee->parameters[i].rate > 0 ? t->trainee->parameters[i].n : 0;
    t->outcome->n_parameters = (size_t)sv_model_n_parameters(t->model);
    return s ? s : sv_adamw_new(t->trainee, &adamw, &t->optimizer, err);
}

static char *folder_of(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? sv_strndup(path, (size_t)(slash - path)) : sv_strndup(".", 1);
}

static sv_status open_source(training *t, sv_error *err) {
    const sv_train_config *c = t->c;
    bool answers = t->options->kind != SV_RECORD_WPT;
    sv_source_options options = {.kind = answers && c->simulate_coarse ? SV_RECORD_COARSE : t->options->kind,
                                 .stage_first = c->simulate_stage_first,
                                 .shuffle = c->shuffle,
                                 .run = (int)SV_MIN(c->simulate_run, 1000),
                                 .with_seconds = c->heads.n > 0,
                                 .seed = (uint64_t)c->seed,
                                 .pool = t->pool,
                                 .stop = t->options->cancelled};
    if (c->train_file) {
        char *root = c->image_root ? sv_strndup(c->image_root, strlen(c->image_root)) : folder_of(c->train_file);
        sv_status s = root ? sv_source_open_jsonl(c->train_file, root, &options, &t->source, err)
                           : sv_fail_memory(err, "path", 0);
        free(root);
        return s;
    }
    options.vary = c->simulate_vary;
    const sv_sim_range range = {.first_seed = (uint64_t)c->simulate_seed,
                                .n_nights = c->simulate_nights,
                                .hours = c->simulate_hours,
                                .rate_hz = (int)SV_MIN(c->simulate_rate_hz, 100000)};
    return sv_source_open_simulated(&range, &options, &t->source, err);
}

static sv_status plan(training *t, sv_error *err) {
    const sv_train_config *c = t->c;
    double per_update = (double)(c->per_device_train_batch_size * c->gradient_accumulation_steps);
    double by_epochs = ceil(c->epochs * (double)sv_source_n(t->source) / per_update);
    if (!c->max_steps && by_epochs > MAX_UPDATES)
        return sv_fail(err, SV_ERR_USAGE, "'epochs' is too many: %g of %lld records", c->epochs,
                       (long long)sv_source_n(t->source));
    int64_t n = c->max_steps ? c->max_steps : (int64_t)by_epochs;
    t->schedule =
        (sv_schedule){.peak = c->learning_rate,
                      .n_updates = n,
                      .n_warm_up = c->warmup_steps ? c->warmup_steps : (int64_t)ceil(c->warmup_ratio * (double)n)};
    if (!sv_schedule_from_name(c->schedule, &t->schedule.kind))
        return sv_fail(err, SV_ERR_USAGE, "'schedule' must be linear, cosine or constant, found '%s'", c->schedule);
    if (n < 1)
        return sv_fail(err, SV_ERR_INPUT, "there is nothing to do: %lld records, %g epochs",
                       (long long)sv_source_n(t->source), c->epochs);
    t->n_micro = (size_t)c->gradient_accumulation_steps;
    t->micro = sv_calloc(t->n_micro, sizeof *t->micro);
    t->outcome->n_updates = n;
    return t->micro ? SV_OK : sv_fail_memory(err, "batches", 0);
}

/* ---- the folder */

static char *in_output(const training *t, const char *name) { return sv_path_join(t->c->output_dir, name); }

/* With another prompt than its own a model says nothing: evaluation and what is saved take that of the records. */
static sv_status find_prompt(training *t, sv_error *err) {
    char text[640];
    if (t->options->kind == SV_RECORD_WPT) return SV_OK;
    sv_status s = sv_source_find_system(t->source, &t->prompt, err);
    if (s || t->prompt) return s;
    snprintf(text, sizeof text,
             "%.200s: its records do not have one and the same system prompt; nights are staged with that of "
             "%.200s/prompt.txt, which may not be theirs",
             t->c->train_file, t->trainee->network.folder);
    warn(t, text);
    return SV_OK;
}

static sv_status claim_folder(training *t, sv_error *err) {
    sv_run_plan plan = {.n_updates = t->schedule.n_updates, .n_warm_up = t->schedule.n_warm_up};
    sv_status s = t->c->train_file ? sv_sha256_file(t->c->train_file, plan.records_sha256, err) : SV_OK;
    if (t->prompt) sv_sha256_hex(t->prompt, strlen(t->prompt), plan.prompt_sha256);
    if (!s) s = sv_run_folder_claim(t->c, &plan, err);
    if (s || !t->prompt) return s;
    char *path = in_output(t, "prompt.txt");
    s = path ? sv_file_write(path, t->prompt, strlen(t->prompt), err) : sv_fail_memory(err, "path", 0);
    free(path);
    return s;
}

/* 1: the stage stands before the rules; 0: behind them; -1: an answer of another kind. */
static int order_of(const sv_record *record) {
    const sv_chat_message *last = &record->chat.messages[record->chat.n_messages - 1];
    sv_answer_values v = sv_answer_find_values(last->parts[0].text, last->parts[0].text_len);
    return v.stage.end == 0 || v.rules.end == 0 ? -1 : v.stage.begin < v.rules.begin;
}

/* `stage` reads probabilities where its card says that the stage stands: elsewhere they mean nothing. */
static sv_status check_answer_order(training *t, sv_error *err) {
    sv_stage_prompt card = {0};
    sv_record first = {0};
    char text[640];
    int order = t->c->simulate_stage_first;
    if (!t->prompt) return SV_OK;
    char *path = in_output(t, "prompt.txt");
    sv_status s =
        path ? sv_stage_prompt_load(t->trainee->network.folder, path, &card, err) : sv_fail_memory(err, "path", 0);
    if (!s && t->c->train_file) {
        s = sv_source_get(t->source, 0, &first, err);
        if (!s) order = order_of(&first);
        sv_record_free(&first);
    }
    if (!s && order >= 0 && card.stage_first != (order == 1)) {
        snprintf(
            text, sizeof text,
            "the records' answers have the stage %s the rules, but %.200s/sleepvlm.json says otherwise or is missing: "
            "`stage` would read probabilities at the wrong place; write {\"answer_order\": \"%s\"} there",
            order ? "before" : "behind", t->trainee->network.folder, order ? "stage_first" : "rationale_first");
        warn(t, text);
    }
    sv_stage_prompt_free(&card);
    free(path);
    return s;
}

static sv_status resume(training *t, sv_error *err) {
    json_t *loop = NULL;
    sv_error passed_over;
    sv_status s = sv_checkpoint_load(t->c->output_dir, t->trainee, &t->optimizer, &loop, &passed_over, err);
    if (s) return s;
    if (passed_over.status) warn(t, passed_over.message);
    t->n_done = t->outcome->n_resumed = t->optimizer.n_updates;
    t->best_kappa = sv_json_real(loop, "best_kappa", NAN);
    json_decref(loop);
    t->log_path = in_output(t, "log.jsonl");
    if (!t->log_path) return sv_fail_memory(err, "path", 0);
    if ((s = sv_run_folder_trim_log(t->log_path, t->n_done, err))) return s;
    t->log = fopen(t->log_path, "a");
    return t->log ? SV_OK : sv_fail_errno(err, SV_ERR_OUTPUT, "%s: cannot open", t->log_path);
}

static sv_status write_line(training *t, json_t *line, sv_error *err) {
    bool done = line && json_dumpf(line, t->log, JSON_COMPACT | JSON_REAL_PRECISION(17)) == 0 &&
                fputc('\n', t->log) != EOF && fflush(t->log) == 0;
    json_decref(line);
    return done ? SV_OK : sv_fail_errno(err, SV_ERR_OUTPUT, "%s: cannot write", t->log_path);
}

static sv_status save(training *t, sv_error *err) {
    json_t *loop = json_pack("{s:o}", "best_kappa", isnan(t->best_kappa) ? json_null() : json_real(t->best_kappa));
    if (!loop) return sv_fail_memory(err, "checkpoint", 0);
    sv_status s = sv_checkpoint_save(t->c->output_dir, t->trainee, &t->optimizer, loop, t->c->keep_checkpoints, err);
    json_decref(loop);
    return s;
}

static sv_status save_trained(training *t, const char *name, sv_error *err) {
    char *path = in_output(t, name);
    sv_status s = path ? sv_save_trained(t->trainee, path, t->prompt, err) : sv_fail_memory(err, "path", 0);
    free(path);
    return s;
}

/* ---- one update */

/* What the records of an update weigh together. */
typedef struct totals {
    double answers;             /* their tokens */
    double heads[SV_MAX_HEADS]; /* the values that each learns */
} totals;

static sv_status gather(training *t, totals *sum, sv_error *err) {
    size_t n = (size_t)t->c->per_device_train_batch_size;
    uint64_t at = (uint64_t)t->n_done * n * t->n_micro;
    sv_status s = SV_OK;
    *sum = (totals){0};
    for (size_t m = 0; m < t->n_micro && !s; m++) {
        sv_prepared_clear(&t->micro[m]);
        for (size_t i = 0; i < n && !s; i++) {
            sv_record record = {0};
            s = sv_source_get(t->source, at++, &record, err);
            if (!s) s = sv_prepared_add(&t->micro[m], &record, &t->preparer, err);
            sv_record_free(&record);
        }
        sum->answers += t->micro[m].weight;
        sv_train_batch batch = sv_prepared_batch(&t->micro[m]);
        if (t->heads && !s) sv_heads_weigh(t->heads, &batch, sum->heads);
    }
    return s;
}

/* Each mean loss times its weight; what no record of the update knows is not learnt. */
static sv_pass_scales scales_of(const training *t, const totals *sum) {
    sv_pass_scales scales = {.answers = sum->answers > 0 ? t->c->answer_weight / sum->answers : 0};
    for (size_t i = 0; t->heads && i < t->heads->n; i++)
        scales.heads[i] = sum->heads[i] > 0 ? t->heads->items[i].weight / sum->heads[i] : 0;
    return scales;
}

/* Said once, of the first update: a run that learns nothing, or a head, is mostly a slip of whoever set it up. */
static void check_first(const training *t, const totals *sum) {
    char text[320];
    if (t->n_done > 0) return;
    if (t->c->answer_weight > 0 && !(sum->answers > 0))
        warn(t, "the records of the first update have nothing to learn in their answers: all weights are 0");
    for (size_t i = 0; t->heads && i < t->heads->n; i++) {
        if (sum->heads[i] > 0) continue;
        snprintf(text, sizeof text,
                 "head '%s': none of the records of the first update knows what it should learn; simulated nights know "
                 "everything, files of records only what their answers say, and pictures heads need a picture",
                 t->heads->items[i].name);
        warn(t, text);
    }
}

static bool learns(const training *t, const sv_pass_scales *scales) {
    bool any = scales->answers > 0;
    for (size_t i = 0; t->heads && i < t->heads->n; i++) any = any || scales->heads[i] > 0;
    return any;
}

static json_t *real_or_null(double x) { return isfinite(x) ? json_real(x) : json_null(); }

static void add_losses(sv_pass_loss *sum, const sv_pass_loss *more, size_t n_heads) {
    sum->sum += more->sum;
    sum->n_tokens += more->n_tokens;
    for (size_t i = 0; i < n_heads; i++) {
        sum->heads[i].sum += more->heads[i].sum;
        sum->heads[i].weight += more->heads[i].weight;
        sum->heads[i].right += more->heads[i].right;
    }
}

/* {"picture.stage": {"loss": 0.31, "accuracy": 0.9}}; NULL without heads. */
static json_t *describe_heads(const training *t, const sv_pass_loss *loss) {
    json_t *out = t->heads ? json_object() : NULL;
    for (size_t i = 0; out && i < t->heads->n; i++) {
        const sv_head_loss *l = &loss->heads[i];
        json_t *head = json_pack("{s:o}", "loss", real_or_null(l->sum / l->weight));
        if (sv_target_infos[t->heads->items[i].target].loss == SV_LOSS_CHOICE)
            json_object_set_new(head, "accuracy", real_or_null(l->right / l->weight));
        json_object_set_new(out, t->heads->items[i].name, head);
    }
    return out;
}

static sv_status write_update(training *t, const sv_pass_loss *loss, double mean, double norm, double rate,
                              sv_error *err) {
    json_t *line = json_pack("{s:I,s:f,s:f,s:f,s:I}", "step", (json_int_t)t->n_done, "loss", mean, "grad_norm", norm,
                             "lr", rate, "tokens", (json_int_t)loss->n_tokens);
    json_t *heads = describe_heads(t, loss);
    if (heads) json_object_set_new(line, "heads", heads);
    return write_line(t, line, err);
}

static sv_status update(training *t, double *mean_loss, sv_error *err) {
    double rate = sv_schedule_rate(&t->schedule, t->n_done);
    sv_pass_loss sum = {0};
    totals all;
    sv_status s = gather(t, &all, err);
    if (s) return s;
    check_first(t, &all);
    const sv_pass_scales scales = scales_of(t, &all);
    sv_trainee_clear_gradients(t->trainee);
    for (size_t m = 0; m < t->n_micro && !s; m++) {
        sv_train_batch batch = sv_prepared_batch(&t->micro[m]);
        sv_pass_loss loss;
        s = sv_pass_run(t->pass, &batch, &scales, (uint64_t)t->n_done * t->n_micro + m, &loss, err);
        if (!s) add_losses(&sum, &loss, t->heads ? t->heads->n : 0);
    }
    if (s) return s;
    double norm = sv_gradient_norm(t->trainee, t->pool);
    *mean_loss = scales.answers * sum.sum;
    for (size_t i = 0; t->heads && i < t->heads->n; i++) *mean_loss += scales.heads[i] * sum.heads[i].sum;
    if (!isfinite(*mean_loss) || !isfinite(norm)) {
        return sv_fail(err, SV_ERR_INPUT,
                       "update %lld: the loss is %g, the gradients' norm %g: lower the learning rate, or look at the "
                       "records; the last checkpoint stands",
                       (long long)t->n_done, *mean_loss, norm);
    }
    sv_gradient_clip(t->trainee, norm, t->c->max_grad_norm);
    if (learns(t, &scales))
        sv_adamw_update(&t->optimizer, t->trainee, rate, t->pool);
    else
        t->optimizer.n_updates++; /* not even decay: the weights rest */
    s = write_update(t, &sum, *mean_loss, norm, rate, err);
    t->n_done++;
    return s;
}

/* With the number of the last update: it is trimmed with it. */
static json_t *score_line(const training *t, const sv_training_score *score) {
    const sv_agreement *a = &score->pooled;
    json_t *f1 = json_object();
    for (int s = 0; s < SV_N_STAGES; s++) json_object_set_new(f1, sv_stage_name((sv_stage)s), real_or_null(a->f1[s]));
    return json_pack("{s:I,s:o,s:o,s:o,s:o,s:o,s:I}", "step", (json_int_t)(t->n_done - 1), "kappa",
                     real_or_null(score->kappa), "accuracy", real_or_null(score->accuracy), "kappa_pooled",
                     real_or_null(a->kappa), "accuracy_pooled", real_or_null(a->accuracy), "f1_pooled", f1, "n_epochs",
                     (json_int_t)a->n);
}

static sv_status evaluate(training *t, sv_training_news *news, sv_error *err) {
    sv_training_score score = {.kappa = NAN, .accuracy = NAN};
    if (!t->options->evaluate || t->c->eval_nights.n == 0) return SV_OK;
    char *prompt = t->prompt ? in_output(t, "prompt.txt") : NULL;
    sv_status s = t->prompt && !prompt ? sv_fail_memory(err, "path", 0)
                                       : t->options->evaluate(t->options->context, &t->trainee->network, prompt,
                                                              t->c->output_dir, &score, err);
    free(prompt);
    if (s) return s;
    news->kappa = score.kappa;
    s = write_line(t, score_line(t, &score), err);
    if (s || !isfinite(score.kappa) || score.kappa <= t->best_kappa) return s;
    t->best_kappa = score.kappa;
    return save_trained(t, "best", err);
}

static bool is_due(int64_t every, int64_t n_done, int64_t n_all) {
    return n_done == n_all || (every > 0 && n_done % every == 0);
}

static sv_status loop(training *t, sv_error *err) {
    int64_t n = t->schedule.n_updates;
    sv_training_news news = {.n_updates = n, .kappa = NAN};
    t->outcome->first_loss = t->outcome->last_loss = NAN;
    while (t->n_done < n) {
        double loss;
        if (t->options->cancelled && t->options->cancelled()) {
            sv_status s = t->n_done > t->outcome->n_resumed ? save(t, err) : SV_OK;
            return s ? s
                     : sv_fail(err, SV_ERR_CANCELLED, "stopped after %lld of %lld updates; the same command goes on",
                               (long long)t->n_done, (long long)n);
        }
        sv_status s = update(t, &loss, err);
        if (s) return s;
        if (isnan(t->outcome->first_loss)) t->outcome->first_loss = loss;
        t->outcome->last_loss = loss;
        if (is_due(t->c->eval_steps, t->n_done, n)) s = evaluate(t, &news, err);
        if (!s && is_due(t->c->save_steps, t->n_done, n)) s = save(t, err);
        if (s) return s;
        news.n_done = t->n_done;
        news.loss = loss;
        news.learning_rate = sv_schedule_rate(&t->schedule, t->n_done - 1);
        if (t->options->news) t->options->news(t->options->context, &news);
    }
    return save_trained(t, "final", err);
}

/* ---- all of it */

static bool is_complete(const training *t) {
    char *final = in_output(t, "final");
    bool there = final && sv_file_exists(final);
    free(final);
    return there && t->n_done == t->schedule.n_updates;
}

static sv_status run(training *t, sv_error *err) {
    sv_status s = check_keys(t, err);
    if (!s) s = sv_pool_new(t->options->n_threads, &t->pool, err);
    if (!s) s = open_trainee(t, err);
    if (!s) s = open_source(t, err);
    if (!s) s = plan(t, err);
    if (!s) s = find_prompt(t, err);
    if (!s) s = claim_folder(t, err);
    if (!s) s = check_answer_order(t, err);
    if (!s) s = resume(t, err);
    if (s) return s;
    t->outcome->was_complete = is_complete(t);
    return t->outcome->was_complete ? SV_OK : loop(t, err);
}

sv_status sv_training_run(const sv_training_options *options, sv_training_outcome *outcome, sv_error *err) {
    training t = {.options = options, .c = options->config, .outcome = outcome, .best_kappa = NAN};
    *outcome = (sv_training_outcome){.first_loss = NAN, .last_loss = NAN};
    sv_status s = run(&t, err);
    outcome->best_kappa = t.best_kappa;
    for (size_t i = 0; t.micro && i < t.n_micro; i++) sv_prepared_free(&t.micro[i]);
    free(t.micro);
    if (t.log) fclose(t.log);
    free(t.log_path);
    sv_source_close(t.source);
    free(t.prompt);
    sv_adamw_free(&t.optimizer);
    sv_pass_free(t.pass);
    sv_heads_free(t.heads);
    sv_trainee_free(t.trainee);
    sv_pool_free(t.pool);
    sv_model_free(t.model);
    return s;
}
