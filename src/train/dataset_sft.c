/* dataset_sft.c - data sets of the second phase: an epoch between its neighbours; its rules, its stage, and why. */
#include <string.h>

#include "base/memory.h"
#include "base/mersenne.h"
#include "train/dataset_annotations.h"
#include "train/dataset_phases.h"

/* A record by its place: texts are made when it is written. */
typedef struct sample {
    size_t subject, row; /* index into inputs; into its annotated epochs */
} sample;

typedef struct work {
    sv_dataset_folder *folder;
    sv_annotations annotations;
    sv_annotated_subject *of_truth;         /* [inputs] of simulated nights */
    const sv_annotated_subject **annotated; /* [inputs] of all; NULL: none */
    signed char **stages;                   /* [inputs] of the recording's epochs, for the pictures' names */
    sample *train, *val;
    size_t n_train, train_capacity, n_val, val_capacity;
    int64_t n_fine, n_coarse, by_stage[SV_N_STAGES]; /* of train */
} work;

static void free_work(work *w) {
    size_t n = w->folder->job->inputs->n;
    for (size_t i = 0; i < n; i++) {
        if (w->of_truth) sv_annotated_subject_free(&w->of_truth[i]);
        if (w->stages) free(w->stages[i]);
    }
    sv_annotations_free(&w->annotations);
    free(w->of_truth);
    free(w->annotated);
    free(w->stages);
    free(w->train);
    free(w->val);
}

/* ---- who is annotated */

static sv_status find_annotations(work *w, size_t i, sv_error *err) {
    const sv_dataset_job *job = w->folder->job;
    const sv_dataset_input *input = &job->inputs->items[i];
    w->annotated[i] = sv_annotations_find(&w->annotations, input->subject);
    if (w->annotated[i] || !input->truth) return SV_OK;
    sv_truth_file truth;
    sv_status status = sv_truth_read(input->truth, &truth, err);
    if (status) return status;
    status = sv_annotations_of_truth(&truth, input->subject, !job->sim_coarse, &w->of_truth[i], err);
    if (!status) w->annotated[i] = &w->of_truth[i];
    sv_truth_file_free(&truth);
    return status;
}

static void count_strangers(work *w, const bool *used) {
    const sv_dataset_inputs *inputs = w->folder->job->inputs;
    for (size_t k = 0; k < w->annotations.n; k++) {
        const sv_annotated_subject *s = &w->annotations.subjects[k];
        bool found = false;
        for (size_t i = 0; i < inputs->n && !found; i++) found = used[i] && w->annotated[i] == s;
        if (found || s->n == 0) continue;
        w->folder->skipped[SV_SKIP_no_recording] += (int64_t)s->n;
        sv_dataset_note(w->folder->job, "%s: annotated, but there is no usable recording of this subject", s->subject);
    }
}

static sv_status find_all_annotations(work *w, bool *used, sv_error *err) {
    const sv_dataset_job *job = w->folder->job;
    size_t n = job->inputs->n, n_used = 0;
    w->of_truth = sv_calloc(n, sizeof *w->of_truth);
    w->annotated = sv_calloc(n, sizeof *w->annotated);
    w->stages = sv_calloc(n, sizeof *w->stages);
    if (!w->of_truth || !w->annotated || !w->stages) return sv_fail_memory(err, "subjects", n * sizeof *w->of_truth);
    sv_status status = sv_annotations_load(job->annotations, job->n_annotations, &w->annotations, err);
    for (size_t i = 0; i < n && !status; i++) {
        if (used[i]) status = find_annotations(w, i, err);
        if (status || !used[i] || w->annotated[i]) continue;
        sv_dataset_note(job, "%s: there are no annotations of '%s'; left out", job->inputs->items[i].recording,
                        job->inputs->items[i].subject);
        w->folder->skipped[SV_SKIP_no_annotations]++;
        used[i] = false;
    }
    if (status) return status;
    for (int i = 0; i < SV_N_SKIPS; i++) w->folder->skipped[i] += w->annotations.skipped[i];
    count_strangers(w, used);
    for (size_t i = 0; i < n; i++) n_used += used[i];
    return n_used ? SV_OK
                  : sv_fail(err, SV_ERR_INPUT, "none of the recordings has annotations; name them with --annotations");
}

/* ---- which epochs become records */

/* Neighbours are the rows before and after, as in the published system, which must be the epochs before and after. */
static int why_not(const sv_annotated_subject *s, size_t row, const sv_labelled_night *night) {
    const sv_annotated_epoch *e = &s->epochs[row];
    if (e->epoch >= night->n_epochs) return SV_SKIP_unknown_epoch;
    if (night->stages[e->epoch] != e->stage) return SV_SKIP_stage_differs;
    if (row == 0 || row + 1 == s->n || e->epoch == 0 || e->epoch + 1 == night->n_epochs) return SV_SKIP_no_neighbour;
    if (e[-1].epoch != e->epoch - 1 || e[1].epoch != e->epoch + 1) return SV_SKIP_missing_row;
    return e->skip;
}

