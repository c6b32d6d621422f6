/* events.c - lists of events, and their JSON. */
#include "sleep/events.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static const char *const kind_names[SV_N_EVENT_KINDS] = {
    [SV_EVENT_ALPHA] = "alpha",
    [SV_EVENT_THETA] = "theta",
    [SV_EVENT_SPINDLE] = "spindle",
    [SV_EVENT_K_COMPLEX] = "k_complex",
    [SV_EVENT_SLOW_WAVE] = "slow_wave",
    [SV_EVENT_VERTEX_WAVE] = "vertex_wave",
    [SV_EVENT_SAWTOOTH] = "sawtooth",
    [SV_EVENT_BLINK] = "blink",
    [SV_EVENT_REM] = "rem",
    [SV_EVENT_SEM] = "sem",
    [SV_EVENT_PHASIC_EMG] = "phasic_emg",
    [SV_EVENT_AROUSAL] = "arousal",
    [SV_EVENT_BODY_MOVEMENT] = "body_movement",
    [SV_EVENT_ARTEFACT] = "artefact",
};

const char *sv_event_kind_name(sv_event_kind kind) {
    return (unsigned)kind < SV_N_EVENT_KINDS ? kind_names[kind] : "?";
}

bool sv_event_kind_from_name(const char *name, sv_event_kind *out) {
    for (int i = 0; i < SV_N_EVENT_KINDS; i++) {
        if (strcmp(name, kind_names[i]) != 0) continue;
        *out = (sv_event_kind)i;
        return true;
    }
    return false;
}

void sv_events_free(sv_events *events) {
    free(events->items);
    *events = (sv_events){0};
}

sv_status sv_events_add(sv_events *events, const sv_event *event, sv_error *err) {
    sv_event rest = *event;
    do {
        sv_event piece = rest;
        piece.duration_s = fmin(rest.duration_s, SV_EVENT_MAX_S);
        if (!sv_grow(&events->items, events->n, &events->capacity, sizeof *events->items)) {
            return sv_fail_memory(err, "events", events->n);
        }
        events->items[events->n++] = piece;
        rest.onset_s += piece.duration_s;
        rest.duration_s -= piece.duration_s;
    } while (rest.duration_s > 0);
    return SV_OK;
}

sv_status sv_events_append(sv_events *events, const sv_events *more, sv_error *err) {
    sv_status s = SV_OK;
    for (size_t i = 0; i < more->n && !s; i++) s = sv_events_add(events, &more->items[i], err);
    return s;
}

static int order_of(double a, double b) { return (a > b) - (a < b); }

static int compare(const void *left, const void *right) {
    const sv_event *a = left, *b = right;
    int order = order_of(a->onset_s, b->onset_s);
    if (!order) order = order_of(a->kind, b->kind);
    if (!order) order = order_of(a->roles, b->roles);
    return order ? order : order_of(a->duration_s, b->duration_s);
}

void sv_events_sort(sv_events *events) {
    if (events->n > 1) qsort(events->items, events->n, sizeof *events->items, compare);
}

