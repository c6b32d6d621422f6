/* stage_file.c - the whole job of the public API: a recording in, a result folder out. */
#include <stdlib.h>

#include "base/file.h"
#include "report/report.h"
#include "stage/run.h"

static sv_status write_report(const sv_run *run, sv_error *err) {
    char *path = sv_path_join(run->folder, "report.html");
    if (!path) return sv_fail_memory(err, "path", 0);
    sv_report_input input = {.summary = run->summary,
                             .rows = run->rows,
                             .night = &run->subject.night,
                             .no_signals = run->options.no_signals};
    sv_status s = sv_report_write(path, &input, run->pool, err);
    free(path);
    return s;
}

sv_status sv_stage_file(const char *recording_path, const sv_model *model, const char *folder,
                        const sv_stage_options *options, sv_stage_outcome *outcome, sv_error *err) {
    static const sv_stage_options defaults = {0};
    sv_run run;
    sv_status s = sv_run_open(recording_path, model, folder, options ? options : &defaults, &run, err);
    if (s) return s;
    if (!run.outcome.was_complete) {
        s = sv_run_ask(&run, err);
        if (!s) s = sv_run_write(&run, err);
        if (!s) s = write_report(&run, err);
        if (!s) s = sv_run_finish(&run, err);
    }
    if (outcome) *outcome = run.outcome;
    sv_run_close(&run);
    return s;
}