static sv_status take_epochs(work *w, size_t subject, const sv_labelled_night *night, bool train, bool *wanted,
                             sv_error *err) {
    const sv_annotated_subject *s = w->annotated[subject];
    for (size_t row = 0; row < s->n; row++) {
        const sv_annotated_epoch *e = &s->epochs[row];
        int reason = why_not(s, row, night);
        if (reason != SV_NO_SKIP) {
            w->folder->skipped[reason]++;
            continue;
        }
        sample **list = train ? &w->train : &w->val;
        size_t *n = train ? &w->n_train : &w->n_val;
        if (!sv_grow(list, *n, train ? &w->train_capacity : &w->val_capacity, sizeof **list)) {
            return sv_fail_memory(err, "records", *n * sizeof **list);
        }
        (*list)[(*n)++] = (sample){subject, row};
        for (int k = -1; k <= 1; k++) wanted[e->epoch + k] = true;
        if (!train) continue;
        ++*(s->fine ? &w->n_fine : &w->n_coarse);
        w->by_stage[e->stage]++;
    }
    return SV_OK;
}

static sv_status take_night(work *w, size_t subject, sv_labelled_night *night, bool train, sv_error *err) {
    const sv_dataset_input *input = &w->folder->job->inputs->items[subject];
    if (!night->labelled) {
        sv_dataset_note(w->folder->job,
                        "%s: there are no stages of a scorer, so it is unknown which epoch is which; "
                        "left out",
                        input->recording);
        w->folder->skipped[SV_SKIP_no_scoring]++;
        return SV_OK;
    }
    bool *wanted = sv_calloc((size_t)night->n_epochs, sizeof *wanted);
    if (!wanted) return sv_fail_memory(err, "epochs", (size_t)night->n_epochs);
    sv_status status = take_epochs(w, subject, night, train, wanted, err);
    if (!status) status = sv_dataset_draw(w->folder, night, input->subject, wanted, err);
    free(wanted);
    w->stages[subject] = night->stages;
    night->stages = NULL;
    return status;
}

static sv_status take_subject(work *w, size_t subject, bool train, sv_error *err) {
    const sv_dataset_job *job = w->folder->job;
    sv_labelled_night night;
    if (job->stop && job->stop()) return sv_fail(err, SV_ERR_CANCELLED, "interrupted");
    sv_status status = sv_labelled_night_open(&job->inputs->items[subject], &job->filters, false, &night, err);
    if (status) {
        sv_dataset_forgive(w->folder, &status, err);
        return status;
    }
    status = take_night(w, subject, &night, train, err);
    sv_labelled_night_free(&night);
    return status;
}

/* Subjects of the fine track first, as the published system lists them. */
static sv_status take_part(work *w, const size_t *subjects, size_t n, bool train, sv_error *err) {
    sv_status status = SV_OK;
    for (int fine = 1; fine >= 0; fine--) {
        for (size_t i = 0; i < n && !status; i++) {
            if (w->annotated[subjects[i]]->fine == (fine == 1)) status = take_subject(w, subjects[i], train, err);
        }
    }
    return status;
}

/* ---- files */

static sv_status write_record(work *w, const sample *x, sv_file_writer *out, sv_error *err) {
    const sv_dataset_job *job = w->folder->job;
    const sv_annotated_subject *s = w->annotated[x->subject];
    const sv_annotated_epoch *e = &s->epochs[x->row];
    const sv_stage_answer content = {.stage = e->stage,
                                     .rules = e->rules,
                                     .n_rules = e->n_rules,
                                     .rationale = s->fine ? e->rationale : NULL,
                                     .stage_first = job->stage_first};
    sv_record_kind kind = s->fine ? SV_RECORD_FINE : SV_RECORD_COARSE;
    sv_chat_texts texts = {.kind = kind, .system = job->prompts[kind]};
    sv_strbuf answer = {0}, id = {0};
    char *paths[SV_RECORD_MAX_IMAGES];
    bool ok = true;
    for (int k = 0; k < SV_RECORD_MAX_IMAGES; k++) {
        int epoch = e->epoch + k - 1;
        paths[k] = sv_dataset_picture_path(s->subject, epoch, (sv_stage)w->stages[x->subject][epoch]);
        texts.image_paths[k] = paths[k];
        ok &= paths[k] != NULL;
    }
    sv_answer_put_stage(&answer, &content);
    sv_strbuf_printf(&id, "%s#%d_%s", s->subject, e->epoch, sv_stage_name(e->stage));
    texts.answer = answer.data;
    sv_status status = ok && !answer.failed && !id.failed ? sv_dataset_records_add(out, id.data, &texts, err)
                                                          : sv_fail_memory(err, "a record", answer.len);
    for (int k = 0; k < SV_RECORD_MAX_IMAGES; k++) free(paths[k]);
    sv_strbuf_free(&answer);
    sv_strbuf_free(&id);
    return status;
}

