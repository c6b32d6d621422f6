/* training_log.c - see training_log.h. */
#include "report/training_log.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/memory.h"
#include "sleep/stages.h"

#define MAX_LOG_BYTES ((size_t)1 << 30)
#define MAX_STEP ((int64_t)1 << 52) /* a double holds it */

void sv_training_log_free(sv_training_log *log) {
    free(log->updates);
    free(log->evaluations);
    for (size_t i = 0; i < log->n_heads; i++) {
        free(log->heads[i].name);
        free(log->heads[i].losses);
        free(log->heads[i].accuracies);
    }
    json_decref(log->run);
    *log = (sv_training_log){0};
}

/* ---- lines */

static double number(const json_t *line, const char *key) { return sv_json_real(line, key, NAN); }

/* Room for update `index`, where nothing is known yet. */
static bool make_room(sv_logged_head *head, size_t index) {
    if (!sv_grow(&head->losses, index, &head->loss_capacity, sizeof *head->losses) ||
        !sv_grow(&head->accuracies, index, &head->accuracy_capacity, sizeof *head->accuracies))
        return false;
    head->losses[index] = head->accuracies[index] = NAN;
    return true;
}

static sv_logged_head *find_head(sv_training_log *log, const char *name) {
    for (size_t i = 0; i < log->n_heads; i++) {
        if (strcmp(log->heads[i].name, name) == 0) return &log->heads[i];
    }
    return NULL;
}

static sv_status add_head(sv_training_log *log, const char *name, sv_error *err) {
    sv_logged_head *head = &log->heads[log->n_heads];
    if (!(head->name = sv_strndup(name, strlen(name)))) return sv_fail_memory(err, "heads", strlen(name));
    log->n_heads++;
    for (size_t i = 0; i < log->n_updates; i++) {
        if (!make_room(head, i)) return sv_fail_memory(err, "heads", log->n_updates * sizeof *head->losses);
    }
    return SV_OK;
}

/* Of the last update. */
static sv_status add_heads(sv_training_log *log, json_t *heads, sv_error *err) {
    size_t last = log->n_updates - 1;
    const char *name;
    json_t *value;
    for (size_t i = 0; i < log->n_heads; i++) {
        if (!make_room(&log->heads[i], last)) return sv_fail_memory(err, "heads", last * sizeof(double));
    }
    json_object_foreach(heads, name, value) {
        sv_logged_head *head = find_head(log, name);
        if (!head) {
            if (log->n_heads == SV_MAX_LOGGED_HEADS) continue;
            sv_status s = add_head(log, name, err);
            if (s) return s;
            head = &log->heads[log->n_heads - 1];
        }
        head->losses[last] = number(value, "loss");
        head->accuracies[last] = number(value, "accuracy");
    }
    return SV_OK;
}

static sv_status add_update(sv_training_log *log, int64_t step, const json_t *line, sv_error *err) {
    while (log->n_updates && log->updates[log->n_updates - 1].step >= step) log->n_updates--;
    if (!sv_grow(&log->updates, log->n_updates, &log->update_capacity, sizeof *log->updates))
        return sv_fail_memory(err, "updates", log->n_updates * sizeof *log->updates);
    log->updates[log->n_updates++] = (sv_logged_update){.step = step,
                                                        .loss = number(line, "loss"),
                                                        .gradient_norm = number(line, "grad_norm"),
                                                        .learning_rate = number(line, "lr"),
                                                        .tokens = number(line, "tokens")};
    /* an evaluation of an update that is done again will be done again too */
    while (log->n_evaluations && log->evaluations[log->n_evaluations - 1].step >= step) log->n_evaluations--;
    return add_heads(log, json_object_get(line, "heads"), err);
}

static sv_status add_evaluation(sv_training_log *log, int64_t step, const json_t *line, sv_error *err) {
    while (log->n_evaluations && log->evaluations[log->n_evaluations - 1].step >= step) log->n_evaluations--;
    if (!sv_grow(&log->evaluations, log->n_evaluations, &log->evaluation_capacity, sizeof *log->evaluations))
        return sv_fail_memory(err, "evaluations", log->n_evaluations * sizeof *log->evaluations);
    sv_logged_evaluation *e = &log->evaluations[log->n_evaluations++];
    *e = (sv_logged_evaluation){.step = step,
                                .kappa = number(line, "kappa"),
                                .accuracy = number(line, "accuracy"),
                                .kappa_pooled = number(line, "kappa_pooled")};
    for (int k = 0; k < SV_N_STAGES; k++)
        e->f1_pooled[k] = number(json_object_get(line, "f1_pooled"), sv_stage_name((sv_stage)k));
    return SV_OK;
}

