/* info_model.c - what a model folder holds, how long its questions are, what it will cost. */
#include "cli/info_model.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "cli/info_text.h"
#include "cli/quantity.h"
#include "model/model_tensors.h"
#include "model/tokenizer_check.h"
#include "render/picture.h"

#define PUBLISHED_TOKENS 2714  /* of the published system prompt, where there is none */
#define ANSWER_TOKENS 250      /* of a usual answer with rationale */
#define MAX_ANSWER_TOKENS 1024 /* for which there must be room */
#define KEPT_PICTURES 66       /* embedded at a time (ask.c) */
#define NIGHT_EPOCHS 960       /* 8 hours */

static void add_problem(sv_model_report *r, const sv_error *err) {
    sv_strbuf_printf(&r->problems, "%s\n", err->message);
}

/* Tensors by type, and whether all that config.json asks for are there. */
static void read_weights(sv_model_report *r) {
    sv_tensor_file *file;
    sv_error err;
    if (sv_tensor_folder_open(r->path, &file, &err) != SV_OK) {
        add_problem(r, &err);
        return;
    }
    r->n_tensors = sv_tensor_count(file);
    r->n_files = sv_tensor_n_shards(file);
    for (size_t i = 0; i < r->n_tensors; i++) {
        const sv_tensor *t = sv_tensor_at(file, i);
        r->shares[t->dtype].n_tensors++;
        r->shares[t->dtype].bytes += (double)t->n_bytes;
        r->weight_bytes += (double)t->n_bytes;
    }
    if (sv_model_tensors_check(file, &r->config, &err) != SV_OK) add_problem(r, &err);
    sv_tensor_file_close(file);
}

static bool folder_has(const char *folder, const char *name) {
    char *path = sv_path_join(folder, name);
    bool there = path && sv_file_exists(path);
    free(path);
    return there;
}

/* A JSON file of the folder, or NULL. */
static json_t *load_optional(const char *folder, const char *name) {
    char *path = sv_path_join(folder, name);
    json_t *value = NULL;
    if (path && sv_file_exists(path) && sv_json_load(path, &value, NULL) != SV_OK) value = NULL;
    free(path);
    return value;
}

static void read_tokenizer(sv_model_report *r) {
    sv_error err;
    if (sv_tokenizer_load(r->path, &r->tokenizer, &err) != SV_OK) {
        r->tokenizer = NULL;
        add_problem(r, &err);
        return;
    }
    sv_tokenizer_count_added(r->tokenizer, &r->n_added, &r->n_special);
    if (sv_tokenizer_check(r->tokenizer, &r->config, &err) != SV_OK) add_problem(r, &err);
    json_t *config = load_optional(r->path, "tokenizer_config.json");
    r->has_chat_template = json_object_get(config, "chat_template") || folder_has(r->path, "chat_template.json") ||
                           folder_has(r->path, "chat_template.jinja");
    json_decref(config);
}

static void read_prompt(sv_model_report *r, const char *prompt_path) {
    sv_error err;
    sv_stage_prompt none = {.system = (char[]){""}};
    r->has_prompt = prompt_path || folder_has(r->path, "prompt.txt");
    if (r->has_prompt && sv_stage_prompt_load(r->path, prompt_path, &r->prompt, &err) != SV_OK) {
        add_problem(r, &err);
        return;
    }
    if (!r->tokenizer) return;
    const sv_stage_prompt *prompt = r->has_prompt ? &r->prompt : &none;
    if (sv_stage_prompt_length(prompt, r->tokenizer, &r->config, &r->length, &err) != SV_OK) {
        add_problem(r, &err);
    } else if (!r->has_prompt) {
        r->length.system += PUBLISHED_TOKENS;
        r->length.shared += PUBLISHED_TOKENS;
        r->length.total += PUBLISHED_TOKENS;
    }
}

