/* dataset_annotations.c - see dataset_annotations.h. */
#include "train/dataset_annotations.h"

#include <stdio.h>
#include <string.h>

#include "base/csv.h"
#include "base/memory.h"

enum { MAX_DIGITS = 7, MAX_SUBJECTS = 10000 };
static const char blanks[] = " \t\r\n";

void sv_annotated_subject_free(sv_annotated_subject *subject) {
    for (size_t i = 0; i < subject->n; i++) free(subject->epochs[i].rationale);
    free(subject->epochs);
    free(subject->subject);
    *subject = (sv_annotated_subject){0};
}

void sv_annotations_free(sv_annotations *annotations) {
    for (size_t i = 0; i < annotations->n; i++) sv_annotated_subject_free(&annotations->subjects[i]);
    free(annotations->subjects);
    *annotations = (sv_annotations){0};
}

const sv_annotated_subject *sv_annotations_find(const sv_annotations *annotations, const char *subject) {
    for (size_t i = 0; i < annotations->n; i++) {
        if (strcmp(annotations->subjects[i].subject, subject) == 0) return &annotations->subjects[i];
    }
    return NULL;
}

/* ---- one row */

typedef struct columns {
    int id, subject, number, stage, rules, rationale;
} columns;

static bool is_blank(const char *text) { return text[strspn(text, blanks)] == 0; }

static bool parse_epoch(const char *text, int *out) {
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > MAX_DIGITS || text[digits]) return false;
    *out = atoi(text);
    return true;
}

static bool parse_stage(const char *text, sv_stage *out) {
    for (int s = 0; s < SV_N_STAGES; s++) {
        *out = (sv_stage)s;
        if (strcmp(text, sv_stage_name(*out)) == 0) return true;
    }
    return false;
}

/* SUBJECT#N_STAGE */
static bool id_fits(const char *id, const char *subject, const char *number, const char *stage) {
    const char *const parts[] = {subject, "#", number, "_", stage};
    for (size_t i = 0; i < SV_COUNT(parts); i++) {
        size_t n = strlen(parts[i]);
        if (strncmp(id, parts[i], n) != 0) return false;
        id += n;
    }
    return *id == 0;
}

/* "N2.1, N2.2". A rule that is named twice counts once. */
static signed char parse_rules(const char *text, sv_annotated_epoch *out) {
    uint16_t seen = 0;
    for (const char *p = text;;) {
        char id[16];
        size_t len = strcspn(p, ",");
        const char *end = p + len, *first = p + strspn(p, blanks);
        const char *last = end;
        while (last > first && strchr(blanks, last[-1])) last--;
        if (last > first) {
            size_t n = (size_t)(last - first);
            snprintf(id, sizeof id, "%.*s", (int)SV_MIN(n, sizeof id - 1), first);
            const sv_rule *rule = n < sizeof id ? sv_rule_find(id) : NULL;
            if (!rule) return SV_SKIP_unknown_rule;
            uint16_t bit = (uint16_t)(1u << (rule - sv_rules));
            if (!(seen & bit)) out->rules[out->n_rules++] = rule->id;
            seen |= bit;
        }
        if (*end == 0) break;
        p = end + 1;
    }
    return out->n_rules ? SV_NO_SKIP : SV_SKIP_no_rules;
}

static bool copy_rationale(const char *text, sv_annotated_epoch *out) {
    if (is_blank(text)) {
        if (out->skip == SV_NO_SKIP) out->skip = SV_SKIP_no_rationale;
        return true;
    }
    out->rationale = sv_strndup(text, strlen(text));
    return out->rationale != NULL;
}

/* What makes a row useless even as a neighbour; SV_NO_SKIP: nothing. */
static int read_row(const sv_csv *csv, size_t row, const columns *c, sv_annotated_epoch *out) {
    const char *number = sv_csv_field(csv, row, c->number), *stage = sv_csv_field(csv, row, c->stage);
    *out = (sv_annotated_epoch){.skip = SV_NO_SKIP};
    if (!parse_epoch(number, &out->epoch)) return SV_SKIP_bad_number;
    if (!parse_stage(stage, &out->stage)) return SV_SKIP_unknown_stage;
    if (c->id >= 0 && !id_fits(sv_csv_field(csv, row, c->id), sv_csv_field(csv, row, c->subject), number, stage)) {
        return SV_SKIP_bad_id;
    }
    return SV_NO_SKIP;
}

/* ---- files */

static sv_status find_columns(const sv_csv *csv, const char *path, columns *out, sv_error *err) {
    *out = (columns){.id = sv_csv_column(csv, "custom_id"),
                     .subject = sv_csv_column(csv, "Subject"),
                     .number = sv_csv_column(csv, "N"),
                     .stage = sv_csv_column(csv, "Stage"),
                     .rules = sv_csv_column(csv, "applicable_rules"),
                     .rationale = sv_csv_column(csv, "reasoning_text")};
    if (out->subject >= 0 && out->number >= 0 && out->stage >= 0 && out->rules >= 0) return SV_OK;
    return sv_fail(err, SV_ERR_INPUT,
                   "%s: expected the columns Subject, N, Stage, applicable_rules (and custom_id, reasoning_text); the "
                   "first row begins with '%.40s'",
                   path, csv->fields[0]);
}

static sv_annotated_subject *subject_of(sv_annotations *all, const char *name, sv_error *err) {
    for (size_t i = all->n; i-- > 0;) { /* rows of one subject stand together */
        if (strcmp(all->subjects[i].subject, name) == 0) return &all->subjects[i];
    }
    if (all->n == MAX_SUBJECTS) {
        sv_fail(err, SV_ERR_UNSUPPORTED, "annotations of more than %d subjects", MAX_SUBJECTS);
        return NULL;
    }
    char *copy = sv_strndup(name, strlen(name));
    if (!copy || !sv_grow(&all->subjects, all->n, &all->capacity, sizeof *all->subjects)) {
        free(copy);
        sv_fail_memory(err, "annotations", all->n * sizeof *all->subjects);
        return NULL;
    }
    all->subjects[all->n] = (sv_annotated_subject){.subject = copy};
    return &all->subjects[all->n++];
}

