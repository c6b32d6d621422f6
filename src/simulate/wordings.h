/* wordings.h - the sentences of rationale.def: which of them fit a fact and the channels at hand, and their numbers. */
#ifndef SV_SIMULATE_WORDINGS_H
#define SV_SIMULATE_WORDINGS_H

#include "simulate/draw.h"
#include "simulate/truth.h"

typedef enum sv_sim_fact {
#define SV_FACT(name, section, kind) SV_FACT_##name,
#include "simulate/rationale.def"
    SV_N_FACTS
} sv_sim_fact;

/* Sentences of a section stand together. */
typedef enum sv_sim_section {
    SV_SECTION_MOVEMENT,
    SV_SECTION_BACKGROUND,
    SV_SECTION_WAVES,
    SV_SECTION_EYES,
    SV_SECTION_CHIN,
    SV_SECTION_REASON,
    SV_N_SECTIONS
} sv_sim_section;

typedef enum sv_sim_view {
    SV_VIEW_HEAD = 1,   /* any of F4, C4, O2 */
    SV_VIEW_FRONT = 2,  /* F4 */
    SV_VIEW_CENTRE = 4, /* C4 */
    SV_VIEW_BACK = 8,   /* O2 */
    SV_VIEW_EYES = 16,  /* LOC or ROC */
    SV_VIEW_PAIR = 32,  /* LOC and ROC */
    SV_VIEW_CHIN = 64,
    SV_VIEW_ASLEEP = 128 /* the epoch is not W */
} sv_sim_view;

/* Numbers of a fact; those that its wordings do not use may be anything. */
typedef struct sv_sim_numbers {
    double n, s, hz, uv, at;
} sv_sim_numbers;

/* What may be said: the channels there are; those that show every event of the fact; and whether the epoch is W. */
typedef struct sv_sim_frame {
    unsigned roles, in_all;
    bool awake;
} sv_sim_frame;

sv_sim_section sv_fact_section(sv_sim_fact fact);
sv_event_kind sv_fact_kind(sv_sim_fact fact);

/* The number of wordings that fit. */
int sv_fact_wordings(sv_sim_fact fact, const sv_sim_frame *frame);

/* Appends one of those that fit (there must be one), after a blank when out is not empty. */
void sv_fact_say(sv_sim_fact fact, const sv_sim_frame *frame, const sv_sim_numbers *numbers, sv_draw *draw,
                 sv_strbuf *out);

#endif
