/* save.c - see save.h. */
#include "train/save.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/folder.h"
#include "base/memory.h"
#include "model/model_folder.h"
#include "model/tensor_writer.h"

#define PIECE ((size_t)65536) /* numbers that are converted at a time */
#define ROOT "base_model.model."

/* ---- adapter */

static sv_status write_adapter_config(const sv_trainee *t, const char *folder, sv_error *err) {
    char *path = sv_path_join(folder, "adapter_config.json");
    json_t *config =
        json_pack("{s:s,s:s,s:s,s:n,s:n,s:n,s:f,s:s,s:b,s:b,s:b,s:b,s:b,s:n,s:{},s:{},s:n,s:n,s:n}", "peft_type",
                  "LORA", "task_type", "CAUSAL_LM", "base_model_name_or_path", t->network.folder, "r", "lora_alpha",
                  "target_modules", "lora_dropout", t->dropout, "bias", "none", "fan_in_fan_out", 0, "inference_mode",
                  1, "init_lora_weights", 1, "use_rslora", 0, "use_dora", 0, "modules_to_save", "rank_pattern",
                  "alpha_pattern", "layers_pattern", "layers_to_transform", "revision");
    if (config && json_object_update_existing(config, t->settings)) {
        json_decref(config);
        config = NULL;
    }
    sv_status s = path && config ? sv_json_save(path, config, err) : sv_fail_memory(err, "adapter_config.json", 0);
    json_decref(config);
    free(path);
    return s;
}

sv_status sv_save_adapter_files(const sv_trainee *t, const char *folder, sv_error *err) {
    sv_tensor_plan *plans = sv_calloc(t->n_own, sizeof *plans);
    char(*names)[288] = sv_calloc(t->n_own, sizeof *names);
    sv_tensor_writer *writer = NULL;
    sv_status s = plans && names ? SV_OK : sv_fail_memory(err, "adapter", t->n_own * sizeof *names);
    for (size_t i = 0; i < t->n_own && !s; i++) {
        const sv_parameter *p = &t->parameters[i];
        snprintf(names[i], sizeof names[i], ROOT "%s", p->name);
        plans[i] = (sv_tensor_plan){.name = names[i], .dtype = SV_F32, .n_dims = p->n_dims};
        memcpy(plans[i].shape, p->shape, sizeof p->shape);
    }
    if (!s) s = write_adapter_config(t, folder, err);
    if (!s) s = sv_tensor_writer_open(folder, "adapter_model", plans, t->n_own, 0, &writer, err);
    for (size_t i = 0; i < t->n_own && !s; i++)
        s = sv_tensor_writer_put(writer, t->parameters[i].value, t->parameters[i].n * sizeof(float), err);
    if (!s) s = sv_tensor_writer_finish(writer, err);
    sv_tensor_writer_close(writer);
    free(plans);
    free(names);
    return s;
}

/* ---- model */

static const sv_parameter *find(const sv_trainee *t, const char *name) {
    for (size_t i = 0; i < t->n_own; i++) {
        if (strcmp(t->parameters[i].name, name) == 0) return &t->parameters[i];
    }
    return NULL;
}

static bool is_float(sv_dtype dtype) { return dtype == SV_F32 || dtype == SV_F16 || dtype == SV_BF16; }

/* A tied head that stands in the file is the embedding once more: it would be an old one. */
static bool is_left_out(const sv_trainee *t, const sv_tensor *tensor) {
    return t->network.config.text.tied_embeddings && strcmp(tensor->name, "lm_head.weight") == 0;
}

