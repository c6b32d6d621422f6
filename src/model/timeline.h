/*
 * timeline.h - inside a session, shared by session.c and generate.c.
 */
#ifndef SV_MODEL_TIMELINE_H
#define SV_MODEL_TIMELINE_H

#include "model/network.h"

struct sv_session {
    sv_workspace *workspace;
    const sv_prefix *prefix; /* may be NULL */
    sv_cache own;
    size_t capacity, length; /* own tokens */
    sv_position *positions;  /* [capacity] */
    int32_t *next_after;     /* [capacity]: the position that follows when the timeline ends after this token */
};

#endif
