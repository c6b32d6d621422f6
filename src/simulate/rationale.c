/* rationale.c - what is told of an epoch of a simulated night, and in which order. The words are in rationale.def. */
#include <math.h>

#include "base/memory.h"
#include "psg/night.h"
#include "simulate/sight.h"
#include "simulate/wordings.h"

enum { HALF_S = SV_EPOCH_S / 2, MIN_SENTENCES = 2, MAX_SENTENCES = 5, MAX_NOTES = 32 };

/* Why a fact is told: the stage rests on it; it helps; or it is only there. */
typedef enum weight { DECIDES, HELPS, COLOUR } weight;

typedef struct note {
    sv_sim_fact fact;
    weight why;
    sv_sim_numbers numbers;
    bool told;
} note;

typedef struct scene {
    const sv_sim_facts *facts;
    int epoch;
    unsigned roles;
    sv_stage stage;
    unsigned rules;
    sv_sim_sight seen, whole; /* in `roles`; in all channels: what is not told must not be called absent */
    bool hidden;              /* more than half by a movement */
    sv_draw draw;
    note notes[MAX_NOTES];
    int n;
} scene;

static const unsigned head_roles = 1u << SV_ROLE_F4 | 1u << SV_ROLE_C4 | 1u << SV_ROLE_O2;
static const unsigned eye_roles = 1u << SV_ROLE_LOC | 1u << SV_ROLE_ROC;

static bool applies(const scene *c, const char *id) { return c->rules >> (sv_rule_find(id) - sv_rules) & 1; }

static sv_sim_frame frame_of(const scene *c, sv_sim_fact fact) {
    return (sv_sim_frame){
        .roles = c->roles, .in_all = c->seen.in_all[sv_fact_kind(fact)], .awake = c->stage == SV_STAGE_W};
}

static void tell(scene *c, sv_sim_fact fact, weight why, sv_sim_numbers numbers) {
    sv_sim_frame frame = frame_of(c, fact);
    if (c->n < MAX_NOTES && sv_fact_wordings(fact, &frame) > 0) {
        c->notes[c->n++] = (note){.fact = fact, .why = why, .numbers = numbers, .told = true};
    }
}

/* ---- what is seen */

static void tell_disturbances(scene *c) {
    const sv_sim_sight *v = &c->seen;
    if (c->hidden)
        tell(c, SV_FACT_MAJOR_MOVEMENT, DECIDES, (sv_sim_numbers){.s = v->movement_s});
    else if (v->movement_s >= 2)
        tell(c, SV_FACT_SHORT_MOVEMENT, HELPS, (sv_sim_numbers){.s = v->movement_s});
    if (v->artefact_s >= 3) tell(c, SV_FACT_ARTEFACT, COLOUR, (sv_sim_numbers){.s = v->artefact_s});
}

static void tell_alpha(scene *c) {
    const sv_sim_sight *v = &c->seen;
    sv_sim_numbers n = {.s = v->alpha_s, .hz = v->alpha_hz};
    bool between = c->stage == SV_STAGE_W || c->stage == SV_STAGE_N1;
    if (v->alpha_s > HALF_S)
        tell(c, SV_FACT_ALPHA_MOST, DECIDES, n);
    else if (v->alpha_s >= 2 && v->alpha_s < HALF_S - 1)
        tell(c, SV_FACT_ALPHA_SOME, applies(c, "MBM.1") ? DECIDES : between ? HELPS : COLOUR, n);
    else if (c->whole.alpha_s == 0 && !c->hidden)
        tell(c, SV_FACT_ALPHA_NONE, c->stage == SV_STAGE_N1 ? HELPS : COLOUR, n);
}

static void tell_background(scene *c) {
    const sv_sim_sight *v = &c->seen;
    bool low = v->slow_wave_s < 3, drowsy = c->stage == SV_STAGE_N1;
    if (low && (drowsy || c->stage == SV_STAGE_R || applies(c, "N2.2"))) {
        tell(c, SV_FACT_LAMF, DECIDES, (sv_sim_numbers){0});
    }
    if (c->stage == SV_STAGE_W && v->state_s[SV_STAGE_W] > HALF_S && c->whole.alpha_s < 6) {
        tell(c, SV_FACT_FAST_BACKGROUND, HELPS, (sv_sim_numbers){0});
    }
    if (v->n[SV_EVENT_THETA] >= 2 && v->theta_s >= 1 && c->stage != SV_STAGE_W && c->stage != SV_STAGE_N3) {
        tell(c, SV_FACT_THETA, drowsy ? HELPS : COLOUR, (sv_sim_numbers){.n = v->n[SV_EVENT_THETA], .s = v->theta_s});
    }
}

