/* make_model.c - room, a temporary folder, the weights, a prompt of the length that the shape is meant for. */
#include "cli/make_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/folder.h"
#include "base/json.h"
#include "base/memory.h"
#include "cli/command.h"
#include "cli/progress.h"
#include "cli/quantity.h"
#include "model/model_cost.h"
#include "model/random_model.h"
#include "stage/prompt_length.h"

#define SHARD_BYTES ((uint64_t)4000000000) /* the published checkpoints have shards of this size */
#define SMALL_FILES_BYTES 16e6

static const struct {
    const char *name;
    sv_dtype dtype;
} dtypes[] = {{"bf16", SV_BF16}, {"f16", SV_F16}, {"f32", SV_F32}, {"w4a16", SV_I32}};

static sv_status find_dtype(const char *name, sv_dtype *out, sv_error *err) {
    for (size_t i = 0; i < SV_COUNT(dtypes); i++) {
        *out = dtypes[i].dtype;
        if (!name || strcmp(name, dtypes[i].name) == 0) return SV_OK;
    }
    return sv_fail(err, SV_ERR_USAGE, "--dtype must be bf16, f16, f32 or w4a16, found '%s'", name);
}

static sv_status find_shape(const char *name, const sv_model_shape **out, sv_error *err) {
    char known[256];
    size_t used = 0;
    *out = sv_model_shape_find(name);
    if (*out) return SV_OK;
    for (size_t i = 0; i < sv_n_model_shapes && used < sizeof known; i++) {
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "", sv_model_shapes[i].name);
    }
    return sv_fail(err, SV_ERR_USAGE, "--make-model: there is no shape '%s'; known are %s", name, known);
}

typedef struct job {
    const sv_make_model_options *options;
    sv_random_model_options model;
    sv_progress progress;
    const char *folder; /* the temporary one */
    sv_prompt_length length;
} job;

static bool on_progress(void *context, uint64_t n_done, uint64_t n_bytes) {
    job *j = context;
    sv_progress_update(&j->progress, (int64_t)(n_done >> 20), (int64_t)(n_bytes >> 20));
    return !sv_cli_interrupted();
}

static sv_status write_text(const job *j, const char *name, const char *text, size_t len, sv_error *err) {
    char *path = sv_path_join(j->folder, name);
    sv_status s = path ? sv_file_write(path, text, len, err) : sv_fail_memory(err, name, strlen(j->folder));
    free(path);
    return s;
}

static const char prompt_sentence[] =
    " The target epoch is scored by the waves that take up most of its thirty seconds and by their amplitude.";
static const char prompt_filler[] = " a"; /* one token in every tokenizer of the family */

/* A prompt.txt with which a question has as many tokens as the shape is meant for: sentences, then single tokens. */
static sv_status make_prompt(const sv_tokenizer *tokenizer, const sv_model_config *config, size_t wanted,
                             sv_strbuf *text, sv_prompt_length *length, sv_error *err) {
    static const char begin[] = "Stage the target epoch.";
    const struct {
        const char *text;
        size_t len;
    } pieces[] = {{begin, sizeof begin - 1},
                  {prompt_sentence, sizeof prompt_sentence - 1},
                  {prompt_filler, sizeof prompt_filler - 1}};
    for (size_t i = 0; i < SV_COUNT(pieces); i++) {
        size_t n_times = 1, cost = 1;
        int32_t *ids;
        if (i > 0) {
            sv_status s = sv_tokenizer_encode(tokenizer, pieces[i].text, pieces[i].len, false, &ids, &cost, err);
            if (s) return s;
            free(ids);
            n_times = wanted > length->total ? (wanted - length->total) / cost : 0;
        }
        for (size_t k = 0; k < n_times; k++) sv_strbuf_append(text, pieces[i].text, pieces[i].len);
        if (text->failed) return sv_fail_memory(err, "prompt", text->len);
        sv_stage_prompt prompt = {.system = text->data, .system_len = text->len};
        sv_status s = sv_stage_prompt_length(&prompt, tokenizer, config, length, err);
        if (s) return s;
    }
    return SV_OK;
}