static void plan_memory(sv_model_report *r, int n_threads) {
    const sv_prompt_length *l = &r->length;
    const sv_memory_request request = {.n_prefix = l->shared,
                                       .n_own = l->suffix + MAX_ANSWER_TOKENS,
                                       .n_embeddings = KEPT_PICTURES,
                                       .picture_h = SV_PICTURE_HEIGHT,
                                       .picture_w = SV_PICTURE_WIDTH,
                                       .n_desks = 1,
                                       .n_threads = (size_t)(n_threads ? n_threads : sv_n_cores()),
                                       .n_slots = SV_PROBE_BATCH};
    sv_error err;
    if (sv_memory_plan_make(&r->config, &request, &r->memory, &err)) add_problem(r, &err);
}

static void count_work(sv_model_report *r) {
    const sv_prompt_length *l = &r->length;
    if (l->total == 0) return;
    r->work_picture = sv_work_picture(&r->config, l->cells_h, l->cells_w);
    r->work_prefix = sv_work_read(&r->config, 0, (double)l->shared);
    r->work_question = sv_work_read(&r->config, (double)l->shared, (double)l->suffix);
    r->work_answer = sv_work_write(&r->config, (double)l->total, ANSWER_TOKENS);
}

/* The type that most of the weights of a kind have: packed ones belong to the decoder. */
static sv_layer_types layer_types(const sv_model_report *r) {
    sv_dtype most = SV_F32;
    const sv_dtype floats[] = {SV_F32, SV_F16, SV_BF16};
    for (size_t i = 0; i < SV_COUNT(floats); i++) {
        if (r->shares[floats[i]].bytes > r->shares[most].bytes) most = floats[i];
    }
    sv_layer_types types = {.vision = most, .text = most, .head = most};
    if (r->quantisation.method[0]) {
        types.text = SV_I32;
        types.group = r->quantisation.group ? (size_t)r->quantisation.group : (size_t)r->config.text.hidden;
    }
    return types;
}

static void estimate_time(sv_model_report *r, int n_threads) {
    sv_error err;
    const sv_layer_types types = layer_types(r);
    if (r->length.total == 0 || r->problems.len) return;
    if (sv_speed_probe(&r->config, &types, n_threads, &r->speed, &err) != SV_OK) {
        add_problem(r, &err);
        return;
    }
    r->probed = true;
    const sv_machine_speed *s = &r->speed;
    sv_time_estimate *t = &r->time;
    double head = 2.0 * r->config.text.vocab * r->config.text.hidden * ANSWER_TOKENS;
    t->picture = sv_work_sum(r->work_picture) / s->vision;
    t->prefix = sv_work_sum(r->work_prefix) / s->read;
    t->question = sv_work_sum(r->work_question) / s->read;
    double products = (r->work_answer.linear - head) / s->write + head / s->head;
    t->answer = products + r->work_answer.attention / s->read;
    t->epoch = t->picture + t->question + t->answer;
    t->epoch_in_batch = t->epoch - products * (1 - SV_MIN(1, s->write / s->batch));
}

sv_status sv_model_report_make(const char *folder, const sv_model_report_options *options, sv_model_report *out,
                               sv_error *err) {
    *out = (sv_model_report){.path = folder};
    sv_status s = sv_model_config_load(folder, &out->config, err);
    if (s) return s;
    sv_error problem;
    sv_count_parameters(&out->config, &out->parameters);
    if (sv_quantisation_load(folder, &out->quantisation, &problem) != SV_OK) add_problem(out, &problem);
    out->generation = load_optional(folder, "generation_config.json");
    read_weights(out);
    read_tokenizer(out);
    read_prompt(out, options->prompt_path);
    plan_memory(out, options->n_threads);
    count_work(out);
    if (options->probe) estimate_time(out, options->n_threads);
    if (!out->problems.failed) return SV_OK;
    sv_model_report_free(out);
    return sv_fail_memory(err, "the description", 0);
}

