/* run.c - the order of things in staging one recording. */
#include "stage/run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "stage/ask.h"
#include "stage/audit_rows.h"
#include "stage/output.h"
#include "stage/provenance.h"
#include "stage/row.h"

static void count(sv_run *run) {
    const json_t *counts = json_object_get(run->summary, "counts");
    sv_stage_outcome *o = &run->outcome;
    o->n_epochs = run->subject.night.n_epochs;
    o->n_unparsed = (int)sv_json_int(counts, "unparsed", 0);
    o->n_no_signal = (int)sv_json_int(counts, "no_signal", 0);
    o->n_uncertain = (int)sv_json_int(counts, "uncertain", 0);
    o->n_contradicted = (int)sv_json_int(counts, "contradicted", 0);
    o->n_warnings = (int)json_array_size(json_object_get(run->summary, "warnings"));
}

static bool has_file(const sv_run *run, const char *name) {
    char *path = sv_path_join(run->folder, name);
    bool there = path && sv_file_exists(path);
    free(path);
    return there;
}

static bool has_all_files(const sv_run *run) {
    return has_file(run, "epochs.jsonl") && has_file(run, "hypnogram.csv") && has_file(run, "hypnogram.edf") &&
           has_file(run, "report.html");
}

/* Is there a finished result in the folder, and is it this one? *rows_stand: it is, but a file made from its rows is
 * gone. */
static sv_status look_for_result(sv_run *run, bool *rows_stand, sv_error *err) {
    char *path = sv_path_join(run->folder, "summary.json");
    if (!path) return sv_fail_memory(err, "path", 0);
    sv_status s = SV_OK;
    bool look = sv_file_exists(path) && !run->options.force;
    if (look) s = sv_json_load(path, &run->summary, err);
    if (!s && run->summary) {
        bool same = strcmp(sv_json_text(run->summary, "fingerprint", ""), run->fingerprint) == 0;
        run->outcome.was_complete = same && has_all_files(run);
        *rows_stand = same && !run->outcome.was_complete && has_file(run, "epochs.jsonl");
        if (run->outcome.was_complete) {
            count(run);
        } else if (same) {
            json_decref(run->summary);
            run->summary = NULL;
        } else {
            s = sv_fail(
                err, SV_ERR_INPUT,
                "%s holds the result of another recording, model or set of options; name another folder by -o, or "
                "replace it by --force",
                run->folder);
        }
    }
    free(path);
    return s;
}

static sv_status open_journal(sv_run *run, bool rows_stand, sv_error *err) {
    sv_status s = sv_journal_open(run->folder, run->fingerprint, run->subject.night.n_epochs, run->options.force,
                                  &run->journal, err);
    if (!s && rows_stand) {
        char *path = sv_path_join(run->folder, "epochs.jsonl");
        s = path ? sv_journal_take_finished(run->journal, path, err) : sv_fail_memory(err, "path", 0);
        free(path);
    }
    if (!s) run->outcome.n_resumed = sv_journal_n_rows(run->journal);
    return s;
}

/* An adapter that was trained with a prompt of its own brings it. */
static sv_status load_prompt(sv_run *run, sv_error *err) {
    const char *adapter = sv_model_adapter_folder(run->model), *given = run->options.prompt_path;
    char *own = adapter ? sv_path_join(adapter, "prompt.txt") : NULL;
    if (adapter && !own) return sv_fail_memory(err, "path", strlen(adapter));
    if (!given && own && sv_file_exists(own)) given = own;
    sv_status s = sv_stage_prompt_load(sv_model_folder(run->model), given, &run->prompt, err);
    free(own);
    return s;
}

static sv_status prepare(const char *recording_path, sv_run *run, sv_error *err) {
    sv_status s;
    bool rows_stand = false;
    if ((s = load_prompt(run, err))) return s;
    if ((s = sv_method_load(sv_model_folder(run->model), &run->prompt, &run->options, &run->method, err))) return s;
    if ((s = sv_subject_open(recording_path, &run->options, &run->subject, err))) return s;
    if ((s = sv_make_dirs(run->folder, err))) return s; /* not before: what cannot be read leaves no empty folder */
    s = sv_provenance_new(&run->subject, run->model, &run->prompt, &run->method, &run->options, &run->provenance, err);
    if (!s) s = sv_method_check(&run->method, run->provenance, err);
    if (!s) s = sv_provenance_fingerprint(run->provenance, run->fingerprint, err);
    if (!s) s = look_for_result(run, &rows_stand, err);
    if (s || run->outcome.was_complete) return s;
    if ((s = sv_pool_new(run->options.n_threads, &run->pool, err))) return s;
    return open_journal(run, rows_stand, err);
}

sv_status sv_run_open(const char *recording_path, const sv_model *model, const char *folder,
                      const sv_stage_options *options, sv_run *out, sv_error *err) {
    *out = (sv_run){.model = model, .folder = folder, .options = *options};
    sv_status s = prepare(recording_path, out, err);
    if (s) sv_run_close(out);
    return s;
}

sv_status sv_run_ask(sv_run *run, sv_error *err) {
    json_t *audit = NULL;
    sv_status s = sv_ask_night(run, err);
    if (s) return s;
    run->rows = sv_journal_rows(run->journal);
    if (!run->options.no_audit) s = sv_audit_rows(run->rows, &run->subject, run->pool, &audit, err);
    if (!s)
        s = sv_output_summary(&run->subject, &run->prompt, run->provenance, run->fingerprint, run->rows, audit,
                              &run->summary, err);
    json_decref(audit);
    if (!s) count(run);
    return s;
}

sv_status sv_run_write(const sv_run *run, sv_error *err) {
    char *rows = sv_path_join(run->folder, "epochs.jsonl"), *csv = sv_path_join(run->folder, "hypnogram.csv");
    char *edf = sv_path_join(run->folder, "hypnogram.edf"), *summary = sv_path_join(run->folder, "summary.json");
    signed char *stages = sv_output_stages(run->rows);
    const sv_start_time *start = &run->subject.info->start;
    sv_status s = rows && csv && edf && summary && stages ? SV_OK : sv_fail_memory(err, "paths", 0);
    /* a summary vouches for the files beside it: that of an earlier result goes before they do */
    if (!s && unlink(summary) != 0 && errno != ENOENT)
        s = sv_fail_errno(err, SV_ERR_OUTPUT, "%s: cannot remove", summary);
    if (!s) s = sv_output_rows(rows, run->rows, err);
    if (!s) s = sv_output_hypnogram_csv(csv, run->rows, start, err);
    if (!s)
        s = sv_hypnogram_write_edf(edf, stages, run->subject.night.n_epochs,
                                   sv_output_start_fits_edf(start) ? start : NULL, err);
    free(rows);
    free(csv);
    free(edf);
    free(summary);
    free(stages);
    return s;
}

sv_status sv_run_finish(sv_run *run, sv_error *err) {
    char *path = sv_path_join(run->folder, "summary.json");
    sv_status s = path ? sv_json_save(path, run->summary, err) : sv_fail_memory(err, "path", 0);
    if (!s) sv_journal_remove(run->journal);
    free(path);
    return s;
}

void sv_run_close(sv_run *run) {
    json_decref(run->summary);
    json_decref(run->rows);
    json_decref(run->provenance);
    sv_journal_close(run->journal);
    sv_pool_free(run->pool);
    sv_method_free(&run->method);
    sv_stage_prompt_free(&run->prompt);
    sv_subject_close(&run->subject);
    *run = (sv_run){0};
}
