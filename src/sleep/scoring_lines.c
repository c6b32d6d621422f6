/* scoring_lines.c - stages in text: a table with a column `stage`, or one stage a line. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "sleep/scoring.h"
#include "sleep/stages.h"

#define MAX_COLUMNS 256

/* How the numbers of a file are meant is known only when all of it has been seen. */
typedef struct entry {
    double onset_s, duration_s;
    sv_stage stage; /* of a name */
    long number;    /* of a number, which `is_number` says */
    bool is_number;
} entry;

typedef struct table {
    char separator;             /* 0: a list */
    int stage, onset, duration; /* columns, -1 when there is none */
    entry *entries;
    size_t n, capacity;
    bool has_rk_number, has_letters, has_low_numbers;
} table;

/* Cuts a line into fields in place; quotes around a field go, a separator inside them stays. */
static int split(char *line, char separator, char *fields[MAX_COLUMNS]) {
    int n = 0;
    for (char *at = line; at && n < MAX_COLUMNS;) {
        at += strspn(at, separator == '\t' ? " " : " \t");
        char *from = at, *to;
        if (*at == '"') {
            from = ++at;
            to = strchr(at, '"');
            if (!to) to = at + strlen(at);
            at = *to ? to + 1 : to;
            at += strcspn(at, (char[]){separator, 0});
        } else {
            at += separator ? strcspn(at, (char[]){separator, 0}) : strlen(at);
            to = at;
        }
        char *next = separator && *at == separator ? at + 1 : NULL;
        while (to > from && (to[-1] == ' ' || to[-1] == '\t')) to--;
        *to = 0;
        fields[n++] = from;
        at = next;
    }
    return n;
}

static int find_column(char *const fields[], int n, const char *const names[], size_t n_names) {
    for (size_t k = 0; k < n_names; k++) {
        for (int i = 0; i < n; i++) {
            if (strcasecmp(fields[i], names[k]) == 0) return i;
        }
    }
    return -1;
}

/* Reads the first line as a header; false when it is none. Text after the line may be changed only then. */
static bool read_header(char *line, table *t) {
    static const char *const stage_names[] = {"stage",  "sleep_stage", "sleep stage",
                                              "stages", "hypnogram",   "description"};
    static const char *const onset_names[] = {"onset_s", "onset", "start_s", "start", "time_s", "time"};
    static const char *const duration_names[] = {"duration_s", "duration"};
    const char separator = strchr(line, '\t') ? '\t' : strchr(line, ';') ? ';' : strchr(line, ',') ? ',' : 0;
    char *fields[MAX_COLUMNS], *copy = sv_strndup(line, strlen(line));
    if (!copy) return false;
    const int n = split(copy, separator, fields);
    t->stage = find_column(fields, n, stage_names, SV_COUNT(stage_names));
    t->onset = find_column(fields, n, onset_names, SV_COUNT(onset_names));
    t->duration = find_column(fields, n, duration_names, SV_COUNT(duration_names));
    free(copy);
    if (t->stage < 0) {
        t->onset = t->duration = -1;
        t->stage = 0;
        return false;
    }
    t->separator = separator;
    return true;
}

static bool parse_seconds(const char *text, double *out) {
    char *rest;
    *out = strtod(text, &rest);
    return rest != text && !*rest && isfinite(*out);
}

/* Numbers -2..9, also written "2.0" as tables of floating point do. */
static bool parse_number(const char *text, long *out) {
    double x;
    if (!parse_seconds(text, &x) || x != floor(x) || x < -2 || x > 9 || x == 7 || x == 8) return false;
    *out = (long)x;
    return true;
}

static bool read_stage(const char *text, table *t, entry *e) {
    if (!*text || strcasecmp(text, "nan") == 0) {
        e->stage = SV_STAGE_NONE;
        return true;
    }
    if (parse_number(text, &e->number)) {
        e->is_number = true;
        t->has_rk_number |= e->number == 5 || e->number == 6;
        t->has_low_numbers |= e->number >= 0 && e->number <= 4;
        return true;
    }
    if (!sv_stage_from_annotation(text, &e->stage)) return false;
    t->has_letters |= e->stage != SV_STAGE_NONE;
    return true;
}

