/* dataset_split.c - see dataset_split.h. */
#include "train/dataset_split.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/mersenne.h"

void sv_dataset_split_free(sv_dataset_split *split) {
    free(split->train);
    free(split->val);
    *split = (sv_dataset_split){0};
}

static sv_status make_room(sv_dataset_split *out, size_t n, sv_error *err) {
    *out = (sv_dataset_split){.train = sv_calloc(n, sizeof *out->train), .val = sv_calloc(n, sizeof *out->val)};
    if (out->train && out->val) return SV_OK;
    sv_dataset_split_free(out);
    return sv_fail_memory(err, "split", n * sizeof *out->train);
}

sv_status sv_dataset_split_draw(const sv_dataset_inputs *inputs, const bool *used, uint64_t seed, double share,
                                sv_dataset_split *out, sv_error *err) {
    sv_mersenne random;
    sv_status status = make_room(out, inputs->n, err);
    size_t *group = sv_calloc(inputs->n, sizeof *group);
    if (!status && !group) status = sv_fail_memory(err, "split", inputs->n * sizeof *group);
    sv_mersenne_seed(&random, seed);
    for (size_t first = 0, next; first < inputs->n && !status; first = next) {
        size_t n = 0;
        for (next = first; next < inputs->n && strcmp(inputs->items[first].subset, inputs->items[next].subset) == 0;
             next++) {
            if (used[next]) group[n++] = next;
        }
        sv_mersenne_shuffle(&random, group, n);
        size_t n_train = (size_t)((double)n * share);
        for (size_t i = 0; i < n; i++) {
            if (i < n_train)
                out->train[out->n_train++] = group[i];
            else
                out->val[out->n_val++] = group[i];
        }
    }
    free(group);
    if (status) sv_dataset_split_free(out);
    return status;
}

/* ---- given */

static size_t find_subject(const sv_dataset_inputs *inputs, const char *subject) {
    size_t i = 0;
    while (i < inputs->n && strcmp(inputs->items[i].subject, subject) != 0) i++;
    return i;
}

static sv_status read_list(const json_t *root, const char *key, const char *path, const sv_dataset_inputs *inputs,
                           const bool *used, bool *taken, size_t *list, size_t *n, sv_error *err) {
    const json_t *names = json_object_get(root, key);
    if (!json_is_array(names)) return sv_fail(err, SV_ERR_INPUT, "%s: \"%s\" is not a list of subjects", path, key);
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *name = json_string_value(json_array_get(names, i));
        if (!name) return sv_fail(err, SV_ERR_INPUT, "%s: \"%s\"[%zu] is not a text", path, key, i);
        size_t k = find_subject(inputs, name);
        if (k == inputs->n || !used[k]) continue;
        if (taken[k]) return sv_fail(err, SV_ERR_INPUT, "%s: subject '%s' is named twice", path, name);
        taken[k] = true;
        list[(*n)++] = k;
    }
    return SV_OK;
}

sv_status sv_dataset_split_read(const char *path, const sv_dataset_inputs *inputs, const bool *used,
                                sv_dataset_split *out, sv_error *err) {
    static const char *const train_keys[] = {"fine_train_subjects", "coarse_train_subjects"};
    json_t *root = NULL;
    bool *taken = sv_calloc(inputs->n, sizeof *taken);
    sv_status status = make_room(out, inputs->n, err);
    if (!status && !taken) status = sv_fail_memory(err, "split", inputs->n);
    if (!status) status = sv_json_load(path, &root, err);
    for (size_t i = 0; i < SV_COUNT(train_keys) && !status; i++) {
        status = read_list(root, train_keys[i], path, inputs, used, taken, out->train, &out->n_train, err);
    }
    if (!status) status = read_list(root, "val_subjects", path, inputs, used, taken, out->val, &out->n_val, err);
    json_decref(root);
    free(taken);
    if (status) sv_dataset_split_free(out);
    return status;
}

/* ---- written */

/* "SS2_01-02-0001" */
static json_t *ids(const sv_dataset_inputs *inputs, const size_t *list, size_t n) {
    json_t *out = json_array();
    for (size_t i = 0; i < n; i++) {
        const sv_dataset_input *input = &inputs->items[list[i]];
        json_array_append_new(out, json_sprintf("%s_%s", input->subset, input->subject));
    }
    return out;
}

static void count(const sv_dataset_inputs *inputs, const size_t *list, size_t n, json_t *counts) {
    for (size_t i = 0; i < n; i++) {
        const char *subset = inputs->items[list[i]].subset;
        json_object_set_new(counts, subset, json_integer(sv_json_int(counts, subset, 0) + 1));
    }
}

json_t *sv_dataset_split_to_json(const sv_dataset_split *split, const sv_dataset_inputs *inputs, uint64_t seed,
                                 double share) {
    json_t *counts = json_object();
    for (size_t i = 0; i < inputs->n; i++) json_object_set_new(counts, inputs->items[i].subset, json_integer(0));
    count(inputs, split->train, split->n_train, counts);
    count(inputs, split->val, split->n_val, counts);
    return json_pack("{s:I,s:I,s:I,s:f,s:I,s:o,s:o,s:o}", "total_subjects_num",
                     (json_int_t)(split->n_train + split->n_val), "train_subjects_num", (json_int_t)split->n_train,
                     "val_subjects_num", (json_int_t)split->n_val, "split_ratio", share, "seed", (json_int_t)seed,
                     "datasets", counts, "train_subjects", ids(inputs, split->train, split->n_train), "val_subjects",
                     ids(inputs, split->val, split->n_val));
}