void sv_model_report_free(sv_model_report *r) {
    sv_tokenizer_free(r->tokenizer);
    json_decref(r->generation);
    sv_stage_prompt_free(&r->prompt);
    sv_strbuf_free(&r->problems);
    *r = (sv_model_report){0};
}

static void put_title(const sv_model_report *r, sv_strbuf *out) {
    char parameters[SV_QUANTITY_SIZE], bytes[SV_QUANTITY_SIZE];
    sv_info_put_safe(out, r->path);
    sv_strbuf_printf(out, "\n  Qwen2.5-VL, %s parameters", sv_put_short_count(parameters, r->parameters.total));
    if (r->quantisation.method[0]) sv_strbuf_puts(out, ", decoder in 4 bits");
    if (r->n_tensors) sv_strbuf_printf(out, ", %s of weights", sv_put_bytes(bytes, r->weight_bytes));
    sv_strbuf_puts(out, "\n");
}

static void put_lines(const char *title, const char *lines, sv_strbuf *out) {
    if (!lines || !lines[0]) return;
    sv_strbuf_printf(out, "\n%s\n", title);
    while (*lines) {
        size_t n = strcspn(lines, "\n");
        char *line = sv_strndup(lines, n);
        sv_strbuf_puts(out, "  ");
        if (line) sv_info_put_safe(out, line);
        sv_strbuf_puts(out, "\n");
        free(line);
        lines += n + (lines[n] == '\n');
    }
}

static void put_network(const sv_model_report *r, sv_strbuf *out) {
    const sv_text_config *t = &r->config.text;
    const sv_vision_config *v = &r->config.vision;
    char count[SV_QUANTITY_SIZE];
    sv_info_table table;
    sv_info_table_start(&table, "Network|Layers|Width|Heads|Feed-forward|Parameters", "lrrrrr");
    sv_info_table_cell(&table, "vision");
    sv_info_table_cell(&table, "%d", v->depth);
    sv_info_table_cell(&table, "%d", v->hidden);
    sv_info_table_cell(&table, "%d x %d", v->n_heads, v->hidden / v->n_heads);
    sv_info_table_cell(&table, "%d", v->ffn);
    sv_info_table_cell(&table, "%s", sv_put_count(count, r->parameters.vision));
    sv_info_table_cell(&table, "text");
    sv_info_table_cell(&table, "%d", t->n_layers);
    sv_info_table_cell(&table, "%d", t->hidden);
    sv_info_table_cell(&table, "%d x %d (%d for keys)", t->n_heads, t->head_dim, t->n_kv_heads);
    sv_info_table_cell(&table, "%d", t->ffn);
    sv_info_table_cell(&table, "%s", sv_put_count(count, r->parameters.text));
    for (int i = 0; i < 5; i++) sv_info_table_cell(&table, "%s", i ? "" : "both");
    sv_info_table_cell(&table, "%s", sv_put_count(count, r->parameters.total));
    sv_info_table_end(&table, out);
    sv_strbuf_printf(out, "  patches of %d pixels, windows of %d, %d of %d blocks see the whole picture; head %s\n",
                     v->patch, v->window, v->n_full_blocks, v->depth,
                     t->tied_embeddings ? "shared with the embedding" : "of its own");
}

static void put_weights(const sv_model_report *r, sv_strbuf *out) {
    char bytes[SV_QUANTITY_SIZE];
    sv_info_table table;
    if (r->n_tensors == 0) return;
    sv_info_table_start(&table, "Weights|Tensors|Size", "lrr");
    for (int d = 0; d <= SV_BOOL; d++) {
        if (r->shares[d].n_tensors == 0) continue;
        bool packed = d == SV_I32 && r->quantisation.method[0];
        sv_info_table_cell(&table, "%s%s", sv_dtype_name((sv_dtype)d), packed ? " (4 bits)" : "");
        sv_info_table_cell(&table, "%zu", r->shares[d].n_tensors);
        sv_info_table_cell(&table, "%s", sv_put_bytes(bytes, r->shares[d].bytes));
    }
    sv_info_table_end(&table, out);
    sv_strbuf_printf(out, "  %zu file%s", r->n_files, r->n_files == 1 ? "" : "s");
    if (r->quantisation.method[0]) {
        sv_strbuf_puts(out, "; quantised by ");
        sv_info_put_safe(out, r->quantisation.method);
        if (r->quantisation.group) sv_strbuf_printf(out, ", a scale for %d inputs", r->quantisation.group);
        if (r->quantisation.group == 0) sv_strbuf_puts(out, ", a scale for a row");
    }
    sv_strbuf_puts(out, "\n");
}