static void tell_slow_waves(scene *c) {
    const sv_sim_sight *v = &c->seen;
    sv_sim_numbers n = {.n = v->n[SV_EVENT_SLOW_WAVE], .s = v->slow_wave_s, .uv = v->slow_wave_uv};
    bool frontal = c->roles & sv_role_bit(SV_ROLE_F4), light = c->stage == SV_STAGE_N2;
    if (c->stage == SV_STAGE_N3)
        tell(c, frontal ? SV_FACT_SLOW_MANY : SV_FACT_SLOW_UNMEASURED, DECIDES, n);
    else if (light && n.n >= 2 && n.s >= 2 && n.s < 5.2)
        tell(c, SV_FACT_SLOW_FEW, applies(c, "N2.3") ? DECIDES : HELPS, n);
    else if (light && n.n == 0 && n.s == 0)
        tell(c, SV_FACT_SLOW_NONE, COLOUR, n);
}

static void tell_k_complexes(scene *c, weight w) {
    const sv_sim_sight *v = &c->seen;
    int n = v->n[SV_EVENT_K_COMPLEX];
    sv_sim_numbers k = {.n = n, .at = v->k_at_s, .uv = v->k_uv};
    if (c->stage == SV_STAGE_N3 || n == 0) return; /* among slow waves K-complexes are not told apart */
    if (n == 1 && v->k_linked == 1)
        tell(c, SV_FACT_K_LINKED, HELPS, k);
    else
        tell(c, n == 1 ? SV_FACT_K_COMPLEX : SV_FACT_K_COMPLEXES, w, k);
}

static void tell_waves(scene *c) {
    const sv_sim_sight *v = &c->seen;
    int spindles = v->n[SV_EVENT_SPINDLE], vertex = v->n[SV_EVENT_VERTEX_WAVE];
    sv_sim_numbers s = {.n = spindles, .hz = v->spindle_hz, .at = v->spindle_at_s};
    weight w = c->stage == SV_STAGE_N2 ? DECIDES : c->stage == SV_STAGE_N3 ? COLOUR : HELPS;
    bool none = c->whole.n[SV_EVENT_SPINDLE] == 0 && c->whole.n[SV_EVENT_K_COMPLEX] == 0;
    if (spindles) tell(c, spindles == 1 ? SV_FACT_SPINDLE : SV_FACT_SPINDLES, w, s);
    tell_k_complexes(c, w);
    if (none && c->stage != SV_STAGE_W && c->stage != SV_STAGE_N3) tell(c, SV_FACT_NO_SPINDLE_NO_K, HELPS, s);
    if (vertex && (c->stage == SV_STAGE_N1 || c->stage == SV_STAGE_N2)) {
        tell(c, vertex == 1 ? SV_FACT_VERTEX_WAVE : SV_FACT_VERTEX_WAVES, c->stage == SV_STAGE_N1 ? HELPS : COLOUR,
             (sv_sim_numbers){.n = vertex});
    }
    if (v->sawtooth_s >= 1 && c->stage == SV_STAGE_R) {
        tell(c, SV_FACT_SAWTOOTH, HELPS, (sv_sim_numbers){.s = v->sawtooth_s});
    }
}