static sv_status write_prompt(job *j, sv_error *err) {
    static const char card[] =
        "{\n  \"answer_order\": \"rationale_first\",\n"
        "  \"warning\": \"The weights are random (sleepvlm bench --make-model): the answers mean nothing.\"\n}\n";
    sv_tokenizer *tokenizer = NULL;
    sv_model_config config;
    sv_strbuf text = {0};
    const sv_model_shape *shape = j->model.shape;
    sv_status s = sv_tokenizer_load(j->folder, &tokenizer, err);
    config = (sv_model_config){.text = shape->text, .vision = shape->vision, .min_pixels = 3136, .max_pixels = 1003520};
    if (!s) {
        config.image_token = sv_tokenizer_special(tokenizer, "<|image_pad|>");
        s = make_prompt(tokenizer, &config, (size_t)shape->prompt_tokens, &text, &j->length, err);
    }
    if (!s) s = write_text(j, "prompt.txt", sv_strbuf_text(&text), text.len, err);
    if (!s) s = write_text(j, "sleepvlm.json", card, sizeof card - 1, err);
    sv_strbuf_free(&text);
    sv_tokenizer_free(tokenizer);
    return s;
}

static sv_status make_in(job *j, const char *temporary, sv_error *err) {
    j->folder = temporary;
    sv_progress_start(&j->progress, j->options->json ? NULL : stderr, "weights, MB");
    sv_status s = sv_random_model_write(temporary, &j->model, err);
    sv_progress_finish(&j->progress);
    return s ? s : write_prompt(j, err);
}

static sv_status tell(const job *j, double seconds, sv_error *err) {
    char count[SV_QUANTITY_SIZE], bytes[SV_QUANTITY_SIZE], time[SV_QUANTITY_SIZE];
    const sv_make_model_options *o = j->options;
    sv_model_config config = {.text = j->model.shape->text, .vision = j->model.shape->vision};
    sv_parameter_count n;
    sv_count_parameters(&config, &n);
    double n_bytes = (double)sv_random_model_bytes(j->model.shape, j->model.dtype);
    const char *dtype = o->dtype ? o->dtype : dtypes[0].name;
    if (o->json) {
        json_t *value = json_pack("{s:s,s:s,s:s,s:f,s:f,s:I,s:f}", "folder", o->folder, "shape", o->shape, "dtype",
                                  dtype, "parameters", n.total, "weight_bytes", n_bytes, "prompt_tokens",
                                  (json_int_t)j->length.total, "seconds", seconds);
        char *line = value ? json_dumps(value, SV_JSON_REALS) : NULL;
        if (line) puts(line);
        free(line);
        json_decref(value);
        return line ? SV_OK : sv_fail_memory(err, "the description", 256);
    }
    printf("%s: shape %s in %s, %s parameters, %s of weights, a prompt of %zu tokens; written in %s\n", o->folder,
           o->shape, dtype, sv_put_count(count, n.total), sv_put_bytes(bytes, n_bytes), j->length.total,
           sv_put_duration(time, seconds));
    return SV_OK;
}

sv_status sv_make_model(const sv_make_model_options *options, sv_error *err) {
    job j = {.options = options};
    sv_folder_writer folder = {0};
    double begin = sv_now_s();
    sv_status s = find_shape(options->shape, &j.model.shape, err);
    if (!s) s = find_dtype(options->dtype, &j.model.dtype, err);
    if (s) return s;
    j.model.seed = options->seed;
    j.model.tokenizer_folder = options->tokenizer_folder;
    j.model.max_shard_bytes = SHARD_BYTES;
    j.model.n_threads = options->n_threads;
    j.model.progress = on_progress;
    j.model.context = &j;
    double n_bytes = SMALL_FILES_BYTES + (double)sv_random_model_bytes(j.model.shape, j.model.dtype);
    s = sv_folder_writer_open(&folder, options->folder, n_bytes, false, err);
    if (!s) s = make_in(&j, folder.temporary, err);
    if (!s) s = sv_folder_writer_commit(&folder, err);
    sv_folder_writer_abort(&folder);
    return s ? s : tell(&j, sv_now_s() - begin, err);
}
