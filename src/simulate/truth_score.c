/* truth_score.c - the stages and rules of a simulated night by the logic of the AASM manual (version 3, chapter IV),
 * for a scorer who sees every event. */
#include <math.h>

#include "base/memory.h"
#include "psg/night.h"
#include "simulate/sight.h"

enum { HALF_S = SV_EPOCH_S / 2 };

/* Order of sv_rules. */
enum { W1, W2, W3, N1_1, N1_2, N2_1, N2_2, N2_3, N2_4, N3_1, R1, R2, R3, MBM1, MBM2 };
static uint16_t bit(int rule) { return (uint16_t)(1u << rule); }

/* Scorers leave N3 later than they enter it: an epoch stays N3 while it holds this share of the seconds that began it.
 * Without it simulated N3 breaks up twice as often as that of ../shared/data/hypnograms (docs/simulator.md). */
static const double n3_keeps = 0.7;
/* Blinks and eye movements of wakefulness count from two an epoch. */
static const int waking_eyes = 2;

typedef struct scoring {
    const sv_sim_facts *facts;
    sv_sim_sight *sights; /* [n_epochs] */
    bool *in_r;           /* [n_epochs]: belongs to a run of R that has rapid eye movements somewhere */
    sv_truth *truth;
} scoring;

static sv_stage stage_of(const scoring *s, int epoch) {
    return epoch >= 0 && epoch < s->facts->n_epochs ? (sv_stage)s->truth->stages[epoch] : SV_STAGE_NONE;
}

static void decide(scoring *s, int epoch, sv_stage stage, unsigned rules) {
    s->truth->stages[epoch] = (signed char)stage;
    s->truth->rules[epoch] = (uint16_t)rules;
}

/* The state that fills most of the epoch; N2 and N3 are one here. */
static sv_stage majority(const sv_sim_sight *sight) {
    int n[SV_N_STAGES];
    for (int i = 0; i < SV_N_STAGES; i++) n[i] = sight->state_s[i];
    n[SV_STAGE_N2] += n[SV_STAGE_N3];
    n[SV_STAGE_N3] = 0;
    int best = SV_STAGE_N2;
    for (int i = 0; i < SV_N_STAGES; i++) best = n[i] > n[best] ? i : best;
    return (sv_stage)best;
}

/* ---- R */

static void find_runs_of_r(scoring *s) {
    for (int e = 0; e < s->facts->n_epochs; e++) {
        int from = e;
        bool definite = false;
        for (; e < s->facts->n_epochs && majority(&s->sights[e]) == SV_STAGE_R; e++) {
            definite = definite || s->sights[e].rems > 0;
        }
        for (int i = from; i < e; i++) s->in_r[i] = definite;
    }
}

/* ---- N2 */

/* Onset of the last spindle or K-complex in the last half of the epoch before or the first half of this one, from this
 * one's start; NaN when there is none. */
static double last_trigger(const scoring *s, int epoch) {
    double here = s->sights[epoch].last_trigger_s[0];
    double before = epoch > 0 ? s->sights[epoch - 1].last_trigger_s[1] - SV_EPOCH_S : NAN;
    return isnan(here) ? before : here;
}

/* Onset of the last arousal from half an epoch before this one to its middle; -INFINITY when there is none. */
static double last_arousal(const scoring *s, int epoch) {
    const sv_events *all = &s->facts->events;
    double start = (double)epoch * SV_EPOCH_S, last = -INFINITY;
    for (size_t i = sv_events_first_from(all, start - HALF_S); i < all->n && all->items[i].onset_s < start + HALF_S;
         i++) {
        if (all->items[i].kind == SV_EVENT_AROUSAL) last = all->items[i].onset_s - start;
    }
    return last;
}

/* A body movement in the epoch before, and slow eye movements now, end N2 too. */
static bool moved_and_drowsy(const scoring *s, int epoch) {
    bool moved = s->sights[epoch].movement_s > 0 || (epoch > 0 && s->sights[epoch - 1].movement_s > 0);
    return moved && s->sights[epoch].sems > 0;
}

static unsigned n1_rule(const scoring *s) { return bit(s->facts->alpha_generator ? N1_1 : N1_2); }

/* N1, and what it ended. */
static void fall_back_to_n1(scoring *s, int epoch) {
    sv_stage before = stage_of(s, epoch - 1);
    unsigned rules = n1_rule(s);
    if (before == SV_STAGE_N2) rules |= bit(N2_4);
    if (before == SV_STAGE_R) rules |= bit(R3);
    decide(s, epoch, SV_STAGE_N1, rules);
}

