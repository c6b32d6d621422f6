/* run_folder.c - see run_folder.h. */
#include "train/run_folder.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "train/checkpoint.h"

/* Keys that may differ when a run goes on: they change none of its numbers. */
static void forget_harmless(json_t *config) {
    static const char *const keys[] = {"output_dir",  "save_steps", "keep_checkpoints",
                                       "eval_nights", "eval_steps", "recompute"};
    for (size_t i = 0; i < SV_COUNT(keys); i++) json_object_del(config, keys[i]);
}

/* Keys that came after the run had begun. */
static sv_status add_defaults(json_t *told, sv_error *err) {
    sv_train_config defaults;
    sv_status s = sv_train_config_new(&defaults, err);
    if (s) return s;
    json_t *values = sv_train_config_to_json(&defaults);
    if (!values || json_object_update_missing(told, values)) s = sv_fail_memory(err, "run.json", 0);
    json_decref(values);
    sv_train_config_free(&defaults);
    return s;
}

/* As they are written: a real that was read again has fewer digits than the one that was given. */
static bool are_equal(const json_t *a, const json_t *b) {
    char *x = json_dumps(a, SV_JSON_REALS | JSON_ENCODE_ANY), *y = json_dumps(b, SV_JSON_REALS | JSON_ENCODE_ANY);
    bool equal = x && y && strcmp(x, y) == 0;
    free(x);
    free(y);
    return equal;
}

static sv_status compare_keys(json_t *mine, json_t *there, const char *folder, sv_error *err) {
    const char *key;
    json_t *value;
    sv_status s = add_defaults(there, err);
    forget_harmless(mine);
    json_object_foreach(mine, key, value) {
        if (s || are_equal(value, json_object_get(there, key))) continue;
        s = sv_fail(err, SV_ERR_INPUT,
                    "%s holds a run with another '%s'; name another output_dir, or remove that folder", folder, key);
    }
    return s;
}

static json_t *plan_to_json(const sv_run_plan *plan) {
    return json_pack("{s:I,s:I,s:s,s:s}", "updates", (json_int_t)plan->n_updates, "warm_up",
                     (json_int_t)plan->n_warm_up, "records_sha256", plan->records_sha256, "prompt_sha256",
                     plan->prompt_sha256);
}

static sv_status compare_plans(const sv_run_plan *plan, const json_t *there, const char *folder, sv_error *err) {
    json_t *mine = plan_to_json(plan);
    if (!mine) return sv_fail_memory(err, "run.json", 0);
    bool equal = json_equal(mine, there);
    json_decref(mine);
    if (equal) return SV_OK;
    return sv_fail(
        err, SV_ERR_INPUT,
        "%s holds a run on other records or with another prompt (%lld updates, now %lld): have they changed? "
        "name another output_dir, or remove that folder",
        folder, (long long)sv_json_int(there, "updates", 0), (long long)plan->n_updates);
}

static bool has_lines(const char *path) {
    sv_map map;
    sv_error none;
    if (sv_map_open(path, &map, &none)) return false; /* an empty file is none, too */
    sv_map_close(&map);
    return true;
}

sv_status sv_run_folder_claim(const sv_train_config *config, const sv_run_plan *plan, sv_error *err) {
    const char *folder = config->output_dir;
    char *path = sv_path_join(folder, "run.json"), *log = sv_path_join(folder, "log.jsonl");
    json_t *mine = sv_train_config_to_json(config), *there = NULL;
    sv_status s = path && log && mine ? sv_make_dirs(folder, err) : sv_fail_memory(err, "run.json", 0);
    if (!s && sv_file_exists(path) && (has_lines(log) || sv_checkpoint_exists(folder))) {
        s = sv_json_load(path, &there, err);
        if (!s) s = compare_keys(mine, there, folder, err);
        if (!s) s = compare_plans(plan, json_object_get(there, "plan"), folder, err);
    } else if (!s) {
        s = json_object_set_new(mine, "plan", plan_to_json(plan)) ? sv_fail_memory(err, "run.json", 0)
                                                                  : sv_json_save(path, mine, err);
    }
    json_decref(mine);
    json_decref(there);
    free(path);
    free(log);
    return s;
}

sv_status sv_run_folder_trim_log(const char *path, int64_t n_done, sv_error *err) {
    char *text = NULL;
    size_t len = 0;
    sv_strbuf kept = {0};
    if (!sv_file_exists(path)) return SV_OK;
    sv_status s = sv_file_read(path, SIZE_MAX, &text, &len, err);
    for (size_t at = 0; !s && at < len;) {
        const char *end = memchr(text + at, '\n', len - at);
        size_t n = end ? (size_t)(end - (text + at)) + 1 : len - at;
        json_t *line = end ? json_loadb(text + at, n, 0, NULL) : NULL;
        if (line && sv_json_int(line, "step", INT64_MAX) < n_done) sv_strbuf_append(&kept, text + at, n);
        json_decref(line);
        at += n;
    }
    if (!s && kept.failed) s = sv_fail_memory(err, "log", len);
    if (!s) s = sv_file_write(path, sv_strbuf_text(&kept), kept.len, err);
    sv_strbuf_free(&kept);
    free(text);
    return s;
}