static void put_tokenizer(const sv_model_report *r, sv_strbuf *out) {
    char n[SV_QUANTITY_SIZE], rows[SV_QUANTITY_SIZE];
    if (!r->tokenizer) return;
    sv_strbuf_printf(out,
                     "\nTokenizer\n  %s ids (the network has %s), %d of them added, %d special; chat template %s\n",
                     sv_put_count(n, sv_tokenizer_n_ids(r->tokenizer)), sv_put_count(rows, r->config.text.vocab),
                     r->n_added, r->n_special, r->has_chat_template ? "in the folder" : "built in");
}

static void put_setting(const json_t *generation, const char *key, sv_strbuf *out) {
    const json_t *value = json_object_get(generation, key);
    if (json_is_number(value)) sv_strbuf_printf(out, ", %s %g", key, json_number_value(value));
    if (json_is_boolean(value)) sv_strbuf_printf(out, ", %s %s", key, json_is_true(value) ? "yes" : "no");
}

static void put_generation(const sv_model_report *r, sv_strbuf *out) {
    static const char *const keys[] = {"do_sample", "temperature", "top_p", "top_k"};
    sv_strbuf_printf(out, "\nGeneration\n  ends at");
    for (int i = 0; i < r->config.n_eos; i++) sv_strbuf_printf(out, "%s %d", i ? " or" : " token", r->config.eos[i]);
    if (r->config.n_eos == 0) sv_strbuf_puts(out, " the length limit only");
    sv_strbuf_printf(out, "; repetition_penalty %g", (double)r->config.repetition_penalty);
    for (size_t i = 0; i < SV_COUNT(keys); i++) put_setting(r->generation, keys[i], out);
    sv_strbuf_puts(out, "\n");
}

/* "label   number unit   remark" */
static void put_row(sv_info_table *table, const char *label, const char *value, const char *remark) {
    sv_info_table_cell(table, "%s", label);
    sv_info_table_cell(table, "%s", value);
    sv_info_table_cell(table, "%s", remark);
}

static void put_prompt(const sv_model_report *r, sv_strbuf *out) {
    const sv_prompt_length *l = &r->length;
    char n[SV_QUANTITY_SIZE], remark[96];
    sv_info_table table;
    if (l->total == 0) return;
    sv_info_table_start(&table, "Question|Tokens|", "lrl");
    if (r->has_prompt) {
        snprintf(remark, sizeof remark, "%zu bytes", r->prompt.system_len);
    } else {
        snprintf(remark, sizeof remark, "assumed as published: there is no prompt.txt, name yours by --prompt FILE");
    }
    put_row(&table, "system prompt", sv_put_count(n, (double)l->system), remark);
    put_row(&table, "shared prefix", sv_put_count(n, (double)l->shared), "computed once for a night");
    snprintf(remark, sizeof remark, "three pictures of %zu, the words between", l->picture);
    put_row(&table, "rest", sv_put_count(n, (double)l->suffix), remark);
    put_row(&table, "together", sv_put_count(n, (double)l->total),
            !r->has_prompt          ? ""
            : r->prompt.stage_first ? "the answer begins with the stage"
                                    : "the answer begins with the rationale");
    sv_info_table_end(&table, out);
}

