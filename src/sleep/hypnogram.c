/* hypnogram.c - a hypnogram from a file of any kind that scorers use. */
#include "sleep/hypnogram.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/memory.h"
#include "sleep/scoring.h"
#include "sleep/stages.h"

#define MAX_TEXT_BYTES ((size_t)64 << 20)

void sv_hypnogram_free(sv_hypnogram *hypnogram) {
    free(hypnogram->stages);
    *hypnogram = (sv_hypnogram){0};
}

bool sv_is_edf_file(const char *path) {
    static const char edf[] = "0       ", bdf[] = "\377BIOSEMI";
    char head[256];
    FILE *file = fopen(path, "rb");
    if (!file) return false;
    size_t n = fread(head, 1, sizeof head, file);
    fclose(file);
    return n == sizeof head && (memcmp(head, edf, 8) == 0 || memcmp(head, bdf, 8) == 0);
}

/* Days since 1970-01-01 in the Gregorian calendar: years counted from March so that the leap day comes last. */
static int64_t days_from_civil(int year, int month, int day) {
    const int64_t y = year - (month <= 2), era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;
    const int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* The date and time that EDF files carry when the true one was removed or never known. */
static bool is_anonymous(const sv_start_time *t) {
    return t->year == 1985 && t->month == 1 && t->day == 1 && t->hour == 0 && t->minute == 0 && t->second == 0;
}

static bool is_known(const sv_start_time *t) { return t->known && !is_anonymous(t); }

static double seconds_between(const sv_start_time *from, const sv_start_time *to) {
    const int64_t days =
        days_from_civil(to->year, to->month, to->day) - days_from_civil(from->year, from->month, from->day);
    const int64_t clock =
        ((int64_t)to->hour - from->hour) * 3600 + (to->minute - from->minute) * 60 + (to->second - from->second);
    return (double)(days * 86400 + clock) + (to->fraction_s - from->fraction_s);
}

/* Files of events hold texts such as "1" or "R" that are no stages: where any annotation says "stage", only those
 * count. */
static bool says_stage(const char *text) {
    return strncasecmp(text, "sleep", 5) == 0 || strncasecmp(text, "stage", 5) == 0;
}

static sv_status collect(const sv_recording_info *scored, sv_scoring *scoring, sv_error *err) {
    sv_stage stage;
    bool explicit_names = false;
    for (int i = 0; i < scored->n_annotations && !explicit_names; i++) {
        const char *text = scored->annotations[i].text;
        explicit_names = says_stage(text) && sv_stage_from_annotation(text, &stage);
    }
    for (int i = 0; i < scored->n_annotations; i++) {
        const sv_annotation *a = &scored->annotations[i];
        if (!sv_stage_from_annotation(a->text, &stage)) continue;
        if (explicit_names && !says_stage(a->text) && strcasecmp(a->text, "Movement time") != 0) continue;
        sv_status s = sv_scoring_add(scoring, a->onset_s, a->duration_s, stage, err);
        if (s) return sv_error_prefix(err, "%s", scored->path);
    }
    if (scoring->n) return SV_OK;
    return sv_fail(
        err, SV_ERR_INPUT,
        "%s: none of its %d annotations is a sleep stage; expected texts such as 'Sleep stage W' or 'Sleep stage "
        "N2'%s%.80s%s",
        scored->path, scored->n_annotations, scored->n_annotations ? ", the first is '" : "",
        scored->n_annotations ? scored->annotations[0].text : "", scored->n_annotations ? "'" : "");
}

/* Onset of the first entry with a stage, 0 when there is none. */
static double first_scored(const sv_scoring *scoring) {
    double first = INFINITY;
    for (size_t i = 0; i < scoring->n; i++) {
        if (scoring->items[i].stage != SV_STAGE_NONE) first = fmin(first, scoring->items[i].onset_s);
    }
    return isfinite(first) ? first : 0;
}

sv_status sv_scoring_read_annotations(const sv_recording_info *scored, const sv_recording_info *recording,
                                      sv_scoring *out, double *shift_s, sv_error *err) {
    *shift_s = 0;
    sv_status s = collect(scored, out, err);
    if (s) return s;
    if (is_known(&scored->start) && is_known(&recording->start)) {
        *shift_s = seconds_between(&recording->start, &scored->start);
    } else if (recording != scored) {
        out->note = "the start of the hypnogram or of the recording is not known; both were taken to start together";
    }
    return SV_OK;
}

sv_status sv_hypnogram_from_annotations(const sv_recording_info *scored, const sv_recording_info *recording,
                                        int n_epochs, sv_hypnogram *out, sv_error *err) {
    sv_scoring scoring = {0};
    *out = (sv_hypnogram){0};
    double shift;
    sv_status s = sv_scoring_read_annotations(scored, recording ? recording : scored, &scoring, &shift, err);
    if (!s && !recording) shift = -first_scored(&scoring);
    if (!s) s = sv_scoring_to_hypnogram(&scoring, shift, n_epochs, scored->path, out, err);
    sv_scoring_free(&scoring);
    return s;
}

sv_status sv_hypnogram_parse(const char *text, size_t len, const char *name, int n_epochs, sv_hypnogram *out,
                             sv_error *err) {
    sv_scoring scoring = {0};
    *out = (sv_hypnogram){0};
    if (len >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0)) {
        return sv_fail(err, SV_ERR_UNSUPPORTED, "%s: the text is UTF-16; convert it with 'iconv -f UTF-16 -t UTF-8'",
                       name);
    }
    if (memchr(text, 0, len)) {
        return sv_fail(err, SV_ERR_INPUT, "%s: neither EDF nor text: expected a hypnogram as EDF+, XML, CSV or a list",
                       name);
    }
    char *copy = sv_strndup(text, len);
    if (!copy) return sv_fail_memory(err, name, len);
    char *start = len >= 3 && memcmp(copy, "\xef\xbb\xbf", 3) == 0 ? copy + 3 : copy;
    sv_status s = start[strspn(start, " \t\r\n")] == '<'
                      ? sv_scoring_read_xml(start, strlen(start), name, &scoring, err)
                      : sv_scoring_read_lines(start, name, &scoring, err);
    if (!s) s = sv_scoring_to_hypnogram(&scoring, 0, n_epochs, name, out, err);
    sv_scoring_free(&scoring);
    free(copy);
    return s;
}

static sv_status load_edf(const char *path, const sv_recording_info *recording, int n_epochs, sv_hypnogram *out,
                          sv_error *err) {
    sv_recording *file = NULL;
    sv_status s = sv_recording_open(path, &file, err);
    if (!s) s = sv_hypnogram_from_annotations(sv_recording_get_info(file), recording, n_epochs, out, err);
    sv_recording_close(file);
    return s;
}

sv_status sv_hypnogram_load(const char *path, const sv_recording_info *recording, int n_epochs, sv_hypnogram *out,
                            sv_error *err) {
    *out = (sv_hypnogram){0};
    if (sv_is_edf_file(path)) return load_edf(path, recording, n_epochs, out, err);
    char *text;
    size_t len;
    sv_status s = sv_file_read(path, MAX_TEXT_BYTES, &text, &len, err);
    if (s) return s;
    s = sv_hypnogram_parse(text, len, path, n_epochs, out, err);
    free(text);
    return s;
}