static void tell_eyes(scene *c) {
    const sv_sim_sight *v = &c->seen;
    bool awake = c->stage == SV_STAGE_W, r = c->stage == SV_STAGE_R;
    int blinks = v->n[SV_EVENT_BLINK], rems = v->n[SV_EVENT_REM], sems = v->n[SV_EVENT_SEM];
    if (blinks) {
        tell(c, blinks == 1 ? SV_FACT_BLINK : SV_FACT_BLINKS, applies(c, "W.2") ? DECIDES : HELPS,
             (sv_sim_numbers){.n = blinks});
    }
    if (rems) {
        tell(c, rems == 1 ? SV_FACT_RAPID_EYE : SV_FACT_RAPID_EYES, awake || r ? DECIDES : HELPS,
             (sv_sim_numbers){.n = rems});
    }
    if (sems && v->sem_s >= 1) {
        tell(c, SV_FACT_SLOW_EYES, c->stage == SV_STAGE_N1 ? HELPS : COLOUR, (sv_sim_numbers){.s = v->sem_s});
    }
    bool still = c->whole.n[SV_EVENT_REM] == 0;
    bool quiet = still && c->whole.n[SV_EVENT_BLINK] == 0 && c->whole.sem_s == 0;
    if (still && r)
        tell(c, SV_FACT_NO_RAPID_EYES, DECIDES, (sv_sim_numbers){0});
    else if (quiet)
        tell(c, SV_FACT_QUIET_EYES, COLOUR, (sv_sim_numbers){0});
    else if (still && !blinks)
        tell(c, SV_FACT_NO_RAPID_EYES, COLOUR, (sv_sim_numbers){0});
}

static void tell_chin(scene *c) {
    static const struct {
        double below;
        sv_sim_fact fact;
    } levels[] = {{0.15, SV_FACT_CHIN_LOWEST},
                  {0.35, SV_FACT_CHIN_LOW},
                  {0.75, SV_FACT_CHIN_MEDIUM},
                  {INFINITY, SV_FACT_CHIN_HIGH}};
    bool decides = c->stage == SV_STAGE_R || applies(c, "W.3");
    size_t i = 0;
    while (!(c->seen.chin_level < levels[i].below) && i + 1 < SV_COUNT(levels)) i++;
    tell(c, levels[i].fact, decides ? DECIDES : c->stage == SV_STAGE_W ? HELPS : COLOUR, (sv_sim_numbers){0});
    int twitches = c->seen.n[SV_EVENT_PHASIC_EMG];
    if (twitches >= 2 && c->stage == SV_STAGE_R) tell(c, SV_FACT_TWITCHES, COLOUR, (sv_sim_numbers){.n = twitches});
}

/* ---- why the rule applies */

static double start_s(const scene *c) { return (double)c->epoch * SV_EPOCH_S; }

/* The spindle or K-complex that makes it N2, with its middle, seen in the channels at hand. */
static void give_trigger(scene *c) {
    double start = start_s(c), offset = start;
    const sv_event *e = sv_sim_last_trigger(c->facts, c->roles, start, start + HALF_S);
    bool here = e != NULL;
    if (!here) {
        e = sv_sim_last_trigger(c->facts, c->roles, start - HALF_S, start);
        offset = start - SV_EPOCH_S;
    }
    if (!e) return;
    bool spindle = e->kind == SV_EVENT_SPINDLE;
    sv_sim_fact now = spindle ? SV_FACT_BY_SPINDLE : SV_FACT_BY_K;
    sv_sim_fact earlier = spindle ? SV_FACT_BY_SPINDLE_BEFORE : SV_FACT_BY_K_BEFORE;
    tell(c, here ? now : earlier, DECIDES, (sv_sim_numbers){.at = e->onset_s + e->duration_s / 2 - offset});
}

static void give_end_of_n2(scene *c) {
    double start = start_s(c);
    const sv_event *arousal = sv_sim_last_arousal(c->facts, start - HALF_S, start + HALF_S);
    if (arousal && arousal->onset_s >= start)
        tell(c, SV_FACT_BY_AROUSAL, DECIDES, (sv_sim_numbers){.at = arousal->onset_s - start});
    else if (arousal)
        tell(c, SV_FACT_BY_AROUSAL_BEFORE, DECIDES, (sv_sim_numbers){.at = arousal->onset_s - start + SV_EPOCH_S});
    else if (c->seen.movement_s > 0 && c->seen.n[SV_EVENT_SEM] > 0)
        tell(c, SV_FACT_BY_TURNING, DECIDES, (sv_sim_numbers){0});
    else
        tell(c, SV_FACT_BY_CHANGE, DECIDES, (sv_sim_numbers){0});
}

