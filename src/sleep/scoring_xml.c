/*
 * scoring_xml.c - stages in XML of Compumedics Profusion (<SleepStages>, one number an epoch) and of the National Sleep
 * Research Resource (<ScoredEvent> with the type "Stages|Stages"). Both are flat and written by machines, so a scan for
 * the few elements that matter does; everything else is passed over.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "sleep/scoring.h"

/* Comments could hold elements that do not count. */
static void blank_comments(char *text) {
    char *open = text;
    while ((open = strstr(open, "<!--"))) {
        char *close = strstr(open + 4, "-->");
        size_t n = close ? (size_t)(close + 3 - open) : strlen(open);
        memset(open, ' ', n);
        open += n;
    }
}

/* Where the content of the next element <name ...> begins, at or after `at` and before `end`; NULL when there is none.
 */
static char *find_open(char *at, const char *end, const char *name) {
    const size_t n = strlen(name);
    while (at < end && (at = memchr(at, '<', (size_t)(end - at)))) {
        at++;
        if ((size_t)(end - at) <= n || memcmp(at, name, n) != 0 || !strchr("> \t\r\n", at[n])) continue;
        char *close = memchr(at, '>', (size_t)(end - at));
        return close ? close + 1 : NULL;
    }
    return NULL;
}

/* The end of the content that begins at `at`: the next </name. NULL when it is missing. */
static char *find_close(char *at, const char *end, const char *name) {
    const size_t n = strlen(name);
    while (at < end && (at = memchr(at, '<', (size_t)(end - at)))) {
        if ((size_t)(end - at) > n + 2 && at[1] == '/' && memcmp(at + 2, name, n) == 0) return at;
        at++;
    }
    return NULL;
}

/* The text of the first <name> inside [at, end), blanks trimmed, cut to the room. False when there is none. */
static bool element_text(char *at, const char *end, const char *name, char *out, size_t room) {
    char *from = find_open(at, end, name), *to = from ? find_close(from, end, name) : NULL;
    if (!to) return false;
    while (from < to && strchr(" \t\r\n", *from)) from++;
    while (to > from && strchr(" \t\r\n", to[-1])) to--;
    snprintf(out, room, "%.*s", (int)SV_MIN((size_t)(to - from), room - 1), from);
    return true;
}

static bool parse_number(const char *text, double *out) {
    char *rest;
    *out = strtod(text, &rest);
    return rest != text && !*rest && isfinite(*out);
}

/* `digits` of an R&K stage, nothing after them. */
static bool parse_rk(const char *text, sv_stage *out) {
    char *rest;
    long number = strtol(text, &rest, 10);
    return rest != text && !*rest && sv_stage_from_rk_number(number, out);
}

static sv_status read_profusion(char *list, const char *end, double epoch_s, const char *text, const char *name,
                                sv_scoring *out, sv_error *err) {
    sv_status s = SV_OK;
    for (char *at = list; !s && (at = find_open(at, end, "SleepStage"));) {
        char *close = find_close(at, end, "SleepStage");
        char content[16] = "";
        sv_stage stage;
        if (close) snprintf(content, sizeof content, "%.*s", (int)SV_MIN((size_t)(close - at), sizeof content - 1), at);
        if (!close || !parse_rk(content, &stage)) {
            return sv_fail_at(err, SV_ERR_INPUT, at - text,
                              "%s: epoch %zu: expected <SleepStage> to hold 0-5, 6 or 9, found '%s'", name, out->n + 1,
                              content);
        }
        s = sv_scoring_add(out, (double)out->n * epoch_s, epoch_s, stage, err);
        at = close;
    }
    return s;
}

static sv_status read_nsrr_event(char *at, const char *end, const char *text, const char *name, sv_scoring *out,
                                 sv_error *err) {
    char type[64], concept[64], onset_text[32] = "", duration_text[32] = "";
    if (!element_text(at, end, "EventType", type, sizeof type) || !strstr(type, "Stages")) return SV_OK;
    double onset = 0, duration = 0;
    sv_stage stage;
    const bool has_concept = element_text(at, end, "EventConcept", concept, sizeof concept);
    const char *bar = has_concept ? strrchr(concept, '|') : NULL;
    if (!bar || !parse_rk(bar + 1, &stage)) {
        return sv_fail_at(err, SV_ERR_INPUT, at - text,
                          "%s: stage event %zu: expected an <EventConcept> such as 'Stage 2 sleep|2', found '%s'", name,
                          out->n + 1, has_concept ? concept : "");
    }
    if (!element_text(at, end, "Start", onset_text, sizeof onset_text) || !parse_number(onset_text, &onset) ||
        !element_text(at, end, "Duration", duration_text, sizeof duration_text) ||
        !parse_number(duration_text, &duration)) {
        return sv_fail_at(err, SV_ERR_INPUT, at - text,
                          "%s: stage event %zu: expected <Start> and <Duration> in seconds, found '%s' and '%s'", name,
                          out->n + 1, onset_text, duration_text);
    }
    return sv_scoring_add(out, onset, duration, stage, err);
}

sv_status sv_scoring_read_xml(char *text, size_t len, const char *name, sv_scoring *out, sv_error *err) {
    blank_comments(text);
    const char *end = text + len;
    char content[32];
    double epoch_s = 30;
    if (element_text(text, end, "EpochLength", content, sizeof content) &&
        (!parse_number(content, &epoch_s) || epoch_s < 1 || epoch_s > 600)) {
        return sv_fail(err, SV_ERR_INPUT, "%s: expected <EpochLength> of 1 to 600 seconds, found '%s'", name, content);
    }
    sv_status s = SV_OK;
    char *list = find_open(text, end, "SleepStages");
    if (list) {
        char *close = find_close(list, end, "SleepStages");
        if (!close)
            return sv_fail_at(err, SV_ERR_INPUT, list - text, "%s: <SleepStages> is not closed: is the file cut?",
                              name);
        s = read_profusion(list, close, epoch_s, text, name, out, err);
    }
    for (char *at = text; !s && !list && (at = find_open(at, end, "ScoredEvent"));) {
        char *close = find_close(at, end, "ScoredEvent");
        if (!close)
            return sv_fail_at(err, SV_ERR_INPUT, at - text, "%s: <ScoredEvent> is not closed: is the file cut?", name);
        s = read_nsrr_event(at, close, text, name, out, err);
        at = close;
    }
    if (s || out->n) return s;
    return sv_fail(
        err, SV_ERR_INPUT,
        "%s: no stages in this XML: expected <SleepStages> (Profusion) or <ScoredEvent> of type 'Stages' (NSRR)", name);
}