static sv_status put_numbers(const sv_tensor *tensor, const sv_parameter *p, sv_dtype dtype, sv_tensor_writer *writer,
                             sv_error *err) {
    size_t n = tensor->n_bytes / sv_dtype_size(tensor->dtype);
    float *values = sv_calloc(PIECE, sizeof *values);
    unsigned char *bytes = sv_calloc(PIECE, sizeof(float));
    sv_status s = values && bytes ? SV_OK : sv_fail_memory(err, "weights", PIECE * sizeof *values);
    for (size_t at = 0; at < n && !s; at += PIECE) {
        size_t m = SV_MIN(PIECE, n - at);
        if (!p) sv_tensor_read_f32(tensor, at, m, values);
        sv_dtype_write_f32(dtype, p ? p->value + at : values, m, bytes);
        s = sv_tensor_writer_put(writer, bytes, m * sv_dtype_size(dtype), err);
    }
    free(values);
    free(bytes);
    return s;
}

static sv_status write_weights(const sv_trainee *t, const char *folder, sv_dtype dtype, sv_error *err) {
    const sv_tensor_file *file = t->network.file;
    size_t n_all = sv_tensor_count(file), n = 0;
    sv_tensor_plan *plans = sv_calloc(n_all, sizeof *plans);
    sv_tensor_writer *writer = NULL;
    if (!plans) return sv_fail_memory(err, "weights", n_all * sizeof *plans);
    size_t n_trained = 0;
    for (size_t i = 0; i < n_all; i++) {
        const sv_tensor *tensor = sv_tensor_at(file, i);
        if (is_left_out(t, tensor)) continue;
        n_trained += find(t, tensor->name) != NULL;
        plans[n] = (sv_tensor_plan){
            .name = tensor->name, .dtype = is_float(tensor->dtype) ? dtype : tensor->dtype, .n_dims = tensor->n_dims};
        memcpy(plans[n++].shape, tensor->shape, sizeof tensor->shape);
    }
    sv_status s = SV_OK;
    if (n_trained != t->n_own) {
        s = sv_fail(err, SV_ERR_INTERNAL, "%s: %zu of %zu trained parameters are in its files", t->network.folder,
                    n_trained, t->n_own);
    }
    if (!s) s = sv_tensor_writer_open(folder, "model", plans, n, 0, &writer, err);
    for (size_t i = 0; i < n_all && !s; i++) {
        const sv_tensor *tensor = sv_tensor_at(file, i);
        if (is_left_out(t, tensor)) continue;
        s = is_float(tensor->dtype) ? put_numbers(tensor, find(t, tensor->name), dtype, writer, err)
                                    : sv_tensor_writer_put(writer, tensor->data, tensor->n_bytes, err);
    }
    if (!s) s = sv_tensor_writer_finish(writer, err);
    sv_tensor_writer_close(writer);
    free(plans);
    return s;
}

sv_status sv_save_model_files(const sv_trainee *t, const char *folder, sv_dtype dtype, sv_error *err) {
    sv_status s = sv_model_folder_copy_others(t->network.folder, folder, err);
    if (!s) s = sv_model_folder_write_config(t->network.folder, folder, dtype, err);
    return s ? s : write_weights(t, folder, dtype, err);
}

static sv_status write_prompt(const char *folder, const char *prompt, sv_error *err) {
    char *path = sv_path_join(folder, "prompt.txt");
    sv_status s = path ? sv_file_write(path, prompt, strlen(prompt), err) : sv_fail_memory(err, "path", 0);
    free(path);
    return s;
}

sv_status sv_save_trained(const sv_trainee *t, const char *path, const char *prompt, sv_error *err) {
    sv_folder_writer folder = {0};
    bool full = t->rank == 0;
    double n_bytes =
        full ? 4.0 * (double)sv_model_n_parameters(&t->network) + sv_model_folder_bytes_of_others(t->network.folder)
             : 4.0 * (double)t->n_values;
    sv_status s = sv_folder_writer_open(&folder, path, n_bytes, true, err);
    if (!s) {
        s = full ? sv_save_model_files(t, folder.temporary, SV_F32, err)
                 : sv_save_adapter_files(t, folder.temporary, err);
    }
    if (!s && prompt) s = write_prompt(folder.temporary, prompt, err);
    if (!s) s = sv_folder_writer_commit(&folder, err);
    sv_folder_writer_abort(&folder);
    return s;
}