/* In the order of `order`; NULL: as they stand. */
static sv_status write_records(work *w, const char *part, const sample *samples, const size_t *order, size_t n,
                               sv_error *err) {
    sv_file_writer out = {0};
    sv_status status = sv_dataset_records_open(w->folder->job, part, &out, err);
    for (size_t i = 0; i < n && !status; i++) status = write_record(w, &samples[order ? order[i] : i], &out, err);
    if (!status) return sv_file_writer_commit(&out, err);
    sv_file_writer_abort(&out);
    return status;
}

/* The records for training are mixed as by Python's random.seed(seed), random.shuffle. */
static sv_status write_train(work *w, sv_error *err) {
    sv_mersenne random;
    size_t *order = sv_calloc(w->n_train, sizeof *order);
    if (!order) return sv_fail_memory(err, "records", w->n_train * sizeof *order);
    for (size_t i = 0; i < w->n_train; i++) order[i] = i;
    sv_mersenne_seed(&random, w->folder->job->seed);
    sv_mersenne_shuffle(&random, order, w->n_train);
    sv_status status = write_records(w, "train", w->train, order, w->n_train, err);
    free(order);
    return status;
}

static json_t *names(const work *w, const size_t *subjects, size_t n, bool fine, bool coarse) {
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) {
        const sv_annotated_subject *s = w->annotated[subjects[i]];
        if (s->fine ? fine : coarse) json_array_append_new(list, json_string(s->subject));
    }
    return list;
}

static sv_status save(const sv_dataset_job *job, const char *name, json_t *value, sv_error *err) {
    char *path = sv_dataset_path(job, name, err);
    sv_status status = path && value ? sv_json_save(path, value, err) : sv_fail_memory(err, name, 0);
    free(path);
    json_decref(value);
    return status;
}

static sv_status write_lists(work *w, const sv_dataset_split *split, sv_error *err) {
    static const sv_stage by_name[] = {SV_STAGE_N1, SV_STAGE_N2, SV_STAGE_N3, SV_STAGE_R, SV_STAGE_W};
    const sv_dataset_job *job = w->folder->job;
    json_t *stages = json_object();
    for (size_t i = 0; i < SV_COUNT(by_name); i++) {
        int64_t n = w->by_stage[by_name[i]];
        if (n) json_object_set_new(stages, sv_stage_name(by_name[i]), json_integer(n));
    }
    json_t *fine = names(w, split->train, split->n_train, true, false),
           *coarse = names(w, split->train, split->n_train, false, true);
    sv_status status =
        save(job, "subjects.json",
             json_pack("{s:O,s:O,s:I,s:I,s:I,s:o}", "fine_train_subjects", fine, "coarse_train_subjects", coarse,
                       "fine_sample_count", (json_int_t)w->n_fine, "coarse_sample_count", (json_int_t)w->n_coarse,
                       "total_sample_count", (json_int_t)w->n_train, "stage_distribution", stages),
             err);
    if (!status) {
        status = save(job, "split.json",
                      json_pack("{s:s,s:O,s:O,s:o,s:[]}", "description", "Subjects for training and validation.",
                                "fine_train_subjects", fine, "coarse_train_subjects", coarse, "val_subjects",
                                names(w, split->val, split->n_val, true, true), "test_subjects"),
                      err);
    }
    json_decref(fine);
    json_decref(coarse);
    return status;
}

/* ---- all of it */

static sv_status find_split(work *w, const bool *used, sv_dataset_split *split, sv_error *err) {
    const sv_dataset_job *job = w->folder->job;
    if (!job->split_path) return sv_dataset_split_draw(job->inputs, used, job->seed, job->split, split, err);
    sv_status status = sv_dataset_split_read(job->split_path, job->inputs, used, split, err);
    size_t n = 0;
    for (size_t i = 0; i < job->inputs->n; i++) n += used[i];
    if (!status) w->folder->skipped[SV_SKIP_not_in_split] += (int64_t)(n - split->n_train - split->n_val);
    return status;
}

sv_status sv_dataset_make_sft(sv_dataset_folder *folder, bool *used, json_t **summary, sv_error *err) {
    work w = {.folder = folder};
    sv_dataset_split split = {0};
    sv_status status = find_all_annotations(&w, used, err);
    if (!status) status = find_split(&w, used, &split, err);
    if (!status) status = take_part(&w, split.train, split.n_train, true, err);
    if (!status) status = take_part(&w, split.val, split.n_val, false, err);
    if (!status) status = write_train(&w, err);
    if (!status) status = write_records(&w, "val", w.val, NULL, w.n_val, err);
    if (!status) status = write_lists(&w, &split, err);
    if (!status) {
        *summary = sv_dataset_summary(folder, split.n_train, split.n_val, (int64_t)w.n_train, (int64_t)w.n_val);
    }
    sv_dataset_split_free(&split);
    free_work(&w);
    return status;
}
