/* dataset_folder.c - see dataset_folder.h. */
#include "train/dataset_folder.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/memory.h"
#include "render/painters.h"
#include "render/picture_file.h"

static const char done_name[] = "dataset.json", job_name[] = "job.json";

static const struct {
    const char *name, *words;
} skips[] = {
#define SV_SKIP(name, words) {#name, words},
#include "train/dataset_skips.def"
#undef SV_SKIP
};

const char *sv_skip_name(sv_skip skip) { return skips[skip].name; }
const char *sv_skip_words(sv_skip skip) { return skips[skip].words; }

char *sv_dataset_path(const sv_dataset_job *job, const char *name, sv_error *err) {
    char *path = sv_path_join(job->folder, name);
    if (!path) sv_fail_memory(err, "a path", strlen(job->folder));
    return path;
}

void sv_dataset_note(const sv_dataset_job *job, const char *format, ...) {
    char text[800];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (job->note) job->note(job->context, text);
}

void sv_dataset_forgive(sv_dataset_folder *folder, sv_status *status, const sv_error *err) {
    if (*status != SV_ERR_INPUT && *status != SV_ERR_UNSUPPORTED) return;
    sv_dataset_note(folder->job, "%s; left out", err->message);
    folder->skipped[SV_SKIP_unreadable]++;
    *status = SV_OK;
}

/* ---- what is being made */

static json_t *file_identity(const char *path, bool by_content, sv_error *err) {
    char hash[SV_SHA256_HEX_SIZE];
    struct stat st;
    if (!path) return json_null();
    if (by_content) return sv_sha256_file(path, hash, err) ? NULL : json_string(hash);
    return json_integer(stat(path, &st) == 0 ? (json_int_t)st.st_size : -1);
}

static json_t *describe_inputs(const sv_dataset_job *job, sv_error *err) {
    json_t *list = json_array();
    for (size_t i = 0; i < job->inputs->n && list; i++) {
        const sv_dataset_input *input = &job->inputs->items[i];
        json_t *bytes = file_identity(input->recording, false, err),
               *scoring = file_identity(input->scoring, true, err), *truth = file_identity(input->truth, true, err);
        if (bytes && scoring && truth) {
            json_array_append_new(list, json_pack("{s:s,s:o,s:o,s:o}", "subject", input->subject, "bytes", bytes,
                                                  "scoring", scoring, "truth", truth));
            continue;
        }
        json_decref(bytes);
        json_decref(scoring);
        json_decref(truth);
        json_decref(list);
        list = NULL;
    }
    return list;
}