static sv_status read_row(char *line, long number, const char *name, table *t, sv_error *err) {
    char *fields[MAX_COLUMNS];
    const int n = split(line, t->separator, fields);
    entry e = {.onset_s = (double)t->n * SV_EPOCH_S, .duration_s = SV_EPOCH_S};
    if (t->stage >= n || t->onset >= n || t->duration >= n) {
        return sv_fail(err, SV_ERR_INPUT, "%s:%ld: expected at least %d columns as in the header, found %d", name,
                       number, SV_MAX(t->stage, SV_MAX(t->onset, t->duration)) + 1, n);
    }
    if (!read_stage(fields[t->stage], t, &e)) {
        return sv_fail(err, SV_ERR_INPUT, "%s:%ld: '%.60s' is not a stage; expected W, N1, N2, N3, R, ? or a number%s",
                       name, number, fields[t->stage],
                       t->separator ? "" : " (a table needs a header with a column 'stage')");
    }
    if (t->onset >= 0 && !parse_seconds(fields[t->onset], &e.onset_s)) {
        return sv_fail(err, SV_ERR_INPUT,
                       "%s:%ld: expected the onset in seconds from the recording's start, found '%.60s'", name, number,
                       fields[t->onset]);
    }
    if (t->onset >= 0 && t->duration < 0) e.duration_s = 0;
    if (t->duration >= 0 && !parse_seconds(fields[t->duration], &e.duration_s)) {
        return sv_fail(err, SV_ERR_INPUT, "%s:%ld: expected the duration in seconds, found '%.60s'", name, number,
                       fields[t->duration]);
    }
    if (!sv_grow(&t->entries, t->n, &t->capacity, sizeof e)) return sv_fail_memory(err, name, t->n * sizeof e);
    t->entries[t->n++] = e;
    return SV_OK;
}

/* R&K numbers 5 as R and may use 4; where nothing tells, 4 is R. */
static sv_stage meaning(const table *t, const entry *e) {
    sv_stage stage = SV_STAGE_NONE;
    if (!e->is_number) return e->stage;
    if (e->number < 0) return SV_STAGE_NONE;
    if (e->number == 4 && !t->has_rk_number && !t->has_letters) return SV_STAGE_R;
    return sv_stage_from_rk_number(e->number, &stage) ? stage : SV_STAGE_NONE;
}

sv_status sv_scoring_read_lines(char *text, const char *name, sv_scoring *out, sv_error *err) {
    table t = {.onset = -1, .duration = -1};
    sv_status s = SV_OK;
    bool first = true;
    long number = 0;
    for (char *line = text, *next; !s && line; line = next) {
        next = strpbrk(line, "\r\n");
        if (next) {
            const bool two = next[0] == '\r' && next[1] == '\n';
            *next = 0;
            next += two ? 2 : 1;
        }
        number++;
        const char content = line[strspn(line, " \t")];
        if (!content || content == '#') continue;
        if (!first || !read_header(line, &t)) s = read_row(line, number, name, &t, err);
        first = false;
    }
    if (!s && t.n == 0) s = sv_fail(err, SV_ERR_INPUT, "%s: there is no stage in it", name);
    for (size_t i = 0; !s && i < t.n; i++) {
        s = sv_scoring_add(out, t.entries[i].onset_s, t.entries[i].duration_s, meaning(&t, &t.entries[i]), err);
    }
    if (t.has_low_numbers && !t.has_rk_number && !t.has_letters) {
        out->note = "the numbers were read as 0 W, 1 N1, 2 N2, 3 N3, 4 R; R&K files without any 5 (REM) look the same";
    }
    free(t.entries);
    return s;
}