static sv_status add_row(sv_annotations *all, const sv_csv *csv, size_t row, const columns *c, sv_error *err) {
    sv_annotated_epoch epoch;
    bool fine = c->rationale >= 0;
    sv_annotated_subject *s = subject_of(all, sv_csv_field(csv, row, c->subject), err);
    if (!s) return err->status;
    if (s->n == 0) s->fine = fine;
    if (s->fine != fine) { /* files come with the fine ones first */
        all->skipped[SV_SKIP_other_track]++;
        return SV_OK;
    }
    int useless = read_row(csv, row, c, &epoch);
    if (useless != SV_NO_SKIP) {
        all->skipped[useless]++;
        return SV_OK;
    }
    epoch.order = s->n;
    epoch.skip = parse_rules(sv_csv_field(csv, row, c->rules), &epoch);
    if ((fine && !copy_rationale(sv_csv_field(csv, row, c->rationale), &epoch)) ||
        !sv_grow(&s->epochs, s->n, &s->capacity, sizeof *s->epochs)) {
        free(epoch.rationale);
        return sv_fail_memory(err, "annotations", s->n * sizeof *s->epochs);
    }
    s->epochs[s->n++] = epoch;
    return SV_OK;
}

static sv_status add_file(sv_annotations *all, const char *path, bool fine, sv_error *err) {
    sv_csv csv;
    columns c;
    sv_status status = sv_csv_load(path, &csv, err);
    if (status) return status;
    status = find_columns(&csv, path, &c, err);
    if (!status && (c.rationale >= 0) == fine) {
        for (size_t row = 1; row < csv.n_rows && !status; row++) status = add_row(all, &csv, row, &c, err);
    }
    sv_csv_free(&csv);
    return status;
}

/* Rows of one epoch in the order of the files: the first is kept. */
static int by_epoch(const void *a, const void *b) {
    const sv_annotated_epoch *x = a, *y = b;
    int order = (x->epoch > y->epoch) - (x->epoch < y->epoch);
    return order ? order : (x->order > y->order) - (x->order < y->order);
}

static void sort_epochs(sv_annotated_subject *s, int64_t *n_doubled) {
    size_t kept = 0;
    if (s->n > 1) qsort(s->epochs, s->n, sizeof *s->epochs, by_epoch);
    for (size_t i = 0; i < s->n; i++) {
        if (kept && s->epochs[kept - 1].epoch == s->epochs[i].epoch) {
            free(s->epochs[i].rationale);
            ++*n_doubled;
        } else {
            s->epochs[kept++] = s->epochs[i];
        }
    }
    s->n = kept;
}

static sv_status add_path(sv_annotations *all, const char *path, bool fine, sv_error *err) {
    static const char *const endings[] = {".csv"};
    char **files;
    size_t n;
    sv_status status = sv_find_files(path, endings, SV_COUNT(endings), &files, &n, err);
    if (status) return status;
    if (n == 0) status = sv_fail(err, SV_ERR_INPUT, "%s: no .csv file is in this folder", path);
    for (size_t i = 0; i < n; i++) {
        if (!status) status = add_file(all, files[i], fine, err);
        free(files[i]);
    }
    free(files);
    return status;
}

sv_status sv_annotations_load(const char *const *paths, size_t n_paths, sv_annotations *out, sv_error *err) {
    sv_status status = SV_OK;
    *out = (sv_annotations){0};
    for (int coarse = 0; coarse < 2; coarse++) {
        for (size_t i = 0; i < n_paths && !status; i++) status = add_path(out, paths[i], !coarse, err);
    }
    for (size_t i = 0; i < out->n; i++) sort_epochs(&out->subjects[i], &out->skipped[SV_SKIP_doubled]);
    if (status) sv_annotations_free(out);
    return status;
}

/* ---- simulated */

static sv_status take_truth(const sv_truth_file *truth, int e, bool fine, sv_annotated_epoch *out, sv_error *err) {
    *out = (sv_annotated_epoch){.epoch = e, .stage = (sv_stage)truth->truth.stages[e], .skip = SV_NO_SKIP};
    out->n_rules = (uint16_t)sv_rules_list(truth->truth.rules[e], out->rules);
    if (out->n_rules == 0) out->skip = SV_SKIP_no_rules;
    if (fine && !copy_rationale(truth->rationales ? truth->rationales[e] : "", out)) {
        return sv_fail_memory(err, "rationale", 0);
    }
    if (out->stage == SV_STAGE_NONE) out->skip = SV_SKIP_no_stage;
    return SV_OK;
}

sv_status sv_annotations_of_truth(const sv_truth_file *truth, const char *subject, bool fine, sv_annotated_subject *out,
                                  sv_error *err) {
    size_t n = (size_t)truth->truth.n_epochs;
    sv_status status = SV_OK;
    *out = (sv_annotated_subject){
        .subject = sv_strndup(subject, strlen(subject)), .fine = fine, .epochs = sv_calloc(n, sizeof *out->epochs)};
    if (!out->subject || !out->epochs) status = sv_fail_memory(err, "annotations", n * sizeof *out->epochs);
    for (size_t e = 0; e < n && !status; e++) {
        status = take_truth(truth, (int)e, fine, &out->epochs[out->n++], err);
    }
    if (status) sv_annotated_subject_free(out);
    return status;
}
