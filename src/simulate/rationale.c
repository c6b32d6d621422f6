/* rationale.c - the words for what is seen in an epoch of a simulated night. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "psg/night.h"
#include "simulate/draw.h"
#include "simulate/sight.h"

typedef enum fact {
    MAJOR_MOVEMENT,
    SHORT_MOVEMENT,
    ALPHA_MOST,
    ALPHA_SOME,
    ALPHA_NONE,
    BACKGROUND_LAMF,
    SLOW_WAVES_MANY,
    SLOW_WAVES_FEW,
    SPINDLES_MANY,
    SPINDLE_ONE,
    K_MANY,
    K_ONE,
    NO_SPINDLE_NO_K,
    VERTEX_WAVES,
    BLINKS,
    EYES_JUMP,
    EYES_STILL,
    EYES_ROLL,
    SAWTOOTH,
    AROUSAL,
    CHIN_LOW,
    CHIN_MEDIUM,
    CHIN_HIGH,
    N2_GOES_ON,
    AFTER_N3,
    N2_ENDED,
    R_GOES_ON,
    R_ENDED,
    AS_THE_NEXT
} fact;

static const struct wording {
    fact fact;
    const char *text;
} wordings[] = {
#define SV_SAY(fact, text) {fact, text},
#include "simulate/rationale.def"
#undef SV_SAY
};

/* Numbers of a fact; NaN where a wording has none. */
typedef struct numbers {
    double n, s, hz, uv, at;
} numbers;

typedef struct writer {
    sv_strbuf *out;
    sv_draw d;
} writer;

/* ---- wording */

static void put_count(sv_strbuf *out, double n) {
    static const char *const words[] = {"no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"};
    if (n >= 0 && n < (double)SV_COUNT(words))
        sv_strbuf_puts(out, words[(int)n]);
    else
        sv_strbuf_printf(out, "%.0f", n);
}

static void put_number(sv_strbuf *out, const char *key, size_t len, const numbers *v) {
    if (len == 1 && key[0] == 'n') put_count(out, v->n);
    if (len == 1 && key[0] == 's') sv_strbuf_printf(out, "%.0f", v->s);
    if (len == 2 && memcmp(key, "hz", 2) == 0) sv_strbuf_printf(out, "%.0f", v->hz);
    if (len == 2 && memcmp(key, "uv", 2) == 0) sv_strbuf_printf(out, "%.0f", v->uv);
    if (len == 2 && memcmp(key, "at", 2) == 0) sv_strbuf_printf(out, "%.0f", v->at);
    if (len == 5) sv_strbuf_printf(out, "%.0f", 5 * round(v->s / SV_EPOCH_S * 20));
}

static void put_wording(sv_strbuf *out, const char *text, const numbers *v) {
    if (out->len) sv_strbuf_puts(out, " ");
    for (const char *open; (open = strchr(text, '{'));) {
        const char *close = strchr(open, '}');
        sv_strbuf_append(out, text, (size_t)(open - text));
        put_number(out, open + 1, (size_t)(close - open - 1), v);
        text = close + 1;
    }
    sv_strbuf_puts(out, text);
}

static void say(writer *w, fact f, numbers v) {
    size_t first = 0, n = 0;
    while (wordings[first].fact != f) first++;
    while (first + n < SV_COUNT(wordings) && wordings[first + n].fact == f) n++;
    put_wording(w->out, wordings[first + (size_t)sv_draw_uniform(&w->d, 0, (double)n)].text, &v);
}

/* A fact that may as well be left out. */
static void mention(writer *w, fact f, numbers v) {
    if (sv_draw_chance(&w->d, 0.55)) say(w, f, v);
}

/* ---- what is said, channel by channel */

typedef struct scene {
    sv_sim_sight sight;
    sv_stage stage;
    unsigned rules, roles;
    bool alpha_generator;
} scene;

static bool applies(const scene *c, const char *id) { return c->rules >> (sv_rule_find(id) - sv_rules) & 1; }
static bool nrem(const scene *c) { return c->stage == SV_STAGE_N2 || c->stage == SV_STAGE_N3; }

static void tell_movement(writer *w, const scene *c) {
    const sv_sim_sight *v = &c->sight;
    if (v->movement_s > SV_EPOCH_S / 2.0)
        say(w, MAJOR_MOVEMENT, (numbers){.s = v->movement_s});
    else if (v->movement_s > 4)
        mention(w, SHORT_MOVEMENT, (numbers){.s = v->movement_s});
}

static void tell_alpha(writer *w, const scene *c) {
    double s = c->sight.alpha_s;
    if (!c->alpha_generator) return;
    if (s > SV_EPOCH_S / 2.0)
        say(w, ALPHA_MOST, (numbers){.s = s});
    else if (s >= 4 && !nrem(c))
        mention(w, ALPHA_SOME, (numbers){.s = s});
    else if (s == 0 && (c->stage == SV_STAGE_N1 || c->stage == SV_STAGE_R))
        mention(w, ALPHA_NONE, (numbers){0});
}