static json_t *describe_annotations(const sv_dataset_job *job, sv_error *err) {
    static const char *const endings[] = {".csv"};
    json_t *list = json_array();
    for (size_t i = 0; i < job->n_annotations && list; i++) {
        char **files;
        size_t n;
        bool failed = sv_find_files(job->annotations[i], endings, SV_COUNT(endings), &files, &n, err) != SV_OK;
        for (size_t k = 0; !failed && k < n; k++) {
            json_t *hash = list ? file_identity(files[k], true, err) : NULL;
            failed |= !hash;
            if (hash) json_array_append_new(list, hash);
        }
        for (size_t k = 0; k < n; k++) free(files[k]);
        free(files);
        if (failed) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}

static json_t *describe_channels(const sv_dataset_job *job) {
    json_t *list = json_array();
    for (size_t i = 0; i < job->filters.n_choices; i++) {
        const sv_channel_choice *c = &job->filters.choices[i];
        json_array_append_new(list, json_sprintf("%s=%s", sv_role_name(c->role), c->label));
    }
    return list;
}

/* Everything that the files depend on besides the program. NULL after an error. */
static json_t *describe(const sv_dataset_job *job, sv_error *err) {
    static const char *const mains[] = {
        [SV_MAINS_AUTO] = "auto", [SV_MAINS_50] = "50", [SV_MAINS_60] = "60", [SV_MAINS_OFF] = "off"};
    json_t *recordings = describe_inputs(job, err), *annotations = recordings ? describe_annotations(job, err) : NULL,
           *split = annotations ? file_identity(job->split_path, true, err) : NULL;
    if (!split) {
        json_decref(recordings);
        json_decref(annotations);
        return NULL;
    }
    json_t *out = json_pack("{s:s,s:s,s:I,s:f,s:o,s:s,s:b,s:b,s:o,s:b,s:b,s:s,s:[s,s,s],s:o,s:o}", "program",
                            "sleepvlm dataset", "phase", job->sft ? "sft" : "wpt", "seed", (json_int_t)job->seed,
                            "split", job->split, "split_file", split, "mains", mains[job->filters.night.mains],
                            "anti_alias", job->filters.night.anti_alias, "without_stages", job->filters.without_stages,
                            "channels", describe_channels(job), "sim_coarse", job->sim_coarse, "stage_first",
                            job->stage_first, "question", job->question, "prompts", job->prompts[0], job->prompts[1],
                            job->prompts[2], "recordings", recordings, "annotations", annotations);
    if (!out) sv_fail_memory(err, "the job", 0);
    return out;
}

static bool is_empty(const char *path) {
    DIR *d = opendir(path);
    bool empty = true;
    for (struct dirent *e; d && (e = readdir(d));) {
        empty &= strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0;
    }
    if (d) closedir(d);
    return empty;
}

/* What a folder's file says it is, when it can be read; *there: the file exists. */
static json_t *load_marker(const char *path, bool *there) {
    json_t *out = NULL;
    sv_error unreadable;
    *there = sv_file_exists(path);
    if (*there && sv_json_load(path, &out, &unreadable)) out = NULL;
    return out;
}

static sv_status check_folder(const sv_dataset_job *job, const json_t *wanted, const char *done_path,
                              const char *job_path, sv_dataset_folder *out, json_t **summary, sv_error *err) {
    bool done, begun;
    json_t *of_done = load_marker(done_path, &done), *of_job = load_marker(job_path, &begun);
    sv_status status = SV_OK;
    if (done && json_equal(json_object_get(of_done, "job"), wanted)) {
        *summary = json_deep_copy(json_object_get(of_done, "summary"));
        json_object_set_new(*summary, "complete_before", json_true());
    } else if (!done && begun && json_equal(of_job, wanted)) {
        out->keep_pictures = true;
    } else if (!job->force && (done || begun)) {
        status = sv_fail(err, SV_ERR_OUTPUT,
                         "%s: holds a data set of other recordings or options; --force replaces it, or name another "
                         "folder",
                         job->folder);
    } else if (!job->force && !is_empty(job->folder)) {
        status = sv_fail(err, SV_ERR_OUTPUT,
                         "%s: holds files that are no data set; name another folder (--force writes between them)",
                         job->folder);
    }
    json_decref(of_done);
    json_decref(of_job);
    return status;
}

sv_status sv_dataset_folder_open(const sv_dataset_job *job, sv_dataset_folder *out, json_t **summary, sv_error *err) {
    *out = (sv_dataset_folder){.job = job};
    *summary = NULL;
    json_t *wanted = describe(job, err);
    if (!wanted) return err->status;
    char *done_path = sv_dataset_path(job, done_name, err), *job_path = sv_dataset_path(job, job_name, err);
    sv_status status = done_path && job_path ? SV_OK : SV_ERR_MEMORY;
    if (!status) status = check_folder(job, wanted, done_path, job_path, out, summary, err);
    if (!status && !*summary) {
        status = sv_make_dirs(job->folder, err);
        if (!status && unlink(done_path) != 0 && errno != ENOENT) {
            status = sv_fail_errno(err, SV_ERR_OUTPUT, "%s: cannot replace", done_path);
        }
        if (!status) status = sv_json_save(job_path, wanted, err);
    }
    json_decref(wanted);
    free(done_path);
    free(job_path);
    return status;
}

sv_status sv_dataset_folder_finish(const sv_dataset_folder *folder, const json_t *summary, sv_error *err) {
    const sv_dataset_job *job = folder->job;
    char *done_path = sv_dataset_path(job, done_name, err), *job_path = sv_dataset_path(job, job_name, err);
    json_t *described = describe(job, err), *done = NULL;
    sv_status status = done_path && job_path && described ? SV_OK : err->status;
    if (!status) {
        done = json_pack("{s:O,s:o}", "job", described, "summary", json_deep_copy(summary));
        /* a folder that was interrupted ends with the same bytes as one that was not */
        json_object_set_new(json_object_get(done, "summary"), "pictures",
                            json_pack("{s:I,s:i}", "drawn", (json_int_t)(folder->n_drawn + folder->n_kept), "kept", 0));
        status = done ? sv_json_save(done_path, done, err) : sv_fail_memory(err, done_name, 0);
    }
    if (!status) unlink(job_path);
    json_decref(done);
    json_decref(described);
    free(done_path);
    free(job_path);
    return status;
}

json_t *sv_dataset_summary(const sv_dataset_folder *folder, size_t n_train_subjects, size_t n_val_subjects,
                           int64_t n_train, int64_t n_val) {
    json_t *skipped = json_object();
    for (int i = 0; i < SV_N_SKIPS; i++) {
        if (folder->skipped[i]) json_object_set_new(skipped, skips[i].name, json_integer(folder->skipped[i]));
    }
    return json_pack("{s:s,s:b,s:{s:I,s:I},s:{s:I,s:I},s:{s:I,s:I},s:o}", "phase", folder->job->sft ? "sft" : "wpt",
                     "complete_before", 0, "subjects", "train", (json_int_t)n_train_subjects, "val",
                     (json_int_t)n_val_subjects, "records", "train", (json_int_t)n_train, "val", (json_int_t)n_val,
                     "pictures", "drawn", (json_int_t)folder->n_drawn, "kept", (json_int_t)folder->n_kept, "skipped",
                     skipped);
}

/* ---- records */

sv_status sv_dataset_records_open(const sv_dataset_job *job, const char *part, sv_file_writer *out, sv_error *err) {
    char name[32];
    snprintf(name, sizeof name, "%s_%s.jsonl", job->sft ? "sft" : "wpt", part);
    char *path = sv_dataset_path(job, name, err);
    sv_status status = path ? sv_file_writer_open(out, path, err) : SV_ERR_MEMORY;
    free(path);
    return status;
}

sv_status sv_dataset_records_add(sv_file_writer *w, const char *id, const sv_chat_texts *texts, sv_error *err) {
    sv_chat chat;
    sv_strbuf line = {0};
    sv_status status = sv_record_chat(texts, &chat, err);
    if (status) return status;
    sv_record_put_line(&line, id, &chat);
    if (line.failed) {
        status = sv_fail_memory(err, "a record", line.len);
    } else if (fwrite(line.data, 1, line.len, w->stream) != line.len) {
        status = sv_fail_errno(err, SV_ERR_OUTPUT, "%s: cannot write", w->path);
    }
    sv_strbuf_free(&line);
    sv_chat_free(&chat);
    return status;
}

/* ---- pictures */

typedef struct drawing {
    sv_dataset_folder *folder;
    const sv_labelled_night *night;
    const char *subject;
    const bool *wanted;
    sv_painters painters;
    pthread_mutex_t lock; /* of what follows */
    int64_t n_done;
    atomic_bool stop;
    sv_status status;
    sv_error err;
} drawing;

char *sv_dataset_picture_path(const char *subject, int epoch, sv_stage stage) {
    sv_strbuf path = {0};
    char name[SV_PICTURE_NAME_ROOM];
    sv_picture_file_name(epoch, stage == SV_STAGE_NONE ? NULL : sv_stage_name(stage), name);
    sv_strbuf_printf(&path, "images/%s/%s", subject, name);
    if (!path.failed) return path.data;
    sv_strbuf_free(&path);
    return NULL;
}

static sv_status draw_one(const drawing *d, const sv_brush *b, int epoch, bool *kept, sv_error *err) {
    char *name = sv_dataset_picture_path(d->subject, epoch, (sv_stage)d->night->stages[epoch]);
    char *path = name ? sv_dataset_path(d->folder->job, name, err) : NULL;
    sv_status status = path ? SV_OK : sv_fail_memory(err, "a path", 0);
    *kept = path && d->folder->keep_pictures && sv_file_exists(path);
    if (path && !*kept) status = sv_picture_file_write(b->painter, &d->night->signals, epoch, b->rgb, path, err);
    free(path);
    free(name);
    return status;
}

static void work(void *context, int64_t item, int thread) {
    drawing *d = context;
    const sv_dataset_job *job = d->folder->job;
    sv_error err;
    bool kept = false, wanted = !d->wanted || d->wanted[item];
    if (atomic_load(&d->stop) || (job->stop && job->stop())) {
        atomic_store(&d->stop, true);
        return;
    }
    sv_status status = wanted ? draw_one(d, &d->painters.brushes[thread], (int)item, &kept, &err) : SV_OK;
    pthread_mutex_lock(&d->lock);
    if (status && !d->status) {
        d->status = status;
        d->err = err;
        atomic_store(&d->stop, true);
    }
    if (!status && wanted) ++*(kept ? &d->folder->n_kept : &d->folder->n_drawn);
    d->n_done++;
    if (job->progress) job->progress(job->context, d->subject, d->n_done, d->night->n_epochs);
    pthread_mutex_unlock(&d->lock);
}

static sv_status make_picture_folder(const sv_dataset_job *job, const char *subject, sv_error *err) {
    char *images = sv_dataset_path(job, "images", err), *path = images ? sv_path_join(images, subject) : NULL;
    sv_status status = path ? sv_make_dirs(path, err) : sv_fail_memory(err, "a path", strlen(subject));
    free(path);
    free(images);
    return status;
}

sv_status sv_dataset_draw(sv_dataset_folder *folder, const sv_labelled_night *night, const char *subject,
                          const bool *wanted, sv_error *err) {
    drawing d = {.folder = folder, .night = night, .subject = subject, .wanted = wanted};
    sv_status status = make_picture_folder(folder->job, subject, err);
    if (!status) status = sv_painters_new(sv_pool_n_threads(folder->job->filters.night.pool), &d.painters, err);
    if (!status) {
        pthread_mutex_init(&d.lock, NULL);
        sv_pool_run(folder->job->filters.night.pool, night->n_epochs, work, &d);
        pthread_mutex_destroy(&d.lock);
        status = d.status;
        if (status) *err = d.err;
    }
    sv_painters_free(&d.painters);
    if (!status && atomic_load(&d.stop)) status = sv_fail(err, SV_ERR_CANCELLED, "interrupted");
    return status;
}