static void give_no_drowsiness(scene *c) {
    const int *n = c->whole.n;
    bool nothing = n[SV_EVENT_BLINK] == 0 && n[SV_EVENT_SEM] == 0 && n[SV_EVENT_VERTEX_WAVE] == 0;
    if (nothing) tell(c, SV_FACT_BY_NO_DROWSINESS, DECIDES, (sv_sim_numbers){0});
    if (c->seen.n[SV_EVENT_BLINK] > 0) tell(c, SV_FACT_BY_BLINKS, DECIDES, (sv_sim_numbers){0});
}

static void give_slow_waves(scene *c) {
    bool measured = c->roles & sv_role_bit(SV_ROLE_F4) && c->seen.slow_wave_s > 0.2 * SV_EPOCH_S;
    tell(c, measured ? SV_FACT_BY_SLOW_WAVES : SV_FACT_BY_SLOW_WAVES_LEFT, DECIDES, (sv_sim_numbers){0});
}

static void give_slow_lost(scene *c) { tell(c, SV_FACT_BY_SLOW_LOST, DECIDES, (sv_sim_numbers){0}); }

static void give_alpha(scene *c) {
    if (c->seen.alpha_s > HALF_S) tell(c, SV_FACT_BY_ALPHA, DECIDES, (sv_sim_numbers){0});
}

static void give_looking(scene *c) {
    if (c->seen.n[SV_EVENT_REM] > 0) tell(c, SV_FACT_BY_LOOKING, DECIDES, (sv_sim_numbers){0});
}

static void give_eyes(scene *c) {
    if (c->seen.n[SV_EVENT_REM] > 0) tell(c, SV_FACT_BY_EYES_AND_ATONIA, DECIDES, (sv_sim_numbers){0});
}

static void give_alpha_lost(scene *c) { tell(c, SV_FACT_BY_ALPHA_LOST, HELPS, (sv_sim_numbers){0}); }
static void give_slowing(scene *c) { tell(c, SV_FACT_BY_SLOWING, HELPS, (sv_sim_numbers){0}); }
static void give_continuity(scene *c) { tell(c, SV_FACT_BY_CONTINUITY, DECIDES, (sv_sim_numbers){0}); }
static void give_neighbours(scene *c) { tell(c, SV_FACT_BY_NEIGHBOURS, DECIDES, (sv_sim_numbers){0}); }
static void give_end_of_r(scene *c) { tell(c, SV_FACT_R_ENDED, DECIDES, (sv_sim_numbers){0}); }
static void give_next(scene *c) { tell(c, SV_FACT_AS_THE_NEXT, DECIDES, (sv_sim_numbers){0}); }

static void give_movement(scene *c) {
    if (c->whole.alpha_s == 0)
        tell(c, SV_FACT_MOVEMENT_BETWEEN, DECIDES, (sv_sim_numbers){0});
    else if (c->seen.alpha_s > 0)
        tell(c, SV_FACT_MOVEMENT_WITH_ALPHA, DECIDES, (sv_sim_numbers){0});
}

/* In the order of sv_rules. */
static void (*const reasons[SV_N_RULES])(scene *) = {
    give_alpha,   give_no_drowsiness, give_looking,   give_alpha_lost, give_slowing,
    give_trigger, give_continuity,    give_slow_lost, give_end_of_n2,  give_slow_waves,
    give_eyes,    give_neighbours,    give_end_of_r,  give_movement,   give_next};

/* One of the rules that apply; of those that look at the neighbours N2.4 and R.3 come along with another one. */
static void tell_reason(scene *c) {
    int n = __builtin_popcount(c->rules), chosen = (int)sv_draw_uniform(&c->draw, 0, n);
    bool neighbours = (applies(c, "N2.4") || applies(c, "R.3")) && sv_draw_chance(&c->draw, 0.8);
    if (neighbours) {
        reasons[sv_rule_find(applies(c, "N2.4") ? "N2.4" : "R.3") - sv_rules](c);
        return;
    }
    for (int i = 0; i < SV_N_RULES; i++) {
        if (c->rules >> i & 1 && chosen-- == 0) reasons[i](c);
    }
}

/* ---- what of it is told, and in which order */