static void tell_spindles(writer *w, const scene *c) {
    const sv_sim_sight *v = &c->sight;
    if (v->spindles > 1) say(w, SPINDLES_MANY, (numbers){.n = v->spindles, .hz = v->spindle_hz});
    if (v->spindles == 1) say(w, SPINDLE_ONE, (numbers){.hz = v->spindle_hz, .at = v->spindle_at_s});
    if (c->stage == SV_STAGE_N3) return; /* among slow waves K-complexes are not told apart */
    if (v->k_complexes > 1) say(w, K_MANY, (numbers){.n = v->k_complexes});
    if (v->k_complexes == 1) say(w, K_ONE, (numbers){.at = v->k_at_s});
    if (!v->spindles && !v->k_complexes && c->stage != SV_STAGE_W) mention(w, NO_SPINDLE_NO_K, (numbers){0});
}

static void tell_slow_waves(writer *w, const scene *c) {
    const sv_sim_sight *v = &c->sight;
    numbers n = {.s = v->slow_wave_s, .uv = v->slow_wave_uv};
    if (c->stage == SV_STAGE_N3)
        say(w, SLOW_WAVES_MANY, n);
    else if (nrem(c) && v->slow_wave_s >= 2)
        mention(w, SLOW_WAVES_FEW, n);
}

static void tell_eeg(writer *w, const scene *c) {
    const unsigned central = sv_role_bit(SV_ROLE_F4) | sv_role_bit(SV_ROLE_C4);
    const sv_sim_sight *v = &c->sight;
    tell_movement(w, c);
    tell_alpha(w, c);
    if (c->stage == SV_STAGE_N1 || c->stage == SV_STAGE_R || applies(c, "N2.2")) say(w, BACKGROUND_LAMF, (numbers){0});
    if (c->roles & sv_role_bit(SV_ROLE_F4)) tell_slow_waves(w, c);
    if (c->roles & central) {
        tell_spindles(w, c);
        if (v->vertex_waves && c->stage == SV_STAGE_N1) say(w, VERTEX_WAVES, (numbers){0});
        if (v->sawtooth_s >= 1 && c->stage == SV_STAGE_R) mention(w, SAWTOOTH, (numbers){.s = v->sawtooth_s});
    }
    if (v->arousals) say(w, AROUSAL, (numbers){.at = v->arousal_at_s});
}

static void tell_eyes(writer *w, const scene *c) {
    const sv_sim_sight *v = &c->sight;
    if (v->blinks >= 2 && c->stage == SV_STAGE_W) say(w, BLINKS, (numbers){.n = v->blinks});
    if (v->rems >= (c->stage == SV_STAGE_W ? 2 : 1)) say(w, EYES_JUMP, (numbers){.n = v->rems});
    if (!v->rems && c->stage == SV_STAGE_R) say(w, EYES_STILL, (numbers){0});
    if (v->sems && (c->stage == SV_STAGE_N1 || c->stage == SV_STAGE_W)) mention(w, EYES_ROLL, (numbers){0});
}

static void tell_chin(writer *w, const scene *c) {
    double level = c->sight.chin_level;
    fact f = level < 0.3 ? CHIN_LOW : level > 0.75 ? CHIN_HIGH : CHIN_MEDIUM;
    if (c->stage == SV_STAGE_R || c->stage == SV_STAGE_W)
        say(w, f, (numbers){0});
    else
        mention(w, f, (numbers){0});
}

static void tell_context(writer *w, const scene *c) {
    static const struct {
        const char *rule;
        fact fact;
    } contexts[] = {
        {"N2.2", N2_GOES_ON}, {"N2.3", AFTER_N3}, {"N2.4", N2_ENDED}, {"R.2", R_GOES_ON}, {"MBM.2", AS_THE_NEXT}};
    for (size_t i = 0; i < SV_COUNT(contexts); i++) {
        if (applies(c, contexts[i].rule)) say(w, contexts[i].fact, (numbers){0});
    }
    if (applies(c, "R.3") && c->stage != SV_STAGE_R) say(w, R_ENDED, (numbers){0});
}

void sv_rationale_write(const sv_sim_facts *facts, const sv_truth *truth, int epoch, unsigned roles, uint64_t seed,
                        sv_strbuf *out) {
    const unsigned eeg = sv_role_bit(SV_ROLE_F4) | sv_role_bit(SV_ROLE_C4) | sv_role_bit(SV_ROLE_O2);
    writer w = {.out = out, .d = sv_draw_stream(seed, SV_DRAW_RATIONALES)};
    scene c = {.stage = (sv_stage)truth->stages[epoch],
               .rules = truth->rules[epoch],
               .roles = roles,
               .alpha_generator = facts->alpha_generator};
    w.d.block = (uint64_t)epoch << 8; /* more than an epoch can use up */
    sv_sim_look(facts, epoch, &c.sight);
    sv_strbuf_clear(out);
    if (roles & eeg) tell_eeg(&w, &c);
    if (roles & (sv_role_bit(SV_ROLE_LOC) | sv_role_bit(SV_ROLE_ROC))) tell_eyes(&w, &c);
    if (roles & sv_role_bit(SV_ROLE_CHIN)) tell_chin(&w, &c);
    tell_context(&w, &c);
    if (out->len == 0) say(&w, BACKGROUND_LAMF, (numbers){0});
}