static sv_status add_line(sv_training_log *log, const json_t *line, sv_error *err) {
    int64_t step = sv_json_int(line, "step", -1);
    if (step < 0 || step > MAX_STEP)
        return sv_fail(err, SV_ERR_INPUT, "expected an object with \"step\", a whole number from 0 on");
    if (json_object_get(line, "loss")) return add_update(log, step, line, err);
    if (json_object_get(line, "kappa") || json_object_get(line, "accuracy")) {
        return add_evaluation(log, step, line, err);
    }
    return sv_fail(err, SV_ERR_INPUT, "expected \"loss\" or \"kappa\" beside \"step\", found neither");
}

static sv_status read_lines(sv_training_log *log, const char *path, const char *text, size_t len, sv_error *err) {
    size_t n_lines = 0;
    for (size_t at = 0; at < len;) {
        const char *end = memchr(text + at, '\n', len - at);
        size_t n = end ? (size_t)(end - text) - at : len - at;
        json_t *line = NULL;
        n_lines++;
        if (!end) { /* each line is written with its end: this one is half of one, whatever it looks like */
            log->cut = true;
            return SV_OK;
        }
        sv_status s = sv_json_parse(text + at, n, "the line", &line, err);
        if (!s) s = add_line(log, line, err);
        json_decref(line);
        if (s) return s == SV_ERR_INPUT ? sv_error_prefix(err, "%s: line %zu", path, n_lines) : s;
        at += n + 1;
    }
    return SV_OK;
}

/* ---- the folder */

static bool is_folder(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static sv_status load_run(const char *folder, json_t **out, sv_error *err) {
    char *path = sv_path_join(folder, "run.json");
    sv_status s = path ? SV_OK : sv_fail_memory(err, "path", strlen(folder));
    if (!s && sv_file_exists(path)) s = sv_json_load(path, out, err);
    free(path);
    return s;
}

static sv_status load_log(sv_training_log *log, const char *path, sv_error *err) {
    char *text = NULL;
    size_t len = 0;
    sv_status s = sv_file_read(path, MAX_LOG_BYTES, &text, &len, err);
    if (!s) s = read_lines(log, path, text, len, err);
    free(text);
    if (!s && log->n_updates == 0) s = sv_fail(err, SV_ERR_INPUT, "%s: holds no update yet", path);
    if (s) return s;
    int64_t span = log->updates[log->n_updates - 1].step - log->updates[0].step + 1;
    log->n_missing = (size_t)span - log->n_updates;
    return SV_OK;
}

sv_status sv_training_log_load(const char *path, sv_training_log *out, sv_error *err) {
    *out = (sv_training_log){0};
    bool folder = is_folder(path);
    char *log_path = folder ? sv_path_join(path, "log.jsonl") : sv_strndup(path, strlen(path));
    sv_status s = log_path ? SV_OK : sv_fail_memory(err, "path", strlen(path));
    if (!s && folder && !sv_file_exists(log_path)) {
        s = sv_fail(err, SV_ERR_INPUT, "%s: there is no log.jsonl in it; expected the output_dir of 'sleepvlm train'",
                    path);
    }
    if (!s) s = load_log(out, log_path, err);
    if (!s && folder) s = load_run(path, &out->run, err);
    free(log_path);
    if (s) sv_training_log_free(out);
    return s;
}

/* ---- in few numbers */

sv_training_progress sv_training_log_progress(const sv_training_log *log) {
    size_t m = log->n_updates / 20, n = log->n_updates;
    m = m < 1 ? 1 : m > 100 ? 100 : m;
    sv_training_progress p = {.n_mean = m, .first_loss = NAN, .last_loss = NAN, .lowest_loss = NAN};
    for (size_t i = 0; i < n; i++) {
        if (isfinite(log->updates[i].tokens)) p.tokens += log->updates[i].tokens;
    }
    for (size_t end = m; end <= n; end++) {
        double sum = 0;
        for (size_t i = end - m; i < end; i++) sum += log->updates[i].loss;
        double mean = sum / (double)m;
        if (end == m) p.first_loss = mean;
        p.last_loss = mean;
        if (!isfinite(mean) || mean >= p.lowest_loss) continue;
        p.lowest_loss = mean;
        p.lowest_step = log->updates[end - m + m / 2].step;
    }
    for (size_t i = 0; i < log->n_evaluations; i++) {
        const sv_logged_evaluation *e = &log->evaluations[i];
        if (isfinite(e->kappa) && (!p.best || e->kappa > p.best->kappa)) p.best = e;
    }
    return p;
}
