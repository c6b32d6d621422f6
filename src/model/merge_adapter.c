/* merge_adapter.c - opens both folders, writes the weights, and brings over what else makes a model. */
#include "model/merge_adapter.h"

#include "base/folder.h"
#include "base/memory.h"
#include "model/model_folder.h"

static sv_status check_places(const sv_merge_options *o, sv_error *err) {
    const char *const sources[] = {o->base, o->adapter};
    for (size_t i = 0; i < SV_COUNT(sources); i++) {
        if (!sv_same_place(sources[i], o->folder)) continue;
        return sv_fail(err, SV_ERR_OUTPUT, "%s: is what is merged; name another folder for the result", o->folder);
    }
    return SV_OK;
}

static sv_status write_folder(const sv_merge_options *o, const sv_merge_plan *plan, sv_error *err) {
    sv_folder_writer folder = {0};
    sv_pool *pool = NULL;
    double n_bytes = (double)sv_merge_plan_counts(plan).n_bytes + sv_model_folder_bytes_of_others(o->base);
    sv_status s = check_places(o, err);
    if (!s) s = sv_pool_new(o->n_threads, &pool, err);
    if (!s) s = sv_folder_writer_open(&folder, o->folder, n_bytes, o->force, err);
    if (!s) s = sv_model_folder_copy_others(o->base, folder.temporary, err);
    if (!s) s = sv_model_folder_copy_prompt(o->adapter, folder.temporary, err);
    if (!s) s = sv_model_folder_write_config(o->base, folder.temporary, o->dtype, err);
    if (!s) {
        s = sv_merge_plan_write(plan, folder.temporary, o->max_shard_bytes, pool, o->progress, o->context, err);
    }
    if (!s) s = sv_folder_writer_commit(&folder, err);
    sv_folder_writer_abort(&folder);
    sv_pool_free(pool);
    return s;
}

sv_status sv_merge_adapter(const sv_merge_options *o, sv_merge_counts *counts, sv_error *err) {
    sv_tensor_file *file = NULL;
    sv_adapter *adapter = NULL;
    sv_quantisation quantisation;
    sv_model_config config;
    sv_merge_plan *plan = NULL;
    sv_status s = sv_model_config_load(o->base, &config, err);
    if (!s) s = sv_quantisation_load(o->base, &quantisation, err);
    if (!s) s = sv_tensor_folder_open(o->base, &file, err);
    if (!s) s = sv_adapter_open(o->adapter, &adapter, err);
    if (!s) {
        const sv_merge_source source = {.file = file,
                                        .quantisation = &quantisation,
                                        .adapter = adapter,
                                        .config = &config,
                                        .dtype = o->dtype,
                                        .convert_all = o->convert_all};
        s = sv_merge_plan_new(&source, &plan, err);
        if (s) sv_error_prefix(err, "%s with %s", o->base, o->adapter);
    }
    if (!s) s = write_folder(o, plan, err);
    if (!s && counts) *counts = sv_merge_plan_counts(plan);
    sv_merge_plan_free(plan);
    sv_adapter_close(adapter);
    sv_tensor_file_close(file);
    return s;
}
