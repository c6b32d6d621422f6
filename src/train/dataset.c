/* dataset.c - see dataset.h. */
#include "train/dataset.h"

#include "base/memory.h"
#include "train/dataset_phases.h"

/* Looks at every recording before the split is drawn: one that cannot be opened is no subject. */
static sv_status check_inputs(sv_dataset_folder *folder, bool *used, sv_error *err) {
    const sv_dataset_job *job = folder->job;
    sv_status status = SV_OK;
    size_t n = 0;
    for (size_t i = 0; i < job->inputs->n && !status; i++) {
        const sv_dataset_input *input = &job->inputs->items[i];
        if (job->stop && job->stop()) return sv_fail(err, SV_ERR_CANCELLED, "interrupted");
        status = sv_dataset_input_check(input, &job->filters, err);
        used[i] = status == SV_OK;
        n += used[i];
        sv_dataset_forgive(folder, &status, err);
        if (used[i] && input->wants_base && !job->filters.without_stages) {
            sv_dataset_note(job, "%s: there is no '%s Base.edf' beside it", input->recording, input->subject);
        }
    }
    if (!status && n == 0) status = sv_fail(err, SV_ERR_INPUT, "none of the recordings can be used");
    return status;
}

sv_status sv_dataset_make(const sv_dataset_job *job, json_t **summary, sv_error *err) {
    sv_dataset_folder folder;
    sv_error own;
    if (!err) err = &own;
    *summary = NULL;
    bool *used = sv_calloc(job->inputs->n, sizeof *used);
    if (!used) return sv_fail_memory(err, "recordings", job->inputs->n);
    sv_status status = sv_dataset_folder_open(job, &folder, summary, err);
    if (!status && !*summary) {
        status = check_inputs(&folder, used, err);
        if (!status) {
            status = job->sft ? sv_dataset_make_sft(&folder, used, summary, err)
                              : sv_dataset_make_wpt(&folder, used, summary, err);
        }
        if (!status && !*summary) status = sv_fail_memory(err, "the summary", 0);
        if (!status) status = sv_dataset_folder_finish(&folder, *summary, err);
    }
    free(used);
    if (status) {
        json_decref(*summary);
        *summary = NULL;
    }
    return status;
}
