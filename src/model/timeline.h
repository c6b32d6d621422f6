/*
 * timeline.h - inside a session, shared by session.c and generate.c.
 */
#ifndef SV_MODEL_TIMELINE_H
#define SV_MODEL_TIMELINE_H

#include "model/network.h"
#include "model/session.h"

struct sv_prefix {
    const sv_model *model;
    sv_cache cache;
    size_t length;
    int32_t next_position;
};

struct sv_session {
    const sv_model *model;
    const sv_prefix *prefix; /* may be NULL */
    size_t capacity, length; /* own tokens */
    sv_decoder decoder;
    sv_position *positions; /* [capacity] */
    int32_t *next_after;    /* [capacity]: the position that follows when the timeline ends after this token */
    float *score_logits;    /* [SV_SCORE_ROWS, V] */
    unsigned char *seen;    /* [V]: ids that the repetition penalty acts on */
};

/* Rows of logits that are held at a time while a continuation is scored. */
#define SV_SCORE_ROWS ((size_t)16)

/* Reads one id of the vocabulary as text, even an image token: what a model has written is never a picture. logits:
 * [V]. SV_ERR_INPUT when there is no room. */
sv_status sv_session_append_id(sv_session *session, int32_t id, float *logits, sv_error *err);

#endif
