/* dataset_wpt.c - data sets of the first phase: a picture, and what each of its seconds holds. */
#include <string.h>

#include "base/memory.h"
#include "train/dataset_phases.h"

static sv_status write_targets(const sv_dataset_job *job, const sv_labelled_night *night, const char *subject,
                               sv_error *err) {
    sv_strbuf json = {0}, name = {0};
    sv_strbuf_puts(&json, "{");
    for (int e = 0; e < night->n_epochs; e++) {
        if (e) sv_strbuf_puts(&json, ", ");
        sv_targets_put_epoch(&json, e, (sv_stage)night->stages[e], night->roles, night->seconds[e]);
    }
    sv_strbuf_puts(&json, "}\n");
    sv_strbuf_printf(&name, "%s/band_power/%s.json", job->folder, subject);
    sv_status status = json.failed || name.failed ? sv_fail_memory(err, "the targets", json.len) : SV_OK;
    if (!status) status = sv_file_write(name.data, json.data, json.len, err);
    sv_strbuf_free(&json);
    sv_strbuf_free(&name);
    return status;
}

static sv_status add_record(const sv_dataset_job *job, const sv_dataset_input *input, const sv_labelled_night *night,
                            int epoch, sv_file_writer *w, sv_error *err) {
    sv_strbuf answer = {0}, id = {0};
    char *path = sv_dataset_picture_path(input->subject, epoch, (sv_stage)night->stages[epoch]);
    sv_answer_put_seconds(&answer, night->roles, night->seconds[epoch]);
    sv_strbuf_printf(&id, "%s_%s#%d", input->subset, input->subject, epoch);
    sv_status status = SV_OK;
    if (!path || answer.failed || id.failed) {
        status = sv_fail_memory(err, "a record", answer.len);
    } else {
        const sv_chat_texts texts = {.kind = SV_RECORD_WPT,
                                     .system = job->prompts[SV_RECORD_WPT],
                                     .question = job->question,
                                     .image_paths = {path},
                                     .answer = answer.data};
        status = sv_dataset_records_add(w, id.data, &texts, err);
    }
    free(path);
    sv_strbuf_free(&answer);
    sv_strbuf_free(&id);
    return status;
}

static sv_status add_records(sv_dataset_folder *folder, const sv_dataset_input *input, const sv_labelled_night *night,
                             sv_file_writer *w, int64_t *n, sv_error *err) {
    sv_status status = SV_OK;
    for (int e = 0; e < night->n_epochs && !status; e++) {
        int reason = sv_labelled_night_wpt_skip(night, e, false);
        if (reason != SV_NO_SKIP) {
            folder->skipped[reason]++;
        } else {
            status = add_record(folder->job, input, night, e, w, err);
            ++*n;
        }
    }
    return status;
}

static sv_status add_subject(sv_dataset_folder *folder, const sv_dataset_input *input, sv_file_writer *w, int64_t *n,
                             sv_error *err) {
    const sv_dataset_job *job = folder->job;
    sv_labelled_night night;
    if (job->stop && job->stop()) return sv_fail(err, SV_ERR_CANCELLED, "interrupted");
    sv_status status = sv_labelled_night_open(input, &job->filters, true, &night, err);
    if (status) {
        sv_dataset_forgive(folder, &status, err);
        return status;
    }
    status = sv_dataset_draw(folder, &night, input->subject, NULL, err);
    if (!status) status = write_targets(job, &night, input->subject, err);
    if (!status) status = add_records(folder, input, &night, w, n, err);
    sv_labelled_night_free(&night);
    return status;
}

/* One of the two files of records. */
static sv_status write_part(sv_dataset_folder *folder, const char *part, const size_t *subjects, size_t n_subjects,
                            int64_t *n, sv_error *err) {
    sv_file_writer w = {0};
    sv_status status = sv_dataset_records_open(folder->job, part, &w, err);
    for (size_t i = 0; i < n_subjects && !status; i++) {
        status = add_subject(folder, &folder->job->inputs->items[subjects[i]], &w, n, err);
    }
    if (!status) return sv_file_writer_commit(&w, err);
    sv_file_writer_abort(&w);
    return status;
}

static sv_status write_subjects(const sv_dataset_job *job, const sv_dataset_split *split, sv_error *err) {
    char *path = sv_dataset_path(job, "subjects.json", err);
    json_t *subjects = sv_dataset_split_to_json(split, job->inputs, job->seed, job->split);
    sv_status status = path && subjects ? sv_json_save(path, subjects, err) : sv_fail_memory(err, "subjects", 0);
    json_decref(subjects);
    free(path);
    return status;
}

sv_status sv_dataset_make_wpt(sv_dataset_folder *folder, const bool *used, json_t **summary, sv_error *err) {
    const sv_dataset_job *job = folder->job;
    sv_dataset_split split;
    int64_t n_train = 0, n_val = 0;
    sv_status status = sv_dataset_split_draw(job->inputs, used, job->seed, job->split, &split, err);
    if (status) return status;
    char *targets = sv_dataset_path(job, "band_power", err);
    status = targets ? sv_make_dirs(targets, err) : SV_ERR_MEMORY;
    if (!status) status = write_part(folder, "train", split.train, split.n_train, &n_train, err);
    if (!status) status = write_part(folder, "val", split.val, split.n_val, &n_val, err);
    if (!status) status = write_subjects(job, &split, err);
    if (!status) *summary = sv_dataset_summary(folder, split.n_train, split.n_val, n_train, n_val);
    free(targets);
    sv_dataset_split_free(&split);
    return status;
}
