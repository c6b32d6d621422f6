/*
 * events.h - what can be seen in a night besides its stages: graphic elements, eye movements, arousals, artefacts. One
 * vocabulary for what the simulator puts in and what the detectors find.
 */
#ifndef SV_SLEEP_EVENTS_H
#define SV_SLEEP_EVENTS_H

#include "base/json.h"
#include "psg/montage.h"

/* Names as in files; order and names are fixed. */
typedef enum sv_event_kind {
    SV_EVENT_ALPHA,         /* "alpha": a run of alpha rhythm */
    SV_EVENT_THETA,         /* "theta": a burst of 4-7 Hz */
    SV_EVENT_SPINDLE,       /* "spindle" */
    SV_EVENT_K_COMPLEX,     /* "k_complex" */
    SV_EVENT_SLOW_WAVE,     /* "slow_wave": one wave, 0.5-2 Hz, at least 75 uV peak to peak */
    SV_EVENT_VERTEX_WAVE,   /* "vertex_wave" */
    SV_EVENT_SAWTOOTH,      /* "sawtooth": a train of 2-6 Hz sawtooth waves */
    SV_EVENT_BLINK,         /* "blink" */
    SV_EVENT_REM,           /* "rem": one jump of both eyes, in R or awake; there and back at once is one */
    SV_EVENT_SEM,           /* "sem": slow rolling eye movement */
    SV_EVENT_PHASIC_EMG,    /* "phasic_emg": a twitch of the chin */
    SV_EVENT_AROUSAL,       /* "arousal" */
    SV_EVENT_BODY_MOVEMENT, /* "body_movement" */
    SV_EVENT_ARTEFACT,      /* "artefact": a stretch of a channel that cannot be read (flat, clipped, pop, sweat) */
    SV_N_EVENT_KINDS
} sv_event_kind;

const char *sv_event_kind_name(sv_event_kind kind);
bool sv_event_kind_from_name(const char *name, sv_event_kind *out);

static inline unsigned sv_role_bit(sv_role role) { return 1u << role; }

typedef struct sv_event {
    sv_event_kind kind;
    unsigned roles;             /* channels in which it is seen: bits by sv_role_bit */
    double onset_s, duration_s; /* from the recording's first sample */
    double frequency_hz;        /* NaN when it has none */
    double amplitude_uv;        /* peak to peak where it is largest; NaN when it has none */
} sv_event;

typedef struct sv_events {
    sv_event *items;
    size_t n, capacity;
} sv_events;
void sv_events_free(sv_events *events); /* frees and zeroes */

/* What can hold an event in the search below: a longer one (a channel that stays flat) is kept in pieces. */
#define SV_EVENT_MAX_S 3600

sv_status sv_events_add(sv_events *events, const sv_event *event, sv_error *err);
sv_status sv_events_append(sv_events *events, const sv_events *more, sv_error *err);

/* By onset, then kind, then roles, then duration: a total order, so that files do not depend on the order of work. */
void sv_events_sort(sv_events *events);

/* The first event of a sorted list that begins at or after the time; events->n when there is none. */
size_t sv_events_first_from(const sv_events *events, double onset_s);

/* Seconds of the event inside [from_s, to_s). */
double sv_event_overlap_s(const sv_event *event, double from_s, double to_s);

/* Of a sorted list: the events of a kind (in any of `roles`; 0 = whatever the channels) whose middle lies in [from_s,
 * to_s), and the seconds of [from_s, to_s) that at least one of the kind covers. */
int sv_events_count(const sv_events *events, sv_event_kind kind, unsigned roles, double from_s, double to_s);
double sv_events_cover_s(const sv_events *events, sv_event_kind kind, unsigned roles, double from_s, double to_s);

/* {kind, channels: [role names], onset_s, duration_s, frequency_hz, amplitude_uv}; milliseconds, 0.01 Hz and 0.1 uV are
 * the last digits; null for NaN. Reading: SV_ERR_INPUT names the index and the field; unknown kinds are an error. */
json_t *sv_event_to_json(const sv_event *event);
json_t *sv_events_to_json(const sv_events *events);
sv_status sv_events_from_json(const json_t *list, const char *name, sv_events *out, sv_error *err);

#endif