static void put_memory(const sv_model_report *r, sv_strbuf *out) {
    const sv_memory_plan *m = &r->memory;
    char n[SV_QUANTITY_SIZE], all[SV_QUANTITY_SIZE], remark[96];
    sv_info_table table;
    sv_info_table_start(&table, "Memory|Size|", "lrl");
    if (r->n_tensors) put_row(&table, "weights", sv_put_bytes(n, r->weight_bytes), "mapped from the file");
    put_row(&table, "keys and values", sv_put_bytes(n, (double)m->per_token), "a token");
    if (r->length.total) {
        put_row(&table, "shared prefix", sv_put_bytes(n, (double)m->prefix), "once");
        snprintf(remark, sizeof remark, "with room for an answer of %d tokens", MAX_ANSWER_TOKENS);
        put_row(&table, "question", sv_put_bytes(n, (double)m->question), remark);
        put_row(&table, "work space", sv_put_bytes(n, (double)(m->copied + m->desks + m->vision + m->embeddings)), "");
        snprintf(remark, sizeof remark, "with %d questions at a time; %s besides the weights", SV_PROBE_BATCH,
                 sv_put_bytes(all, (double)m->total));
        put_row(&table, "together", sv_put_bytes(n, r->weight_bytes + (double)m->total), remark);
    }
    sv_info_table_end(&table, out);
}

static void put_time_row(sv_info_table *table, const char *label, double flop, double seconds, bool timed,
                         const char *remark) {
    char time[SV_QUANTITY_SIZE];
    sv_info_table_cell(table, "%s", label);
    if (flop > 0) {
        bool large = flop >= 1e11;
        sv_info_table_cell(table, "%.2f %s", flop / (large ? 1e12 : 1e9), large ? "TFLOP" : "GFLOP");
    } else {
        sv_info_table_cell(table, "%s", "");
    }
    sv_info_table_cell(table, "%s", timed ? sv_put_duration(time, seconds) : "");
    sv_info_table_cell(table, "%s", remark);
}

static void put_time(const sv_model_report *r, sv_strbuf *out) {
    char remark[64];
    sv_info_table table;
    if (r->length.total == 0) return;
    double picture = sv_work_sum(r->work_picture), question = sv_work_sum(r->work_question);
    double answer = sv_work_sum(r->work_answer);
    sv_info_table_start(&table, r->probed ? "Time for an epoch|Work|Estimate|" : "Work for an epoch|||", "lrrl");
    put_time_row(&table, "picture", picture, r->time.picture, r->probed, "encoded once, used three times");
    put_time_row(&table, "question", question, r->time.question, r->probed, "after the shared prefix");
    snprintf(remark, sizeof remark, "%d tokens", ANSWER_TOKENS);
    put_time_row(&table, "answer", answer, r->time.answer, r->probed, remark);
    put_time_row(&table, "together", picture + question + answer, r->time.epoch, r->probed, "");
    put_time_row(&table, "shared prefix", sv_work_sum(r->work_prefix), r->time.prefix, r->probed, "once");
    if (r->probed) {
        snprintf(remark, sizeof remark, "%d epochs, one by one", NIGHT_EPOCHS);
        put_time_row(&table, "a night", 0, r->time.prefix + NIGHT_EPOCHS * r->time.epoch, true, remark);
        snprintf(remark, sizeof remark, "%d answers at a time", SV_PROBE_BATCH);
        put_time_row(&table, "", 0, r->time.prefix + NIGHT_EPOCHS * r->time.epoch_in_batch, true, remark);
    }
    sv_info_table_end(&table, out);
    if (!r->probed) return;
    sv_strbuf_printf(out,
                     "  An estimate from layers of these sizes on %d thread%s: %.0f GFLOP/s in the vision tower, %.0f "
                     "reading,\n  %.1f writing one answer, %.0f writing %d.\n",
                     r->speed.n_threads, r->speed.n_threads == 1 ? "" : "s", r->speed.vision / 1e9, r->speed.read / 1e9,
                     r->speed.write / 1e9, r->speed.batch / 1e9, SV_PROBE_BATCH);
}