static void score_nrem(scoring *s, int epoch) {
    sv_stage before = stage_of(s, epoch - 1);
    double trigger = last_trigger(s, epoch), arousal = last_arousal(s, epoch);
    double limit = s->facts->n3_from_s * (before == SV_STAGE_N3 ? n3_keeps : 1);
    unsigned ends_r = before == SV_STAGE_R ? bit(R3) : 0;
    if (s->sights[epoch].slow_wave_s >= limit) {
        decide(s, epoch, SV_STAGE_N3, bit(N3_1) | ends_r);
    } else if (!isnan(trigger) && trigger > arousal) {
        decide(s, epoch, SV_STAGE_N2, bit(N2_1) | ends_r);
    } else if (before == SV_STAGE_N3 && arousal == -INFINITY) {
        decide(s, epoch, SV_STAGE_N2, bit(N2_3));
    } else if (before == SV_STAGE_N2 && arousal == -INFINITY && !moved_and_drowsy(s, epoch)) {
        decide(s, epoch, SV_STAGE_N2, bit(N2_2));
    } else {
        fall_back_to_n1(s, epoch);
    }
}

/* ---- W, N1, R */

static void score_wake(scoring *s, int epoch) {
    const sv_sim_sight *v = &s->sights[epoch];
    unsigned rules = 0, ends_r = stage_of(s, epoch - 1) == SV_STAGE_R ? bit(R3) : 0;
    if (s->facts->alpha_generator && v->alpha_s > HALF_S) rules |= bit(W1);
    if (v->blinks >= waking_eyes) rules |= bit(W2);
    if (v->rems >= waking_eyes) rules |= bit(W3);
    if (!rules && v->blinks > 0) rules |= bit(W2);
    if (!rules && v->rems > 0) rules |= bit(W3);
    if (!rules && s->facts->alpha_generator) {
        fall_back_to_n1(s, epoch);
        return;
    }
    /* without alpha quiet wakefulness shows nothing of its own: it is known by what N1 would need and is not there. The
     * list of rules has no word for that; the eyes' rule is the nearest. */
    decide(s, epoch, SV_STAGE_W, (rules ? rules : bit(W2)) | ends_r);
}

static void score_drowsy(scoring *s, int epoch) {
    if (s->facts->alpha_generator && s->sights[epoch].alpha_s > HALF_S)
        decide(s, epoch, SV_STAGE_W, bit(W1));
    else
        fall_back_to_n1(s, epoch);
}

static void score_r(scoring *s, int epoch) {
    if (s->in_r[epoch])
        decide(s, epoch, SV_STAGE_R, bit(s->sights[epoch].rems > 0 ? R1 : R2));
    else
        score_nrem(s, epoch); /* never an eye movement: N2 goes on, or it is N1 */
}

static void score_epoch(scoring *s, int epoch) {
    switch (majority(&s->sights[epoch])) {
        case SV_STAGE_W: score_wake(s, epoch); break;
        case SV_STAGE_N1: score_drowsy(s, epoch); break;
        case SV_STAGE_R: score_r(s, epoch); break;
        default: score_nrem(s, epoch);
    }
}

/* ---- major body movements */

/* Epochs more than half hidden by movement take their stage from alpha or from their neighbours; from the end, so that
 * the next one's stage is known. */
static void score_movements(scoring *s) {
    for (int e = s->facts->n_epochs - 1; e >= 0; e--) {
        const sv_sim_sight *v = &s->sights[e];
        if (v->movement_s <= HALF_S) continue;
        bool alpha = s->facts->alpha_generator && v->alpha_s > 0;
        sv_stage before = stage_of(s, e - 1), after = stage_of(s, e + 1);
        if (alpha || (before == SV_STAGE_W && after == SV_STAGE_W))
            decide(s, e, SV_STAGE_W, bit(MBM1));
        else if (after != SV_STAGE_NONE)
            decide(s, e, after, bit(MBM2));
    }
}

sv_status sv_truth_score(const sv_sim_facts *facts, sv_truth *out, sv_error *err) {
    size_t n = (size_t)facts->n_epochs;
    *out = (sv_truth){.n_epochs = facts->n_epochs,
                      .stages = sv_calloc(n, sizeof *out->stages),
                      .rules = sv_calloc(n, sizeof *out->rules)};
    scoring s = {
        .facts = facts, .sights = sv_calloc(n, sizeof *s.sights), .in_r = sv_calloc(n, sizeof *s.in_r), .truth = out};
    sv_status status = SV_OK;
    if (!out->stages || !out->rules || !s.sights || !s.in_r) {
        status = sv_fail_memory(err, "truth of the night", n * sizeof *s.sights);
        sv_truth_free(out);
    } else {
        for (int e = 0; e < facts->n_epochs; e++) sv_sim_look(facts, e, &s.sights[e]);
        find_runs_of_r(&s);
        for (int e = 0; e < facts->n_epochs; e++) score_epoch(&s, e);
        score_movements(&s);
    }
    free(s.sights);
    free(s.in_r);
    return status;
}

void sv_sim_facts_free(sv_sim_facts *facts) {
    free(facts->state);
    free(facts->movement);
    free(facts->slow_wave_s);
    free(facts->chin_uv);
    sv_events_free(&facts->events);
    *facts = (sv_sim_facts){0};
}

void sv_truth_free(sv_truth *truth) {
    free(truth->stages);
    free(truth->rules);
    *truth = (sv_truth){0};
}
