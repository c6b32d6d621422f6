/* sim_folder.c - see sim_folder.h. */
#include "simulate/sim_folder.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/folder.h"
#include "base/memory.h"

static const char truth_name[] = "truth.json";

/* What the bytes depend on besides the program. */
static json_t *describe(const sv_sim_job *job) {
    const sv_sim_profile *profile = job->options.profile;
    return json_pack("{s:s,s:I,s:f,s:i,s:s,s:O?}", "program", "sleepvlm simulate", "seed",
                     (json_int_t)job->options.seed, "hours", job->options.hours, "rate_hz", job->options.rate_hz,
                     "montage", sv_sim_montage_name(job->montage), "profile", profile ? profile->wishes : NULL);
}

static char *night_folder(const sv_sim_job *job) { return sv_path_join(job->folder, job->name); }

sv_status sv_sim_folder_check(const sv_sim_job *job, bool *made, sv_error *err) {
    char *folder = night_folder(job), *path = folder ? sv_path_join(folder, truth_name) : NULL;
    json_t *wanted = describe(job), *found = NULL;
    sv_status s = path && wanted ? SV_OK : sv_fail_memory(err, "path", strlen(job->folder));
    *made = false;
    if (!s && sv_file_exists(path)) {
        sv_error unreadable;
        *made = sv_json_load(path, &found, &unreadable) == SV_OK &&
                json_equal(json_object_get(found, "simulation"), wanted);
        if (!*made && !job->force) {
            s = sv_fail(err, SV_ERR_OUTPUT, "%s: a night made with other options is there already; --force replaces it",
                        folder);
        }
    }
    json_decref(wanted);
    json_decref(found);
    free(path);
    free(folder);
    return s;
}

static sv_status write_truth(const char *folder, const sv_sim_job *job, const sv_sim_night *night, sv_error *err) {
    const unsigned all = (1u << SV_N_ROLES) - 1;
    char *path = sv_path_join(folder, truth_name);
    json_t *truth = sv_truth_to_json(&night->facts, &night->truth, all, job->options.seed);
    sv_file_writer w = {0};
    sv_status s = path && truth ? SV_OK : sv_fail_memory(err, truth_name, 0);
    if (!s) {
        json_object_set_new(truth, "subject", sv_sim_subject_to_json(&night->subject));
        json_object_set_new(truth, "simulation", describe(job));
        s = sv_file_writer_open(&w, path, err);
    }
    if (!s && json_dumpf(truth, w.stream, JSON_COMPACT | SV_JSON_REALS) != 0) {
        s = sv_fail_errno(err, SV_ERR_OUTPUT, "%s: cannot write", path);
    }
    if (!s)
        s = sv_file_writer_commit(&w, err);
    else
        sv_file_writer_abort(&w);
    json_decref(truth);
    free(path);
    return s;
}

static sv_status write_edf(const char *folder, const sv_sim_job *job, const sv_sim_night *night, sv_error *err) {
    size_t room = strlen(job->name) + 8;
    char *name = malloc(room), *path = NULL;
    if (name) {
        snprintf(name, room, "%s.edf", job->name);
        path = sv_path_join(folder, name);
    }
    sv_status s =
        path ? sv_sim_edf_write(night, job->options.seed, job->montage, path, err) : sv_fail_memory(err, "path", room);
    free(name);
    free(path);
    return s;
}

sv_status sv_sim_folder_make(const sv_sim_job *job, sv_sim_progress *progress, void *context, sv_sim_night *out,
                             sv_error *err) {
    const sv_sim_options *o = &job->options;
    char *folder = night_folder(job);
    sv_folder_writer w = {0};
    *out = (sv_sim_night){0};
    if (!folder) return sv_fail_memory(err, "path", strlen(job->folder));
    double n_bytes = sv_sim_edf_bytes(o->hours, o->rate_hz, job->montage);
    sv_status s = sv_folder_writer_open(&w, folder, n_bytes, job->force, err);
    if (!s) s = sv_simulate_night(o, progress, context, out, err);
    if (!s) s = write_edf(w.temporary, job, out, err);
    if (!s) s = write_truth(w.temporary, job, out, err);
    if (!s)
        s = sv_folder_writer_commit(&w, err);
    else
        sv_folder_writer_abort(&w);
    if (s) sv_sim_night_free(out);
    free(folder);
    return s;
}