void sv_model_report_text(const sv_model_report *r, sv_strbuf *out) {
    put_title(r, out);
    put_lines("Problems", sv_strbuf_text(&r->problems), out);
    put_lines("Warning", r->prompt.warning, out);
    put_network(r, out);
    put_weights(r, out);
    put_tokenizer(r, out);
    put_generation(r, out);
    put_prompt(r, out);
    put_memory(r, out);
    put_time(r, out);
}

/* Adds "key": value for each of the pairs. */
typedef struct number {
    const char *key;
    double value;
} number;

static json_t *numbers(const number *items, size_t n, bool *ok) {
    json_t *object = json_object();
    for (size_t i = 0; i < n; i++) {
        bool whole = items[i].value >= 0 && items[i].value < 9e15 && items[i].value == (double)(int64_t)items[i].value;
        sv_info_set(object, items[i].key,
                    whole ? json_integer((json_int_t)items[i].value) : sv_info_number(items[i].value), ok);
    }
    return object;
}

static json_t *weights_json(const sv_model_report *r, bool *ok) {
    json_t *object = json_object(), *types = json_object();
    for (int d = 0; d <= SV_BOOL; d++) {
        const number items[] = {{"tensors", (double)r->shares[d].n_tensors}, {"bytes", r->shares[d].bytes}};
        if (r->shares[d].n_tensors)
            sv_info_set(types, sv_dtype_name((sv_dtype)d), numbers(items, SV_COUNT(items), ok), ok);
    }
    sv_info_set(object, "bytes", json_integer((json_int_t)r->weight_bytes), ok);
    sv_info_set(object, "files", json_integer((json_int_t)r->n_files), ok);
    sv_info_set(object, "types", types, ok);
    if (r->quantisation.method[0]) {
        sv_info_set(object, "quantisation",
                    json_pack("{s:o,s:i,s:i}", "method", sv_info_text(r->quantisation.method), "bits", 4, "group",
                              r->quantisation.group),
                    ok);
    }
    return object;
}

static json_t *question_json(const sv_model_report *r, bool *ok) {
    const sv_prompt_length *l = &r->length;
    const number items[] = {{"system_tokens", (double)l->system},
                            {"shared_tokens", (double)l->shared},
                            {"rest_tokens", (double)l->suffix},
                            {"tokens", (double)l->total},
                            {"picture_tokens", (double)l->picture}};
    if (l->total == 0) return json_null();
    json_t *object = numbers(items, SV_COUNT(items), ok);
    sv_info_set(object, "system_tokens_assumed", json_boolean(!r->has_prompt), ok);
    if (r->has_prompt)
        sv_info_set(object, "answer_order", json_string(r->prompt.stage_first ? "stage_first" : "rationale_first"), ok);
    return object;
}

static json_t *cost_json(const sv_model_report *r, bool *ok) {
    const sv_memory_plan *m = &r->memory;
    const number memory[] = {{"weights", r->weight_bytes},
                             {"kv_per_token", (double)m->per_token},
                             {"shared_prefix", (double)m->prefix},
                             {"question", (double)m->question},
                             {"work_space", (double)(m->copied + m->desks + m->vision + m->embeddings)},
                             {"questions_at_a_time", SV_PROBE_BATCH},
                             {"together", r->weight_bytes + (double)m->total}};
    const number work[] = {{"picture", sv_work_sum(r->work_picture)},
                           {"question", sv_work_sum(r->work_question)},
                           {"answer", sv_work_sum(r->work_answer)},
                           {"shared_prefix", sv_work_sum(r->work_prefix)}};
    const number time[] = {{"picture", r->time.picture},
                           {"question", r->time.question},
                           {"answer", r->time.answer},
                           {"epoch", r->time.epoch},
                           {"epoch_in_batch", r->time.epoch_in_batch},
                           {"shared_prefix", r->time.prefix}};
    const number speed[] = {{"vision", r->speed.vision},
                            {"read", r->speed.read},
                            {"write", r->speed.write},
                            {"write_batch", r->speed.batch},
                            {"threads", r->speed.n_threads}};
    json_t *object = json_object();
    sv_info_set(object, "memory_bytes", numbers(memory, r->length.total ? SV_COUNT(memory) : 2, ok), ok);
    if (r->length.total) sv_info_set(object, "flop", numbers(work, SV_COUNT(work), ok), ok);
    if (r->probed) {
        sv_info_set(object, "estimated_seconds", numbers(time, SV_COUNT(time), ok), ok);
        sv_info_set(object, "flop_per_second", numbers(speed, SV_COUNT(speed), ok), ok);
    }
    return object;
}

