/* wordings.c - see wordings.h. */
#include "simulate/wordings.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "psg/night.h"

enum {
    HEAD = SV_VIEW_HEAD,
    FRONT = SV_VIEW_FRONT,
    CENTRE = SV_VIEW_CENTRE,
    BACK = SV_VIEW_BACK,
    EYES = SV_VIEW_EYES,
    PAIR = SV_VIEW_PAIR,
    CHIN = SV_VIEW_CHIN,
    ASLEEP = SV_VIEW_ASLEEP
};

static const struct {
    sv_sim_section section;
    sv_event_kind kind;
} facts[SV_N_FACTS] = {
#define SV_FACT(name, section, kind) [SV_FACT_##name] = {SV_SECTION_##section, SV_EVENT_##kind},
#include "simulate/rationale.def"
};

static const struct wording {
    sv_sim_fact fact;
    unsigned views;
    const char *text;
} wordings[] = {
#define SV_SAY(fact, views, text) {SV_FACT_##fact, views, text},
#include "simulate/rationale.def"
};

#define ROLE(name) (1u << SV_ROLE_##name)
/* Channels of a view: one of them is enough, or all are needed; `single` views name a place, so that every event of the
 * fact must be seen there. */
static const struct {
    unsigned view, roles;
    bool single;
} views[] = {
    {HEAD, ROLE(F4) | ROLE(C4) | ROLE(O2), false},
    {FRONT, ROLE(F4), true},
    {CENTRE, ROLE(C4), true},
    {BACK, ROLE(O2), true},
    {EYES, ROLE(LOC) | ROLE(ROC), false},
    {PAIR, ROLE(LOC) | ROLE(ROC), true},
    {CHIN, ROLE(CHIN), false},
};

sv_sim_section sv_fact_section(sv_sim_fact fact) { return facts[fact].section; }
sv_event_kind sv_fact_kind(sv_sim_fact fact) { return facts[fact].kind; }

static bool fits(const struct wording *w, const sv_sim_frame *frame) {
    if ((w->views & ASLEEP) && frame->awake) return false;
    for (size_t i = 0; i < SV_COUNT(views); i++) {
        if (!(w->views & views[i].view)) continue;
        unsigned wanted = views[i].roles, there = frame->roles & (views[i].single ? frame->in_all : ~0u);
        if (views[i].single ? (there & wanted) != wanted : !(there & wanted)) return false;
    }
    return true;
}

int sv_fact_wordings(sv_sim_fact fact, const sv_sim_frame *frame) {
    int n = 0;
    for (size_t i = 0; i < SV_COUNT(wordings); i++) n += wordings[i].fact == fact && fits(&wordings[i], frame);
    return n;
}

static void put_count(sv_strbuf *out, double n) {
    static const char *const words[] = {"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"};
    if (n >= 0 && n < (double)SV_COUNT(words))
        sv_strbuf_puts(out, words[(int)n]);
    else
        sv_strbuf_printf(out, "%.0f", n);
}

static void put_number(sv_strbuf *out, const char *key, size_t len, const sv_sim_numbers *v) {
    static const struct {
        const char *key;
        size_t offset;
    } plain[] = {{"s", offsetof(sv_sim_numbers, s)},
                 {"hz", offsetof(sv_sim_numbers, hz)},
                 {"uv", offsetof(sv_sim_numbers, uv)},
                 {"at", offsetof(sv_sim_numbers, at)}};
    if (len == 1 && key[0] == 'n') put_count(out, v->n);
    if (len == 5) sv_strbuf_printf(out, "%.0f", 5 * round(v->s / SV_EPOCH_S * 20));
    for (size_t i = 0; i < SV_COUNT(plain); i++) {
        if (strlen(plain[i].key) != len || memcmp(plain[i].key, key, len) != 0) continue;
        sv_strbuf_printf(out, "%.0f", *(const double *)((const char *)v + plain[i].offset));
    }
}

static void put_wording(sv_strbuf *out, const char *text, const sv_sim_numbers *v) {
    if (out->len) sv_strbuf_puts(out, " ");
    for (const char *open; (open = strchr(text, '{'));) {
        const char *close = strchr(open, '}');
        sv_strbuf_append(out, text, (size_t)(open - text));
        put_number(out, open + 1, (size_t)(close - open - 1), v);
        text = close + 1;
    }
    sv_strbuf_puts(out, text);
}

void sv_fact_say(sv_sim_fact fact, const sv_sim_frame *frame, const sv_sim_numbers *numbers, sv_draw *draw,
                 sv_strbuf *out) {
    int left = (int)sv_draw_uniform(draw, 0, sv_fact_wordings(fact, frame));
    for (size_t i = 0; i < SV_COUNT(wordings); i++) {
        if (wordings[i].fact != fact || !fits(&wordings[i], frame) || left-- > 0) continue;
        put_wording(out, wordings[i].text, numbers);
        return;
    }
}