size_t sv_events_first_from(const sv_events *events, double onset_s) {
    size_t low = 0, high = events->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (events->items[middle].onset_s < onset_s)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

double sv_event_overlap_s(const sv_event *event, double from_s, double to_s) {
    double begin = fmax(event->onset_s, from_s), end = fmin(event->onset_s + event->duration_s, to_s);
    return fmax(0, end - begin);
}

static bool is_one(const sv_event *event, sv_event_kind kind, unsigned roles) {
    return event->kind == kind && (roles == 0 || (event->roles & roles) != 0);
}

int sv_events_count(const sv_events *events, sv_event_kind kind, unsigned roles, double from_s, double to_s) {
    int n = 0;
    for (size_t i = sv_events_first_from(events, from_s - SV_EVENT_MAX_S); i < events->n; i++) {
        const sv_event *e = &events->items[i];
        double middle_s = e->onset_s + e->duration_s / 2;
        if (e->onset_s >= to_s) break;
        n += is_one(e, kind, roles) && middle_s >= from_s && middle_s < to_s;
    }
    return n;
}

double sv_events_cover_s(const sv_events *events, sv_event_kind kind, unsigned roles, double from_s, double to_s) {
    double cover_s = 0, covered_to_s = from_s;
    for (size_t i = sv_events_first_from(events, from_s - SV_EVENT_MAX_S); i < events->n; i++) {
        const sv_event *e = &events->items[i];
        if (e->onset_s >= to_s) break;
        if (!is_one(e, kind, roles)) continue;
        cover_s += sv_event_overlap_s(e, covered_to_s, to_s);
        covered_to_s = fmax(covered_to_s, fmin(e->onset_s + e->duration_s, to_s));
    }
    return cover_s;
}

static json_t *rounded(double value, double step) {
    return isfinite(value) ? json_real(round(value * step) / step) : json_null();
}

json_t *sv_event_to_json(const sv_event *event) {
    json_t *channels = json_array();
    for (int r = 0; r < SV_N_ROLES; r++) {
        if (event->roles & sv_role_bit((sv_role)r)) {
            json_array_append_new(channels, json_string(sv_role_name((sv_role)r)));
        }
    }
    json_t *object = json_object();
    json_object_set_new(object, "kind", json_string(sv_event_kind_name(event->kind)));
    json_object_set_new(object, "channels", channels);
    json_object_set_new(object, "onset_s", rounded(event->onset_s, 1000));
    json_object_set_new(object, "duration_s", rounded(event->duration_s, 1000));
    json_object_set_new(object, "frequency_hz", rounded(event->frequency_hz, 100));
    json_object_set_new(object, "amplitude_uv", rounded(event->amplitude_uv, 10));
    return object;
}

json_t *sv_events_to_json(const sv_events *events) {
    json_t *list = json_array();
    for (size_t i = 0; i < events->n; i++) json_array_append_new(list, sv_event_to_json(&events->items[i]));
    return list;
}

static bool read_channels(const json_t *list, unsigned *roles) {
    size_t i;
    json_t *name;
    sv_role role;
    if (!json_is_array(list)) return false;
    *roles = 0;
    json_array_foreach(list, i, name) {
        if (!json_is_string(name) || !sv_role_from_name(json_string_value(name), &role)) return false;
        *roles |= sv_role_bit(role);
    }
    return true;
}

sv_status sv_events_from_json(const json_t *list, const char *name, sv_events *out, sv_error *err) {
    size_t i;
    json_t *object;
    *out = (sv_events){0};
    if (!json_is_array(list)) return sv_fail(err, SV_ERR_INPUT, "%s: \"events\" is not a list", name);
    json_array_foreach(list, i, object) {
        sv_event e = {.onset_s = sv_json_real(object, "onset_s", NAN),
                      .duration_s = sv_json_real(object, "duration_s", NAN),
                      .frequency_hz = sv_json_real(object, "frequency_hz", NAN),
                      .amplitude_uv = sv_json_real(object, "amplitude_uv", NAN)};
        const char *kind = sv_json_text(object, "kind", ""), *wrong = NULL;
        if (!sv_event_kind_from_name(kind, &e.kind)) wrong = "kind";
        if (!wrong && !read_channels(json_object_get(object, "channels"), &e.roles)) wrong = "channels";
        if (!wrong && !isfinite(e.onset_s)) wrong = "onset_s";
        if (!wrong && !(e.duration_s >= 0 && isfinite(e.duration_s))) wrong = "duration_s";
        sv_status s = wrong ? sv_fail(err, SV_ERR_INPUT, "%s: event %zu has no usable \"%s\"", name, i, wrong)
                            : sv_events_add(out, &e, err);
        if (s) {
            sv_events_free(out);
            return s;
        }
    }
    sv_events_sort(out);
    return SV_OK;
}