static json_t *problems_json(const sv_model_report *r) {
    json_t *list = json_array();
    for (const char *p = sv_strbuf_text(&r->problems); *p;) {
        size_t n = strcspn(p, "\n");
        char *line = sv_strndup(p, n);
        if (line) json_array_append_new(list, sv_info_text(line));
        free(line);
        p += n + (p[n] == '\n');
    }
    return list;
}

json_t *sv_model_report_json(const sv_model_report *r) {
    const sv_text_config *t = &r->config.text;
    const sv_vision_config *v = &r->config.vision;
    const number text[] = {{"layers", t->n_layers},   {"width", t->hidden},
                           {"heads", t->n_heads},     {"kv_heads", t->n_kv_heads},
                           {"head_dim", t->head_dim}, {"feed_forward", t->ffn},
                           {"vocabulary", t->vocab},  {"parameters", r->parameters.text}};
    const number vision[] = {{"layers", v->depth},
                             {"width", v->hidden},
                             {"heads", v->n_heads},
                             {"feed_forward", v->ffn},
                             {"patch", v->patch},
                             {"window", v->window},
                             {"parameters", r->parameters.vision}};
    bool ok = true;
    json_t *object = json_object();
    sv_info_set(object, "folder", sv_info_text(r->path), &ok);
    sv_info_set(object, "kind", json_string("model"), &ok);
    sv_info_set(object, "architecture", json_string("qwen2_5_vl"), &ok);
    sv_info_set(object, "parameters", sv_info_number(r->parameters.total), &ok);
    if (r->parameters.total < 9e15)
        sv_info_set(object, "parameters", json_integer((json_int_t)r->parameters.total), &ok);
    sv_info_set(object, "text", numbers(text, SV_COUNT(text), &ok), &ok);
    sv_info_set(object, "vision", numbers(vision, SV_COUNT(vision), &ok), &ok);
    sv_info_set(object, "tied_embeddings", json_boolean(t->tied_embeddings), &ok);
    sv_info_set(object, "weights", weights_json(r, &ok), &ok);
    if (r->tokenizer) {
        const number tokens[] = {
            {"ids", sv_tokenizer_n_ids(r->tokenizer)}, {"added", r->n_added}, {"special", r->n_special}};
        json_t *tokenizer = numbers(tokens, SV_COUNT(tokens), &ok);
        sv_info_set(tokenizer, "chat_template", json_boolean(r->has_chat_template), &ok);
        sv_info_set(object, "tokenizer", tokenizer, &ok);
    }
    if (r->generation) sv_info_set(object, "generation", json_incref(r->generation), &ok);
    sv_info_set(object, "question", question_json(r, &ok), &ok);
    sv_info_set(object, "cost", cost_json(r, &ok), &ok);
    if (r->prompt.warning) sv_info_set(object, "warning", sv_info_text(r->prompt.warning), &ok);
    sv_info_set(object, "problems", problems_json(r), &ok);
    if (ok) return object;
    json_decref(object);
    return NULL;
}