static int n_told(const scene *c) {
    int n = 0;
    for (int i = 0; i < c->n; i++) n += c->notes[i].told;
    return n;
}

/* Of the notes of the least weight with the given `told`: one by chance; -1 without. */
static int least(scene *c, bool told, weight from) {
    int n = 0, found = -1;
    weight worst = DECIDES;
    for (int i = 0; i < c->n; i++) {
        if (c->notes[i].told == told) worst = SV_MAX(worst, c->notes[i].why);
    }
    for (int i = 0; i < c->n && worst >= from; i++) {
        if (c->notes[i].told != told || c->notes[i].why != worst) continue;
        if (sv_draw_chance(&c->draw, 1.0 / ++n)) found = i;
    }
    return found;
}

static void choose(scene *c) {
    static const double omitted[] = {[DECIDES] = 0, [HELPS] = 0.25, [COLOUR] = 0.65};
    for (int i = 0; i < c->n; i++) c->notes[i].told = !sv_draw_chance(&c->draw, omitted[c->notes[i].why]);
    while (n_told(c) > MAX_SENTENCES) c->notes[least(c, true, DECIDES)].told = false;
    for (int i; n_told(c) < MIN_SENTENCES && (i = least(c, false, HELPS)) >= 0;) c->notes[i].told = true;
    if (n_told(c) == 0) tell(c, SV_FACT_NOTHING_DISTINCT, DECIDES, (sv_sim_numbers){0});
    if (n_told(c) < MIN_SENTENCES) tell(c, SV_FACT_LITTLE_TO_SEE, DECIDES, (sv_sim_numbers){0});
}

static void write_sections(scene *c, sv_strbuf *out) {
    enum { M = SV_SECTION_MOVEMENT, B, W, E, C, R };
    static const unsigned char orders[][SV_N_SECTIONS] = {{M, B, W, E, C, R}, {M, W, B, E, C, R}, {M, E, C, B, W, R},
                                                          {R, M, B, W, E, C}, {M, C, E, B, W, R}, {B, W, M, R, E, C},
                                                          {M, B, E, W, C, R}};
    size_t order = (size_t)sv_draw_uniform(&c->draw, 0, SV_COUNT(orders));
    for (int k = 0; k < SV_N_SECTIONS; k++) {
        for (int i = 0; i < c->n; i++) {
            const note *x = &c->notes[i];
            if (!x->told || sv_fact_section(x->fact) != (sv_sim_section)orders[order][k]) continue;
            sv_sim_frame frame = frame_of(c, x->fact);
            sv_fact_say(x->fact, &frame, &x->numbers, &c->draw, out);
        }
    }
}

static void tell_all(scene *c) {
    tell_disturbances(c);
    if (c->roles & head_roles) tell_alpha(c);
    if (c->roles & head_roles && !c->hidden) {
        tell_background(c);
        tell_slow_waves(c);
        tell_waves(c);
    }
    if (c->seen.n[SV_EVENT_AROUSAL] > 0 && !c->hidden) {
        tell(c, SV_FACT_AROUSAL, c->stage == SV_STAGE_N3 ? COLOUR : HELPS,
             (sv_sim_numbers){.at = c->seen.arousal_at_s});
    }
    if (c->roles & eye_roles && !c->hidden) tell_eyes(c);
    if (c->roles & sv_role_bit(SV_ROLE_CHIN)) tell_chin(c);
    tell_reason(c);
}

void sv_rationale_write(const sv_sim_facts *facts, const sv_truth *truth, int epoch, unsigned roles, uint64_t seed,
                        sv_strbuf *out) {
    scene c = {.facts = facts,
               .epoch = epoch,
               .roles = roles,
               .stage = (sv_stage)truth->stages[epoch],
               .rules = truth->rules[epoch],
               .draw = sv_draw_stream(seed, SV_DRAW_RATIONALES)};
    c.draw.block = (uint64_t)epoch << 8; /* more than an epoch can use up */
    sv_sim_look(facts, epoch, roles, &c.seen);
    sv_sim_look(facts, epoch, 0, &c.whole);
    c.hidden = c.whole.movement_s > HALF_S;
    sv_strbuf_clear(out);
    tell_all(&c);
    choose(&c);
    write_sections(&c, out);
}
